"""Self-attention of the rows of one U-Net call, each with the references that it attends to.

Knows torch and attention.py; not layers, not where keys and values come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lib_fabric.attention import weighted_attention
from lib_fabric.errors import FabricError


@dataclass(frozen=True)
class KeyValues:
    """One reference's keys and values in one layer, each `[1, heads, tokens, head_dim]`."""

    keys: torch.Tensor
    values: torch.Tensor


# One reference's keys and values in every self-attention layer, by layer index.
LayerStates = dict[int, KeyValues]


@dataclass(frozen=True)
class PullStates:
    """References that move the output o of attention to o + share * (attention over them - o).

    Attributes:
        share: below 0 moves away from them.
        references: at least one.
        weights: one per reference, above 0.
    """

    share: float
    references: tuple[LayerStates, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class RowGroup:
    """Consecutive rows of one U-Net call and the references that they attend to.

    Attributes:
        num_rows: how many rows.
        references: attended to together with the rows' own tokens; none = only to these.
        weights: one per reference, above 0.
        pulls: all of them start from the output of that.
    """

    num_rows: int
    references: tuple[LayerStates, ...] = ()
    weights: tuple[float, ...] = ()
    pulls: tuple[PullStates, ...] = ()


def attend_groups(
    index: int,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    groups: list[RowGroup],
    scale: float,
) -> torch.Tensor:
    """The output of one layer's self-attention for all rows, before its last projection.

    Args:
        index: the layer's.
        q, k, v: of the rows' own tokens, `[rows, heads, tokens, head_dim]`.
        groups: the rows in order.
        scale: usually head_dim ** -0.5.

    Raises:
        FabricError: the rows are not those of `groups`.
    """
    # Tiling extensions cut each row into several: they stay adjacent, so groups just grow.
    tiles, rest = divmod(q.shape[0], sum(group.num_rows for group in groups))
    if tiles == 0 or rest:
        raise FabricError(
            "Another extension sends only a part of the rows through self-attention (ControlNet's "
            "reference and style align modes do), so FABRIC cannot tell which they are. "
            "Switch one of the two off."
        )
    parts = []
    for group, *states in zip(
        groups,
        *(x.split([group.num_rows * tiles for group in groups]) for x in (q, k, v)),
        strict=True,
    ):
        parts.append(_attend_group(index, *states, group, scale))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _attend_group(
    index: int,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    group: RowGroup,
    scale: float,
) -> torch.Tensor:
    states = [states[index] for states in group.references]
    out = _attend_states(q, [KeyValues(k, v), *states], (1.0, *group.weights), scale)
    moved = out
    for pull in group.pulls:
        states = [states[index] for states in pull.references]
        moved = moved + pull.share * (_attend_states(q, states, pull.weights, scale) - out)
    return moved


def _attend_states(
    q: torch.Tensor, states: list[KeyValues], weights: tuple[float, ...], scale: float
) -> torch.Tensor:
    """Attention over several keys and values, each of one row or of as many as `q` has."""
    shape = (q.shape[0], -1, -1, -1)
    log_weights = None
    # Equal weights change nothing.
    if any(weight != weights[0] for weight in weights):
        log_weights = torch.cat(
            [
                q.new_full((each.keys.shape[2],), math.log(weight))
                for each, weight in zip(states, weights, strict=True)
            ]
        )
    k = _join_tokens([each.keys.expand(shape) for each in states])
    v = _join_tokens([each.values.expand(shape) for each in states])
    return weighted_attention(q, k, v, log_weights, scale)


def _join_tokens(states: list[torch.Tensor]) -> torch.Tensor:
    return states[0] if len(states) == 1 else torch.cat(states, dim=2)
