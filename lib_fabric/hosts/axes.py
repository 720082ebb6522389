"""Axes of an X/Y/Z plot: one per setting, and what they set for a single cell.

Knows settings; not the host, which is told in xyz_plot.py. What an axis sets lies on
the processing object of its cell and ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lib_fabric.settings import FabricSettings, SettingField

LABEL_PREFIX = "[FABRIC] "
_CELL_SETTINGS = "_fabric_ext_cell_settings"
_BOOLEANS = {"True": True, "False": False}


@dataclass(frozen=True)
class Axis:
    """One axis, in the terms of the host's `AxisOption`.

    Attributes:
        label: such as '[FABRIC] Strength'.
        value_type: what the plot makes of a value's text before anything else.
        choices: the values to pick from; None for numbers.
        apply: `(p, value, all values)` sets the value for the cell that `p` is.
        confirm: `(p, all values)` raises FabricError for one that cannot be used, so that the
            whole plot is refused before it starts.
    """

    label: str
    value_type: type
    choices: Callable[[], list[str]] | None
    apply: Callable[[Any, Any, Sequence[Any]], None]
    confirm: Callable[[Any, Sequence[Any]], None]


def axes() -> list[Axis]:
    """An axis for every setting but `enabled`: a plot of pictures with and without feedback has
    'Strength' 0 for without."""
    return [_axis(field) for field in FabricSettings.fields() if field.name != "enabled"]


def cell_settings(p: Any) -> dict[str, Any]:  # noqa: ANN401 (as above)
    """What the axes of this cell set so far, by setting."""
    return getattr(p, _CELL_SETTINGS, {})


def _axis(field: SettingField) -> Axis:
    def apply(p: Any, value: Any, _values: Sequence[Any]) -> None:  # noqa: ANN401 (as above)
        # A new dict: cells are shallow copies of one processing object.
        changes = {**cell_settings(p), field.name: _setting_value(field, value)}
        setattr(p, _CELL_SETTINGS, changes)

    def confirm(_p: Any, values: Sequence[Any]) -> None:  # noqa: ANN401 (as above)
        for value in values:
            _setting_value(field, value)

    choices = _choices(field)
    value_type = {"float": float, "int": int}.get(field.kind, str)
    listed = None if choices is None else lambda: list(choices)
    return Axis(f"{LABEL_PREFIX}{field.label}", value_type, listed, apply, confirm)


def _setting_value(field: SettingField, value: Any) -> Any:  # noqa: ANN401 (of the field's type)
    if field.kind == "bool":
        value = _BOOLEANS.get(str(value).strip().capitalize(), value)
    # An axis of numbers can come as 0.1 + 0.2.
    return field.check(round(value, 6) if field.kind == "float" else value)


def _choices(field: SettingField) -> list[str] | None:
    if field.kind in ("float", "int"):
        return None
    return list(_BOOLEANS) if field.kind == "bool" else [str(each) for each in field.choices]
