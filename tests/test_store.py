"""Pictures on disk: what is kept, found again, and what happens when files or disks misbehave."""

import io
import os
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_fabric import files as files_module
from lib_fabric import store as store_module
from lib_fabric.errors import FabricError
from lib_fabric.pictures import from_image
from lib_fabric.store import PictureStore


def _image(seed=0, height=20, width=30):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _folder(store):
    return store._folder


def _refusal(function, *args, status_code=422):
    with pytest.raises(FabricError) as caught:
        function(*args)
    assert caught.value.status_code == status_code
    return str(caught.value)


def _missing(name):
    return f"picture {name[:16]!r} is no longer in the store. Rate it again."


def test_a_picture_comes_back_as_it_was(store):
    picture = store.add(_image())
    loaded = store.load(picture.id)
    assert loaded.id == picture.id == from_image(_image()).id
    assert np.array_equal(np.asarray(loaded.image), np.asarray(_image()))
    assert loaded.image.mode == "RGB"


def test_an_image_or_a_picture_may_be_added(store):
    picture = from_image(_image())
    assert store.add(picture) is picture
    assert store.add(_image()).id == picture.id


def test_the_same_picture_is_one_file_named_by_its_content(store):
    for _ in range(3):
        picture = store.add(_image())
    assert _files(_folder(store)) == [_folder(store) / picture.id[:2] / f"{picture.id}.png"]


def test_an_intact_file_is_not_written_again(store, monkeypatch):
    store.add(_image())
    monkeypatch.setattr(store_module, "write_atomically", _fail_with(AssertionError("written")))
    store.add(_image())


def test_nothing_is_written_before_the_first_picture(tmp_path):
    folder = tmp_path / "pictures"
    store = PictureStore(folder)
    assert "0" * 64 not in store
    _refusal(store.load, "0" * 64)
    assert not folder.exists()


def test_contains(store):
    picture = store.add(_image())
    assert picture.id in store
    assert picture.short_id in store
    assert from_image(_image(1)).id not in store
    assert 5 not in store
    assert None not in store


def test_a_short_id_finds_its_picture(store):
    pictures = [store.add(_image(seed)) for seed in range(5)]
    for picture in pictures:
        assert store.load(picture.short_id).id == picture.id


def test_a_short_id_that_fits_two_pictures_finds_none(store):
    picture = store.add(_image())
    path = _files(_folder(store))[0]
    (path.parent / f"{picture.short_id}{'0' * 48}.png").write_bytes(path.read_bytes())
    assert picture.short_id not in store
    assert _refusal(store.load, picture.short_id) == _missing(picture.short_id)
    assert store.load(picture.id).id == picture.id


@pytest.mark.parametrize(
    "name",
    ["", "0" * 64, "0" * 16, "0" * 63, "0" * 17, "a", "*", "?" * 16, "0" * 65],
)
def test_what_is_not_there_is_refused(store, name):
    store.add(_image())
    assert name not in store
    assert _refusal(store.load, name) == _missing(name)
    assert _refusal(store.thumbnail, name) == _missing(name)


@pytest.mark.parametrize(
    "make_name",
    [
        lambda path: str(path),
        lambda path: str(path.with_suffix("")),
        lambda path: f"../{path.parent.name}/{path.stem}",
        lambda path: f"{path.stem}\n",
        lambda path: f" {path.stem}",
        lambda path: path.stem.upper(),
        lambda path: f"{path.stem}.png",
        lambda path: path.stem + "\0",
    ],
)
def test_only_an_id_is_looked_up_never_a_path(store, make_name):
    store.add(_image())
    name = make_name(_files(_folder(store))[0])
    assert name not in store
    assert "is no longer in the store" in _refusal(store.load, name)


def test_a_name_that_begins_with_an_id_is_none(store):
    store.add(_image())
    path = _files(_folder(store))[0]
    path.with_name(f"{path.stem}-old.png").write_bytes(path.read_bytes())
    assert f"{path.stem}-old" not in store


