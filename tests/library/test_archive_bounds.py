"""What a preset's file may cost before it is refused, and while it is taken."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile

import pytest
from PIL import Image

from lib_fabric import pictures
from lib_fabric.errors import FabricError
from lib_fabric.library import preset_archive
from lib_fabric.library.preset import Preset
from lib_fabric.library.preset_archive import from_zip, to_zip
from lib_fabric.ratings import Ratings
from tests.helpers.measured import peak_bytes
from tests.helpers.pictures import image, picture_id, rated

MEGABYTE = 2**20
SIDE = 8192  # 64 million pixels: the most that one picture may have


@pytest.fixture
def decoded(monkeypatch):
    """The names of the pictures that were decoded, in order."""
    names = []
    real = pictures.from_image

    def from_image(opened, name="picture"):
        names.append(name)
        return real(opened, name)

    monkeypatch.setattr(pictures, "from_image", from_image)
    return names


@pytest.fixture(scope="module")
def bombs():
    """Pictures of one bit a pixel that take 1 KB each, and a whole library's memory unfolded."""
    buffer = io.BytesIO()
    Image.new("1", (SIDE, SIDE)).save(buffer, "PNG", optimize=True)
    assert len(buffer.getvalue()) < 9000
    return lambda count: _pack({f"{number:064x}": buffer.getvalue() for number in range(count)})


def _pack(entries):
    listed = [{"id": each, "weight": 1} for each in entries]
    content = {"format": "fabric-preset", "version": 1, "name": "Bomb", "settings": {}}
    lists = {"liked": listed[:256], "disliked": listed[256:]}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("preset.json", json.dumps(content | lists))
        for name, data in entries.items():
            archive.writestr(f"pictures/{name}.png", data)
    return buffer.getvalue()


def _refusal(work):
    with pytest.raises(FabricError) as caught:
        work()
    return str(caught.value)


# ---- pixels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [5, 6, 512])
def test_too_many_pixels_are_refused_before_one_is_decoded(store, bombs, decoded, count):
    data = bombs(count)
    assert _refusal(lambda: from_zip(data, store)) == (
        "The pictures of this preset have more than 256 million pixels together. "
        "Save one with fewer or smaller ones."
    )
    assert decoded == []
    assert peak_bytes(lambda: _refusal(lambda: from_zip(data, store))) < 32 * MEGABYTE


def test_the_pixels_that_are_counted_are_those_that_are_decoded(store, decoded):
    """A second header in a PNG counts, as it does for whoever decodes it."""
    buffer = io.BytesIO()
    Image.new("1", (SIDE, SIDE)).save(buffer, "PNG")
    large = buffer.getvalue()
    small = io.BytesIO()
    Image.new("1", (8, 8)).save(small, "PNG")
    header = slice(8, 8 + 25)
    both = small.getvalue()[: header.stop] + large[header.start :]
    data = _pack({f"{number:064x}": both for number in range(5)})
    assert "more than 256 million pixels" in _refusal(lambda: from_zip(data, store))
    assert decoded == []


def test_a_picture_of_the_largest_size_takes_little_more_than_itself(store, bombs):
    """Its pixels (4 bytes each), their source (here 1) and the file that is written."""
    data = bombs(1)
    peak = peak_bytes(lambda: _refusal(lambda: from_zip(data, store)))
    assert peak < SIDE * SIDE * 5 + 48 * MEGABYTE


def test_each_picture_is_decoded_once(store, decoded):
    ids = [store.add(image(seed)).id for seed in range(4)]
    data = to_zip(Preset("Warm", {}, Ratings(rated(*ids))), store)
    store.delete(ids, spare_seconds=0)
    decoded.clear()
    from_zip(data, store)
    assert sorted(decoded) == sorted(f"picture {each[:16]}" for each in ids)


# ---- what Export writes, Import takes ------------------------------------------------------------


@pytest.fixture
def warm(store):
    """A preset of two pictures of 120 pixels."""
    return Preset("Warm", {}, Ratings(rated(*(store.add(image(seed)).id for seed in range(2)))))


@pytest.mark.parametrize("limit", ["MAX_TOTAL_PIXELS", "MAX_ARCHIVE_BYTES"])
def test_what_export_writes_import_takes(store, library, warm, monkeypatch, limit):
    data = to_zip(warm, store)
    most = {"MAX_TOTAL_PIXELS": 240, "MAX_ARCHIVE_BYTES": len(data)}[limit]
    monkeypatch.setattr(preset_archive, limit, most)
    assert from_zip(to_zip(warm, store), library.store).ratings == warm.ratings
    monkeypatch.setattr(preset_archive, limit, most - 1)
    sentence = _refusal(lambda: to_zip(warm, store))
    assert sentence.endswith("pictures.") or sentence.endswith("smaller ones.")
    assert _refusal(lambda: from_zip(data, library.store)) == sentence


def test_export_counts_pixels_before_it_decodes(store, warm, decoded, monkeypatch):
    monkeypatch.setattr(preset_archive, "MAX_TOTAL_PIXELS", 239)
    decoded.clear()
    _refusal(lambda: to_zip(warm, store))
    assert decoded == []


def test_export_stops_where_it_is_too_much(store, warm, decoded, monkeypatch):
    monkeypatch.setattr(preset_archive, "MAX_ARCHIVE_BYTES", 400)
    decoded.clear()
    _refusal(lambda: to_zip(warm, store))
    assert len(decoded) == 1


# ---- entries -------------------------------------------------------------------------------------

ENTRIES = 200_000


def _crowded(told=None, size=None, before=b""):
    """An archive with a table of contents of `ENTRIES`, and what its last bytes tell of that."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *[0] * 9, 1, *[0] * 6) + b"x"
    table = entry * ENTRIES
    told = min(ENTRIES, 0xFFFF) if told is None else told
    size = len(table) if size is None else size
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, told, told, size, 0, 0)
    return table + before + end


ZIP64 = (
    struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, ENTRIES, ENTRIES, 47 * ENTRIES, 0)
    + struct.pack("<4sLQL", b"PK\x06\x07", 0, 47 * ENTRIES, 1)
)  # fmt: skip
UNREADABLE = "This file is not a preset, or it is damaged."


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({}, "This file holds 65535 entries, too many for a preset."),
        ({"told": 3}, UNREADABLE),
        ({"told": 3, "size": 100, "before": ZIP64}, UNREADABLE),
        ({"told": 0xFFFF, "size": 0xFFFFFFFF, "before": ZIP64}, UNREADABLE),
    ],
    ids=["as they are", "a number that lies", "a second end", "a large archive"],
)
def test_too_many_entries_are_refused_before_they_are_read(store, made, sentence):
    data = _crowded(**made)
    tracemalloc.start()
    try:
        assert _refusal(lambda: from_zip(data, store)) == sentence
        assert tracemalloc.get_traced_memory()[1] < MEGABYTE
    finally:
        tracemalloc.stop()


def test_the_archives_above_are_such(store):
    """Python reads them all: or the test above proves nothing."""
    for made in ({}, {"told": 3}, {"told": 3, "size": 100, "before": ZIP64}):
        with zipfile.ZipFile(io.BytesIO(_crowded(**made))) as archive:
            assert len(archive.infolist()) == ENTRIES


def test_a_comment_behind_the_archive_is_not_looked_for(store):
    """Else its end would have to be searched, and could be another one for whoever reads it."""
    buffer = io.BytesIO(_pack({picture_id(1): b""}))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"x" * 100
    assert _refusal(lambda: from_zip(buffer.getvalue(), store)) == UNREADABLE
