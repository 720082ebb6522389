"""What infotext says of FABRIC: written as the user wants it, and whether it made a picture.

Knows requests; not gradio, not the host. Infotext that is read comes with any picture of the net.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from lib_fabric.ratings import LIST_NAMES
from lib_fabric.request import FabricRequest
from lib_fabric.settings import INFOTEXT_PREFIX, infotext_key

SETTINGS_AND_PICTURES = "Settings and pictures"
SETTINGS_ONLY = "Settings only"
NOTHING = "Nothing"
WANTED = (SETTINGS_AND_PICTURES, SETTINGS_ONLY, NOTHING)
# The host writes these for every picture, so a text with them is a generation's, not a prompt.
_OF_EVERY_PICTURE = ("Steps", "Seed")


def write_infotext(
    params: MutableMapping[str, object], request: FabricRequest, wanted: str = SETTINGS_AND_PICTURES
) -> None:
    """Puts what made the picture into the host's `extra_generation_params`.

    What an earlier generation put there goes first: the cells of an X/Y/Z plot share one dict, and
    a setting at its default is not written at all.

    Args:
        wanted: one of `WANTED`.
    """
    for key in [key for key in params if _is_ours(key)]:
        del params[key]
    if wanted == SETTINGS_ONLY:
        params.update(request.settings.to_infotext())
    elif wanted != NOTHING:
        params.update(request.to_infotext())


def read_enabled(params: Mapping[str, object]) -> bool | None:
    """Whether FABRIC made the picture of a parsed infotext; None where that cannot be told.

    False for a picture made without it, so that it can be made again while pictures are rated.
    """
    if any(infotext_key(name) in params for name in LIST_NAMES):
        return True
    is_generation = all(key in params for key in _OF_EVERY_PICTURE)
    return False if is_generation and not any(map(_is_ours, params)) else None


def _is_ours(key: str) -> bool:
    return key.startswith(f"{INFOTEXT_PREFIX} ")
