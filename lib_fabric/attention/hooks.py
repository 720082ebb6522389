"""Hooks on the self-attention of a U-Net: capture keys and values, inject them elsewhere.

Knows torch and row_attention.py; not settings, pictures or schedules, and not the host.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from lib_fabric.attention.merging import Merging
from lib_fabric.attention.retry import Frugality
from lib_fabric.attention.rows import KeyValues, LayerStates, RowGroup, attend_groups
from lib_fabric.errors import UnsupportedModelError, doing

BLOCK_CLASS_NAME = "BasicTransformerBlock"
# torch 2.0 and 2.1 refuse even to switch autocast off for others, such as Apple's MPS.
_AUTOCAST_DEVICES = ("cpu", "cuda", "xpu")

Forward = Callable[..., Any]
# Where one reference's keys and values go, by layer, and how they are merged.
Captured = tuple[LayerStates, Merging | None]
BeforeUnet = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]


class AttentionContext(Protocol):
    """What the host does around every attention layer."""

    def split_context(self, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The inputs of to_k and to_v (hypernetworks change them)."""

    def upcast_attention(self) -> bool:
        """Whether queries, keys and values are to be float32."""


class SelfAttentionHooks:
    """Instance forwards on one U-Net and on every `attn1` of it, and a forward pre-hook on it.

    Without a plan and outside `capture` each of them calls what was there before, so that other
    extensions' U-Net calls stay as they are.
    """

    def __init__(
        self, unet: nn.Module, context: AttentionContext, frugality: Frugality | None = None
    ) -> None:
        self._unet = unet
        self._context = context
        self._frugality = frugality or Frugality()
        self._layers = find_self_attention(unet)
        self._cross_layers = [block.attn2 for block in _blocks(unet) if hasattr(block, "attn2")]
        self._replaced: list[tuple[nn.Module, Forward, Forward | None]] = []
        self._handle: torch.utils.hooks.RemovableHandle | None = None
        self._captured: list[Captured] | None = None
        self.plan: list[RowGroup] | None = None

    @property
    def unet(self) -> nn.Module:
        """The U-Net that is hooked."""
        return self._unet

    def install(self, before_unet: BeforeUnet) -> None:
        """Installs everything; `before_unet(unet, args, kwargs)` runs before each U-Net call.

        Raises:
            RuntimeError: feedback is installed on this U-Net already.
        """
        if any(_is_ours(layer.__dict__.get("forward")) for layer in self._layers):
            raise RuntimeError("FABRIC is already installed on this U-Net.")
        for index, layer in enumerate(self._layers):
            self._replace(layer, partial(self._make_forward, index))
        self._replace(self._unet, self._make_unet_forward)
        self.move_last(before_unet)

    def _replace(
        self, module: nn.Module, make: Callable[[nn.Module, Forward | None], Forward]
    ) -> None:
        original = module.__dict__.get("forward")
        forward = make(module, original)
        # Names its bearer: functools.wraps copies attributes onto others' wrappers.
        forward._fabric_ext_forward = forward
        self._replaced.append((module, forward, original))
        module.forward = forward

    def move_last(self, before_unet: BeforeUnet) -> None:
        """Puts the U-Net's pre-hook behind those of others.

        Token merging notes the size of the U-Net's input in such a hook; the reference pass that
        ours starts needs it noted.
        """
        if self._handle is not None:
            self._handle.remove()
        self._handle = self._unet.register_forward_pre_hook(before_unet, with_kwargs=True)

    def remove(self) -> None:
        """Removes everything that is still ours; idempotent."""
        self.plan = None
        self._captured = None
        if self._handle is not None:
            self._handle.remove()
            self._handle = None
        while self._replaced:
            layer, forward, original = self._replaced.pop()
            # Whoever wrapped ours meanwhile keeps its wrapper: ours is inert without a plan.
            if layer.__dict__.get("forward") is not forward:
                continue
            if original is None:
                del layer.forward
            else:
                layer.forward = original

    @contextlib.contextmanager
    def capture(self, *captured: Captured) -> Iterator[None]:
        """Within it, every hooked layer leaves its keys and values, merged, one for each row.

        What others have put on cross-attention is out of the way meanwhile: Regional Prompter's
        divides pictures among prompts, and counts on the rows that the host sends.

        Args:
            captured: one for each row of the U-Net call inside; where to leave them, and how they
                are merged.
        """
        self._captured = list(captured)
        others = [
            (layer, layer.__dict__.pop("forward"))
            for layer in self._cross_layers
            if "forward" in layer.__dict__
        ]
        try:
            yield
        finally:
            self._captured = None
            for layer, forward in others:
                layer.forward = forward

    def _make_forward(self, index: int, layer: nn.Module, original: Forward | None) -> Forward:
        def forward(
            x: torch.Tensor,
            context: torch.Tensor | None = None,
            mask: torch.Tensor | None = None,
            **kwargs: Any,  # noqa: ANN401 (passed through untouched)
        ) -> torch.Tensor:
            if self._captured is not None or self.plan is not None:
                return self._attend(index, layer, x, x if context is None else context)
            if original is not None:
                return original(x, context=context, mask=mask, **kwargs)
            # Looked up at each call: the host swaps the class's forward with its optimisation.
            return type(layer).forward(layer, x, context=context, mask=mask, **kwargs)

        return forward

    def _make_unet_forward(self, unet: nn.Module, original: Forward | None) -> Forward:
        def forward(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (passed through untouched)
            def call() -> Any:  # noqa: ANN401 (as above)
                if original is not None:
                    return original(*args, **kwargs)
                return type(unet).forward(unet, *args, **kwargs)

            if self.plan is None:
                return call()
            return self._frugality.retry(call, "following the rated pictures")

        return forward

    def _attend(
        self, index: int, layer: nn.Module, x: torch.Tensor, context: torch.Tensor
    ) -> torch.Tensor:
        """Self-attention of `x` `[rows, tokens, channels]`, with references as the plan says."""
        context_k, context_v = self._context.split_context(context)
        q, k, v = layer.to_q(x), layer.to_k(context_k), layer.to_v(context_v)
        dtype = q.dtype
        upcast = self._context.upcast_attention()
        if upcast:
            q, k, v = q.float(), k.float(), v.float()
        q, k, v = (_split_heads(states, layer.heads) for states in (q, k, v))
        groups = [RowGroup(x.shape[0])] if self.plan is None else self.plan
        if self._captured is not None:
            groups = [RowGroup(x.shape[0])]
            self._keep(index, k, v)
        autocast = _without_autocast(x.device) if upcast else contextlib.nullcontext()
        with autocast, doing("attending to the rated pictures"):
            out = attend_groups(index, q, k, v, groups, layer.scale, self._frugality.num_parts)
        return layer.to_out(out.transpose(1, 2).flatten(2).to(dtype))

    def _keep(self, index: int, k: torch.Tensor, v: torch.Tensor) -> None:
        """Leaves one layer's keys and values `[rows, heads, tokens, head_dim]` with each row."""
        num_rows = len(self._captured)
        rows = zip(k.chunk(num_rows), v.chunk(num_rows), strict=True)
        for (states, merging), own in zip(self._captured, rows, strict=True):
            # Copied, since a part of a tensor keeps the whole of it in memory.
            own = [_join_rows(each).clone() if num_rows > 1 else _join_rows(each) for each in own]
            states[index] = KeyValues(*own) if merging is None else merging.merge(KeyValues(*own))


def _without_autocast(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    if device.type not in _AUTOCAST_DEVICES:
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)


def _join_rows(states: torch.Tensor) -> torch.Tensor:
    """Tiles of one reference, if its rows were cut into some, as one row of tokens."""
    return states if states.shape[0] == 1 else states.transpose(0, 1).flatten(1, 2)[None]


def _blocks(unet: nn.Module) -> Iterator[nn.Module]:
    """The transformer blocks of a U-Net, in its order.

    Found by class name along the inheritance line, so that neither ldm nor sgm is imported and
    token merging's subclass counts too.
    """
    for module in unet.modules():
        if any(base.__name__ == BLOCK_CLASS_NAME for base in type(module).__mro__):
            yield module


def find_self_attention(unet: nn.Module) -> list[nn.Module]:
    """Every `attn1` that attends to its own layer's tokens, in the U-Net's order.

    Raises:
        UnsupportedModelError: there is none (SD3 has joint attention instead).
    """
    layers = [
        block.attn1 for block in _blocks(unet) if not getattr(block, "disable_self_attn", False)
    ]
    if not layers:
        raise UnsupportedModelError(
            "this checkpoint's model has no self-attention that feedback could use. "
            "Switch FABRIC off, or choose a Stable Diffusion 1 or 2 or SDXL checkpoint."
        )
    return layers


def _split_heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def _is_ours(forward: object) -> bool:
    return forward is not None and getattr(forward, "_fabric_ext_forward", None) is forward
