"""Pictures on disk: what is kept, found again, and what happens when files or disks misbehave."""

import io
import os
import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.library import store as store_module
from lib_fabric.library.storage import files as files_module
from lib_fabric.library.store import PictureStore
from lib_fabric.pictures import from_image


def _image(seed=0, height=20, width=30):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def _files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _folder(store):
    return store.folder


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
    monkeypatch.setattr(store_module, "staged", _fail_with(AssertionError("written")))
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


_DAMAGES = {
    "empty": lambda intact: b"",
    "cut": lambda intact: intact[: len(intact) // 2],
    "not a picture": lambda intact: b"hello",
    "another picture": lambda intact: _png(_image(1)),
    "another format": lambda intact: b"GIF89a" + bytes(200),
    "too small": lambda intact: _png(Image.new("RGB", (1, 1))),
    "header destroyed": lambda intact: intact[:16] + bytes(10) + intact[26:],
    "decompression bomb": lambda intact: _bomb(),
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


def test_a_file_is_what_lies_on_disk(store, monkeypatch):
    picture = store.add(_image())
    path = _files(_folder(store))[0]
    path.write_bytes(b"packed in another way")
    assert store.file(picture.id) == store.file(picture.short_id) == b"packed in another way"
    for name in ("0" * 64, "../../etc/passwd", str(path)):
        assert _refusal(store.file, name) == _missing(name)
    monkeypatch.setattr(Path, "read_bytes", _fail_with(OSError(5, "Input/output error")))
    assert _refusal(store.file, picture.id) == _missing(picture.id)


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
    [(300, 600, (176, 88)), (600, 300, (88, 176)), (20, 30, (30, 20))],
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


def test_a_thumbnail_is_made_once(store, monkeypatch):
    picture = store.add(_image(0, 300, 600))
    first = store.thumbnail(picture.id)
    monkeypatch.setattr(store_module, "make_thumbnail", _fail_with(AssertionError("made again")))
    assert store.thumbnail(picture.id) == first


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-5], lambda data: b"x" * 99]
)
def test_a_damaged_thumbnail_is_made_again(store, damage):
    picture = store.add(_image(0, 300, 600))
    first = store.thumbnail(picture.id)
    kept = _folder(store) / picture.id[:2] / f"{picture.id}.jpg"
    kept.write_bytes(damage(kept.read_bytes()))
    assert store.thumbnail(picture.id) == first == kept.read_bytes()


def test_a_thumbnail_that_cannot_be_kept_is_shown(store, monkeypatch):
    picture = store.add(_image(0, 300, 600))
    monkeypatch.setattr(store_module, "write_atomically", _fail_with(OSError(30, "Read-only")))
    assert store.thumbnail(picture.id).startswith(b"\xff\xd8")


# Notes


def test_a_note_is_kept_replaced_and_removed(store):
    picture = store.add(_image())
    for note in (b"one", b"two"):
        store.write_note(picture.id, note)
        assert list(store.notes()) == [(picture.id, note)]
        assert store.note(picture.id) == note
    for _ in range(2):
        store.write_note(picture.id, b"")
        assert list(store.notes()) == []
        assert store.note(picture.id) == store.note("0" * 64) == b""
    assert _refusal(store.write_note, "0" * 64, b"x") == _missing("0" * 64)


def test_files_of_other_names_are_neither_pictures_nor_notes(store):
    picture = store.add(_image())
    path = _files(_folder(store))[0]
    for name in (f"{picture.short_id}-copy", f"{picture.id}-copy", picture.short_id):
        path.with_name(f"{name}.png").write_bytes(path.read_bytes())
        path.with_name(f"{name}.json").write_text("{}")
    assert list(store.notes()) == []
    assert store.find(picture.short_id) == picture.id
    assert store.longest_unused(0) == [picture.id]


# When a picture was last used, and what is gone


def _aged(store, picture, seconds=1000):
    """The picture's file, last used so long ago."""
    path = _folder(store) / picture.id[:2] / f"{picture.id}.png"
    os.utime(path, (time.time() - seconds,) * 2)
    return path


@pytest.mark.parametrize("use", ["add", "load", "find"])
def test_whoever_uses_a_picture_keeps_it_from_the_limit(store, use):
    picture = store.add(_image())
    path = _aged(store, picture)
    getattr(store, use)(picture if use == "add" else picture.short_id)
    assert abs(path.stat().st_mtime - time.time()) < 60


def test_looking_is_not_using(store):
    picture = store.add(_image())
    path = _aged(store, picture)
    before = path.stat().st_mtime
    store.thumbnail(picture.id)
    assert picture.id in store
    assert store.longest_unused() == [picture.id]
    assert path.stat().st_mtime == before


def test_a_picture_is_safe_before_it_is_read_again(store, monkeypatch):
    """Else the limit could delete it between the look at its file and the rating."""
    picture = store.add(_image())
    path = _aged(store, picture)
    real, ages = Path.read_bytes, []

    def read_bytes(self):
        ages.append(time.time() - self.stat().st_mtime)
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    store.add(_image())
    assert len(ages) == 1
    assert ages[0] < 60
    assert path.exists()


