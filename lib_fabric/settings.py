"""What the user can set: one frozen dataclass with range, default, label and help of every field.

Knows only the standard library. Widgets, API, infotext and docs/settings.md are derived from it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lib_fabric.errors import FabricError

INFOTEXT_PREFIX = "FABRIC"
# Of each list, and what the WebUI's settings may raise that to.
DEFAULT_MAX_PICTURES = 64
HIGHEST_MAX_PICTURES = 256

Value = bool | float | str
_BOOLEANS = {"True": True, "False": False}


@dataclass(frozen=True)
class SettingField:
    """How one setting is named, shown and bounded.

    Attributes:
        choices: the allowed values of a setting that is one of several words; others have none.
    """

    name: str
    label: str
    help: str
    default: Value
    minimum: float = 0.0
    maximum: float = 1.0
    step: float = 0.05
    choices: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """'bool', 'int', 'float' or 'choice'."""
        return "choice" if self.choices else type(self.default).__name__

    @property
    def allowed(self) -> str:
        """The allowed values in words, for messages and docs."""
        if self.kind == "bool":
            return "true or false"
        if self.kind == "choice":
            return " or ".join(map(repr, self.choices))
        numbers = f"{self.minimum:g} to {self.maximum:g}"
        return f"a whole number, {numbers}" if self.kind == "int" else numbers

    def check(self, value: object) -> Value:
        """Returns `value` in the field's type.

        Raises:
            FabricError: wrong type or out of range; the sentence names field, value and range.
        """
        if self.kind == "bool":
            if isinstance(value, bool):
                return value
        elif self.kind == "choice":
            if isinstance(value, str) and value in self.choices:
                return value
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            # Compared before conversion: float() of a very long JSON integer overflows.
            if self.minimum <= value <= self.maximum and math.isfinite(value):
                if self.kind == "float":
                    return float(value)
                if value == int(value):
                    return int(value)
        raise FabricError("'{}' must be {}, not {}.", self.name, self.allowed, shorten(value))

    def read(self, value: object) -> Value | None:
        """As `check`, but None for what cannot be used; a number may come as text."""
        try:
            if isinstance(value, str) and self.kind != "choice":
                value = _BOOLEANS[value] if self.kind == "bool" else float(value)
            return self.check(value)
        except (ValueError, KeyError, FabricError):
            return None

    def nearest(self, value: object) -> Value | None:
        """As `read`, but a number out of range or between two steps is the nearest one in range."""
        found = self.read(value)
        if found is not None or self.kind not in ("int", "float"):
            return found
        try:
            # Not bool, which is an int; an integer may be too long for a float.
            number = float(value) if isinstance(value, str) else value
        except ValueError:
            return None
        number = read_number(number, math.nan, self.minimum, self.maximum)
        if number != number:
            return None
        return round(number) if self.kind == "int" else float(number)


def read_number(value: object, default: float, minimum: float, maximum: float) -> float:
    """`value` kept within its range, or the default where it is no number at all."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Compared, not converted: an integer may be too long for a float. NaN is not itself.
    return min(max(value, minimum), maximum) if is_number and value == value else default


def shorten(value: object, limit: int = 60) -> str:
    """`value` as it may be quoted in a message: about its first `limit` characters.

    Long values are cut before `repr`, so that a hostile request cannot make the message costly.
    """
    if isinstance(value, str):
        text = repr(value[:limit])
        return text if len(value) <= limit else text + "…"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return "a very large number"
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"


def _setting(default: Value, label: str, help: str, **bounds: float | tuple[str, ...]) -> Any:  # noqa: ANN401 (dataclasses.field is typed as the field's value)
    return field(default=default, metadata={"label": label, "help": help, **bounds})


