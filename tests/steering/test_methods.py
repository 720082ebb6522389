"""Which rated pictures a row attends to and how, and the numbers that rows have."""

import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.settings import FabricSettings
from lib_fabric.steering.methods import METHODS, Attended, Pull, Rated, take_turn
from lib_fabric.steering.picture_numbers import RowNumbers
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
    return [Rated(hashlib.sha256(b"%d" % i).hexdigest(), w) for i, w in enumerate(weights)]


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
    x = make_inputs(8)[0]
    ids = [each.picture.id for each in make_request((0.5, 1.5, 1.0)).ratings.liked]
    followed = {
        reference.followed_picture(reference.row_number(row), ids, (0.5, 1.5, 1.0)) for row in x[:5]
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
    """Its rows may stand anywhere; one sampling each, since the first step numbers the rows."""
    x, timesteps, context = make_inputs(8)
    x[4:] = x[:4]  # every picture's rows start from the same noise
    session = make_session(make_request((1, 1, 1), (1,), "contrast"), fake_host)
    with session.installed():
        batch = denoise(session, tiny_unet, make_step(8, 4), x, timesteps, context)
    for picture in range(4):
        rows = [picture, 4 + picture]
        with session.installed():
            alone = denoise(
                session, tiny_unet, make_step(2, 1), x[rows], timesteps[rows], context[rows]
            )
        assert_close(alone, batch[rows], 1e-5)


# Numbers of rows


def noise(seed, num_pictures, size=(4, 6, 8)):
    return torch.randn(num_pictures, *size, generator=torch.Generator().manual_seed(seed))


def test_numbers_come_from_the_first_steps_noise_and_stay():
    x, numbers = noise(1, 3), RowNumbers()
    first = numbers.of_rows(torch.cat([x, x]), 6, False)
    assert first == [reference.row_number(row) for row in x] * 2
    assert len(set(first)) == 3
    assert numbers.of_rows(torch.cat([x, x]) * 0.1 + 5, 6, False) == first


def test_neither_scale_nor_rounding_changes_a_number():
    x = noise(2, 4)
    expected = RowNumbers().of_rows(x, 4, False)
    assert RowNumbers().of_rows(x * 14.6, 4, False) == expected
    assert RowNumbers().of_rows(x.half(), 4, False) == expected


def test_the_hires_pass_keeps_the_numbers():
    x, numbers = noise(3, 2), RowNumbers()
    first = numbers.of_rows(torch.cat([x, x]), 4, False)
    larger = noise(4, 2, (4, 12, 16))
    # The second picture's prompt has two parts there.
    hires = numbers.of_rows(larger[[0, 1, 1, 0, 1]], 5, True)
    assert hires == [first[0], first[1], first[1], first[0], first[1]]


PICTURES = (7, 8)


def test_numbered_pictures_keep_their_numbers_whatever_they_start_from():
    x, other = noise(5, 2), noise(6, 2)
    for start in (x, other, x[[0, 1]] * 0.3 + other):
        rows = RowNumbers().of_rows(start[[0, 1, 1, 0, 1]], 5, False, PICTURES)
        assert rows == [7, 8, 8, 7, 8]
    # The upscale button has a hires pass only, and for one of them.
    assert RowNumbers().of_rows(other[[1, 1]], 2, True, PICTURES[1:]) == [8, 8]


def test_pictures_of_one_seed_have_one_number_in_both_passes():
    x, hires, numbers = noise(7, 1), noise(8, 3, (4, 12, 16)), RowNumbers()
    same = (7, 7, 7)
    assert numbers.of_rows(x[[0] * 6], 6, False, same) == [7] * 6
    assert numbers.of_rows(torch.cat([hires, hires]), 6, True, same) == [7] * 6


def test_numbers_that_do_not_fit_the_rows_are_not_used():
    x, numbers = noise(9, 3), RowNumbers()
    expected = RowNumbers().of_rows(x, 3, False)
    assert numbers.of_rows(x, 3, False, PICTURES) == expected
    assert numbers.of_rows(noise(10, 3, (4, 12, 16)), 3, True, PICTURES) == expected


def test_without_noise_rows_are_counted():
    assert len(set(RowNumbers().of_rows(None, 300, False))) == 300
