"""Which rows a denoiser call has, and which of them a call of the U-Net is given.

Knows how AUTOMATIC1111 lays them out: conditional rows first, picture by picture, over all U-Net
calls of a denoiser call; imports nothing of the host.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from lib_fabric.steering.host import Row


def rows_of_step(num_cond: int, num_rows: int, prompts_of: Sequence[int]) -> tuple[Row, ...]:
    """The rows of one denoiser call, in the host's order.

    Args:
        num_cond: conditional rows.
        num_rows: all rows; models that edit pictures have more than one unconditional one for each.
        prompts_of: for each picture of the batch, how many prompts it has (AND joins several);
            where that does not fit, each picture has as many as the others.
    """
    if sum(prompts_of) != num_cond:
        num_pictures = len(prompts_of) or num_rows - num_cond or num_cond or 1
        each, rest = divmod(num_cond, num_pictures)
        prompts_of = [each + (picture < rest) for picture in range(num_pictures)]
    conditional = [
        Row(picture, True) for picture, count in enumerate(prompts_of) for _ in range(count)
    ]
    unconditional = [Row(place % len(prompts_of), False) for place in range(num_rows - num_cond)]
    return (*conditional, *unconditional)


class RowCounter:
    """Hands out the rows of a denoiser call, U-Net call by U-Net call."""

    def __init__(self) -> None:
        self._rows = iter(())
        self._num_others = 0

    def begin(self, rows: Sequence[Row]) -> None:
        """A denoiser call begins, or, without rows, is over."""
        self._rows = iter(rows)
        self._num_others = 0

    def begin_other(self) -> None:
        """A denoiser call of somebody else's begins, perhaps in the midst of this one."""
        self._num_others += 1

    def end_other(self) -> None:
        """It is over, and this one goes on."""
        self._num_others = max(self._num_others - 1, 0)

    def take(self, count: int) -> tuple[Row, ...]:
        """The next `count` rows; none where all have been handed out, or to somebody else's call.

        Whoever runs more rows than were announced gets unconditional ones.
        """
        if self._num_others:
            return ()
        rows = tuple(itertools.islice(self._rows, count))
        more = (rows[-1]._replace(is_conditional=False),) * (count - len(rows)) if rows else ()
        return rows + more
