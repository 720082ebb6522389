"""Presets of sd-webui-fabric: as it writes them, and nothing outside its folder is ever read."""

import io
import json
import struct
import zipfile

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.library.imports import webui_fabric
from lib_fabric.library.imports.webui_fabric import FoundPresets, from_zip, is_zip_of_folder
from lib_fabric.ratings import Ratings
from tests.helpers.pictures import image, picture_id, rated

NOTHING = "No preset of sd-webui-fabric could be read with its pictures."


def name_of(seed):
    """As that extension names its files."""
    return f"{seed:016x}.png"


def preset_text(liked=(), disliked=()):
    """As that extension writes it."""
    lists = {"liked_paths": list(liked), "disliked_paths": list(disliked)}
    return json.dumps(lists, indent=4)


@pytest.fixture
def root(tmp_path):
    """A WebUI's folder in which that extension has left three pictures and one preset."""
    folder = tmp_path / "webui"
    for part in ("images", "presets"):
        (folder / "log" / "fabric" / part).mkdir(parents=True)
    for seed in range(3):
        image(seed).save(folder / "log" / "fabric" / "images" / name_of(seed))
    write_preset(folder, "Warm", [name_of(0), name_of(1)], [name_of(2)])
    return folder


def write_preset(root, name, liked=(), disliked=(), text=None):
    path = root / "log" / "fabric" / "presets" / f"{name}.json"
    path.write_text(preset_text(liked, disliked) if text is None else text, "utf-8")


def zipped(root, start="fabric/", **more):
    """The folder as a person packs it, and `more` files by name."""
    buffer = io.BytesIO()
    folder = root / "log" / "fabric"
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, start + path.relative_to(folder).as_posix())
        for name, data in more.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def in_folder(root, tmp_path):
    return FoundPresets([root], tmp_path / "offered")


WARM = Ratings(rated(picture_id(0), picture_id(1)), rated(picture_id(2)))


@pytest.mark.parametrize("start", ["", "fabric/", "log/fabric/", "log\\fabric\\"])
def test_a_packed_folder_is_read_however_it_was_packed(root, store, start):
    data = zipped(root, start)
    assert is_zip_of_folder(data)
    imported = from_zip(data, store)
    (preset,) = imported.presets
    assert (preset.name, preset.ratings, imported.num_left_out) == ("Warm", WARM, 0)
    assert all(each.picture in store for each in preset.ratings)


def test_the_folder_in_the_webui_is_read_where_it_lies(root, store, tmp_path):
    found = in_folder(root, tmp_path)
    assert found.num_offered("") == 1
    (preset,) = found.read(store).presets
    assert (preset.name, preset.ratings) == ("Warm", WARM)


def test_a_folder_is_offered_once_to_each(root, store, tmp_path):
    found = in_folder(root, tmp_path)
    found.settle("ann/../x")
    assert found.num_offered("ann/../x") == 0
    assert found.num_offered("") == 1
    assert in_folder(root, tmp_path).num_offered("ann/../x") == 0
    assert FoundPresets([tmp_path / "none"], tmp_path / "offered").num_offered("") == 0


def test_the_first_of_several_folders_that_has_presets_counts(root, tmp_path):
    assert FoundPresets([tmp_path, root], tmp_path / "offered").num_offered("") == 1


@pytest.mark.parametrize("is_packed", [True, False])
@pytest.mark.parametrize(
    "name",
    ["../secret.png", "../../secret.png", "/{root}/secret.png", "secret.png", "..", "", "a\0b",
     "images/../../secret.png", "..\\secret.png"],
)  # fmt: skip
def test_no_name_leads_out_of_the_folder(root, store, tmp_path, name, is_packed):
    image(9).save(root / "secret.png")
    image(9).save(root / "log" / "fabric" / "secret.png")
    write_preset(root, "Warm", [name.replace("{root}", str(root)), name_of(0)])
    data = zipped(root)
    imported = from_zip(data, store) if is_packed else in_folder(root, tmp_path).read(store)
    (preset,) = imported.presets
    assert preset.ratings == Ratings(rated(picture_id(0)))
    assert imported.num_left_out == 1
    assert picture_id(9) not in store


