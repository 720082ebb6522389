"""Rated pictures that are deleted, cut, changed or unreadable behind the WebUI's back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.inputs.files import bomb, pixels, short_id, text_of, to_file
from tests.integration.fault_checks import Unharmed, failure, fault_request, fresh_ratings
from tests.integration.gradio_page import GradioPage

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def unharmed(standin, webui, rated):
    """The state before all of these tests."""
    return Unharmed(standin, webui, rated)


@pytest.fixture
def damaged(standin, webui, request):
    """A picture in the store, another one for every test: its text, short id and file."""
    rgb = pixels(20_000 + request.session.items.index(request.node))
    text, name = text_of(Image.fromarray(rgb)), short_id(rgb)
    webui.txt2img(**fault_request({"liked": [text]}, steps=1))
    (path,) = (standin.data_dir / ".fabric" / "pictures").rglob(f"{name}*.png")
    return text, name, path


def _replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace_by_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _replace_by_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


DAMAGES = {
    "deleted": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:300]),
    "another picture": lambda path: path.write_bytes(to_file(Image.fromarray(pixels(19_999)))),
    "a bomb": lambda path: path.write_bytes(bomb(60_000, 60_000)),
    "text": lambda path: path.write_text("../../etc/passwd"),
    "a folder": _replace_by_folder,
    "a link to another file": _replace_by_link,
    "a link to itself": _replace_by_loop,
    "the whole subfolder gone": lambda path: shutil.rmtree(path.parent),
    "a second file of that short id": lambda path: shutil.copy(
        path, path.with_name(f"{path.stem[:16]}{'0' * 48}.png")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_picture_that_is_gone_is_named_and_can_be_rated_again(webui, unharmed, damaged, damage):
    text, name, path = damaged
    DAMAGES[damage](path)
    told = failure(webui, fault_request({"liked": [name]}))
    assert told == (422, f"liked[0]: picture '{name}' is no longer in the store. Rate it again.")
    for leftover in path.parent.glob(f"{name}*"):
        leftover.rmdir() if leftover.is_dir() and not leftover.is_symlink() else leftover.unlink()
    with unharmed.after():
        assert failure(webui, fault_request({"liked": [text]})) is None
        assert failure(webui, fault_request({"liked": [name]})) is None


def test_a_file_in_the_folders_place_is_told(standin, webui, unharmed):
    """The pictures cannot be kept: nothing is made without them."""
    folder = standin.data_dir / ".fabric"
    aside = standin.data_dir / ".aside"
    with unharmed.after():
        folder.rename(aside)
        folder.write_text("no folder")
        try:
            text = text_of(Image.fromarray(pixels(30_000)))
            told = failure(webui, fault_request({"liked": [text]}))
            assert told == (500, "liked[0]: the picture could not be saved: Not a directory.")
            known = failure(webui, fault_request({"disliked": [short_id(pixels(30_000))]}))
            assert known[0] == 422
            assert known[1].startswith("disliked[0]: picture ")
            assert failure(webui, fault_request()) is None
        finally:
            folder.unlink()
            aside.rename(folder)


# Each file takes three: a temporary one, its way to the disk, its name. After each picture comes a
# note of its owner, without which the generation goes on.
WRITES = {
    **dict.fromkeys((1, 2, 3), "liked[0]"),
    **dict.fromkeys((7, 8, 9), "liked[1]"),
    **dict.fromkeys((13, 14, 15), "disliked[0]"),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_full_disk_at_any_write_of_a_generation(standin, webui, unharmed, request, write):
    seed = 1_000_000 + request.session.items.index(request.node)
    ratings = fresh_ratings(seed)
    with unharmed.after():
        standin.post("/standin/fault", {"at": f"disk:{write}", "kind": "full"})
        told = failure(webui, fault_request(ratings))
        sentence = "the picture could not be saved: No space left on device."
        assert told == (500, f"{WRITES[write]}: {sentence}")
        assert not standin.get("/standin/fault").json(), "it never came to that"
        # With room again the same request works.
        assert failure(webui, fault_request(ratings)) is None
    assert list((standin.data_dir / ".fabric").rglob(".new*")) == [], "half-written files"


# A picture, then (after a note of its owner) its note and the list of active pictures.
@pytest.mark.parametrize("write", [1, 2, 3, *range(7, 13)])
def test_a_full_disk_at_any_write_of_a_press(standin, webui, unharmed, request, write):
    page = GradioPage(standin.url)
    seed = 1_100_000 + request.session.items.index(request.node)
    first, second = (text_of(Image.fromarray(pixels(seed + i))) for i in (0, 500))
    kept = page.fabric("add", data=first, name="first.png")["rated"]
    with unharmed.after():
        standin.post("/standin/fault", {"at": f"disk:{write}", "kind": "full"})
        told = page.fabric("add", data=second, name="second.png")
        assert told["note"]["failed"]
        assert "could not be saved: No space left on device." in told["note"]["text"]
        assert not standin.get("/standin/fault").json(), "it never came to that"
        # Rated on this page as far as the picture itself could be kept.
        assert told["liked"] == ([kept] if write <= 3 else [kept, told["rated"]])
        again = page.fabric("add", data=second, name="second.png")
        assert again["rated"] in page.fabric("history")["liked"]
    assert kept in page.reopened().fabric("open")["liked"]


def test_a_folder_deleted_while_it_runs_is_made_again(standin, webui, rated):
    folder = standin.data_dir / ".fabric"
    aside = standin.data_dir / ".aside"
    before = webui.txt2img(**fault_request(rated)).pictures
    folder.rename(aside)
    try:
        again = webui.txt2img(**fault_request(rated)).pictures
        assert [p.tobytes() for p in before] == [p.tobytes() for p in again]
        assert len(list(folder.rglob("*.png"))) == 3
    finally:
        shutil.rmtree(folder)
        aside.rename(folder)
