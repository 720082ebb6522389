"""What only tests need, and no host has: faults inside the U-Net and a look at the model's state.

- `POST /standin/fault {"at": "unet:3"}`: the third U-Net call from now on raises a RuntimeError,
  once. `--fault unet:3` does the same at start.
- `GET /standin/model-state`: everything an extension may have left on the model.
- `GET /standin/unet-calls`: shapes of the last U-Net calls, `POST` forgets them.
- `POST /standin/reload-ui`: what the button "Reload UI" does.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from torch import nn
from torch.nn.modules.module import _global_forward_hooks, _global_forward_pre_hooks

_KEPT_CALLS = 2000
_PREFIX = "_fabric_ext_"


class Fault(BaseModel):
    """Where to fail: "unet:N", N counted from 1; null takes a fault back."""

    at: str | None = None


class _Watch:
    """Counts U-Net calls inside the wrapper's forward, so that nothing is put on the U-Net."""

    def __init__(self) -> None:
        self.calls: list[dict] = []
        self.remaining: int | None = None
        self.lock = threading.Lock()

    def set_fault(self, at: str | None) -> None:
        """Fails at the Nth call from now on."""
        if at is None:
            self.remaining = None
            return
        place, _, count = at.partition(":")
        if place != "unet" or not count.isdigit() or int(count) < 1:
            raise ValueError(f"fault {at!r}: must be unet:N with N at least 1")
        self.remaining = int(count)

    def before_call(self, x: torch.Tensor, context: torch.Tensor | None) -> None:
        """Notes a call; raises if it is the one that shall fail."""
        with self.lock:
            shape = None if context is None else list(context.shape)
            self.calls.append({"x": list(x.shape), "context": shape})
            del self.calls[:-_KEPT_CALLS]
            if self.remaining is None:
                return
            self.remaining -= 1
            if self.remaining > 0:
                return
            self.remaining = None
        raise RuntimeError("stand-in fault inside the U-Net")


watch = _Watch()


def watch_unet() -> None:
    """Looks at every call of the U-Net *class*, calls by extensions for a reference included."""
    from ldm.modules.diffusionmodules.openaimodel import UNetModel

    inner = UNetModel.forward

    def forward(
        self: nn.Module,
        x: torch.Tensor,
        timesteps: torch.Tensor | None = None,
        context: torch.Tensor | None = None,
        *args: object,
        **kwargs: object,
    ) -> torch.Tensor:
        watch.before_call(x, context)
        return inner(self, x, timesteps, context, *args, **kwargs)

    UNetModel.forward = forward


def _hooks(module: nn.Module) -> dict[str, int]:
    kinds = {
        "forward": module._forward_hooks,
        "forward_pre": module._forward_pre_hooks,
        "backward": module._backward_hooks,
    }
    return {kind: len(found) for kind, found in kinds.items() if found}


def model_state(model: nn.Module) -> dict:
    """What is on the model beyond what its classes define."""
    marked = [f"{name}.{attribute}" for name, m in model.named_modules() for attribute in _marks(m)]
    return {
        "instance_forward": [n for n, m in model.named_modules() if "forward" in vars(m)],
        "hooks": {n: _hooks(m) for n, m in model.named_modules() if _hooks(m)},
        "global_hooks": len(_global_forward_hooks) + len(_global_forward_pre_hooks),
        "unet_class_forward": type(model.model.diffusion_model).forward.__qualname__,
        "marked_attributes": marked,
        "attention_forward": sorted(
            {type(m).forward.__qualname__ for m in model.modules() if hasattr(m, "to_q")}
        ),
        "module_classes": sorted({type(m).__name__ for m in model.modules()}),
        "weights": _fingerprint(model),
    }


def _marks(module: nn.Module) -> list[str]:
    return [a for a in (*vars(module), *vars(type(module))) if a.startswith(_PREFIX)]


def _fingerprint(model: nn.Module) -> float:
    """One number that changes when any weight does."""
    total = sum(p.double().abs().sum().item() for p in model.parameters())
    return round(total, 6)


@contextlib.contextmanager
def _queue() -> Iterator[None]:
    from modules.call_queue import queue_lock

    with queue_lock:
        yield


def add_routes(app: FastAPI) -> None:
    """Adds the routes."""
    from modules import shared

    def get_state() -> dict:
        with _queue():
            return model_state(shared.sd_model)

    def set_fault(fault: Fault) -> dict:
        watch.set_fault(fault.at)
        return {}

    def get_calls() -> list[dict]:
        return list(watch.calls)

    def clear_calls() -> dict:
        watch.calls.clear()
        return {}

    def reload_ui() -> dict:
        shared.state.request_restart()
        return {}

    app.add_api_route("/standin/model-state", get_state, methods=["GET"])
    app.add_api_route("/standin/fault", set_fault, methods=["POST"])
    app.add_api_route("/standin/unet-calls", get_calls, methods=["GET"])
    app.add_api_route("/standin/unet-calls", clear_calls, methods=["POST"])
    app.add_api_route("/standin/reload-ui", reload_ui, methods=["POST"])
