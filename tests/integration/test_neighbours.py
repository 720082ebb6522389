"""Feedback beside an extension that generates inside a generation."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.demo.client import WebuiClient, WebuiError, to_base64
from tests.integration.payloads import assert_differ, assert_same, payload
from tests.webui.server import StandIn

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[2]
# img2img encodes with the VAE's noise, from whatever stream the last request left.
VAE_NOISE = 16
HIRES = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7}


@pytest.fixture(scope="module")
def neighbour(standin):
    """A stand-in with FABRIC and the neighbour; asks for `standin` to skip as that."""
    with StandIn(extension=[ROOT, ROOT / "tests/webui/neighbour"]) as server:
        yield WebuiClient(server.url)


def request_with(when, fabric=None, **changes):
    request = payload(fabric, **changes)
    request.setdefault("alwayson_scripts", {})["Second pass"] = {"args": [when]}
    return request


def second_pass_by_hand(neighbour, picture):
    """What the neighbour's inner generation makes, as a request of its own without feedback."""
    return neighbour.img2img(
        **payload(init_images=[to_base64(picture)], denoising_strength=0.6, seed=5)
    ).pictures


def entries_of(infotext):
    """What it says of FABRIC."""
    return infotext[infotext.find("FABRIC") :].partition(", Version")[0] * ("FABRIC" in infotext)


def test_a_generation_after_sampling_is_not_steered(neighbour, rated):
    steered = neighbour.txt2img(**payload(rated)).pictures
    both = neighbour.txt2img(**request_with("after sampling", rated)).pictures
    assert_same(both, second_pass_by_hand(neighbour, steered[0]), VAE_NOISE)
    plain = neighbour.txt2img(**payload()).pictures
    assert_differ(both[0], second_pass_by_hand(neighbour, plain[0])[0])


def test_a_generation_while_sampling_is_not_steered_and_the_outer_one_is(neighbour, rated):
    fabric = {**rated, "hires": True}
    steered = neighbour.txt2img(**payload(fabric, **HIRES)).pictures
    outer, inner = neighbour.txt2img(**request_with("while sampling", fabric, **HIRES)).pictures
    assert_same([outer], steered, 0)
    red = Image.new("RGB", (64, 64), "red")
    assert_same([inner], second_pass_by_hand(neighbour, red), VAE_NOISE)


# Not ancestral: the host draws the rest of their noise for the inner generation.
@pytest.mark.parametrize("sampler", ["Euler", "DDIM"])
def test_a_generation_within_a_step_is_not_steered_and_the_step_is(neighbour, rated, sampler):
    """It comes after the step was announced, and its own end is not the end of the step."""
    steered = neighbour.txt2img(**payload(rated, sampler_name=sampler)).pictures
    request = request_with("in a step", rated, sampler_name=sampler)
    outer, inner = neighbour.txt2img(**request).pictures
    assert_same([outer], steered, 0)
    red = Image.new("RGB", (64, 64), "red")
    assert_same([inner], second_pass_by_hand(neighbour, red), VAE_NOISE)


@pytest.mark.parametrize("has_fabric", [True, False])
def test_a_copy_processed_between_batches_changes_nothing(neighbour, rated, has_fabric):
    when = "copy between batches" if has_fabric else "copy without FABRIC between batches"
    steered = neighbour.txt2img(**payload(rated, n_iter=2))
    copied = neighbour.txt2img(**payload(rated if has_fabric else None, seed=5))
    both = neighbour.txt2img(**request_with(when, rated, n_iter=2))
    assert_same(both.pictures, steered.pictures + copied.pictures * 2, 0)
    # Each says what it was made with, though copies come with their original's infotext.
    assert [entries_of(text) for text in both.infotexts] == [
        entries_of(text) for text in steered.infotexts + copied.infotexts * 2
    ]
    assert entries_of(copied.infotexts[0]) == (entries_of(steered.infotexts[0]) * has_fabric)


