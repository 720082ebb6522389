"""The main loop of a generation. The classes live in `processing_*` and are re-exported here,
where the host has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from modules import (
    devices,
    extra_networks,
    images,
    lowvram,
    paths,
    rng,
    scripts,
    sd_models,
    sd_samplers,
    sd_unet,
    sd_vae,
    shared,
)
from modules.infotext import create_infotext
from modules.processed import Processed
from modules.processing_base import StableDiffusionProcessing
from modules.processing_img2img import (  # noqa: F401  (re-export)
    StableDiffusionProcessingImg2Img,
    create_binary_mask,
)
from modules.processing_txt2img import StableDiffusionProcessingTxt2Img  # noqa: F401
from modules.processing_util import (  # noqa: F401  (re-exports)
    DecodedSamples,
    decode_latent_batch,
    fix_seed,
    get_fixed_seed,
    opt_C,
    opt_f,
    program_version,
)
from modules.sd_hijack import model_hijack
from modules.sd_samplers_common import (  # noqa: F401  (re-exports)
    decode_first_stage,
    images_tensor_to_samples,
)
from modules.shared import opts, state
from PIL import Image


def process_images(p: StableDiffusionProcessing) -> Processed:
    """Runs a job. Settings that it overrides are put back, whatever happens."""
    if p.scripts is not None:
        p.scripts.before_process(p)
    stored = {k: opts.data[k] for k in p.override_settings if k in opts.data}
    try:
        checkpoint = p.override_settings.get("sd_model_checkpoint")
        if sd_models.checkpoint_aliases.get(checkpoint) is None:
            p.override_settings.pop("sd_model_checkpoint", None)
            sd_models.reload_model_weights()
        for k, v in p.override_settings.items():
            opts.set(k, v, is_api=True, run_callbacks=False)
            if k == "sd_model_checkpoint":
                sd_models.reload_model_weights()
        sd_models.apply_token_merging(p.sd_model, p.get_token_merging_ratio())
        sd_samplers.fix_p_invalid_sampler_and_scheduler(p)
        return process_images_inner(p)
    finally:
        sd_models.apply_token_merging(p.sd_model, 0)
        if p.override_settings_restore_afterwards:
            for k, v in stored.items():
                setattr(opts, k, v)


def _prepare(p: StableDiffusionProcessing) -> None:
    """Everything before the hook `process`: seeds, prompts, names."""
    devices.torch_gc()
    seed, subseed = get_fixed_seed(p.seed), get_fixed_seed(p.subseed)
    p.restore_faces = bool(p.restore_faces)
    p.tiling = opts.tiling if p.tiling is None else p.tiling
    if p.refiner_checkpoint not in (None, "", "None", "none"):
        p.refiner_checkpoint_info = sd_models.get_closet_checkpoint_match(p.refiner_checkpoint)
        if p.refiner_checkpoint_info is None:
            raise Exception(f"Could not find checkpoint with name {p.refiner_checkpoint}")
    p.sd_model_name = shared.sd_model.sd_checkpoint_info.name_for_extra
    p.sd_model_hash = shared.sd_model.sd_model_hash
    p.sd_vae_name, p.sd_vae_hash = sd_vae.get_loaded_vae_name(), sd_vae.get_loaded_vae_hash()
    model_hijack.apply_circular(p.tiling)
    model_hijack.clear_comments()
    p.fill_fields_from_opts()
    p.setup_prompts()
    stride = 1 if p.subseed_strength == 0 else 0
    count = len(p.all_prompts)
    p.all_seeds = [seed + x * stride for x in range(count)]
    p.all_subseeds = [subseed + x for x in range(count)]


def process_images_inner(p: StableDiffusionProcessing) -> Processed:
    """Runs a job within its settings: one `p.init`, then a `p.sample` per batch."""
    assert p.prompt is not None
    assert p.prompt != []
    _prepare(p)
    if p.scripts is not None:
        p.scripts.process(p)
    infotexts: list[str] = []
    output: list[Image.Image] = []
    with torch.no_grad(), p.sd_model.ema_scope():
        with devices.autocast():
            p.init(p.all_prompts, p.all_seeds, p.all_subseeds)
            sd_unet.apply_unet()
        if state.job_count == -1:
            state.job_count = p.n_iter
        for n in range(p.n_iter):
            p.iteration = n
            state.skipped = False
            if state.interrupted or state.stopping_generation:
                break
            samples = _sample_batch(p, n)
            if samples is None:
                break
            _finish_batch(p, n, samples, output, infotexts)
            devices.torch_gc()
        if not infotexts:
            infotexts.append(Processed(p, []).infotext(p, 0))
        p.color_corrections = None
        index_of_first_image = _add_grid(p, output, infotexts)
    if not p.disable_extra_networks and p.extra_network_data:
        extra_networks.deactivate(p, p.extra_network_data)
    devices.torch_gc()
    res = Processed(
        p,
        images_list=output,
        seed=p.all_seeds[0],
        info=infotexts[0],
        subseed=p.all_subseeds[0],
        index_of_first_image=index_of_first_image,
        infotexts=infotexts,
    )
    if p.scripts is not None:
        p.scripts.postprocess(p, res)
    return res


def _slice_batch(p: StableDiffusionProcessing, n: int) -> None:
    part = slice(n * p.batch_size, (n + 1) * p.batch_size)
    p.prompts, p.negative_prompts = p.all_prompts[part], p.all_negative_prompts[part]
    p.seeds, p.subseeds = p.all_seeds[part], p.all_subseeds[part]


def _sample_batch(p: StableDiffusionProcessing, n: int) -> object:
    """Up to the latents (or decoded pictures); None if a script took all prompts away."""
    sd_models.reload_model_weights()  # a refiner may have changed it
    _slice_batch(p, n)
    p.rng = rng.ImageRNG(
        (opt_C, p.height // opt_f, p.width // opt_f),
        p.seeds,
        subseeds=p.subseeds,
        subseed_strength=p.subseed_strength,
        seed_resize_from_h=p.seed_resize_from_h,
        seed_resize_from_w=p.seed_resize_from_w,
    )
    batch = {"batch_number": n, "prompts": p.prompts, "seeds": p.seeds, "subseeds": p.subseeds}
    if p.scripts is not None:
        p.scripts.before_process_batch(p, **batch)
    if not p.prompts:
        return None
    p.parse_extra_network_prompts()
    if not p.disable_extra_networks:
        with devices.autocast():
            extra_networks.activate(p, p.extra_network_data)
    if p.scripts is not None:
        p.scripts.process_batch(p, **{**batch, "prompts": p.prompts})
    p.setup_conds()
    p.extra_generation_params.update(model_hijack.extra_generation_params)
    if n == 0:
        text = Processed(p, []).infotext(p, 0)
        Path(paths.data_path, "params.txt").write_text(text, encoding="utf8")
    for comment in model_hijack.comments:
        p.comment(comment)
    if p.n_iter > 1:
        state.job = f"Batch {n + 1} out of {p.n_iter}"
    sd_models.apply_alpha_schedule_override(p.sd_model, p)
    with devices.without_autocast() if devices.unet_needs_upcast else devices.autocast():
        return p.sample(
            conditioning=p.c,
            unconditional_conditioning=p.uc,
            seeds=p.seeds,
            subseeds=p.subseeds,
            subseed_strength=p.subseed_strength,
            prompts=p.prompts,
        )


def _decode(p: StableDiffusionProcessing, samples: object) -> torch.Tensor:
    """Pictures B x 3 x H x W in 0..1."""
    if p.scripts is not None:
        ps = scripts.PostSampleArgs(samples)
        p.scripts.post_sample(p, ps)
        samples = ps.samples
    if not getattr(samples, "already_decoded", False):
        devices.test_for_nans(samples, "unet")
        samples = decode_latent_batch(
            p.sd_model, samples, target_device=devices.cpu, check_for_nans=True
        )
    return ((torch.stack(samples).float() + 1.0) / 2.0).clamp(0.0, 1.0)


def _finish_batch(
    p: StableDiffusionProcessing, n: int, samples: object, output: list, infotexts: list
) -> None:
    decoded = _decode(p, samples)
    if lowvram.is_enabled(shared.sd_model):
        lowvram.send_everything_to_cpu()
    devices.torch_gc()
    state.nextjob()
    batch = list(decoded)
    if p.scripts is not None:
        p.scripts.postprocess_batch(p, decoded, batch_number=n)
        part = slice(n * p.batch_size, (n + 1) * p.batch_size)
        p.prompts, p.negative_prompts = p.all_prompts[part], p.all_negative_prompts[part]
        pp = scripts.PostprocessBatchListArgs(batch)
        p.scripts.postprocess_batch_list(p, pp, batch_number=n)
        batch = pp.images
    save = p.save_samples()
    for i, x in enumerate(batch):
        p.batch_index = i
        pixels = (255.0 * np.moveaxis(x.cpu().numpy(), 0, 2)).astype(np.uint8)
        image = _finish_picture(p, i, Image.fromarray(pixels))
        text = _batch_infotext(p, i)
        if save:
            images.save_image(
                image,
                p.outpath_samples,
                "",
                p.seeds[i],
                p.prompts[i],
                opts.samples_format,
                info=text,
                p=p,
            )
        infotexts.append(text)
        if opts.enable_pnginfo:
            image.info["parameters"] = text
        output.append(image)


def _batch_infotext(
    p: StableDiffusionProcessing, index: int = 0, use_main_prompt: bool = False
) -> str:
    return create_infotext(
        p,
        p.prompts,
        p.seeds,
        p.subseeds,
        use_main_prompt=use_main_prompt,
        index=index,
        all_negative_prompts=p.negative_prompts,
    )


def _finish_picture(p: StableDiffusionProcessing, i: int, image: Image.Image) -> Image.Image:
    """The hooks for one picture, and the overlay of inpainting."""
    overlays = getattr(p, "overlay_images", None) if opts.overlay_inpaint else None
    overlay = overlays[i] if overlays is not None and i < len(overlays) else None
    mask = getattr(p, "mask_for_overlay", None)
    if p.scripts is not None:
        pp = scripts.PostprocessImageArgs(image)
        p.scripts.postprocess_image(p, pp)
        image = pp.image
        ppmo = scripts.PostProcessMaskOverlayArgs(i, mask, overlay)
        p.scripts.postprocess_maskoverlay(p, ppmo)
        overlay = ppmo.overlay_image
    if overlay is not None:
        image = Image.alpha_composite(image.convert("RGBA"), overlay).convert("RGB")
    if p.scripts is not None:
        pp = scripts.PostprocessImageArgs(image)
        p.scripts.postprocess_image_after_composite(p, pp)
        image = pp.image
    return image


def _add_grid(p: StableDiffusionProcessing, output: list, infotexts: list) -> int:
    """Puts the grid first; returns the index of the first picture."""
    single = len(output) < 2 and opts.grid_only_if_multiple
    wanted = (opts.return_grid or opts.grid_save) and not p.do_not_save_grid
    if single or not wanted or not output:
        return 0
    grid = images.image_grid(output, p.batch_size)
    text = _batch_infotext(p, use_main_prompt=True)
    shown = bool(opts.return_grid)
    if shown:
        infotexts.insert(0, text)
        if opts.enable_pnginfo:
            grid.info["parameters"] = text
        output.insert(0, grid)
    if opts.grid_save:
        images.save_image(
            grid,
            p.outpath_grids,
            "grid",
            p.all_seeds[0],
            p.all_prompts[0],
            opts.grid_format,
            info=text,
            short_filename=True,
            p=p,
            grid=True,
        )
    return int(shown)
