"""Names for the rows of a denoiser call, the same for a picture alone, in a batch and tomorrow.

Knows torch; not what the names are used for.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

_NUM_SIGNS = 256


class RowNames:
    """The rows of one sampling, named by what decides the noise that their picture starts from.

    All rows of a picture start from the same noise, so that the first step tells which rows belong
    together; rows come in the order of their pictures. Where the pictures' own names are not known,
    the noise names them, and the hires pass, which starts from what the first one made, keeps the
    names given there.
    """

    def __init__(self) -> None:
        self._by_pass: dict[bool, list[bytes]] = {}
        self._pictures: list[bytes] = []

    def name_rows(
        self,
        x: torch.Tensor | None,
        num_rows: int,
        is_hires: bool,
        pictures: Sequence[bytes] = (),
    ) -> list[bytes]:
        """The names of a denoiser call's rows.

        Args:
            x: `[rows, C, h, w]`, what the denoiser gets; None names the rows by their number.
            num_rows: rows of the call.
            is_hires: whether this is the hires pass.
            pictures: the names of the batch's pictures, in order; empty where not known.
        """
        names = self._by_pass.get(is_hires, [])
        if len(names) != num_rows:
            names = [b"%d" % row for row in range(num_rows)] if x is None else _sign_patterns(x)
            distinct = list(dict.fromkeys(names))
            known = dict(zip(distinct, self._name_pictures(distinct, pictures), strict=False))
            names = self._by_pass[is_hires] = [known.get(name, name) for name in names]
        return names

    def _name_pictures(self, distinct: list[bytes], pictures: Sequence[bytes]) -> list[bytes]:
        # Equally named pictures may start alike (prompt matrix) and differ in the hires pass.
        for given in (list(pictures), list(dict.fromkeys(pictures))):
            if len(given) == len(distinct):
                return given
        if not self._pictures:
            self._pictures = distinct
        return self._pictures


def _sign_patterns(x: torch.Tensor) -> list[bytes]:
    """The signs of some of each row's values: scaling and rounding leave them as they are."""
    values = x.flatten(1)
    places = torch.arange(_NUM_SIGNS, device=x.device) * (values.shape[1] - 1) // (_NUM_SIGNS - 1)
    return [bytes(row) for row in (values[:, places] > 0).to("cpu", torch.uint8).numpy()]
