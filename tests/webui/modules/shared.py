"""The host's global names. `shared_init` fills in those that start as None."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import gradio as gr
from modules import devices, options, shared_cmd_options, util
from modules.paths_internal import (  # noqa: F401  (re-exports)
    data_path,
    extensions_builtin_dir,
    extensions_dir,
    models_path,
    script_path,
)

cmd_opts = shared_cmd_options.cmd_opts
parser = shared_cmd_options.parser
device = devices.device
config_filename = str(Path(data_path) / "config.json")
parallel_processing_allowed = True
xformers_available = False
batch_cond_uncond = True
hide_dirs = {"visible": not cmd_opts.hide_ui_dir_config}

demo: gr.Blocks | None = None
state = None
opts: options.Options = None
options_templates: dict = None
restricted_opts: set[str] = set()
prompt_styles = None
total_tqdm = None
settings_components: dict | None = None
tab_names: list[str] = []
hypernetworks: dict = {}
loaded_hypernetworks: list = []
face_restorers: list = []
sd_upscalers: list = []
clip_model = None
gradio_theme = gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"])
progress_print_out = sys.stderr

latent_upscale_default_mode = "Latent"
latent_upscale_modes = {
    "Latent": {"mode": "bilinear", "antialias": False},
    "Latent (antialiased)": {"mode": "bilinear", "antialias": True},
    "Latent (bicubic)": {"mode": "bicubic", "antialias": False},
    "Latent (bicubic antialiased)": {"mode": "bicubic", "antialias": True},
    "Latent (nearest)": {"mode": "nearest", "antialias": False},
    "Latent (nearest-exact)": {"mode": "nearest-exact", "antialias": False},
}

options_section = options.options_section
OptionInfo = options.OptionInfo
OptionHTML = options.OptionHTML
listfiles = util.listfiles


class _Shared(types.ModuleType):
    """`shared.sd_model` is read from the loader each time, as in the host."""

    @property
    def sd_model(self) -> object:
        from modules import sd_models

        return sd_models.model_data.get_sd_model()

    @sd_model.setter
    def sd_model(self, value: object) -> None:
        from modules import sd_models

        sd_models.model_data.set_sd_model(value)


sys.modules[__name__].__class__ = _Shared
