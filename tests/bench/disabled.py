"""`make bench ARGS=disabled`: what the extension costs while it is installed and switched off.

Requests to one stand-in WebUI in pairs: FABRIC as installed, switched off; and FABRIC taken out of
the host's lists of scripts and callbacks in the same process. Prints the ratio of their times,
whose interval should contain 1.00, then the microseconds that FABRIC's own functions take.
`--webui URL` does the same in a WebUI that has `tests/bench/switch` among its extensions.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx
import torch

from tests.bench.intervals import paired_ratio
from tests.bench.measure import Effort
from tests.bench.webui import WebuiError
from tests.helpers.commands import say
from tests.webui.server import StandIn

ROOT = Path(__file__).resolve().parents[2]
SWITCH = Path(__file__).resolve().parent / "switch"
ARMS = ("off", "taken out")
# With fewer, the interval of requests that take a fifth of a second says little.
LEAST_PAIRS = 40


def run(
    arguments: argparse.Namespace, device: torch.device, dtype: torch.dtype, effort: Effort
) -> list[dict]:
    """Measures and prints the cost."""
    with _client(arguments.webui) as client:
        return [_measure(client, arguments, effort)]


@contextlib.contextmanager
def _client(url: str | None) -> Iterator[httpx.Client]:
    if url:
        with httpx.Client(base_url=url.rstrip("/"), timeout=3600) as client:
            yield client
        return
    with StandIn(extension=[ROOT, SWITCH]) as host:
        yield host.client


def _measure(client: httpx.Client, arguments: argparse.Namespace, effort: Effort) -> dict:
    pairs = max(effort.repeats, 1 if arguments.webui else LEAST_PAIRS)
    size = arguments.size if arguments.webui else 64
    request = {"prompt": "a circle", "steps": arguments.steps, "width": size, "height": size,
               "sampler_name": arguments.sampler, "seed": 1, "save_images": False}  # fmt: skip
    seconds: dict[str, list[float]] = {name: [] for name in ARMS}
    pictures: dict[str, list[str]] = {}
    try:
        for number in range(-1, pairs):  # the first pair warms up
            for name in ARMS if number % 2 else ARMS[::-1]:
                _install(client, name == "off")
                answers = []
                taken = effort.time(
                    lambda answers=answers: answers.append(
                        client.post("/sdapi/v1/txt2img", json=request)
                    )
                )
                pictures[name] = _checked(answers[0])["images"]
                if number >= 0:
                    seconds[name].append(taken)
    finally:
        _install(client, True)
    ratio = paired_ratio(seconds["off"], seconds["taken out"])
    costs = _checked(client.get("/fabric-bench/costs"))
    say(
        f"{pairs} pairs of {arguments.steps} steps at {size}x{size} px, "
        f"{median(seconds['taken out']):.3f} s each without the extension"
    )
    say(f"switched off over not installed: {ratio.value:.4f} ({ratio.low:.4f} to {ratio.high:.4f})")
    say(f"the interval {'contains' if ratio.contains(1) else 'does not contain'} 1.00")
    same = pictures["off"] == pictures["taken out"]
    say(f"the pictures are {'the same' if same else 'NOT the same'}")
    say(
        f"per request {costs['request_us']:.0f} microseconds, per denoiser call "
        f"{costs['denoiser_call_us']:.2f} ({costs['callbacks']} callbacks); no hooks on the model"
    )
    return {"seconds": seconds, "ratio": vars(ratio), "costs": costs}


def _install(client: httpx.Client, is_installed: bool) -> None:
    answer = client.post("/fabric-bench/installed", json={"is_installed": is_installed})
    if answer.status_code == 404:
        raise WebuiError(f"The WebUI lacks {SWITCH.relative_to(ROOT)} among its extensions.")
    entries = _checked(answer)["entries"]
    if not is_installed and not entries:
        raise WebuiError("FABRIC is not installed in this WebUI.")


def _checked(answer: httpx.Response) -> dict:
    if answer.status_code != 200:
        raise WebuiError(f"The WebUI answered {answer.status_code}: {answer.text[:200]}")
    return answer.json()
