"""Which rated pictures a row attends to and how, and the names that rows have."""

import hashlib

import pytest
import reference
import torch
from denoising import (
    TOLERANCE,
    assert_close,
    check_denoiser_call,
    compute_golden,
    denoise,
    make_request,
    make_session,
    make_step,
)
from tiny_unet import make_inputs

from lib_fabric.methods import METHODS, Attended, Pull, Rated, draw
from lib_fabric.row_names import RowNames
from lib_fabric.settings import FabricSettings

ROWS = [hashlib.sha256(b"%d" % number).digest() for number in range(3000)]
CONTRAST, PAPER = METHODS["contrast"], METHODS["paper"]


def rated(*weights):
    return [Rated(hashlib.sha256(b"%d" % i).hexdigest(), w) for i, w in enumerate(weights)]


def test_every_method_can_be_chosen():
    (method,) = (field for field in FabricSettings.fields() if field.kind == "choice")
    assert tuple(METHODS) == method.choices


def test_paper_gives_every_row_all_of_its_kind():
    liked, disliked = rated(0.5, 1.0, 2.0), rated(0.3)
    for row in ROWS[:3]:
        assert PAPER.conditional(liked, disliked, row) == Attended(tuple(liked))
        assert PAPER.unconditional(liked, disliked, row) == Attended(tuple(disliked))


def test_contrast_pulls_towards_one_liked_and_away_from_all_disliked():
    liked, disliked = rated(1.0, 1.0, 1.0), rated(0.125, 0.375)
    attended = CONTRAST.conditional(liked, disliked, ROWS[0])
    towards, away = attended.pulls
    assert attended.joined == ()
    assert towards == Pull(0.5, (draw(liked, ROWS[0]),))
    assert away == Pull(pytest.approx(-1 / 3), tuple(disliked))
    assert CONTRAST.unconditional(liked, disliked, ROWS[0]) == Attended()


@pytest.mark.parametrize(("count", "weight"), [(1, 1 / 3), (2, 2 / 3), (3, 1.0), (16, 1.0)])
def test_contrast_is_sure_of_three_pictures_and_no_stronger_for_more(count, weight):
    pulls = CONTRAST.conditional(rated(*[1.0] * count), rated(0.5), ROWS[0]).pulls
    assert [pull.share for pull in pulls] == pytest.approx(
        [weight / (1 + weight), -weight / (1 + weight)]
    )


def test_rows_follow_liked_pictures_in_proportion_to_the_weights():
    pictures = rated(0.5, 1.0, 2.5)
    counts = {picture: 0 for picture in pictures}
    for row in ROWS:
        counts[draw(pictures, row)] += 1
    for picture, count in counts.items():
        # 3000 draws: a standard error below 0.01
        assert count / len(ROWS) == pytest.approx(picture.weight / 4, abs=0.03)


def test_one_more_liked_picture_moves_only_the_rows_that_follow_it():
    pictures = rated(1.0, 1.0, 1.0, 1.0)
    for row in ROWS[:300]:
        assert draw(pictures, row) in (draw(pictures[:3], row), pictures[3])


def test_the_order_of_the_list_does_not_matter():
    pictures = rated(0.5, 1.0, 1.5)
    for row in ROWS[:100]:
        assert draw(pictures, row) == draw(pictures[::-1], row)


def test_nothing_rated_is_nothing_attended_to():
    for method in METHODS.values():
        assert method.conditional((), (), ROWS[0]) == Attended()
        assert method.unconditional((), (), ROWS[0]) == Attended()


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


def test_a_picture_liked_and_disliked_alike_changes_nothing(tiny_unet, fake_host):
    """What both sides have in common cancels."""
    request = make_request((1.0,), (), "contrast")
    both = type(request)(request.settings, request.liked, request.liked)
    x, timesteps, context = make_inputs(4)
    session = make_session(both, fake_host)
    with session.installed():
        out = denoise(session, tiny_unet, make_step(), x, timesteps, context)
    assert_close(out, tiny_unet(x, timesteps, context=context))


def test_the_rows_of_the_calls_above_do_not_all_follow_the_same():
    x = make_inputs(8)[0]
    ids = [each.picture.id for each in make_request((0.5, 1.5, 1.0)).liked]
    followed = {
        reference.followed_picture(reference.row_name(row), ids, (0.5, 1.5, 1.0)) for row in x[:5]
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
    """Its rows may stand anywhere; one sampling each, since the first step names the rows."""
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


# Names of rows


def noise(seed, num_pictures, size=(4, 6, 8)):
    return torch.randn(num_pictures, *size, generator=torch.Generator().manual_seed(seed))


def test_names_come_from_the_first_steps_noise_and_stay():
    x, names = noise(1, 3), RowNames()
    first = names.name_rows(torch.cat([x, x]), 6, False)
    assert first == [reference.row_name(row) for row in x] * 2
    assert len(set(first)) == 3
    assert names.name_rows(torch.cat([x, x]) * 0.1 + 5, 6, False) == first


def test_neither_scale_nor_rounding_changes_a_name():
    x = noise(2, 4)
    expected = RowNames().name_rows(x, 4, False)
    assert RowNames().name_rows(x * 14.6, 4, False) == expected
    assert RowNames().name_rows(x.half(), 4, False) == expected


def test_the_hires_pass_keeps_the_names():
    x, names = noise(3, 2), RowNames()
    first = names.name_rows(torch.cat([x, x]), 4, False)
    larger = noise(4, 2, (4, 12, 16))
    # The second picture's prompt has two parts there.
    hires = names.name_rows(larger[[0, 1, 1, 0, 1]], 5, True)
    assert hires == [first[0], first[1], first[1], first[0], first[1]]


PICTURES = (b"7", b"8")


def test_named_pictures_keep_their_names_whatever_they_start_from():
    x, other = noise(5, 2), noise(6, 2)
    for start in (x, other, x[[0, 1]] * 0.3 + other):
        rows = RowNames().name_rows(start[[0, 1, 1, 0, 1]], 5, False, PICTURES)
        assert rows == [b"7", b"8", b"8", b"7", b"8"]
    # The upscale button has a hires pass only, and for one of them.
    assert RowNames().name_rows(other[[1, 1]], 2, True, PICTURES[1:]) == [b"8", b"8"]


def test_pictures_of_one_seed_have_one_name_in_both_passes():
    x, hires, names = noise(7, 1), noise(8, 3, (4, 12, 16)), RowNames()
    same = (b"7", b"7", b"7")
    assert names.name_rows(x[[0] * 6], 6, False, same) == [b"7"] * 6
    assert names.name_rows(torch.cat([hires, hires]), 6, True, same) == [b"7"] * 6


def test_names_that_do_not_fit_the_rows_are_not_used():
    x, names = noise(9, 3), RowNames()
    expected = RowNames().name_rows(x, 3, False)
    assert names.name_rows(x, 3, False, PICTURES) == expected
    assert names.name_rows(noise(10, 3, (4, 12, 16)), 3, True, PICTURES) == expected


def test_without_noise_rows_are_told_apart_by_number():
    assert len(set(RowNames().name_rows(None, 300, False))) == 300
