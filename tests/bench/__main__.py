"""`make bench`: what feedback costs, in time over arithmetic.

Prints a line per case, references and batch size: seconds of a denoiser call without feedback;
then, for reference states computed (cold) and kept (warm), seconds with feedback over without, the
same ratio counted in floating point operations (the limit), and achieved over limit.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from lib_fabric.methods import METHODS
from tests.bench.cases import CASES, FULL_SIZE_CASES, use_sdp_attention
from tests.bench.measure import Bench, Result, peak_memory_mb

HEADER = (
    f"{'case':40} {'refs':>6} {'batch':>5} {'plain s':>8} "
    f"{'cold':>6} {'limit':>6} {'over':>5} {'warm':>6} {'limit':>6} {'over':>5} {'MB/step':>8}"
)


def main() -> None:
    """Runs the benchmark as the command line says."""
    arguments = _parse()
    device = torch.device(arguments.device)
    on_gpu = device.type == "cuda"
    dtype = torch.float16 if on_gpu else torch.float32
    cases = FULL_SIZE_CASES if on_gpu else CASES
    undo = use_sdp_attention()
    results = []
    try:
        _say(
            f"{_machine(device)}, {dtype}, torch {torch.__version__}, "
            f"{torch.get_num_threads()} threads, median of {arguments.repeats}"
        )
        _say(HEADER)
        for case in (case for case in cases if arguments.only in case.name):
            bench = Bench(case, device, dtype)
            for num_each in arguments.references:
                for batch_size in arguments.batches:
                    results.append(
                        bench.measure(batch_size, num_each, arguments.repeats, arguments.method)
                    )
                    _say(_line(results[-1]))
    finally:
        undo()
    if not on_gpu:
        _say(f"Peak memory of the whole run: {peak_memory_mb():.0f} MB")
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(each) for each in results], indent=2) + "\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS='...'", description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for full sizes in fp16")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains it")
    parser.add_argument("--references", type=int, nargs="+", default=[1, 4, 16], metavar="N",
                        help="liked pictures, and as many disliked (%(default)s)")  # fmt: skip
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], metavar="N")
    parser.add_argument("--method", choices=list(METHODS), default="contrast")
    parser.add_argument("--repeats", type=int, default=3, help="interleaved runs of each")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser.parse_args()


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU"


def _line(result: Result) -> str:
    references = f"{result.num_liked}+{result.num_disliked}"
    columns = [f"{result.case:40} {references:>6} {result.batch_size:5d} {result.plain_s:8.3f}"]
    for achieved, limit in ((result.cold, result.cold_limit), (result.warm, result.warm_limit)):
        columns.append(f"{achieved:6.2f} {limit:6.2f} {achieved / limit:5.2f}")
    return " ".join([*columns, f"{result.states_mb:8.1f}"])


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
