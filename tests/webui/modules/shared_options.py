"""The settings that the stand-in reads; the names and defaults are the host's."""

from __future__ import annotations

from pathlib import Path

from modules.options import OptionInfo, options_section
from modules.paths_internal import data_path


def _outputs(name: str) -> str:
    return str(Path(data_path) / "outputs" / name)


_SAVING = {
    "samples_save": True,
    "samples_format": "png",
    "save_incomplete_images": False,
    "save_images_before_highres_fix": False,
    "grid_save": True,
    "grid_format": "png",
    "grid_only_if_multiple": True,
    "enable_pnginfo": True,
    "jpeg_quality": 80,
    "do_not_save_grid": False,
}
_PATHS = {
    "outdir_samples": "",
    "outdir_grids": "",
    "outdir_txt2img_samples": _outputs("txt2img-images"),
    "outdir_img2img_samples": _outputs("img2img-images"),
    "outdir_txt2img_grids": _outputs("txt2img-grids"),
    "outdir_img2img_grids": _outputs("img2img-grids"),
    "outdir_save": str(Path(data_path) / "log" / "images"),
    "temp_dir": "",
}
_MODEL = {
    "sd_model_checkpoint": None,
    "sd_vae": "Automatic",
    "sd_vae_encode_method": "Full",
    "sd_vae_decode_method": "Full",
    "CLIP_stop_at_last_layers": 1,
    "randn_source": "CPU",
    "emphasis": "Original",
    "enable_quantization": False,
    "upcast_attn": False,
    "tiling": False,
    "face_restoration": False,
    "face_restoration_model": "CodeFormer",
}
_OPTIMIZATIONS = {
    "cross_attention_optimization": "Automatic",
    "s_min_uncond": 0.0,
    "s_min_uncond_all": False,
    "skip_early_cond": 0.0,
    "token_merging_ratio": 0.0,
    "token_merging_ratio_img2img": 0.0,
    "token_merging_ratio_hr": 0.0,
    "pad_cond_uncond": False,
    "pad_cond_uncond_v0": False,
    "persistent_cond_cache": True,
    "batch_cond_uncond": True,
}
_SAMPLERS = {
    "hide_samplers": [],
    "eta_ddim": 0.0,
    "eta_ancestral": 1.0,
    "eta_noise_seed_delta": 0,
    "s_churn": 0.0,
    "s_tmin": 0.0,
    "s_tmax": 0.0,
    "s_noise": 1.0,
    "always_discard_next_to_last_sigma": False,
    "sgm_noise_multiplier": False,
    "no_dpmpp_sde_batch_determinism": False,
    "use_old_scheduling": False,
    "refiner_switch_by_sample_steps": False,
    "hires_fix_refiner_pass": "second pass",
    "hires_fix_use_firstpass_conds": False,
    "sigma_min": 0.0,
    "sigma_max": 0.0,
    "rho": 0.0,
}
_IMG2IMG = {
    "inpainting_mask_weight": 1.0,
    "initial_noise_multiplier": 1.0,
    "img2img_extra_noise": 0.0,
    "img2img_color_correction": False,
    "img2img_fix_steps": False,
    "img2img_background_color": "#ffffff",
    "upscaler_for_img2img": None,
    "overlay_inpaint": True,
    "return_mask": False,
}
_INFOTEXT = {
    "add_model_hash_to_info": True,
    "add_model_name_to_info": True,
    "add_vae_name_to_info": True,
    "add_version_to_infotext": True,
    "add_user_name_to_info": False,
    "infotext_skip_pasting": [],
    "disable_weights_auto_swap": True,
    "send_seed": True,
    "send_size": True,
}
_UI = {
    "return_grid": True,
    "do_not_show_images": False,
    "gallery_height": "",
    "samplers_in_dropdown": True,
    "dimensions_and_batch_together": True,
    "compact_prompt_box": False,
    "interrupt_after_current": True,
    "live_previews_enable": False,
    "show_progressbar": True,
    "js_modal_lightbox": True,
    "save_selected_only": True,
    "localization": "None",
    "disabled_extensions": [],
    "disable_all_extensions": "none",
    "enable_reloading_ui_scripts": False,
    "clean_temp_dir_at_start": False,
}
_API = {
    "api_enable_requests": True,
    "api_forbid_local_requests": True,
    "api_useragent": "",
}


def templates() -> dict[str, OptionInfo]:
    """Every built-in setting, by key."""
    sections = {
        ("saving-images", "Saving images/grids"): _SAVING,
        ("saving-paths", "Paths for saving"): _PATHS,
        ("sd", "Stable Diffusion"): _MODEL,
        ("optimizations", "Optimizations"): _OPTIMIZATIONS,
        ("sampler-params", "Sampler parameters"): _SAMPLERS,
        ("img2img", "img2img"): _IMG2IMG,
        ("infotext", "Infotext"): _INFOTEXT,
        ("ui", "User interface"): _UI,
        ("API", "API"): _API,
    }
    options: dict[str, OptionInfo] = {}
    for section, values in sections.items():
        infos = {key: OptionInfo(default, key) for key, default in values.items()}
        options.update(options_section(section, infos))
    for key in _API:
        options[key].restrict_api = True
    options["sd_model_checkpoint"].infotext = "Model hash"
    options["CLIP_stop_at_last_layers"].infotext = "Clip skip"
    return options
