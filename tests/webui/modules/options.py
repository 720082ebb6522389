"""Settings: their descriptions and their values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import gradio as gr
from modules import errors

_FIELDS = {"data_labels", "data", "restricted_opts", "typemap"}


class OptionInfo:
    """Describes one setting: default, label, widget and so on."""

    def __init__(
        self,
        default: object = None,
        label: str = "",
        component: Callable | None = None,
        component_args: object = None,
        onchange: Callable[[], object] | None = None,
        section: tuple | None = None,
        refresh: Callable | None = None,
        comment_before: str = "",
        comment_after: str = "",
        infotext: str | None = None,
        restrict_api: bool = False,
        category_id: str | None = None,
    ) -> None:
        self.default = default
        self.label = label
        self.component = component
        self.component_args = component_args
        self.onchange = onchange
        self.section = section
        self.category_id = category_id
        self.refresh = refresh
        self.do_not_save = False
        self.comment_before = comment_before
        self.comment_after = comment_after
        self.infotext = infotext
        self.restrict_api = restrict_api

    def info(self, info: str) -> OptionInfo:
        """Adds a remark behind the label."""
        return self.html(f"<span class='info'>({info})</span>")

    def html(self, html: str) -> OptionInfo:
        """Adds HTML behind the label."""
        self.comment_after += html
        return self

    def link(self, label: str, url: str) -> OptionInfo:
        """Adds a link before the label."""
        self.comment_before += f"[<a href='{url}' target='_blank'>{label}</a>]"
        return self

    def js(self, label: str, js_func: str) -> OptionInfo:
        """Adds a link that calls a JavaScript function."""
        self.comment_before += f"[<a onclick='{js_func}(); return false'>{label}</a>]"
        return self

    def needs_restart(self) -> OptionInfo:
        """Marks the setting as one that needs a restart."""
        return self.html(" <span class='info'>(requires restart)</span>")

    def needs_reload_ui(self) -> OptionInfo:
        """Marks the setting as one that needs Reload UI."""
        return self.html(" <span class='info'>(requires Reload UI)</span>")


class OptionHTML(OptionInfo):
    """Text on the settings page."""

    def __init__(self, text: str) -> None:
        super().__init__(str(text).strip(), component=lambda **kwargs: gr.HTML(**kwargs))
        self.do_not_save = True


def options_section(section_identifier: tuple, options_dict: dict[str, OptionInfo]) -> dict:
    """Puts the options of a dict into a section `(id, title[, category id])`."""
    for option in options_dict.values():
        option.section = section_identifier[:2]
        if len(section_identifier) > 2:
            option.category_id = section_identifier[2]
    return options_dict


class Options:
    """Values by attribute; a missing value is the default."""

    typemap: ClassVar[dict] = {int: float}

    def __init__(self, data_labels: dict[str, OptionInfo], restricted_opts: set[str]) -> None:
        self.data_labels = data_labels
        self.data = {k: v.default for k, v in data_labels.items() if not v.do_not_save}
        self.restricted_opts = restricted_opts

    def __setattr__(self, key: str, value: object) -> None:
        if key not in _FIELDS and (key in self.data or key in self.data_labels):
            self.data[key] = value
        else:
            super().__setattr__(key, value)

    def __getattr__(self, item: str) -> object:
        if item in _FIELDS:
            raise AttributeError(item)
        if item in self.data:
            return self.data[item]
        if item in self.data_labels:
            return self.data_labels[item].default
        raise AttributeError(f"no option {item!r}")

    def set(
        self, key: str, value: object, is_api: bool = False, run_callbacks: bool = True
    ) -> bool:
        """Sets a value and calls its `onchange`; says whether it changed."""
        old, option = self.data.get(key), self.data_labels[key]
        if old == value or option.do_not_save or (is_api and option.restrict_api):
            return False
        setattr(self, key, value)
        if run_callbacks and option.onchange is not None:
            try:
                option.onchange()
            except Exception as e:  # noqa: BLE001  (the host swallows here)
                errors.display(e, f"changing setting {key} to {value}")
                setattr(self, key, old)
                return False
        return True

    def get_default(self, key: str) -> object:
        """The default of a setting, or None."""
        option = self.data_labels.get(key)
        return None if option is None else option.default

    def add_option(self, key: str, info: OptionInfo) -> None:
        """Adds a setting; a stored value wins over its default."""
        self.data_labels[key] = info
        if key not in self.data and not info.do_not_save:
            self.data[key] = info.default

    def onchange(self, key: str, func: Callable[[], object], call: bool = True) -> None:
        """Sets what is called when a setting changes."""
        self.data_labels[key].onchange = func
        if call:
            func()

    def save(self, filename: str) -> None:
        """Writes the values as JSON."""
        Path(filename).write_text(json.dumps(self.data, indent=4), encoding="utf8")

    def load(self, filename: str) -> None:
        """Reads the values; a missing file means defaults."""
        path = Path(filename)
        self.data = json.loads(path.read_text(encoding="utf8")) if path.is_file() else {}

    def cast_value(self, key: str, value: object) -> object:
        """`value` in the type of the setting's default."""
        default = self.data_labels[key].default
        if value is None or default is None:
            return None
        if isinstance(default, bool) and value == "False":
            return False
        return type(default)(value)

    def dumpjson(self) -> str:
        """All values as JSON, for the page."""
        return json.dumps({k: self.data.get(k, v.default) for k, v in self.data_labels.items()})
