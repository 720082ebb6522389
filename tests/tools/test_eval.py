"""The evaluation: its estimates, its scorers, and that its games follow the protocol."""

import itertools
import json
import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from tests.demo.client import Generated, to_base64
from tests.demo.game import GameRules, Preference
from tests.eval import cases
from tests.eval.__main__ import main, play
from tests.eval.cases import Arm, Case
from tests.eval.estimates import mean_of, ratio_of
from tests.eval.protocol import Player, RoundScores
from tests.eval.report import ArmSummary, plot, replace_section, summarise, table
from tests.eval.scorers import Avoiding, Target, asked_for, load_factory
from tests.tiny_model.shapes import Scene, draw, read_scene

ROUND = RoundScores(0.25, 0.5, 0.8, 0.2, 1.0, 0.4, 0.01)

# Estimates


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    estimate = mean_of(values)
    assert estimate.value == pytest.approx(values.mean())
    reach = 1.96 * values.std() / math.sqrt(len(values))
    assert estimate.low == pytest.approx(values.mean() - reach, abs=0.1 * reach)
    assert estimate.high == pytest.approx(values.mean() + reach, abs=0.1 * reach)


def test_equal_games_leave_no_doubt():
    estimate = mean_of([0.25] * 5)
    assert (estimate.value, estimate.low, estimate.high) == (0.25, 0.25, 0.25)


def test_a_ratio_is_of_means_and_resamples_games_as_pairs():
    # Every game at half of its own base: no doubt about the ratio, however the bases differ.
    bases = [0.1, 0.5, 0.9, 0.2]
    estimate = ratio_of([base / 2 for base in bases], bases)
    assert [estimate.value, estimate.low, estimate.high] == pytest.approx([0.5] * 3)
    assert ratio_of([1.0, 0.0], [1.0, 3.0]).value == pytest.approx(0.25)


def test_what_has_no_estimate():
    assert math.isnan(ratio_of([1.0, 2.0], [0.0, 0.0]).value)
    with pytest.raises(ValueError, match="no games"):
        mean_of([])
    with pytest.raises(ValueError, match="2 games here, 1 there"):
        ratio_of([1.0, 2.0], [1.0])


# Scorers and cases


def scene_picture(*scene, seed=0):
    return draw(Scene(*scene), 64, 64, np.random.default_rng(seed))


def test_a_prompts_own_wishes():
    assert asked_for("a red circle on a blue background") == Preference("red", "blue", "circle")
    assert asked_for("a shape on a white background") == Preference(ground_colour="white")
    assert asked_for("a yellow shape") == Preference(object_colour="yellow")


def test_a_target_likes_what_looks_like_it():
    target = Target(scene_picture("circle", "red", "white"))
    same, elsewhere, other = (
        scene_picture("circle", "red", "white"),
        scene_picture("circle", "red", "white", seed=5),
        scene_picture("square", "blue", "black"),
    )
    assert target.score(same) == 1
    assert 1 > target.score(elsewhere) > target.score(other)
    assert [target.matches(each) for each in (same, elsewhere, other)] == [True, True, False]


def test_avoiding_turns_a_wish_around():
    wish, picture = Preference(object_colour="red"), scene_picture("circle", "red", "white")
    assert Avoiding(wish).score(picture) == 1 - wish.score(picture)
    assert not Avoiding(wish).matches(picture)


SETS = {
    "choosing": (cases.CHOOSING, cases.AVOIDING_CHOOSING),
    "reporting": (cases.REPORTING, cases.AVOIDING_REPORTING),
}


def test_no_prompt_gives_its_preference_away():
    for case in itertools.chain(*SETS["choosing"], *SETS["reporting"]):
        wish = getattr(case.wish, "unwanted", case.wish)
        for name, value in vars(wish).items():
            assert value is None or getattr(case.adherence, name) is None


def test_what_was_chosen_on_one_set_is_reported_on_all_others():
    for chosen, reported in zip(*SETS.values(), strict=True):
        names = [case.name for case in (*chosen, *reported)]
        assert len(set(names)) == len(names)
        # 6 + 6 colours with a prompt for each of 3 shapes; 3 shapes with one for each colour.
        single = [name for name in names if "circle on a" not in name]
        assert len(single) == 2 * 12 * 3


def test_no_two_games_share_a_seed(monkeypatch):
    played = []

    def note_seed(self, case, arm, seed):
        played.append(seed)
        return [ROUND]

    monkeypatch.setattr(Player, "play", note_seed)
    for reported in SETS["reporting"]:
        played.clear()
        play(Player(None, GameRules()), Arm("any"), reported, num_seeds=5, first_seed=7)
        seeds = sorted(seed + 100 * number for seed in played for number in range(5))
        assert min(np.diff(seeds)) >= 4, "each picture of a batch of four has one of its own"


def test_matching_pictures_match_and_vary_and_fewer_are_the_first_of_more():
    wish = Preference(object_colour="purple")
    pictures = cases.matching_pictures(wish, "a circle", 3)
    twelve = [next(pictures) for _ in range(12)]
    assert all(wish.matches(picture) for picture in twelve)
    assert all(read_scene(picture).shape == "circle" for picture in twelve)
    assert len({read_scene(picture).ground_colour for picture in twelve}) > 2
    again = cases.matching_pictures(wish, "a circle", 3)
    assert [next(again).tobytes() for _ in range(2)] == [each.tobytes() for each in twelve[:2]]


