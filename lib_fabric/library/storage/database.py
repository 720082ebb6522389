"""The one SQLite file that holds history, active sets and presets; made, repaired and rebuilt here.

Knows only the standard library. The database is an index: what must never be lost also lies in
small files beside the pictures, from which `rebuild` functions fill a new one.

One connection per call, so that no thread, process or 'Reload UI' keeps the file open. A rollback
journal rather than a write-ahead log, since the latter needs shared memory, which network drives
do not have; it is truncated, not deleted, which SQLite can make durable.
"""

from __future__ import annotations

import contextlib
import logging
import operator
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from lib_fabric.errors import FabricError
from lib_fabric.library.storage.schema import MIGRATIONS
from lib_fabric.library.storage.shared_use import SharedUse

_log = logging.getLogger(__name__)
T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY_SECONDS = 10.0
_READING = "BEGIN"
_WRITING = "BEGIN IMMEDIATE"
# How SQLite puts it; Python 3.10 does not hand over the numbers.
_PLAIN_WORDS = {
    "disk is full": "the disk is full.",
    "readonly": "its folder is read-only.",
    "read-only": "its folder is read-only.",
    "unable to open": "its folder cannot be opened.",
    "locked": "another program keeps it busy. Try again.",
    "file exists": "a file is in the way of its folder.",
    "disk i/o": "the disk reports an error.",
}
_BROKEN = "broken"
_BROKEN_SCHEMA = ("no such table", "malformed")


