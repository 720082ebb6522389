"""Gives the host's X/Y/Z plot our axes. Knows `modules.scripts`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from modules import scripts

from lib_fabric.errors import FabricError
from lib_fabric.hosts import sharing, tasks
from lib_fabric.hosts.axes import Axis, axes, cell_settings

_PLOT_FILE = "xyz_grid.py"
_log = logging.getLogger(__name__)


def add_axes() -> None:
    """Adds an axis per setting; called before each page is built, when all scripts are loaded.

    Nothing happens where there is no such script. The host swallows what a callback raises.
    """
    plot = _plot_module()
    if plot is None:
        _log.debug("FABRIC: no X/Y/Z plot here")
        return
    known = {option.label for option in plot.axis_options}
    plot.axis_options.extend(
        plot.AxisOption(
            axis.label, axis.value_type, _apply(axis), confirm=_confirm(axis), choices=axis.choices
        )
        for axis in axes()
        if axis.label not in known
    )


def _apply(axis: Axis) -> Callable[[Any, Any, Sequence[Any]], None]:
    def apply(p: Any, value: Any, values: Sequence[Any]) -> None:  # noqa: ANN401 (the host's)
        axis.apply(p, value, values)
        # Other machines see the arguments, not what lies on the cell.
        sharing.carry_settings(p, cell_settings(p))

    return apply


def _confirm(axis: Axis) -> Callable[[Any, Sequence[Any]], None]:
    def confirm(p: Any, values: Sequence[Any]) -> None:  # noqa: ANN401 (as above)
        try:
            axis.confirm(p, values)
        except FabricError:
            tasks.end_task(p)
            raise

    return confirm


def _plot_module() -> ModuleType | None:
    # The host does not enter script files in sys.modules; it keeps them here.
    for data in scripts.scripts_data:
        if Path(data.path).name == _PLOT_FILE and hasattr(data.module, "axis_options"):
            return data.module
    return None