@pytest.mark.parametrize("linked", ["log", "log/fabric", "log/fabric/images", "file"])
def test_no_link_is_followed(root, store, tmp_path, linked):
    away = tmp_path / "away"
    is_file = linked == "file"
    path = root / (f"log/fabric/images/{name_of(0)}" if is_file else linked)
    path.rename(away)
    path.symlink_to(away)
    found = in_folder(root, tmp_path)
    if is_file:
        assert found.read(store).presets[0].ratings == WARM.remove(picture_id(0))
    else:
        with pytest.raises(FabricError, match=NOTHING):
            found.read(store)
    assert picture_id(0) not in store


def test_what_cannot_be_read_is_left_out_and_counted(root, store, tmp_path):
    images = root / "log" / "fabric" / "images"
    (images / name_of(1)).write_bytes(b"no picture")
    (images / name_of(2)).unlink()
    write_preset(root, "No JSON", text="{")
    write_preset(root, "No lists", text='{"liked_paths": "all"}')
    write_preset(root, "Nested", text="[" * 200_000)
    write_preset(root, "Empty")
    write_preset(root, "Odd names", [name_of(0), 5, None, [name_of(1)]])
    imported = in_folder(root, tmp_path).read(store)
    assert [each.name for each in imported.presets] == ["Odd names", "Warm"]
    assert all(each.ratings == Ratings(rated(picture_id(0))) for each in imported.presets)
    assert imported.num_left_out == 5


def test_a_picture_in_both_lists_or_twice_is_rated_once(root, store, tmp_path):
    write_preset(root, "Warm", [name_of(0), name_of(0)], [name_of(0), name_of(1)])
    (preset,) = in_folder(root, tmp_path).read(store).presets
    assert preset.ratings == Ratings(rated(picture_id(0)), rated(picture_id(1)))


@pytest.mark.parametrize("name", ["x" * 200, "  ", "\u200b"])
def test_a_name_that_no_preset_may_have_gets_one(root, store, name):
    data = zipped(root, **{f"fabric/presets/{name}.json": preset_text([name_of(0)])})
    names = {each.name for each in from_zip(data, store).presets}
    assert names == {"Warm", "x" * 80 if name.startswith("x") else "sd-webui-fabric"}


def test_nothing_that_can_be_read_is_said(root, store):
    for path in (root / "log" / "fabric" / "images").iterdir():
        path.unlink()
    with pytest.raises(FabricError, match=NOTHING):
        from_zip(zipped(root), store)


def test_presets_of_our_own_are_another_thing(store):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("preset.json", "{}")
    assert not is_zip_of_folder(buffer.getvalue())


def test_the_bounds_of_a_presets_file_hold(root, store, monkeypatch):
    data = zipped(root)
    with pytest.raises(FabricError, match="too many for a preset"):
        from_zip(zipped(root, **{f"more {number}": b"" for number in range(600)}), store)
    with pytest.raises(FabricError, match="not a preset, or it is damaged"):
        from_zip(data[:-30], store)
    encrypted = bytearray(data)
    # In the table of contents, where an entry's name comes after 46 bytes.
    at = encrypted.rfind(b"fabric/images/0") - 46
    struct.pack_into("<H", encrypted, at + 8, 1)
    with pytest.raises(FabricError, match="encrypted"):
        from_zip(bytes(encrypted), store)
    bomb = zipped(root, **{"fabric/presets/Bomb.json": " " * (webui_fabric.MAX_JSON_BYTES + 1)})
    assert from_zip(bomb, store).num_left_out == 1
    with monkeypatch.context() as patch:
        patch.setattr("lib_fabric.library.preset_archive.MAX_TOTAL_PIXELS", 2 * 10 * 12)
        with pytest.raises(FabricError, match="million pixels together"):
            from_zip(data, store)
