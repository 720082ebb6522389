"""What only tests need, and no host has: something goes wrong at a chosen moment.

A fault has a place and a number, "unet:3" for the third U-Net call from now on, and a kind, what
happens there, once. Calls are counted on classes, so that nothing is put on a model's modules.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

# What a place is called in the message of its exception.
PLACES = {
    "option": "reading an option of an extension",
    "init": "in p.init",
    "hook": "registering a hook on the U-Net",
    "encoder": "inside the VAE's encoder",
    "decoder": "inside the VAE's decoder",
    "text": "inside the text encoder",
    "denoiser": "inside the denoiser",
    "unet": "inside the U-Net",
    "attention": "inside a self-attention layer",
    "disk": "at a write below a folder whose name starts with a dot",
}
LASTING_OOM = "lasting oom"  # at every call from then on
KINDS = ("error", "oom", LASTING_OOM, "full", "interrupt", "skip", "switch", "replace", "unload")
_EXTENSION_OPTION = "fabric_"
_KEPT_CALLS = 2000
_PROBE = (1, 8, 16)


class Faults:
    """Counts what passes by, and lets one thing go wrong.

    Attributes:
        calls: shapes of the last U-Net calls.
        left: models that were in use when a fault put another in their place.
    """

    def __init__(self) -> None:
        self.calls: list[dict] = []
        self.left: list[nn.Module] = []
        self._place: str | None = None
        self._remaining = 0
        self._kind = "error"
        self._layers: set[int] = set()
        self._is_aside = False
        self._lock = threading.Lock()

    def set(self, at: str | None, kind: str = "error") -> None:
        """Lets the Nth call from now on fail; None takes a fault back."""
        self._place = None
        self.left.clear()
        if at is None:
            return
        place, _, count = at.partition(":")
        if place not in PLACES or kind not in KINDS or not count.isdigit() or int(count) < 1:
            raise ValueError(f"fault {at!r} {kind!r}: PLACE:N of {list(PLACES)}, kind of {KINDS}")
        if place == "attention":
            self._layers = _self_attention()
        self._remaining, self._kind, self._place = int(count), kind, place

    def is_pending(self) -> bool:
        """Whether a fault that was set has not happened yet."""
        return self._place is not None

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Within it nothing is noted or counted."""
        self._is_aside = True
        try:
            yield
        finally:
            self._is_aside = False

    def note_call(self, x: torch.Tensor, context: torch.Tensor | None) -> None:
        """Notes a U-Net call."""
        if self._is_aside:
            return
        shape = None if context is None else list(context.shape)
        self.calls.append({"x": list(x.shape), "context": shape})
        del self.calls[:-_KEPT_CALLS]

    def pass_by(self, place: str, who: object = None) -> None:
        """Counts; lets it happen if this is the moment."""
        if place != self._place or self._is_aside:
            return
        with self._lock:
            if place != self._place or (place == "attention" and id(who) not in self._layers):
                return
            self._remaining -= 1
            if self._remaining > 0:
                return
            if self._kind != LASTING_OOM:
                self._place = None
        self._happen(place)

    def _happen(self, place: str) -> None:
        from modules import sd_models, shared

        if self._kind == "error":
            raise RuntimeError(f"stand-in fault {PLACES[place]}")
        if self._kind in ("oom", LASTING_OOM):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")
        if self._kind == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._kind in ("interrupt", "skip"):
            getattr(shared.state, self._kind)()
            return
        other = list(sd_models.checkpoints_list.values())[-1]
        if self._kind == "switch":
            sd_models.reload_model_weights(info=other)
            return
        self.left.append(shared.sd_model)
        if self._kind == "replace":
            sd_models.load_model(other)
        else:
            sd_models.model_data.set_sd_model(None)


faults = Faults()


def _self_attention() -> set[int]:
    from modules import shared

    unet = shared.sd_model.model.diffusion_model
    return {id(m.attn1.to_q) for m in unet.modules() if hasattr(m, "attn1")}


def _watch(owner: type, method: str, place: str, is_meant: Callable = lambda *_: True) -> None:
    """Passes by `place` at every call of a class's method."""
    inner = getattr(owner, method)

    @functools.wraps(inner)
    def watched(self: object, *args: object, **kwargs: object) -> object:
        if is_meant(self, *args):
            faults.pass_by(place, self)
        return inner(self, *args, **kwargs)

    setattr(owner, method, watched)


def _watch_unet(unet_class: type) -> None:
    """Every call of the *class*, calls by extensions for a reference included."""
    inner = unet_class.forward

    def forward(
        self: nn.Module,
        x: torch.Tensor,
        timesteps: torch.Tensor | None = None,
        context: torch.Tensor | None = None,
        *args: object,
        **kwargs: object,
    ) -> torch.Tensor:
        # One row as small as can be: an extension asks whether the model is still the same. That
        # is no part of a picture, so that tests need not know how often it does.
        is_probe = tuple(x.shape[0:1] + x.shape[2:]) == _PROBE
        with faults.aside() if is_probe else contextlib.nullcontext():
            faults.note_call(x, context)
            faults.pass_by("unet")
            return inner(self, x, timesteps, context, *args, **kwargs)

    unet_class.forward = forward


def _watch_disk() -> None:
    """New files, their way to the disk, and renames: what an extension keeps below such a folder,
    where the WebUI serves nothing, is written in these steps."""

    def is_meant(where: object) -> bool:
        parts = Path(os.fspath(where)).parts if isinstance(where, str | os.PathLike) else ()
        return any(each.startswith(".") for each in parts)

    make, sync = tempfile.mkstemp, os.fsync

    @functools.wraps(make)
    def mkstemp(*args: object, **kwargs: object) -> object:
        if is_meant(kwargs.get("dir")):
            faults.pass_by("disk")
        return make(*args, **kwargs)

    @functools.wraps(sync)
    def fsync(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        if is_meant(path) and not path.is_dir():
            faults.pass_by("disk")
        sync(handle)

    tempfile.mkstemp, os.fsync = mkstemp, fsync
    _watch(Path, "replace", "disk", lambda path, *_: is_meant(path))


def watch_everything() -> None:
    """Once, before the first request."""
    from ldm.modules.diffusionmodules.model import Decoder, Encoder
    from ldm.modules.diffusionmodules.openaimodel import UNetModel
    from modules import options, processing, sd_hijack_clip, sd_samplers_cfg_denoiser

    _watch_unet(UNetModel)
    if sys.platform == "linux":
        _watch_disk()
    _watch(Encoder, "forward", "encoder")
    _watch(Decoder, "forward", "decoder")
    _watch(sd_hijack_clip.FrozenCLIPEmbedderWithCustomWords, "forward", "text")
    _watch(sd_samplers_cfg_denoiser.CFGDenoiser, "forward", "denoiser")
    _watch(nn.Linear, "forward", "attention")
    for kind in ("Txt2Img", "Img2Img"):
        _watch(getattr(processing, f"StableDiffusionProcessing{kind}"), "init", "init")
    _watch(
        nn.Module,
        "register_forward_pre_hook",
        "hook",
        lambda module, *_: isinstance(module, UNetModel),
    )
    _watch(
        options.Options,
        "__getattr__",
        "option",
        lambda _, name: name.startswith(_EXTENSION_OPTION),
    )
