"""Numbers for the rows of a denoiser call: the same for a picture alone, in a batch and tomorrow.

Knows torch; not what they are used for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch

_NUM_SIGNS = 256


class RowNumbers:
    """The rows of one sampling, numbered by what decides the noise that their picture starts from.

    All rows of a picture start from the same noise, so that the first step tells which rows belong
    together; rows come in the order of their pictures. Where the pictures' own numbers are not
    known, the noise gives them, and the hires pass, which starts from what the first one made,
    keeps those.
    """

    def __init__(self) -> None:
        self._by_pass: dict[bool, list[int]] = {}
        self._pictures: list[int] = []

    def of_rows(
        self,
        x: torch.Tensor | None,
        num_rows: int,
        is_hires: bool,
        pictures: Sequence[int] = (),
    ) -> list[int]:
        """The numbers of a denoiser call's rows.

        Args:
            x: `[rows, C, h, w]`, what the denoiser gets; None = rows are counted.
            num_rows: rows of the call.
            is_hires: whether this is the hires pass.
            pictures: the numbers of the batch's pictures, in order; empty where not known.
        """
        numbers = self._by_pass.get(is_hires, [])
        if len(numbers) != num_rows:
            starts = list(range(num_rows)) if x is None else _sign_patterns(x)
            distinct = list(dict.fromkeys(starts))
            known = dict(zip(distinct, self._number_pictures(distinct, pictures), strict=False))
            numbers = self._by_pass[is_hires] = [known.get(start, start) for start in starts]
        return numbers

    def _number_pictures(self, distinct: list[int], pictures: Sequence[int]) -> list[int]:
        # Pictures of one number may start alike (prompt matrix) and differ in the hires pass.
        for given in (list(pictures), list(dict.fromkeys(pictures))):
            if len(given) == len(distinct):
                return given
        if not self._pictures:
            self._pictures = distinct
        return self._pictures


def _sign_patterns(x: torch.Tensor) -> list[int]:
    """Of the signs of some of each row's values: scaling and rounding leave them as they are."""
    values = x.flatten(1)
    places = torch.arange(_NUM_SIGNS, device=x.device) * (values.shape[1] - 1) // (_NUM_SIGNS - 1)
    patterns = (values[:, places] > 0).to("cpu", torch.uint8).numpy()
    # Hashed, so that every digit of the number counts.
    return [int.from_bytes(hashlib.sha256(bytes(each)).digest()[:4], "big") for each in patterns]
