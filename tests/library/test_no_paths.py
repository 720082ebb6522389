"""No text of a request or of a page is opened as a file, listed as a folder or asked of a network.

Python tells of all of these by its audit events (PEP 578).
"""

import contextlib
import json
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from PIL import Image

from lib_fabric.arguments import parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.page.actions import ACTIONS, Action
from lib_fabric.page.outcome import PageState
from lib_fabric.page.presses.presses import Presses
from lib_fabric.page.shown_pictures import ShownPictures
from lib_fabric.ratings import Ratings
from tests.helpers.page_host import FakePageHost
from tests.helpers.pictures import image, picture_id, rated
from tests.inputs.bad import BAD_INPUTS

BODY = Path(__file__).resolve()
HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\Windows\\win.ini",
    "\\\\server\\share\\picture.png",
    "file:///etc/passwd",
    "http://127.0.0.1:9/picture.png",
    str(BODY),
    BODY.as_uri(),
    "*",
    "..",
    "\0",
]
TEXT_FIELDS = [
    each.name for each in fields(Action) if each.name != "do" and isinstance(each.default, str)
]


class _Watch:
    """Every event inside the `with` that names a file, a folder, a program or an address."""

    PREFIXES = ("open", "os.", "glob.", "shutil.", "socket.", "urllib.", "subprocess.", "sqlite3.")

    def __init__(self):
        self._seen = None
        sys.addaudithook(self._note)  # for ever: Python takes no hook away

    def _note(self, event, arguments):
        if self._seen is not None and event.startswith(self.PREFIXES):
            self._seen.append((event, arguments))

    @contextlib.contextmanager
    def __call__(self):
        self._seen = seen = []
        try:
            yield seen
        finally:
            self._seen = None


@pytest.fixture(scope="module")
def watch():
    Image.init()  # Pillow's plugins are files of their own
    return _Watch()


def _outside(seen, folder):
    """Paths outside `folder`, and everything that is no path."""
    strange = []
    for event, arguments in seen:
        if event.startswith(("socket.", "urllib.", "subprocess.")):
            strange.append((event, arguments))
        for each in arguments[:1]:
            is_path = isinstance(each, (str, bytes, Path))
            if is_path and not Path(str(each)).is_relative_to(folder):
                strange.append((event, each))
    return strange


def test_the_watch_sees_what_it_is_for(watch, tmp_path):
    with watch() as seen, contextlib.suppress(OSError):
        (tmp_path / "x").write_text("x")
        list(tmp_path.iterdir())
        BODY.read_bytes()
    found = _outside(seen, tmp_path)
    assert [str(path) for _, path in found] == [str(BODY)]
    assert len(seen) == 3


@pytest.mark.parametrize("given", BAD_INPUTS, ids=str)
def test_no_field_of_a_request_is_a_path_or_an_address(watch, store, given):
    with watch() as seen, pytest.raises(FabricError):
        parse_arguments(given.arguments, store)
    assert _outside(seen, store.folder) == []


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "arguments", [lambda text: [{"liked": [text]}], lambda text: [True, text, ""],
                  lambda text: [{"disliked": [{"image": text}]}], lambda text: [{text: 1}],
                  lambda text: [{"liked": [], "strength": text}]]
)  # fmt: skip
def test_no_hostile_text_of_a_request_is_a_path_or_an_address(watch, store, arguments, text):
    with watch() as seen, pytest.raises(FabricError):
        parse_arguments(arguments(text), store)
    assert _outside(seen, store.folder) == []


@pytest.mark.parametrize("do", ACTIONS)
def test_no_field_of_a_press_is_a_path_or_an_address(watch, library, tmp_path, do):
    picture = library.store.add(image(1))
    presses = Presses(library, FakePageHost(gallery_picture=lambda _: image(2)))
    shown = ShownPictures(({"name": "x"},))
    page = PageState(Ratings(rated(picture.id)), True, tab="txt2img", shown=shown)
    for name in TEXT_FIELDS:
        for text in HOSTILE:
            action = {"do": do, "picture_id": picture_id(1), "index": 0, "name": "Mine", name: text}
            with watch() as seen:
                presses.carry_out(json.dumps(action), page)
            assert _outside(seen, tmp_path) == []
            for _, arguments in seen:
                told = str(arguments).replace("\\\\", "\\")
                assert not any(each in told for each in HOSTILE if len(each) > 2)


def test_every_text_of_a_press_is_tried():
    assert {"page", "browser", "name", "new_name", "data", "liked", "search"} <= {*TEXT_FIELDS}
