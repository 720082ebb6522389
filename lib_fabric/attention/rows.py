"""Self-attention of the rows of one U-Net call, each with the references that it attends to.

Knows torch and the shape of plan and states; not layers, not where keys and values come from.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from lib_fabric.attention.plan import Attended, Plan, Pull, Reference
from lib_fabric.attention.states import KeyValues, Windows
from lib_fabric.attention.weighted import joined_attention

# What counts for the weights of a piece of keys: how many, how merged, and its weight.
_Piece = tuple[int, Windows | None, float]
# (q, states, weights) to the attention's output, both `[rows, heads, tokens, head_dim]`.
_Attend = Callable[[torch.Tensor, Sequence[KeyValues], Sequence[float]], torch.Tensor]


class RowAttention:
    """Attends as plans say, and holds what it needs on the device for as long as it lives."""

    def __init__(self) -> None:
        # Else a transfer, and several launches, for each layer of each step.
        self._log_weights: dict[Hashable, torch.Tensor] = {}

    def forget(self) -> None:
        """Lets go of what lies on the device."""
        self._log_weights.clear()

    def attend(
        self,
        index: int,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        plan: Plan,
        scale: float,
        tiles: int = 1,
        num_parts: int = 1,
    ) -> torch.Tensor:
        """The output of one layer's self-attention for all rows, before its last projection.

        Args:
            index: the layer's.
            q, k, v: of the rows' own tokens, `[rows * tiles, heads, tokens, head_dim]`.
            plan: of the rows.
            scale: usually head_dim ** -0.5.
            tiles: into how many adjacent ones each row has been cut.
            num_parts: see `joined_attention`.
        """

        groups = _group(plan.rows, tiles)
        states = {key: layers[index] for key, layers in plan.states.items()}
        attend = partial(self._attend, scale=scale, num_parts=num_parts)
        out = _join(states, q, k, v, groups, attend, beside=num_parts == 1)
        return _pull(states, q, out, groups, attend)

    def _attend(
        self,
        q: torch.Tensor,
        states: Sequence[KeyValues],
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
        log_weights = self._log_weights_of(states, weights)
        out = joined_attention(q, keys, values, log_weights, scale, num_parts)
        if is_shared:
            out = out[0].transpose(0, 1).unflatten(0, (num_rows, -1)).transpose(1, 2)
        return out

    def _log_weights_of(
        self, states: Sequence[KeyValues], weights: Sequence[float]
    ) -> torch.Tensor | None:
        """`[tokens]`, float32; None where all count the same."""
        are_merged = any(each.windows is not None for each in states)
        if not are_merged and all(weight == weights[0] for weight in weights):
            return None
        device = states[0].keys.device
        pieces = tuple(
            (each.num_tokens, each.windows, weight)
            for each, weight in zip(states, weights, strict=True)
        )
        key = (device, pieces)
        if key not in self._log_weights:
            self._log_weights[key] = torch.cat([_log_weights(each, device) for each in pieces])
        return self._log_weights[key]


@dataclass(frozen=True)
class _Group:
    """Adjacent rows of q, k and v that attend to the same."""

    rows: slice
    attended: Attended

    @property
    def num_rows(self) -> int:
        return self.rows.stop - self.rows.start


def _group(rows: Sequence[Attended], tiles: int) -> list[_Group]:
    groups, start = [], 0
    for attended, equals in itertools.groupby(rows):
        stop = start + tiles * len(list(equals))
        groups.append(_Group(slice(start, stop), attended))
        start = stop
    return groups


def _join(
    states: dict[Hashable, KeyValues],
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    groups: Sequence[_Group],
    attend: _Attend,
    beside: bool,
) -> torch.Tensor:
    """Attention of the rows to their own tokens and to what is joined to them.

    Neighbours that differ in their pulls alone share a call; with `beside` also those that differ
    in the one picture that they follow, whose keys are then copied beside each other.
    """
    parts = []
    for _, run in itertools.groupby(groups, lambda each: _call_of(states, each, beside)):
        run = list(run)
        rows = slice(run[0].rows.start, run[-1].rows.stop)
        weights = [each.weight for each in run[0].attended.joined]
        own = KeyValues(k[rows], v[rows])
        parts.append(attend(q[rows], [own, *_joined(states, run)], [1.0, *weights]))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _call_of(states: dict[Hashable, KeyValues], group: _Group, beside: bool) -> Hashable:
    """Equal for groups whose rows share a call."""
    joined = group.attended.joined
    if beside and len(joined) == 1:
        # If all of them are merged in the same way.
        only = states[joined[0].key]
        return (only.num_tokens, only.windows, joined[0].weight)
    return joined


def _joined(states: dict[Hashable, KeyValues], run: Sequence[_Group]) -> list[KeyValues]:
    """What the rows of all groups attend to; of one row if it is the same for all of them."""
    first = run[0].attended.joined
    if all(group.attended.joined == first for group in run):
        return [states[each.key] for each in first]
    each_groups = [(states[group.attended.joined[0].key], group.num_rows) for group in run]
    keys = torch.cat([each.keys.expand(rows, -1, -1, -1) for each, rows in each_groups])
    values = torch.cat([each.values.expand(rows, -1, -1, -1) for each, rows in each_groups])
    return [KeyValues(keys, values, each_groups[0][0].windows)]


def _pull(
    states: dict[Hashable, KeyValues],
    q: torch.Tensor,
    out: torch.Tensor,
    groups: Sequence[_Group],
    attend: _Attend,
) -> torch.Tensor:
    """`out`, moved by all pulls; those towards or away from the same share a call."""
    buckets: dict[tuple[Reference, ...], list[tuple[_Group, Pull]]] = {}
    for group in groups:
        for pull in group.attended.pulls:
            buckets.setdefault(pull.references, []).append((group, pull))
    if not buckets:
        return out
    moved = out.clone()
    for references, together in buckets.items():
        queries = _take(q, [group.rows for group, _ in together])
        pulled = attend(
            queries,
            [states[each.key] for each in references],
            [each.weight for each in references],
        )
        parts = pulled.split([group.num_rows for group, _ in together])
        for (group, pull), part in zip(together, parts, strict=True):
            moved[group.rows].add_(part - out[group.rows], alpha=pull.share)
    return moved


def _take(q: torch.Tensor, rows: Sequence[slice]) -> torch.Tensor:
    """Rows of `q`, copied only if they are not adjacent."""
    if all(first.stop == second.start for first, second in itertools.pairwise(rows)):
        return q[rows[0].start : rows[-1].stop]
    return torch.cat([q[each] for each in rows])


def _log_weights(piece: _Piece, device: torch.device) -> torch.Tensor:
    num_tokens, windows, weight = piece
    log_weights = torch.full((num_tokens,), math.log(weight), device=device)
    if windows is None:
        return log_weights
    return log_weights + torch.tensor(windows.log_counts(), device=device)
