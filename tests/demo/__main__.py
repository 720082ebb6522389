"""`make demo`: starts the stand-in WebUI, shows its page and plays the games there meanwhile."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean

import httpx

from lib_fabric.settings import FabricSettings
from tests.demo import contact_sheet
from tests.demo.client import WebuiClient, WebuiError
from tests.demo.game import GameRules, Preference, Round, play
from tests.helpers.commands import interrupted_once, running_webui, say
from tests.tiny_model.shapes import GROUND_COLOURS, OBJECT_COLOURS, SHAPES

PAGE = Path(__file__).resolve().parent / "page"
METHODS = next(each.choices for each in FabricSettings.fields() if each.name == "method")
_RULES = GameRules()


def main() -> int:
    """Runs the demo as the command line says; returns the exit status."""
    arguments = _parse()
    with interrupted_once():
        try:
            _run(arguments)
        except KeyboardInterrupt:
            say("\nStopped.")
        except WebuiError as error:
            return _failed(str(error))
        except httpx.HTTPError as error:
            where = arguments.url or "the page"
            return _failed(f"{where} does not answer: {error}.")
    return 0


def _failed(sentence: str) -> int:
    sys.stderr.write(f"The demo ended: {sentence}\n")
    return 1


def _run(arguments: argparse.Namespace) -> None:
    preference = Preference(arguments.object, arguments.ground, arguments.shape)
    if not str(preference):
        preference = Preference(object_colour="red")
    environment = {"FABRIC_DEMO_PAGE": json.dumps(_page())}
    with running_webui(arguments.url, arguments.port, PAGE, environment) as url:
        say(f"\nThe page is up: {url}")
        if not arguments.once:
            say("Generate, press the thumbs under a picture, generate again. Ctrl+C stops it.")
        if arguments.games:
            _play_all(arguments, url, preference)
        if not arguments.once:
            say(f"The page stays up: {url}\nCtrl+C stops it.")
            _wait()


def _page() -> dict[str, object]:
    """What the page opens with."""
    tab = "txt2img"
    return {
        "note": (
            "**A demo with a very small model.** It paints one shape "
            f"({', '.join(SHAPES)}; {', '.join(OBJECT_COLOURS)}) on a ground "
            f"({', '.join(GROUND_COLOURS)}), at 64x64 pixels, and knows no other words. "
            "Press Generate, like what you want to see more of with 👍, and press Generate again."
        ),
        "values": {
            f"{tab}_prompt": _RULES.prompt,
            f"{tab}_batch_size": _RULES.batch_size,
            f"{tab}_width": _RULES.size_px,
            f"{tab}_height": _RULES.size_px,
            f"{tab}_cfg_scale": _RULES.cfg_scale,
            f"{tab}_sampling": _RULES.sampler,
            f"{tab}_steps": _RULES.steps,
        },
    }


def _play_all(arguments: argparse.Namespace, url: str, preference: Preference) -> None:
    say(
        f"\nMeanwhile {arguments.games} games are played there with each method: prompt "
        f"'{_RULES.prompt}', preference: {preference}."
    )
    games = {method: _play(url, preference, method, arguments.games) for method in METHODS}
    tables = {method: _table(played) for method, played in games.items()}
    for method, table in tables.items():
        _print_table(method, table)
    title = f"Prompt: {_RULES.prompt}. Wanted: {preference}."
    firsts = {method: played[0] for method, played in games.items()}
    contact_sheet.draw(firsts, title).save(arguments.sheet)
    say(f"Contact sheet of the first game: {arguments.sheet}")
    if arguments.json:
        report = {"preference": str(preference), "games": arguments.games, "rounds": tables}
        arguments.json.write_text(json.dumps(report, indent=2) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo ARGS='...'", description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit after the rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON")
    parser.add_argument("--sheet", type=Path, default=Path("demo.png"), metavar="FILE",
                        help="where the contact sheet goes (%(default)s)")  # fmt: skip
    parser.add_argument("--games", type=int, default=5,
                        help="each its own seed (%(default)s); 0 only shows the page")  # fmt: skip
    parser.add_argument("--port", type=int, default=0, help="of the page; 0 = a free one")
    parser.add_argument("--url", help="play against this running WebUI with the tiny model instead")
    parser.add_argument("--object", choices=OBJECT_COLOURS, help="wanted colour of the object")
    parser.add_argument("--ground", choices=GROUND_COLOURS, help="wanted colour of the ground")
    parser.add_argument("--shape", choices=SHAPES, help="wanted shape")
    arguments = parser.parse_args()
    if arguments.games < 0:
        parser.error("--games must be 0 or more.")
    if not 0 <= arguments.port < 2**16:
        parser.error("--port must be from 0 to 65535.")
    return arguments


def _play(url: str, preference: Preference, method: str, num_games: int) -> list[list[Round]]:
    webui, rules = WebuiClient(url), replace(_RULES, fabric={"method": method})
    games = []
    for game in range(num_games):
        games.append([])
        for each in play(webui, preference, seed=10_000 * (game + 1), rules=rules):
            games[-1].append(each)
            say(
                f"  {method}, game {game + 1} of {num_games}, round {each.number}: "
                f"{sum(each.hits)} of {len(each.hits)} match ({each.seconds:.1f} s)"
            )
    return games


def _table(games: list[list[Round]]) -> list[dict[str, float]]:
    return [
        {
            "round": number,
            "hit_rate": round(mean(r.hit_rate for r in rounds), 3),
            "diversity": round(mean(r.diversity for r in rounds), 3),
            "seconds": round(mean(r.seconds for r in rounds), 2),
        }
        for number, rounds in enumerate(zip(*games, strict=True))
    ]


def _print_table(method: str, table: list[dict[str, float]]) -> None:
    say(f"\nmethod {method}\nround  hit rate  diversity  seconds")
    for row in table:
        say(
            f"{row['round']:5d}  {row['hit_rate']:8.2f}  {row['diversity']:9.3f}  "
            f"{row['seconds']:7.1f}"
        )
    say("")


def _wait() -> None:
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
