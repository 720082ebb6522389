"""An img2img job of the page: a picture, or a picture with a painted mask."""

from __future__ import annotations

import gradio as gr
from modules import images, page_job, processing, scripts, shared
from modules.infotext_utils import create_override_settings_dict
from modules.shared import opts
from PIL import Image


def img2img(
    id_task: str,
    request: gr.Request,
    mode: int,
    prompt: str,
    negative_prompt: str,
    init_img: Image.Image,
    init_img_with_mask: dict,
    mask_blur: int,
    n_iter: int,
    batch_size: int,
    cfg_scale: float,
    denoising_strength: float,
    height: int,
    width: int,
    resize_mode: int,
    override_settings_texts: list[str],
    *args: object,
) -> tuple:
    """Gallery, generation info, infotext, log. `mode`: 0 is img2img, 2 is inpaint."""
    image, mask = init_img, None
    if mode == 2:
        image, mask = init_img_with_mask["image"], init_img_with_mask["mask"]
        mask = processing.create_binary_mask(mask)
    image = images.fix_image(image)
    assert 0.0 <= denoising_strength <= 1.0, "can only work with strength in [0.0, 1.0]"
    p = processing.StableDiffusionProcessingImg2Img(
        sd_model=shared.sd_model,
        outpath_samples=opts.outdir_samples or opts.outdir_img2img_samples,
        outpath_grids=opts.outdir_grids or opts.outdir_img2img_grids,
        prompt=prompt,
        negative_prompt=negative_prompt,
        batch_size=batch_size,
        n_iter=n_iter,
        cfg_scale=cfg_scale,
        width=width,
        height=height,
        init_images=[image],
        mask=mask,
        mask_blur=mask_blur,
        resize_mode=resize_mode,
        denoising_strength=denoising_strength,
        override_settings=create_override_settings_dict(override_settings_texts),
    )
    p.scripts = scripts.scripts_img2img
    p.script_args = args
    p.user = getattr(request, "username", None)
    return page_job.answer(page_job.run(p))
