"""Whether what the model draws for the negative prompt reaches the picture.

Knows what the host's samplers and denoisers look like; imports nothing of it.
"""

from __future__ import annotations

import math
from typing import Any


def uses_negative(denoiser: Any, sampler: Any, is_edit_model: bool = False) -> bool:  # noqa: ANN401 (the host's)
    """Whether a step of the denoiser needs the rows of the negative prompt.

    They stay in a picture as 1 - sum(scale * weight of each of its prompts): with one prompt and a
    CFG scale of 1 nothing of them is left.
    """
    if getattr(denoiser, "need_last_noise_uncond", False):
        return True
    # These guide by their picture as well; img2img names a scale for others, too.
    if is_edit_model and getattr(denoiser, "image_cfg_scale", None) not in (None, 1):
        return True
    extra = getattr(sampler, "sampler_extra_args", {})
    if "cond_scale" not in extra:
        return True
    # Spelt so by the host.
    scale = extra["cond_scale"] * getattr(denoiser, "cond_scale_miltiplier", 1)
    batch = getattr(extra.get("cond"), "batch", None)
    sums = (
        [sum(getattr(each, "weight", 1) for each in prompts) for prompts in batch] if batch else [1]
    )
    return not all(math.isclose(scale * each, 1) for each in sums)
