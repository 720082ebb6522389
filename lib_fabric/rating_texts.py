"""A list of rated pictures as one line of text: ids, each with its weight if that is not 1.

The form in which the page keeps its lists, infotext names them, and a list of positional
arguments may carry them: 'id id*0.5'. Knows ratings of ids; not the store.
"""

from __future__ import annotations

from collections.abc import Iterable

from lib_fabric.errors import FabricError
from lib_fabric.pictures import ID_PATTERN, SHORT_ID_DIGITS
from lib_fabric.ratings import WEIGHT, Rated, Ratings
from lib_fabric.settings import format_number, shorten

# Far more than any list can hold; only there so that a hostile text costs nothing.
MAX_LIST_CHARACTERS = 40_000


def format_list(rated: Iterable[Rated[str]]) -> str:
    """The text that `parse_list` reads back as exactly these pictures."""
    return " ".join(
        each.picture if each.weight == 1 else f"{each.picture}*{format_number(each.weight)}"
        for each in rated
    )


def parse_list(text: str, name: str) -> tuple[Rated[str], ...]:
    """Reads 'id id*0.5', with ids whole or short; an empty text is an empty list.

    Args:
        text: untrusted.
        name: the field's name, for messages.

    Raises:
        FabricError: anything else; the sentence names the field.
    """
    if len(text) > MAX_LIST_CHARACTERS:
        raise FabricError("'{}' is too long a text to be a list of picture ids.", name)
    return tuple(_parse_entry(entry, name) for entry in text.split())


def read_lists(liked: object, disliked: object) -> Ratings[str]:
    """The page's lists of ids. They are the browser's word: nonsense must not cost the rest."""
    return Ratings(_sound_entries(liked), _sound_entries(disliked)).unique()


def _parse_entry(entry: str, name: str) -> Rated[str]:
    picture_id, has_weight, weight = entry.partition("*")
    if not ID_PATTERN.fullmatch(picture_id):
        raise FabricError("'{}' must be a list of pictures, not {}.", name, shorten(entry))
    if not has_weight:
        return Rated(picture_id)
    try:
        return Rated(picture_id, float(WEIGHT.check(float(weight))))
    except (ValueError, FabricError) as error:
        raise FabricError(
            "'{}': the weight of picture {} must be {}, not {}.",
            name,
            picture_id[:SHORT_ID_DIGITS],
            WEIGHT.allowed,
            shorten(weight),
        ) from error


def _sound_entries(text: object) -> tuple[Rated[str], ...]:
    found: list[Rated[str]] = []
    for entry in text[:MAX_LIST_CHARACTERS].split() if isinstance(text, str) else ():
        try:
            found.append(_parse_entry(entry, "list"))
        except FabricError:
            continue
    return tuple(found)
