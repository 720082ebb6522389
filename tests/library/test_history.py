"""What was rated is there again: newest first, searched in words, login and tab apart."""

import json
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.errors import FabricError
from lib_fabric.library import history as history_module
from lib_fabric.library.history_entry import MAX_PROMPT_CHARS, Details, HistoryEntry
from lib_fabric.library.library import Library
from lib_fabric.page.html.history import HistoryView, history_html
from tests.helpers.pictures import image, picture_id

TAB = "txt2img"


def _rate(library, seed, verdict="liked", details=None, owner="", tab=TAB):
    library.store.add(image(seed))
    return library.history.record(owner, tab, picture_id(seed), verdict, details)


def _ids(library, owner="", tab=TAB, **kwargs):
    return [each.picture_id for each in library.history.page(owner, tab, **kwargs)]


def _refusal(function, *args):
    with pytest.raises(FabricError) as caught:
        function(*args)
    return str(caught.value)


def _path(library, seed, suffix=".png"):
    name = picture_id(seed)
    return library.store.folder / name[:2] / f"{name}{suffix}"


def test_nothing_rated_is_an_empty_page_and_no_file(library, tmp_path):
    assert _ids(library) == []
    assert library.history.count("", TAB) == 0
    assert library.history.find("", TAB, picture_id()) is None
    assert not (tmp_path / ".fabric").exists()


def test_a_rating_comes_back_with_its_time_and_details(library):
    before = time.time()
    details = Details("a circle, red", 123456789, "tiny.safetensors")
    rating = _rate(library, 0, "disliked", details)
    assert rating == HistoryEntry(picture_id(0), "disliked", rating.rated_at, details)
    assert before <= rating.rated_at <= time.time()
    assert library.history.page("", TAB) == [rating]
    assert library.history.find("", TAB, picture_id(0)) == rating


def test_the_newest_comes_first_and_pages_follow_each_other(library):
    for seed in range(7):
        _rate(library, seed)
    newest_first = [picture_id(seed) for seed in reversed(range(7))]
    assert _ids(library) == newest_first
    assert _ids(library, limit=3) == newest_first[:3]
    assert _ids(library, offset=3, limit=3) == newest_first[3:6]
    assert _ids(library, offset=6, limit=3) == newest_first[6:]
    assert _ids(library, offset=7) == []
    assert _ids(library, limit=0) == []
    assert _ids(library, offset=-5, limit=-1) == []


def test_the_order_holds_within_one_tick_of_the_clock(library, monkeypatch):
    monkeypatch.setattr(history_module.time, "time", lambda: 1000.0)
    for seed in (0, 1, 2, 1):
        _rate(library, seed)
    assert _ids(library) == [picture_id(seed) for seed in (1, 2, 0)]


def test_rating_again_renews_verdict_and_time_and_keeps_the_details(library):
    details = Details("a circle", 5, "tiny")
    first = _rate(library, 0, "liked", details)
    _rate(library, 1)
    again = _rate(library, 0, "disliked")
    assert again.rated_at > first.rated_at
    assert again.details == details
    assert _ids(library) == [picture_id(0), picture_id(1)]
    assert library.history.count("", TAB) == 2
    other = Details("another", 6, "model")
    assert _rate(library, 0, "disliked", other).details == other


def test_a_change_can_be_undone_exactly(library):
    first = _rate(library, 0, "liked", Details("a circle", 5))
    _rate(library, 1)
    _rate(library, 0, "disliked")
    assert library.history.restore("", TAB, first) == first
    assert _ids(library) == [picture_id(1), picture_id(0)]
    assert library.history.find("", TAB, picture_id(0)) == first


def test_forgetting_leaves_picture_and_others(library):
    for seed in range(3):
        _rate(library, seed)
    library.history.forget("", TAB, picture_id(1))
    library.history.forget("", TAB, picture_id(1))
    for nonsense in ("", "x" * 64, "0" * 64, picture_id(0)[:16], "\0", None, 5):
        library.history.forget("", TAB, nonsense)
    assert _ids(library) == [picture_id(2), picture_id(0)]
    assert picture_id(1) in library.store


