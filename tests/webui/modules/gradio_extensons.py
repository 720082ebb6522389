"""Changes to Gradio: component hooks, classes for styles, tooltips."""

from __future__ import annotations

import gradio as gr
from modules import patches, script_callbacks, scripts, ui_tempdir


def _mark(comp: gr.blocks.Block) -> None:
    """`gradio-button` and so on, which the host's styles and scripts rely on."""
    comp.elem_classes = [f"gradio-{comp.get_block_name()}", *(comp.elem_classes or [])]
    if getattr(comp, "multiselect", False):
        comp.elem_classes.append("multiselect")


def _with_hooks(self: gr.blocks.Block, original: object, args: tuple, kwargs: dict) -> object:
    if scripts.scripts_current is not None:
        scripts.scripts_current.before_component(self, **kwargs)
    script_callbacks.before_component_callback(self, **kwargs)
    res = original(self, *args, **kwargs)
    _mark(self)
    script_callbacks.after_component_callback(self, **kwargs)
    if scripts.scripts_current is not None:
        scripts.scripts_current.after_component(self, **kwargs)
    return res


def _component_init(self: gr.blocks.Block, *args: object, **kwargs: object) -> object:
    self.webui_tooltip = kwargs.pop("tooltip", None)
    return _with_hooks(self, original_IOComponent_init, args, kwargs)


def _context_init(self: gr.blocks.Block, *args: object, **kwargs: object) -> object:
    return _with_hooks(self, original_BlockContext_init, args, kwargs)


def _get_config(self: gr.blocks.Block) -> dict:
    config = original_Block_get_config(self)
    if getattr(self, "webui_tooltip", None):
        config["webui_tooltip"] = self.webui_tooltip
    config.pop("example_inputs", None)
    return config


original_IOComponent_init = patches.patch(  # noqa: N816  (the host's names)
    __name__, gr.components.IOComponent, "__init__", _component_init
)
original_Block_get_config = patches.patch(  # noqa: N816
    __name__, gr.blocks.Block, "get_config", _get_config
)
original_BlockContext_init = patches.patch(  # noqa: N816
    __name__, gr.blocks.BlockContext, "__init__", _context_init
)
ui_tempdir.install_ui_tempdir_override()
