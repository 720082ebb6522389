"""Constants and small functions of `processing`."""

from __future__ import annotations

import random

import torch
from modules import devices
from modules.sd_samplers_common import decode_first_stage

opt_C = 4  # noqa: N816  (the host's names)
opt_f = 8


def get_fixed_seed(seed: object) -> int:
    """The seed, or a random one for -1, None and what is not a number."""
    try:
        seed = int(seed)
    except (TypeError, ValueError):
        seed = -1
    return random.randrange(4294967294) if seed == -1 else seed


def fix_seed(p: object) -> None:
    """Random seeds become fixed ones."""
    p.seed = get_fixed_seed(p.seed)
    p.subseed = get_fixed_seed(p.subseed)


def program_version() -> str:
    """The host's version that the stand-in follows."""
    return "v1.10.1"


class DecodedSamples(list):
    """Pictures of a hires pass, which are decoded already."""

    already_decoded = True


def decode_latent_batch(
    model: object,
    batch: torch.Tensor,
    target_device: torch.device | None = None,
    check_for_nans: bool = False,
) -> DecodedSamples:
    """Latents to pictures 3 x H x W in -1..1, one by one."""
    samples = DecodedSamples()
    if check_for_nans:
        devices.test_for_nans(batch, "unet")
    for one in batch:
        sample = decode_first_stage(model, one.unsqueeze(0))[0]
        if check_for_nans:
            devices.test_for_nans(sample, "vae")
        samples.append(sample if target_device is None else sample.to(target_device))
    return samples


def hires_size(
    width: int, height: int, scale: float, resize_x: int, resize_y: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """(width, height) in pixels of a second pass, and (columns, rows) to cut off its latent."""
    if not resize_x and not resize_y:
        return (int(width * scale), int(height * scale)), (0, 0)
    # the side that asks for the larger picture decides; the other is cut
    if not resize_y or (resize_x and width / height < resize_x / resize_y):
        size = resize_x, resize_x * height // width
    else:
        size = resize_y * width // height, resize_y
    if not resize_x or not resize_y:
        return size, (0, 0)
    return size, ((size[0] - resize_x) // opt_f, (size[1] - resize_y) // opt_f)
