"""`make demo`: starts the stand-in WebUI, plays the games and keeps the page up."""

from __future__ import annotations

import argparse
import contextlib
import json
import time
from pathlib import Path
from statistics import mean

from tests.demo import contact_sheet
from tests.demo.client import WebuiClient
from tests.demo.game import GameRules, Preference, Round, play
from tests.helpers.commands import running_webui, say
from tests.tiny_model.shapes import GROUND_COLOURS, OBJECT_COLOURS, SHAPES


def main() -> None:
    """Runs the demo as the command line says."""
    arguments = _parse()
    preference = Preference(arguments.object, arguments.ground, arguments.shape)
    if not str(preference):
        preference = Preference(object_colour="red")
    with running_webui(arguments.url, arguments.port) as url:
        say(
            f"Playing {arguments.games} games at {url}: prompt 'a circle', preference: "
            f"{preference}."
        )
        games = _play(url, preference, arguments.games)
        table = _table(games)
        _print_table(table)
        sheet = contact_sheet.draw(games[0], f"Prompt: a circle. Preference: {preference}.")
        sheet.save(arguments.sheet)
        say(f"Contact sheet of the first game: {arguments.sheet}")
        if arguments.json:
            report = {"preference": str(preference), "games": len(games), "rounds": table}
            arguments.json.write_text(json.dumps(report, indent=2) + "\n")
        if not arguments.once:
            say(
                f"\nThe page is up: {url}\nGenerate, press the thumbs under the picture, "
                "generate again. Ctrl+C stops it."
            )
            _wait()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo ARGS='...'", description=__doc__)
    parser.add_argument("--once", action="store_true", help="exit after the rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON")
    parser.add_argument("--sheet", type=Path, default=Path("demo.png"), metavar="FILE",
                        help="where the contact sheet goes (%(default)s)")  # fmt: skip
    parser.add_argument("--games", type=int, default=5, help="games, each its own seed")
    parser.add_argument("--port", type=int, default=0, help="of the page; 0 = a free one")
    parser.add_argument("--url", help="play against this running WebUI with the tiny model instead")
    parser.add_argument("--object", choices=OBJECT_COLOURS, help="wanted colour of the object")
    parser.add_argument("--ground", choices=GROUND_COLOURS, help="wanted colour of the ground")
    parser.add_argument("--shape", choices=SHAPES, help="wanted shape")
    return parser.parse_args()


def _play(url: str, preference: Preference, num_games: int) -> list[list[Round]]:
    webui = WebuiClient(url)
    games = []
    for game in range(num_games):
        games.append(list(play(webui, preference, seed=10_000 * (game + 1), rules=GameRules())))
        say(
            f"  game {game + 1}: matches by round "
            + " ".join(f"{sum(r.hits)}/{len(r.hits)}" for r in games[-1])
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


def _print_table(table: list[dict[str, float]]) -> None:
    say("\nround  hit rate  diversity  seconds")
    for row in table:
        say(
            f"{row['round']:5d}  {row['hit_rate']:8.2f}  {row['diversity']:9.3f}  "
            f"{row['seconds']:7.1f}"
        )
    say("")


def _wait() -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
