"""Active sets with their settings, kept under a name.

Knows the database, the store and the settings. A name is text that is only compared and shown:
it never becomes part of a path. Each preset also lies in a small file, from which a damaged
database is rebuilt.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lib_fabric.errors import FabricError
from lib_fabric.library.active_sets import ids_of
from lib_fabric.library.storage.database import Database
from lib_fabric.library.storage.row_backups import RowBackups
from lib_fabric.library.storage.texts import clean_text, fold
from lib_fabric.library.store import PictureStore, missing_picture
from lib_fabric.ratings import Ratings, from_json, to_json
from lib_fabric.settings import FabricSettings, shorten
from lib_fabric.visible_text import is_visible

_log = logging.getLogger(__name__)
MAX_NAME_CHARS = 80
MAX_PRESETS_EACH_OWNER = 500


@dataclass(frozen=True)
class Preset:
    """Settings by name, and the ratings of pictures by their ids.

    Settings that are missing mean their default.
    """

    name: str
    settings: Mapping[str, object] = field(default_factory=dict)
    ratings: Ratings[str] = field(default_factory=Ratings)


class Presets:
    """The presets of every login; names differ in more than upper and lower case.

    Every method raises FabricError (422) for a name that cannot be or is unknown, and (500) where
    the disk fails, with one sentence.
    """

    def __init__(self, database: Database, store: PictureStore) -> None:
        self._database = database
        self._store = store
        self._backups = RowBackups(database.folder / "presets", "preset")
        database.add_rebuild(self._rebuild)

    def names(self, owner: str) -> list[str]:
        """The names, in alphabetical order."""
        return [each.name for each in self.all(owner)]

    def all(self, owner: str) -> list[Preset]:
        """Every preset, in alphabetical order; of a damaged one, which `load` refuses, the name."""
        rows = self._database.read(
            lambda connection: connection.execute(
                "SELECT folded_name, content FROM presets WHERE owner = ? ORDER BY folded_name",
                (clean_text(owner),),
            ).fetchall()
        )
        return [_preset_or_name(content, folded_name) for folded_name, content in rows]

    def namesake(self, owner: str, name: str) -> str | None:
        """What the preset is called that has the same name as `name`; None if there is none.

        Raises:
            FabricError: a name that no preset can have.
        """
        owner, name = clean_text(owner), check_name(name)
        content = self._database.read(lambda connection: _row(connection, owner, name))
        return None if content is None else _preset_or_name(content, fold(name)).name

    def save(self, owner: str, name: str, preset: Preset, overwrite: bool = False) -> Preset:
        """Keeps `preset` under `name` and returns it with that name.

        Raises:
            FabricError: the name is taken and `overwrite` is not set, a wrong setting, or a
                picture that is not in the store.
        """
        owner = clean_text(owner)
        preset = replace(preset, name=check_name(name), settings=check_settings(preset.settings))

        def work(connection: sqlite3.Connection) -> None:
            # Inside: whoever deletes pictures holds the write lock meanwhile.
            for each in preset.ratings:
                if each.picture not in self._store:
                    raise missing_picture(each.picture)
            found = _row(connection, owner, preset.name)
            if found and not overwrite:
                raise _taken(preset.name)
            if not found:
                _check_room(connection, owner)
            self._put(connection, owner, preset)

        self._database.write(work)
        return preset

    def load(self, owner: str, name: str) -> Preset:
        """The preset called `name`. Its pictures are in the store unless files were deleted."""
        owner, name = clean_text(owner), _known_form(name)
        return _preset(self._database.read(lambda connection: _known_row(connection, owner, name)))

    def rename(self, owner: str, name: str, new_name: str) -> Preset:
        """Calls a preset by another name.

        Raises:
            FabricError: the new name is taken by another preset.
        """
        owner, name, new_name = clean_text(owner), _known_form(name), check_name(new_name)

        def work(connection: sqlite3.Connection) -> Preset:
            preset = replace(_preset(_known_row(connection, owner, name)), name=new_name)
            if fold(new_name) != fold(name):
                if _row(connection, owner, new_name):
                    raise _taken(new_name)
                _delete(connection, owner, name)
            self._put(connection, owner, preset)
            return preset

        preset = self._database.write(work)
        self._delete_backup(owner, name)
        return preset

    def delete(self, owner: str, name: str) -> None:
        """Forgets a preset; its pictures stay until the store needs the room."""
        owner, name = clean_text(owner), _known_form(name)

        def work(connection: sqlite3.Connection) -> None:
            _known_row(connection, owner, name)
            _delete(connection, owner, name)

        self._database.write(work)
        self._delete_backup(owner, name)

    @staticmethod
    def picture_ids(connection: sqlite3.Connection) -> set[str]:
        """The ids in any preset of anybody, inside a transaction."""
        return ids_of(connection.execute("SELECT content FROM presets"))

    def _put(self, connection: sqlite3.Connection, owner: str, preset: Preset) -> None:
        content = _content(preset)
        self._backups.write((owner, fold(preset.name)), content)
        _insert(connection, owner, fold(preset.name), content)

    def _delete_backup(self, owner: str, name: str) -> None:
        """Deletes the file of a deleted preset, unless one of that name was saved meanwhile."""

        def work(connection: sqlite3.Connection) -> None:
            if _row(connection, owner, name) is None:
                self._backups.delete((owner, fold(name)))

        try:
            self._database.write(work)
        except FabricError as error:
            # What was asked for is done; a file that stays comes back with a rebuild, no worse.
            _log.warning("FABRIC: %s", error)

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        # Damaged ones too: they are shown, and only their user deletes them.
        for key, content in self._backups.all():
            if len(key) == 2:
                _insert(connection, *key, content)


def check_name(name: object) -> str:
    """`name` of a new preset, without spaces around it, in one Unicode form.

    Raises:
        FabricError: empty, too long, nothing that can be seen, or with characters that no name has.
    """
    text = _known_form(name)
    if not is_visible(text):
        raise FabricError("Give the preset a name that can be seen.")
    return text


def _known_form(name: object) -> str:
    """As `check_name`, for a preset that is there: one without a visible name can be deleted."""
    if not isinstance(name, str):
        raise FabricError("a preset's name must be text, not {}.", shorten(name))
    text = name.strip()
    # Before anything costly: normalising may make a text longer, never much shorter.
    if len(text) <= 20 * MAX_NAME_CHARS:
        text = unicodedata.normalize("NFC", text)
    if not text:
        raise FabricError("Give the preset a name.")
    if len(text) > MAX_NAME_CHARS:
        raise FabricError("A preset's name may have at most {} characters.", MAX_NAME_CHARS)
    if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text):
        raise FabricError("A preset's name may not hold line breaks or control characters.")
    return text


def check_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Every setting by name, with defaults for those left out.

    Raises:
        FabricError: an unknown setting, or a value that it may not have.
    """
    known = [setting.name for setting in FabricSettings.fields()]
    for name in settings:
        if name not in known:
            raise FabricError("unknown setting {}. Known: {}.", shorten(name), ", ".join(known))
    checked = FabricSettings.from_mapping(settings)
    return {name: getattr(checked, name) for name in known}


