"""Other extensions that are in the way of the reference pass, and how it gets past them.

Knows torch; imports nothing of the host.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn

from lib_fabric.hosts.common.blocks import find_blocks


@contextlib.contextmanager
def cross_attention_aside(unet: nn.Module) -> Iterator[None]:
    """Takes away, within it, what others have put on cross-attention.

    Regional Prompter's divides pictures among prompts, and counts on the rows that the host sends.
    """
    layers = [block.attn2 for block in find_blocks(unet) if hasattr(block, "attn2")]
    others = [
        (layer, layer.__dict__.pop("forward")) for layer in layers if "forward" in layer.__dict__
    ]
    try:
        yield
    finally:
        for layer, forward in others:
            layer.forward = forward
