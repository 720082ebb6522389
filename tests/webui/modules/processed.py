"""The result of a generation."""

from __future__ import annotations

import json

from modules.processing_util import program_version
from modules.shared import opts, state


class Processed:
    """The result: pictures (the grid first, if there is one) and how they came about."""

    def __init__(
        self,
        p: object,
        images_list: list,
        seed: int = -1,
        info: str = "",
        subseed: int | None = None,
        all_prompts: list | None = None,
        all_negative_prompts: list | None = None,
        all_seeds: list | None = None,
        all_subseeds: list | None = None,
        index_of_first_image: int = 0,
        infotexts: list | None = None,
        comments: str = "",
    ) -> None:
        self.images = images_list
        self.info = info
        self.comments = "".join(f"{comment}\n" for comment in p.comments)
        for name in _COPIED.split():
            setattr(self, name, getattr(p, name, None))
        self.prompt, self.negative_prompt = _one(p.prompt), _one(p.negative_prompt)
        self.seed = -1 if seed is None else int(_one(seed))
        self.subseed = -1 if subseed is None else int(_one(subseed))
        self.index_of_first_image = index_of_first_image
        self.job_timestamp = state.job_timestamp
        self.clip_skip = opts.CLIP_stop_at_last_layers
        self.face_restoration_model = opts.face_restoration_model if p.restore_faces else None
        self.all_prompts = all_prompts or p.all_prompts or [self.prompt]
        self.all_negative_prompts = (
            all_negative_prompts or p.all_negative_prompts or [self.negative_prompt]
        )
        self.all_seeds = all_seeds or p.all_seeds or [self.seed]
        self.all_subseeds = all_subseeds or p.all_subseeds or [self.subseed]
        self.infotexts = infotexts or [info] * len(images_list)
        self.version = program_version()

    def js(self) -> str:
        """As JSON; what JSON cannot hold becomes null (1.9 and later)."""
        told = {name: getattr(self, name) for name in _TOLD.split()}
        told["prompt"] = self.all_prompts[0]
        told["negative_prompt"] = self.all_negative_prompts[0]
        return json.dumps(told, default=lambda _: None)

    def infotext(self, p: object, index: int) -> str:
        """The infotext of one picture."""
        from modules.infotext import create_infotext

        return create_infotext(
            p,
            self.all_prompts,
            self.all_seeds,
            self.all_subseeds,
            comments=[],
            position_in_batch=index % self.batch_size,
            iteration=index // self.batch_size,
        )


def _one(value: object) -> object:
    return value[0] if isinstance(value, list) else value


_COPIED = """
    subseed_strength width height sampler_name cfg_scale image_cfg_scale steps batch_size
    restore_faces sd_model_name sd_model_hash sd_vae_name sd_vae_hash seed_resize_from_w
    seed_resize_from_h denoising_strength extra_generation_params styles token_merging_ratio
    token_merging_ratio_hr eta ddim_discretize s_churn s_tmin s_tmax s_noise s_min_uncond
    sampler_noise_scheduler_override is_using_inpainting_conditioning
"""
_TOLD = """
    prompt all_prompts negative_prompt all_negative_prompts seed all_seeds subseed
    all_subseeds subseed_strength width height sampler_name cfg_scale steps batch_size
    restore_faces face_restoration_model sd_model_name sd_model_hash sd_vae_name sd_vae_hash
    seed_resize_from_w seed_resize_from_h denoising_strength extra_generation_params
    index_of_first_image infotexts styles job_timestamp clip_skip
    is_using_inpainting_conditioning version
"""
