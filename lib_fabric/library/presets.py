"""Presets, kept under their names.

Knows the database, the store and its owners. A name is text that is only compared and shown: it
never becomes part of a path. Each preset also lies in a small file, from which a damaged database
is rebuilt.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from lib_fabric.errors import FabricError
from lib_fabric.library.active_sets import ids_of
from lib_fabric.library.owners import PictureOwners
from lib_fabric.library.preset import Preset, check_name, check_settings, existing_name
from lib_fabric.library.storage.database import Database
from lib_fabric.library.storage.row_backups import RowBackups
from lib_fabric.library.storage.texts import clean_text, fold
from lib_fabric.library.store import PictureStore, missing_picture
from lib_fabric.settings import shorten

_log = logging.getLogger(__name__)
MAX_PRESETS_EACH_OWNER = 500


class NameTakenError(FabricError):
    """There is another preset of this name."""


class Presets:
    """The presets of every login; names differ in more than upper and lower case.

    Every method raises FabricError (422) for a name that cannot be or is unknown, and (500) where
    the disk fails, with one sentence.
    """

    def __init__(self, database: Database, store: PictureStore, owners: PictureOwners) -> None:
        self.database = database
        self._store = store
        self._owners = owners
        self.backups = RowBackups(database.folder / "presets", "preset")
        database.add_rebuild(self._rebuild)

    def page(self, owner: str, offset: int, limit: int) -> list[Preset]:
        """At most `limit` presets in alphabetical order, after the first `offset`.

        Of a damaged one, which `load` refuses, only the name.
        """
        sql = (
            "SELECT folded_name, content FROM presets WHERE owner = ? "
            "ORDER BY folded_name LIMIT ? OFFSET ?"
        )
        values = (clean_text(owner), limit, offset)
        rows = self.database.read(lambda connection: connection.execute(sql, values).fetchall())
        return [_preset_or_name(content, folded_name) for folded_name, content in rows]

    def count(self, owner: str, before: str | None = None) -> int:
        """How many presets there are; in front of the one called `before`, if that is given."""
        sql, values = "SELECT COUNT(*) FROM presets WHERE owner = ?", [clean_text(owner)]
        if before is not None:
            sql, values = f"{sql} AND folded_name < ?", [*values, fold(existing_name(before))]
        return self.database.read(lambda connection: connection.execute(sql, values).fetchone()[0])

    def namesake(self, owner: str, name: str) -> str | None:
        """What the preset is called that has the same name as `name`; None if there is none.

        Raises:
            FabricError: a name that no preset can have.
        """
        owner, name = clean_text(owner), check_name(name)
        content = self.database.read(lambda connection: _row(connection, owner, name))
        return None if content is None else _preset_or_name(content, fold(name)).name

    def save(self, owner: str, name: str, preset: Preset, overwrite: bool = False) -> Preset:
        """Keeps `preset` under `name` and returns it with that name.

        Raises:
            NameTakenError: there is one, and `overwrite` is not set; all else is right then.
            FabricError: a wrong name or setting, a picture that is not there for this owner, or no
                room.
        """
        owner = clean_text(owner)
        preset = replace(preset, name=check_name(name), settings=check_settings(preset.settings))

        def work(connection: sqlite3.Connection) -> None:
            # Inside: whoever deletes pictures holds the write lock meanwhile.
            for each in preset.ratings:
                is_there = each.picture in self._store
                if not is_there or not self._owners.may_open(connection, owner, each.picture):
                    raise missing_picture(each.picture)
            found = _row(connection, owner, preset.name)
            if found and not overwrite:
                raise _taken(preset.name)
            if not found:
                _check_room(connection, owner)
            self._put(connection, owner, preset)

        self.database.write(work)
        return preset

    def load(self, owner: str, name: str) -> Preset:
        """The preset called `name`. Its pictures are in the store unless files were deleted."""
        owner, name = clean_text(owner), existing_name(name)
        return Preset.from_json(
            self.database.read(lambda connection: _known_row(connection, owner, name))
        )

    def rename(self, owner: str, name: str, new_name: str) -> Preset:
        """Calls a preset by another name.

        Raises:
            FabricError: the new name is taken by another preset.
        """
        owner, name, new_name = clean_text(owner), existing_name(name), check_name(new_name)

        def work(connection: sqlite3.Connection) -> Preset:
            preset = replace(Preset.from_json(_known_row(connection, owner, name)), name=new_name)
            if fold(new_name) != fold(name):
                if _row(connection, owner, new_name):
                    raise _taken(new_name)
                _delete(connection, owner, name)
            self._put(connection, owner, preset)
            return preset

        preset = self.database.write(work)
        self._delete_backup(owner, name)
        return preset

    def delete(self, owner: str, name: str) -> None:
        """Forgets a preset; its pictures stay until the store needs the room."""
        owner, name = clean_text(owner), existing_name(name)

        def work(connection: sqlite3.Connection) -> None:
            _known_row(connection, owner, name)
            _delete(connection, owner, name)

        self.database.write(work)
        self._delete_backup(owner, name)

    @staticmethod
    def picture_ids(connection: sqlite3.Connection) -> set[str]:
        """The ids in any preset of anybody, inside a transaction."""
        return ids_of(connection.execute("SELECT content FROM presets"))

    @staticmethod
    def named(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
        """Every picture's id in a preset, with whose preset it is, inside a transaction."""
        for owner, content in connection.execute("SELECT owner, content FROM presets"):
            # Read, not searched: a preset's name may look like an id.
            with contextlib.suppress(FabricError):
                yield from ((each.picture, owner) for each in Preset.from_json(content).ratings)

    def _put(self, connection: sqlite3.Connection, owner: str, preset: Preset) -> None:
        content = preset.to_json()
        self.backups.write((owner, fold(preset.name)), content)
        _insert(connection, owner, fold(preset.name), content)

    def _delete_backup(self, owner: str, name: str) -> None:
        """Deletes the file of a deleted preset, unless one of that name was saved meanwhile."""

        def work(connection: sqlite3.Connection) -> None:
            if _row(connection, owner, name) is None:
                self.backups.delete((owner, fold(name)))

        try:
            self.database.write(work)
        except FabricError as error:
            # What was asked for is done; a file that stays comes back with a rebuild, no worse.
            _log.warning("FABRIC: %s", error)

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        # Damaged ones too: they are shown, and only their user deletes them.
        for key, content in self.backups.all():
            if len(key) == 2:
                _insert(connection, *key, content)


def _preset_or_name(content: str, folded_name: str) -> Preset:
    # So that a damaged preset can be seen and deleted.
    try:
        preset = Preset.from_json(content)
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


def _taken(name: str) -> NameTakenError:
    return NameTakenError("There is a preset {} already.", shorten(name, 100))
