"""The WebUI's `modules` in a few lines, for adapters that are tested without a WebUI."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace


class FakeOption:
    """The host's OptionInfo, as far as it is used."""

    def __init__(self, default, label, component=None, component_args=None, section=None):
        self.default, self.label, self.section = default, label, section
        self.component, self.component_args = component, component_args
        self.infos, self.needs_reload = [], False

    def info(self, text):
        self.infos.append(text)
        return self

    def needs_reload_ui(self):
        self.needs_reload = True
        return self


class FakeOptionHTML(FakeOption):
    """The host's OptionHTML, as far as it is used."""

    def __init__(self, text):
        super().__init__(text, "")


class FakeOptions(SimpleNamespace):
    """The host's options: values by attribute; a missing one raises."""

    def add_option(self, key, option):
        vars(self).setdefault("labels", {})[key] = option


def option_modules(data_folder: str) -> dict[str, dict[str, object]]:
    """What `fake_modules` needs for the section of Settings."""
    shared = {"opts": FakeOptions(), "OptionInfo": FakeOption, "OptionHTML": FakeOptionHTML}
    shared |= {"restricted_opts": {"outdir_samples"}, "hide_dirs": {"visible": True}}
    return {"shared": shared, "paths_internal": {"data_path": data_folder}}


def fake_modules(monkeypatch, contents: Mapping[str, Mapping[str, object]]) -> dict:
    """Puts `modules` in place for one test. Returns its modules by name, without 'modules.'.

    contents: what each module holds; a dotted name is a module of a package.
    """
    parents = {name.rpartition(".")[0] for name in contents}
    fakes = {}
    for name in sorted({"", *parents, *contents}):
        path = f"modules.{name}" if name else "modules"
        fake = fakes[name] = ModuleType(path)
        vars(fake).update(contents.get(name, {}))
        if name in parents:
            fake.__path__ = []
        monkeypatch.setitem(sys.modules, path, fake)
        if name:
            parent, _, child = name.rpartition(".")
            setattr(fakes[parent], child, fake)
    return fakes


@contextmanager
def imported_anew(name: str) -> Iterator[ModuleType]:
    """A module of ours that reads `modules` as it is imported; forgotten at the end."""
    package, _, last = name.rpartition(".")

    def forget():
        sys.modules.pop(name, None)
        # Else `from package import module` would find the old one.
        vars(importlib.import_module(package)).pop(last, None)

    forget()
    try:
        yield importlib.import_module(name)
    finally:
        forget()
