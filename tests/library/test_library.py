"""The limit on the store: what is longest unused goes, what is in use never, threads at once."""

import multiprocessing
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lib_fabric.errors import FabricError
from lib_fabric.library.history_entry import Details
from lib_fabric.library.library import Library
from lib_fabric.library.preset import Preset
from lib_fabric.ratings import Ratings
from tests.helpers.pictures import image, picture_id, rated

TAB = "txt2img"
PAGE, BROWSER = "a" * 32, "b" * 32
LONG_AGO = 1_000_000_000


class Limit:
    """The bytes that a library may take; None for no limit."""

    def __init__(self):
        self.bytes = None

    def __call__(self):
        return self.bytes


@pytest.fixture
def limit():
    return Limit()


@pytest.fixture
def library(tmp_path, limit):
    return Library(tmp_path / ".fabric", limit)


def _path(library, seed):
    return library.store.path(picture_id(seed))


def _age(library, seed, days=1.0):
    """Lets a picture have been used so long ago."""
    long_ago = time.time() - days * 24 * 3600
    os.utime(_path(library, seed), (long_ago, long_ago))


def _add(library, *seeds):
    """Adds pictures, the first the longest unused."""
    for seed in seeds:
        library.store.add(image(seed))
    # Else what runs in the background may meet the limit that a test sets next.
    assert library.tidying.wait()
    for place, seed in enumerate(seeds):
        _age(library, seed, len(seeds) - place)


def _kept(library):
    return {seed for seed in range(30) if picture_id(seed) in library.store}


def _bytes_of(library, *seeds):
    """What these pictures take with all that lies beside them, asked of the disk."""
    paths = [_path(library, seed) for seed in seeds]
    beside = [other for path in paths for other in path.parent.glob(f"{path.stem}.*")]
    return sum(path.stat().st_size for path in beside)


def _named(*seeds):
    return rated(*map(picture_id, seeds))


def _activate(library, *seeds, page=PAGE, browser=BROWSER, owner=""):
    lists = Ratings(_named(*seeds[:1]), _named(*seeds[1:]))
    library.active_sets.save(page, browser, owner, TAB, lists)


# ---- what goes -----------------------------------------------------------------------------------


def test_the_longest_unused_go_first(library, limit):
    _add(library, 3, 1, 0, 2)
    limit.bytes = _bytes_of(library, 0, 2) * 1.1
    assert library.enforce_limit() == [picture_id(3), picture_id(1)]
    assert _kept(library) == {0, 2}
    assert library.enforce_limit() == []


def test_using_a_picture_makes_it_the_last_to_go(library, limit):
    _add(library, 0, 1, 2)
    library.store.load(picture_id(0))
    limit.bytes = _bytes_of(library, 0, 1) * 1.1
    assert library.enforce_limit() == [picture_id(1)]


def test_looking_at_a_picture_does_not_keep_it(library, limit):
    _add(library, 0, 1, 2)
    library.history.record("", TAB, picture_id(0), "liked")
    library.history.page("", TAB)
    library.store.thumbnail(picture_id(0))
    limit.bytes = _bytes_of(library, 0, 1, 2) - 1
    assert library.enforce_limit() == [picture_id(0)]


@pytest.mark.parametrize("max_bytes", [None, 2**60])
def test_without_need_nothing_goes(library, limit, max_bytes):
    _add(library, 0, 1)
    limit.bytes = max_bytes
    assert library.enforce_limit() == []
    limit.bytes = _bytes_of(library, 0, 1)
    assert library.enforce_limit() == [], "just full"
    limit.bytes -= 1
    assert library.enforce_limit() == [picture_id(0)]


def test_an_empty_library_has_nothing_to_lose_and_makes_no_file(library, limit, tmp_path):
    limit.bytes = 0
    assert library.enforce_limit() == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_store_gets_a_little_more_room_than_it_needs(library, limit):
    """So that not every rating has to make room."""
    _add(library, *range(20))
    limit.bytes = _bytes_of(library, *range(10))
    library.enforce_limit()
    assert _bytes_of(library, *_kept(library)) <= 0.98 * limit.bytes
    assert len(_kept(library)) >= 8


