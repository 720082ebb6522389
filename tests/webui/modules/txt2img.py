"""A txt2img job of the page."""

from __future__ import annotations

import json

import gradio as gr
from modules import infotext_utils, page_job, processing, scripts, shared
from modules.infotext_utils import create_override_settings_dict, parse_generation_parameters
from modules.shared import opts

_SAME = ("Use same checkpoint", "Use same sampler", "Use same scheduler")


def txt2img_create_processing(
    id_task: str,
    request: gr.Request,
    prompt: str,
    negative_prompt: str,
    n_iter: int,
    batch_size: int,
    cfg_scale: float,
    height: int,
    width: int,
    enable_hr: bool,
    denoising_strength: float,
    hr_scale: float,
    hr_upscaler: str,
    hr_second_pass_steps: int,
    hr_resize_x: int,
    hr_resize_y: int,
    hr_checkpoint_name: str,
    override_settings_texts: list[str],
    *args: object,
    force_enable_hr: bool = False,
) -> processing.StableDiffusionProcessingTxt2Img:
    """The job's parameters; `args` are those of all scripts."""
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model,
        outpath_samples=opts.outdir_samples or opts.outdir_txt2img_samples,
        outpath_grids=opts.outdir_grids or opts.outdir_txt2img_grids,
        prompt=prompt,
        negative_prompt=negative_prompt,
        batch_size=batch_size,
        n_iter=n_iter,
        cfg_scale=cfg_scale,
        width=width,
        height=height,
        enable_hr=enable_hr or force_enable_hr,
        denoising_strength=denoising_strength,
        hr_scale=hr_scale,
        hr_upscaler=hr_upscaler,
        hr_second_pass_steps=hr_second_pass_steps,
        hr_resize_x=hr_resize_x,
        hr_resize_y=hr_resize_y,
        hr_checkpoint_name=None if hr_checkpoint_name in _SAME else hr_checkpoint_name,
        override_settings=create_override_settings_dict(override_settings_texts),
    )
    p.scripts = scripts.scripts_txt2img
    p.script_args = args
    p.user = getattr(request, "username", None)
    return p


def txt2img(id_task: str, request: gr.Request, *args: object) -> tuple:
    """Gallery, generation info, infotext, log."""
    return page_job.answer(page_job.run(txt2img_create_processing(id_task, request, *args)))


def txt2img_upscale(
    id_task: str,
    request: gr.Request,
    gallery: list[dict],
    gallery_index: int,
    generation_info: str,
    *args: object,
) -> tuple:
    """Runs only the hires pass on the selected picture and puts the result in its place."""
    assert len(gallery) > 0, "No image to upscale"
    assert 0 <= gallery_index < len(gallery), f"Bad image index: {gallery_index}"
    p = txt2img_create_processing(id_task, request, *args, force_enable_hr=True)
    p.batch_size = p.n_iter = 1
    p.txt2img_upscale = True
    told = json.loads(generation_info)
    p.firstpass_image = infotext_utils.image_from_url_text(gallery[gallery_index])
    params = parse_generation_parameters(told["infotexts"][gallery_index], [])
    p.seed, p.subseed = params.get("Seed", -1), params.get("Variation seed", -1)
    p.override_settings["save_images_before_highres_fix"] = False
    processed = page_job.run(p)
    pictures = [infotext_utils.image_from_url_text(item) for item in gallery]
    for picture, item in zip(pictures, gallery, strict=True):
        picture.already_saved_as = item["name"].rsplit("?", 1)[0]
    pictures[gallery_index : gallery_index + 1] = processed.images
    told["infotexts"][gallery_index : gallery_index + 1] = processed.infotexts
    return pictures, json.dumps(told), *page_job.texts(processed)
