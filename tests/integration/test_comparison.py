"""The same picture with feedback and without, in one request."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from tests.demo.client import to_base64
from tests.integration.payloads import assert_differ, assert_same, payload

pytestmark = pytest.mark.integration
TAKEN = {"batch_size": 2, "n_iter": 2}


def compared(fabric, wanted=True, **changes):
    scripts = {"FABRIC": {"args": [fabric]}, "FABRIC compare": {"args": [wanted]}}
    return payload(alwayson_scripts=scripts, **changes)


def test_the_plain_picture_comes_beside_the_steered_one(webui, rated):
    steered = webui.txt2img(**payload(rated))
    plain = webui.txt2img(**payload())
    both = webui.txt2img(**compared(rated, **TAKEN))
    assert_same(both.pictures, steered.pictures + plain.pictures, 0)
    assert_differ(*both.pictures)
    assert ["FABRIC liked" in text for text in both.infotexts] == [True, False]
    # Nothing stays behind for the next one.
    assert_same(webui.txt2img(**payload(rated)).pictures, steered.pictures, 0)


def test_both_have_the_seed_that_was_asked_for(webui, rated):
    wanted = json.dumps({"seed": 77, "subseed": 5})
    both = webui.txt2img(**compared(rated, wanted, seed=-1))
    assert_same(both.pictures[:1], webui.txt2img(**payload(rated, seed=77)).pictures, 0)
    assert_same(both.pictures[1:], webui.txt2img(**payload(seed=77)).pictures, 0)


def test_a_seed_that_was_drawn_is_that_of_both(webui, rated):
    answer = webui.post("/sdapi/v1/txt2img", compared(rated, seed=-1))
    first, second = json.loads(answer["info"])["all_seeds"]
    assert first == second


@pytest.mark.parametrize(
    "wanted",
    ["{", "[]", '{"seed": "1"}', '{"seed": -5}', '{"seed": 1e400}', '{"seed": true}', "[" * 9000],
)
def test_nonsense_for_seeds_compares_with_the_requests_own(webui, rated, wanted):
    both = webui.txt2img(**compared(rated, wanted))
    assert_same(both.pictures[1:], webui.txt2img(**payload()).pictures, 0)


def test_img2img_and_hires_are_compared_as_well(webui, rated):
    hires = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7}
    fabric = {**rated, "hires": True}
    both = webui.txt2img(**compared(fabric, **hires))
    assert_same(both.pictures[:1], webui.txt2img(**payload(fabric, **hires)).pictures, 0)
    assert_same(both.pictures[1:], webui.txt2img(**payload(**hires)).pictures, 0)
    start = {"init_images": [to_base64(Image.new("RGB", (64, 64), "red"))]}
    both = webui.img2img(**compared(rated, denoising_strength=0.6, **start))
    assert_differ(*both.pictures)


def test_without_the_wish_there_is_one(webui, rated):
    for wanted in (False, "", None):
        assert len(webui.txt2img(**compared(rated, wanted)).pictures) == 1