@pytest.mark.parametrize("sampler", ["Euler", "DDIM"])
def test_a_copy_processed_within_a_step_is_steered_and_so_is_the_step(neighbour, rated, sampler):
    changes = {"sampler_name": sampler}
    plain = neighbour.txt2img(**payload(**changes)).pictures
    steered = neighbour.txt2img(**payload(rated, **changes))
    copied = neighbour.txt2img(**payload(rated, seed=5, **changes))
    both = neighbour.txt2img(**request_with("copy in a step", rated, **changes))
    assert_same(both.pictures, steered.pictures + copied.pictures, 0)
    assert [entries_of(text) for text in both.infotexts] == [
        entries_of(text) for text in steered.infotexts + copied.infotexts
    ]
    assert_differ(both.pictures[0], plain[0])
    assert_same(neighbour.txt2img(**payload(**changes)).pictures, plain, 0)


def test_afterwards_nothing_is_left(neighbour, rated):
    plain = neighbour.txt2img(**payload(**HIRES)).pictures
    for when in ("after sampling", "while sampling"):
        neighbour.txt2img(**request_with(when, rated, **HIRES))
    assert_same(plain, neighbour.txt2img(**payload(**HIRES)).pictures, 0)


# ---- an extension of the same title --------------------------------------------------------------

SAME_TITLE = '''"""An extension that is called as ours, as sd-webui-fabric is."""

import gradio as gr
from modules import scripts


class OtherScript(scripts.Script):
    def title(self):
        return "FABRIC"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return [gr.JSON(value=[], visible=False), gr.Checkbox(label="Enable", value=False)]
'''


@pytest.fixture(scope="module")
def namesakes(standin, tmp_path_factory):
    """A stand-in with another extension of our title, which the host finds first."""
    folder = tmp_path_factory.mktemp("0-same-title")
    (folder / "scripts").mkdir()
    (folder / "scripts" / "same_title.py").write_text(SAME_TITLE, encoding="utf-8")
    with StandIn(extension=[folder, ROOT]) as server:
        yield server


def test_the_second_title_reaches_this_extension_beside_one_of_the_same_title(namesakes, rated):
    client = WebuiClient(namesakes.url)
    plain = client.txt2img(**payload()).pictures
    ours = {"FABRIC for the WebUI": {"args": [rated]}}
    steered = client.txt2img(**payload(), alwayson_scripts=ours)
    assert_differ(steered.pictures[0], plain[0])
    assert steered.infotexts[0].count("FABRIC liked: ") == 1
    # The other one, which knows nothing of such arguments.
    theirs = client.txt2img(**payload(), alwayson_scripts={"FABRIC": {"args": [rated]}})
    assert_same(theirs.pictures, plain, 0)
    wrong = {"fabric for the webui": {"args": [{"strenght": 1}]}}
    with pytest.raises(WebuiError, match="strenght"):
        client.txt2img(**payload(), alwayson_scripts=wrong)


def test_both_titles_are_one_script(neighbour, rated):
    """Run once, by the same arguments, and nothing more on the page."""
    by_title = [
        neighbour.txt2img(**payload(), alwayson_scripts={title: {"args": [rated]}})
        for title in ("FABRIC", "FABRIC for the WebUI")
    ]
    assert_same(by_title[0].pictures, by_title[1].pictures, 0)
    assert by_title[0].infotexts == by_title[1].infotexts
    described = {
        (each["name"], each["is_img2img"]): each["args"]
        for each in neighbour.get("/sdapi/v1/script-info")
    }
    for is_img2img in (True, False):
        arguments = described["fabric", is_img2img]
        assert arguments[0]["label"] == "FABRIC"
        assert described["fabric for the webui", is_img2img] == arguments
    components = neighbour.get("/config")["components"]
    assert [each["props"].get("elem_id") for each in components].count("txt2img_fabric_liked") == 1
