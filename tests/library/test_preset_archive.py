"""A preset as a file: whole in another library, and nothing of a hostile one is believed."""

import io
import json
import struct
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library import preset_archive
from lib_fabric.library.library import Library
from lib_fabric.library.preset import Preset
from lib_fabric.library.preset_archive import from_zip, to_zip
from lib_fabric.library.store import PictureStore
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.settings import FabricSettings
from tests.helpers.pictures import image, picture_id

LIKED, DISLIKED = (3, 1, 2), (5, 4)
WEIGHTS = {1: 0.0, 2: 2.0, 3: 0.1, 4: 1.0, 5: 1 / 3}
KNOWN_SETTINGS = (
    "enabled, strength, min_strength, start, end, negative_scale, hires, method, merge, "
    "max_tokens, refresh"
)
UNREADABLE = "This file is not a preset, or it is damaged."


def _named(seeds):
    return tuple(Rated(picture_id(seed), WEIGHTS[seed]) for seed in seeds)


def _preset():
    settings = {"strength": 1.25, "start": 0.1, "hires": True}
    return Preset("Wärm ☀", settings, Ratings(_named(LIKED), _named(DISLIKED)))


@pytest.fixture
def exported(store):
    """A preset of five pictures as a file, written out of `store`."""
    for seed in WEIGHTS:
        store.add(image(seed))
    return to_zip(_preset(), store)


# ---- there and back ------------------------------------------------------------------------------


def test_a_preset_is_the_same_in_another_library(exported, library):
    preset = from_zip(exported, library.store)
    defaults = {each.name: each.default for each in FabricSettings.fields()}
    assert preset.settings == {**defaults, **_preset().settings}
    assert (preset.name, preset.ratings) == (_preset().name, _preset().ratings)
    for seed in WEIGHTS:
        kept = library.store.load(picture_id(seed)).image
        assert np.array_equal(np.asarray(kept), np.asarray(image(seed)))
    library.presets.save("", preset.name, preset)
    assert library.presets.load("", preset.name) == preset
    assert to_zip(library.presets.load("", preset.name), library.store) == to_zip(
        preset, library.store
    )


def test_the_same_preset_is_the_same_file(store, exported):
    assert to_zip(_preset(), store) == exported


