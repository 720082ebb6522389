"""Scripts of extensions: their base class, loading, and the runner that calls their hooks.

Every exception in a script is printed and swallowed here, exactly where the host does so.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from modules import errors, paths, script_callbacks, script_loading
from modules.script_args import (
    MaskBlendArgs,
    PostprocessBatchListArgs,
    PostprocessImageArgs,
    PostProcessMaskOverlayArgs,
    PostSampleArgs,
)

AlwaysVisible = object()

ScriptFile = namedtuple("ScriptFile", ["basedir", "filename", "path"])
ScriptClassData = namedtuple("ScriptClassData", ["script_class", "path", "basedir", "module"])


@dataclass
class OnComponent:
    """What a component hook receives."""

    component: gr.blocks.Block


class Script:
    """Base class of scripts. Hooks that a class does not override are never called."""

    name = None
    section = None
    filename = None
    args_from = None
    args_to = None
    alwayson = False
    is_txt2img = False
    is_img2img = False
    tabname = None
    group = None
    create_group = True
    infotext_fields = None
    paste_field_names = None
    api_info = None
    on_before_component_elem_id = None
    on_after_component_elem_id = None
    setup_for_ui_only = False
    controls = None

    def title(self) -> str:
        """The name shown to the user; lower case, it is the name in the API."""
        raise NotImplementedError

    def ui(self, is_img2img: bool) -> list | None:
        """Makes the components and returns those whose values the hooks receive."""

    def show(self, is_img2img: bool) -> object:
        """False: not in this tab; True: in the drop-down; AlwaysVisible: always."""
        return True

    def run(self, p: object, *args: object) -> object:
        """Replaces the generation, for scripts chosen in the drop-down."""

    def setup(self, p: object, *args: object) -> None:
        """`p` has its arguments; nothing has begun."""

    def before_process(self, p: object, *args: object) -> None:
        """Before override settings and the model switch."""

    def process(self, p: object, *args: object) -> None:
        """Prompts and seeds are known; `p.init` has not run."""

    def before_process_batch(self, p: object, *args: object, **kwargs: object) -> None:
        """A batch begins; `p.rng` exists."""

    def after_extra_networks_activate(self, p: object, *args: object, **kwargs: object) -> None:
        """Extra networks are active; before the prompts are encoded."""

    def process_before_every_sampling(self, p: object, *args: object, **kwargs: object) -> None:
        """Before each pass; `x`, `noise`, `c`, `uc` in kwargs."""

    def process_batch(self, p: object, *args: object, **kwargs: object) -> None:
        """Before the batch's prompts are encoded."""

    def postprocess_batch(self, p: object, *args: object, **kwargs: object) -> None:
        """The batch is decoded; `images` is a tensor B x 3 x H x W in 0..1."""

    def postprocess_batch_list(
        self, p: object, pp: PostprocessBatchListArgs, *args: object, **kwargs: object
    ) -> None:
        """As `postprocess_batch`, with a list that may be changed."""

    def on_mask_blend(self, p: object, mba: MaskBlendArgs, *args: object) -> None:
        """Inpainting: the original is blended in."""

    def post_sample(self, p: object, ps: PostSampleArgs, *args: object) -> None:
        """`p.sample` is done; latents, or decoded pictures after hires fix."""

    def postprocess_image(self, p: object, pp: PostprocessImageArgs, *args: object) -> None:
        """Each picture."""

    def postprocess_maskoverlay(
        self, p: object, ppmo: PostProcessMaskOverlayArgs, *args: object
    ) -> None:
        """Each picture, before the overlay of inpainting."""

    def postprocess_image_after_composite(
        self, p: object, pp: PostprocessImageArgs, *args: object
    ) -> None:
        """Each picture, after the overlay of inpainting."""

    def postprocess(self, p: object, processed: object, *args: object) -> None:
        """All is done and nothing raised."""

    def before_hr(self, p: object, *args: object) -> None:
        """The second pass of hires fix begins."""

    def before_component(self, component: object, **kwargs: object) -> None:
        """Any component of this tab is about to be made."""

    def after_component(self, component: object, **kwargs: object) -> None:
        """Any component of this tab was made."""

    def on_before_component(self, callback: Callable, *, elem_id: str) -> None:
        """Registers `callback(OnComponent)` before the component with this id is made."""
        self.on_before_component_elem_id = self.on_before_component_elem_id or []
        self.on_before_component_elem_id.append((elem_id, callback))

    def on_after_component(self, callback: Callable, *, elem_id: str) -> None:
        """Registers `callback(OnComponent)` after the component with this id was made."""
        self.on_after_component_elem_id = self.on_after_component_elem_id or []
        self.on_after_component_elem_id.append((elem_id, callback))

    def describe(self) -> str:
        """Not used by the host any more."""
        return ""

    def elem_id(self, item_id: str) -> str:
        """An element id made of tab, title and item."""
        both_tabs = self.show(True) == self.show(False)
        tab = ("img2img_" if self.is_img2img else "txt2img_") if both_tabs else ""
        title = re.sub(r"[^a-z_0-9]", "", re.sub(r"\s", "_", self.title().lower()))
        return f"script_{tab}{title}_{item_id}"


