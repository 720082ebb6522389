"""Makes one instance of each script per tab, builds their part of the page, calls their hooks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gradio as gr
from modules import errors, script_callbacks, scripts, shared
from modules.scripts import OnComponent, Script


def _try(what: str, func: Callable, *args: object, **kwargs: object) -> object:
    """Calls; an exception is printed and swallowed, and the result is then None."""
    try:
        return func(*args, **kwargs)
    except Exception:  # noqa: BLE001  (the host swallows here)
        errors.report(what, exc_info=True)
    return None


class ScriptRunner:
    """The scripts of one tab. `inputs` is the list of components behind `p.script_args`."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.selectable_scripts: list[Script] = []
        self.alwayson_scripts: list[Script] = []
        self.titles: list[str] = []
        self.title_map: dict[str, Script] = {}
        self.infotext_fields: list = []
        self.paste_field_names: list[str] = []
        self.inputs: list = [None]
        self.callback_map: dict[str, tuple[int, list]] = {}
        self.on_before_component_elem_id: dict[str, list] = {}
        self.on_after_component_elem_id: dict[str, list] = {}

    def initialize_scripts(self, is_img2img: bool) -> None:
        """Makes the instances."""
        self.scripts.clear()
        self.alwayson_scripts.clear()
        self.selectable_scripts.clear()
        for data in scripts.scripts_data:
            script = _try(f"Error # failed to initialize Script {data.path}", data.script_class)
            if script is None:
                continue
            script.filename = data.path
            script.is_txt2img, script.is_img2img = not is_img2img, is_img2img
            script.tabname = "img2img" if is_img2img else "txt2img"
            visibility = script.show(script.is_img2img)
            if not visibility:
                continue
            self.scripts.append(script)
            script.alwayson = visibility == scripts.AlwaysVisible
            kind = self.alwayson_scripts if script.alwayson else self.selectable_scripts
            kind.append(script)
        self.callback_map.clear()
        self.apply_on_before_component_callbacks()

    def apply_on_before_component_callbacks(self) -> None:
        """Takes over the component hooks that scripts have registered so far."""
        for script in self.scripts:
            for registered, known in (
                (script.on_before_component_elem_id, self.on_before_component_elem_id),
                (script.on_after_component_elem_id, self.on_after_component_elem_id),
            ):
                for elem_id, callback in registered or []:
                    known.setdefault(elem_id, []).append((callback, script))
                if registered:
                    registered.clear()

    def create_script_ui(self, script: Script) -> None:
        """Builds one script's part of the page; on failure the script gets no arguments."""
        script.args_from = script.args_to = len(self.inputs)
        _try(f"Error creating UI for {script.name}", self.create_script_ui_inner, script)

    def create_script_ui_inner(self, script: Script) -> None:
        """As `create_script_ui`, but raising."""
        from modules.api import models

        controls = _try(f"Error calling: {script.filename}/ui", script.ui, script.is_img2img)
        script.controls = controls
        if controls is None:
            return
        title = _try(f"Error calling: {script.filename}/title", script.title)
        script.name = (title or script.filename).lower()
        for control in controls:
            control.custom_script_source = Path(script.filename).name
        script.api_info = models.ScriptInfo(
            name=script.name,
            is_img2img=script.is_img2img,
            is_alwayson=script.alwayson,
            args=[models.describe_control(control) for control in controls],
        )
        self.infotext_fields += script.infotext_fields or []
        self.paste_field_names += script.paste_field_names or []
        self.inputs += controls
        script.args_to = len(self.inputs)

    def setup_ui_for_section(self, section: str | None, scriptlist: list | None = None) -> None:
        """Builds the scripts that asked for this section of the page."""
        for script in self.alwayson_scripts if scriptlist is None else scriptlist:
            if script.alwayson and script.section != section:
                continue
            if not script.create_group:
                self.create_script_ui(script)
                continue
            with gr.Group(visible=script.alwayson) as group:
                self.create_script_ui(script)
            script.group = group

    def prepare_ui(self) -> None:
        """Starts the list of inputs; its first is the drop-down."""
        self.inputs = [None]

    def setup_ui(self) -> list:
        """Builds the block "scripts" and returns the inputs."""
        for script in self.scripts:
            title = _try(f"Error calling: {script.filename}/title", script.title)
            self.title_map[(title or script.filename).lower()] = script
        self.titles = [script.title() for script in self.selectable_scripts]
        self.setup_ui_for_section(None)
        dropdown = gr.Dropdown(
            label="Script",
            elem_id="script_list",
            choices=["None", *self.titles],
            value="None",
            type="index",
        )
        self.inputs[0] = dropdown
        self.setup_ui_for_section(None, self.selectable_scripts)
        dropdown.change(
            fn=self._show_selected,
            inputs=[dropdown],
            outputs=[script.group for script in self.selectable_scripts],
        )
        self.infotext_fields.append((dropdown, lambda d: gr.update(value=d.get("Script", "None"))))
        self.apply_on_before_component_callbacks()
        return self.inputs

    def _show_selected(self, index: int | None) -> list:
        return [gr.update(visible=i + 1 == index) for i in range(len(self.selectable_scripts))]

    def script(self, title: str) -> Script | None:
        """The script with this title."""
        return self.title_map.get(title.lower())

    def run(self, p: object, *args: object) -> object:
        """Runs the script chosen in the drop-down; None if none is. Exceptions pass."""
        index = args[0]
        if not index:
            return None
        script = self.selectable_scripts[index - 1]
        processed = script.run(p, *args[script.args_from : script.args_to])
        shared.total_tqdm.clear()
        return processed

    def list_scripts_for_method(self, method_name: str) -> list[Script]:
        """The scripts a hook is called for."""
        everyone = method_name in ("before_component", "after_component")
        return self.scripts if everyone else self.alwayson_scripts

    def create_ordered_callbacks_list(
        self, method_name: str, *, enable_user_sort: bool = True
    ) -> list:
        """Scripts whose *class* overrides the hook, in order."""
        category = f"script_{method_name}"
        found: list = []
        for script in self.list_scripts_for_method(method_name):
            if getattr(type(script), method_name, None) != getattr(Script, method_name, None):
                script_callbacks.add_callback(
                    found,
                    script,
                    category=category,
                    name=type(script).__name__,
                    filename=script.filename,
                )
        return script_callbacks.sort_callbacks(category, found, enable_user_sort=enable_user_sort)

    def ordered_callbacks(self, method_name: str, *, enable_user_sort: bool = True) -> list:
        """As `create_ordered_callbacks_list`, kept until the number of scripts changes."""
        count = len(self.list_scripts_for_method(method_name))
        known = self.callback_map.get(method_name)
        if known is None or known[0] != count:
            found = self.create_ordered_callbacks_list(
                method_name, enable_user_sort=enable_user_sort
            )
            known = self.callback_map[method_name] = (count, found)
        return known[1]

    def ordered_scripts(self, method_name: str) -> list[Script]:
        """The scripts to call for a hook."""
        return [c.callback for c in self.ordered_callbacks(method_name)]

    def _hook(self, method: str, p: object, *first: object, **kwargs: object) -> None:
        for script in self.ordered_scripts(method):
            self._call(script, method, p, *first, **kwargs)

    @staticmethod
    def _call(script: Script, method: str, p: object, *first: object, **kwargs: object) -> None:
        def call() -> None:
            args = p.script_args[script.args_from : script.args_to]
            getattr(script, method)(p, *first, *args, **kwargs)

        _try(f"Error running {method}: {script.filename}", call)

    def setup_scrips(self, p: object, *, is_ui: bool = True) -> None:
        """Hook `setup`; not for the page's own parts when the API asks."""
        for script in self.ordered_scripts("setup"):
            if is_ui or not script.setup_for_ui_only:
                self._call(script, "setup", p)

    def before_process(self, p: object) -> None:
        """Hook of this name."""
        self._hook("before_process", p)

    def process(self, p: object) -> None:
        """Hook of this name."""
        self._hook("process", p)

    def process_before_every_sampling(self, p: object, **kwargs: object) -> None:
        """Hook of this name."""
        self._hook("process_before_every_sampling", p, **kwargs)

    def before_process_batch(self, p: object, **kwargs: object) -> None:
        """Hook of this name."""
        self._hook("before_process_batch", p, **kwargs)

    def after_extra_networks_activate(self, p: object, **kwargs: object) -> None:
        """Hook of this name."""
        self._hook("after_extra_networks_activate", p, **kwargs)

    def process_batch(self, p: object, **kwargs: object) -> None:
        """Hook of this name."""
        self._hook("process_batch", p, **kwargs)

    def postprocess(self, p: object, processed: object) -> None:
        """Hook of this name."""
        self._hook("postprocess", p, processed)

    def postprocess_batch(self, p: object, images: object, **kwargs: object) -> None:
        """Hook of this name."""
        self._hook("postprocess_batch", p, images=images, **kwargs)

    def postprocess_batch_list(self, p: object, pp: object, **kwargs: object) -> None:
        """Hook of this name."""
        self._hook("postprocess_batch_list", p, pp, **kwargs)

    def post_sample(self, p: object, ps: object) -> None:
        """Hook of this name."""
        self._hook("post_sample", p, ps)

    def on_mask_blend(self, p: object, mba: object) -> None:
        """Hook of this name."""
        self._hook("on_mask_blend", p, mba)

    def postprocess_image(self, p: object, pp: object) -> None:
        """Hook of this name."""
        self._hook("postprocess_image", p, pp)

    def postprocess_maskoverlay(self, p: object, ppmo: object) -> None:
        """Hook of this name."""
        self._hook("postprocess_maskoverlay", p, ppmo)

    def postprocess_image_after_composite(self, p: object, pp: object) -> None:
        """Hook of this name."""
        self._hook("postprocess_image_after_composite", p, pp)

    def before_hr(self, p: object) -> None:
        """Hook of this name."""
        self._hook("before_hr", p)

    def before_component(self, component: object, **kwargs: object) -> None:
        """Component hooks, those by id first."""
        for callback, script in self.on_before_component_elem_id.get(kwargs.get("elem_id"), []):
            what = f"Error running on_before_component: {script.filename}"
            _try(what, callback, OnComponent(component=component))
        for script in self.ordered_scripts("before_component"):
            what = f"Error running before_component: {script.filename}"
            _try(what, script.before_component, component, **kwargs)

    def after_component(self, component: object, **kwargs: object) -> None:
        """Component hooks, those by id first."""
        for callback, script in self.on_after_component_elem_id.get(component.elem_id, []):
            what = f"Error running on_after_component: {script.filename}"
            _try(what, callback, OnComponent(component=component))
        for script in self.ordered_scripts("after_component"):
            what = f"Error running after_component: {script.filename}"
            _try(what, script.after_component, component, **kwargs)

    def set_named_arg(
        self, args: list, script_name: str, arg_elem_id: str, value: object, fuzzy: bool = False
    ) -> list | tuple:
        """A copy of `args` with one script's argument, found by element id, replaced."""
        script = next((x for x in self.scripts if x.name == script_name), None)
        if script is None:
            raise RuntimeError(f"script {script_name} not found")
        for i, control in enumerate(script.controls):
            same = arg_elem_id in control.elem_id if fuzzy else arg_elem_id == control.elem_id
            if same:
                changed = list(args)
                changed[script.args_from + i] = value
                return type(args)(changed)
        raise RuntimeError(f"arg_elem_id {arg_elem_id} not found in script {script_name}")
