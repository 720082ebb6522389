"""Self-attention of the rows of one U-Net call, each with the references that it attends to.

Knows torch and attention.py; not layers, not where keys and values come from.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch

from lib_fabric.attention.weighted import joined_attention
from lib_fabric.errors import FabricError


@dataclass(frozen=True)
class KeyValues:
    """One reference's keys and values in one layer, each `[1, heads, tokens, head_dim]`.

    Attributes:
        log_counts: `[tokens]`, the logarithm of how many tokens each stands for; None = for itself.
    """

    keys: torch.Tensor
    values: torch.Tensor
    log_counts: torch.Tensor | None = None

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All that it holds."""
        counts = () if self.log_counts is None else (self.log_counts,)
        return (self.keys, self.values, *counts)

    @property
    def num_tokens(self) -> int:
        """How many tokens there are, merged ones counted once."""
        return self.keys.shape[2]


# One reference's keys and values in every self-attention layer, by layer index.
LayerStates = dict[int, KeyValues]


# (q, states, weights) to the attention's output, both `[rows, heads, tokens, head_dim]`.
_Attend = Callable[[torch.Tensor, list[KeyValues], Sequence[float]], torch.Tensor]


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
    num_parts: int = 1,
) -> torch.Tensor:
    """The output of one layer's self-attention for all rows, before its last projection.

    Args:
        index: the layer's.
        q, k, v: of the rows' own tokens, `[rows, heads, tokens, head_dim]`.
        groups: the rows in order.
        scale: usually head_dim ** -0.5.
        num_parts: see `joined_attention`.

    Raises:
        FabricError: the rows are not those of `groups`.
    """
    attend = partial(_attend_states, scale=scale, num_parts=num_parts)
    placed = list(zip(_slices(groups, q.shape[0]), groups, strict=True))
    parts = []
    # Where memory is short, keys are not copied beside each other.
    beside = num_parts == 1
    for _, run in itertools.groupby(placed, lambda each: _joined_key(index, each[1], beside)):
        # Neighbours that differ in their pulls or in the one picture that they follow share a call.
        run = list(run)
        rows, weights = slice(run[0][0].start, run[-1][0].stop), run[0][1].weights
        states = [KeyValues(k[rows], v[rows]), *_states_of_rows(index, run)]
        parts.append(attend(q[rows], states, (1.0, *weights)))
    out = parts[0] if len(parts) == 1 else torch.cat(parts)
    jobs = [_Job(rows, pull) for rows, group in placed for pull in group.pulls]
    return _pull(index, q, out, jobs, attend) if jobs else out


@dataclass(frozen=True)
class _Job:
    """One pull and the rows that it moves."""

    rows: slice
    pull: PullStates

    @property
    def num_rows(self) -> int:
        return self.rows.stop - self.rows.start


def _slices(groups: list[RowGroup], num_rows: int) -> list[slice]:
    """Where the rows of each group are."""
    # Tiling extensions cut each row into several: they stay adjacent, so groups just grow.
    tiles, rest = divmod(num_rows, sum(group.num_rows for group in groups))
    if tiles == 0 or rest:
        raise FabricError(
            "Another extension sends only a part of the rows through self-attention (ControlNet's "
            "reference and style align modes do), so FABRIC cannot tell which they are. "
            "Switch one of the two off."
        )
    ends = [tiles * end for end in itertools.accumulate(group.num_rows for group in groups)]
    return [slice(*pair) for pair in itertools.pairwise([0, *ends])]


def _joined_key(index: int, group: RowGroup, beside: bool) -> Hashable:
    """Equal for groups whose rows share a call."""
    if beside and len(group.references) == 1:
        # If all of them are merged in the same way.
        only = group.references[0][index]
        return (only.num_tokens, id(only.log_counts), group.weights)
    return (tuple(map(id, group.references)), group.weights)


def _states_of_rows(index: int, run: list[tuple[slice, RowGroup]]) -> list[KeyValues]:
    """What the rows of all groups attend to; of one row if it is the same for all of them."""
    if len({tuple(map(id, group.references)) for _, group in run}) == 1:
        return [each[index] for each in run[0][1].references]
    states = [(group.references[0][index], rows.stop - rows.start) for rows, group in run]
    keys, values = (
        torch.cat([getattr(each, name).expand(rows, -1, -1, -1) for each, rows in states])
        for name in ("keys", "values")
    )
    return [KeyValues(keys, values, states[0][0].log_counts)]


def _pull(
    index: int, q: torch.Tensor, out: torch.Tensor, jobs: list[_Job], attend: _Attend
) -> torch.Tensor:
    """`out`, moved by all pulls; those towards or away from the same share a call."""
    moved = out.clone()
    buckets: dict[Hashable, list[_Job]] = {}
    for job in jobs:
        pull = job.pull
        buckets.setdefault((tuple(map(id, pull.references)), pull.weights), []).append(job)
    for together in buckets.values():
        queries = _take(q, [job.rows for job in together])
        pull = together[0].pull
        pulled = attend(queries, [each[index] for each in pull.references], pull.weights)
        for job, part in zip(
            together, pulled.split([job.num_rows for job in together]), strict=True
        ):
            moved[job.rows].add_(part - out[job.rows], alpha=job.pull.share)
    return moved


def _take(q: torch.Tensor, rows: list[slice]) -> torch.Tensor:
    """Rows of `q`, copied only if they are not adjacent."""
    if all(first.stop == second.start for first, second in itertools.pairwise(rows)):
        return q[rows[0].start : rows[-1].stop]
    return torch.cat([q[each] for each in rows])


def _attend_states(
    q: torch.Tensor,
    states: list[KeyValues],
    weights: Sequence[float],
    scale: float,
    num_parts: int,
) -> torch.Tensor:
    """Attention over several keys and values, each of one row or of as many as `q` has."""
    num_rows = q.shape[0]
    is_shared = num_rows > 1 and all(each.keys.shape[0] == 1 for each in states)
    if is_shared:
        # All rows as one: else keys and values would be copied for every row.
        q = q.transpose(1, 2).flatten(0, 1)[None].transpose(1, 2)
    keys, values = [each.keys for each in states], [each.values for each in states]
    log_weights = _log_weights(states, weights)
    out = joined_attention(q, keys, values, log_weights, scale, num_parts)
    if is_shared:
        out = out[0].transpose(0, 1).unflatten(0, (num_rows, -1)).transpose(1, 2)
    return out


def _log_weights(states: list[KeyValues], weights: Sequence[float]) -> torch.Tensor | None:
    """`[tokens]`, float32; None where all count the same."""
    are_merged = [each.log_counts is not None for each in states]
    if not any(are_merged) and all(weight == weights[0] for weight in weights):
        return None
    device = states[0].keys.device
    counts = tuple(each.num_tokens for each in states)
    log_weights = _log_weights_of(counts, tuple(weights), device)
    if not any(are_merged):
        return log_weights
    parts = log_weights.split(counts)
    return torch.cat(
        [
            part if each.log_counts is None else part + each.log_counts
            for each, part in zip(states, parts, strict=True)
        ]
    )


@lru_cache(64)  # else several launches for each layer of each step
def _log_weights_of(
    counts: tuple[int, ...], weights: tuple[float, ...], device: torch.device
) -> torch.Tensor:
    parts = [
        torch.full((count,), math.log(weight), device=device)
        for count, weight in zip(counts, weights, strict=True)
    ]
    return torch.cat(parts)
