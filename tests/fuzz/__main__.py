"""`python -m tests.fuzz [pages | logins | requests | soak]`: long runs; each prints its seed."""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import time

import torch

from tests.helpers.commands import running_webui, say

# What each kind of run takes, beside --seed: name, default and help.
KINDS = {
    "pages": (
        "random presses and generations, against an idea of what must come out",
        [("--operations", 10_000, "how many")],
    ),
    "logins": (
        "random presses of two logins and the API: nobody sees what is another's",
        [("--operations", 10_000, "how many")],
    ),
    "requests": (
        "random requests to the API of a WebUI",
        [("--examples", 1000, "how many"), ("--url", None, "of the WebUI; None: a stand-in")],
    ),
    "soak": (
        "a mixed load on the stand-in, and its memory meanwhile",
        [("--minutes", 20.0, "how long"), ("--clients", 3, "how many ask at once")],
    ),
}


def main() -> int:
    """The exit status: 0 if nothing broke."""
    what, options = _parse(sys.argv[1:])
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    say(f"{what}: --seed {seed}")
    torch.set_num_threads(1)
    if what == "soak":
        from tests.fuzz.soak import soak

        return soak(options.minutes, options.clients, seed)
    start = time.monotonic()
    done = _send(options, seed) if what == "requests" else _play(what, options, seed)
    say(f"{done} in {time.monotonic() - start:.0f} s, nothing broken")
    return 0


def _parse(given: list[str]) -> tuple[str, argparse.Namespace]:
    """The kind of run that comes first, or else 'pages', and its options."""
    what = given[0] if given and given[0] in KINDS else "pages"
    description, own = KINDS[what]
    name = "make soak ARGS='...'" if what == "soak" else f"make fuzz ARGS='{what} ...'"
    others = [each for each in KINDS if each not in (what, "soak")]
    parser = argparse.ArgumentParser(
        prog=name,
        description=f"{description[0].upper()}{description[1:]}.",
        epilog=None if what == "soak" else f"Also: make fuzz ARGS='{' | '.join(others)} --help'",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    for option, default, text in own:
        kind = str if default is None else type(default)
        parser.add_argument(option, type=kind, default=default, help=text)
    parser.add_argument("--seed", type=int, default=None, help="None: a random one")
    return what, parser.parse_args(given[1:] if given[:1] == [what] else given)


def _play(what: str, options: argparse.Namespace, seed: int) -> str:
    from tests.fuzz import login_operations, page_operations
    from tests.fuzz.machine import play

    game = page_operations.GAME if what == "pages" else login_operations.GAME

    # A broken index is repaired with two lines in the log, each time.
    logging.disable(logging.WARNING)
    done = play(game, options.operations, seed)
    listed = ", ".join(f"{name} {count}" for name, count in sorted(done.items()))
    return f"{done.total()} operations ({listed})"


def _send(options: argparse.Namespace, seed: int) -> str:
    from tests.demo.client import WebuiClient
    from tests.fuzz.sending import send_many

    with running_webui(options.url) as url:
        return send_many(WebuiClient(url), options.examples, seed)


if __name__ == "__main__":
    sys.exit(main())
