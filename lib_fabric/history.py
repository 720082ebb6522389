"""Every picture that was ever rated: verdict, time and how it was made, per login and tab.

Knows the database and the store. Each rating is also written into the picture's note, a small JSON
file beside it, from which a damaged database is rebuilt with nothing lost.
"""

from __future__ import annotations

import json
import logging
import math
import sqlite3
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from lib_fabric.database import Database
from lib_fabric.errors import FabricError
from lib_fabric.pictures import is_full_id
from lib_fabric.settings import shorten
from lib_fabric.store import PictureStore, missing_picture

_log = logging.getLogger(__name__)
Verdict = Literal["liked", "disliked"]
VERDICTS: tuple[Verdict, ...] = ("liked", "disliked")
TABS = ("txt2img", "img2img")
MAX_PROMPT_CHARS = 20_000
MAX_CHECKPOINT_CHARS = 500
MAX_SEARCH_CHARS = 500
_MAX_SEED_BITS = 64
_COLUMNS = "picture_id, verdict, rated_at, prompt, seed, checkpoint"


@dataclass(frozen=True)
class Details:
    """How a picture was made, as far as it is known. Overlong texts are cut, odd seeds dropped."""

    prompt: str = ""
    seed: int | None = None
    checkpoint: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", clean_text(self.prompt, MAX_PROMPT_CHARS))
        object.__setattr__(self, "checkpoint", clean_text(self.checkpoint, MAX_CHECKPOINT_CHARS))
        seed = self.seed
        is_seed = isinstance(seed, int) and not isinstance(seed, bool)
        if not is_seed or seed.bit_length() > _MAX_SEED_BITS:
            object.__setattr__(self, "seed", None)


@dataclass(frozen=True)
class Rating:
    """One entry of the history; `rated_at` in Unix seconds."""

    picture_id: str
    verdict: Verdict
    rated_at: float
    details: Details = field(default_factory=Details)


class History:
    """The ratings of every login and tab, over one database and one picture store.

    `owner` is the login name, '' without logins; `tab` is 'txt2img' or 'img2img'. An entry leaves
    the history when its picture leaves the store, so that none shows without its picture.

    Every method raises FabricError (500) with one sentence where the disk fails.
    """

    def __init__(self, database: Database, store: PictureStore) -> None:
        self._database = database
        self._store = store
        database.add_rebuild(self._rebuild)

    def record(
        self,
        owner: str,
        tab: str,
        picture_id: str,
        verdict: Verdict,
        details: Details | None = None,
    ) -> Rating:
        """Adds a rating, or renews verdict and time of one that is there.

        Args:
            picture_id: the full id of a picture in the store.
            details: how it was made; None or empty keeps what an earlier rating knew.

        Raises:
            FabricError: the picture is not in the store, or the verdict is none.
        """
        rating = Rating(picture_id, verdict, time.time(), details or Details())
        return self.restore(owner, tab, rating)

    def restore(self, owner: str, tab: str, rating: Rating) -> Rating:
        """As `record`, with the time of `rating`: undoes a change of it.

        Raises:
            FabricError: as `record`.
        """
        _check(tab, rating.verdict)
        owner = clean_text(owner)

        def work(connection: sqlite3.Connection) -> Rating:
            # Inside: whoever deletes pictures holds the write lock meanwhile.
            if not is_full_id(rating.picture_id) or rating.picture_id not in self._store:
                raise missing_picture(rating.picture_id)
            earlier = _find(connection, owner, tab, rating.picture_id)
            kept = rating
            if earlier and rating.details == Details():
                kept = Rating(rating.picture_id, rating.verdict, rating.rated_at, earlier.details)
            _insert(connection, owner, tab, kept)
            # Before the commit, so that the note never knows less than the database.
            self._write_note(connection, rating.picture_id)
            return kept

        return self._database.write(work)

    def forget(self, owner: str, tab: str, picture_id: str) -> None:
        """Removes a rating; one that is not there changes nothing. The picture stays."""
        owner = clean_text(owner)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM ratings WHERE owner = ? AND tab = ? AND picture_id = ?",
                (owner, tab, clean_text(picture_id)),
            )

        self._database.write(work)
        # After the commit, so that the note never knows less; where this fails, the rating would
        # come back with a rebuild, no worse.
        try:
            self._database.write(lambda connection: self._write_note(connection, picture_id))
        except FabricError as error:
            _log.warning("FABRIC: %s", error)

    def find(self, owner: str, tab: str, picture_id: str) -> Rating | None:
        """The rating of one picture, if there is one."""
        owner = clean_text(owner)
        return self._database.read(
            lambda connection: _find(connection, owner, tab, clean_text(picture_id))
        )

    def page(
        self, owner: str, tab: str, *, search: str = "", offset: int = 0, limit: int = 48
    ) -> list[Rating]:
        """At most `limit` ratings, newest first, after the first `offset`.

        Args:
            search: words that prompt, checkpoint and seed together must all hold, upper and lower
                case alike.
        """
        while True:
            found = self._page(owner, tab, search, offset, limit)
            lost = [each.picture_id for each in found if each.picture_id not in self._store]
            # An absent folder is a drive that is not connected, not thousands of deleted files.
            if not lost or not self._store.is_present:
                return found
            try:
                self._database.write(lambda connection, lost=lost: self.drop(connection, lost))
            except FabricError as error:
                _log.warning("FABRIC: %s", error)
                return [each for each in found if each.picture_id not in lost]

    def count(self, owner: str, tab: str, search: str = "") -> int:
        """How many ratings `page` can reach."""
        where, values = _where(owner, tab, search)
        return self._database.read(
            lambda connection: connection.execute(
                f"SELECT COUNT(*) FROM ratings WHERE {where}", values
            ).fetchone()[0]
        )

    @staticmethod
    def drop(connection: sqlite3.Connection, picture_ids: Iterable[str]) -> None:
        """Removes every rating of pictures that left the store, inside a write transaction."""
        connection.executemany(
            "DELETE FROM ratings WHERE picture_id = ?", [(each,) for each in picture_ids]
        )

    def _page(self, owner: str, tab: str, search: str, offset: int, limit: int) -> list[Rating]:
        where, values = _where(owner, tab, search)
        sql = (
            f"SELECT {_COLUMNS} FROM ratings WHERE {where} "
            "ORDER BY rated_at DESC, position DESC LIMIT ? OFFSET ?"
        )
        values = [*values, max(limit, 0), max(offset, 0)]
        return self._database.read(
            lambda connection: [_rating(row) for row in connection.execute(sql, values)]
        )

    def _write_note(self, connection: sqlite3.Connection, picture_id: str) -> None:
        """Writes all that is known of a picture beside it, inside the write lock."""
        if picture_id not in self._store:
            return
        rows = connection.execute(
            f"SELECT owner, tab, {_COLUMNS} FROM ratings WHERE picture_id = ?", (picture_id,)
        ).fetchall()
        self._store.write_note(picture_id, _to_note(rows))

    def _rebuild(self, connection: sqlite3.Connection) -> None:
        found = [
            (owner, tab, rating)
            for picture_id, note in self._store.notes()
            for owner, tab, rating in _from_note(picture_id, note)
        ]
        for owner, tab, rating in sorted(found, key=lambda each: each[2].rated_at):
            _insert(connection, owner, tab, rating)


