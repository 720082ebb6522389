"""Feedback through the API: it acts, in every kind of generation, and repeats exactly."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from PIL import Image

from lib_fabric.arguments import argument_names
from tests.demo.client import WebuiClient, WebuiError, to_base64
from tests.integration.payloads import (
    HOST_TOLERANCE,
    VISIBLE,
    assert_differ,
    assert_same,
    largest_difference,
    payload,
)
from tests.tiny_model.shapes import Scene, draw
from tests.webui.server import StandIn

pytestmark = pytest.mark.integration

LONG_PROMPT = "a circle, " + "a red circle on a blue background, " * 14


def test_feedback_changes_the_picture_and_is_named_in_its_infotext(webui, rated):
    plain = webui.txt2img(**payload())
    steered = webui.txt2img(**payload({**rated, "strength": 1.5}))
    assert_differ(plain.pictures[0], steered.pictures[0])
    assert "FABRIC strength: 1.5" in steered.infotexts[0]
    assert "FABRIC liked: " in steered.infotexts[0]
    assert "FABRIC disliked: " in steered.infotexts[0]
    assert "FABRIC" not in plain.infotexts[0]


@pytest.mark.parametrize("only", ["liked", "disliked"])
def test_one_kind_alone_changes_the_picture(webui, rated, only):
    plain = webui.txt2img(**payload())
    steered = webui.txt2img(**payload({only: rated[only], "negative_scale": 1}))
    assert_differ(plain.pictures[0], steered.pictures[0])


def test_infotext_ids_name_the_pictures_again(webui, rated):
    first = webui.txt2img(**payload(rated))
    ids = {
        kind: first.infotexts[0].split(f"FABRIC {kind}: ")[1].split(",")[0].split()
        for kind in ("liked", "disliked")
    }
    assert [len(ids["liked"]), len(ids["disliked"])] == [2, 1]
    assert_same(first.pictures, webui.txt2img(**payload(ids)).pictures, 0)


@pytest.mark.parametrize(
    "fabric",
    [
        {},
        {"liked": [], "disliked": []},
        {"strength": 2},
        {"enabled": False},
        {"start": 0.9, "end": 0.9},
    ],
    ids=str,
)
def test_without_effect_the_picture_is_bit_identical(webui, rated, fabric):
    pictures = {} if fabric in ({}, {"strength": 2}) or "liked" in fabric else rated
    plain = webui.txt2img(**payload())
    assert_same(plain.pictures, webui.txt2img(**payload({**pictures, **fabric})).pictures, 0)


def test_inactive_is_bit_identical_to_a_webui_without_the_extension(standin):
    request = payload(batch_size=2, n_iter=2)
    with StandIn(extension=None) as without:
        expected = WebuiClient(without.url).txt2img(**request)
    actual = WebuiClient(standin.url).txt2img(**request)
    assert_same(expected.pictures, actual.pictures, 0)
    assert expected.infotexts == actual.infotexts


def test_the_same_request_twice_is_the_same_picture(webui, rated):
    request = payload(rated, batch_size=2)
    first = webui.txt2img(**request).pictures
    assert_same(first, webui.txt2img(**request).pictures, 0)


def test_a_picture_alone_equals_it_in_a_batch(webui, rated):
    batch = webui.txt2img(**payload(rated, seed=20, batch_size=3)).pictures
    alone = [webui.txt2img(**payload(rated, seed=20 + i)).pictures[0] for i in range(3)]
    assert_same(batch, alone, HOST_TOLERANCE)


def test_batch_count_equals_separate_requests(webui, rated):
    together = webui.txt2img(**payload(rated, seed=30, batch_size=2, n_iter=2)).pictures
    apart = [
        picture
        for seed in (30, 32)
        for picture in webui.txt2img(**payload(rated, seed=seed, batch_size=2)).pictures
    ]
    assert_same(together, apart, HOST_TOLERANCE)


def test_a_refused_request_leaves_no_trace(webui, rated):
    before = webui.txt2img(**payload(rated)).pictures
    plain = webui.txt2img(**payload()).pictures
    with pytest.raises(WebuiError) as refused:
        webui.txt2img(**payload({**rated, "strength": "strong"}))
    assert refused.value.status == 422
    assert_same(before, webui.txt2img(**payload(rated)).pictures, 0)
    assert_same(plain, webui.txt2img(**payload()).pictures, 0)


def test_an_interrupted_request_leaves_no_trace(webui, rated):
    before = webui.txt2img(**payload(rated)).pictures
    plain = webui.txt2img(**payload()).pictures
    long_request = payload(rated, steps=100, n_iter=10)
    thread = threading.Thread(target=webui.txt2img, kwargs=long_request)
    thread.start()
    while thread.is_alive():
        time.sleep(0.5)
        webui.post("/sdapi/v1/interrupt", {})
    thread.join()
    assert_same(plain, webui.txt2img(**payload()).pictures, 0)
    assert_same(before, webui.txt2img(**payload(rated)).pictures, 0)


def test_after_an_interrupt_the_model_is_as_it_was(standin, webui, rated):
    before = standin.get("/standin/model-state").json()
    test_an_interrupted_request_leaves_no_trace(webui, rated)
    assert standin.get("/standin/model-state").json() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 96},
        {"height": 96},
        {"width": 72, "height": 88},
        {"batch_size": 3},
        {"negative_prompt": LONG_PROMPT},
        {"prompt": LONG_PROMPT},
        {"prompt": "a red circle AND blue background :0.5"},
        {"prompt": "a circle AND a square AND green background", "batch_size": 2},
        {"s_min_uncond": 4},
        {"cfg_scale": 1},
        {"override_settings": {"batch_cond_uncond": False}},
        {"override_settings": {"batch_cond_uncond": False}, "prompt": "a AND b AND c"},
        {"override_settings": {"pad_cond_uncond": True}, "prompt": LONG_PROMPT},
    ],
    ids=str,
)
def test_it_acts_in_every_kind_of_batch(webui, rated, changes):
    plain = webui.txt2img(**payload(**changes))
    steered = webui.txt2img(**payload({**rated, "strength": 2}, **changes))
    assert len(plain.pictures) == len(steered.pictures)
    for pair in zip(plain.pictures, steered.pictures, strict=True):
        assert_differ(*pair)


def test_rows_run_jointly_or_apart_give_the_same_picture(webui, rated):
    joint = webui.txt2img(**payload(rated, prompt="a AND b AND c", batch_size=2)).pictures
    apart = webui.txt2img(
        **payload(
            rated,
            prompt="a AND b AND c",
            batch_size=2,
            override_settings={"batch_cond_uncond": False},
        )
    ).pictures
    assert_same(joint, apart, HOST_TOLERANCE)


def test_every_sampler_follows_feedback(webui, rated):
    followed, repeated = {}, {}
    for name in [sampler["name"] for sampler in webui.get("/sdapi/v1/samplers")]:
        request = payload({**rated, "strength": 2}, sampler_name=name, steps=5)
        plain = webui.txt2img(**payload(sampler_name=name, steps=5)).pictures[0]
        steered, again = (webui.txt2img(**request).pictures[0] for _ in range(2))
        followed[name] = largest_difference(plain, steered) > VISIBLE
        repeated[name] = largest_difference(steered, again) <= HOST_TOLERANCE
    assert all(followed.values()), followed
    assert all(repeated.values()), repeated


def test_hires_fix_follows_where_it_is_told_to(webui, rated):
    hires = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.7}
    first_pass_only = webui.txt2img(**payload(rated, **hires))
    both_passes = webui.txt2img(**payload({**rated, "hires": True}, **hires))
    assert first_pass_only.pictures[0].size == (96, 96)
    assert_differ(first_pass_only.pictures[0], both_passes.pictures[0])
    assert "FABRIC hires: True" in both_passes.infotexts[0]


def test_hires_fix_without_its_own_feedback_still_keeps_the_first_pass(webui, rated):
    hires = {"enable_hr": True, "hr_scale": 1.5, "denoising_strength": 0.3}
    plain = webui.txt2img(**payload(**hires))
    assert_differ(plain.pictures[0], webui.txt2img(**payload(rated, **hires)).pictures[0])


@pytest.mark.parametrize("denoising_strength", [0.4, 0.9])
def test_img2img_follows_feedback(webui, rated, denoising_strength):
    changes = {
        "init_images": [rated["disliked"][0]],
        "denoising_strength": denoising_strength,
        "steps": 12,
    }
    plain = webui.img2img(**payload(**changes)).pictures
    request = payload({**rated, "strength": 2}, **changes)
    steered = webui.img2img(**request).pictures
    assert_differ(plain[0], steered[0])
    assert_same(steered, webui.img2img(**request).pictures, 0)


def test_inpainted_pictures_follow_the_same_alone_and_in_a_batch(webui, rated):
    """Outside the mask all pictures of a batch have the same latents: these tell no rows apart."""
    first = draw(Scene("circle", "red", "blue"), 256, 256, np.random.default_rng(5))
    mask = Image.new("L", (256, 256))
    mask.paste(255, (40, 40, 64, 64))
    changes = {
        "init_images": [to_base64(first)], "mask": to_base64(mask), "mask_blur": 0,
        "denoising_strength": 0.9, "sampler_name": "DDIM", "steps": 4, "height": 256, "width": 256,
    }  # fmt: skip
    fabric = {"liked": [*rated["liked"], *rated["disliked"]], "method": "contrast", "end": 1.0}
    batch = webui.img2img(**payload(fabric, batch_size=3, **changes)).pictures
    alone = [
        webui.img2img(**payload(fabric, **(changes | {"seed": 7 + place}))).pictures[0]
        for place in range(3)
    ]
    # The host's VAE draws from its global stream there; another picture followed differs by 190.
    assert_same(batch, alone, 3 * VISIBLE)


def test_pictures_can_be_liked_straight_from_an_answer(webui):
    made = webui.txt2img(**payload(batch_size=2)).pictures
    request = {"liked": [to_base64(made[0])], "disliked": [to_base64(made[1])]}
    assert_differ(made[0], webui.txt2img(**payload(request, seed=99)).pictures[0])


def test_weights_scale_single_pictures(webui, rated):
    liked = rated["liked"]
    full = webui.txt2img(**payload({"liked": liked})).pictures
    explicit = [{"image": picture, "weight": 1} for picture in liked]
    assert_same(full, webui.txt2img(**payload({"liked": explicit})).pictures, 0)
    first_only = [{"image": liked[0]}, {"image": liked[1], "weight": 0}]
    only = webui.txt2img(**payload({"liked": liked[:1]})).pictures
    assert_same(only, webui.txt2img(**payload({"liked": first_only})).pictures, 0)
    assert_differ(full[0], only[0])


def test_positional_arguments_of_script_info_work(webui, rated, described_scripts):
    script = next(s for s in described_scripts if s["name"] == "fabric" and not s["is_img2img"])
    values = [argument["value"] for argument in script["args"]]
    labels = [argument["label"] for argument in script["args"]]
    assert len(values) == len(labels) == len(argument_names()) + 1, "and the page's mark"
    assert values[-1] == ""
    values[:3] = [True, rated["liked"], rated["disliked"]]
    request = payload()
    request["alwayson_scripts"] = {"FABRIC": {"args": values}}
    assert_same(webui.txt2img(**payload(rated)).pictures, webui.txt2img(**request).pictures, 0)