class Database:
    """A SQLite file at `path`; safe for several threads and processes.

    Nothing is opened or written before the first `read` or `write`, and a read where nothing was
    ever stored writes nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rebuilds: list[tuple[int, Work[None]]] = []
        self._is_checked = False
        self._in_use = SharedUse()

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self._path.parent

    def add_rebuild(self, rebuild: Work[None], since: int = 1) -> None:
        """Registers a function that fills the new tables of version `since` from what files tell.

        To be called before the first use. It runs inside the transaction that makes the tables,
        after those of earlier versions, whose tables are filled then.
        """
        self._rebuilds.append((since, rebuild))

    def read(self, work: Work[T]) -> T:
        """Returns `work(connection)`, run in one transaction that sees one state of the file.

        `work` may run twice: again after a repair.

        Raises:
            FabricError: 500, the file cannot be read; the sentence says why.
        """
        return self._run(work, _READING, "read")

    def write(self, work: Work[T]) -> T:
        """Returns `work(connection)`, run in one transaction that holds the write lock throughout.

        All of it is kept, or nothing where `work` raises. `work` may run twice: again after a
        repair.

        Raises:
            FabricError: 500, the file cannot be written; the sentence says why.
        """
        return self._run(work, _WRITING, "saved")

    def delete_broken(self) -> None:
        """Deletes damaged files that were moved aside."""
        for file in self.folder.glob(f"{self._path.name}*.{_BROKEN}-*"):
            try:
                file.unlink()
            except OSError as error:
                _log.warning("FABRIC: %s could not be deleted: %s", file.name, error)

    def _run(self, work: Work[T], begin: str, what: str) -> T:
        try:
            try:
                return self._attempt(work, begin)
            except sqlite3.DatabaseError as error:
                if not _is_corrupt(error):
                    raise
                _log.warning("FABRIC: the history's index is damaged (%s)", error)
                with self._in_use.nobody(BUSY_SECONDS):
                    self._repair()
                return self._attempt(work, begin)
        except (sqlite3.Error, OSError) as error:
            raise _in_plain_words(error, what) from error

    def _attempt(self, work: Work[T], begin: str) -> T:
        if begin == _READING and not self._path.parent.exists():
            with contextlib.closing(_empty()) as connection:
                return work(connection)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # A file moved aside while it is open is written to all the same, and its journal, found by
        # name, is taken for the new one's.
        with self._in_use.somebody(), self._connection() as connection:
            self._prepare(connection)
            with _transaction(connection, begin):
                return work(connection)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            # One garbled letter must not make a whole table unreadable.
            connection.text_factory = _text
            yield connection
        finally:
            connection.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Checks the file once per process; makes or updates the tables if need be.

        First of all that it is not of a newer version, whose journal may be of another kind too.
        """
        version = _known_version(connection)
        if not self._is_checked:
            _check(connection)
            self._is_checked = True
        connection.execute("PRAGMA journal_mode = TRUNCATE").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        if version < len(MIGRATIONS):
            with _transaction(connection, _WRITING):
                self._migrate(connection)

    def _migrate(self, connection: sqlite3.Connection) -> None:
        # Read again: another process may have done it while we waited for the lock.
        version = _known_version(connection)
        if version == 0 and _tables(connection):
            raise sqlite3.DatabaseError("malformed: tables without a version")
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        for since, rebuild in sorted(self._rebuilds, key=operator.itemgetter(0)):
            if since > version:
                rebuild(connection)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    def _repair(self) -> None:
        """Moves a damaged file aside, unless another thread or process just did."""
        with file_lock(self._path.with_name(f"{self._path.name}.repair")):
            if self._is_sound():
                return
            ending = time.strftime(f"{_BROKEN}-%Y%m%d-%H%M%S")
            # The journal first: SQLite would play it back into the new file.
            for suffix in ("-journal", "-wal", "-shm", ""):
                damaged = self._path.with_name(self._path.name + suffix)
                if damaged.exists():
                    damaged.replace(_unused(damaged.with_name(f"{damaged.name}.{ending}")))
            _log.warning("FABRIC: moved it to *.%s; a new one is made of the files", ending)

    def _is_sound(self) -> bool:
        try:
            with self._connection() as connection:
                _check(connection)
                found = _tables(connection)
                if _version(connection) == 0:
                    return not found  # new, or emptied: the next use fills it
                with contextlib.closing(_empty()) as expected:
                    return found >= _tables(expected)
        except sqlite3.DatabaseError as error:
            if not _is_corrupt(error):
                raise
            return False


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _empty() -> sqlite3.Connection:
    """A database in memory without rows."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement)
    return connection


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def _check(connection: sqlite3.Connection) -> None:
    """Reads the whole file; raises sqlite3.DatabaseError where it is damaged."""
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"malformed: {verdict}")
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        if _has_foreign_types(connection, table):
            raise sqlite3.DatabaseError(f"malformed: values of another type in {table}")


def _has_foreign_types(connection: sqlite3.Connection, table: str) -> bool:
    """Whether the disk has garbled what kind of value a row holds.

    SQLite lets any column hold any type and so finds nothing wrong; ours hold what they declare.
    """
    found = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
    conditions = [
        f"typeof(\"{name}\") NOT IN ('{declared.lower()}', 'null')"
        for name, declared in found
        if declared in ("TEXT", "REAL")
    ]
    if not conditions:
        return False
    sql = f'SELECT EXISTS (SELECT 1 FROM "{table}" WHERE {" OR ".join(conditions)})'
    return bool(connection.execute(sql).fetchone()[0])


def _unused(path: Path) -> Path:
    """`path`, or a name like it that nothing has yet."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _known_version(connection: sqlite3.Connection) -> int:
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise FabricError(
            "the history was written by a newer version of FABRIC. Update FABRIC.", status_code=500
        )
    return version


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Only one thread of one process at a time; ends with the process, whatever ends it.

    A second, always empty database serves as the lock: SQLite knows every system's way to lock.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        connection.close()


def _is_corrupt(error: sqlite3.DatabaseError) -> bool:
    # Python maps SQLITE_CORRUPT and SQLITE_NOTADB to exactly this class, everything that may
    # pass to subclasses of it.
    text = str(error)
    return type(error) is sqlite3.DatabaseError or text.startswith(_BROKEN_SCHEMA)


def _in_plain_words(error: Exception, what: str) -> FabricError:
    text = str(getattr(error, "strerror", None) or error)
    reason = next((words for key, words in _PLAIN_WORDS.items() if key in text.lower()), f"{text}.")
    return FabricError("the history could not be {}: {}", what, reason, status_code=500)