def _png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _bomb():
    header = struct.pack(">2I5B", 60000, 60000, 8, 2, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")):
        parts += [struct.pack(">I", len(data)), kind, data]
        parts.append(struct.pack(">I", zlib.crc32(kind + data)))
    return b"".join(parts)


def _bomb_of_text(intact):
    chunk = b"zTXtk\0\0" + zlib.compress(bytes(2**21))
    packed = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return intact[:33] + packed + intact[33:]


_DAMAGES = {
    "empty": lambda intact: b"",
    "cut": lambda intact: intact[: len(intact) // 2],
    "not a picture": lambda intact: b"hello",
    "another picture": lambda intact: _png(_image(1)),
    "another format": lambda intact: b"GIF89a" + bytes(200),
    "too small": lambda intact: _png(Image.new("RGB", (1, 1))),
    "header destroyed": lambda intact: intact[:16] + bytes(10) + intact[26:],
    "decompression bomb": lambda intact: _bomb(),
    "bomb of text": _bomb_of_text,
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_changed_file_is_not_served(store, damage):
    picture = store.add(_image())
    path = _files(_folder(store))[0]
    path.write_bytes(_DAMAGES[damage](path.read_bytes()))
    assert _refusal(store.load, picture.id) == _missing(picture.id)
    assert _refusal(store.thumbnail, picture.id) == _missing(picture.id)


def test_rating_again_repairs_a_changed_file(store):
    picture = store.add(_image())
    path = _files(_folder(store))[0]
    path.write_bytes(path.read_bytes()[:50])
    store.add(_image())
    assert store.load(picture.id).id == picture.id


def test_a_file_that_vanishes_while_it_is_loaded_is_refused(store, monkeypatch):
    picture = store.add(_image())

    def gone(_path):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_bytes", gone)
    assert _refusal(store.load, picture.id) == _missing(picture.id)


@pytest.mark.parametrize("method", ["is_file", "glob", "read_bytes"])
@pytest.mark.parametrize("error", [PermissionError(13, "no"), OSError(5, "Input/output error")])
def test_a_disk_that_fails_is_a_picture_that_is_gone(store, monkeypatch, method, error):
    picture = store.add(_image())
    monkeypatch.setattr(Path, method, _fail_with(error))
    name = picture.short_id if method == "glob" else picture.id
    assert _refusal(store.load, name) == _missing(name)
    assert method == "read_bytes" or name not in store


# Writing


def _fail_with(error):
    def fail(*_args, **_kwargs):
        raise error

    return fail


@pytest.mark.parametrize("failing", ["fsync", "replace", "write"])
def test_a_failed_write_leaves_nothing_behind(store, monkeypatch, failing):
    error = OSError(28, "No space left on device")
    if failing == "fsync":
        monkeypatch.setattr(files_module.os, "fsync", _fail_with(error))
    elif failing == "replace":
        monkeypatch.setattr(Path, "replace", _fail_with(error))
    else:
        real = os.fdopen

        def fdopen(handle, mode):
            file = real(handle, mode, buffering=0)

            class Failing:
                def __enter__(self):
                    return self

                def __exit__(self, *_):
                    file.close()

                write = staticmethod(_fail_with(error))

            return Failing()

        monkeypatch.setattr(files_module.os, "fdopen", fdopen)
    sentence = _refusal(store.add, _image(), status_code=500)
    assert sentence == "the picture could not be saved: No space left on device."
    monkeypatch.undo()
    assert _files(_folder(store)) == []
    assert from_image(_image()).id not in store


def test_an_interrupt_while_writing_leaves_nothing_behind(store, monkeypatch):
    monkeypatch.setattr(files_module.os, "fsync", _fail_with(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        store.add(_image())
    assert _files(_folder(store)) == []


def test_a_file_appears_whole(store, monkeypatch):
    """Until the last step there is no file of that name, and the last step is one rename."""
    picture = from_image(_image())
    target = _folder(store) / picture.id[:2] / f"{picture.id}.png"
    seen = []
    real = Path.replace

    def replace(source, destination):
        seen.append((target.exists(), source.parent == target.parent, Path(destination)))
        with Image.open(source) as image:
            image.load()  # complete before it is renamed
        return real(source, destination)

    monkeypatch.setattr(Path, "replace", replace)
    store.add(picture)
    assert seen == [(False, True, target)]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "pictures").write_text("a file in the way")
    store = PictureStore(tmp_path / "pictures")
    sentence = _refusal(store.add, _image(), status_code=500)
    assert sentence.startswith("the picture could not be saved: ")
    assert from_image(_image()).id not in store


def test_unusable_pictures_are_refused_and_not_kept(store):
    sentence = _refusal(store.add, Image.new("RGB", (4, 4)))
    assert sentence == "picture is 4x4 pixels; each side must be at least 8."
    assert _files(_folder(store)) == []


def test_many_threads_may_add_and_load_at_once(store):
    images = [_image(seed) for seed in range(4)]
    ids = [from_image(image).id for image in images]
    barrier = threading.Barrier(8)

    def work(number):
        barrier.wait()
        for turn in range(12):
            which = (number + turn) % 4
            assert store.add(images[which]).id == ids[which]
            assert store.load(ids[which]).id == ids[which]
        return number

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == list(range(8))
    assert [path.stem for path in _files(_folder(store))] == sorted(ids)


def test_two_stores_share_a_folder(store):
    picture = store.add(_image())
    assert PictureStore(_folder(store)).load(picture.short_id).id == picture.id


# Thumbnails


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(300, 600, (192, 96)), (600, 300, (96, 192)), (20, 30, (30, 20))],
)
def test_a_thumbnail_is_a_small_jpeg_of_the_same_shape(store, height, width, expected):
    picture = store.add(Image.new("RGB", (width, height), (200, 30, 30)))
    with Image.open(io.BytesIO(store.thumbnail(picture.id))) as thumbnail:
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == expected
        assert np.abs(np.array(thumbnail.getpixel((5, 5))) - (200, 30, 30)).max() < 8


def test_a_thumbnail_of_a_given_size(store):
    picture = store.add(_image(0, 300, 600))
    with Image.open(io.BytesIO(store.thumbnail(picture.short_id, 64))) as thumbnail:
        assert thumbnail.size == (64, 32)
    assert store.load(picture.id).image.size == (600, 300)
