"""Writes the infotext of a picture."""

from __future__ import annotations

from modules import errors, infotext_utils
from modules.processing_util import program_version
from modules.shared import opts


def create_infotext(
    p: object,
    all_prompts: list[str],
    all_seeds: list[int],
    all_subseeds: list[int],
    comments: list[str] | None = None,
    iteration: int = 0,
    position_in_batch: int = 0,
    use_main_prompt: bool = False,
    index: int | None = None,
    all_negative_prompts: list[str] | None = None,
) -> str:
    """The text that goes into a picture.

    Extra parameters may be a list (one per picture) or a function of this call's local names.
    """
    if use_main_prompt:
        index = 0
    elif index is None:
        index = position_in_batch + iteration * p.batch_size
    if all_negative_prompts is None:
        all_negative_prompts = p.all_negative_prompts
    prompt_text = p.main_prompt if use_main_prompt else all_prompts[index]
    negative_prompt = p.main_negative_prompt if use_main_prompt else all_negative_prompts[index]
    varied = p.subseed_strength != 0
    generation_params = {
        "Steps": p.steps,
        "Sampler": p.sampler_name,
        "Schedule type": p.scheduler,
        "CFG scale": p.cfg_scale,
        "Image CFG scale": getattr(p, "image_cfg_scale", None),
        "Seed": p.all_seeds[0] if use_main_prompt else all_seeds[index],
        "Size": f"{p.width}x{p.height}",
        "Model hash": p.sd_model_hash if opts.add_model_hash_to_info else None,
        "Model": p.sd_model_name if opts.add_model_name_to_info else None,
        "Variation seed": all_subseeds[index] if varied else None,
        "Variation seed strength": p.subseed_strength if varied else None,
        "Denoising strength": p.extra_generation_params.get("Denoising strength"),
        "Clip skip": opts.CLIP_stop_at_last_layers if opts.CLIP_stop_at_last_layers > 1 else None,
        "RNG": opts.randn_source if opts.randn_source != "GPU" else None,
        "Tiling": "True" if p.tiling else None,
        **p.extra_generation_params,
        "Version": program_version() if opts.add_version_to_infotext else None,
        "User": p.user if opts.add_user_name_to_info else None,
    }
    local = dict(locals())
    parts = []
    for key, value in generation_params.items():
        shown = _resolve(key, value, index, local)
        if shown is not None:
            parts.append(key if key == shown else f"{key}: {infotext_utils.quote(shown)}")
    negative_text = f"\nNegative prompt: {negative_prompt}" if negative_prompt else ""
    return f"{prompt_text}{negative_text}\n{', '.join(parts)}".strip()


def _resolve(key: str, value: object, index: int, local: dict) -> object:
    try:
        if isinstance(value, list):
            return value[index]
        return value(**local) if callable(value) else value
    except Exception:  # noqa: BLE001  (the host swallows here)
        errors.report(f'Error creating infotext for key "{key}"', exc_info=True)
        return None
