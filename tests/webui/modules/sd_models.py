"""Checkpoints and the model in use.

All checkpoints here share one config, so changing them puts other weights into the *same* module
objects, as the host does for equal configs.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import torch
from modules import errors, script_callbacks, shared
from modules.paths_internal import script_path
from torch import nn

_TINY_MODEL = Path(script_path).parent / "tiny_model"
_RANDOM = "random-weights"

checkpoints_list: dict[str, CheckpointInfo] = {}
checkpoint_aliases: dict[str, CheckpointInfo] = {}
checkpoints_loaded: dict = {}


def _build() -> object:
    """The tiny model's builder; its folder is a package of the tests."""
    tests = str(_TINY_MODEL.parent)
    if tests not in sys.path:
        sys.path.append(tests)
    from tiny_model import build

    return build


class CheckpointInfo:
    """Names and hashes of one checkpoint. A `filename` that does not exist means random weights,
    seeded by the name."""

    def __init__(self, filename: str) -> None:
        path = Path(filename)
        self.filename = filename
        self.name = path.name
        self.name_for_extra = self.model_name = path.stem
        source = path.read_bytes() if path.is_file() else path.name.encode()
        self.sha256 = hashlib.sha256(source).hexdigest()
        self.hash = self.shorthash = self.sha256[:10]
        self.title = f"{self.name} [{self.shorthash}]"
        self.short_title = f"{self.name_for_extra} [{self.shorthash}]"
        self.ids = [self.shorthash, self.sha256, self.name, self.name_for_extra, self.title]
        self.metadata: dict = {}

    def register(self) -> None:
        """Adds it to the list."""
        checkpoints_list[self.title] = self
        for name in self.ids:
            checkpoint_aliases[name] = self

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The weights."""
        if Path(self.filename).is_file():
            from safetensors.torch import load_file

            weights = load_file(self.filename)
            weights.pop("scale_factor", None)
            return weights
        return _random_weights(self.name)


def _random_weights(name: str) -> dict[str, torch.Tensor]:
    """Weights that no training has touched. Layers that start at zero get numbers too: else the
    U-Net would ignore what its attention says."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(sum(name.encode()))
        model = _build().build_model()
        for parameter in model.parameters():
            if parameter.dim() > 1 and not parameter.any():
                nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return {k: v.detach() for k, v in model.state_dict().items()}


def list_models() -> None:
    """Lists the checkpoints: the trained one (or `--checkpoint`), then random weights."""
    checkpoints_list.clear()
    checkpoint_aliases.clear()
    trained = Path(shared.cmd_opts.checkpoint or _TINY_MODEL / "tiny-shapes.safetensors")
    names = [f"{_RANDOM}.safetensors", f"{_RANDOM}-2.safetensors"]
    if trained.is_file() and not shared.cmd_opts.random_model:
        names.insert(0, str(trained))
    for name in names:
        CheckpointInfo(name).register()


def checkpoint_tiles(use_short: bool = False) -> list[str]:
    """Titles of all checkpoints."""
    return [x.short_title if use_short else x.title for x in checkpoints_list.values()]


def get_closet_checkpoint_match(search_string: str) -> CheckpointInfo | None:
    """The checkpoint with this name, title or hash."""
    if not search_string:
        return None
    exact = checkpoint_aliases.get(search_string)
    if exact is not None:
        return exact
    return next((x for x in checkpoints_list.values() if search_string in x.title), None)


def select_checkpoint() -> CheckpointInfo:
    """The one that the setting names, else the first."""
    chosen = checkpoint_aliases.get(shared.opts.sd_model_checkpoint)
    return chosen or next(iter(checkpoints_list.values()))


class SdModelData:
    """Holds the model; it is loaded at first use."""

    def __init__(self) -> None:
        self.sd_model: nn.Module | None = None
        self.was_loaded_at_least_once = False
        self.lock = threading.RLock()

    def get_sd_model(self) -> nn.Module | None:
        """The model in use; a failure to load is shown and gives None, as in the host."""
        with self.lock:
            if not self.was_loaded_at_least_once:
                self.was_loaded_at_least_once = True
                try:
                    load_model()
                except Exception as e:  # noqa: BLE001  (the host swallows here)
                    errors.display(e, "loading stable diffusion model")
            return self.sd_model

    def set_sd_model(self, v: nn.Module | None) -> None:
        """Replaces the model."""
        self.sd_model = v


model_data = SdModelData()


@contextlib.contextmanager
def _ema_scope(context: object = None) -> Iterator[None]:
    yield


def _describe(m: nn.Module) -> None:
    """Attributes that the host gives every model."""
    m.is_sd1, m.is_sd2, m.is_sdxl, m.is_sdxl_inpaint, m.is_ssd, m.is_sd3 = True, *[False] * 5
    m.cond_stage_key = "txt"
    m.lowvram = False
    m.ema_scope = _ema_scope
    m.alphas_cumprod_original = m.alphas_cumprod


def _load_weights(m: nn.Module, info: CheckpointInfo) -> None:
    m.load_state_dict(info.state_dict())
    m.eval().requires_grad_(False)
    m.sd_checkpoint_info = info
    m.sd_model_checkpoint = info.filename
    m.sd_model_hash = info.shorthash


def load_model(
    checkpoint_info: CheckpointInfo | None = None, already_loaded_state_dict: dict | None = None
) -> nn.Module:
    """Builds the model, loads its weights, and puts the host's changes on it."""
    from modules import sd_hijack

    info = checkpoint_info or select_checkpoint()
    m = _build().build_model()
    _describe(m)
    _load_weights(m, info)
    sd_hijack.model_hijack.hijack(m)
    model_data.set_sd_model(m)
    model_data.was_loaded_at_least_once = True
    script_callbacks.model_loaded_callback(m)
    with torch.no_grad():
        m.cond_stage_model_empty_prompt = m.get_learned_conditioning([""])
    return m


def reload_model_weights(
    sd_model: nn.Module | None = None,
    info: CheckpointInfo | None = None,
    forced_reload: bool = False,
) -> nn.Module:
    """Changes to `info` (or what the setting names): new weights in the same modules."""
    from modules import sd_hijack

    wanted = info or select_checkpoint()
    m = sd_model or model_data.sd_model
    if m is None:
        return load_model(wanted)
    if m.sd_checkpoint_info.filename == wanted.filename and not forced_reload:
        return m
    sd_hijack.model_hijack.undo_hijack(m)
    try:
        _load_weights(m, wanted)
    finally:
        sd_hijack.model_hijack.hijack(m)
        script_callbacks.model_loaded_callback(m)
    return m


def unload_model_weights(sd_model: nn.Module | None = None, info: object = None) -> None:
    """Moves the model off the GPU in the host; nothing here."""


def apply_token_merging(sd_model: nn.Module, token_merging_ratio: float) -> None:
    """Token merging is not in the stand-in; the host calls this around every generation."""


def apply_alpha_schedule_override(sd_model: nn.Module, p: object = None) -> None:
    """Before each batch the noise schedule is the original one."""
    sd_model.alphas_cumprod = sd_model.alphas_cumprod_original


class SkipWritingToConfig:
    """Within it a change of checkpoint does not reach the settings file."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
