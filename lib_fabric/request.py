"""What a generation asks for: settings and rated pictures. Data only.

Knows settings and pictures; not where they come from.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from lib_fabric.picture_lists import NamedPicture, format_picture_list
from lib_fabric.pictures import Picture, to_png
from lib_fabric.settings import INFOTEXT_PREFIX, FabricSettings

PICTURE_LISTS = ("liked", "disliked")


@dataclass(frozen=True)
class Reference:
    """A rated picture and how much it counts (0 to 2, 1 = as its list's strength says)."""

    picture: Picture
    weight: float = 1.0


@dataclass(frozen=True)
class FabricRequest:
    """One generation's settings and rated pictures."""

    settings: FabricSettings
    liked: tuple[Reference, ...] = ()
    disliked: tuple[Reference, ...] = ()

    @property
    def is_active(self) -> bool:
        """Whether anything can change the pictures; if not, nothing may be touched."""
        settings = self.settings
        return settings.enabled and bool(self.liked or self.disliked)

    def to_arguments(self) -> dict[str, object]:
        """The JSON object that asks for the same on any machine: pictures in base64, not by id."""
        lists = {name: list(map(_to_entry, getattr(self, name))) for name in PICTURE_LISTS}
        return {**self.settings.to_mapping(), **lists}

    def to_infotext(self) -> dict[str, str]:
        """Infotext entries: settings off their default, then the pictures' ids and weights."""
        entries = self.settings.to_infotext()
        for name in PICTURE_LISTS:
            references = getattr(self, name)
            if references:
                named = (NamedPicture(each.picture.short_id, each.weight) for each in references)
                entries[f"{INFOTEXT_PREFIX} {name}"] = format_picture_list(named)
        return entries


def _to_entry(reference: Reference) -> dict[str, object]:
    data = base64.b64encode(to_png(reference.picture.image))
    return {"image": data.decode(), "weight": reference.weight}
