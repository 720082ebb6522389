"""What a generation asks for: settings and rated pictures. Data only.

Knows settings and pictures; not where they come from.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field

from lib_fabric.pictures import Picture
from lib_fabric.rating_texts import format_list
from lib_fabric.ratings import LIST_NAMES, Rated, Ratings
from lib_fabric.settings import FabricSettings, infotext_key


@dataclass(frozen=True)
class FabricRequest:
    """One generation's settings and rated pictures.

    Attributes:
        ratings: those that count at all.
        num_weightless: how many others there are, whose weight is 0.
    """

    settings: FabricSettings
    ratings: Ratings[Picture] = field(default_factory=Ratings)
    num_weightless: int = 0

    @classmethod
    def of(cls, settings: FabricSettings, ratings: Ratings[Picture]) -> FabricRequest:
        """A request with all rated pictures, also those whose weight is 0."""
        weighed = ratings.only(lambda rated: rated.weight > 0)
        return cls(settings, weighed, len(ratings) - len(weighed))

    @property
    def is_active(self) -> bool:
        """Whether anything can change the pictures; if not, nothing may be touched."""
        return self.settings.enabled and bool(self.ratings)

    def to_arguments(self, to_file: Callable[[Picture], bytes]) -> dict[str, object]:
        """The JSON object that asks for the same on any machine: pictures in base64, not by id.

        Args:
            to_file: a picture as a PNG file.
        """
        lists = {
            name: [_to_entry(each, to_file) for each in self.ratings.of(name)]
            for name in LIST_NAMES
        }
        return {**self.settings.to_mapping(), **lists}

    def to_infotext(self) -> dict[str, str]:
        """Infotext entries: settings off their default, then the pictures' ids and weights."""
        named = self.ratings.map(lambda picture: picture.short_id)
        lists = {infotext_key(name): format_list(named.of(name)) for name in LIST_NAMES}
        return self.settings.to_infotext() | {key: text for key, text in lists.items() if text}


def _to_entry(rated: Rated[Picture], to_file: Callable[[Picture], bytes]) -> dict[str, object]:
    data = base64.b64encode(to_file(rated.picture))
    return {"image": data.decode(), "weight": rated.weight}
