"""Callbacks of extensions. An exception in one is printed and swallowed, as in the host."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path

from modules import errors, extensions, shared
from modules.callback_params import (
    AfterCFGCallbackParams,
    CFGDenoisedParams,
    CFGDenoiserParams,
    ExtraNoiseParams,
    ImageGridLoopParams,
    ImageSaveParams,
)

_CATEGORIES = """
    app_started model_loaded ui_tabs ui_train_tabs ui_settings before_image_saved image_saved
    extra_noise cfg_denoiser cfg_denoised cfg_after_cfg before_component after_component
    image_grid infotext_pasted script_unloaded before_ui on_reload list_optimizers list_unets
    before_token_counter
"""


@dataclasses.dataclass
class ScriptCallback:
    """A callback with the file it came from and its unique name."""

    script: str
    callback: Callable
    name: str = "unnamed"


callback_map: dict[str, list[ScriptCallback]] = {
    f"callbacks_{name}": [] for name in _CATEGORIES.split()
}
ordered_callbacks_map: dict[str, list[ScriptCallback]] = {}


def add_callback(
    callbacks: list[ScriptCallback],
    fun: Callable,
    *,
    name: str | None = None,
    category: str = "unknown",
    filename: str | None = None,
) -> None:
    """Appends a callback, named `<extension>/<file>/<category>[/<name>][-N]`."""
    if filename is None:
        filename = next(f.filename for f in inspect.stack() if f.filename != __file__)
    extension = extensions.find_extension(filename)
    base = f"{extension.canonical_name if extension else 'base'}/{Path(filename).name}/{category}"
    if name is not None:
        base += f"/{name}"
    taken = {c.name for c in callbacks}
    unique, count = base, 0
    while unique in taken:
        count += 1
        unique = f"{base}-{count}"
    callbacks.append(ScriptCallback(filename, fun, unique))


def sort_callbacks(
    category: str, unordered_callbacks: list[ScriptCallback], *, enable_user_sort: bool = True
) -> list[ScriptCallback]:
    """In order of registration, those that the user put first in front."""
    first = getattr(shared.opts, "data", {}).get(f"prioritized_callbacks_{category}", [])
    if not enable_user_sort or not first:
        return list(unordered_callbacks)
    rank = {name: i for i, name in enumerate(first)}
    return sorted(unordered_callbacks, key=lambda c: rank.get(c.name, len(rank)))


def ordered_callbacks(
    category: str,
    unordered_callbacks: list[ScriptCallback] | None = None,
    *,
    enable_user_sort: bool = True,
) -> list[ScriptCallback]:
    """The callbacks of a category, sorted; the result is kept until their number changes."""
    if unordered_callbacks is None:
        unordered_callbacks = callback_map.get(f"callbacks_{category}", [])
    if not enable_user_sort:
        return sort_callbacks(category, unordered_callbacks, enable_user_sort=False)
    known = ordered_callbacks_map.get(category)
    if known is None or len(known) != len(unordered_callbacks):
        known = ordered_callbacks_map[category] = sort_callbacks(category, unordered_callbacks)
    return known


def clear_callbacks() -> None:
    """Forgets all callbacks (start and Reload UI)."""
    for callbacks in callback_map.values():
        callbacks.clear()
    ordered_callbacks_map.clear()


def _call_all(category: str, *args: object, order: Callable = iter, **kwargs: object) -> list:
    """Calls every callback of a category and returns what they gave back."""
    results = []
    for c in order(ordered_callbacks(category)):
        try:
            results.append(c.callback(*args, **kwargs))
        except Exception:  # noqa: BLE001  (the host swallows here)
            errors.report(f"Error executing callback {category} for {c.script}", exc_info=True)
    return results


def _flat(lists: Iterable[list | None]) -> list:
    return [item for found in lists for item in found or []]


def app_started_callback(demo: object, app: object) -> None:
    """The page and the API exist."""
    _call_all("app_started", demo, app)


def app_reload_callback() -> None:
    """Reload UI begins."""
    _call_all("on_reload")


def model_loaded_callback(sd_model: object) -> None:
    """A model was loaded."""
    _call_all("model_loaded", sd_model)


def ui_tabs_callback() -> list:
    """Tabs of extensions: tuples (blocks, title, element id)."""
    return _flat(_call_all("ui_tabs"))


def ui_settings_callback() -> None:
    """Extensions add their settings."""
    _call_all("ui_settings")


def before_image_saved_callback(params: ImageSaveParams) -> None:
    """A picture is about to be written."""
    _call_all("before_image_saved", params)


def image_saved_callback(params: ImageSaveParams) -> None:
    """A picture was written."""
    _call_all("image_saved", params)


def extra_noise_callback(params: ExtraNoiseParams) -> None:
    """img2img adds extra noise."""
    _call_all("extra_noise", params)


def cfg_denoiser_callback(params: CFGDenoiserParams) -> None:
    """A denoiser call begins."""
    _call_all("cfg_denoiser", params)


def cfg_denoised_callback(params: CFGDenoisedParams) -> None:
    """The U-Net calls of a denoiser call are done."""
    _call_all("cfg_denoised", params)


def cfg_after_cfg_callback(params: AfterCFGCallbackParams) -> None:
    """A denoiser call ends."""
    _call_all("cfg_after_cfg", params)


def before_component_callback(component: object, **kwargs: object) -> None:
    """A Gradio component is about to be made."""
    _call_all("before_component", component, **kwargs)


def after_component_callback(component: object, **kwargs: object) -> None:
    """A Gradio component was made."""
    _call_all("after_component", component, **kwargs)


def image_grid_callback(params: ImageGridLoopParams) -> None:
    """A grid is about to be drawn."""
    _call_all("image_grid", params)


def infotext_pasted_callback(infotext: str, params: dict) -> None:
    """An infotext was parsed."""
    _call_all("infotext_pasted", infotext, params)


def script_unloaded_callback() -> None:
    """Scripts are about to be unloaded; last registered, first called."""
    _call_all("script_unloaded", order=reversed)


def before_ui_callback() -> None:
    """The page is about to be built."""
    _call_all("before_ui", order=reversed)


def list_optimizers_callback() -> list:
    """Attention optimisations, those of extensions included."""
    res: list = []
    _call_all("list_optimizers", res)
    return res


def list_unets_callback() -> list:
    """Alternative U-Nets of extensions."""
    res: list = []
    _call_all("list_unets", res)
    return res


def remove_callbacks_for_function(callback_func: Callable) -> None:
    """Removes every registration of one function."""
    for callbacks in (*callback_map.values(), *ordered_callbacks_map.values()):
        callbacks[:] = [c for c in callbacks if c.callback != callback_func]


def remove_current_script_callbacks() -> None:
    """Removes every registration made by the calling file."""
    caller = next(f.filename for f in inspect.stack() if f.filename != __file__)
    for callbacks in (*callback_map.values(), *ordered_callbacks_map.values()):
        callbacks[:] = [c for c in callbacks if c.script != caller]


def _registrar(category: str, docstring: str) -> Callable:
    def register(callback: Callable, *, name: str | None = None) -> None:
        add_callback(callback_map[f"callbacks_{category}"], callback, name=name, category=category)

    register.__doc__ = docstring
    return register


on_app_started = _registrar("app_started", "`callback(demo, app)` once page and API exist.")
on_before_reload = _registrar("on_reload", "`callback()` when Reload UI begins.")
on_model_loaded = _registrar("model_loaded", "`callback(sd_model)` after a model was loaded.")
on_ui_tabs = _registrar("ui_tabs", "`callback()` returns tabs (blocks, title, element id).")
on_ui_settings = _registrar("ui_settings", "`callback()` adds settings.")
on_before_image_saved = _registrar("before_image_saved", "`callback(ImageSaveParams)`.")
on_image_saved = _registrar("image_saved", "`callback(ImageSaveParams)`.")
on_extra_noise = _registrar("extra_noise", "`callback(ExtraNoiseParams)`.")
on_cfg_denoiser = _registrar("cfg_denoiser", "`callback(CFGDenoiserParams)`.")
on_cfg_denoised = _registrar("cfg_denoised", "`callback(CFGDenoisedParams)`.")
on_cfg_after_cfg = _registrar("cfg_after_cfg", "`callback(AfterCFGCallbackParams)`.")
on_before_component = _registrar("before_component", "`callback(component, **kwargs)`.")
on_after_component = _registrar("after_component", "`callback(component, **kwargs)`.")
on_image_grid = _registrar("image_grid", "`callback(ImageGridLoopParams)`.")
on_infotext_pasted = _registrar("infotext_pasted", "`callback(infotext, params)`.")
on_script_unloaded = _registrar("script_unloaded", "`callback()` before scripts are unloaded.")
on_before_ui = _registrar("before_ui", "`callback()` before the page is built.")
on_list_optimizers = _registrar("list_optimizers", "`callback(list)` appends optimisations.")
on_list_unets = _registrar("list_unets", "`callback(list)` appends U-Nets.")