@dataclass(frozen=True)
class FabricSettings:
    """One generation's settings. Every field is validated on construction.

    Source: arXiv:2307.10159, section 5.3 (feedback weights and their schedule).
    """

    enabled: bool = _setting(
        False, "Enabled", "Let the pictures you rated steer the next generation."
    )
    strength: float = _setting(
        0.8,
        "Strength",
        "How much liked pictures count inside the schedule. 1 counts a picture as much as "
        "the one being made, 2 twice as much, 0 not at all.",
        minimum=0.0,
        maximum=2.0,
    )
    min_strength: float = _setting(
        0.0,
        "Strength outside",
        "How much rated pictures count before the start and after the end.",
        minimum=0.0,
        maximum=2.0,
    )
    start: float = _setting(
        0.0, "Start", "Where in the sampling steps feedback begins: 0 is the first step."
    )
    end: float = _setting(
        0.8, "End", "Where in the sampling steps feedback stops: 1 is after the last step."
    )
    negative_scale: float = _setting(
        0.5,
        "Disliked strength",
        "How much disliked pictures count, as a share of the strength of liked ones.",
        minimum=0.0,
        maximum=2.0,
    )
    hires: bool = _setting(
        False,
        "Also in the hires pass",
        "Hires fix keeps what the first pass made; turn this on where its denoising strength is "
        "high. Needs more memory and time.",
    )
    method: str = _setting(
        "paper",
        "Method",
        "contrast: each picture goes towards one of the liked ones, another in each picture of a "
        "batch, and away from the disliked ones, so that batches stay varied and many liked "
        "pictures are no stronger than few. paper: each follows all liked pictures at once.",
        choices=("contrast", "paper"),
    )
    merge: int = _setting(
        1,
        "Merge tokens",
        "How many neighbouring tokens of a rated picture become one, along each side: 2 merges "
        "2 x 2 of them. Faster and with less memory, but coarser. 1 is off.",
        minimum=1,
        maximum=8,
        step=1,
    )
    max_tokens: int = _setting(
        0,
        "Most tokens",
        "How many tokens all liked pictures together may have in each layer, and as many all "
        "disliked ones. Where there are more, they are merged until they fit. 0 is no limit.",
        minimum=0,
        maximum=65536,
        step=64,
    )
    refresh: int = _setting(
        1,
        "Refresh interval",
        "At every how many steps the model looks at the rated pictures again; in between it uses "
        "what it saw last. Faster and with less memory for kept states, but less exact. 1 is at "
        "every step.",
        minimum=1,
        maximum=10,
        step=1,
    )

    def __post_init__(self) -> None:
        for setting in self.fields():
            checked = setting.check(getattr(self, setting.name))
            object.__setattr__(self, setting.name, checked)
        # A disabled accordion must stay harmless whatever its sliders say.
        if self.enabled and self.start > self.end:
            raise FabricError(
                "'start' ({}) must not be after 'end' ({}).", f"{self.start:g}", f"{self.end:g}"
            )

    @classmethod
    def fields(cls) -> list[SettingField]:
        """Every setting, in the order of the script's arguments."""
        return [SettingField(f.name, default=f.default, **f.metadata) for f in fields(cls)]

    @classmethod
    def from_mapping(cls, values: Mapping[str, object]) -> FabricSettings:
        """Builds settings from untrusted values of known names; missing ones take their default.

        Raises:
            FabricError: a wrong type, or a value out of range.
        """
        return cls(**values)  # type: ignore[arg-type]  # __post_init__ checks types

    def to_mapping(self) -> dict[str, Value]:
        """All values by name, as `from_mapping` reads them."""
        return {setting.name: getattr(self, setting.name) for setting in self.fields()}

    def to_infotext(self) -> dict[str, str]:
        """Infotext entries of the settings that differ from their default."""
        return {
            infotext_key(setting.name): _infotext_value(getattr(self, setting.name))
            for setting in self.fields()
            if setting.name != "enabled" and getattr(self, setting.name) != setting.default
        }


def infotext_key(name: str) -> str:
    """The infotext key of a setting, such as 'FABRIC negative scale'."""
    return f"{INFOTEXT_PREFIX} {name.replace('_', ' ')}"


# What was said of a picture; nothing to make it again with.
NOTE_KEY = infotext_key("note")
# Which of several liked pictures a picture went towards.
FOLLOWED_KEY = infotext_key("followed")


def read_infotext(setting: SettingField, params: Mapping[str, object]) -> Value | None:
    """A setting's value in parsed infotext, or None to leave the widget alone.

    Infotext leaves defaults out, so where FABRIC made the picture a missing setting means its
    default, not what the widget happens to show. An unusable value changes nothing.
    """
    if not any(key.startswith(f"{INFOTEXT_PREFIX} ") for key in params if key != NOTE_KEY):
        return None
    text = params.get(infotext_key(setting.name))
    return setting.default if text is None else setting.read(str(text))


def format_number(value: float) -> str:
    """The shortest text that reads back as exactly `value`, without a needless '.0'."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _infotext_value(value: Value) -> str:
    return str(value) if isinstance(value, (bool, str)) else format_number(value)