def clean_text(text: object, limit: int = 1000) -> str:
    """`text` as the database can hold it: at most `limit` characters, none that is no character."""
    if not isinstance(text, str):
        return ""
    return text[:limit].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def fold(text: str) -> str:
    """`text` for comparing without regard to upper and lower case or to how accents are coded."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _check(tab: str, verdict: str) -> None:
    for name, value, known in (("tab", tab, TABS), ("verdict", verdict, VERDICTS)):
        if value not in known:
            raise FabricError(f"'{name}' must be {' or '.join(known)}, not {shorten(value)}.")


def _where(owner: str, tab: str, search: str) -> tuple[str, list[object]]:
    words = fold(clean_text(search, MAX_SEARCH_CHARS)).split()
    # instr, not LIKE: nothing in a word has a meaning.
    condition = "owner = ? AND tab = ?" + " AND instr(words, ?) > 0" * len(words)
    return condition, [clean_text(owner), tab, *words]


def _find(connection: sqlite3.Connection, owner: str, tab: str, picture_id: str) -> Rating | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM ratings WHERE owner = ? AND tab = ? AND picture_id = ?",
        (owner, tab, picture_id),
    ).fetchone()
    return _rating(row) if row else None


def _insert(connection: sqlite3.Connection, owner: str, tab: str, rating: Rating) -> None:
    details = rating.details
    seed = None if details.seed is None else str(details.seed)
    words = fold("\n".join((details.prompt, details.checkpoint, seed or "")))
    connection.execute(
        # Replaced rather than updated: of two ratings in one tick of the clock the later is newer.
        f"INSERT OR REPLACE INTO ratings (owner, tab, {_COLUMNS}, words) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            owner, tab, rating.picture_id, rating.verdict, rating.rated_at,
            details.prompt, seed, details.checkpoint, words,
        ),
    )  # fmt: skip


def _rating(row: tuple) -> Rating:
    picture_id, verdict, rated_at, prompt, seed, checkpoint = row
    details = Details(prompt, None if seed is None else int(seed), checkpoint)
    return Rating(picture_id, verdict, rated_at, details)


def _to_note(rows: list[tuple]) -> bytes:
    names = ["owner", "tab", *_COLUMNS.split(", ")]
    ratings = [dict(zip(names, row, strict=True)) for row in rows]
    for each in ratings:
        del each["picture_id"]
    return json.dumps({"ratings": ratings}, ensure_ascii=False).encode() if ratings else b""


def _from_note(picture_id: str, note: bytes) -> Iterator[tuple[str, str, Rating]]:
    """The ratings in a note; what is not one, perhaps after a disk error, is left out."""
    try:
        ratings = json.loads(note)["ratings"]
        for each in ratings:
            _check(each["tab"], each["verdict"])
            seed = None if each["seed"] is None else int(each["seed"])
            details = Details(each["prompt"], seed, each["checkpoint"])
            rated_at = float(each["rated_at"])
            if not math.isfinite(rated_at):  # JSON allows NaN, the database does not
                continue
            rating = Rating(picture_id, each["verdict"], rated_at, details)
            yield clean_text(each["owner"]), each["tab"], rating
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, FabricError):
        return
