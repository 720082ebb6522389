"""A list of rated pictures as one line of text: ids, each with its weight if that is not 1.

The form in which the page keeps its lists, infotext names them, and a list of positional
arguments may carry them: 'id id*0.5'. Knows ids and numbers; not the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lib_fabric.errors import FabricError
from lib_fabric.pictures import ID_PATTERN
from lib_fabric.settings import SettingField, format_number, shorten

WEIGHT = SettingField("weight", "Weight", "How much this picture counts.", 1.0, 0.0, 2.0)
# Far more than any list can hold; only there so that a hostile text costs nothing.
MAX_LIST_CHARACTERS = 40_000


@dataclass(frozen=True)
class NamedPicture:
    """A picture by its id (whole or short) and how much it counts (0 to 2)."""

    picture_id: str
    weight: float = 1.0


def parse_picture_list(text: str, name: str) -> tuple[NamedPicture, ...]:
    """Reads 'id id*0.5'; an empty text is an empty list.

    Args:
        text: untrusted.
        name: the field's name, for messages.

    Raises:
        FabricError: anything else; the sentence names the field.
    """
    if len(text) > MAX_LIST_CHARACTERS:
        raise FabricError(f"'{name}' is too long a text to be a list of picture ids.")
    return tuple(_parse_entry(entry, name) for entry in text.split())


def format_picture_list(pictures: Iterable[NamedPicture]) -> str:
    """The text that `parse_picture_list` reads back as exactly these pictures."""
    return " ".join(map(_format_entry, pictures))


def _parse_entry(entry: str, name: str) -> NamedPicture:
    picture_id, has_weight, weight = entry.partition("*")
    if not ID_PATTERN.fullmatch(picture_id):
        raise FabricError(f"'{name}' must be a list of pictures, not {shorten(entry)}.")
    if not has_weight:
        return NamedPicture(picture_id)
    try:
        return NamedPicture(picture_id, float(WEIGHT.check(float(weight))))
    except (ValueError, FabricError) as error:
        raise FabricError(
            f"'{name}': the weight of picture {picture_id[:16]} must be {WEIGHT.allowed}, "
            f"not {shorten(weight)}."
        ) from error


def _format_entry(picture: NamedPicture) -> str:
    if picture.weight == 1:
        return picture.picture_id
    return f"{picture.picture_id}*{format_number(picture.weight)}"
