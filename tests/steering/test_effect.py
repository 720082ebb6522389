"""Feedback that cannot act says so, once, with what to change; feedback that acts says nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lib_fabric.steering.effect import (
    DISLIKED_STRENGTH_TEXT,
    HIRES_TEXT,
    NEGATIVE_TEXT,
    NO_STEP_TEXT,
    SCHEDULE_TEXT,
    STRENGTH_TEXT,
)
from tests.helpers.denoising import denoise, make_request, make_session, make_step
from tests.helpers.tiny_unet import make_inputs

LATE = {"start": 0.5, "end": 0.9}


def warnings_of(unet, host, request, steps, num_rows=4):
    """What a sampling of these steps says; only the first `num_rows` rows are calculated."""
    inputs = [each[:num_rows] for each in make_inputs(4)]
    session = make_session(request, host)
    with session.installed():
        for step in steps:
            denoise(session, unet, step, *inputs)
    return host.warnings


@pytest.mark.parametrize(
    ("lists", "settings", "text"),
    [
        ({}, {"strength": 0}, STRENGTH_TEXT),
        ({}, {"strength": 0, "min_strength": 1, "end": 1}, STRENGTH_TEXT),
        ({}, {"strength": 1e-300}, STRENGTH_TEXT),
        ({}, {"strength": 0, "start": 0.6, "end": 0.7}, STRENGTH_TEXT),
        ({"liked": ()}, {"negative_scale": 0}, DISLIKED_STRENGTH_TEXT),
        ({}, {"start": 0.5, "end": 0.5}, SCHEDULE_TEXT),
        ({}, {"start": 0.35, "end": 0.45}, SCHEDULE_TEXT),
        ({}, {"start": 1, "end": 1}, SCHEDULE_TEXT),
    ],
)
@pytest.mark.parametrize("method", ["paper", "contrast"])
def test_settings_under_which_nothing_acts(tiny_unet, fake_host, method, lists, settings, text):
    request = make_request(method=method, **lists, **settings)
    steps = [make_step(progress=progress) for progress in (0.0, 0.3)]
    assert warnings_of(tiny_unet, fake_host, request, steps) == [text]


@pytest.mark.parametrize(
    ("lists", "settings"),
    [
        ({}, {}),
        ({"disliked": ()}, {"negative_scale": 0}),
        ({}, {"negative_scale": 0}),
        ({}, {"strength": 0, "min_strength": 0.5, "start": 0.9, "end": 1}),
        ({}, {"start": 0.25, "end": 0.35}),
    ],
)
@pytest.mark.parametrize("method", ["paper", "contrast"])
def test_what_acts_says_nothing(tiny_unet, fake_host, method, lists, settings):
    request = make_request(method=method, **lists, **settings)
    steps = [make_step(progress=progress) for progress in (0.0, 0.3, 0.95)]
    assert warnings_of(tiny_unet, fake_host, request, steps) == []


def without_negative(progress=0.3):
    """A step at a CFG scale of 1."""
    return replace(make_step(progress=progress), uses_negative=False)


@pytest.mark.parametrize("liked", [(), (1.0,)], ids=["only disliked", "liked, too"])
def test_disliked_pictures_at_a_scale_of_1(tiny_unet, fake_host, liked):
    request = make_request(liked=liked)
    assert warnings_of(tiny_unet, fake_host, request, [without_negative()]) == [NEGATIVE_TEXT]
    assert "contrast" in NEGATIVE_TEXT
    assert "CFG scale 1" in NEGATIVE_TEXT


def test_disliked_pictures_where_the_negative_prompt_is_skipped(tiny_unet, fake_host):
    """As NGMS over all steps does: its rows are announced and never calculated."""
    request = make_request(liked=())
    steps = [make_step(progress=progress) for progress in (0.1, 0.3)]
    assert warnings_of(tiny_unet, fake_host, request, steps, num_rows=2) == [NEGATIVE_TEXT]


@pytest.mark.parametrize(
    "request_",
    [make_request(liked=(), method="contrast"), make_request(disliked=())],
    ids=["contrast", "only liked"],
)
def test_what_needs_no_negative_prompt_says_nothing_without_it(tiny_unet, fake_host, request_):
    assert warnings_of(tiny_unet, fake_host, request_, [without_negative()]) == []


def test_one_step_with_the_negative_prompt_is_enough(tiny_unet, fake_host):
    steps = [without_negative(), make_step()]
    assert warnings_of(tiny_unet, fake_host, make_request(liked=()), steps) == []


def test_img2img_whose_few_steps_all_come_before_the_start(tiny_unet, fake_host):
    assert warnings_of(tiny_unet, fake_host, make_request(**LATE), [make_step(progress=0.0)]) == [
        SCHEDULE_TEXT
    ]


def test_no_step_at_all(tiny_unet, fake_host):
    assert warnings_of(tiny_unet, fake_host, make_request(), []) == [NO_STEP_TEXT]


def test_the_hires_pass_alone(tiny_unet, fake_host):
    """As the WebUI's upscale button makes it."""
    steps = [make_step(is_hires=True)]
    assert warnings_of(tiny_unet, fake_host, make_request(), steps) == [HIRES_TEXT]
    fake_host.warnings.clear()
    assert warnings_of(tiny_unet, fake_host, make_request(hires=True), steps) == []
    both = [make_step(), *steps]
    assert warnings_of(tiny_unet, fake_host, make_request(), both) == []


@pytest.mark.parametrize("request_", [make_request(), make_request(**LATE)])
def test_nothing_is_said_of_what_was_interrupted(tiny_unet, fake_host, request_):
    session = make_session(request_, fake_host)
    with session.installed():
        fake_host.interrupt = RuntimeError("interrupted")
    assert fake_host.warnings == []
