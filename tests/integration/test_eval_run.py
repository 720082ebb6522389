"""The evaluation on a WebUI: one game of two rounds, and one picture liked."""

from __future__ import annotations

import itertools

import pytest

from tests.demo.game import GameRules
from tests.eval import cases
from tests.eval.protocol import Player
from tests.eval.report import summarise, table

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RULES = GameRules(rounds=2, steps=8, batch_size=2)
CASE = cases.REPORTING[0]


def arm(name):
    return next(each for each in cases.ARMS if each.name == name)


def test_one_game_of_two_rounds(webui):
    player = Player(webui, RULES)
    games = {
        name: [list(player.play(CASE, arm(name), seed=3))]
        for name in ("no feedback", "paper", "contrast")
    }
    for (game,) in games.values():
        assert len(game) == 3
        for scores in game:
            assert 0 <= scores.worst <= scores.mean <= scores.best <= 1
    starts = {game[0] for (game,) in games.values()}
    ends = {game[-1] for (game,) in games.values()}
    assert len(starts) == 1, "all ways to give feedback start from the same pictures"
    assert len(ends) == 3, "and no two of them go the same way"
    assert len(table([summarise(*each) for each in games.items()]).splitlines()) == 5


def test_pictures_liked_from_the_start(webui):
    player = Player(webui, RULES)
    pictures = cases.matching_pictures(CASE.wish, CASE.prompt, seed=3)
    liked = list(itertools.islice(pictures, 2))
    without, with_them = player.show(CASE, arm("contrast"), liked, seed=3)
    assert with_them != without
