"""Feedback beside an extension that lets other machines make a part of each batch."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
from PIL import Image

from lib_fabric.arguments import argument_names
from lib_fabric.pictures import from_image
from tests.demo.client import WebuiClient, WebuiError, to_base64
from tests.integration.gradio_page import GradioPage
from tests.integration.payloads import assert_differ, assert_same, payload, run_plot
from tests.tiny_model.shapes import Scene, draw
from tests.webui.server import LAUNCH, StandIn

ROOT = LAUNCH.parents[2]
pytestmark = pytest.mark.integration
GONE = "0123456789abcdef"


@pytest.fixture(scope="module")
def server(standin):
    """A stand-in with FABRIC that shares out; asks for `standin` to skip as that."""
    with StandIn(extension=[ROOT, ROOT / "tests/webui/distributor"]) as started:
        yield started


@pytest.fixture(scope="module")
def master(server):
    return WebuiClient(server.url)


@pytest.fixture(scope="module")
def plain_machine(standin):
    """Another machine, that does not have FABRIC."""
    with StandIn() as started:
        yield started


@pytest.fixture
def sent(server):
    """What FABRIC's arguments were that have been sent since the test began."""
    server.post("/distributor/sent")
    return lambda: server.post("/distributor/sent").json()


def told(**workers):
    thin, enabled = workers.pop("thin", False), workers.pop("enabled", True)
    return json.dumps({"workers": workers, "thin": thin, "enabled": enabled})


def shared_out(workers, fabric, **changes):
    request = payload(fabric, **{"batch_size": 2} | changes)
    request.setdefault("alwayson_scripts", {})["Distribute"] = {"args": [workers]}
    return request


def own_pictures(count):
    """Pictures that no other test rates, so that no other machine has them."""
    rng = np.random.default_rng(count)
    scenes = [Scene("square", "green", "red"), Scene("circle", "blue", "white")]
    return [draw(scene, 72, 88, rng) for scene in scenes[:count]]


def rated_here(master, *pictures):
    """Lets this machine have pictures, and no other."""
    master.txt2img(**payload({"liked": list(map(to_base64, pictures))}, steps=1))
    return [from_image(each).id for each in pictures]


def as_positional(master, **values):
    """FABRIC's arguments as the page sends them: all of them in order, pictures by id."""
    scripts = master.get("/sdapi/v1/script-info")
    (script,) = [s for s in scripts if s["name"] == "fabric" and not s["is_img2img"]]
    names = argument_names()
    args = [argument["value"] for argument in script["args"]]
    for name, value in values.items():
        args[names.index(name)] = value
    return args


def kept_file(server, picture_id):
    return server.data_dir / ".fabric/pictures" / picture_id[:2] / f"{picture_id}.png"


def test_another_machine_gets_the_pictures_that_the_page_names_by_id(standin, master):
    liked, disliked = own_pictures(2)
    fabric = {"liked": [to_base64(liked)], "disliked": [to_base64(disliked)], "strength": 1.1}
    steered = master.txt2img(**payload(fabric, batch_size=2)).pictures
    request = shared_out(told(other=standin.url), None)
    liked_id, disliked_id = from_image(liked).short_id, from_image(disliked).id
    request["alwayson_scripts"]["FABRIC"] = {
        "args": as_positional(
            master, enabled=True, liked=liked_id, disliked=f"{disliked_id}*1", strength=1.1
        )
    }
    assert_same(master.txt2img(**request).pictures, steered, 1)
    assert_differ(steered[1], master.txt2img(**payload(seed=8)).pictures[0])


def test_a_picture_is_sent_as_the_file_that_is_kept(standin, server, master, sent):
    picture = own_pictures(1)[0]
    (picture_id,) = rated_here(master, picture)
    # Packed in another way than ours, so that a file made anew would not be the same.
    picture.save(kept_file(server, picture_id), "PNG", optimize=True)
    master.txt2img(**shared_out(told(other=standin.url), {"liked": [picture_id]}))
    (arguments,) = sent()
    (entry,) = arguments["args"][0]["liked"]
    assert base64.b64decode(entry["image"]) == kept_file(server, picture_id).read_bytes()


NOTHING_TO_SHARE = {
    "a batch of one": {"batch_size": 1},
    "switched off": {"enabled": False},
    "no other machine": {"workers": {}},
}


@pytest.mark.parametrize("case", NOTHING_TO_SHARE.values(), ids=NOTHING_TO_SHARE)
def test_where_nothing_is_shared_all_is_made_here(standin, master, sent, case):
    fabric = {"liked": [to_base64(each) for each in own_pictures(1)]}
    batch_size, enabled = case.get("batch_size", 2), case.get("enabled", True)
    workers = case.get("workers", {"other": standin.url})
    alone = master.txt2img(**payload(fabric, batch_size=batch_size)).pictures
    request = shared_out(told(**workers, enabled=enabled), fabric, batch_size=batch_size)
    assert_same(master.txt2img(**request).pictures, alone, 0)
    assert sent() == []