def _content(preset: Preset) -> str:
    return json.dumps(
        {
            "name": preset.name,
            "settings": dict(preset.settings),
            "pictures": to_json(preset.ratings),
        },
        ensure_ascii=False,
    )


def _preset(content: str) -> Preset:
    known = {setting.name for setting in FabricSettings.fields()}
    try:
        found = json.loads(content)
        # Settings of another version of FABRIC are left out, not refused: it is the user's own.
        settings = {name: value for name, value in found["settings"].items() if name in known}
        ratings = from_json(found["pictures"])
        return Preset(_known_form(found["name"]), check_settings(settings), ratings)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FabricError(
            "This preset is damaged. Delete it and save it again.", status_code=500
        ) from error


def _preset_or_name(content: str, folded_name: str) -> Preset:
    # So that a damaged preset can be seen and deleted.
    try:
        preset = _preset(content)
    except FabricError:
        return Preset(folded_name)
    return preset if fold(preset.name) == folded_name else Preset(folded_name)


def _insert(connection: sqlite3.Connection, owner: str, folded_name: str, content: str) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO presets (owner, folded_name, content) VALUES (?, ?, ?)",
        (owner, folded_name, content),
    )


def _delete(connection: sqlite3.Connection, owner: str, name: str) -> None:
    connection.execute(
        "DELETE FROM presets WHERE owner = ? AND folded_name = ?", (owner, fold(name))
    )


def _row(connection: sqlite3.Connection, owner: str, name: str) -> str | None:
    row = connection.execute(
        "SELECT content FROM presets WHERE owner = ? AND folded_name = ?",
        (owner, fold(name)),
    ).fetchone()
    return row[0] if row else None


def _known_row(connection: sqlite3.Connection, owner: str, name: str) -> str:
    content = _row(connection, owner, name)
    if content is None:
        raise FabricError("There is no preset {}.", shorten(name))
    return content


def _check_room(connection: sqlite3.Connection, owner: str) -> None:
    query = "SELECT COUNT(*) FROM presets WHERE owner = ?"
    if connection.execute(query, (owner,)).fetchone()[0] >= MAX_PRESETS_EACH_OWNER:
        raise FabricError(
            "There are {} presets already. Delete one before saving another.",
            MAX_PRESETS_EACH_OWNER,
        )


def _taken(name: str) -> FabricError:
    return FabricError("There is a preset {} already.", shorten(name, 100))
