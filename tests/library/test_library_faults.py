"""Every write of pictures, history, active sets and presets fails or is the last one: what then?

Each operation is tried once for every write that it makes. Whatever happens, afterwards everything
is as before the operation or as after it, also where the database has to be rebuilt from the files.
"""

import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library.history_entry import Details
from lib_fabric.library.library import Library
from lib_fabric.library.preset import Preset
from lib_fabric.library.preset_archive import from_zip, to_zip
from lib_fabric.pictures import from_image
from lib_fabric.ratings import Ratings
from tests.helpers.faults import Disk, dies_at
from tests.helpers.pictures import rated
from tests.helpers.presets import preset_names

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="breaks SQLite's calls on Linux")

BROWSER, PAGE, OTHER_PAGE = "b" * 32, "a" * 32, "c" * 32


def _image(seed):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8))


IDS = [from_image(_image(seed)).id for seed in range(6)]
DATABASE = "history.sqlite3"


def _active(*numbers):
    return Ratings(rated(*(IDS[number] for number in numbers), weight=0.5))


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A folder with five pictures, four of them rated, an active set and two presets."""
    folder = tmp_path_factory.mktemp("template") / ".fabric"
    library = Library(folder)
    for seed in range(5):
        library.store.add(_image(seed))
    for number in range(4):
        library.history.record("", "txt2img", IDS[number], "liked", Details(f"a {number}", number))
    library.history.record("ada", "img2img", IDS[0], "disliked")
    library.active_sets.save(PAGE, BROWSER, "", "txt2img", _active(0, 1))
    library.presets.save(
        "", "One", Preset("", {"strength": 1.5}, Ratings(rated(IDS[2], weight=2.0)))
    )
    library.presets.save("", "Two", Preset("", {}, Ratings((), rated(IDS[0]))))
    return folder


_LOOKED_AT = {}


def _seen(folder):
    """Everything that a user can see, by what it is; also checks that nothing half shows.

    Many faults leave the same files behind: these are looked at once.
    """
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    content = tuple((path.relative_to(folder), path.read_bytes()) for path in files)
    if content not in _LOOKED_AT:
        _LOOKED_AT[content] = _look(folder)
    return _LOOKED_AT[content]


def _look(folder):
    library = Library(folder)
    seen = {}
    for owner, tab in (("", "txt2img"), ("ada", "img2img")):
        for rating in library.history.page(owner, tab):
            seen[owner, tab, rating.picture_id] = (rating.verdict, rating.details)
    for page in (PAGE, OTHER_PAGE):
        seen["active", page] = library.active_sets.load(page, BROWSER, "", "txt2img")
    for name in preset_names(library.presets):
        seen["preset", name] = library.presets.load("", name)
    for path in folder.glob("pictures/*/*.png"):
        assert library.store.load(path.stem).id == path.stem
    for _, _, picture_id in (key for key in seen if len(key) == 3):
        assert picture_id in library.store
    return seen


def _is_between(seen, before, after):
    """Whether each thing is as before or as after."""
    keys = seen.keys() | before.keys() | after.keys()
    return all(seen.get(key) in (before.get(key), after.get(key)) for key in keys)


def _rebuild(library):
    library.history.count("", "txt2img")


def _import(library):
    preset = library.presets.load("", "One")
    library.presets.save("", "Imported", from_zip(to_zip(preset, library.store), library.store))


def _make_room(library):
    small = Library(library.store.folder.parent, lambda: 0, spare_seconds=0)
    small.enforce_limit()


def _rate_new(library):
    picture = library.store.add(_image(5))
    library.history.record("", "txt2img", picture.id, "liked", Details("new", 7))


OPERATIONS = {
    "rate a new picture": _rate_new,
    "rate again": lambda library: library.history.record("", "txt2img", IDS[0], "disliked"),
    "rate elsewhere": lambda library: library.history.record("ada", "img2img", IDS[4], "liked"),
    "forget": lambda library: library.history.forget("", "txt2img", IDS[0]),
    "change active": lambda library: library.active_sets.save(
        PAGE, BROWSER, "", "txt2img", _active(3)
    ),
    "activate on a new page": lambda library: library.active_sets.save(
        OTHER_PAGE, BROWSER, "", "txt2img", _active(2)
    ),
    "save a preset": lambda library: library.presets.save("", "New", Preset("")),
    "overwrite a preset": lambda library: library.presets.save("", "one", Preset(""), True),
    "rename a preset": lambda library: library.presets.rename("", "One", "Three"),
    "delete a preset": lambda library: library.presets.delete("", "One"),
    "import a preset": _import,
    "make room": _make_room,
    "make thumbnails": lambda library: library.store.thumbnail(IDS[4]),
    "make the index": _rebuild,
    "repair the index": _rebuild,
}
# Several steps by design: each picture leaves with its ratings, one after the other.
IN_STEPS = ("make room",)


@pytest.fixture
def quick_path(tmp_path):
    """A folder in memory where the system has such: nothing here is about the disk's patience."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def case(request, template, quick_path):
    """A function that makes a fresh folder; what is seen before and after; the operation."""
    name = request.param
    operation = OPERATIONS[name]

    def fresh():
        folder = quick_path / ".fabric"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)
        if name == "make the index":
            (folder / DATABASE).unlink()
        elif name == "repair the index":
            (folder / DATABASE).write_bytes(b"\0" * 5000)
        return folder

    before = _seen(fresh())
    folder = fresh()
    with Disk().installed() as disk:
        operation(Library(folder))
    after = _seen(folder)
    assert disk.count >= 3
    return name, operation, fresh, before, after, disk.count


