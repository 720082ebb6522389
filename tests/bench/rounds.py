"""`make bench ARGS=rounds`: four rounds as a person plays them.

Each round adds one liked and one disliked picture; steps, size and batch stay. Prints the seconds
of every round without feedback, with reference states kept between rounds, and with nothing kept.
"""

from __future__ import annotations

import argparse
import functools

import torch

from lib_fabric.settings import FabricSettings
from lib_fabric.steering.state_cache import StateCache
from tests.bench.bench_host import make_request
from tests.bench.cases import CASES, FULL_SIZE_CASES
from tests.bench.denoiser import Denoiser
from tests.bench.intervals import paired_ratio
from tests.bench.measure import UNLIMITED, Effort
from tests.bench.memory import MEGABYTE
from tests.helpers.commands import say

ARMS = ("plain", "kept", "not kept")
NUM_ROUNDS = 4
BATCH_SIZE = 4
# The batch of SD 1.5 at 256x256 takes a minute a round on two cores.
DEFAULT_CASE = "SD 1.5"


def run(
    arguments: argparse.Namespace, device: torch.device, dtype: torch.dtype, effort: Effort
) -> list[dict]:
    """Plays and prints the rounds on every case that the arguments choose."""
    only = arguments.only or DEFAULT_CASE
    cases = FULL_SIZE_CASES if device.type == "cuda" else CASES
    return [
        play(Denoiser(case, device, dtype), arguments, effort)
        for case in cases
        if only in case.name
    ]


def play(denoiser: Denoiser, arguments: argparse.Namespace, effort: Effort) -> dict:
    settings = FabricSettings(method=arguments.method)
    say(
        f"{denoiser.case.name}, batch {BATCH_SIZE}, {arguments.steps} steps, {settings.method}, "
        f"feedback from {settings.start:g} to {settings.end:g}"
    )
    say(f"{'game':>4} {'round':>5} {'refs':>5} " + " ".join(f"{name + ' s':>11}" for name in ARMS))
    totals: dict[str, list[float]] = {name: [] for name in ARMS}
    budget = int(arguments.budget_mb * MEGABYTE) if arguments.budget_mb else UNLIMITED
    generate(denoiser, 1, None, StateCache(), 1)  # warms up
    for game in range(effort.repeats):
        caches = {"kept": StateCache(budget), "not kept": StateCache()}
        seconds = [
            _play_round(denoiser, number, caches, arguments, effort)
            for number in range(1, NUM_ROUNDS + 1)
        ]
        for number, each in enumerate(seconds, 1):
            columns = " ".join(f"{each[name]:11.2f}" for name in ARMS)
            say(f"{game + 1:4d} {number:5d} {number}+{number:<3d} {columns}")
        for name in ARMS:
            totals[name].append(sum(each[name] for each in seconds))
        say(f"{game + 1:4d}   all       " + " ".join(f"{totals[name][-1]:11.2f}" for name in ARMS))
        kept_mb = caches["kept"].num_bytes / MEGABYTE
    kept = paired_ratio(totals["kept"], totals["plain"])
    not_kept = paired_ratio(totals["not kept"], totals["plain"])
    say(f"over no feedback: states kept {kept}, not kept {not_kept}; {kept_mb:.0f} MB kept")
    return {"case": denoiser.case.name, "seconds": totals, "kept_mb": kept_mb}


def _play_round(
    denoiser: Denoiser,
    number: int,
    caches: dict[str, StateCache],
    arguments: argparse.Namespace,
    effort: Effort,
) -> dict[str, float]:
    """Seconds of one round in each of the three ways, each first in turn."""
    turn = number % len(ARMS)
    seconds = {}
    for name in ARMS[turn:] + ARMS[:turn]:
        method = None if name == "plain" else arguments.method
        states = caches.get(name, StateCache())

        seconds[name] = effort.time(
            functools.partial(generate, denoiser, arguments.steps, method, states, number)
        )
    return seconds


def generate(
    denoiser: Denoiser, steps: int, method: str | None, states: StateCache, num_each: int
) -> None:
    """One generation of a batch, with the default settings of feedback."""
    request = None
    if method is not None:
        defaults = FabricSettings()
        # The same pictures as in the round before, and one more of each kind.
        request = make_request(num_each, num_each, method=method, end=defaults.end)
    with denoiser.session(request, states) as session:
        for step in range(steps):
            denoiser.step(session, BATCH_SIZE, BATCH_SIZE, step / steps)
