"""`python -m tests.fuzz [pages | logins | requests | soak]`: long runs; each prints its seed."""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import time

import torch

from tests.helpers.commands import running_webui, say

_CHOICES = ("pages", "logins", "requests", "soak")


def main() -> int:
    """The exit status: 0 if nothing broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("what", nargs="?", default="pages", choices=_CHOICES)
    parser.add_argument("--operations", type=int, default=10_000, help="of pages and logins")
    parser.add_argument("--examples", type=int, default=1000, help="of requests")
    parser.add_argument("--minutes", type=float, default=20, help="of soak")
    parser.add_argument("--clients", type=int, default=3, help="of soak")
    parser.add_argument("--url", help="a WebUI for requests; a stand-in by default")
    parser.add_argument("--seed", type=int, default=None, help="a random one by default")
    options = parser.parse_args()
    seed = secrets.randbelow(2**31) if options.seed is None else options.seed
    say(f"{options.what}: --seed {seed}")
    torch.set_num_threads(1)
    if options.what == "soak":
        from tests.fuzz.soak import soak

        return soak(options.minutes, options.clients, seed)
    start = time.monotonic()
    done = (_send if options.what == "requests" else _play)(options, seed)
    say(f"{done} in {time.monotonic() - start:.0f} s, nothing broken")
    return 0


def _play(options: argparse.Namespace, seed: int) -> str:
    from tests.fuzz import login_operations, page_operations
    from tests.fuzz.machine import play

    game = page_operations.GAME if options.what == "pages" else login_operations.GAME
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
