"""Feedback weights over the sampling."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lib_fabric.settings import FabricSettings
from lib_fabric.steering.host import Row
from lib_fabric.steering.weighing import Weighing, feedback_weights, followed_picture
from tests.helpers import reference
from tests.helpers.denoising import make_request, make_step

_weight = st.floats(0.0, 2.0)
_share = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("progress", "liked"),
    [(0.0, 0.1), (0.19, 0.1), (0.2, 0.8), (0.5, 0.8), (0.69, 0.8), (0.71, 0.1), (1.0, 0.1)],
)
def test_strength_inside_and_the_other_outside(progress, liked):
    settings = FabricSettings(strength=0.8, min_strength=0.1, start=0.2, end=0.7)
    assert feedback_weights(settings, progress)[0] == liked


@given(progress=_share, strength=_weight, lowest=_weight, ends=st.tuples(_share, _share), s=_weight)
def test_equals_the_reference(progress, strength, lowest, ends, s):
    start, end = sorted(ends)
    settings = FabricSettings(
        strength=strength, min_strength=lowest, start=start, end=end, negative_scale=s
    )
    assume(progress != end or end == 1)  # the next test
    expected = reference.feedback_weights(progress, strength, lowest, start, end, s)
    assert feedback_weights(settings, progress) == expected


@pytest.mark.parametrize(("total", "end", "inside"), [(20, 0.8, 16), (10, 0.5, 5), (4, 1.0, 4)])
def test_the_end_is_a_share_of_the_steps(total, end, inside):
    """Half open, unlike the reference: 80 % of 20 steps are 16 of them, not 17."""
    settings = FabricSettings(strength=1.0, end=end)
    weights = [feedback_weights(settings, step / total)[0] for step in range(total)]
    assert weights == [1.0] * inside + [0.0] * (total - inside)


def test_an_end_of_1_includes_steps_past_the_last():
    settings = FabricSettings(strength=1.0, end=1.0, negative_scale=0.5)
    assert feedback_weights(settings, 1.0) == (1.0, 0.5)


def test_every_start_and_end_on_the_slider_gives_the_expected_number_of_steps():
    for total in (10, 20, 40):
        for start in range(0, 21):
            for end in range(start, 21):
                settings = FabricSettings(strength=1.0, start=start / 20, end=end / 20)
                inside = sum(
                    feedback_weights(settings, step / total)[0] > 0 for step in range(total)
                )
                first, last = -(-start * total // 20), -(-end * total // 20)
                assert inside == last - first, (total, start, end)


# ---- which picture is followed -------------------------------------------------------------------


@pytest.mark.parametrize("liked", [(1.0, 1.0), (1.0, 0.5, 2.0), (0.1,) * 7])
@pytest.mark.parametrize("disliked", [(), (1.0,)])
def test_the_picture_that_is_said_to_be_followed_is_the_one_attended_to(liked, disliked):
    request = make_request(liked=liked, disliked=disliked, method="contrast", strength=0.3)
    numbers = tuple(range(5, 40))
    step = make_step(num_rows=2 * len(numbers), num_cond=len(numbers), picture_numbers=numbers)
    attended = Weighing(request).attended(step)
    for at, number in enumerate(numbers):
        (reference,) = attended[Row(at, True)].joined
        assert followed_picture(request, number).id == reference.key.picture_id


@pytest.mark.parametrize(
    "request_",
    [
        make_request(liked=(1.0, 1.0), method="paper"),
        make_request(liked=(1.0,), method="contrast"),
        make_request(liked=(), method="contrast"),
    ],
    ids=["all of them", "the only one", "none"],
)
def test_where_none_of_several_is_followed_nothing_is_said(request_):
    assert followed_picture(request_, 7) is None
