"""Requests for the integration tests and how their pictures are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

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
