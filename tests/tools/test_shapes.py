"""The scorers of the tiny model's pictures: what is drawn must be what is read."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from tests.tiny_model.shapes import (
    GROUND_COLOURS,
    OBJECT_COLOURS,
    PALETTE,
    SHAPES,
    Scene,
    caption,
    diversity,
    draw,
    draw_batch,
    matches,
    preference_score,
    random_scene,
    read_scene,
)

SIZES = ((64, 64), (64, 96), (96, 64), (96, 96))

scenes = st.builds(
    Scene,
    st.sampled_from(SHAPES),
    st.sampled_from(OBJECT_COLOURS),
    st.sampled_from(GROUND_COLOURS),
).filter(lambda scene: scene.object_colour != scene.ground_colour)
seeds = st.integers(0, 2**32 - 1)
sizes = st.sampled_from(SIZES)


def seen(picture: Image.Image) -> Scene:
    reading = read_scene(picture)
    return Scene(reading.shape, reading.object_colour, reading.ground_colour)


@given(scenes, sizes, seeds)
@settings(max_examples=80, deadline=None)
def test_drawn_scene_reads_back(scene, size, seed):
    picture = draw(scene, *size, np.random.default_rng(seed))
    assert picture.size == (size[1], size[0])
    assert seen(picture) == scene
    assert read_scene(picture).confidence > 0.8


@given(scenes, seeds)
@settings(max_examples=30, deadline=None)
def test_blur_and_noise_do_not_change_the_reading(scene, seed):
    rng = np.random.default_rng(seed)
    picture = draw(scene, 64, 64, rng).filter(ImageFilter.GaussianBlur(1))
    noisy = np.asarray(picture, dtype=np.float32) + rng.normal(0, 8, (64, 64, 3))
    assert seen(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))) == scene


@given(scenes, sizes, seeds)
@settings(max_examples=20, deadline=None)
def test_enlarged_picture_reads_the_same(scene, size, seed):
    picture = draw(scene, *size, np.random.default_rng(seed))
    large = picture.resize((picture.width * 3, picture.height * 3), Image.BICUBIC)
    assert seen(large) == scene


@given(scenes, seeds)
@settings(max_examples=30, deadline=None)
def test_matching_attribute_scores_above_any_other(scene, seed):
    picture = draw(scene, 64, 64, np.random.default_rng(seed))
    for name, values in {"shape": SHAPES, "object_colour": tuple(PALETTE)}.items():
        scores = {value: preference_score(picture, **{name: value}) for value in values}
        assert max(scores, key=scores.__getitem__) == getattr(scene, name)
        assert all(0 <= score <= 1 for score in scores.values())
        for value in values:
            assert matches(picture, **{name: value}) == (value == getattr(scene, name))


def test_score_ranks_misses_by_colour_distance():
    rng = np.random.default_rng(0)
    purple = draw(Scene("circle", "purple", "white"), 64, 64, rng)
    cyan = draw(Scene("circle", "cyan", "white"), 64, 64, rng)
    assert preference_score(purple, object_colour="red") > preference_score(
        cyan, object_colour="red"
    )


def test_full_match_scores_high_and_needs_every_attribute():
    picture = draw(Scene("square", "red", "blue"), 64, 64, np.random.default_rng(3))
    wanted = {"shape": "square", "object_colour": "red", "ground_colour": "blue"}
    assert preference_score(picture, **wanted) > 0.95
    assert matches(picture, **wanted)
    assert not matches(picture, **{**wanted, "ground_colour": "green"})


@pytest.mark.parametrize("ground", GROUND_COLOURS)
def test_flat_picture_has_a_ground_and_no_object(ground):
    picture = Image.new("RGB", (64, 96), PALETTE[ground])
    reading = read_scene(picture)
    assert (reading.shape, reading.object_colour) == (None, None)
    assert reading.ground_colour == ground
    assert reading.confidence == 0
    assert preference_score(picture, object_colour="red") == 0
    assert preference_score(picture, ground_colour=ground) > 0.95


def test_noise_is_read_with_low_confidence():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert read_scene(Image.fromarray(noise)).confidence < 0.5


def test_two_objects_lower_the_confidence():
    rng = np.random.default_rng(5)
    left, right = (draw(Scene("circle", "red", "blue"), 64, 64, rng) for _ in range(2))
    both = Image.new("RGB", (128, 64))
    both.paste(left, (0, 0))
    both.paste(right, (64, 0))
    assert read_scene(both).confidence < 0.75


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({}, "at least one"),
        ({"shape": "hexagon"}, "'hexagon', expected one of circle"),
        ({"object_colour": "pink"}, "'pink', expected one of red"),
    ],
)
def test_unknown_attribute_is_refused(wanted, text):
    picture = Image.new("RGB", (64, 64))
    with pytest.raises(ValueError, match=text):
        preference_score(picture, **wanted)
    with pytest.raises(ValueError, match=text):
        matches(picture, **wanted)


def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match="16x64"):
        draw(Scene("circle", "red", "blue"), 16, 64, np.random.default_rng(0))


def test_diversity_is_zero_for_equal_and_grows_with_difference():
    black, grey, white = (Image.new("RGB", (8, 8), (v, v, v)) for v in (0, 128, 255))
    assert diversity([]) == diversity([black]) == diversity([black, black]) == 0
    assert diversity([black, white]) == 1
    assert diversity([black, grey, white]) == pytest.approx(2 / 3)


def test_diversity_takes_pictures_of_several_sizes():
    assert diversity([Image.new("RGB", (8, 8)), Image.new("RGB", (16, 8))]) == 0


def test_scenes_are_evenly_spread_and_ground_differs():
    rng = np.random.default_rng(0)
    drawn = [random_scene(rng) for _ in range(6000)]
    assert all(scene.object_colour != scene.ground_colour for scene in drawn)
    for name, values in {"shape": SHAPES, "object_colour": OBJECT_COLOURS}.items():
        shares = [np.mean([getattr(s, name) == v for s in drawn]) for v in values]
        assert shares == pytest.approx([1 / len(values)] * len(values), abs=0.03)


@given(scenes, seeds)
@settings(max_examples=50, deadline=None)
def test_caption_names_only_what_the_scene_shows(scene, seed):
    rng = np.random.default_rng(seed)
    words = set(caption(scene, rng).replace(",", "").split())
    told = words & {*SHAPES, *PALETTE}
    assert told <= {scene.shape, scene.object_colour, scene.ground_colour}
    full = caption(scene, rng, drop=0)
    assert all(part in full for part in (scene.shape, scene.object_colour, scene.ground_colour))
    assert caption(scene, rng, drop=1) == ""


def test_same_generator_draws_the_same_pictures():
    batches = [
        draw_batch([Scene("circle", "red", "blue")] * 4, 64, 96, np.random.default_rng(1))
        for _ in range(2)
    ]
    assert np.array_equal(*batches)
    assert batches[0].shape == (4, 64, 96, 3)
    assert not np.array_equal(batches[0][0], batches[0][1])