def test_logins_and_tabs_are_apart(library):
    _rate(library, 0, "liked", owner="ada")
    _rate(library, 0, "disliked", owner="bob")
    _rate(library, 1, "liked", owner="ada", tab="img2img")
    assert _ids(library) == []
    assert _ids(library, "ada") == _ids(library, "bob") == [picture_id(0)]
    assert _ids(library, "ada", "img2img") == [picture_id(1)]
    assert library.history.find("ada", TAB, picture_id(0)).verdict == "liked"
    assert library.history.find("bob", TAB, picture_id(0)).verdict == "disliked"
    library.history.forget("ada", TAB, picture_id(0))
    assert _ids(library, "bob") == [picture_id(0)]
    assert library.history.count("ada", TAB) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("", "txt2img", picture_id(9), "liked"),
         f"picture '{picture_id(9)[:16]}' is no longer in the store. Rate it again."),
        (("", "txt2img", picture_id(0)[:16], "liked"),
         f"picture '{picture_id(0)[:16]}' is no longer in the store. Rate it again."),
        (("", "txt2img", "../../x", "liked"),
         "picture '../../x' is no longer in the store. Rate it again."),
        (("", "extras", picture_id(0), "liked"),
         "'tab' must be txt2img or img2img, not 'extras'."),
        (("", "txt2img", picture_id(0), "loved"),
         "'verdict' must be liked or disliked, not 'loved'."),
        (("", "txt2img", picture_id(0), None),
         "'verdict' must be liked or disliked, not None."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(library, arguments, sentence):
    library.store.add(image(0))
    assert _refusal(library.history.record, *arguments) == sentence
    assert library.history.count("", TAB) == 0


# Details


@pytest.mark.parametrize(
    ("given_details", "kept"),
    [
        (Details("x" * (MAX_PROMPT_CHARS + 5)), Details("x" * MAX_PROMPT_CHARS)),
        (Details("a\0b\ud800c"), Details("a b?c")),
        (Details(seed=2**32 - 1), Details(seed=4294967295)),
        (Details(seed=-1), Details(seed=-1)),
        (Details(seed=2**64 - 1), Details(seed=18446744073709551615)),
        (Details(seed=2**64), Details()),
        (Details(seed=10**5000), Details()),
        (Details(seed=True), Details()),
        (Details(seed=1.5), Details()),
        (Details(prompt=None, checkpoint=7), Details()),
    ],
)
def test_odd_details_are_made_storable(library, given_details, kept):
    assert given_details == kept
    _rate(library, 0, details=given_details)
    assert library.history.page("", TAB)[0].details == kept


# Search


SEARCHED = {
    0: Details("A red Circle on white", 17, "Tiny.safetensors [abc]"),
    1: Details("100% blue_square, \\o/", 170, "tiny"),
    2: Details("Straße in der DÄMMERUNG", None, "other"),
    3: Details("Cafe\u0301 \U0001f600", 42, ""),
}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", {0, 1, 2, 3}),
        ("   ", {0, 1, 2, 3}),
        ("circle", {0}),
        ("CIRCLE RED", {0}),
        ("red tiny 17", {0}),
        ("red square", set()),
        ("17", {0, 1}),
        ("170", {1}),
        ("%", {1}),
        ("_", {1}),
        ("\\", {1}),
        ("\\%", set()),
        ("*", set()),
        ("?", set()),
        ("'", set()),
        ('" OR 1', set()),
        ("[abc]", {0}),
        ("strasse", {2}),
        ("STRASSE dämmerung", {2}),
        ("café", {3}),
        ("CAFÉ", {3}),
        ("😀", {3}),
        ("\0", {0, 1, 2, 3}),
        ("\ud800", set()),
        ("whitered", set()),
        ("white tiny", {0}),
        ("x" * 100_000, set()),
        ("red " * 100_000, {0}),
    ],
)
def test_search(library, search, found):
    for seed, details in SEARCHED.items():
        _rate(library, seed, details=details)
    assert set(_ids(library, search=search)) == {picture_id(seed) for seed in found}
    assert library.history.count("", TAB, search) == len(found)


def test_a_search_is_paged(library):
    for seed in range(6):
        _rate(library, seed, details=Details("even" if seed % 2 == 0 else "odd"))
    assert _ids(library, search="EVEN", offset=1, limit=1) == [picture_id(2)]


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    library = Library(tmp_path_factory.mktemp("searched") / ".fabric")
    library.store.add(image(0))
    return library


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@given(prompt=TEXTS, checkpoint=TEXTS, seed=st.none() | st.integers(-1, 2**40), data=st.data())
def test_any_part_of_what_was_kept_finds_it(searched, prompt, checkpoint, seed, data):
    searched.history.record(
        "", TAB, picture_id(0), "liked", Details("now " + prompt, seed, checkpoint)
    )
    everything = f"now {prompt} {checkpoint} {'' if seed is None else seed}".split()
    words = data.draw(st.lists(st.sampled_from(everything), max_size=4))
    change = data.draw(st.sampled_from([str, str.upper, str.lower, str.title]))
    # Upper case of some letters has no way back; whoever types them types them as they are.
    words = [
        changed if _folded(changed := change(word)) == _folded(word) else word for word in words
    ]
    assert searched.history.count("", TAB, " ".join(words)) == 1


