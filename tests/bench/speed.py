"""`make bench ARGS=speed`: what the speed settings gain.

Generations of `--steps` steps with feedback at every one. Prints seconds with feedback over without
and their 95 % interval, while nothing is kept yet (cold) and with what an equal generation has kept
(warm), and the memory of what is kept.
"""

from __future__ import annotations

import argparse

import torch

from lib_fabric.request import FabricRequest
from lib_fabric.steering.state_cache import StateCache
from tests.bench.bench_host import make_request
from tests.bench.cases import CASES, FULL_SIZE_CASES
from tests.bench.denoiser import Denoiser
from tests.bench.intervals import paired_ratio
from tests.bench.measure import UNLIMITED, Effort
from tests.bench.memory import MEGABYTE
from tests.helpers.commands import say

SETTINGS = {
    "off": {},
    "merge tokens: 2": {"merge": 2},
    "most tokens: 1024": {"max_tokens": 1024},
    "refresh interval: 2": {"refresh": 2},
}
PLAIN = "no feedback"


def run(
    arguments: argparse.Namespace, device: torch.device, dtype: torch.dtype, effort: Effort
) -> list[dict]:
    """Measures and prints every case, number of references and batch size that is chosen."""
    results = []
    for case in FULL_SIZE_CASES if device.type == "cuda" else CASES:
        if arguments.only not in case.name:
            continue
        denoiser = Denoiser(case, device, dtype)
        _generate(denoiser, None, StateCache(), 1, 1)  # warms up
        for num_each in arguments.references:
            for batch_size in arguments.batches:
                results.append(_measure(denoiser, num_each, batch_size, arguments, effort))
    return results


def _measure(
    denoiser: Denoiser,
    num_each: int,
    batch_size: int,
    arguments: argparse.Namespace,
    effort: Effort,
) -> dict:
    steps = arguments.steps
    say(
        f"{denoiser.case.name}, {num_each}+{num_each} references, batch {batch_size}, "
        f"{steps} steps, {arguments.method}"
    )
    requests = {
        name: make_request(num_each, num_each, method=arguments.method, **settings)
        for name, settings in SETTINGS.items()
    }
    arms = [PLAIN, *((name, kind) for name in requests for kind in ("cold", "warm"))]
    seconds: dict[object, list[float]] = {arm: [] for arm in arms}
    kept_mb = {}
    while not effort.is_enough(len(seconds[PLAIN]), sum(map(sum, seconds.values()))):
        seconds[PLAIN].append(
            effort.time(lambda: _generate(denoiser, None, StateCache(), batch_size, steps))
        )
        for name, request in requests.items():
            states = StateCache(UNLIMITED)
            for kind in ("cold", "warm"):

                def generate(request: FabricRequest = request, states: StateCache = states) -> None:
                    _generate(denoiser, request, states, batch_size, steps)

                seconds[name, kind].append(effort.time(generate))
            kept_mb[name] = states.num_bytes / MEGABYTE
    say(f"  {'':20} {'cold':>22} {'warm':>22} {'kept MB':>8}")
    for name in requests:
        cold, warm = (
            paired_ratio(seconds[name, kind], seconds[PLAIN]) for kind in ("cold", "warm")
        )
        say(f"  {name:20} {cold!s:>22} {warm!s:>22} {kept_mb[name]:8.1f}")
    told = {" ".join(arm) if isinstance(arm, tuple) else arm: each for arm, each in seconds.items()}
    return {
        "case": denoiser.case.name,
        "num_each": num_each,
        "batch_size": batch_size,
        "seconds": told,
        "kept_mb": kept_mb,
    }


def _generate(
    denoiser: Denoiser,
    request: FabricRequest | None,
    states: StateCache,
    batch_size: int,
    steps: int,
) -> None:
    with denoiser.session(request, states) as session:
        for number in range(steps):
            denoiser.step(session, batch_size, batch_size, number / steps, number)
