"""X/Y/Z axes: derived from the settings, registered with the host's script, of one cell only."""

import copy
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import pytest

from lib_fabric.arguments import parse_arguments
from lib_fabric.errors import FabricError
from lib_fabric.hosts.axes import axes, cell_settings
from lib_fabric.settings import FabricSettings
from tests.helpers.fake_modules import fake_modules, imported_anew
from tests.helpers.pictures import image
from tests.inputs.files import text_of

NO_PICTURES = SimpleNamespace()


class AxisOption:
    """The host's class of this name (1.6.1: without `prepare`)."""

    def __init__(self, label, type, apply, format_value=None, confirm=None, cost=0.0, choices=None):
        self.label, self.type, self.apply = label, type, apply
        self.confirm, self.choices = confirm, choices


class Processing:
    """The host's processing object, as far as it is looked at."""


def plot_module():
    module = ModuleType("xyz_grid.py")
    module.AxisOption = AxisOption
    module.axis_options = [AxisOption("Nothing", str, lambda p, x, xs: None)]
    return module


@pytest.fixture
def host_xyz(monkeypatch):
    """hosts.xyz_plot on a fake `modules.scripts`; `host_xyz.scripts.scripts_data` is empty."""
    progress = {"current_task": None, "finish_task": None}
    shared = {"state": None}
    fake_modules(
        monkeypatch, {"scripts": {"scripts_data": []}, "progress": progress, "shared": shared}
    )
    with (
        imported_anew("lib_fabric.hosts.sharing"),
        imported_anew("lib_fabric.hosts.tasks"),
        imported_anew("lib_fabric.hosts.xyz_plot") as module,
    ):
        yield module


def script_data(module, path):
    return SimpleNamespace(script_class=object, path=path, basedir="", module=module)


def axis(label):
    return next(each for each in axes() if each.label == f"[FABRIC] {label}")


def settings_in(cell, **values):
    return parse_arguments([values], NO_PICTURES, changes=cell_settings(cell)).settings


def test_every_setting_but_the_switch_has_an_axis():
    fields = [field for field in FabricSettings.fields() if field.name != "enabled"]
    assert [each.label for each in axes()] == [f"[FABRIC] {field.label}" for field in fields]
    for each, field in zip(axes(), fields, strict=True):
        assert each.value_type is {"float": float, "int": int}.get(field.kind, str)
        assert (each.choices is None) == (field.kind in ("float", "int"))


def test_the_axes_join_those_of_the_hosts_script_once(host_xyz):
    plot = plot_module()
    host_xyz.scripts.scripts_data += [
        script_data(ModuleType("other.py"), "/host/scripts/other.py"),
        script_data(plot, "/host/scripts/xyz_grid.py"),
    ]
    host_xyz.add_axes()
    host_xyz.add_axes()
    labels = [option.label for option in plot.axis_options]
    assert labels == ["Nothing", *(each.label for each in axes())]


def test_without_the_script_nothing_happens(host_xyz):
    host_xyz.add_axes()
    host_xyz.scripts.scripts_data.append(script_data(ModuleType("x"), "/else/xyz_grid.py"))
    host_xyz.add_axes()


def test_a_cell_has_its_own_settings_and_no_other():
    p = Processing()
    cells = []
    for strength in (0.25, 1.5):
        cell = copy.copy(p)
        axis("Strength").apply(cell, strength, [0.25, 1.5])
        axis("Also in the hires pass").apply(cell, "true", ["true"])
        cells.append(cell)
    settings = [settings_in(cell, strength=0.8, end=0.6) for cell in cells]
    assert [each.strength for each in settings] == [0.25, 1.5]
    assert [each.hires for each in settings] == [True, True]
    assert [each.end for each in settings] == [0.6, 0.6]
    assert settings_in(p, strength=0.8) == FabricSettings(enabled=True, strength=0.8)


def test_axes_of_a_copied_cell_do_not_reach_back():
    """The host applies each axis to a shallow copy, of a copy where scripts are nested."""
    outer = Processing()
    axis("Start").apply(outer, 0.1, [0.1])
    inner = copy.copy(outer)
    axis("Start").apply(inner, 0.5, [0.5])
    assert settings_in(outer).start == 0.1
    assert settings_in(inner).start == 0.5


def test_values_of_a_range_are_not_refused_for_their_last_digit():
    p = Processing()
    axis("End").confirm(p, [0.1 * 3, 1.0000000000000002])
    axis("End").apply(p, 1.0000000000000002, [])
    assert settings_in(p, enabled=False).end == 1


@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        ("Strength", 2.5, "'strength' must be 0 to 2"),
        ("End", -0.1, "'end' must be 0 to 1"),
        ("End", float("nan"), "'end' must be 0 to 1"),
        ("Also in the hires pass", "perhaps", "'hires' must be true or false"),
    ],
)
def test_a_value_out_of_range_is_refused_before_the_first_cell(label, value, message):
    with pytest.raises(FabricError, match=message):
        axis(label).confirm(Processing(), [0.5 if isinstance(value, float) else "True", value])


def test_values_that_do_not_go_together_are_refused_and_leave_no_picture_behind():
    p = Processing()
    axis("Start").apply(p, 0.9, [0.9])
    kept = []
    store = SimpleNamespace(add=kept.append)
    for end, is_refused in ((0.5, True), (1, False)):
        given = [{"liked": [text_of(image())], "end": end}]
        with pytest.raises(FabricError, match="must not be after") if is_refused else nullcontext():
            parse_arguments(given, store, changes=cell_settings(p))
        assert bool(kept) != is_refused
