"""Infotext: quoting, parsing, and the wiring of "paste" and "send to" buttons."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import gradio as gr
from modules import errors, images, script_callbacks, shared, ui_tempdir
from modules.paths_internal import data_path
from PIL import Image

sys.modules["modules.generation_parameters_copypaste"] = sys.modules[__name__]

_PARAM = re.compile(
    r"""
    (?P<key>\w[\w /-]+) :\s*                    # at least two characters
    (?P<value>" (?:[^"\\]|\\.)+ " | [^,]*)      # a JSON string, or up to the next comma
    (?:,|$)
    """,
    re.VERBOSE,
)
_SIZE = re.compile(r"^(\d+)x(\d+)$")
_DEFAULTS = {
    "Clip skip": "1",
    "Hires resize-1": 0,
    "Hires resize-2": 0,
    "Hires sampler": "Use same sampler",
    "Hires schedule type": "Use same scheduler",
    "Hires checkpoint": "Use same checkpoint",
    "Hires prompt": "",
    "Hires negative prompt": "",
}


class ParamBinding:
    """A button that sends a picture, a text or fields to a tab."""

    def __init__(
        self,
        paste_button: gr.Button,
        tabname: str,
        source_text_component: object = None,
        source_image_component: object = None,
        source_tabname: str | None = None,
        override_settings_component: object = None,
        paste_field_names: list[str] | None = None,
    ) -> None:
        self.paste_button = paste_button
        self.tabname = tabname
        self.source_text_component = source_text_component
        self.source_image_component = source_image_component
        self.source_tabname = source_tabname
        self.override_settings_component = override_settings_component
        self.paste_field_names = paste_field_names or []


class PasteField(tuple):
    """(component, label or function of the parsed infotext), with the name in the API."""

    def __new__(cls, component: object, target: object, *, api: str | None = None) -> PasteField:
        return super().__new__(cls, (component, target))

    def __init__(self, component: object, target: object, *, api: str | None = None) -> None:
        super().__init__()
        self.api = api
        self.component = component
        self.label = target if isinstance(target, str) else None
        self.function = target if callable(target) else None


paste_fields: dict[str, dict] = {}
registered_param_bindings: list[ParamBinding] = []


def reset() -> None:
    """Forgets the fields and buttons of the last page."""
    paste_fields.clear()
    registered_param_bindings.clear()


def quote(text: object) -> object:
    """A value for the infotext; JSON if it has a comma, a colon or a new line."""
    return json.dumps(text, ensure_ascii=False) if re.search(r"[,\n:]", str(text)) else text


def unquote(text: str) -> str:
    """The value again."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def image_from_url_text(filedata: object) -> Image.Image | None:
    """A picture of a gallery as the browser sends it: a dict for a file that this server handed
    out (else AssertionError), base64, or a list of which the first counts."""
    if isinstance(filedata, list):
        filedata = filedata[0] if filedata else None
    if filedata is None:
        return None
    if isinstance(filedata, dict) and filedata.get("is_file", False):
        filename = filedata["name"]
        allowed = ui_tempdir.check_tmp_file(shared.demo, filename)
        assert allowed, "trying to open image file outside of allowed directories"
        return images.read(filename.rsplit("?", 1)[0])
    data = filedata.removeprefix("data:image/png;base64,")
    return images.read(io.BytesIO(base64.decodebytes(data.encode())))


def add_paste_fields(
    tabname: str,
    init_img: object,
    fields: list | None,
    override_settings_component: object = None,
) -> None:
    """Says which components of a tab an infotext fills in."""
    for i, field in enumerate(fields or []):
        if not isinstance(field, PasteField):
            fields[i] = PasteField(*field)
    paste_fields[tabname] = {
        "init_img": init_img,
        "fields": fields,
        "override_settings_component": override_settings_component,
    }


def create_buttons(tabs_list: list[str]) -> dict[str, gr.Button]:
    """A "Send to" button per tab."""
    return {tab: gr.Button(f"Send to {tab}", elem_id=f"{tab}_tab") for tab in tabs_list}


def register_paste_params_button(binding: ParamBinding) -> None:
    """Adds a button; it is wired once the page is complete."""
    registered_param_bindings.append(binding)


def connect_paste_params_buttons() -> None:
    """Wires all buttons."""
    for binding in registered_param_bindings:
        if binding.tabname in paste_fields:
            _connect(binding, paste_fields[binding.tabname])


