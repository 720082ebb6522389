"""The FABRIC section of the host's Settings page, and what it says. Knows `modules.shared`.

config.json and the API may hold anything in an option, so values are checked where they are read.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import gradio as gr
import torch
from modules import paths_internal, shared

from lib_fabric import __version__
from lib_fabric.infotext import SETTINGS_AND_PICTURES, WANTED
from lib_fabric.settings import (
    DEFAULT_MAX_PICTURES,
    HIGHEST_MAX_PICTURES,
    FabricSettings,
    SettingField,
    read_number,
)
from lib_fabric.steering.state_cache import StateCache
from lib_fabric.visible_text import is_visible

_log = logging.getLogger(__name__)
SECTION = ("fabric", "FABRIC")
# A folder whose name starts with a dot: the WebUI serves every other file below its data folder
# to whoever may open the page.
LIBRARY_FOLDER = ".fabric"
DEFAULT_STORE_MB = 4096
DEFAULT_STATES_MB = 2048
_MOST_STATES_MB = 65536
_MOST_STORE_MB = 1_048_576
_MEGABYTE = 2**20
# fabric_accordion.js shows the button, since without our page nobody would answer it.
_ABOUT = """
<div class="fabric-about">
<p>FABRIC <span translate="no">{version}</span></p>
<button type="button" hidden>Delete everything FABRIC stored</button>
<span role="status"></span>
</div>
"""
_KEY_INFO = "one key; empty for none"


def add_options() -> None:
    """Adds the section."""
    _add_speed()
    _add_newest()
    _add_library()
    _add_page()
    about = shared.OptionHTML(_ABOUT.format(version=__version__))
    about.section = SECTION
    shared.opts.add_option("fabric_about", about)


def _add_speed() -> None:
    _add(
        "fabric_keep_states",
        "RAM",
        "Keep reference states between generations",
        "repeated rounds with the same steps and size become much faster",
        component=gr.Radio,
        component_args={"choices": ["Off", "RAM", "GPU"]},
    )
    _add(
        "fabric_keep_states_mb",
        DEFAULT_STATES_MB,
        "Memory for kept reference states (MB)",
        "one picture and step takes about 45 MB with SD 1.5 at 512x512 in half precision",
        component=gr.Slider,
        component_args={"minimum": 0, "maximum": _MOST_STATES_MB, "step": 256},
    )
    _add(
        "fabric_max_pictures",
        DEFAULT_MAX_PICTURES,
        "Most pictures in each list",
        "each takes one more pass through the model at every step with feedback",
        component=gr.Slider,
        component_args={"minimum": 1, "maximum": HIGHEST_MAX_PICTURES, "step": 1},
    )


def _add_newest() -> None:
    _add(
        "fabric_newest_pictures",
        0,
        "Newest pictures of each list that take part",
        "0 for all; the cost stays flat and old taste fades; requests to the API are as they say",
        component=gr.Slider,
        component_args={"minimum": 0, "maximum": HIGHEST_MAX_PICTURES, "step": 1},
    )


def _add_library() -> None:
    _add(
        "fabric_store_mb",
        DEFAULT_STORE_MB,
        "Room for rated pictures (MB)",
        "0 for no limit; beyond it, those unused for longest go; active and saved ones stay",
        component=gr.Slider,
        component_args={"minimum": 0, "maximum": 65536, "step": 256},
    )
    folder = _add(
        "fabric_store_folder",
        "",
        "Folder of pictures, history and presets",
        "empty for .fabric in the data folder; elsewhere in there the WebUI serves it to every "
        "visitor unless its name starts with a dot",
        component_args=shared.hide_dirs,
    )
    folder.needs_reload_ui()
    # As the host's own folders: --hide-ui-dir-config forbids to set it.
    shared.restricted_opts.add("fabric_store_folder")


def _add_page() -> None:
    strength = _strength()
    _add(
        "fabric_strength",
        strength.default,
        "Default strength",
        f"what Strength starts with; {strength.default:g} leaves that to Settings > Defaults",
        component=gr.Slider,
        component_args={
            "minimum": strength.minimum,
            "maximum": strength.maximum,
            "step": strength.step,
        },
    ).needs_reload_ui()
    _add("fabric_key_like", "L", "Key to like a picture", _KEY_INFO)
    _add("fabric_key_dislike", "D", "Key to dislike a picture", _KEY_INFO)
    _add(
        "fabric_send_along",
        True,
        "Send to img2img takes ratings and settings along",
        "inpaint, too; off: img2img keeps its own",
    ).needs_reload_ui()
    _add(
        "fabric_infotext",
        SETTINGS_AND_PICTURES,
        "Write into infotext",
        "without the pictures' ids a picture cannot be made again from its infotext",
        component=gr.Radio,
        component_args={"choices": list(WANTED)},
    )


def library_folder() -> Path:
    """Where rated pictures, history and presets are kept.

    Read when the script is loaded: at start and at Reload UI.
    """
    chosen = str(getattr(shared.opts, "fabric_store_folder", "") or "").strip()
    if not is_visible(chosen):  # empty, or what a copied text may leave behind
        chosen = LIBRARY_FOLDER
    # A relative path is one below the data folder; `/` keeps an absolute one as it is.
    return Path(paths_internal.data_path) / _without_tilde(chosen)


def folders() -> dict[str, object]:
    """Where the library is kept, and the WebUI's own folders: of its data, and of its program."""
    own = [Path(paths_internal.data_path), Path(paths_internal.script_path)]
    return {"folder": library_folder(), "webui_folders": own}