def test_pictures_from_the_api_count_and_go(library, limit):
    """They are in no history and no list."""
    _add(library, 0, 1)
    library.history.record("", TAB, picture_id(1), "liked")
    limit.bytes = _bytes_of(library, 1) * 1.1
    assert library.enforce_limit() == [picture_id(0)]
    assert library.history.count("", TAB) == 1


def test_a_picture_leaves_with_all_that_is_known_of_it(library, limit):
    _add(library, 0, 1)
    for owner, tab in (("", TAB), ("", "img2img"), ("ann", TAB)):
        for seed in (0, 1):
            library.history.record(owner, tab, picture_id(seed), "liked", Details("a circle"))
    library.store.thumbnail(picture_id(0))
    assert len(list(_path(library, 0).parent.glob(f"{picture_id(0)}.*"))) == 3
    limit.bytes = _bytes_of(library, 1) * 1.1
    library.enforce_limit()
    assert list(_path(library, 0).parent.glob(f"{picture_id(0)}.*")) == []
    for owner, tab in (("", TAB), ("", "img2img"), ("ann", TAB)):
        # Counted first: looking at a page strikes out what is lost.
        assert library.history.count(owner, tab) == 1
        assert [each.picture_id for each in library.history.page(owner, tab)] == [picture_id(1)]
    (library.database.folder / "history.sqlite3").unlink()
    again = Library(library.database.folder)
    assert again.history.count("", TAB) == 1, "nor comes it back with a new index"


def test_notes_and_thumbnails_count(library, limit):
    _add(library, 0, 1)
    without = _bytes_of(library, 0, 1)
    library.history.record("", TAB, picture_id(1), "liked", Details("long " * 1000))
    library.store.thumbnail(picture_id(1))
    assert library.store.num_bytes() == _bytes_of(library, 0, 1) > without + 5000
    limit.bytes = without + 1000
    assert library.enforce_limit() == [picture_id(0), picture_id(1)]


def test_what_was_rewritten_counts_once_before_anything_goes(library, limit):
    _add(library, 0, 1)
    assert library.store.num_bytes() == _bytes_of(library, 0, 1)
    for _ in range(3):
        library.history.record("", TAB, picture_id(1), "liked", Details("long " * 1000))
    limit.bytes = _bytes_of(library, 0, 1) + 1
    assert library.store.num_bytes() > limit.bytes + 5000, "counted quickly: three notes"
    assert library.enforce_limit() == []
    assert library.store.num_bytes() == limit.bytes - 1


def test_the_limit_is_asked_anew_each_time(library, limit):
    _add(library, 0, 1, 2)
    for num_kept in (3, 2, 1):
        limit.bytes = _bytes_of(library, *range(3 - num_kept, 3)) * 1.1
        library.enforce_limit()
        assert len(_kept(library)) == num_kept


# ---- what never goes -----------------------------------------------------------------------------


def test_active_pictures_and_those_of_presets_stay_even_where_they_are_too_much(library, limit):
    _add(library, *range(6))
    _activate(library, 0, 1)
    _activate(library, 2, owner="ann", page="c" * 32)
    library.presets.save("bob", "Warm", Preset("", {}, Ratings((), _named(3))))
    limit.bytes = 1
    assert library.enforce_limit() == [picture_id(4), picture_id(5)]
    assert library.enforce_limit() == []
    assert _kept(library) == {0, 1, 2, 3}


def test_what_is_no_longer_active_or_in_a_preset_goes(library, limit):
    _add(library, *range(4))
    _activate(library, 0, 1)
    library.presets.save("", "Warm", Preset("", {}, Ratings(_named(1, 2))))
    limit.bytes = 0
    assert library.enforce_limit() == [picture_id(3)]
    _activate(library, 0)
    assert library.enforce_limit() == []
    library.presets.delete("", "Warm")
    assert library.enforce_limit() == [picture_id(1), picture_id(2)]
    _activate(library)
    assert library.enforce_limit() == [picture_id(0)]


