"""All that is kept between generations, below one folder, and the limit on its size.

Knows the parts: pictures and their owners, database, history, active sets, presets.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lib_fabric.errors import FabricError
from lib_fabric.library.active_sets import ActiveSets
from lib_fabric.library.erasing import Erasing
from lib_fabric.library.history import History
from lib_fabric.library.imports.webui_fabric import FoundPresets
from lib_fabric.library.owners import OwnedPictures, PictureOwners
from lib_fabric.library.presets import Presets
from lib_fabric.library.storage.background import BackgroundTask
from lib_fabric.library.storage.database import Database
from lib_fabric.library.store import SPARE_SECONDS, PictureStore
from lib_fabric.pictures import Picture, to_png

_log = logging.getLogger(__name__)
# Room made at once, as a share of the limit: a full store is not listed at every rating.
_HEADROOM = 0.02
# How long an active set keeps its pictures whatever the limit says.
_SET_SECONDS = 24 * 3600.0
# Deleted in one go: a rating waits for no more than these.
_BATCH = 20


class Library:
    """What was rated, below `folder`.

    Args:
        folder: holds `pictures/`, `presets/`, `active_sets/` and `history.sqlite3`, all made when
            first needed.
        max_bytes: how much room the pictures may take, asked each time; None for no limit.
        spare_seconds: how long a picture is safe after it was last used.
        has_logins: whether the WebUI asks for a login: then an id opens a picture for its owners
            alone.
        webui_folders: where another extension may have left presets.

    Attributes:
        store: the pictures of everybody; for one login see `pictures_of`.
        history: every rating.
        active_sets: what each page uses.
        presets: what was given a name.
        erasing: deletes all of it.
        found_presets: what another extension has left.
        tidying: `enforce_limit`, run in the background after every new picture.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: Callable[[], int | None] = lambda: None,
        spare_seconds: float = SPARE_SECONDS,
        has_logins: Callable[[], bool] = lambda: False,
        webui_folders: Sequence[Path] = (),
    ) -> None:
        self._max_bytes = max_bytes
        self._spare_seconds = spare_seconds
        self.database = Database(folder / "history.sqlite3")
        self.store = PictureStore(folder / "pictures")
        self._owners = PictureOwners(self.database, self.store, has_logins, _named)
        self.history = History(self.database, self.store, self._owners)
        self.active_sets = ActiveSets(self.database, self._owners)
        self.presets = Presets(self.database, self.store, self._owners)
        backups = (self.active_sets.backups, self.presets.backups)
        self.erasing = Erasing(self.database, self.store, self._owners, backups)
        self.found_presets = FoundPresets(webui_folders, folder / "offered")
        # However a picture came: rated, dropped, imported or sent through the API.
        self.tidying = BackgroundTask(self._enforce_quietly)
        self.store.after_add = self.tidying.request

    def pictures_of(self, owner: str) -> OwnedPictures:
        """The pictures that `owner` may open: a login's name, '' without logins, or `API_OWNER`."""
        return OwnedPictures(owner, self.store, self._owners, self.erasing.is_erased)

    def file_of(self, picture: Picture) -> bytes:
        """A picture as a PNG file: the kept one, or a new one where that was deleted meanwhile."""
        try:
            return self.store.file(picture.id)
        except FabricError:
            return to_png(picture.image)

    def enforce_limit(self) -> list[str]:
        """Brings the pictures under the limit: the longest unused go, with their ratings.

        What is in a preset stays, even where that alone is too much, and so does what was used in
        the last minute, or is in an active set that was used in the last day. Of older sets, which
        every private window leaves behind, the longest unused give way, after all else.

        Returns:
            The ids of the deleted pictures.

        Raises:
            FabricError: 500, the disk fails.
        """
        max_bytes = self._max_bytes()
        if max_bytes is None or self.store.num_bytes() <= max_bytes:
            return []
        target = max_bytes * (1 - _HEADROOM)
        needed, in_sets = self.database.read(_needed)
        surplus = [
            each for each in self.store.longest_unused(self._spare_seconds) if each not in needed
        ]
        surplus.sort(key=lambda each: in_sets.get(each, 0.0))
        # Listing has counted anew: what was rewritten had been counted twice.
        if self.store.num_bytes() <= max_bytes:
            return []
        removed: list[str] = []
        for start in range(0, len(surplus), _BATCH):
            if self.store.num_bytes() <= target:
                break
            removed += self._remove(surplus[start : start + _BATCH], target)
        return removed

    def _remove(self, picture_ids: list[str], target: float) -> list[str]:
        def work(connection: sqlite3.Connection) -> list[str]:
            # Asked again inside the write lock: nothing can become active meanwhile.
            needed, _ = _needed(connection)
            removed = []
            for each in picture_ids:
                if each not in needed and self.store.num_bytes() > target:
                    removed += self.store.delete([each], self._spare_seconds)
            History.forget_pictures(connection, removed)
            PictureOwners.forget_pictures(connection, removed)
            return removed

        return self.database.write(work)

    def _enforce_quietly(self) -> None:
        """As `enforce_limit`; the picture that was just added is kept whatever goes wrong here."""
        try:
            self.enforce_limit()
        except (FabricError, OSError) as error:
            _log.warning("FABRIC: the picture store could not be tidied: %s", error)


def _needed(connection: sqlite3.Connection) -> tuple[set[str], dict[str, float]]:
    """Which pictures stay, and when the sets that hold some were last used."""
    in_sets, now = ActiveSets.last_uses(connection), time.time()
    # Of both signs: a clock that was once wrong must not keep a picture for ever.
    lately = {each for each, used_at in in_sets.items() if abs(now - used_at) < _SET_SECONDS}
    return lately | Presets.picture_ids(connection), in_sets


def _named(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    yield from ActiveSets.named(connection)
    yield from Presets.named(connection)