def test_what_is_gone_and_what_only_cannot_be_seen(store, monkeypatch):
    picture = store.add(_image())
    assert not store.is_gone(picture.id)
    _files(_folder(store))[0].unlink()
    assert store.is_gone(picture.id)
    monkeypatch.setattr(Path, "stat", _fail_with(OSError(5, "Input/output error")))
    assert not store.is_gone(picture.id)
    monkeypatch.undo()
    _folder(store).rename(_folder(store).with_name("away"))
    assert not store.is_gone(picture.id)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot")
def test_new_folders_reach_the_disk_with_the_picture(tmp_path, monkeypatch):
    """Else a power failure may take the whole folder, and the rating that was shown with it."""
    opened = []
    real = os.open

    def note(path, *args, **kwargs):
        opened.append(Path(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(files_module.os, "open", note)
    folder = tmp_path / "a" / "pictures"
    picture = PictureStore(folder).add(_image())
    assert {folder / picture.id[:2], folder, tmp_path / "a", tmp_path} <= set(opened)


def test_a_subfolder_that_cannot_be_read_hides_no_other(store, monkeypatch):
    first, second = store.add(_image()), store.add(_image(1))
    assert first.id[:2] != second.id[:2]
    real = os.scandir

    def scandir(path):
        if Path(path).name == first.id[:2]:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert store.longest_unused(0) == [second.id]


def test_a_new_thumbnail_counts_without_counting_anew(store, monkeypatch):
    picture = store.add(_image(9, 400, 400))
    before = store.num_bytes()
    monkeypatch.setattr(os, "scandir", lambda _: pytest.fail("listed"))
    store.thumbnail(picture.id)
    num_bytes = store.num_bytes()
    monkeypatch.undo()
    (kept,) = store.folder.rglob("*.jpg")
    assert num_bytes == before + kept.stat().st_size


def test_a_clock_that_was_once_wrong_keeps_no_picture_for_ever(store):
    """Its file says that it was used tomorrow."""
    picture = store.add(_image(1))
    (path,) = store.folder.rglob("*.png")
    for ahead, is_spared in ((30, True), (24 * 3600, False)):
        os.utime(path, (time.time() + ahead,) * 2)
        assert (store.longest_unused() == []) == is_spared
    assert store.delete([picture.id]) == [picture.id]


def test_what_another_process_adds_counts_after_a_while(store, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    store.add(_image(1))
    before = store.num_bytes()
    PictureStore(store.folder).add(_image(2))
    size = sum(path.stat().st_size for path in _files(store.folder))
    now[0] += 299
    assert store.num_bytes() == before, "counted anew each time, which takes long"
    now[0] += 2
    assert store.num_bytes() == size > before


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("is_loop", [False, True])
def test_a_link_in_a_pictures_place_takes_its_own_room_and_can_be_deleted(store, tmp_path, is_loop):
    other = store.add(_image(1))
    room = store.num_bytes()
    large = tmp_path / "large.png"
    large.write_bytes(bytes(100_000))
    name = from_image(_image(2)).id
    link = store.folder / name[:2] / f"{name}.png"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(link if is_loop else large)
    assert set(store.longest_unused(spare_seconds=0)) == {name, other.id}
    assert room < store.num_bytes() < room + 1000
    assert store.delete([name], spare_seconds=0) == [name]
    assert store.num_bytes() == room
    assert large.stat().st_size == 100_000
    assert not link.is_symlink()


def test_a_crash_while_a_picture_goes_leaves_none_without_its_note(store, monkeypatch):
    picture = store.add(_image(1))
    store.write_note(picture.id, b"how it was rated")
    unlink, calls = Path.unlink, []

    def die_at_the_second(path, *args, **kwargs):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        unlink(path, *args, **kwargs)

    monkeypatch.setattr(Path, "unlink", die_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        store.delete([picture.id], spare_seconds=0)
    assert picture.id not in store, "a picture whose rating is lost"


# Several at once, and who may read them


def test_several_are_kept_one_by_one_in_order(store):
    pictures = [from_image(_image(seed)) for seed in (3, 1, 2)]
    ids = [each.id for each in pictures]
    assert store.add_all(iter(pictures)) == ids
    assert all(each in store for each in ids)
    assert store.add_all(pictures) == ids
    assert store.add_all([]) == []


@pytest.mark.parametrize("number", range(3))
def test_where_one_cannot_be_had_none_is_kept(store, number):
    kept = store.add(_image(9)).id

    def pictures():
        for seed in range(number):
            yield from_image(_image(seed))
        raise FabricError("no more")

    with pytest.raises(FabricError, match=r"^no more$"):
        store.add_all(pictures())
    files = [path.name for path in _folder(store).rglob("*") if path.is_file()]
    assert files == [f"{kept}.png"]


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o775, 0o2770])
def test_files_may_be_read_by_whoever_may_read_the_folder(store, mode):
    """A folder that several accounts share is no use with files that are one account's alone."""
    picture_id = store.add(_image()).id
    path = _folder(store) / picture_id[:2] / f"{picture_id}.png"
    path.parent.chmod(mode)
    path.unlink()
    store.add(_image())
    store.write_note(picture_id, b"{}")
    store.thumbnail(picture_id)
    modes = {each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    assert modes == {mode & 0o666}