def test_private_windows_do_not_keep_the_store_too_large_for_ever(library, limit, clock):
    """Each is a browser of its own, which nobody comes back to."""
    _add(library, *range(8))
    for seed in (5, 3, 4):
        _activate(library, seed, page=f"{seed:032x}", browser=f"{seed:032x}")
        clock.now += 60
    library.presets.save("", "Warm", Preset("", {}, Ratings(_named(4))))
    clock.now += 2 * 86400
    # One that was opened again, and one of today.
    library.active_sets.load(f"{3:032x}", f"{3:032x}", "", TAB)
    _activate(library, 6, page="d" * 32, browser="d" * 32)
    limit.bytes = 1
    assert library.enforce_limit() == [picture_id(seed) for seed in (0, 1, 2, 7, 5)]
    assert _kept(library) == {3, 4, 6}
    clock.now += 2 * 86400
    assert library.enforce_limit() == [picture_id(3), picture_id(6)]
    assert _kept(library) == {4}


@pytest.mark.parametrize("days", [-400, 400])
def test_a_wrong_clock_keeps_no_picture_for_ever(library, limit, clock, days):
    _add(library, 0)
    clock.now += days * 86400
    _activate(library, 0)
    clock.now -= days * 86400
    limit.bytes = 1
    assert library.enforce_limit() == [picture_id(0)]


def test_what_was_used_just_now_stays_for_a_minute(library, limit):
    """It may be on its way into a list."""
    _add(library, 0)
    library.store.add(image(0))
    limit.bytes = 0
    assert library.enforce_limit() == []
    _age(library, 0, 50 / 86400)
    assert library.enforce_limit() == []
    _age(library, 0, 70 / 86400)
    assert library.enforce_limit() == [picture_id(0)]


@pytest.mark.parametrize(
    "use",
    [lambda library: _activate(library, 0), lambda library: library.store.load(picture_id(0))],
    ids=["active", "loaded"],
)
def test_what_is_used_while_room_is_made_stays(library, limit, monkeypatch, use):
    _add(library, 0, 1)
    listed = library.store.longest_unused

    def list_and_use(*args):
        found = listed(*args)
        use(library)
        return found

    monkeypatch.setattr(library.store, "longest_unused", list_and_use)
    limit.bytes = 0
    assert library.enforce_limit() == [picture_id(1)]


def test_a_file_that_cannot_be_deleted_keeps_its_rating(library, limit, monkeypatch):
    """On Windows, while another program has it open."""
    _add(library, 0, 1)
    for seed in (0, 1):
        library.history.record("", TAB, picture_id(seed), "liked")
    unlink = Path.unlink

    def fail(path, *args, **kwargs):
        if path == _path(library, 0):
            raise PermissionError(13, "in use")
        unlink(path, *args, **kwargs)

    monkeypatch.setattr(Path, "unlink", fail)
    limit.bytes = 0
    assert library.enforce_limit() == [picture_id(1)]
    assert library.history.find("", TAB, picture_id(0))


@settings(max_examples=25)
@given(
    order=st.permutations(range(6)),
    active=st.sets(st.integers(0, 5), max_size=2),
    saved=st.sets(st.integers(0, 5), max_size=2),
    share=st.floats(0, 1.1),
)
def test_no_more_goes_than_has_to(tmp_path_factory, order, active, saved, share):
    """Against the rule written down once more: one by one, until it fits."""
    limit = Limit()
    library = Library(tmp_path_factory.mktemp("library"), limit)
    _add(library, *order)
    _activate(library, *active)
    library.presets.save("", "Saved", Preset("", {}, Ratings(_named(*saved))))
    sizes = {seed: _bytes_of(library, seed) for seed in order}
    limit.bytes = int(sum(sizes.values()) * share)
    expected, room = set(order), sum(sizes.values())
    if room > limit.bytes:
        for seed in order:
            if seed not in active | saved and room > 0.98 * limit.bytes:
                expected.remove(seed)
                room -= sizes[seed]
    removed = library.enforce_limit()
    assert _kept(library) == expected
    assert removed == [picture_id(seed) for seed in order if seed not in expected]
    assert library.store.num_bytes() == room


