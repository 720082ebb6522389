"""One call of the denoiser, and what the rows of its U-Net calls attend to.

Knows methods and the shape of the states; not where states come from, not the host.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from lib_fabric.attention.rows import LayerStates, PullStates, RowGroup
from lib_fabric.errors import UnsupportedModelError
from lib_fabric.steering.methods import Attended, Method, Rated
from lib_fabric.steering.refresh import Look

StatesOf = Callable[[Sequence[Rated]], list[LayerStates]]


@dataclass(frozen=True)
class DenoiseStep:
    """One call of the denoiser, as its callback describes it.

    Attributes:
        alpha: cumulative product of alphas at the denoiser's noise level, 0 to 1.
        progress: share of this pass's denoiser calls already made, 0 to 1.
        num_cond: conditional rows; all further rows are unconditional.
        num_rows: all rows of this denoiser call, over all its U-Net calls.
        size_latent: (height, width).
        is_hires: whether this is the hires pass.
        x: what the denoiser gets, `[num_rows, C, h, w]`; None where rows need no lasting numbers.
        pictures: numbers of the batch's pictures, in order, by what decides their starting noise;
            empty where that is not known.
        number: of the sampling step, from 0; several calls of a second-order sampler share one.
    """

    alpha: float
    progress: float
    num_cond: int
    num_rows: int
    size_latent: tuple[int, int]
    is_hires: bool = False
    x: torch.Tensor | None = None
    number: int = 0
    pictures: tuple[int, ...] = ()

    def refuse_other_size(self, size_latent: tuple[int, int]) -> None:
        """Raises `UnsupportedModelError` where the U-Net gets a part of the picture only.

        Which rows of which tile are conditional is known only to the extension that cuts them.
        """
        if size_latent != self.size_latent:
            got, whole = ("x".join(map(str, size)) for size in (size_latent, self.size_latent))
            raise UnsupportedModelError(
                f"The model gets the picture in parts ({got} of {whole}). Extensions that do that, "
                "such as Tiled Diffusion, cannot be steered: switch theirs off, or FABRIC."
            )


@dataclass
class Armed:
    """Between the denoiser's callback and its last U-Net call.

    Attributes:
        look: given as soon as what it looks at is there.
    """

    step: DenoiseStep
    liked: tuple[Rated, ...]
    disliked: tuple[Rated, ...]
    row_numbers: list[int]
    look: Look | None = None
    rows_seen: int = 0

    def picture_ids(self, method: Method) -> set[str]:
        """All that any row of this denoiser call attends to."""
        rows = range(self.step.num_rows)
        return {each.picture_id for row in rows for each in self._attended(method, row).rated}

    def group_rows(self, num_rows: int, method: Method, states_of: StatesOf) -> list[RowGroup]:
        """The next rows and what they attend to; equal neighbours share a group.

        Args:
            states_of: asked once, for all references that the rows attend to.
        """
        rows = range(self.rows_seen, self.rows_seen + num_rows)
        attended = [self._attended(method, row) for row in rows]
        rated = list(dict.fromkeys(each for row in attended for each in row.rated))
        states = dict(zip(rated, states_of(rated), strict=True))

        def states_and_weights(
            rated: Sequence[Rated],
        ) -> tuple[tuple[LayerStates, ...], tuple[float, ...]]:
            return tuple(states[each] for each in rated), tuple(each.weight for each in rated)

        groups = []
        for alike, equals in itertools.groupby(attended):
            pulls = tuple(
                PullStates(pull.share, *states_and_weights(pull.rated)) for pull in alike.pulls
            )
            joined = states_and_weights(alike.joined)
            groups.append(RowGroup(len(list(equals)), *joined, pulls))
        return groups

    def _attended(self, method: Method, row: int) -> Attended:
        choose = method.conditional if row < self.step.num_cond else method.unconditional
        number = self.row_numbers[min(row, len(self.row_numbers) - 1)]
        return choose(self.liked, self.disliked, number)
