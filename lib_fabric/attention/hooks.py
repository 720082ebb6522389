"""Hooks on the self-attention of a U-Net: capture keys and values, attend to them elsewhere.

Knows torch, layers and plans; not settings, pictures or schedules, and not the host.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn

from lib_fabric.attention.forwards import ReplacedForward, has_live_forward
from lib_fabric.attention.layer import Layer
from lib_fabric.attention.merging import Merging
from lib_fabric.attention.plan import Attended, Plan
from lib_fabric.attention.retry import MemoryRetry
from lib_fabric.attention.rows import RowAttention
from lib_fabric.attention.states import KeyValues, LayerStates
from lib_fabric.errors import doing

# Where one reference's keys and values go, by layer, and how they are merged.
Captured = tuple[LayerStates, Merging | None]
BeforeUnet = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]
# Whether the call that was made is to be made again, with the plan that there is then.
IsAgain = Callable[[], bool]
_TO_ITSELF = Attended()


class SelfAttentionHooks:
    """Instance forwards on one U-Net and on its self-attention, and a forward pre-hook on it.

    Without a plan and outside `capture` each of them calls what was there before, so that other
    extensions' U-Net calls stay as they are.

    Attributes:
        plan: what the rows of the U-Net call under way attend to; None for a call not of ours.
    """

    def __init__(
        self, unet: nn.Module, layers: Sequence[Layer], retry: MemoryRetry | None = None
    ) -> None:
        self._unet = unet
        self._layers = layers
        self._retry = retry or MemoryRetry()
        self._rows = RowAttention()
        self._forwards: list[ReplacedForward] = []
        self._handles: list[torch.utils.hooks.RemovableHandle] = []
        self._captured: list[Captured] | None = None
        self._is_again: IsAgain = lambda: False
        self.plan: Plan | None = None

    @property
    def unet(self) -> nn.Module:
        """The U-Net that is hooked."""
        return self._unet

    def install(self, before_unet: BeforeUnet, is_again: IsAgain = lambda: False) -> None:
        """Installs everything; `before_unet(unet, args, kwargs)` runs before each U-Net call, and
        `is_again()` after each that had a plan.

        Raises:
            RuntimeError: feedback is installed on this U-Net already.
        """
        if any(has_live_forward(layer.module) for layer in self._layers):
            raise RuntimeError("FABRIC is already installed on this U-Net.")
        for index, layer in enumerate(self._layers):
            self._forwards.append(ReplacedForward(layer.module, partial(self._run_layer, index)))
        self._forwards.append(ReplacedForward(self._unet, self._run_unet))
        self._is_again = is_again
        self.stay_outermost(before_unet)

    def stay_outermost(self, before_unet: BeforeUnet) -> None:
        """Puts everything on top of what others have put there meanwhile.

        Token merging notes the size of the U-Net's input in a pre-hook of its own; the reference
        pass that ours starts needs it noted. HyperTile wraps layers when it is first used, which
        may be in mid-sampling: a picture must not depend on who came first.
        """
        self._remove_handles()
        self._handles = [
            self._unet.register_forward_pre_hook(before_unet, with_kwargs=True),
            self._unet.register_forward_hook(self._after_unet, with_kwargs=True, prepend=True),
        ]
        for forward in self._forwards:
            forward.put_on_top()

    def remove(self) -> None:
        """Removes everything that is still ours; idempotent."""
        self.plan = None
        self._captured = None
        self._rows.forget()
        self._remove_handles()
        while self._forwards:
            self._forwards.pop().remove()

    def _remove_handles(self) -> None:
        while self._handles:
            self._handles.pop().remove()

    @contextlib.contextmanager
    def capture(self, *captured: Captured) -> Iterator[None]:
        """Within it, every hooked layer leaves its keys and values, merged, one for each row.

        Args:
            captured: one for each row of the U-Net call inside; where to leave them, and how they
                are merged.
        """
        self._captured = list(captured)
        try:
            yield
        finally:
            self._captured = None

    def _run_layer(
        self,
        index: int,
        original: Callable[..., Any],
        *args: Any,  # noqa: ANN401 (the module's own signature)
        **kwargs: Any,  # noqa: ANN401 (as above)
    ) -> Any:  # noqa: ANN401 (as above)
        rows = self.plan.rows if self.plan is not None else None
        rows = self._captured if self._captured is not None else rows
        if rows is None:
            return original(*args, **kwargs)
        attention = partial(self._attend, index)
        return self._layers[index].forward(attention, len(rows), *args, **kwargs)

    def _run_unet(
        self,
        original: Callable[..., Any],
        *args: Any,  # noqa: ANN401 (passed through untouched)
        **kwargs: Any,  # noqa: ANN401 (as above)
    ) -> Any:  # noqa: ANN401 (as above)
        if self.plan is None:
            return original(*args, **kwargs)
        return self._retry.retry(
            lambda: original(*args, **{name: _spare(value) for name, value in kwargs.items()}),
            "following the rated pictures",
        )

    def _after_unet(
        self,
        unet: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,  # noqa: ANN401 (passed through untouched)
    ) -> Any:  # noqa: ANN401 (as above)
        # Not in our forward: whoever has put one in front of it need not call it.
        while self.plan is not None and self._is_again():
            out = unet.forward(*args, **kwargs)
        return out

    def _attend(
        self,
        index: int,
        q: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        scale: float,
        tiles: int = 1,
    ) -> torch.Tensor:
        plan = self.plan
        if self._captured is not None:
            plan = Plan((_TO_ITSELF,) * len(self._captured), {})
            self._keep(index, k, v)
        with doing("attending to the rated pictures"):
            num_parts = self._retry.num_parts
            return self._rows.attend(index, q, k, v, plan, scale, tiles, num_parts)

    def _keep(self, index: int, k: torch.Tensor, v: torch.Tensor) -> None:
        """Leaves one layer's keys and values `[rows, heads, tokens, head_dim]` with each row."""
        num_rows = len(self._captured)
        rows = zip(k.chunk(num_rows), v.chunk(num_rows), strict=True)
        for (states, merging), own in zip(self._captured, rows, strict=True):
            # Copied, since a part of a tensor keeps the whole of it in memory.
            own = [_join_tiles(each).clone() if num_rows > 1 else _join_tiles(each) for each in own]
            states[index] = KeyValues(*own) if merging is None else merging.merge(KeyValues(*own))


def _spare(value: Any) -> Any:  # noqa: ANN401 (an argument of the U-Net's)
    """What a call may use up and the next try still has: lists by name (ControlNet's outputs)."""
    if isinstance(value, dict) and all(isinstance(each, list) for each in value.values()):
        return {name: list(each) for name, each in value.items()}
    return value


def _join_tiles(states: torch.Tensor) -> torch.Tensor:
    """Tiles of one reference, if its rows were cut into some, as one row of tokens."""
    return states if states.shape[0] == 1 else states.transpose(0, 1).flatten(1, 2)[None]