def _connect(binding: ParamBinding, target: dict) -> None:
    click, fields = binding.paste_button.click, target["fields"]
    if binding.source_image_component is not None and target["init_img"] is not None:
        sizes = [c for c, name in fields or [] if name in ("Size-1", "Size-2")]
        with_size = len(sizes) == 2 and binding.tabname != "inpaint"
        is_gallery = isinstance(binding.source_image_component, gr.Gallery)
        plain = image_from_url_text if is_gallery else lambda x: x
        click(
            fn=send_image_and_dimensions if with_size else plain,
            _js="extract_image_from_gallery" if is_gallery else None,
            inputs=[binding.source_image_component],
            outputs=[target["init_img"], *(sizes if with_size else [])],
            show_progress=False,
        )
    if binding.source_text_component is not None and fields is not None:
        connect_paste(
            binding.paste_button, fields, binding.source_text_component, None, binding.tabname
        )
    if binding.source_tabname is not None and fields is not None:
        names = ["Prompt", "Negative prompt", "Steps", *binding.paste_field_names]
        names += ["Seed"] if shared.opts.send_seed else []
        source = paste_fields[binding.source_tabname]["fields"]
        click(
            fn=lambda *x: x,
            inputs=[c for c, name in source if name in names],
            outputs=[c for c, name in fields if name in names],
            show_progress=False,
        )
    click(fn=None, _js=f"switch_to_{binding.tabname}", inputs=None, outputs=None)


def send_image_and_dimensions(x: object) -> tuple:
    """A picture with its width and height."""
    img = x if isinstance(x, Image.Image) else image_from_url_text(x)
    if shared.opts.send_size and isinstance(img, Image.Image):
        return img, img.width, img.height
    return img, gr.update(), gr.update()


def parse_generation_parameters(x: str, skip_fields: list[str] | None = None) -> dict:
    """An infotext to a dict of strings; `Size: 64x96` becomes `Size-1` and `Size-2`."""
    *lines, last = x.strip().split("\n")
    if len(_PARAM.findall(last)) < 3:
        lines.append(last)
        last = ""
    prompt, negative, in_negative = [], [], False
    for line in map(str.strip, lines):
        if line.startswith("Negative prompt:"):
            in_negative, line = True, line.removeprefix("Negative prompt:").strip()
        (negative if in_negative else prompt).append(line)
    res: dict = {}
    for key, value in _PARAM.findall(last):
        value = unquote(value)
        size = _SIZE.match(value) if isinstance(value, str) else None
        if size:
            res[f"{key}-1"], res[f"{key}-2"] = size.groups()
        else:
            res[key] = value
    res["Prompt"], res["Negative prompt"] = "\n".join(prompt), "\n".join(negative)
    for key, value in _DEFAULTS.items():
        res.setdefault(key, value)
    for key in shared.opts.infotext_skip_pasting if skip_fields is None else skip_fields:
        res.pop(key, None)
    return res


def get_override_settings(params: dict, *, skip_fields: list[str] | None = None) -> list[tuple]:
    """(infotext label, setting, value) of settings that an infotext would change."""
    found = []
    for key, option in shared.opts.data_labels.items():
        if option.infotext is None or option.infotext not in params:
            continue
        if key == "sd_model_checkpoint" and shared.opts.disable_weights_auto_swap:
            continue
        value = shared.opts.cast_value(key, params[option.infotext])
        if value is not None and value != getattr(shared.opts, key):
            found.append((option.infotext, key, value))
    return found


def create_override_settings_dict(text_pairs: list[str]) -> dict:
    """["Clip skip: 2"] to {"CLIP_stop_at_last_layers": 2}."""
    by_label = {o.infotext: k for k, o in shared.opts.data_labels.items() if o.infotext}
    res = {}
    for pair in text_pairs or []:
        label, _, value = pair.partition(":")
        if label in by_label:
            res[by_label[label]] = shared.opts.cast_value(by_label[label], value.strip())
    return res


def _update_for(component: object, target: str | Callable, params: dict) -> object:
    value = target(params) if callable(target) else params.get(target)
    if value is None:
        return gr.update()
    if isinstance(value, dict):  # what gr.update() gives
        return value
    try:
        kind = type(component.value)
        if kind is bool and value == "False":
            value = False
        else:
            value = float(value) if kind is int else kind(value)
    except (TypeError, ValueError):
        return gr.update()
    return gr.update(value=value)


def connect_paste(
    button: gr.Button,
    paste_fields: list,
    input_comp: object,
    override_settings_component: object,
    tabname: str,
) -> None:
    """Wires a button that fills in fields from the infotext in a text box."""

    def paste(prompt: str) -> list:
        last = Path(data_path, "params.txt")
        if not prompt and not shared.cmd_opts.hide_ui_dir_config and last.is_file():
            prompt = last.read_text(encoding="utf8")
        params = parse_generation_parameters(prompt)
        script_callbacks.infotext_pasted_callback(prompt, params)
        res = []
        for component, target in paste_fields:
            try:
                res.append(_update_for(component, target, params))
            except Exception:  # noqa: BLE001  (the host swallows here)
                errors.report(f"Error executing {target}", exc_info=True)
                res.append(gr.update())
        return res

    button.click(
        fn=paste,
        inputs=[input_comp],
        outputs=[component for component, _ in paste_fields],
        show_progress=False,
    )
