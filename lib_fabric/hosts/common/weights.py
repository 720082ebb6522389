"""Tells a model's weights from others that came under the same name.

Knows torch; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Hashable

import torch
from torch import nn

# Of a VAE: what only makes pictures of latents, and is often trained alone.
_DECODING = ("decoder.", "post_quant_conv.")
_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def encoder_fingerprint(vae: nn.Module) -> Hashable:
    """Changes whenever the weights that encode do; the same on every device.

    Reads them all, so not for every step.
    """
    sums = [
        _sum_of_bits(parameter.detach())
        for name, parameter in vae.named_parameters()
        if not name.startswith(_DECODING)
    ]
    # Read together: each reading waits for the device.
    return tuple(torch.stack([each.to(sums[0].device) for each in sums]).tolist()) if sums else ()


def _sum_of_bits(values: torch.Tensor) -> torch.Tensor:
    # As integers, which add up exactly in any order; past their range they begin anew.
    bits = values.view(_INTEGERS[values.element_size()])
    return bits.sum(dtype=torch.int32 if values.element_size() <= 4 else torch.int64).long()