def test_the_file_is_a_zip_that_other_programs_read(exported):
    with zipfile.ZipFile(io.BytesIO(exported)) as archive:
        assert archive.testzip() is None
        assert {each.date_time for each in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        names = archive.namelist()
        content = json.loads(archive.read("preset.json"))
        with Image.open(io.BytesIO(archive.read(f"pictures/{picture_id(1)}.png"))) as picture:
            assert np.array_equal(np.asarray(picture), np.asarray(image(1)))
    assert sorted(names) == sorted(
        ["preset.json", *(f"pictures/{picture_id(seed)}.png" for seed in WEIGHTS)]
    )
    assert content == {
        "format": "fabric-preset",
        "version": 1,
        "name": "Wärm ☀",
        "settings": {"strength": 1.25, "start": 0.1, "hires": True},
        "liked": [{"id": picture_id(seed), "weight": WEIGHTS[seed]} for seed in LIKED],
        "disliked": [{"id": picture_id(seed), "weight": WEIGHTS[seed]} for seed in DISLIKED],
    }


def test_a_preset_without_pictures_travels_too(store):
    assert from_zip(to_zip(Preset("Bare"), store), store).ratings == Ratings()


def test_a_packed_file_is_read_like_a_stored_one(exported, library):
    assert from_zip(_pack(_entries(exported), zipfile.ZIP_DEFLATED), library.store) == from_zip(
        exported, library.store
    )


def test_a_preset_with_a_missing_picture_is_not_exported(store, exported):
    store.delete([picture_id(4)], spare_seconds=0)
    with pytest.raises(FabricError) as caught:
        to_zip(_preset(), store)
    assert str(caught.value) == (
        f"picture '{picture_id(4)[:16]}' is no longer in the store. Rate it again."
    )


# ---- hostile files -------------------------------------------------------------------------------


def _png(picture):
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _entries(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(each.filename, archive.read(each)) for each in archive.infolist()]


def _pack(entries, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)  # of names that are there twice
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def _content(**changes):
    """The fields of a good preset of two pictures, changed; what is None is left out."""
    content = {
        "format": "fabric-preset",
        "version": 1,
        "name": "Warm",
        "settings": {"strength": 1.5},
        "liked": [{"id": picture_id(1), "weight": 0.5}],
        "disliked": [{"id": picture_id(2), "weight": 1}],
    }
    return {name: value for name, value in {**content, **changes}.items() if value is not None}


def _with(*more, json_text=None, pictures=(1, 2), method=zipfile.ZIP_STORED, **changes):
    """A file with these fields and pictures and, at the end, more entries."""
    text = json.dumps(_content(**changes)) if json_text is None else json_text
    kept = [(_path(seed), _png(image(seed))) for seed in pictures]
    return _pack([("preset.json", text), *kept, *more], method)


def _with_picture(data):
    """A file whose first picture is sound and whose second has these bytes."""
    return _with((_path(2), data), pictures=(1,))


def _path(seed):
    return f"pictures/{picture_id(seed)}.png"


def _patched(offset, value):
    """A good file with 16 bits of its first entry in the central directory changed."""
    data = bytearray(_with())
    struct.pack_into("<H", data, data.index(b"PK\x01\x02") + offset, value)
    return bytes(data)


def _weight(value):
    return {"liked": [{"id": picture_id(1), "weight": value}]}


def _text(old, new):
    text = json.dumps(_content())
    assert old in text
    return _with(json_text=text.replace(old, new))


def _short(seed):
    return f"picture {picture_id(seed)[:16]}"


def _twice(seed):
    return [{"id": picture_id(seed), "weight": 1}] * 2


MANY = [{"id": f"{number:064x}", "weight": 1} for number in range(257)]
FIELDS = "format, version, name, settings, liked, disliked"
NOT_JSON = "preset.json is not valid JSON."

HOSTILE = {
    # The archive.
    "no bytes": (lambda: b"", UNREADABLE),
    "no zip": (lambda: b"hello" * 100, UNREADABLE),
    "truncated": (lambda: _with()[:-30], UNREADABLE),
    "beginning cut": (lambda: _with()[100:], UNREADABLE),
    "wrong checksum": (lambda: _patched(16, 0), UNREADABLE),
    "encrypted": (lambda: _patched(8, 1), "This file is encrypted. Export the preset again."),
    "patched data": (lambda: _patched(8, 0x20), UNREADABLE),
    "method LZMA": (
        lambda: _with(method=zipfile.ZIP_LZMA),
        "This file is packed in a way that presets are not.",
    ),
    "method BZIP2": (
        lambda: _with(method=zipfile.ZIP_BZIP2),
        "This file is packed in a way that presets are not.",
    ),
    "method unknown": (
        lambda: _patched(10, 99),
        "This file is packed in a way that presets are not.",
    ),
    "too many entries": (
        lambda: _pack([(f"pictures/{number:064x}.png", "") for number in range(514)]),
        "This file holds 514 entries, too many for a preset.",
    ),
    # What is in it.
    "path upwards": (
        lambda: _with(("../../evil.py", "")),
        "This file holds '../../evil.py', which no preset does.",
    ),
    "path upwards from pictures": (
        lambda: _with((f"pictures/../{picture_id(1)}.png", "")),
        f"This file holds 'pictures/../{picture_id(1)}"[: 17 + 60] + "'…, which no preset does.",
    ),
    "absolute path": (
        lambda: _with(("/etc/passwd", "")),
        "This file holds '/etc/passwd', which no preset does.",
    ),
    "Windows path": (
        lambda: _with(("C:\\evil.exe", "")),
        "This file holds 'C:\\\\evil.exe', which no preset does.",
    ),
    "folder": (
        lambda: _with(("pictures/", "")),
        "This file holds 'pictures/', which no preset does.",
    ),
    "line break after a name": (
        lambda: _with(("preset.json\n", "")),
        "This file holds 'preset.json\\n', which no preset does.",
    ),
    "preset.json twice": (
        lambda: _with(("preset.json", "{}")),
        "This file holds 'preset.json' twice.",
    ),
    "picture twice": (
        lambda: _with((_path(1), _png(image(1)))),
        f"This file holds '{_path(1)}' twice.",
    ),
    "no preset.json": (
        lambda: _pack([(_path(1), _png(image(1)))]),
        "'preset.json' is missing in this file.",
    ),
    "picture missing": (lambda: _with(pictures=(1,)), f"'{_path(2)}' is missing in this file."),
    "picture too many": (
        lambda: _with(pictures=(1, 2, 3)),
        f"This file holds '{_path(3)}', which it does not use.",
    ),
    "other picture": (
        lambda: _with_picture(_png(image(3))),
        f"{_short(2)} of this preset is another picture than its name says.",
    ),
    "no picture": (
        lambda: _with_picture(b"hello"),
        f"{_short(2)} is not a PNG, JPEG or WebP picture.",
    ),
    "half a picture": (
        lambda: _with_picture(_png(image(2))[:200]),
        f"{_short(2)} is damaged and cannot be read.",
    ),
    "picture too small": (
        lambda: _with_picture(_png(image(2, 7, 9))),
        f"{_short(2)} is 9x7 pixels; each side must be at least 8.",
    ),
    "picture bomb": (
        lambda: _with_picture(_png(Image.new("1", (16384, 4097)))),
        f"{_short(2)} has more than 64 million pixels. Send a smaller one.",
    ),
    "zip bomb as a picture": (
        lambda: _with((_path(2), b"\0" * (48 * 2**20 + 1)), pictures=(1,), method=8),
        f"'{_path(2)}' in this file is larger than 48 MB.",
    ),
    "zip bomb as JSON": (
        lambda: _with(json_text=" " * (2**18 + 1), method=8),
        "'preset.json' in this file is larger than 0.25 MB.",
    ),
    # preset.json.
    "no JSON": (lambda: _with(json_text="{"), NOT_JSON),
    "not UTF-8": (lambda: _with(json_text=b'{"\xff": 1}'), NOT_JSON),
    "UTF-16": (lambda: _with(json_text=json.dumps(_content()).encode("utf-16")), NOT_JSON),
    "deep": (lambda: _with(json_text="[" * 100_000), NOT_JSON),
    "deep object": (lambda: _with(json_text='{"a":' * 40_000), NOT_JSON),
    "field twice": (lambda: _text('"version": 1', '"version": 1, "version": 1'), NOT_JSON),
    "inner field twice": (lambda: _text('"weight": 1', '"weight": 1, "weight": 1'), NOT_JSON),
    "number of 5,000 digits": (lambda: _text('"version": 1', f'"version": {"1" * 5000}'), NOT_JSON),
    "NaN": (lambda: _text('"weight": 1}', '"weight": NaN}'), NOT_JSON),
    "infinity": (lambda: _text('"weight": 1}', '"weight": -Infinity}'), NOT_JSON),
    "a list": (lambda: _with(json_text="[]"), "preset.json must be an object, not a list of 0."),
    "null": (lambda: _with(json_text="null"), "preset.json must be an object, not None."),
    "unknown field": (
        lambda: _with(extra=1),
        f"preset.json: unknown field 'extra'. Known: {FIELDS}.",
    ),
    "missing field": (lambda: _with(liked=None), "preset.json has no 'liked'."),
    "wrong format": (lambda: _with(format="other"), "This file is not a preset of FABRIC."),
    "format no text": (lambda: _with(format=[]), "This file is not a preset of FABRIC."),
    "newer version": (lambda: _with(version=2), "'version' must be 1, not 2. Update FABRIC."),
    "version true": (lambda: _with(version=True), "'version' must be 1, not True. Update FABRIC."),
    "version text": (lambda: _with(version="1"), "'version' must be 1, not '1'. Update FABRIC."),
    "name no text": (lambda: _with(name=7), "a preset's name must be text, not 7."),
    "name empty": (lambda: _with(name="  "), "Give the preset a name."),
    "name that nobody sees": (
        lambda: _with(name="\u200b\u3164"),
        "Give the preset a name that can be seen.",
    ),
    "name too long": (
        lambda: _with(name="x" * 81),
        "A preset's name may have at most 80 characters.",
    ),
    "name of half a character": (
        lambda: _with(name="a\ud800"),
        "A preset's name may not hold line breaks or control characters.",
    ),
    "settings a list": (
        lambda: _with(settings=[1, 2]),
        "'settings' must be an object, not a list of 2.",
    ),
    "unknown setting": (
        lambda: _with(settings={"__class__": 1}),
        f"unknown setting '__class__'. Known: {KNOWN_SETTINGS}.",
    ),
    "setting out of range": (
        lambda: _with(settings={"strength": 2.01}),
        "'strength' must be 0 to 2, not 2.01.",
    ),
    "setting of a wrong type": (
        lambda: _with(settings={"hires": "yes"}),
        "'hires' must be true or false, not 'yes'.",
    ),
    "setting infinite": (
        lambda: _text('"strength": 1.5', '"strength": 1e999'),
        "'strength' must be 0 to 2, not inf.",
    ),
    "liked an object": (
        lambda: _with(liked={}),
        "'liked' must be a list of pictures, not an object.",
    ),
    "entry a text": (
        lambda: _with(liked=[picture_id(1)]),
        f"liked[0] must be an object, not '{picture_id(1)[:60]}'….",
    ),
    "entry with more": (
        lambda: _with(disliked=[{"id": picture_id(2), "weight": 1, "path": "/"}]),
        "disliked[0]: unknown field 'path'. Known: id, weight.",
    ),
    "entry with less": (lambda: _with(disliked=[{"weight": 1}]), "disliked[0] has no 'id'."),
    "id no text": (
        lambda: _with(liked=[{"id": {}, "weight": 1}]),
        "an object is not the id of a picture.",
    ),
    "id a path": (
        lambda: _with(liked=[{"id": "../../x", "weight": 1}]),
        "'../../x' is not the id of a picture.",
    ),
    "id short": (
        lambda: _with(liked=[{"id": picture_id(1)[:16], "weight": 1}]),
        f"'{picture_id(1)[:16]}' is not the id of a picture.",
    ),
    "weight too large": (
        lambda: _with(**_weight(2.5)),
        "'weight' must be 0 to 2, not 2.5.",
    ),
    "weight negative": (lambda: _with(**_weight(-1e-9)), "'weight' must be 0 to 2, not -1e-09."),
    "weight infinite": (
        lambda: _text('"weight": 1}', '"weight": 1e999}'),
        "'weight' must be 0 to 2, not inf.",
    ),
    "weight true": (lambda: _with(**_weight(True)), "'weight' must be 0 to 2, not True."),
    "weight text": (lambda: _with(**_weight("1")), "'weight' must be 0 to 2, not '1'."),
    "weight null": (lambda: _with(**_weight(None)), "'weight' must be 0 to 2, not None."),
    "in both lists": (
        lambda: _with(disliked=_content()["liked"]),
        f"picture '{picture_id(1)[:16]}' is named twice.",
    ),
    "twice in a list": (
        lambda: _with(liked=_twice(1)),
        f"picture '{picture_id(1)[:16]}' is named twice.",
    ),
    "too many pictures": (
        lambda: _with(liked=MANY),
        "'liked' may hold at most 256 pictures, not 257.",
    ),
}


def _files(store):
    return {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in store.folder.rglob("*")
        if path.is_file()
    }


def test_the_file_that_the_next_test_spoils_is_a_good_one(store):
    preset = from_zip(_with(), store)
    assert preset.ratings == Ratings((Rated(picture_id(1), 0.5),), (Rated(picture_id(2), 1.0),))
    # Else the same preset would be another file once it was saved.
    assert isinstance(preset.ratings.disliked[0].weight, float)


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_and_changes_nothing(store, case):
    make, sentence = HOSTILE[case]
    store.add(image(9))
    before = _files(store)
    with pytest.raises(FabricError) as caught:
        from_zip(make(), store)
    assert (str(caught.value), caught.value.status_code) == (sentence, 422)
    assert _files(store) == before


def test_a_file_is_bounded_as_a_whole(store, monkeypatch):
    """By what comes out of it, however little it takes packed."""
    data = _with(json_text=json.dumps(_content()) + " " * 10_000, method=zipfile.ZIP_DEFLATED)
    size = sum(len(content) for _, content in _entries(data))
    assert len(data) < size - 5000
    monkeypatch.setattr(preset_archive, "MAX_ARCHIVE_BYTES", size)
    assert from_zip(data, store).name == "Warm"
    store.delete([picture_id(1), picture_id(2)], spare_seconds=0)
    for most in (size - 1, len(data) - 1):
        monkeypatch.setattr(preset_archive, "MAX_ARCHIVE_BYTES", most)
        with pytest.raises(FabricError, match=r"^A preset's file may have at most 0 MB\."):
            from_zip(data, store)
        assert not _files(store)


def test_a_large_file_is_refused_before_it_is_opened(store, monkeypatch):
    """Whatever lies in front of the archive in it is never read, but held in memory."""
    data = _with()
    monkeypatch.setattr(preset_archive, "MAX_ARCHIVE_BYTES", 10_000_000)
    assert from_zip(b"x" * 9_000_000 + data, store).name == "Warm"
    with pytest.raises(FabricError, match=r"^A preset's file may have at most 9 MB\."):
        from_zip(b"x" * 10_000_000 + data, store)


# ---- random damage -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A store for many examples, and the file that they damage."""
    return PictureStore(tmp_path_factory.mktemp("elsewhere")), _with()


FLIPS = st.lists(st.tuples(st.integers(0, 2**16), st.integers(1, 255)), min_size=1, max_size=4)


def _flipped(data, flips):
    damaged = bytearray(data)
    for position, bits in flips:
        damaged[position % len(damaged)] ^= bits
    return bytes(damaged)


def _outcome(data, store):
    """The preset, or the one sentence with which it was refused."""
    try:
        return from_zip(data, store)
    except FabricError as error:
        return str(error)


@given(flips=FLIPS)
def test_a_flipped_byte_is_refused_or_means_nothing(elsewhere, flips):
    store, good = elsewhere
    outcome = _outcome(_flipped(good, flips), store)
    if isinstance(outcome, str):
        assert outcome.endswith(".")
    else:
        assert outcome == from_zip(good, store)


@given(length=st.integers(0, 10_000))
def test_a_cut_file_is_refused(elsewhere, length):
    store, good = elsewhere
    with pytest.raises(FabricError):
        from_zip(good[: length % len(good)], store)


@given(flips=FLIPS)
def test_flipped_json_is_refused_or_still_sound(elsewhere, flips):
    """With the right checksum, so that the parser has to see it."""
    store, _ = elsewhere
    text = json.dumps(_content()).encode()
    outcome = _outcome(_with(json_text=_flipped(text, flips)), store)
    if isinstance(outcome, str):
        assert outcome.endswith(".")
        return
    for each in outcome.ratings:
        assert 0 <= each.weight <= 2
        assert each.picture in store


@given(flips=FLIPS)
def test_a_flipped_picture_is_refused_or_the_same_to_the_pixel(elsewhere, flips):
    store, _ = elsewhere
    outcome = _outcome(_with_picture(_flipped(_png(image(2)), flips)), store)
    if isinstance(outcome, str):
        assert outcome.startswith(_short(2))
    else:
        assert np.array_equal(np.asarray(store.load(picture_id(2)).image), np.asarray(image(2)))


def test_an_import_that_fails_on_the_disk_is_one_sentence(library, monkeypatch):
    def fail(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lib_fabric.library.store.staged", fail)
    with pytest.raises(FabricError) as caught:
        from_zip(_with(), library.store)
    assert str(caught.value) == "the picture could not be saved: No space left on device."
    assert caught.value.status_code == 500


def test_an_import_tells_the_limit_that_pictures_came(tmp_path):
    library = Library(tmp_path)
    asked = []
    library.store.after_add = lambda: asked.append(1)
    from_zip(_with(), library.store)
    assert asked