def test_another_machine_gets_the_settings_of_a_plots_cell(standin, master, sent):
    liked = own_pictures(1)[0]
    rated_here(master, liked)
    request = shared_out(told(other=standin.url), {"liked": [from_image(liked).id]})
    scripts = master.get("/sdapi/v1/script-info")
    run_plot(master, scripts, "[FABRIC] Strength", "1.5, 0.3", **request)
    cells = [arguments["args"][0] for arguments in sent()]
    assert [cell["strength"] for cell in cells] == [1.5, 0.3]
    for cell in cells:
        assert WebuiClient(standin.url).txt2img(**payload(cell)).pictures


@pytest.mark.parametrize("is_thin", [False, True])
def test_another_machine_gets_nothing_of_a_request_that_is_refused(standin, master, sent, is_thin):
    request = shared_out(told(other=standin.url, thin=is_thin), {"liked": [GONE]})
    with pytest.raises(WebuiError, match="no longer in the store"):
        master.txt2img(**request)
    assert sent() == []
    # Nor is the next one refused.
    assert len(master.txt2img(**shared_out(told(other=standin.url), None)).pictures) == 2


@pytest.mark.parametrize("fabric", [None, {"enabled": False}, {"liked": []}])
@pytest.mark.parametrize("is_thin", [False, True])
def test_where_nothing_is_rated_other_machines_need_no_fabric(
    plain_machine, master, sent, fabric, is_thin
):
    plain = master.txt2img(**payload(batch_size=2)).pictures
    request = shared_out(told(plain=plain_machine.url, thin=is_thin), fabric)
    assert_same(master.txt2img(**request).pictures, plain, 1)
    assert sent() == [None]


def test_a_machine_that_has_lost_fabric_makes_what_is_not_steered(standin, server, master):
    with StandIn(extension=ROOT) as other:
        workers, port = told(lost=other.url), other.port
        request = shared_out(workers, {"liked": list(map(to_base64, own_pictures(1)))})
        assert len(master.txt2img(**request).pictures) == 2
    with StandIn(port=port):
        assert len(master.txt2img(**shared_out(workers, None)).pictures) == 2
        assert len(master.txt2img(**request).pictures) == 1
        said = generate(GradioPage(server.url), workers, own_pictures(1)[0])
        assert "The machine lost sent no pictures." in said


def generate(page, workers, liked=None, **settings):
    """Generates on the page; what stands below the pictures."""
    rated = {} if liked is None else {"txt2img_fabric_liked": from_image(liked).id}
    page.set(
        **{"txt2img_fabric_accordion-checkbox": bool(rated), "txt2img_fabric_liked": "", **rated},
        script_txt2img_distribute_workers=workers,
    )
    page.generate(prompt="a circle", steps=4, width=64, height=64, batch_size=2, **settings)
    return re.sub(r"<[^>]*>", " ", page.values["html_log_txt2img"])


@pytest.mark.parametrize("is_thin", [False, True])
def test_the_page_names_the_machine_without_fabric(server, master, plain_machine, is_thin):
    liked = own_pictures(1)[0]
    rated_here(master, liked)
    workers = told(plain=plain_machine.url, thin=is_thin)
    page = GradioPage(server.url)
    assert "FABRIC is not installed on plain: " in generate(page, workers, liked)
    assert "FABRIC" not in generate(page, workers)


def test_the_page_names_no_machine_with_fabric(standin, server, master):
    liked = own_pictures(1)[0]
    rated_here(master, liked)
    assert "FABRIC" not in generate(GradioPage(server.url), told(other=standin.url), liked)


def test_infotext_names_fabric_only_where_it_had_a_part(standin, server, master, plain_machine):
    fabric = {"liked": list(map(to_base64, own_pictures(1)))}
    workers = told(plain=plain_machine.url, other=standin.url)
    request = shared_out(workers, fabric, batch_size=3, n_iter=2, save_images=True)
    before = set((server.data_dir / "outputs").rglob("*.png"))
    answer = master.txt2img(**request)
    # Two batches here, then what the machines have made of both.
    has_part = [True, True, False, False, True, True]
    assert ["FABRIC" in text for text in answer.infotexts] == has_part
    saved = sorted(set((server.data_dir / "outputs").rglob("*.png")) - before)
    texts = [Image.open(path).info["parameters"] for path in saved if "grid" not in path.name]
    assert ["FABRIC liked" in text for text in texts] == has_part
    (grid,) = [path for path in saved if "grid" in path.name]
    assert "FABRIC liked" in Image.open(grid).info["parameters"], "as the first picture's"


def test_a_thin_client_says_on_the_page_what_is_left_out(standin, server):
    page = GradioPage(server.url)
    page.set(**{"txt2img_fabric_accordion-checkbox": True, "txt2img_fabric_liked": GONE})
    page.set(script_txt2img_distribute_workers=told(other=standin.url, thin=True))
    assert len(page.generate(prompt="a circle", steps=4)) == 1
    said = f"Picture {GONE[:16]} was left out: its file is gone or damaged."
    assert said in page.values["html_log_txt2img"]
