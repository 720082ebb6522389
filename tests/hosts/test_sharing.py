"""What goes to other machines, when it is read, and what is said of what they made."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from PIL import Image

from lib_fabric.errors import FabricError
from lib_fabric.pictures import from_image
from lib_fabric.ratings import Rated, Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings
from tests.helpers.fake_modules import fake_modules, imported_anew

PICTURES = [from_image(Image.new("RGB", (80, 80), colour)) for colour in ("red", "blue")]
REQUEST = FabricRequest(
    FabricSettings(enabled=True, strength=0.5),
    Ratings((Rated(PICTURES[0], 2.0),), (Rated(PICTURES[1], 1.0),)),
)


@pytest.fixture
def state():
    return SimpleNamespace(interrupted=False)


@pytest.fixture
def sharing(monkeypatch, state):
    fake_modules(monkeypatch, {"shared": {"state": state}})
    with imported_anew("lib_fabric.hosts.sharing") as module:
        yield module


def script(title, **attributes):
    filename = f"/{title}/scripts/{title}.py"
    return SimpleNamespace(title=lambda: title, filename=filename, **attributes)


def worker(label, *, has_fabric=True, is_master=False):
    known = {"txt2img": ["fabric", "hires"] if has_fabric else ["hires"], "img2img": []}
    return SimpleNamespace(label=label, master=is_master, supported_scripts=known)


def job(of, made=(), *, is_started=True):
    thread = object() if is_started else None
    return SimpleNamespace(worker=of, thread=thread, gallery_map=list(made))


def processing(*jobs, batch_size=1, **attributes):
    world = SimpleNamespace(enabled=True, enabled_i2i=True, jobs=list(jobs))
    ours, distribute = script("FABRIC"), script("Distribute", world=world)
    runner = SimpleNamespace(scripts=[ours, distribute], alwayson_scripts=[ours, distribute])
    p = SimpleNamespace(
        scripts=runner, script_args=[0, "first", "second"], batch_size=batch_size, **attributes
    )
    world.p = p
    return p


def carried(sharing, read=None):
    """A processing object that carries the request at 1; `read` gets each picture that is read."""
    p = processing()

    def to_file(picture):
        if read is not None:
            read.append(picture.id)
        return b"file of " + picture.id.encode()

    sharing.carry(p, 1, REQUEST, to_file)
    return p


def sent_pictures(arguments):
    return [
        base64.b64decode(entry["image"]).decode()
        for name in ("liked", "disliked")
        for entry in arguments[name]
    ]


def test_pictures_are_read_once_and_only_when_they_are_sent(sharing):
    read = []
    p = carried(sharing, read)
    assert p.script_args[1]["liked"] == [{"image": PICTURES[0].id, "weight": 2.0}]
    assert sharing.carried_request((p.script_args[1], "", "")) == REQUEST
    assert read == []
    for _ in range(2):
        sent = copy.deepcopy({"args": p.script_args[1:]})["args"][0]
        assert sent_pictures(sent) == [f"file of {each.id}" for each in PICTURES]
        assert json.loads(json.dumps(p.script_args[1])) == json.loads(json.dumps(sent)) == sent
    assert read == [each.id for each in PICTURES]


def test_a_cells_settings_are_sent_for_that_cell_alone(sharing):
    read = []
    p = carried(sharing, read)
    cell = copy.copy(p)
    sharing.carry_settings(cell, {"strength": 1.5})
    sharing.carry_settings(cell, {"end": 0.9})
    assert read == []
    sent, first = copy.deepcopy(cell.script_args[1]), copy.deepcopy(p.script_args[1])
    assert (sent["strength"], sent["end"], first["strength"]) == (1.5, 0.9, 0.5)
    assert sent_pictures(sent) == sent_pictures(first)
    assert read == [each.id for each in PICTURES]
    asked_for = sharing.carried_request(cell.script_args[1:]).settings
    assert asked_for == replace(REQUEST.settings, strength=1.5, end=0.9)
    sharing.carry_settings(cell, {"start": 0.95})
    with pytest.raises(FabricError, match="must not be after"):
        sharing.carried_request(cell.script_args[1:])
    nothing_carried = processing()
    sharing.carry_settings(nothing_carried, {"strength": 1.5})
    assert nothing_carried.script_args == [0, "first", "second"]


@pytest.mark.parametrize("arguments", [(), ("text",), ({"liked": []},), (None, "", "")])
def test_what_a_client_sent_is_not_taken_for_what_we_carry(sharing, arguments):
    assert sharing.carried_request(arguments) is None


def test_only_where_it_is_on_for_this_tab(sharing):
    p = processing()
    world = p.scripts.alwayson_scripts[1].world
    world.enabled = False
    assert not sharing.is_shared_out(p)
    p.init_images = [object()]
    assert sharing.is_shared_out(p)
    world.enabled_i2i = False
    assert not sharing.is_shared_out(p)
    p.scripts.alwayson_scripts.pop()
    assert not sharing.is_shared_out(p)
    # Before a generation has scripts.
    assert not sharing.is_shared_out(SimpleNamespace(scripts=None))


def test_a_refusal_is_of_this_generation_alone(sharing):
    p, other = processing(), processing()
    other.scripts, around = p.scripts, []

    @contextlib.contextmanager
    def noted():
        around.append(True)
        yield

    sharing.refuse(p, FabricError("No."), noted)
    with pytest.raises(FabricError, match="No"):
        p.scripts.before_process(p)
    assert around == [True]
    assert not hasattr(other.scripts, "before_process")


@pytest.mark.parametrize("is_active", [True, False])
def test_what_does_nothing_is_not_sent_but_runs_here(sharing, is_active):
    p = processing()
    ours, others = p.scripts.scripts[0], p.scripts.scripts[1:]
    p.scripts.scripts.append(SimpleNamespace(filename="/FABRIC/scripts/second_title.py"))
    whole = p.scripts
    sharing.send_only(p, ours, is_active)
    assert p.scripts.scripts == ([ours] if is_active else []) + others
    assert ours in p.scripts.alwayson_scripts
    assert ours in whole.scripts


def test_each_picture_is_steered_as_its_machine_can(sharing):
    here, plain, other = worker("", is_master=True), worker("plain", has_fabric=False), worker("b")
    # Two here, one of the first machine, two of the second.
    p = processing(job(here), job(plain, [2]), job(other, [3, 4]), batch_size=5)
    assert [sharing.is_steered(p, i) for i in range(5)] == [True, True, False, True, True]
    # What a later generation shares out is none of this one's business.
    p.scripts.alwayson_scripts[1].world.p = processing()
    assert sharing.is_steered(p, 2)
    assert list(sharing.remarks(p, carried(sharing).script_args[1:])) == []


def test_the_machines_that_are_named(sharing, state):
    jobs = [
        job(worker("", is_master=True)),
        job(worker("plain", has_fabric=False), [1]),
        job(worker("silent", has_fabric=False)),
        job(worker("lost")),
        job(worker("good"), [2]),
        job(worker("idle", has_fabric=False), is_started=False),
    ]
    p, arguments = processing(*jobs, batch_size=3), carried(sharing).script_args[1:]
    said = list(sharing.remarks(p, arguments))
    assert said == [
        sharing.UNSTEERED_TEXT.format("plain"),
        sharing.MISSING_TEXT.format("silent"),
        sharing.MISSING_TEXT.format("lost"),
    ]
    # Where nothing was carried, nothing of ours was to be done there.
    assert list(sharing.remarks(p, ["first", "second"])) == []
    state.interrupted = True
    assert list(sharing.remarks(processing(job(worker("lost"))), arguments)) == []


def test_img2img_asks_for_what_the_machine_has_there(sharing):
    p = processing(job(worker("half"), [0]), init_images=[object()])
    assert list(sharing.remarks(p, carried(sharing).script_args[1:])) == [
        sharing.UNSTEERED_TEXT.format("half")
    ]