class ScriptBuiltinUI(Script):
    """A part of the page that the host itself makes as a script."""

    setup_for_ui_only = True

    def elem_id(self, item_id: str) -> str:
        """An element id made of tab and item."""
        return f"{self.tabname}_{item_id}"

    def show(self, is_img2img: bool) -> object:
        """Always there."""
        return AlwaysVisible


scripts_data: list[ScriptClassData] = []
scripts_txt2img = None
scripts_img2img = None
scripts_current = None
current_basedir = paths.script_path


def basedir() -> str:
    """The extension's folder while its file is executed; the host's root at any other time."""
    return current_basedir


def list_scripts(
    scriptdirname: str, extension: str, *, include_extensions: bool = True
) -> list[ScriptFile]:
    """Files of the host's folder, then of each extension's."""
    from modules import extensions

    root = Path(paths.script_path, scriptdirname)
    own = sorted(f for f in root.glob(f"*{extension}") if f.name != "__init__.py")
    found = [ScriptFile(paths.script_path, f.name, str(f)) for f in own]
    if include_extensions:
        for ext in extensions.active():
            found += ext.list_files(scriptdirname, extension)
    return found


def list_files_with_name(filename: str) -> list[str]:
    """Files of this name at the root of the host and of each extension."""
    from modules import extensions

    roots = [paths.script_path, *(ext.path for ext in extensions.active())]
    return [str(Path(root, filename)) for root in roots if Path(root, filename).is_file()]


def _register(module: types.ModuleType, scriptfile: ScriptFile) -> None:
    for found in vars(module).values():
        if inspect.isclass(found) and issubclass(found, Script):
            data = ScriptClassData(found, scriptfile.path, scriptfile.basedir, module)
            scripts_data.append(data)


def load_scripts() -> None:
    """Executes every script file. Callbacks of before are forgotten, `sys.modules` is kept."""
    global current_basedir, scripts_txt2img, scripts_img2img
    scripts_data.clear()
    script_callbacks.clear_callbacks()
    files = list_scripts("scripts", ".py")
    files += list_scripts("modules/processing_scripts", ".py", include_extensions=False)
    syspath = sys.path
    for scriptfile in files:
        try:
            if scriptfile.basedir != paths.script_path:
                sys.path = [scriptfile.basedir, *sys.path]
            current_basedir = scriptfile.basedir
            _register(script_loading.load_module(scriptfile.path), scriptfile)
        except Exception:  # noqa: BLE001  (the host swallows here)
            errors.report(f"Error loading script: {scriptfile.filename}", exc_info=True)
        finally:
            sys.path = syspath  # the old list object: what a script inserted is lost
            current_basedir = paths.script_path
    scripts_txt2img = ScriptRunner()
    scripts_img2img = ScriptRunner()


# at the end: the runner needs what is above, and the host has it in this file
from modules.script_runner import ScriptRunner  # noqa: E402
