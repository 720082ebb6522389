"""One denoiser call of every case: the table of `make bench`.

Prints a line per case, references and batch size: seconds of a denoiser call without feedback;
then, for reference states computed (cold) and kept (warm), seconds with feedback over without and
their 95 % interval, the same ratio counted in floating point operations (the limit), and achieved
over limit ("over"). At the end memory: the peak over that without feedback, cold and warm, and the
reference states of one step, which the warm peak includes.
"""

from __future__ import annotations

import argparse

import torch

from tests.bench.bench_host import make_request
from tests.bench.cases import CASES, FULL_SIZE_CASES
from tests.bench.denoiser import Denoiser
from tests.bench.intervals import Ratio
from tests.bench.measure import ALLOWED, Arms, Effort, Result, measure
from tests.bench.profiling import difference_lines, time_by_operator
from tests.helpers.commands import say

HEADER = (
    f"{'case':36} {'refs':>5} {'batch':>5} {'plain s':>8} "
    f"{'cold':>22} {'limit':>6} {'over':>5} {'warm':>22} {'limit':>6} {'over':>5} "
    f"{'cold MB':>8} {'warm MB':>8} {'states':>7} {'n':>3}"
)


def run(
    arguments: argparse.Namespace, device: torch.device, dtype: torch.dtype, effort: Effort
) -> list[Result]:
    """Measures and prints every case that the arguments choose."""
    say(HEADER)
    results = []
    for case in FULL_SIZE_CASES if device.type == "cuda" else CASES:
        if arguments.only not in case.name:
            continue
        denoiser = Denoiser(case, device, dtype)
        for num_each in arguments.references:
            for batch_size in arguments.batches:
                request = make_request(num_each, num_each, method=arguments.method)
                arms = Arms(denoiser, request, batch_size)
                results.append(measure(denoiser, arms, effort))
                say(line(results[-1]))
                if arguments.profile and results[-1].is_slow:
                    _explain(results[-1], arms, device)
    return results


def line(result: Result) -> str:
    """One result as a line under HEADER."""
    references = f"{result.num_liked}+{result.num_disliked}"
    columns = [f"{result.case:36} {references:>5} {result.batch_size:5d} {result.plain_s:8.3f}"]
    for achieved, limit in ((result.cold, result.cold_limit), (result.warm, result.warm_limit)):
        columns.append(f"{achieved!s:>22} {limit:6.2f} {achieved.value / limit:5.2f}")
    memory = f"{result.cold_mb:8.1f} {result.warm_mb:8.1f} {result.states_mb:7.1f}"
    return " ".join([*columns, memory, f"{result.repeats:3d}"])


def _explain(result: Result, arms: Arms, device: torch.device) -> None:
    def profiled(name: str) -> dict[str, float]:
        return arms.run(name, lambda call: time_by_operator(call, device))

    kinds: dict[str, tuple[Ratio, float]] = {
        "cold": (result.cold, result.cold_limit),
        "warm": (result.warm, result.warm_limit),
    }
    plain = profiled("plain")
    for name, (achieved, limit) in kinds.items():
        if achieved.value / limit > ALLOWED:
            say(f"    {name}: more than {ALLOWED} times the limit; where the time goes:")
            for each in difference_lines(plain, profiled(name)):
                say(each)
