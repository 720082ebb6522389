"""One preset: its name, settings and ratings, checked, and the JSON in which they are kept.

Knows ratings and settings; not the database, not the store.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from lib_fabric.errors import FabricError
from lib_fabric.ratings import Ratings, from_json, to_json
from lib_fabric.settings import FabricSettings, shorten
from lib_fabric.visible_text import is_visible

MAX_NAME_CHARS = 80


@dataclass(frozen=True)
class Preset:
    """Settings by name, and the ratings of pictures by their ids.

    Settings that are missing mean their default. What was kept may be of other ranges.
    """

    name: str
    settings: Mapping[str, object] = field(default_factory=dict)
    ratings: Ratings[str] = field(default_factory=Ratings)

    def to_json(self) -> str:
        """As it is kept.

        Raises:
            FabricError: ratings that cannot be.
        """
        values = {
            "name": self.name,
            "settings": dict(self.settings),
            "pictures": to_json(self.ratings),
        }
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Preset:
        """Reads what `to_json` wrote.

        Raises:
            FabricError: 500, it is damaged.
        """
        known = FabricSettings.fields()
        try:
            found = json.loads(text)
            # Of another version of FABRIC: it is the user's own, and mended where it is loaded.
            given = found["settings"]
            settings = {each.name: given.get(each.name, each.default) for each in known}
            ratings = from_json(found["pictures"])
            return cls(existing_name(found["name"]), settings, ratings)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FabricError(
                "This preset is damaged. Delete it and save it again.", status_code=500
            ) from error


def check_name(name: object) -> str:
    """`name` of a new preset, without spaces around it, in one Unicode form.

    Raises:
        FabricError: empty, too long, nothing that can be seen, or with characters that no name has.
    """
    text = existing_name(name)
    if not is_visible(text):
        raise FabricError("Give the preset a name that can be seen.")
    return text


def existing_name(name: object) -> str:
    """As `check_name`, for a preset that is there: one without a visible name can be deleted."""
    if not isinstance(name, str):
        raise FabricError("a preset's name must be text, not {}.", shorten(name))
    text = name.strip()
    # Before anything costly: normalising may make a text longer, never much shorter.
    if len(text) <= 20 * MAX_NAME_CHARS:
        text = unicodedata.normalize("NFC", text)
    if not text:
        raise FabricError("Give the preset a name.")
    if len(text) > MAX_NAME_CHARS:
        raise FabricError("A preset's name may have at most {} characters.", MAX_NAME_CHARS)
    if any(unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") for each in text):
        raise FabricError("A preset's name may not hold line breaks or control characters.")
    return text


def check_settings(settings: Mapping[str, object]) -> dict[str, object]:
    """Every setting by name, with defaults for those left out.

    Raises:
        FabricError: an unknown setting, or a value that it may not have.
    """
    known = [setting.name for setting in FabricSettings.fields()]
    for name in settings:
        if name not in known:
            raise FabricError("unknown setting {}. Known: {}.", shorten(name), ", ".join(known))
    checked = FabricSettings.from_mapping(settings)
    return {name: getattr(checked, name) for name in known}
