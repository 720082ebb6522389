"""Finds the self-attention of a U-Net, and the rows that a layer gets.

Knows what the U-Nets of ldm and all that was made of it look like; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from lib_fabric.errors import UnsupportedModelError

BLOCK_CLASS_NAME = "BasicTransformerBlock"


def count_tiles(num_attention_rows: int, num_rows: int) -> int:
    """Into how many tiles each row of a U-Net call has been cut (HyperTile keeps them adjacent).

    Raises:
        UnsupportedModelError: these are not the call's rows.
    """
    tiles, rest = divmod(num_attention_rows, num_rows)
    if tiles == 0 or rest:
        raise UnsupportedModelError(
            "Another extension sends only a part of the rows through self-attention (ControlNet's "
            "reference and style align modes do), so FABRIC cannot tell which they are. "
            "Switch one of the two off."
        )
    return tiles


def find_blocks(unet: nn.Module) -> Iterator[nn.Module]:
    """The transformer blocks of a U-Net, in its order.

    Found by class name along the inheritance line, so that no model library is imported and token
    merging's subclass counts too.
    """
    for module in unet.modules():
        if any(base.__name__ == BLOCK_CLASS_NAME for base in type(module).__mro__):
            yield module


def find_self_attention(unet: nn.Module) -> list[nn.Module]:
    """Every `attn1` that attends to its own layer's tokens, in the U-Net's order.

    Raises:
        UnsupportedModelError: there is none (SD3 has joint attention instead).
    """
    layers = [
        block.attn1 for block in find_blocks(unet) if not getattr(block, "disable_self_attn", False)
    ]
    if not layers:
        raise UnsupportedModelError(
            "this checkpoint's model has no self-attention that feedback could use. "
            "Switch FABRIC off, or choose a Stable Diffusion 1 or 2 or SDXL checkpoint."
        )
    return layers
