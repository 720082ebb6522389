"""Does feedback steer? The paper's protocol on the tiny model, scored from pixels."""

from __future__ import annotations

from statistics import mean

import pytest

from tests.demo.game import GameRules, Preference, play

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_three_rounds_double_the_share_of_pictures_that_match(webui):
    preference = Preference(object_colour="red")
    games = [
        list(play(webui, preference, seed, GameRules())) for seed in range(10_000, 60_000, 10_000)
    ]
    before = mean(game[0].hit_rate for game in games)
    after = mean(game[-1].hit_rate for game in games)
    assert before < 0.5, "the prompt alone must leave the colour open"
    assert after >= max(2 * before, 0.5), f"from {before:.2f} to {after:.2f}"
