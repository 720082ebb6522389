"""The list of samplers."""

from __future__ import annotations

import functools
import logging

from modules import (
    sd_samplers_common,
    sd_samplers_kdiffusion,
    sd_samplers_timesteps,
    sd_schedulers,
    shared,
)

log = logging.getLogger(__name__)

sample_to_image = sd_samplers_common.sample_to_image

all_samplers = [
    *sd_samplers_kdiffusion.samplers_data_k_diffusion,
    *sd_samplers_timesteps.samplers_data_timesteps,
]
all_samplers_map = {x.name: x for x in all_samplers}
samplers: list[sd_samplers_common.SamplerData] = []
samplers_for_img2img: list[sd_samplers_common.SamplerData] = []
samplers_map: dict[str, str] = {}
samplers_hidden: set[str] = set()


def find_sampler_config(name: str | None) -> sd_samplers_common.SamplerData | None:
    """The sampler of this name; the first for None."""
    return all_samplers[0] if name is None else all_samplers_map.get(name)


def create_sampler(name: str | None, model: object) -> sd_samplers_common.Sampler:
    """A new sampler bound to the model."""
    config = find_sampler_config(name)
    assert config is not None, f"bad sampler name: {name}"
    sampler = config.constructor(model)
    sampler.config = config
    return sampler


def set_samplers() -> None:
    """Fills in the lists (start and Reload UI)."""
    global samplers, samplers_for_img2img, samplers_hidden
    samplers_hidden = set(shared.opts.hide_samplers)
    samplers = samplers_for_img2img = all_samplers
    samplers_map.clear()
    for sampler in all_samplers:
        for name in (sampler.name, *sampler.aliases):
            samplers_map[name.lower()] = sampler.name


def visible_samplers() -> list[sd_samplers_common.SamplerData]:
    """Those that the user did not hide."""
    return [x for x in samplers if x.name not in samplers_hidden]


def visible_sampler_names() -> list[str]:
    """Their names."""
    return [x.name for x in visible_samplers()]


@functools.cache
def get_sampler_and_scheduler(
    sampler_name: str | None, scheduler_name: str | None, *, convert_automatic: bool = True
) -> tuple[str, str]:
    """Valid names; an old name such as "Euler Karras" is split."""
    schedulers = sd_schedulers.schedulers
    scheduler = sd_schedulers.schedulers_map.get(scheduler_name, schedulers[0])
    name = sampler_name or samplers[0].name
    for candidate in schedulers:
        for option in (candidate.label, candidate.name, *(candidate.aliases or [])):
            if name.endswith(f" {option}"):
                scheduler, name = candidate, name.removesuffix(f" {option}")
    sampler = all_samplers_map.get(name, samplers[0])
    if convert_automatic and sampler.options.get("scheduler") == scheduler.name:
        scheduler = schedulers[0]
    return sampler.name, scheduler.label


def get_sampler_from_infotext(d: dict) -> str:
    """Sampler of a parsed infotext."""
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[0]


def get_scheduler_from_infotext(d: dict) -> str:
    """Schedule of a parsed infotext."""
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[1]


def fix_p_invalid_sampler_and_scheduler(p: object) -> None:
    """Replaces unknown names by defaults, with a warning."""
    before = p.sampler_name, p.scheduler
    p.sampler_name, p.scheduler = get_sampler_and_scheduler(*before, convert_automatic=False)
    if before != (p.sampler_name, p.scheduler):
        log.info("Sampler Scheduler autocorrection: %s -> %s", before, p.sampler_name)


set_samplers()
