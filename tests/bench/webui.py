"""`make bench ARGS="--webui URL"`: what feedback costs in a WebUI that runs already, by its API.

For each number of references and batch size, in turns: a request without feedback, one with
pictures that the WebUI has never seen (cold) and the same once more with another seed (warm). The
times are of whole requests, prompt, VAE and transfer included. Warm needs room for all states: see
'Memory for kept reference states' in the WebUI's settings. Nothing is saved but the pictures sent
along: as all rated pictures, they stay in FABRIC's folder until its room runs out. Settings are
left as they are.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from statistics import mean, median

import httpx
import numpy as np
import torch
from PIL import Image

from tests.bench.intervals import paired_ratio
from tests.bench.measure import Effort
from tests.demo.client import WebuiClient, to_base64
from tests.demo.client import WebuiError as AnswerError
from tests.helpers.commands import say

ARMS = ("plain", "cold", "warm")
TITLE = "fabric"
TIMEOUT_S = 3600.0
HEADER = (
    f"{'refs':>6} {'batch':>5} {'plain s':>8} {'cold s':>8} {'warm s':>8} "
    f"{'cold over plain':>22} {'warm over plain':>22} {'n':>3}"
)


class WebuiError(Exception):
    """The WebUI cannot be measured; the message says why and what to do."""


class Requests:
    """Requests to one WebUI that save nothing."""

    def __init__(self, url: str, arguments: argparse.Namespace) -> None:
        self._url, self._arguments = url, arguments
        self._client = WebuiClient(url, TIMEOUT_S)
        self._random = np.random.default_rng(time.time_ns())
        self._seeds = itertools.count(1)

    def check(self) -> str:
        """Returns the model's name and what is kept there, once FABRIC is known to be there.

        Raises:
            WebuiError: no WebUI with an API at this address, or no FABRIC of this repository in it.
        """
        scripts = self._get("/sdapi/v1/scripts")["txt2img"]
        if TITLE not in scripts:
            raise WebuiError(f"FABRIC is not installed in the WebUI at {self._url}.")
        options = self._get("/sdapi/v1/options")
        if "fabric_keep_states" not in options:
            raise WebuiError(f"Another extension named FABRIC is installed at {self._url}.")
        return (
            f"{options.get('sd_model_checkpoint')}, states kept: "
            f"{options.get('fabric_keep_states')}, {options.get('fabric_keep_states_mb')} MB"
        )

    def new_pictures(self, count: int) -> list[str]:
        """Pictures that no WebUI has seen, in base64."""
        size = self._arguments.size
        noise = self._random.integers(0, 256, (count, size // 8, size // 8, 3), dtype=np.uint8)
        return [
            to_base64(Image.fromarray(each).resize((size, size), Image.Resampling.BICUBIC))
            for each in noise
        ]

    def generate(self, batch_size: int, feedback: dict[str, object] | None) -> None:
        """One request; `feedback` is the script's JSON object.

        Raises:
            WebuiError: it was refused.
        """
        wanted = self._arguments
        payload = {
            "prompt": "a red circle", "negative_prompt": "", "seed": next(self._seeds),
            "steps": wanted.steps, "width": wanted.size, "height": wanted.size,
            "batch_size": batch_size, "cfg_scale": 7, "sampler_name": wanted.sampler,
            "save_images": False, "do_not_save_samples": True, "do_not_save_grid": True,
            "send_images": True,
        }  # fmt: skip
        arguments = {"enabled": False} if feedback is None else feedback
        payload["alwayson_scripts"] = {"FABRIC": {"args": [arguments]}}
        try:
            self._client.txt2img(**payload)
        except AnswerError as error:
            raise WebuiError(f"The WebUI at {self._url} refused a request: {error}") from error
        except httpx.HTTPError as error:
            raise WebuiError(self._unreachable(error)) from error

    def _get(self, path: str) -> list | dict:
        try:
            return self._client.get(path)
        except AnswerError as error:
            raise WebuiError(
                f"The WebUI at {self._url} does not answer {path} ({error}). "
                "It has to be started with --api and without --api-auth."
            ) from error
        except httpx.HTTPError as error:
            raise WebuiError(self._unreachable(error)) from error

    def _unreachable(self, error: Exception) -> str:
        return f"No answer from {self._url}: {error or type(error).__name__}."


def run(
    arguments: argparse.Namespace, device: torch.device, dtype: torch.dtype, effort: Effort
) -> list[dict]:
    """Measures and prints a line for each number of references and batch size."""
    if not arguments.webui:
        raise WebuiError("Name the WebUI: --webui http://127.0.0.1:7860")
    requests = Requests(arguments.webui, arguments)
    say(
        f"{arguments.webui}: {requests.check()}; {arguments.size}x{arguments.size} px, "
        f"{arguments.steps} steps, {arguments.sampler}, {arguments.method}"
    )
    say(HEADER)
    requests.generate(1, None)
    return [
        _measure(requests, arguments, num_each, batch_size, effort)
        for num_each in arguments.references
        for batch_size in arguments.batches
    ]


def _measure(
    requests: Requests,
    arguments: argparse.Namespace,
    num_each: int,
    batch_size: int,
    effort: Effort,
) -> dict:
    seconds: dict[str, list[float]] = {name: [] for name in ARMS}
    for number in range(effort.repeats):
        feedback = {
            "method": arguments.method,
            "end": 1.0,
            "liked": requests.new_pictures(num_each),
            "disliked": requests.new_pictures(num_each),
        }
        # Warm has to follow cold; plain goes first, last or between.
        order = ["cold", "warm"]
        order.insert(number % len(ARMS), "plain")
        for name in order:
            wanted = None if name == "plain" else feedback
            seconds[name].append(effort.time(_call(requests, batch_size, wanted)))
    ratios = {name: paired_ratio(seconds[name], seconds["plain"]) for name in ("cold", "warm")}
    added = {name: mean(np.subtract(seconds[name], seconds["plain"])) for name in ("cold", "warm")}
    medians = " ".join(f"{median(seconds[name]):8.2f}" for name in ARMS)
    say(
        f"{num_each}+{num_each:<4d} {batch_size:5d} {medians} {ratios['cold']!s:>22} "
        f"{ratios['warm']!s:>22} {effort.repeats:3d}"
    )
    return {
        "references": num_each, "batch_size": batch_size, "seconds": seconds,
        "cold": vars(ratios["cold"]), "warm": vars(ratios["warm"]), "added_s": added,
    }  # fmt: skip


def _call(
    requests: Requests, batch_size: int, feedback: dict[str, object] | None
) -> Callable[[], None]:
    return lambda: requests.generate(batch_size, feedback)
