"""`python -m tests.bench.library`: what a press costs once thousands of pictures have been rated.

Fills a library in a temporary folder, then prints, for each thing that a press does, the median
and the worst of its runs in milliseconds. Judges nothing: the numbers depend on disk and load.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from lib_fabric.library.history_entry import Details
from lib_fabric.library.library import Library
from lib_fabric.library.preset import Preset
from lib_fabric.page.actions import Action
from lib_fabric.page.html.history import PAGE_SIZE
from lib_fabric.page.outcome import PageState
from lib_fabric.page.panels import Panels
from lib_fabric.ratings import Rated, Ratings
from tests.helpers.commands import say

TAB = "txt2img"
NUM_ACTIVE = 20
NUM_PRESETS = 50
# What the history shows first is of the size that people generate, the rest is small.
FULL_SIZE = (768, 512)
SMALL_SIZE = (64, 64)
WORDS = ("portrait", "castle", "river", "forest", "night", "snow", "lantern", "garden")


@dataclass
class Table:
    """Milliseconds of every run, by what was done."""

    runs: dict[str, list[float]] = field(default_factory=dict)

    def time(self, name: str, work: Callable[[], object]) -> None:
        """Runs `work` once and keeps how long it took."""
        start = time.perf_counter()
        work()
        self.runs.setdefault(name, []).append((time.perf_counter() - start) * 1000)

    def lines(self) -> list[str]:
        """The table, a line each."""
        head = f"{'what':46} {'runs':>5} {'median ms':>10} {'worst ms':>9}"
        return [
            head,
            *(
                f"{name:46} {len(runs):5d} {statistics.median(runs):10.1f} {max(runs):9.1f}"
                for name, runs in self.runs.items()
            ),
        ]


def main() -> None:
    """Runs the benchmark as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.library", description=__doc__)
    parser.add_argument("--pictures", type=int, default=5000, metavar="N")
    parser.add_argument("--repeats", type=int, default=10, metavar="N")
    parser.add_argument("--folder", type=Path, help="where to make the temporary library")
    arguments = parser.parse_args()
    say(
        f"{platform.machine()} CPU, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, {_load()} at the start"
    )
    table = Table()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        bench = _Bench(Path(folder) / ".fabric", table, arguments.repeats)
        bench.fill(arguments.pictures)
        bench.open()
        bench.look()
        bench.press()
        bench.make_room()
    for line in table.lines():
        say(line)
    say(f"{_load()} at the end")


class _Bench:
    """One library and the things that presses do with it."""

    def __init__(self, folder: Path, table: Table, repeats: int) -> None:
        self._folder = folder
        self._table = table
        self._repeats = repeats
        self._max_bytes: int | None = None
        self._library = self._reopened()
        self._generator = np.random.default_rng(0)
        self._ids: list[str] = []

    def _reopened(self) -> Library:
        return Library(self._folder, lambda: self._max_bytes, spare_seconds=0)

    def fill(self, num_pictures: int) -> None:
        """Rates pictures, the last ones in full size, and saves presets."""
        num_full = PAGE_SIZE + self._repeats
        images = [
            self._image(FULL_SIZE if number >= num_pictures - num_full else SMALL_SIZE)
            for number in range(num_pictures)
        ]
        for number, image in enumerate(images):
            size = "full" if image.height == FULL_SIZE[0] else "small"
            self._table.time(f"keep a new picture ({size})", lambda image=image: self._add(image))
            self._table.time("note its rating", lambda number=number: self._record(number))
        for number in range(NUM_PRESETS):
            preset = Preset("", {"strength": 1.5}, Ratings(self._named(number)))
            self._library.presets.save("", f"Preset {number}", preset)

    def open(self) -> None:
        """The first use after a start, with the index and without."""

        def count() -> None:
            self._library = self._reopened()
            self._library.history.count("", TAB)

        for _ in range(self._repeats):
            self._table.time("first use after a start", count)
        for _ in range(2):
            (self._folder / "history.sqlite3").unlink()
            self._table.time("first use with the index lost", count)

    def look(self) -> None:
        """Pages of the history, searches, the list of presets."""
        panels = Panels(self._library, lambda _owner: self._library.store.thumbnail)
        page = PageState(Ratings())
        seen = {
            "history, first page, thumbnails to be made": Action("history"),
            "history, first page again": Action("history"),
            "history, last page": Action("history", offset=10**6),
            "search, half of all match": Action("history", search="castle"),
            "search, one seed": Action("history", search=str(10**9 + 7)),
            "search, nothing matches": Action("history", search="castle nowhere"),
        }
        for name, action in seen.items():
            is_first = "to be made" in name
            for _ in range(1 if is_first else self._repeats):
                self._table.time(name, lambda action=action: panels.history(page, action))
        for _ in range(self._repeats):
            self._table.time("list of presets", lambda: panels.presets(page, Action("presets")))

    def press(self) -> None:
        """Rating anew, changing the active set, opening a page."""
        sets = self._library.active_sets
        for number in range(220):  # as many as are kept
            sets.save(f"{number:032x}", "b" * 32, "", TAB, {"liked": self._named(number)})
        for number in range(self._repeats):
            key = (f"{number:032x}", "b" * 32, "", TAB)
            lists = {"liked": self._named(number)}
            self._table.time("rate again", lambda number=number: self._record(number))
            self._table.time("save an active set", lambda k=key, v=lists: sets.save(*k, v))
            self._table.time("load an active set", lambda k=key: sets.load(*k))

    def make_room(self) -> None:
        """The limit, which runs in the background after every new picture."""
        library = self._library
        # So that listing is a part of it, as after a start.
        self._max_bytes = library.store.num_bytes() + 1
        for _ in range(self._repeats):
            self._table.time("limit, room left", library.enforce_limit)
        for _ in range(3):
            library = self._reopened()
            self._table.time("limit, first look after a start", library.enforce_limit)
        self._max_bytes = library.store.num_bytes() - 1
        self._table.time("limit, make room (2%, in the background)", library.enforce_limit)

    def _add(self, image: Image.Image) -> None:
        self._ids.append(self._library.store.add(image).id)

    def _record(self, number: int) -> None:
        words = [WORDS[(number + each) % len(WORDS)] for each in range(len(WORDS) // 2)]
        details = Details(", ".join(words * 8), 10**9 + number, "model_v1.safetensors [abcdef]")
        self._library.history.record("", TAB, self._ids[number], "liked", details)

    def _named(self, start: int) -> tuple[Rated[str], ...]:
        chosen = self._ids[start : start + NUM_ACTIVE]
        return tuple(Rated(each, 0.5) for each in chosen)

    def _image(self, size: tuple[int, int]) -> Image.Image:
        """Something smooth with a little noise, as generated pictures are; (height, width) px."""
        height, width = size
        colours = self._generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        smooth = Image.fromarray(colours).resize((width, height), Image.Resampling.BICUBIC)
        noise = self._generator.integers(0, 6, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(np.asarray(smooth) // 2 + noise)


def _load() -> str:
    if not hasattr(os, "getloadavg"):  # Windows
        return "load unknown"
    return f"load {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    main()