def _without_tilde(chosen: str) -> Path:
    try:
        if b"\0" in os.fsencode(chosen):
            raise ValueError("no name of a file")
        return Path(chosen).expanduser()
    # What no name can hold; "~name" of a user whom this system does not have.
    except (ValueError, RuntimeError):
        _log.warning("FABRIC: there is no folder %r; using %s instead.", chosen, LIBRARY_FOLDER)
        return Path(LIBRARY_FOLDER)


def configure_states(states: StateCache) -> None:
    """Sets up kept states as the options say."""
    place = getattr(shared.opts, "fabric_keep_states", "RAM")
    megabytes = _number("fabric_keep_states_mb", DEFAULT_STATES_MB, 0, _MOST_STATES_MB)
    max_bytes = 0 if place == "Off" else int(megabytes * _MEGABYTE)
    states.configure(max_bytes, torch.device("cpu") if place == "RAM" else None)


def newest_pictures() -> int:
    """How many of each list of the page take part, the newest of them; 0 for all."""
    return int(_number("fabric_newest_pictures", 0, 0, HIGHEST_MAX_PICTURES))


def is_sent_along() -> bool:
    """Whether 'Send to img2img' takes rated pictures and settings along; read at a page build."""
    return bool(getattr(shared.opts, "fabric_send_along", True))


def max_pictures() -> int:
    """How many pictures may be in each list."""
    return int(_number("fabric_max_pictures", DEFAULT_MAX_PICTURES, 1, HIGHEST_MAX_PICTURES))


def start_values() -> dict[str, float]:
    """What widgets show at first, by the setting's name, where the user has chosen that here.

    The host writes every start value into ui-config.json, which from then on goes before ours: so
    what is chosen here has to stay out of there.
    """
    strength = _strength()
    chosen = _number("fabric_strength", strength.default, strength.minimum, strength.maximum)
    # gradio sends a whole number as one, and the host reads infotext as what the value is.
    return {} if chosen == strength.default else {strength.name: float(chosen)}


def max_store_bytes() -> int | None:
    """How much room rated pictures may take; None for no limit."""
    megabytes = _number("fabric_store_mb", DEFAULT_STORE_MB, 0, _MOST_STORE_MB)
    return int(megabytes * _MEGABYTE) or None


def infotext_wanted() -> str:
    """Which part of a request goes into infotext: one of `infotext.WANTED`."""
    wanted = getattr(shared.opts, "fabric_infotext", SETTINGS_AND_PICTURES)
    return wanted if wanted in WANTED else SETTINGS_AND_PICTURES


def _strength() -> SettingField:
    return next(field for field in FabricSettings.fields() if field.name == "strength")


def _number(option: str, default: int, minimum: int, maximum: int) -> float:
    """An option as a number in its range: config.json and the API may hold anything there."""
    return read_number(getattr(shared.opts, option, default), default, minimum, maximum)


def _add(
    key: str, default: object, label: str, info: str, **component: object
) -> shared.OptionInfo:
    option = shared.OptionInfo(default, label, section=SECTION, **component).info(info)
    shared.opts.add_option(key, option)
    return option
