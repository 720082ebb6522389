"""Requests and answers of the API."""

from __future__ import annotations

import dataclasses
from typing import Any

from modules.processing import StableDiffusionProcessingImg2Img, StableDiffusionProcessingTxt2Img
from pydantic import BaseModel, Field, create_model

API_NOT_ALLOWED = {
    "sd_model",
    "outpath_samples",
    "outpath_grids",
    "sampler_index",
    "extra_generation_params",
    "overlay_images",
    "do_not_reload_embeddings",
    "seed_enable_extras",
    "prompt_for_display",
    "ddim_discretize",
    "comments",
}
_COMMON = {
    "sampler_index": (str, "Euler"),
    "script_name": (str, None),
    "script_args": (list, []),
    "send_images": (bool, True),
    "save_images": (bool, False),
    "alwayson_scripts": (dict, {}),
    "force_task_id": (str, None),
    "infotext": (str, None),
}
_IMG2IMG = {
    "init_images": (list, None),
    "denoising_strength": (float, 0.75),
    "mask": (str, None),
    "include_init_images": (bool, False),
}
_KINDS = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}


def _request_model(name: str, processing: type, extra: dict) -> type[BaseModel]:
    """A request from the fields of a processing class: all optional, defaults of the class."""
    fields = {}
    for f in dataclasses.fields(processing):
        if f.init and f.name not in API_NOT_ALLOWED:
            kind = str if f.name in ("firstpass_image", "latent_mask") else _KINDS.get(f.type, Any)
            fields[f.name] = (kind | None, f.default)
    fields |= {key: (kind | None, default) for key, (kind, default) in extra.items()}
    return create_model(name, **fields)


StableDiffusionTxt2ImgProcessingAPI = _request_model(
    "StableDiffusionProcessingTxt2Img", StableDiffusionProcessingTxt2Img, _COMMON
)
StableDiffusionImg2ImgProcessingAPI = _request_model(
    "StableDiffusionProcessingImg2Img", StableDiffusionProcessingImg2Img, {**_COMMON, **_IMG2IMG}
)


class TextToImageResponse(BaseModel):
    images: list[str] | None = None
    parameters: dict
    info: str


class ImageToImageResponse(TextToImageResponse):
    pass


class PNGInfoRequest(BaseModel):
    image: str


class PNGInfoResponse(BaseModel):
    info: str
    items: dict
    parameters: dict


class ProgressRequest(BaseModel):
    skip_current_image: bool = False


class ProgressResponse(BaseModel):
    progress: float
    eta_relative: float
    state: dict
    current_image: str | None = None
    textinfo: str | None = None


class SDModelItem(BaseModel):
    title: str
    model_name: str
    hash: str | None = None
    sha256: str | None = None
    filename: str
    config: str | None = None


class SamplerItem(BaseModel):
    name: str
    aliases: list[str]
    options: dict[str, str]


class SchedulerItem(BaseModel):
    name: str
    label: str
    aliases: list[str] | None = None
    default_rho: float | None = None
    need_inner_model: bool | None = None


class ScriptsList(BaseModel):
    txt2img: list | None = None
    img2img: list | None = None


class ScriptArg(BaseModel):
    label: str | None = Field(default=None)
    value: Any | None = Field(default=None)
    minimum: Any | None = Field(default=None)
    maximum: Any | None = Field(default=None)
    step: Any | None = Field(default=None)
    choices: list[str] | None = Field(default=None)


class ScriptInfo(BaseModel):
    name: str | None = None
    is_alwayson: bool | None = None
    is_img2img: bool | None = None
    args: list[ScriptArg]


def describe_control(control: object) -> ScriptArg:
    """What /sdapi/v1/script-info tells about a component. It must have a label."""
    info = ScriptArg(label=control.label or "")
    for name in ("value", "minimum", "maximum", "step"):
        value = getattr(control, name, None)
        if value is not None:
            setattr(info, name, value)
    choices = getattr(control, "choices", None)
    if choices is not None:
        info.choices = [x[0] if isinstance(x, tuple) else x for x in choices]
    return info