def _assert_sound(folder, name, before, after):
    seen = _seen(folder)
    if name in IN_STEPS:
        assert _is_between(seen, before, after)
    else:
        assert seen in (before, after)


def _assert_rebuilds(folder, before, after):
    (folder / DATABASE).unlink(missing_ok=True)
    assert _is_between(_seen(folder), before, after)


@pytest.mark.parametrize("case", OPERATIONS, indirect=True)
def test_a_crash_at_any_write_loses_nothing(case):
    name, operation, fresh, before, after, _ = case
    number = 1
    while True:
        folder = fresh()
        if not dies_at(number, lambda folder=folder: operation(Library(folder))):
            break
        _assert_sound(folder, name, before, after)
        # And work goes on.
        operation(Library(folder)) if "preset" not in name else None
        _assert_rebuilds(folder, before, after)
        number += 1
    assert number > 3  # the last one made no difference


@pytest.mark.parametrize("mode", ["once", "full", "read-only"])
@pytest.mark.parametrize("case", OPERATIONS, indirect=True)
def test_a_failed_write_is_one_sentence_and_changes_nothing(case, mode):
    name, operation, fresh, before, after, count = case
    for number in range(1, count + 1):
        folder = fresh()
        failure = None
        with Disk(mode, number).installed():
            try:
                operation(Library(folder))
            except FabricError as error:
                failure = error
        if failure:
            assert failure.status_code == 500
            assert str(failure).endswith(".")
            assert "could not be" in str(failure)
            _assert_sound(folder, name, before, after)
        elif name not in IN_STEPS:
            assert _seen(folder) == after
        _assert_rebuilds(folder, before, after)


def test_the_faults_reach_sqlite_and_files(template, tmp_path):
    """Else the tests above would pass for nothing."""
    folder = tmp_path / ".fabric"
    with Disk().installed() as disk:
        library = Library(folder)
        library.history.record("", "txt2img", library.store.add(_image(0)).id, "liked")
    assert {"mkstemp", "write", "fsync", "replace", "mkdir"} <= set(disk.log)
    assert {"sqlite open", "sqlite ftruncate"} <= set(disk.log)
    assert any(name.startswith("sqlite pwrite") for name in disk.log)
    with Disk("full", 1).installed(), pytest.raises(FabricError, match="No space left on device"):
        Library(tmp_path / "new").store.add(_image(0))
    with sqlite3.connect(folder / DATABASE) as connection:
        assert connection.execute("SELECT COUNT(*) FROM ratings").fetchone() == (1,)
