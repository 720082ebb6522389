"""`make eval`: plays the paper's protocols with several ways to give feedback and compares them."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.demo.client import WebuiClient
from tests.demo.game import GameRules
from tests.eval import cases as all_cases
from tests.eval.cases import Arm, Case
from tests.eval.protocol import Player
from tests.eval.report import (
    ArmSummary,
    as_json,
    plot,
    replace_section,
    summarise,
    table,
)
from tests.eval.scorers import load_factory
from tests.helpers.commands import ROOT, running_webui, say

FOLDER = Path(__file__).resolve().parent
NUMBER_OF_LIKED = "Number of liked pictures"
PROTOCOLS = ("Preference", "Target picture", "Something unwanted", NUMBER_OF_LIKED)
# Seeds of the choosing games lie below.
_FIRST_SEED = {"choosing": 10_000, "reporting": 1_000_000}


def main() -> None:
    """Runs the evaluation as the command line says."""
    arguments = _parse()
    arms = [*all_cases.ARMS, *(all_cases.SWEEP if arguments.sweep else ())]
    arms += all_cases.SPEED if arguments.speed else ()
    if arguments.arms:
        unknown = set(arguments.arms) - {arm.name for arm in arms}
        if unknown:
            names = ", ".join(f"'{arm.name}'" for arm in arms)
            raise SystemExit(f"--arms: no arm is called {sorted(unknown)}. There are {names}.")
        arms = [arm for arm in arms if arm.name in arguments.arms]
    if arguments.results:
        settings, summaries = _read(arguments.results, [arm.name for arm in arms])
    else:
        settings, summaries = _measure(arguments, arms)
    _write(arguments, settings, summaries)


def _measure(
    arguments: argparse.Namespace, arms: Sequence[Arm]
) -> tuple[dict[str, object], dict[str, list[ArmSummary]]]:
    """Plays everything; the settings and, by protocol, the arms' results."""
    rules = GameRules(
        rounds=arguments.rounds, steps=arguments.steps, cfg_scale=arguments.cfg,
        sampler=arguments.sampler, size_px=arguments.size,
    )  # fmt: skip
    with running_webui(arguments.url, arguments.port) as url:
        player = Player(WebuiClient(url), rules)
        first_seed = _FIRST_SEED[arguments.set]
        summaries = {
            name: [play(player, arm, cases, arguments.seeds, first_seed) for arm in some_arms]
            for name, cases, some_arms in _with_arms(_groups(arguments), arms)
        }
        if NUMBER_OF_LIKED in (arguments.protocols or [NUMBER_OF_LIKED]) and not arguments.scorer:
            summaries[NUMBER_OF_LIKED] = [
                _show(player, arm, count, arguments.seeds, first_seed)
                for arm in arms
                if arm.likes and arm.dislikes
                for count in all_cases.COUNTS
            ]
    return {"set": arguments.set, "seeds": arguments.seeds, **vars(rules)}, summaries


def _read(
    files: Sequence[Path], arm_names: Sequence[str]
) -> tuple[dict[str, object], dict[str, list[ArmSummary]]]:
    """Results of earlier runs, put together; arms in the usual order."""
    settings: dict[str, object] = {}
    summaries: dict[str, list[ArmSummary]] = {}
    for file in files:
        read = json.loads(file.read_text("utf-8"))
        settings |= read["settings"]
        for name, group in read["results"].items():
            summaries.setdefault(name, []).extend(map(ArmSummary.from_json, group))

    def place(summary: ArmSummary) -> int:
        """That of its arm; with a number of liked pictures, the name goes on after the arm's."""
        fitting = [name for name in arm_names if f"{summary.name}, ".startswith(f"{name}, ")]
        return arm_names.index(max(fitting, key=len)) if fitting else len(arm_names)

    for group in summaries.values():
        group.sort(key=place)
    return settings, summaries


def _groups(arguments: argparse.Namespace) -> dict[str, Sequence[Case]]:
    """What is played, by the name of the protocol."""
    if arguments.scorer:
        factory = load_factory(arguments.scorer)
        name = f"{arguments.prompt}: {arguments.wish}"
        adherence = factory(arguments.prompt)
        return {"Preference": [Case(name, arguments.prompt, factory(arguments.wish), adherence)]}
    preferences, unwanted = {
        "choosing": (all_cases.CHOOSING, all_cases.AVOIDING_CHOOSING),
        "reporting": (all_cases.REPORTING, all_cases.AVOIDING_REPORTING),
    }[arguments.set]
    groups = dict(zip(PROTOCOLS, (preferences, all_cases.targets(), unwanted), strict=False))
    chosen = arguments.protocols or list(groups)
    return {name: cases for name, cases in groups.items() if name in chosen}


