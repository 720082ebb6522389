"""Which rated pictures a row attends to and how, and the numbers that rows have."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.attention.merging import Merging
from lib_fabric.attention.plan import Attended, Pull, Reference
from lib_fabric.settings import FabricSettings
from lib_fabric.steering.methods import METHODS, PictureKey, take_turn
from tests.helpers import reference
from tests.helpers.denoising import (
    TOLERANCE,
    assert_close,
    check_denoiser_call,
    compute_golden,
    denoise,
    make_request,
    make_session,
    make_step,
)
from tests.helpers.tiny_unet import make_inputs

SEEDS = st.integers(0, 2**64)
CONTRAST, PAPER = METHODS["contrast"], METHODS["paper"]


def rated(*weights):
    ids = [hashlib.sha256(b"%d" % i).hexdigest() for i in range(len(weights))]
    keys = [PictureKey(each, Merging.at((8, 8))) for each in ids]
    return [Reference(*pair) for pair in zip(keys, weights, strict=True)]


def test_every_method_can_be_chosen():
    (method,) = (field for field in FabricSettings.fields() if field.kind == "choice")
    assert tuple(METHODS) == method.choices


def test_paper_gives_every_row_all_of_its_kind():
    liked, disliked = rated(0.5, 1.0, 2.0), rated(0.3)
    for row in range(3):
        assert PAPER.conditional(liked, disliked, row) == Attended(tuple(liked))
        assert PAPER.unconditional(liked, disliked, row) == Attended(tuple(disliked))


def test_contrast_joins_one_liked_and_goes_away_from_all_disliked():
    liked, disliked = rated(1.0, 1.0, 1.0, 1.0), rated(0.125, 0.375)
    attended = CONTRAST.conditional(liked, disliked, 7)
    (away,) = attended.pulls
    assert attended.joined == (take_turn(liked, 7),)
    assert away == Pull(pytest.approx(-3 / 7), tuple(disliked))
    assert CONTRAST.unconditional(liked, disliked, 7) == Attended()


@pytest.mark.parametrize(("count", "sure"), [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0), (16, 1.0)])
@pytest.mark.parametrize("more", ["liked", "disliked"])
def test_contrast_is_sure_of_four_pictures_and_no_stronger_for_more(count, sure, more):
    liked, disliked = rated(1.0), rated(1 / 3)
    if more == "liked":
        liked = liked * count
    else:
        disliked = disliked * count
    attended = CONTRAST.conditional(liked, disliked, 0)
    assert [each.weight for each in attended.joined] == pytest.approx([sure])
    assert [pull.share for pull in attended.pulls] == pytest.approx([-sure / (1 + sure)])


@pytest.mark.parametrize("count", [1, 2, 16])
def test_contrast_is_sure_of_one_picture_where_nothing_is_liked(count):
    attended = CONTRAST.conditional((), rated(*[1 / 3] * count), 0)
    assert attended.joined == ()
    assert [pull.share for pull in attended.pulls] == pytest.approx([-1 / 2])


@given(SEEDS, st.integers(1, 64))
def test_pictures_of_one_batch_follow_all_liked_ones_in_turn(seed, count):
    pictures = rated(*[0.8] * count)
    assert {take_turn(pictures, seed + place) for place in range(count)} == set(pictures)


@given(SEEDS, st.lists(st.floats(0.01, 2), min_size=1, max_size=12))
def test_in_one_round_nobody_gets_more_than_a_turn_beside_its_share(seed, weights):
    """Systematic sampling: a share of 2.3 turns is two turns or three."""
    pictures = rated(*weights)
    first = seed // len(pictures) * len(pictures)
    turns = [take_turn(pictures, first + place) for place in range(len(pictures))]
    for picture in pictures:
        share = picture.weight / sum(weights) * len(pictures)
        assert abs(turns.count(picture) - share) < 1 + 1e-9


def test_rows_follow_liked_pictures_in_proportion_to_the_weights():
    pictures = rated(0.5, 1.0, 2.5)
    turns = [take_turn(pictures, number) for number in range(3000)]
    for picture in pictures:
        assert turns.count(picture) / 3000 == pytest.approx(picture.weight / 4, abs=0.003)


@given(SEEDS)
def test_the_order_of_the_list_does_not_matter(seed):
    pictures = rated(0.5, 1.0, 1.5)
    assert take_turn(pictures, seed) == take_turn(pictures[::-1], seed)


def test_nothing_rated_is_nothing_attended_to():
    for method in METHODS.values():
        assert method.conditional((), (), 5) == Attended()
        assert method.unconditional((), (), 5) == Attended()


# Whole denoiser calls


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows_per_call", [None, 2, 1])
def test_a_denoiser_call(tiny_unet, fake_host, method, rows_per_call):
    request = make_request((0.5, 1.5, 1.0), (2.0, 0.7), method, negative_scale=0.6)
    check_denoiser_call(
        tiny_unet, fake_host, request, make_step(8, 5), *make_inputs(8), rows_per_call
    )


@pytest.mark.parametrize(("liked", "disliked"), [((1.0, 0.5), ()), ((), (1.0, 0.5))])
def test_contrast_with_only_liked_or_only_disliked(tiny_unet, fake_host, liked, disliked):
    request = make_request(liked, disliked, "contrast")
    check_denoiser_call(tiny_unet, fake_host, request, make_step(), *make_inputs(4))


def test_the_rows_of_the_calls_above_do_not_all_follow_the_same():
    ids = [each.picture.id for each in make_request((0.5, 1.5, 1.0)).ratings.liked]
    followed = {
        reference.followed_picture(number, ids, (0.5, 1.5, 1.0))
        for number in make_step(8, 5).sampling.picture_numbers
    }
    assert len(followed) > 1


def test_the_reference_is_sensitive_enough(tiny_unet, fake_host):
    host, inputs = type(fake_host)(None), make_inputs(4)
    golden = compute_golden(
        tiny_unet, host, make_request((1, 1, 1), (1, 1), "contrast"), *inputs, make_step()
    )
    changed = {
        "the paper's": make_request((1, 1, 1), (1, 1), "paper"),
        "less sure": make_request((1, 1), (1, 1), "contrast"),
        "strength": make_request((1, 1, 1), (1, 1), "contrast", strength=0.79),
        "disliked strength": make_request((1, 1, 1), (1, 1), "contrast", negative_scale=0.49),
        "weights of disliked": make_request((1, 1, 1), (1, 0.98), "contrast"),
    }
    for name, request in changed.items():
        other = compute_golden(tiny_unet, host, request, *inputs, make_step())
        assert (other - golden)[:2].abs().max() > 3 * TOLERANCE, name


def test_a_picture_follows_the_same_alone_and_in_a_batch(tiny_unet, fake_host):
    x, timesteps, context = make_inputs(8)
    session = make_session(make_request((1, 1, 1), (1,), "contrast"), fake_host)
    numbers = (907, 908, 909, 910)
    with session.installed():
        step = make_step(8, 4, picture_numbers=numbers)
        batch = denoise(session, tiny_unet, step, x, timesteps, context)
        for picture, number in enumerate(numbers):
            rows = [picture, 4 + picture]
            step = make_step(2, 1, picture_numbers=(number,))
            alone = denoise(session, tiny_unet, step, x[rows], timesteps[rows], context[rows])
            assert_close(alone, batch[rows], 1e-5)
