"""Routes that only tell something, or set a flag."""

from __future__ import annotations

import time

from fastapi import Depends
from modules import (
    images,
    infotext_utils,
    script_callbacks,
    scripts,
    sd_models,
    sd_samplers,
    sd_schedulers,
    shared,
)
from modules.api import models
from modules.api.encoding import decode_base64_to_image


class Listing:
    """The part of `Api` that makes no pictures."""

    def get_scripts_list(self) -> models.ScriptsList:
        """Titles, lower case."""
        runners = scripts.scripts_txt2img, scripts.scripts_img2img
        names = [[s.name for s in runner.scripts if s.name is not None] for runner in runners]
        return models.ScriptsList(txt2img=names[0], img2img=names[1])

    def get_script_info(self) -> list[models.ScriptInfo]:
        """Arguments of every script."""
        everyone = [*scripts.scripts_txt2img.scripts, *scripts.scripts_img2img.scripts]
        return [s.api_info for s in everyone if s.api_info is not None]

    def pnginfoapi(self, req: models.PNGInfoRequest) -> models.PNGInfoResponse:
        """POST png-info: reads a picture's infotext."""
        info, items = images.read_info_from_image(decode_base64_to_image(req.image.strip()))
        params = infotext_utils.parse_generation_parameters(info or "")
        script_callbacks.infotext_pasted_callback(info or "", params)
        return models.PNGInfoResponse(info=info or "", items=items, parameters=params)

    def progressapi(
        self,
        req: models.ProgressRequest = Depends(),  # noqa: B008
    ) -> models.ProgressResponse:
        """GET progress."""
        state = shared.state
        if state.job_count == 0:
            return models.ProgressResponse(
                progress=0, eta_relative=0, state=state.dict(), textinfo=state.textinfo
            )
        share = 0.01
        if state.job_count > 0:
            share += state.job_no / state.job_count
        if state.sampling_steps > 0:
            share += state.sampling_step / state.sampling_steps / state.job_count
        since = time.time() - state.time_start
        return models.ProgressResponse(
            progress=min(share, 1),
            eta_relative=since / share - since,
            state=state.dict(),
            textinfo=state.textinfo,
        )

    def interruptapi(self) -> dict:
        """POST interrupt."""
        shared.state.interrupt()
        return {}

    def skip(self) -> None:
        """POST skip."""
        shared.state.skip()

    def get_config(self) -> dict:
        """GET options."""
        return dict(shared.opts.data)

    def set_config(self, req: dict[str, object]) -> None:
        """POST options."""
        checkpoint = req.get("sd_model_checkpoint")
        if checkpoint is not None and checkpoint not in sd_models.checkpoint_aliases:
            raise RuntimeError(f"model {checkpoint!r} not found")
        for k, v in req.items():
            shared.opts.set(k, v, is_api=True)
        shared.opts.save(shared.config_filename)

    def get_cmd_flags(self) -> dict:
        """GET cmd-flags."""
        return vars(shared.cmd_opts)

    def get_samplers(self) -> list[dict]:
        """GET samplers."""
        known = sd_samplers.all_samplers
        return [{"name": s.name, "aliases": s.aliases, "options": s.options} for s in known]

    def get_schedulers(self) -> list[models.SchedulerItem]:
        """GET schedulers."""
        fields = models.SchedulerItem.__fields__
        return [
            models.SchedulerItem(**{k: getattr(s, k) for k in fields})
            for s in sd_schedulers.schedulers
        ]

    def get_upscalers(self) -> list[dict]:
        """GET upscalers."""
        return [{"name": x.name} for x in shared.sd_upscalers]

    def get_latent_upscale_modes(self) -> list[dict]:
        """GET latent-upscale-modes."""
        return [{"name": name} for name in shared.latent_upscale_modes]

    def get_sd_models(self) -> list[dict]:
        """GET sd-models."""
        return [
            {
                "title": x.title,
                "model_name": x.model_name,
                "hash": x.shorthash,
                "sha256": x.sha256,
                "filename": x.filename,
                "config": None,
            }
            for x in sd_models.checkpoints_list.values()
        ]
