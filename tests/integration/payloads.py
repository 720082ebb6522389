"""Requests for the integration tests and how their pictures are compared."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from tests.demo.client import WebuiClient

# What the host itself keeps between a picture made alone and in a batch.
HOST_TOLERANCE = 1
# A difference that a person sees, in 1/255.
VISIBLE = 16


def payload(fabric: dict[str, Any] | None = None, **changes: object) -> dict[str, Any]:
    """A small txt2img request, with FABRIC's JSON object if there is one."""
    request = {
        "prompt": "a circle",
        "seed": 7,
        "steps": 8,
        "cfg_scale": 4,
        "sampler_name": "Euler a",
        "height": 64,
        "width": 64,
        **changes,
    }
    if fabric is not None:
        request["alwayson_scripts"] = {"FABRIC": {"args": [fabric]}}
    return request


def plot_request(
    described_scripts: Sequence[dict[str, Any]], label: str, values: str, **changes: object
) -> dict[str, Any]:
    """A request for an X/Y/Z plot with one axis.

    Args:
        described_scripts: what /sdapi/v1/script-info says.
        label: of the X axis.
        values: of the X axis, between commas.
        changes: of the request.
    """
    (script,) = [
        each
        for each in described_scripts
        if each["name"] == "x/y/z plot" and not each["is_img2img"]
    ]
    names = [argument["label"] for argument in script["args"]]
    args = [argument["value"] for argument in script["args"]]
    args = ["" if value is None else value for value in args]
    for axis in range(3):
        args[3 * axis : 3 * axis + 3] = [0, "", []]
    args[0], args[1] = script["args"][0]["choices"].index(label), values
    args[names.index("Include Sub Images")] = True
    args[names.index("Use text inputs instead of dropdowns")] = True
    args[names.index("Draw legend")] = False
    return payload(**changes) | {"script_name": "x/y/z plot", "script_args": args}


def run_plot(
    webui: WebuiClient,
    described_scripts: Sequence[dict[str, Any]],
    label: str,
    values: str,
    **changes: object,
) -> tuple[list[Image.Image], list[str]]:
    """Runs such a plot; the pictures of its cells and their infotexts."""
    request = plot_request(described_scripts, label, values, **changes)
    answer = webui.post("/sdapi/v1/txt2img", request)
    count = len(values.split(","))
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(text))) for text in answer["images"][-count:]
    ]
    return pictures, json.loads(answer["info"])["infotexts"][-count:]


def largest_difference(first: Image.Image, second: Image.Image) -> int:
    """The largest difference of any channel of any pixel, in 1/255."""
    pixels = [np.asarray(image.convert("RGB"), dtype=np.int16) for image in (first, second)]
    assert pixels[0].shape == pixels[1].shape
    return int(np.abs(pixels[0] - pixels[1]).max())


def assert_same(first: Sequence[Image.Image], second: Sequence[Image.Image], limit: int) -> None:
    """Fails unless the pictures agree pairwise within `limit`/255."""
    assert len(first) == len(second)
    differences = [largest_difference(*pair) for pair in zip(first, second, strict=True)]
    assert max(differences) <= limit, f"pictures differ by {differences} of 255"


def assert_differ(first: Image.Image, second: Image.Image) -> None:
    """Fails unless a person could see the difference."""
    assert largest_difference(first, second) > VISIBLE
