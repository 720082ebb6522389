"""What the adapter of AUTOMATIC1111's generation takes from `modules`, in a few lines."""

from __future__ import annotations

import json
from types import SimpleNamespace

import torch
from torch import nn


class CFGDenoiserTimesteps(nn.Module):
    """Stands for the host's class; only its type is looked at."""


class InterruptedException(BaseException):
    """The host's: how its samplers end early."""


class SdConditioning(list):
    """The host's prompt list with the size that SDXL reads."""

    def __init__(self, prompts, is_negative_prompt=False, width=None, height=None):
        super().__init__(prompts)
        self.is_negative_prompt, self.width, self.height = is_negative_prompt, width, height


def generation_modules(data_folder: str) -> dict[str, dict[str, object]]:
    """What `fake_modules` needs for lib_fabric.hosts.automatic1111.generation."""
    return {
        "devices": {"device": torch.device("cpu"), "dtype_vae": torch.float32},
        "paths_internal": {"data_path": data_folder},
        "prompt_parser": {"SdConditioning": SdConditioning},
        "sd_samplers_common": {"InterruptedException": InterruptedException},
        "sd_samplers_timesteps": {"CFGDenoiserTimesteps": CFGDenoiserTimesteps},
        "sd_unet": {"current_unet": None},
        "sd_vae": {"loaded_vae_file": None},
        "shared": {
            "opts": SimpleNamespace(),
            "loaded_hypernetworks": ["a network"],
            "state": SimpleNamespace(interrupted=False, skipped=False, textinfo=None),
        },
        "infotext_utils": {
            "image_from_url_text": lambda entry: entry,
            "parse_generation_parameters": json.loads,
        },
        "images": {"read_info_from_image": lambda image: (image.info.get("parameters"), {})},
        "hypernetworks.hypernetwork": {
            "apply_hypernetworks": lambda networks, context: (context + len(networks), context)
        },
    }
