"""The same picture once more without feedback, beside the one with it.

Knows the WebUI's generations; not the page, not what feedback does. Both are parts of one
generation of the WebUI's own: so its queue, its progress and its Interrupt are theirs.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

from modules import processing, shared

COMPARED_TEXT = "The first picture was made with FABRIC, the second without."
_SCRIPT_CHOSEN_TEXT = "Compare works without a script: choose None at Script."
# Of the WebUI's own seeds, which are numbers of 32 bits, and of what counts on from there.
_MOST_SEED = 2**40
_SEEDS = ("seed", "subseed")
_OF_EACH_PICTURE = (
    *("images", "infotexts", "all_prompts", "all_negative_prompts", "all_seeds", "all_subseeds"),
)


def prepare(p: Any, wanted: object) -> None:  # noqa: ANN401 (the host's processing object)
    """Makes a generation one of a single picture, and keeps how it was asked for.

    Args:
        wanted: true, or JSON with `seed` and `subseed`, which then count; untrusted.
    """
    p._fabric_ext_asked = None
    if not wanted or _is_script_chosen(p):
        return
    for name, seed in _seeds(wanted).items():
        setattr(p, name, seed)
    p.batch_size = p.n_iter = 1
    p._fabric_ext_asked = copy.copy(p)
    p._fabric_ext_asked.extra_generation_params = dict(p.extra_generation_params)


def add_plain(p: Any, processed: Any, without: Sequence[slice]) -> None:  # noqa: ANN401 (as above)
    """Makes the picture without feedback and puts it behind the other one.

    Args:
        without: where among the script's arguments feedback is asked for, and this comparison.
    """
    plain = getattr(p, "_fabric_ext_asked", None)
    p._fabric_ext_asked = None
    if plain is None or shared.state.interrupted or not processed.images:
        return
    # Whatever was drawn or chosen at random for the first one.
    plain.seed, plain.subseed = p.all_seeds[0], p.all_subseeds[0]
    plain.prompt, plain.negative_prompt = p.all_prompts[0], p.all_negative_prompts[0]
    plain.styles = []
    arguments = list(p.script_args)
    for place in without:
        arguments[place] = [False] * len(arguments[place])
    plain.script_args = arguments
    made = processing.process_images(plain)
    for name in _OF_EACH_PICTURE:
        # Beside it, in front of what other extensions have put behind.
        getattr(processed, name)[1:1] = getattr(made, name)[:1]
    processed.comments = "\n".join(filter(None, [processed.comments, COMPARED_TEXT]))


def _is_script_chosen(p: Any) -> bool:  # noqa: ANN401 (as above)
    """Such a script makes many pictures of one object, and takes what it wants of each."""
    if not p.script_args[0]:
        return False
    p.comment(_SCRIPT_CHOSEN_TEXT)
    return True


def _seeds(wanted: object) -> dict[str, int]:
    try:
        given = json.loads(wanted) if isinstance(wanted, str) else {}
    except (ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    seeds = {name: given.get(name) for name in _SEEDS}
    return {name: seed for name, seed in seeds.items() if _is_seed(seed)}


def _is_seed(seed: object) -> bool:
    return type(seed) is int and 0 <= seed < _MOST_SEED