# ---- in the background ---------------------------------------------------------------------------


def test_every_new_picture_makes_room_whoever_adds_it(library, limit):
    _add(library, 0, 1)
    limit.bytes = _bytes_of(library, 0, 1)
    library.store.add(image(2))
    assert library.tidying.wait()
    assert 0 not in _kept(library)
    assert 2 in _kept(library)


@pytest.mark.parametrize(
    "error", [FabricError("the disk is full.", status_code=500), OSError(5, "broken")]
)
def test_a_picture_is_kept_where_no_room_can_be_made(library, limit, monkeypatch, caplog, error):
    _add(library, 0)
    limit.bytes = 0

    def fail(*_args):
        raise error

    monkeypatch.setattr(library.store, "longest_unused", fail)
    library.store.add(image(1))
    assert library.tidying.wait()
    assert _kept(library) == {0, 1}
    assert "the picture store could not be tidied" in caplog.text
    with pytest.raises(type(error)):
        library.enforce_limit()


# ---- at once -------------------------------------------------------------------------------------

ROUNDS = 12


def _rate_on_a_page(library, number):
    """One user: rates picture after picture, two of them active, and lets older ones age."""
    page, seeds = f"{number:032x}", [1000 * (number + 1) + turn for turn in range(ROUNDS)]
    for turn, seed in enumerate(seeds):
        library.store.add(image(seed))
        library.history.record("", TAB, picture_id(seed), "liked", Details(f"round {turn}", seed))
        active = seeds[max(turn - 1, 0) : turn + 1]
        _activate(library, *active, page=page)
        if turn >= 2:
            # The tidying of others may have been here already.
            path = _path(library, seeds[turn - 2])
            if path.exists():
                try:
                    os.utime(path, (LONG_AGO, LONG_AGO))
                except FileNotFoundError:
                    continue
        for each in active:
            # Long unused by the clock, and yet never gone.
            os.utime(_path(library, each), (LONG_AGO, LONG_AGO))
            assert picture_id(each) in library.store
    return seeds[-2:]


def _assert_sound(library, active):
    for seed in active:
        assert library.store.load(picture_id(seed)).id == picture_id(seed)
    files = {path.stem for path in library.store.folder.glob("*/*.png")}
    assert library.history.count("", TAB) == len(files)
    rated = {each.picture_id for each in library.history.page("", TAB, limit=10_000)}
    assert rated == files, "each file was rated, and no rating is without its file"
    assert {path.stem for path in library.store.folder.glob("*/*.json")} == files
    assert files == {picture_id(seed) for seed in active}, "all the rest had to go"


def test_threads_rate_and_make_room_at_once(library, limit):
    limit.bytes = 0
    is_over = threading.Event()

    def tidy(_):
        while not is_over.is_set():
            library.enforce_limit()

    with ThreadPoolExecutor(6) as pool:
        tidying = [pool.submit(tidy, number) for number in range(2)]
        try:
            pages = list(pool.map(lambda number: _rate_on_a_page(library, number), range(4)))
        finally:
            is_over.set()
        for future in tidying:
            future.result(60)
    assert library.tidying.wait()
    library.enforce_limit()
    _assert_sound(library, [seed for page in pages for seed in page])


def _work_in_a_process(folder, number, barrier, failures):
    try:
        library = Library(folder, lambda: 0)
        barrier.wait(60)
        _rate_on_a_page(library, number)
        assert library.tidying.wait()
    except BaseException as error:
        failures.put(repr(error))
        raise


def test_two_processes_rate_and_make_room_at_once(tmp_path):
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    barrier, failures = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_work_in_a_process, args=(tmp_path, number, barrier, failures))
        for number in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0], failures.get(timeout=5)
    library = Library(tmp_path, lambda: 0)
    library.enforce_limit()
    active = [
        1000 * (number + 1) + turn for number in range(2) for turn in (ROUNDS - 2, ROUNDS - 1)
    ]
    _assert_sound(library, active)
