"""Feedback beside an extension that generates inside a generation."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.demo.client import WebuiClient, to_base64
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
