"""What the host does to a loaded model: attention optimisation and its own text encoder."""

from __future__ import annotations

import logging

import ldm.modules.attention
import ldm.modules.diffusionmodules.openaimodel
from modules import (
    errors,
    patches,
    script_callbacks,
    sd_hijack_clip,
    sd_hijack_optimizations,
    sd_hijack_unet,
    sd_unet,
    shared,
)
from modules.hypernetworks import hypernetwork
from torch import nn

log = logging.getLogger(__name__)

attention_CrossAttention_forward = ldm.modules.attention.CrossAttention.forward  # noqa: N816
ldm.modules.attention.MemoryEfficientCrossAttention = ldm.modules.attention.CrossAttention
ldm.modules.diffusionmodules.openaimodel.th = sd_hijack_unet.th

optimizers: list[sd_hijack_optimizations.SdOptimization] = []
current_optimizer: sd_hijack_optimizations.SdOptimization | None = None

_unet_class = ldm.modules.diffusionmodules.openaimodel.UNetModel
ldm_patched_forward = sd_unet.create_unet_forward(_unet_class.forward)
ldm_original_forward = patches.patch(__file__, _unet_class, "forward", ldm_patched_forward)


def list_optimizers() -> None:
    """Asks for all optimisations, best first."""
    found = [x for x in script_callbacks.list_optimizers_callback() if x.is_available()]
    optimizers[:] = sorted(found, key=lambda x: x.priority, reverse=True)


def _choose(selection: str) -> sd_hijack_optimizations.SdOptimization | None:
    if selection == "None":
        return None
    if selection != "Automatic":
        return next((x for x in optimizers if x.title() == selection), optimizers[0])
    if shared.cmd_opts.disable_opt_split_attention:
        return None
    asked = (x for x in optimizers if x.cmd_opt and getattr(shared.cmd_opts, x.cmd_opt, False))
    return next(asked, optimizers[0])


def apply_optimizations(option: str | None = None) -> str:
    """Puts the chosen optimisation on the class; returns its name, or "" for plain attention."""
    global current_optimizer
    undo_optimizations()
    if current_optimizer is not None:
        current_optimizer.undo()
        current_optimizer = None
    if not optimizers:  # a script may touch the model before the list exists
        return ""
    current_optimizer = _choose(option or shared.opts.cross_attention_optimization)
    if current_optimizer is None:
        return ""
    current_optimizer.apply()
    log.info("Attention optimization: %s", current_optimizer.name)
    return current_optimizer.name


def undo_optimizations() -> None:
    """Back to plain attention."""
    ldm.modules.attention.CrossAttention.forward = hypernetwork.attention_CrossAttention_forward


class StableDiffusionModelHijack:
    """Keeps what was done to the model and remarks made while encoding prompts."""

    fixes = None
    layers = None
    circular_enabled = False
    clip = None
    optimization_method = None

    def __init__(self) -> None:
        self.extra_generation_params: dict[str, object] = {}
        self.comments: list[str] = []

    def apply_optimizations(self, option: str | None = None) -> None:
        """As the function, but an exception is only shown."""
        try:
            self.optimization_method = apply_optimizations(option)
        except Exception as e:  # noqa: BLE001  (the host swallows here)
            errors.display(e, "applying cross attention optimization")
            undo_optimizations()

    def hijack(self, m: nn.Module) -> None:
        """Replaces the text encoder and the attention of a model."""
        wrapper = sd_hijack_clip.FrozenCLIPEmbedderWithCustomWords
        if not isinstance(m.cond_stage_model, wrapper):
            m.cond_stage_model = wrapper(m.cond_stage_model, self)
        self.clip = m.cond_stage_model
        self.layers = list(m.modules())
        self.apply_optimizations()

    def undo_hijack(self, m: nn.Module) -> None:
        """Takes it back."""
        m.cond_stage_model = getattr(m.cond_stage_model, "wrapped", m.cond_stage_model)
        undo_optimizations()
        self.layers = self.clip = None

    def redo_hijack(self, m: nn.Module) -> None:
        """Takes it back and does it again (the optimisation setting changed)."""
        self.undo_hijack(m)
        self.hijack(m)

    def apply_circular(self, enable: bool) -> None:
        """Tiling pictures: convolutions wrap around."""
        if self.circular_enabled == enable:
            return
        self.circular_enabled = enable
        for layer in self.layers:
            if type(layer) is nn.Conv2d:
                layer.padding_mode = "circular" if enable else "zeros"

    def clear_comments(self) -> None:
        """Forgets remarks."""
        self.comments = []
        self.extra_generation_params = {}

    def get_prompt_lengths(self, text: str) -> tuple[int, int]:
        """Tokens of a prompt, and of the chunks it fills."""
        count = self.clip.get_token_count(text)
        return count, self.clip.get_target_prompt_token_count(count)


model_hijack = StableDiffusionModelHijack()
