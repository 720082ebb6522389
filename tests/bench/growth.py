"""`make bench ARGS=memory`: memory against the number of references, and its bound.

For each number of liked pictures, and as many disliked: the peak of a denoiser call over that
without feedback, with nothing kept, and the reference states that one step leaves in memory; then
the slope of both per reference. At the end, what several steps keep under budgets.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from lib_fabric.steering.state_cache import StateCache
from tests.bench.bench_host import make_request
from tests.bench.cases import CASES, FULL_SIZE_CASES
from tests.bench.denoiser import Denoiser
from tests.bench.measure import PROGRESS, UNLIMITED, Arms, Effort
from tests.bench.memory import MEGABYTE, peak_bytes
from tests.helpers.commands import say

NUM_EACH = (1, 2, 4, 8)
BATCH_SIZE = 1
BUDGET_STEPS = 4


def run(
    arguments: argparse.Namespace, device: torch.device, dtype: torch.dtype, effort: Effort
) -> list[dict]:
    """Measures and prints every case that the arguments choose."""
    return [
        measure(Denoiser(case, device, dtype), arguments)
        for case in (FULL_SIZE_CASES if device.type == "cuda" else CASES)
        if arguments.only in case.name
    ]


def measure(denoiser: Denoiser, arguments: argparse.Namespace) -> dict:
    say(f"{denoiser.case.name}, batch {BATCH_SIZE}, {arguments.method}")
    say(f"{'refs':>6} {'peak over plain MB':>19} {'kept per step MB':>17}")
    rows = []
    for num_each in NUM_EACH:
        request = make_request(num_each, num_each, method=arguments.method)
        arms = Arms(denoiser, request, BATCH_SIZE)
        cold, plain = (
            arms.run(name, lambda call: peak_bytes(call, denoiser.device))
            for name in ("cold", "plain")
        )
        rows.append((2 * num_each, (cold - plain) / MEGABYTE, arms.kept.num_bytes / MEGABYTE))
        say(f"{num_each}+{num_each:<4d} {rows[-1][1]:19.1f} {rows[-1][2]:17.1f}")
    numbers, peaks, kept = zip(*rows, strict=True)
    fits = {"peak": straight_line(numbers, peaks), "kept": straight_line(numbers, kept)}
    for name, (slope, worst) in fits.items():
        say(f"{name}: {slope:.2f} MB per reference, off a straight line by at most {worst:.2f} MB")
    budgets = _keep_under_budgets(denoiser, arguments.method)
    return {"case": denoiser.case.name, "rows": rows, "fits": fits, "budgets": budgets}


def straight_line(x: tuple[float, ...], y: tuple[float, ...]) -> tuple[float, float]:
    """The slope of the least squares line, and how far the farthest point is off it."""
    slope, start = np.polyfit(x, y, 1)
    return float(slope), float(np.abs(np.polyval((slope, start), x) - y).max())


def _keep_under_budgets(denoiser: Denoiser, method: str) -> list[tuple[float, float]]:
    """What a generation of a few steps keeps, with no bound and with half of that; (bound, MB)."""
    request = make_request(1, 1, method=method)
    found = []
    bound = UNLIMITED
    for _ in range(2):
        states = StateCache(bound)
        with denoiser.session(request, states) as session:
            for step in range(BUDGET_STEPS):
                denoiser.step(session, 1, 1, PROGRESS * step / BUDGET_STEPS)
        said = "no budget" if bound == UNLIMITED else f"a budget of {bound / MEGABYTE:.1f} MB"
        found.append((bound / MEGABYTE, states.num_bytes / MEGABYTE))
        say(f"{BUDGET_STEPS} steps of 1+1 keep {found[-1][1]:.1f} MB with {said}")
        if states.num_bytes > bound:
            raise RuntimeError("Kept states go beyond their budget.")
        bound = states.num_bytes // 2
    return found
