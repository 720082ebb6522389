"""What infotext says of FABRIC: written as the user wants it, and whether it made a picture.

Knows requests; not gradio, not the host. Infotext that is read comes with any picture of the net.
"""

from __future__ import annotations

from collections.abc import Mapping

from lib_fabric.ratings import LIST_NAMES
from lib_fabric.request import FabricRequest
from lib_fabric.settings import INFOTEXT_PREFIX, NOTE_KEY, infotext_key

SETTINGS_AND_PICTURES = "Settings and pictures"
SETTINGS_ONLY = "Settings only"
NOTHING = "Nothing"
WANTED = (SETTINGS_AND_PICTURES, SETTINGS_ONLY, NOTHING)
# The host writes these for every picture, so a text with them is a generation's, not a prompt.
_OF_EVERY_PICTURE = ("Steps", "Seed")


def infotext_entries(request: FabricRequest, wanted: str = SETTINGS_AND_PICTURES) -> dict[str, str]:
    """What made a picture, as infotext has it; a setting at its default is left out.

    Args:
        wanted: one of `WANTED`.
    """
    if wanted == NOTHING:
        return {}
    return request.settings.to_infotext() if wanted == SETTINGS_ONLY else request.to_infotext()


def read_enabled(params: Mapping[str, object]) -> bool | None:
    """Whether FABRIC made the picture of a parsed infotext; None where that cannot be told.

    False for a picture made without it, so that it can be made again while pictures are rated.
    """
    if any(infotext_key(name) in params for name in LIST_NAMES):
        return True
    is_generation = all(key in params for key in _OF_EVERY_PICTURE)
    is_steered = any(is_ours(key) for key in params if key != NOTE_KEY)
    return False if is_generation and not is_steered else None


def is_ours(key: str) -> bool:
    """Whether an entry of infotext is one of ours."""
    return key.startswith(f"{INFOTEXT_PREFIX} ")