def _folded(text):
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


@given(prompt=st.text("ab%_\\*?'\" ", max_size=12), search=st.text("AB%_\\*?'\" ", max_size=5))
def test_a_search_means_its_letters_and_nothing_else(searched, prompt, search):
    searched.history.record("", TAB, picture_id(0), "liked", Details("x" + prompt))
    expected = all(word in "x" + prompt for word in search.lower().split())
    assert searched.history.count("", TAB, search) == expected


# Pictures that are gone


def test_an_entry_leaves_with_its_picture(library):
    for seed in range(5):
        _rate(library, seed)
    _rate(library, 1, owner="ada")
    for seed in (1, 3):
        _path(library, seed).unlink()
    assert _ids(library, limit=3) == [picture_id(seed) for seed in (4, 2, 0)]
    assert library.history.count("", TAB) == 3
    assert _ids(library, "ada") == []


def test_a_drive_that_is_not_connected_costs_no_entry(library):
    for seed in range(3):
        _rate(library, seed)
    folder = library.store.folder
    away = folder.rename(folder.with_name("away"))
    assert len(_ids(library)) == 3
    away.rename(folder)
    assert library.history.count("", TAB) == 3


def test_a_truncated_picture_is_said_in_words_and_the_rest_works(library):
    for seed in range(3):
        _rate(library, seed)
    path = _path(library, 1)
    library.store.thumbnail(picture_id(1))
    path.write_bytes(path.read_bytes()[:60])
    sentence = f"picture '{picture_id(1)[:16]}' is no longer in the store. Rate it again."
    assert _refusal(library.store.load, picture_id(1)) == sentence
    assert _refusal(library.store.thumbnail, picture_id(1)) == sentence
    assert len(_ids(library)) == 3
    library.store.thumbnail(picture_id(0))
    library.store.add(image(1))
    assert library.store.load(picture_id(1)).id == picture_id(1)
    assert len(library.store.thumbnail(picture_id(1))) > 100


def test_where_gone_pictures_cannot_be_struck_out_the_rest_shows(library, monkeypatch):
    for seed in range(3):
        _rate(library, seed)
    _path(library, 1).unlink()

    def fail(_work):
        raise FabricError("read-only.", status_code=500)

    monkeypatch.setattr(library.history.database, "write", fail)
    assert _ids(library) == [picture_id(2), picture_id(0)]


def test_a_disk_that_fails_costs_no_entry(library, monkeypatch):
    for seed in range(2):
        _rate(library, seed)

    real = Path.stat

    def stat(path, **kwargs):
        if path.suffix == ".png":
            raise OSError(5, "Input/output error")
        return real(path, **kwargs)

    monkeypatch.setattr(Path, "stat", stat)
    assert len(_ids(library)) == 2
    monkeypatch.undo()
    assert library.history.count("", TAB) == 2


def test_a_picture_rated_anew_while_it_is_struck_out_stays(library, monkeypatch):
    _rate(library, 0)
    _path(library, 0).unlink()
    real = library.history.database.write

    def write(work):
        monkeypatch.undo()
        _rate(library, 0)
        return real(work)

    monkeypatch.setattr(library.history.database, "write", write)
    assert _ids(library) == [picture_id(0)]


# Rows that the disk has garbled


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("verdict", "lïked", HistoryEntry(picture_id(0), "liked", 5.0, Details("p", 3, "c"))),
        ("rated_at", "x", HistoryEntry(picture_id(0), "disliked", 0.0, Details("p", 3, "c"))),
        ("rated_at", 9e300, HistoryEntry(picture_id(0), "disliked", 0.0, Details("p", 3, "c"))),
        ("seed", "3x", HistoryEntry(picture_id(0), "disliked", 5.0, Details("p", None, "c"))),
        ("seed", "9" * 5000, HistoryEntry(picture_id(0), "disliked", 5.0, Details("p", None, "c"))),
        ("prompt", b"\xff", HistoryEntry(picture_id(0), "disliked", 5.0, Details("", 3, "c"))),
    ],
)
def test_a_garbled_row_shows_what_is_left_of_it(library, column, value, shown):
    library.store.add(image(0))
    rating = HistoryEntry(picture_id(0), "disliked", 5.0, Details("p", 3, "c"))
    library.history.restore("", TAB, rating)
    library.history.database.write(
        lambda connection: connection.execute(f"UPDATE ratings SET {column} = ?", (value,))
    )
    assert library.history.page("", TAB) == [shown]
    assert picture_id(0) in history_html(HistoryView([shown], 1), lambda _: b"")


