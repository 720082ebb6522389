"""The limit: what feedback must cost, counted in floating point operations.

The plain U-Net is counted by torch; what feedback adds to it is counted by hand, not from the
extension's own run, so that an operation which the extension wastes does not raise its limit.
Knows torch and ldm's module names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def count_flops(call: Callable[[], object]) -> int:
    """Floating point operations, a multiplication and an addition being two.

    Attention counts as its two matrix products: fused kernels are not all known to the counter.
    """
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        call()
    return counter.get_total_flops()


@dataclass(frozen=True)
class Arithmetic:
    """Operations of one U-Net at one size.

    Attributes:
        row: of one row of the plain U-Net.
        attention: of attending to the tokens of one more picture of the same size, for one row,
            over all self-attention layers. Keys and values are those of the reference's own row.
    """

    row: int
    attention: int

    @classmethod
    def of(cls, unet: nn.Module, call_with_one_row: Callable[[], object]) -> Arithmetic:
        """Counts both in one call of the U-Net."""
        added: list[int] = []

        def count(layer: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            num_tokens = args[0].shape[1]
            added.append(extra_attention(num_tokens, num_tokens, layer.to_q.out_features))

        handles = [
            module.register_forward_pre_hook(count)
            for name, module in unet.named_modules()
            if name.endswith(".attn1")
        ]
        try:
            row = count_flops(call_with_one_row)
        finally:
            for handle in handles:
                handle.remove()
        return cls(row, sum(added))

    def limit(self, num_rows: int, num_attended: int, num_computed: int) -> float:
        """Operations with feedback over those without, for one U-Net call.

        Args:
            num_rows: rows of the call without references.
            num_attended: reference pictures that rows attend to, added up over the rows.
            num_computed: reference pictures that go through the U-Net themselves, in full. (That
                nothing after the last self-attention is needed of them is left out.)
        """
        plain = num_rows * self.row
        return (plain + num_computed * self.row + num_attended * self.attention) / plain


def extra_attention(num_queries: int, num_keys: int, width: int) -> int:
    """Operations of q k^T and of its product with v, over all heads (`width` = heads * head_dim).

    The softmax between them is left out, as torch's counter leaves it out.
    """
    return 2 * (2 * num_queries * num_keys * width)
