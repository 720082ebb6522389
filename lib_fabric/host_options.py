"""The FABRIC section of the host's Settings page, and what it says. Knows `modules.shared`.

config.json and the API may hold anything in an option, so values are checked where they are read.
"""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from modules import paths_internal, shared

from lib_fabric.infotext import SETTINGS_AND_PICTURES, WANTED

SECTION = ("fabric", "FABRIC")
# A folder whose name starts with a dot: the WebUI serves every other file below its data folder
# to whoever may open the page.
LIBRARY_FOLDER = ".fabric"
DEFAULT_STORE_MB = 4096
_MOST_STORE_MB = 1_048_576
_MEGABYTE = 2**20
_KEY_INFO = "one key; empty for none"


def add_options() -> None:
    """Adds what concerns pictures, keys and infotext."""
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
    _add("fabric_key_like", "L", "Key to like a picture", _KEY_INFO)
    _add("fabric_key_dislike", "D", "Key to dislike a picture", _KEY_INFO)
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
    # A relative path is one below the data folder; `/` keeps an absolute one as it is.
    return Path(paths_internal.data_path) / Path(chosen or LIBRARY_FOLDER).expanduser()


def max_store_bytes() -> int | None:
    """How much room rated pictures may take; None for no limit."""
    value = getattr(shared.opts, "fabric_store_mb", DEFAULT_STORE_MB)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        value = DEFAULT_STORE_MB
    megabytes = min(max(value, 0), _MOST_STORE_MB)
    return int(megabytes * _MEGABYTE) or None


def infotext_wanted() -> str:
    """Which part of a request goes into infotext: one of `infotext.WANTED`."""
    wanted = getattr(shared.opts, "fabric_infotext", SETTINGS_AND_PICTURES)
    return wanted if wanted in WANTED else SETTINGS_AND_PICTURES


def _add(
    key: str, default: object, label: str, info: str, **component: object
) -> shared.OptionInfo:
    option = shared.OptionInfo(default, label, section=SECTION, **component).info(info)
    shared.opts.add_option(key, option)
    return option