def test_plugins_are_found_by_name_or_refused():
    assert load_factory("tests.eval.scorers:asked_for") is asked_for
    for name in ("tests.eval.scorers:nothing", "no.such.module:f", "f", ""):
        with pytest.raises(ValueError, match="is not module:factory"):
            load_factory(name)


# Games


@dataclass
class Brightness:
    """Wants bright pictures."""

    def score(self, picture):
        return np.asarray(picture).mean() / 255

    def matches(self, picture):
        return self.score(picture) > 0.5


@dataclass
class GreyWebui:
    """Answers with grey pictures of these values, and keeps what it was asked for."""

    values: tuple[int, ...] = (100, 20, 200, 60)
    requests: list[dict] = field(default_factory=list)

    def txt2img(self, **payload):
        self.requests.append(payload)
        return Generated([Image.new("RGB", (8, 8), (value,) * 3) for value in self.values], [])


CASE = Case("grey", "a circle", Brightness(), Brightness())


def play_grey(arm, rounds=2):
    webui = GreyWebui()
    player = Player(webui, GameRules(rounds=rounds))
    return list(player.play(CASE, arm, 7)), webui, player


def feedback(request):
    return request["alwayson_scripts"].get("FABRIC", {"args": [None]})["args"][0]


def grey_base64(value):
    return to_base64(Image.new("RGB", (8, 8), (value,) * 3))


def test_the_best_is_liked_and_the_worst_disliked_and_both_add_up():
    rounds, webui, _ = play_grey(Arm("both", {"strength": 0.3}))
    assert len(rounds) == 3
    assert [request["seed"] for request in webui.requests] == [7, 107, 207]
    assert feedback(webui.requests[0]) is None
    for number, request in enumerate(webui.requests[1:], 1):
        sent = feedback(request)
        assert sent["strength"] == 0.3
        for name, value in (("liked", 200), ("disliked", 20)):
            assert len(sent[name]) == number
            assert sent[name] == [grey_base64(value)] * number


def test_arms_send_only_what_they_use():
    liked = feedback(play_grey(Arm("liked", dislikes=False))[1].requests[1])
    disliked = feedback(play_grey(Arm("disliked", likes=False))[1].requests[1])
    assert (len(liked["liked"]), len(liked["disliked"])) == (1, 0)
    assert (len(disliked["liked"]), len(disliked["disliked"])) == (0, 1)


def test_pictures_without_feedback_are_made_once():
    _, webui, player = play_grey(Arm("none", likes=False, dislikes=False))
    assert len(webui.requests) == 3
    list(player.play(CASE, Arm("both"), 7))
    assert [request["seed"] for request in webui.requests[3:]] == [107, 207]


def test_what_a_round_says():
    first = play_grey(Arm("both"))[0][0]
    assert first.hit_rate == first.adherence == 0.25
    assert [first.mean, first.best, first.worst] == pytest.approx([95 / 255, 200 / 255, 20 / 255])
    # The six pairs differ by 80, 100, 40, 180, 40 and 140.
    assert first.diversity == pytest.approx(580 / 6 / 255)
    assert first.saturation == 0


def test_saturation_counts_channels_at_either_end():
    webui = GreyWebui((0, 2, 3, 255))
    player = Player(webui, GameRules(rounds=0))
    (first,) = player.play(CASE, Arm("none"), 7)
    assert first.saturation == 0.75


# Report


def summary(name="an arm"):
    end = RoundScores(0.75, 0.7, 0.9, 0.4, 0.9, 0.2, 0.01)
    return summarise(name, [[ROUND, end]] * 3)


def test_a_summary_relates_diversity_and_adherence_to_round_0():
    last = summary().last
    assert last["hit_rate"].value == 0.75
    assert last["diversity"].value == pytest.approx(0.5)
    assert last["adherence"].value == pytest.approx(0.9)
    assert ArmSummary.from_json(json.loads(json.dumps(summary().to_json()))) == summary()


def test_the_table_and_the_plot_hold_every_arm():
    summaries = [summary("first"), summary("second")]
    lines = table(summaries).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| first | 3 | 0.25 | 0.75 (0.75 to 0.75) | 0.50 (0.50 to 0.50) |")
    assert len({line.count("|") for line in lines}) == 1
    one, two = (np.asarray(plot(summaries[:count])) for count in (1, 2))
    assert (one != two).any()


def test_sections_of_a_readme():
    text = "a\n<!-- results -->\nold\n<!-- end of results -->\nz\n"
    assert replace_section(text, "results", "new\n") == text.replace("old", "new")
    with pytest.raises(ValueError, match="no section 'other'"):
        replace_section(text, "other", "new")


@pytest.mark.parametrize("more", [[], ["--sweep"]])
def test_an_arm_that_is_not_there_is_told_with_those_that_are(monkeypatch, more):
    monkeypatch.setattr("sys.argv", ["eval", *more, "--arms", "paper", "of glass"])
    with pytest.raises(SystemExit, match=r"no arm is called \['of glass'\].*'contrast'"):
        main()


def test_results_put_together_stand_in_the_order_of_the_arms(monkeypatch, tmp_path, capsys):
    names = ["contrast, 2 liked", "paper, strength .1, 2 liked", "paper, 2 liked"]
    results = {"settings": {}, "results": {"Number": [summary(name).to_json() for name in names]}}
    file = tmp_path / "results.json"
    file.write_text(json.dumps(results))
    monkeypatch.setattr("sys.argv", ["eval", "--sweep", "--results", str(file)])
    main()
    rows = [line.split(" | ")[0][2:] for line in capsys.readouterr().out.splitlines()[5:8]]
    assert rows == [names[2], names[0], names[1]]
