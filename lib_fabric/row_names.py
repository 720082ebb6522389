"""Names for the rows of a denoiser call, the same for a picture alone, in a batch and tomorrow.

Knows torch; not what the names are used for.
"""

from __future__ import annotations

import torch

_NUM_SIGNS = 256


class RowNames:
    """The rows of one sampling, named by the noise that their picture starts from.

    All rows of a picture start from the same noise, which its seed alone decides; of later steps
    rounding would not leave the same. So the first step names them. The hires pass starts from what
    the first one made: its pictures, in the same order, keep the names they had.
    """

    def __init__(self) -> None:
        self._by_pass: dict[bool, list[bytes]] = {}
        self._pictures: list[bytes] = []

    def name_rows(self, x: torch.Tensor | None, num_rows: int, is_hires: bool) -> list[bytes]:
        """The names of a denoiser call's rows.

        Args:
            x: `[rows, C, h, w]`, what the denoiser gets; None names the rows by their number.
            num_rows: rows of the call.
            is_hires: whether this is the hires pass.
        """
        names = self._by_pass.get(is_hires, [])
        if len(names) != num_rows:
            names = [b"%d" % row for row in range(num_rows)] if x is None else _sign_patterns(x)
            pictures = list(dict.fromkeys(names))
            if not self._pictures:
                self._pictures = pictures
            known = dict(zip(pictures, self._pictures, strict=False))
            names = self._by_pass[is_hires] = [known.get(name, name) for name in names]
        return names


def _sign_patterns(x: torch.Tensor) -> list[bytes]:
    """The signs of some of each row's values: scaling and rounding leave them as they are."""
    values = x.flatten(1)
    places = torch.arange(_NUM_SIGNS, device=x.device) * (values.shape[1] - 1) // (_NUM_SIGNS - 1)
    return [bytes(row) for row in (values[:, places] > 0).to("cpu", torch.uint8).numpy()]
