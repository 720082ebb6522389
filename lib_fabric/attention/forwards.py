"""Puts a forward of ours on a module, and takes it off again.

Knows torch's modules; not what the forward does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


class ReplacedForward:
    """A forward of ours on one module, in front of whatever forward the module had.

    Others may wrap it and keep it for good, so that once it is removed it holds nothing of ours.
    """

    def __init__(self, module: nn.Module, run: Callable[..., Any]) -> None:
        """
        Args:
            run: called with the forward that was there before, and the call's arguments.
        """
        self._module = module
        self._run = run
        self._put: list[_Placed] = []

    def put_on_top(self) -> None:
        """Puts it in front of what is there now; those put there before only pass calls on."""
        if self._put and self._module.__dict__.get("forward") is self._put[-1].forward:
            return
        if self._put:
            self._put[-1].run = None
        self._put.append(_Placed(self._module, self._run))

    def remove(self) -> None:
        """Puts back what was there. Whoever wrapped it meanwhile keeps the wrapper."""
        while self._put:
            self._put.pop().remove()


class _Placed:
    """A forward where it lies on its module; without `run` it passes calls on."""

    def __init__(self, module: nn.Module, run: Callable[..., Any]) -> None:
        self.run: Callable[..., Any] | None = run
        self._module = module
        own = self._own = module.__dict__.get("forward")

        def original(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (passed through untouched)
            if own is not None:
                return own(*args, **kwargs)
            # Looked up at each call: the host swaps the class's forward with its optimisation.
            return type(module).forward(module, *args, **kwargs)

        def forward(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (as above)
            if self.run is None:
                return original(*args, **kwargs)
            return self.run(original, *args, **kwargs)

        # Names its bearer: functools.wraps copies attributes onto others' wrappers.
        forward._fabric_ext_placed = (forward, self)
        self.forward = module.forward = forward

    def remove(self) -> None:
        self.run = None
        if self._module.__dict__.get("forward") is not self.forward:
            return
        if self._own is None:
            del self._module.forward
        else:
            self._module.forward = self._own


def has_live_forward(module: nn.Module) -> bool:
    """Whether the module has a forward of ours that is in use: one that was put back is inert."""
    forward = module.__dict__.get("forward")
    bearer, placed = getattr(forward, "_fabric_ext_placed", (None, None))
    return bearer is forward and placed is not None and placed.run is not None