def test_numbers_beyond_the_database_are_no_error(library):
    _rate(library, 0)
    assert _ids(library, limit=2**80) == [picture_id(0)]
    assert _ids(library, offset=2**80) == []


# Rebuilding


def _rebuilt(library):
    (library.store.folder.parent / "history.sqlite3").unlink()
    return Library(library.store.folder.parent)


def test_everything_comes_back_from_the_files(library):
    for seed, details in SEARCHED.items():
        _rate(library, seed, "liked" if seed % 2 else "disliked", details)
    _rate(library, 0, "liked", owner="ada", tab="img2img")
    _rate(library, 1, "disliked")
    _rate(library, 4)
    library.history.forget("", TAB, picture_id(4))
    library.store.add(image(5))
    before = library.history.page("", TAB)
    again = _rebuilt(library)
    assert again.history.page("", TAB) == before
    assert [each.picture_id for each in again.history.page("ada", "img2img")] == [picture_id(0)]
    assert again.history.count("", TAB, "dämmerung") == 1


def _note(**changes):
    rating = {
        "owner": "", "tab": TAB, "verdict": "liked", "rated_at": 5.0, "prompt": "p", "seed": "3",
        "checkpoint": "c",
    }  # fmt: skip
    return json.dumps({"ratings": [{**rating, **changes}]}).encode()


def test_the_note_of_the_next_test_is_a_good_one(library):
    library.store.add(image(0))
    library.store.write_note(picture_id(0), _note())
    assert library.history.page("", TAB) == [
        HistoryEntry(picture_id(0), "liked", 5.0, Details("p", 3, "c"))
    ]


@pytest.mark.parametrize(
    "note",
    [
        b"", b"\xff\xfe", b"{", b"[]", b"5", b'{"ratings": 5}', b'{"ratings": [5]}',
        b'{"ratings": [{}]}', b"[" * 100_000, b'{"ratings": {"a": 1}}', b"null",
        _note(tab="extras"), _note(verdict=5), _note(rated_at="x"), _note(rated_at=None),
        _note(rated_at=float("nan")), _note(rated_at=float("inf")), _note(rated_at=10**400),
        _note(rated_at=-1), _note(rated_at=1e12),
    ],
    ids=range(20),
)  # fmt: skip
def test_a_damaged_note_costs_only_itself(library, note):
    _rate(library, 1)
    library.store.add(image(0))
    path = _path(library, 0, ".json")
    path.write_bytes(note)
    again = _rebuilt(library)
    assert [each.picture_id for each in again.history.page("", TAB)] == [picture_id(1)]


@pytest.mark.parametrize("seed", ["x", [], 5.5, float("inf"), "9" * 5000, "٣", "0x10"])
def test_a_damaged_seed_costs_only_the_seed(library, seed):
    library.store.add(image(0))
    library.store.write_note(picture_id(0), _note(seed=seed))
    assert library.history.page("", TAB) == [
        HistoryEntry(picture_id(0), "liked", 5.0, Details("p", None, "c"))
    ]


def test_a_damaged_rating_costs_no_other_of_its_picture(library):
    library.store.add(image(0))
    good, bad = (json.loads(_note(owner=owner))["ratings"][0] for owner in ("ada", "bob"))
    for key in bad:
        entries = [{name: value for name, value in bad.items() if name != key}, 5, good]
        note = json.dumps({"ratings": entries}).encode()
        library.store.write_note(picture_id(0), note)
        again = _rebuilt(library) if library.history.count("ada", TAB) else library
        assert again.history.count("ada", TAB) == 1


def test_a_note_without_its_picture_is_nothing(library):
    _rate(library, 0)
    _rate(library, 1)
    _path(library, 0).unlink()
    assert _rebuilt(library).history.count("", TAB) == 1


# Many at once


def test_threads_rate_search_and_forget_at_once(library):
    for seed in range(8):
        library.store.add(image(seed))
    barrier = threading.Barrier(8)

    def work(number):
        barrier.wait()
        for turn in range(6):
            library.history.record("", TAB, picture_id(number), "liked", Details(f"turn {turn}"))
            library.history.record("", TAB, picture_id(0), "disliked")
            library.history.page("", TAB, search="turn")
            library.history.forget("ada", TAB, picture_id(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert set(_ids(library)) == {picture_id(seed) for seed in range(8)}
    assert set(_ids(_rebuilt(library))) == {picture_id(seed) for seed in range(8)}
