"""One generation: its parameters, and what is shared by txt2img and img2img."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from modules import (
    devices,
    extra_networks,
    prompt_parser,
    rng,
    sd_samplers,
    shared,
)
from modules.shared import opts, state


@dataclass(repr=False)
class StableDiffusionProcessing:
    """Parameters of a job, and its state while it runs."""

    sd_model: object = None
    outpath_samples: str = None
    outpath_grids: str = None
    prompt: str = ""
    prompt_for_display: str = None
    negative_prompt: str = ""
    styles: list = None
    seed: int = -1
    subseed: int = -1
    subseed_strength: float = 0
    seed_resize_from_h: int = -1
    seed_resize_from_w: int = -1
    seed_enable_extras: bool = True
    sampler_name: str = None
    scheduler: str = None
    batch_size: int = 1
    n_iter: int = 1
    steps: int = 50
    cfg_scale: float = 7.0
    width: int = 512
    height: int = 512
    restore_faces: bool = None
    tiling: bool = None
    do_not_save_samples: bool = False
    do_not_save_grid: bool = False
    extra_generation_params: dict = None
    overlay_images: list = None
    eta: float = None
    do_not_reload_embeddings: bool = False
    denoising_strength: float = None
    ddim_discretize: str = None
    s_min_uncond: float = None
    s_churn: float = None
    s_tmax: float = None
    s_tmin: float = None
    s_noise: float = None
    override_settings: dict = None
    override_settings_restore_afterwards: bool = True
    sampler_index: int = None
    refiner_checkpoint: str = None
    refiner_switch_at: float = None
    token_merging_ratio = 0
    token_merging_ratio_hr = 0
    disable_extra_networks: bool = False
    firstpass_image: object = None

    scripts_value: object = field(default=None, init=False)
    script_args_value: object = field(default=None, init=False)
    scripts_setup_complete: bool = field(default=False, init=False)
    cached_uc: ClassVar[list] = [None, None]
    cached_c: ClassVar[list] = [None, None]
    comments: dict = None
    sampler: object = field(default=None, init=False)
    is_using_inpainting_conditioning: bool = field(default=False, init=False)
    paste_to: tuple = field(default=None, init=False)
    is_hr_pass: bool = field(default=False, init=False)
    c: object = field(default=None, init=False)
    uc: object = field(default=None, init=False)
    rng: rng.ImageRNG = field(default=None, init=False)
    step_multiplier: int = field(default=1, init=False)
    color_corrections: list = field(default=None, init=False)
    all_prompts: list = field(default=None, init=False)
    all_negative_prompts: list = field(default=None, init=False)
    all_seeds: list = field(default=None, init=False)
    all_subseeds: list = field(default=None, init=False)
    iteration: int = field(default=0, init=False)
    main_prompt: str = field(default=None, init=False)
    main_negative_prompt: str = field(default=None, init=False)
    prompts: list = field(default=None, init=False)
    negative_prompts: list = field(default=None, init=False)
    seeds: list = field(default=None, init=False)
    subseeds: list = field(default=None, init=False)
    extra_network_data: dict = field(default=None, init=False)
    user: str = field(default=None, init=False)
    sd_model_name: str = field(default=None, init=False)
    sd_model_hash: str = field(default=None, init=False)
    sd_vae_name: str = field(default=None, init=False)
    sd_vae_hash: str = field(default=None, init=False)
    is_api: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.comments = {}
        self.styles = self.styles or []
        self.sampler_noise_scheduler_override = None
        self.extra_generation_params = self.extra_generation_params or {}
        self.override_settings = self.override_settings or {}
        self.script_args = self.script_args or {}
        self.refiner_checkpoint_info = None
        if not self.seed_enable_extras:
            self.subseed = -1
            self.subseed_strength = self.seed_resize_from_h = self.seed_resize_from_w = 0
        # the lists of the class: encoded prompts are kept from job to job
        self.cached_uc = StableDiffusionProcessing.cached_uc
        self.cached_c = StableDiffusionProcessing.cached_c

    def fill_fields_from_opts(self) -> None:
        """Sampler parameters that the request left out."""
        for name in ("s_min_uncond", "s_churn", "s_tmin", "s_tmax", "s_noise"):
            if getattr(self, name) is None:
                setattr(self, name, getattr(opts, name))
        self.s_tmax = self.s_tmax or float("inf")

    @property
    def sd_model(self) -> object:  # noqa: F811  (field and property, as in the host)
        """The model in use now; it may change while the job runs."""
        return shared.sd_model

    @sd_model.setter
    def sd_model(self, value: object) -> None:
        """Ignored, as in the host."""

    @property
    def scripts(self) -> object:
        """The runner of this tab's scripts."""
        return self.scripts_value

    @scripts.setter
    def scripts(self, value: object) -> None:
        self.scripts_value = value
        self._setup_scripts_once()

    @property
    def script_args(self) -> object:
        """The values of all scripts' components."""
        return self.script_args_value

    @script_args.setter
    def script_args(self, value: object) -> None:
        self.script_args_value = value
        self._setup_scripts_once()

    def _setup_scripts_once(self) -> None:
        if self.scripts_value and self.script_args_value and not self.scripts_setup_complete:
            self.setup_scripts()

    def setup_scripts(self) -> None:
        """Calls the hook `setup`."""
        self.scripts_setup_complete = True
        self.scripts.setup_scrips(self, is_ui=not self.is_api)

    def comment(self, text: str) -> None:
        """A remark to show below the pictures."""
        self.comments[text] = 1

    def txt2img_image_conditioning(
        self, x: torch.Tensor, width: int | None = None, height: int | None = None
    ) -> torch.Tensor:
        """What inpainting models need beside the latent; a dummy here."""
        return x.new_zeros(x.shape[0], 5, 1, 1)

    def img2img_image_conditioning(
        self,
        source_image: torch.Tensor,
        latent_image: torch.Tensor,
        image_mask: object = None,
        round_image_mask: bool = True,
    ) -> torch.Tensor:
        """As `txt2img_image_conditioning`, with a picture."""
        return latent_image.new_zeros(latent_image.shape[0], 5, 1, 1)

    def init(self, all_prompts: list[str], all_seeds: list[int], all_subseeds: list[int]) -> None:
        """Prepares the job; called once."""

    def sample(
        self,
        conditioning: object,
        unconditional_conditioning: object,
        seeds: list[int],
        subseeds: list[int],
        subseed_strength: float,
        prompts: list[str],
    ) -> torch.Tensor:
        """Makes the latents of one batch."""
        raise NotImplementedError

    def close(self) -> None:
        """The request is over, however it ended."""
        self.sampler = self.c = self.uc = None
        if not opts.persistent_cond_cache:
            StableDiffusionProcessing.cached_c = [None, None]
            StableDiffusionProcessing.cached_uc = [None, None]

    def get_token_merging_ratio(self, for_hr: bool = False) -> float:
        """Share of tokens to merge; not used here."""
        return self.token_merging_ratio or opts.token_merging_ratio

    def _per_picture(self, value: str | list, count: int) -> list[str]:
        return value if isinstance(value, list) else [value] * count

    def setup_prompts(self) -> None:
        """A prompt and a negative prompt for every picture of the job."""
        count = self.batch_size * self.n_iter
        if isinstance(self.negative_prompt, list) and not isinstance(self.prompt, list):
            count = len(self.negative_prompt)
        self.all_prompts = self._per_picture(self.prompt, count)
        self.all_negative_prompts = self._per_picture(self.negative_prompt, len(self.all_prompts))
        if len(self.all_prompts) != len(self.all_negative_prompts):
            raise RuntimeError(
                f"Received a different number of prompts ({len(self.all_prompts)}) and "
                f"negative prompts ({len(self.all_negative_prompts)})"
            )
        styles = shared.prompt_styles
        self.all_prompts = [styles.apply_styles_to_prompt(x, self.styles) for x in self.all_prompts]
        self.all_negative_prompts = [
            styles.apply_negative_styles_to_prompt(x, self.styles)
            for x in self.all_negative_prompts
        ]
        self.main_prompt = self.all_prompts[0]
        self.main_negative_prompt = self.all_negative_prompts[0]

    def cached_params(
        self,
        required_prompts: list[str],
        steps: int,
        extra_network_data: object,
        hires_steps: int | None = None,
        use_old_scheduling: bool = False,
    ) -> tuple:
        """What makes encoded prompts stale when it changes."""
        return (
            required_prompts,
            steps,
            hires_steps,
            use_old_scheduling,
            opts.CLIP_stop_at_last_layers,
            shared.sd_model.sd_checkpoint_info,
            extra_network_data,
            self.width,
            self.height,
            opts.emphasis,
        )

    def get_conds_with_caching(
        self,
        function: object,
        required_prompts: list[str],
        steps: int,
        caches: list[list],
        extra_network_data: object,
        hires_steps: int | None = None,
    ) -> object:
        """Encoded prompts; from one of the caches ([key, value] lists) if nothing has changed."""
        key = self.cached_params(
            required_prompts, steps, extra_network_data, hires_steps, opts.use_old_scheduling
        )
        for cache in caches:
            if cache[0] is not None and cache[0] == key:
                return cache[1]
        with devices.autocast():
            encoded = function(
                shared.sd_model, required_prompts, steps, hires_steps, opts.use_old_scheduling
            )
        caches[0][:] = [key, encoded]
        return encoded

    def setup_conds(self) -> None:
        """Encodes this batch's prompts."""
        config = sd_samplers.find_sampler_config(self.sampler_name)
        total_steps = config.total_steps(self.steps) if config else self.steps
        self.step_multiplier = total_steps // self.steps
        self.firstpass_steps = total_steps
        self.c, self.uc = self._encode(
            (self.prompts, self.negative_prompts),
            (self.width, self.height),
            ([self.cached_c], [self.cached_uc]),
            self.extra_network_data,
        )

    def _encode(
        self,
        prompts: tuple[list[str], list[str]],
        size: tuple[int, int],
        caches: tuple[list, list],
        data: object,
        hires_steps: int | None = None,
    ) -> tuple[object, object]:
        """The conditionings of prompts and negative prompts, (width, height) in pixels."""
        size = dict(zip(("width", "height"), size, strict=True))
        negative = prompt_parser.SdConditioning(prompts[1], is_negative_prompt=True, **size)
        steps, encode = self.firstpass_steps, self.get_conds_with_caching
        # The negative prompts first, as in the host.
        uncond = encode(
            prompt_parser.get_learned_conditioning, negative, steps, caches[1], data, hires_steps
        )
        cond = encode(
            prompt_parser.get_multicond_learned_conditioning,
            prompt_parser.SdConditioning(prompts[0], **size),
            steps,
            caches[0],
            data,
            hires_steps,
        )
        return cond, uncond

    def get_conds(self) -> tuple[object, object]:
        """The encoded prompts of the pass that runs."""
        return self.c, self.uc

    def parse_extra_network_prompts(self) -> None:
        """Takes `<...>` out of this batch's prompts."""
        self.prompts, self.extra_network_data = extra_networks.parse_prompts(self.prompts)

    def save_samples(self) -> bool:
        """Whether pictures are written to disk."""
        whole = not state.interrupted and not state.skipped
        return (
            opts.samples_save
            and not self.do_not_save_samples
            and (opts.save_incomplete_images or whole)
        )
