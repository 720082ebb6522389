"""`make bench`: what feedback costs, in time over arithmetic."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

# The profiler announces itself in every run.
os.environ.setdefault("KINETO_LOG_LEVEL", "5")

import torch

from lib_fabric.settings import FabricSettings
from lib_fabric.steering.methods import METHODS
from tests.bench import disabled, growth, rounds, speed, steps, webui
from tests.bench.cases import use_sdp_attention
from tests.bench.measure import Effort
from tests.bench.report import describe_load, describe_machine, write_json
from tests.helpers.commands import say

PARTS = {
    "steps": steps,
    "rounds": rounds,
    "speed": speed,
    "memory": growth,
    "disabled": disabled,
    "webui": webui,
}


def main() -> None:
    """Runs the benchmark as the command line says."""
    arguments = _parse()
    device = torch.device(arguments.device)
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    clock = time.process_time if arguments.processor_seconds else time.perf_counter
    effort = Effort(arguments.repeats, clock=clock)
    undo = use_sdp_attention()
    machine = describe_machine(device, dtype)
    say(machine)
    try:
        results = PARTS[arguments.part].run(arguments, device, dtype, effort)
    except webui.WebuiError as error:
        sys.exit(f"{error}")
    finally:
        undo()
    say(f"done, {describe_load()}")
    write_json(arguments.json, machine, arguments, results)


def _parse() -> argparse.Namespace:
    described = "\n".join(part.__doc__ for part in PARTS.values())
    parser = argparse.ArgumentParser(
        prog="make bench ARGS='...'",
        description=described,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", nargs="?", choices=list(PARTS), default="steps")
    parser.add_argument("--device", default="cpu", help="cpu, or cuda for full sizes in fp16")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose name contains it")
    parser.add_argument("--references", type=int, nargs="+", default=[1, 4, 16], metavar="N",
                        help="liked pictures, and as many disliked (%(default)s)")  # fmt: skip
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4], metavar="N")
    default_method = FabricSettings().method
    parser.add_argument("--method", choices=list(METHODS), default=default_method)
    parser.add_argument("--repeats", type=int, default=3, help="at least; in turns (%(default)s)")
    parser.add_argument("--profile", action="store_true", help="of what misses its limit")
    parser.add_argument("--steps", type=int, default=5, help="of a generation (%(default)s)")
    parser.add_argument("--budget-mb", type=float, default=0, help="for kept states; 0 = no bound")
    parser.add_argument("--processor-seconds", action="store_true",
                        help="for a busy machine, with OMP_NUM_THREADS=1")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    group = parser.add_argument_group("webui")
    group.add_argument("--webui", metavar="URL", help="measure this running WebUI")
    group.add_argument("--size", type=int, default=256, help="of its pictures, px (%(default)s)")
    group.add_argument("--sampler", default="Euler", help="%(default)s")
    arguments = parser.parse_args()
    if arguments.webui and arguments.part == "steps":
        arguments.part = "webui"
    return arguments


if __name__ == "__main__":
    main()
