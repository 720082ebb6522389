"""What only tests need, and no host has: faults, and a look at the model's state.

- `POST /standin/fault {"at": "unet:3", "kind": "error"}`: see standin_faults.py. `--fault unet:3`
  does the same at start. `GET` tells whether it is still to come.
- `GET /standin/model-state`: everything an extension may have left on the model.
- `GET /standin/models-left`: the same of models that a fault has put others in the place of.
- `GET /standin/unet-calls`: shapes of the last U-Net calls, `POST` forgets them.
- `GET /standin/routes`: every route of the app, those that its description leaves out included.
- `GET /standin/memory`: MB, after what is free was given back (glibc): `resident`, and of it
  `allocated` by malloc and not freed; Python's `blocks` in use.
- `POST /standin/reload-ui`: what the button "Reload UI" does.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from pydantic import BaseModel
from standin_faults import faults
from torch import nn
from torch.nn.modules.module import _global_forward_hooks, _global_forward_pre_hooks

_PREFIX = "_fabric_ext_"


class Fault(BaseModel):
    """Where to fail, PLACE:N with N counted from 1, and how; null takes a fault back."""

    at: str | None = None
    kind: str = "error"


class _MallocInfo(ctypes.Structure):
    """struct mallinfo2 of glibc, summed over all threads' arenas."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "mapped", "usmblks", "fsmblks"),
            *("in_use", "free", "keepcost"),
        )
    )


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
        "training": [n for n, m in model.named_modules() if m.training],
        "gradients": [n for n, p in model.named_parameters() if p.requires_grad],
        "placed": sorted({f"{p.device} {p.dtype}" for p in model.parameters()}),
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

    def get_left() -> list[dict]:
        with _queue():
            return [model_state(model) for model in faults.left]

    def set_fault(fault: Fault) -> dict:
        faults.set(fault.at, fault.kind)
        return {}

    def get_fault() -> bool:
        return faults.is_pending()

    def get_calls() -> list[dict]:
        return list(faults.calls)

    def clear_calls() -> dict:
        faults.calls.clear()
        return {}

    def get_memory() -> dict[str, float]:
        gc.collect()
        libc = ctypes.CDLL("libc.so.6")
        # Else it shows how glibc divides free memory among threads, not what is in use.
        libc.malloc_trim(0)
        status = Path("/proc/self/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0]) / 1024
        libc.mallinfo2.restype = _MallocInfo
        info = libc.mallinfo2()
        return {
            "resident": resident,
            "allocated": (info.in_use + info.mapped) / 2**20,
            "blocks": sys.getallocatedblocks(),
        }

    def get_routes() -> list[str]:
        # Sorted: the order of a set is another one in every process.
        return sorted(
            f"{route.path} {sorted(getattr(route, 'methods', ()))}" for route in app.routes
        )

    def reload_ui() -> dict:
        shared.state.request_restart()
        return {}

    app.add_api_route("/standin/model-state", get_state, methods=["GET"])
    app.add_api_route("/standin/models-left", get_left, methods=["GET"])
    app.add_api_route("/standin/memory", get_memory, methods=["GET"])
    app.add_api_route("/standin/routes", get_routes, methods=["GET"])
    app.add_api_route("/standin/fault", set_fault, methods=["POST"])
    app.add_api_route("/standin/fault", get_fault, methods=["GET"])
    app.add_api_route("/standin/unet-calls", get_calls, methods=["GET"])
    app.add_api_route("/standin/unet-calls", clear_calls, methods=["POST"])
    app.add_api_route("/standin/reload-ui", reload_ui, methods=["POST"])
