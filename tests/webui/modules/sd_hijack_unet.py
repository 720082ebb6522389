"""Lets the U-Net take latents whose sides its levels cannot halve evenly."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class TorchHijackForUnet:
    """Stands for `torch` inside ldm's U-Net: `cat` fits a decoder's result to its skip connection,
    which is a row or column smaller when a level was halved from an odd size."""

    def __getattr__(self, item: str) -> object:
        return getattr(torch, item)

    def cat(self, tensors: Sequence[torch.Tensor], *args: object, **kwargs: object) -> torch.Tensor:
        """As `torch.cat`, for two tensors of slightly different height or width too."""
        if len(tensors) == 2 and tensors[0].shape[-2:] != tensors[1].shape[-2:]:
            size = tensors[1].shape[-2:]
            fitted = torch.nn.functional.interpolate(tensors[0], size, mode="nearest")
            tensors = (fitted, tensors[1])
        return torch.cat(tensors, *args, **kwargs)


th = TorchHijackForUnet()
