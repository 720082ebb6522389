"""Active sets with their settings, kept under a name.

Knows the database, the store and the settings. A name is text that is only compared and shown:
it never becomes part of a path. Each preset also lies in a small file of its own, named by a hash,
from which a damaged database is rebuilt.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lib_fabric.active_sets import ActivePicture, ids_of, pictures_json, read_pictures
from lib_fabric.database import Database
from lib_fabric.errors import FabricError
from lib_fabric.files import write_atomically
from lib_fabric.history import clean_text, fold
from lib_fabric.request import PICTURE_LISTS
from lib_fabric.settings import FabricSettings, shorten
from lib_fabric.store import PictureStore, missing_picture

MAX_NAME_CHARS = 80
MAX_PRESETS_EACH_OWNER = 500
_FOLDER = "presets"


@dataclass(frozen=True)
class Preset:
    """Settings by name, and the pictures with their weights.

    Settings that are missing mean their default.
    """

    name: str
    settings: Mapping[str, object] = field(default_factory=dict)
    liked: tuple[ActivePicture, ...] = ()
    disliked: tuple[ActivePicture, ...] = ()

    @property
    def pictures(self) -> dict[str, tuple[ActivePicture, ...]]:
        """Both lists, as `ActiveSets` takes them."""
        return {name: getattr(self, name) for name in PICTURE_LISTS}


class Presets:
    """The presets of every login; names differ in more than upper and lower case.

    Every method raises FabricError (422) for a name that cannot be or is unknown, and (500) where
    the disk fails, with one sentence.
    """

    def __init__(self, database: Database, store: PictureStore) -> None:
        self._database = database
        self._store = store
        database.add_rebuild(self._rebuild)

    def names(self, owner: str) -> list[str]:
        """The names, in alphabetical order."""
        rows = self._database.read(
            lambda connection: connection.execute(
                "SELECT content FROM presets WHERE owner = ? ORDER BY folded_name",
                (clean_text(owner),),
            ).fetchall()
        )
        return [json.loads(content)["name"] for (content,) in rows]

    def save(self, owner: str, name: str, preset: Preset, overwrite: bool = False) -> Preset:
        """Keeps `preset` under `name` and returns it with that name.

        Raises:
            FabricError: the name is taken and `overwrite` is not set, a wrong setting, or a
                picture that is not in the store.
        """
        preset = replace(preset, name=check_name(name), settings=check_settings(preset.settings))

        def work(connection: sqlite3.Connection) -> None:
            # Inside: whoever deletes pictures holds the write lock meanwhile.
            for entries in preset.pictures.values():
                for each in entries:
                    if each.picture_id not in self._store:
                        raise missing_picture(each.picture_id)
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
        name = check_name(name)
        return _preset(self._database.read(lambda connection: _known_row(connection, owner, name)))

    def rename(self, owner: str, name: str, new_name: str) -> Preset:
        """Calls a preset by another name.

        Raises:
            FabricError: the new name is taken by another preset.
        """
        name, new_name = check_name(name), check_name(new_name)

        def work(connection: sqlite3.Connection) -> Preset:
            preset = replace(_preset(_known_row(connection, owner, name)), name=new_name)
            if fold(new_name) != fold(name):
                if _row(connection, owner, new_name):
                    raise _taken(new_name)
                self._put(connection, owner, preset)
                self._remove(connection, owner, name)
            else:
                self._put(connection, owner, preset)
            return preset

        return self._database.write(work)

    def delete(self, owner: str, name: str) -> None:
        """Forgets a preset; its pictures stay until the store needs the room."""
        name = check_name(name)

        def work(connection: sqlite3.Connection) -> None:
            _known_row(connection, owner, name)
            self._remove(connection, owner, name)

        self._database.write(work)

    @staticmethod
    def picture_ids(connection: sqlite3.Connection) -> set[str]:
        """The ids in any preset of anybody, inside a transaction."""
        contents = [json.loads(row[0]) for row in connection.execute("SELECT content FROM presets")]
        return ids_of((content["pictures"],) for content in contents)

    def _put(self, connection: sqlite3.Connection, owner: str, preset: Preset) -> None:
        owner, content = clean_text(owner), _content(owner, preset)
        _insert(connection, owner, preset.name, content)
        # Before the commit, so that the files never know less than the database.
        _in_words(lambda: write_atomically(self._file(owner, preset.name), content.encode()))

    def _remove(self, connection: sqlite3.Connection, owner: str, name: str) -> None:
        owner = clean_text(owner)
        connection.execute(
            "DELETE FROM presets WHERE owner = ? AND folded_name = ?", (owner, fold(name))
        )
        _in_words(lambda: self._file(owner, name).unlink(missing_ok=True))

    def _file(self, owner: str, name: str) -> Path:
        digest = hashlib.sha256(json.dumps([owner, fold(name)]).encode()).hexdigest()
        return self._database.folder / _FOLDER / f"{digest}.json"

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        for path in sorted((self._database.folder / _FOLDER).glob("*.json")):
            try:
                content = path.read_text("utf-8")
                owner, preset = json.loads(content)["owner"], _preset(content)
                if path == self._file(owner, check_name(preset.name)):
                    _insert(connection, owner, preset.name, content)
            except (OSError, ValueError, KeyError, TypeError, RecursionError, FabricError):
                continue


def check_name(name: object) -> str:
    """`name` without spaces around it, in one Unicode form.

    Raises:
        FabricError: empty, too long, or with characters that no name has.
    """
    if not isinstance(name, str):
        raise FabricError(f"a preset's name must be text, not {shorten(name)}.")
    # Before anything costly: normalising may make a text longer, never much shorter.
    text = unicodedata.normalize("NFC", name[: 20 * MAX_NAME_CHARS].strip())
    if not text:
        raise FabricError("Give the preset a name.")
    if len(text) > MAX_NAME_CHARS:
        raise FabricError(f"A preset's name may have at most {MAX_NAME_CHARS} characters.")
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
            raise FabricError(f"unknown setting {shorten(name)}. Known: {', '.join(known)}.")
    checked = FabricSettings.from_mapping(settings)
    return {name: getattr(checked, name) for name in known}


def _content(owner: str, preset: Preset) -> str:
    pictures = pictures_json(preset.pictures)
    parts = {"owner": clean_text(owner), "name": preset.name, "settings": dict(preset.settings)}
    return json.dumps({**parts, "pictures": pictures}, ensure_ascii=False)


def _preset(content: str) -> Preset:
    found = json.loads(content)
    known = {setting.name for setting in FabricSettings.fields()}
    # Settings of another version of FABRIC are left out, not refused: it is the user's own preset.
    settings = {name: value for name, value in found["settings"].items() if name in known}
    return Preset(found["name"], check_settings(settings), **read_pictures(found["pictures"]))


def _insert(connection: sqlite3.Connection, owner: str, name: str, content: str) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO presets (owner, folded_name, content) VALUES (?, ?, ?)",
        (owner, fold(name), content),
    )


def _row(connection: sqlite3.Connection, owner: str, name: str) -> str | None:
    row = connection.execute(
        "SELECT content FROM presets WHERE owner = ? AND folded_name = ?",
        (clean_text(owner), fold(name)),
    ).fetchone()
    return row[0] if row else None


def _known_row(connection: sqlite3.Connection, owner: str, name: str) -> str:
    content = _row(connection, owner, name)
    if content is None:
        raise FabricError(f"There is no preset {shorten(name)}.")
    return content


def _check_room(connection: sqlite3.Connection, owner: str) -> None:
    query = "SELECT COUNT(*) FROM presets WHERE owner = ?"
    if connection.execute(query, (clean_text(owner),)).fetchone()[0] >= MAX_PRESETS_EACH_OWNER:
        raise FabricError(
            f"There are {MAX_PRESETS_EACH_OWNER} presets already. Delete one before saving another."
        )


def _taken(name: str) -> FabricError:
    return FabricError(f"There is a preset {shorten(name, 100)} already.")


def _in_words(change: Callable[[], object]) -> None:
    try:
        change()
    except OSError as error:
        raise FabricError(
            f"the preset could not be saved: {error.strerror or error}.", 500
        ) from error