def _with_arms(
    groups: dict[str, Sequence[Case]], arms: Sequence[Arm]
) -> Iterator[tuple[str, Sequence[Case], Sequence[Arm]]]:
    """Against something unwanted, disliking is the only feedback."""
    for name, cases in groups.items():
        against = name == "Something unwanted"
        yield name, cases, [arm for arm in arms if not against or not arm.likes]


def play(
    player: Player, arm: Arm, cases: Sequence[Case], num_seeds: int, first_seed: int
) -> ArmSummary:
    """`num_seeds` games of each case."""
    games = []
    for number, case in enumerate(cases):
        for seed in range(num_seeds):
            game_seed = first_seed + _seed_offset(number, seed, len(cases))
            games.append(list(player.play(case, arm, game_seed)))
            hits = " ".join(f"{scores.hit_rate:.2f}" for scores in games[-1])
            say(f"  {arm.name} | {case.name} | seed {game_seed} | hits by round {hits}")
    return summarise(arm.name, games)


def _seed_offset(case_number: int, seed: int, num_cases: int) -> int:
    """No two games start from the same noise; the rounds of one are 100 apart."""
    return 1000 * (case_number + max(50, num_cases) * seed)


def _show(player: Player, arm: Arm, count: int, num_seeds: int, first_seed: int) -> ArmSummary:
    """The arm with `count` liked pictures of one preference and none disliked."""
    games = []
    cases = all_cases.REPORTING
    for number, case in enumerate(cases):
        for seed in range(num_seeds):
            game_seed = first_seed + _seed_offset(number, seed, len(cases))
            pictures = all_cases.matching_pictures(case.wish, case.prompt, game_seed)
            liked = list(itertools.islice(pictures, count))
            games.append(list(player.show(case, arm, liked, game_seed)))
    summary = summarise(f"{arm.name}, {count} liked", games)
    say(f"  {summary.name}: hits {summary.last['hit_rate']}")
    return summary


def _write(
    arguments: argparse.Namespace,
    settings: dict[str, object],
    summaries: dict[str, list[ArmSummary]],
) -> None:
    parts = []
    for name, group in summaries.items():
        parts.append(f"**{name}**\n\n{table(group)}")
    text = "\n".join(parts)
    say("\n" + text)
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(settings, summaries), indent=1) + "\n")
    if arguments.plot:
        plot(next(iter(summaries.values()))).save(arguments.plot)
    if arguments.docs:
        page = ROOT / "docs" / "steering.md"
        page.write_text(replace_section(page.read_text("utf-8"), "evaluation", parts[0]))
        own = FOLDER / "README.md"
        own.write_text(replace_section(own.read_text("utf-8"), "evaluation", text))


def _epilog() -> str:
    """What --protocols and --arms may be."""
    groups = {
        "protocols": PROTOCOLS,
        "arms": [arm.name for arm in all_cases.ARMS],
        "arms of --sweep": [arm.name for arm in all_cases.SWEEP],
        "arms of --speed": [arm.name for arm in all_cases.SPEED],
    }
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"  '{name}'" for name in names)])
        for title, names in groups.items()
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make eval ARGS='...'", description=__doc__, epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--url", help="play on this running WebUI instead of the stand-in")
    parser.add_argument("--port", type=int, default=0, help="of the stand-in; 0 = a free one")
    parser.add_argument("--set", choices=sorted(_FIRST_SEED), default="reporting",
                        help="which preferences and seeds (%(default)s)")  # fmt: skip
    parser.add_argument("--seeds", type=int, default=5, help="games per case (%(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="of feedback (%(default)s)")
    parser.add_argument("--protocols", nargs="+", choices=PROTOCOLS, metavar="NAME",
                        help="only these of the list below")  # fmt: skip
    parser.add_argument("--arms", nargs="+", metavar="NAME",
                        help="only these of the list below")  # fmt: skip
    parser.add_argument("--sweep", action="store_true", help="the paper's rule at other strengths")
    parser.add_argument("--speed", action="store_true", help="the settings that save time")
    parser.add_argument("--steps", type=int, default=20, help="(%(default)s)")
    parser.add_argument("--cfg", type=float, default=4.0, help="(%(default)s)")
    parser.add_argument("--size", type=int, default=64, metavar="PIXELS", help="(%(default)s)")
    parser.add_argument("--sampler", default="Euler a", help="(%(default)s)")
    parser.add_argument("--scorer", metavar="MODULE:FACTORY", help="a plug-in; see scorers.py")
    parser.add_argument("--prompt", default="a circle", help="with --scorer")
    parser.add_argument("--wish", default="the object is red", help="with --scorer")
    parser.add_argument("--results", type=Path, nargs="+", metavar="FILE",
                        help="play nothing: put together what --json wrote")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all results")
    parser.add_argument("--plot", type=Path, metavar="FILE",
                        help="write the first protocol's plot")  # fmt: skip
    parser.add_argument("--docs", action="store_true", help="put tables into the docs")
    return parser.parse_args()


if __name__ == "__main__":
    main()
