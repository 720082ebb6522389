"""An extension for tests of the host itself: notes in which order what is called.

`GET /probe/events` tells and forgets. The script's argument names a hook that shall raise.
"""

import gradio as gr
from modules import script_callbacks, scripts

EVENTS = []
BASEDIR = scripts.basedir()


def note(name, *details):
    EVENTS.append([name, *details])


class ProbeScript(scripts.Script):
    def title(self):
        return "Probe"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        note("ui", is_img2img, scripts.basedir() == BASEDIR)
        return [gr.Textbox(label="Raise in", value="")]


def _recorder(hook):
    def call(self, p, *args, **kwargs):
        raise_in = next((a for a in args if isinstance(a, str)), "")
        details = ["hires"] if p.is_hr_pass else []
        note(hook, *details, *sorted(kwargs))
        if raise_in == hook:
            raise ValueError(f"probe in {hook}")

    return call


HOOKS = """
    setup before_process process before_process_batch after_extra_networks_activate
    process_batch process_before_every_sampling before_hr post_sample postprocess_batch
    postprocess_batch_list postprocess_image postprocess_maskoverlay
    postprocess_image_after_composite postprocess
"""
for _hook in HOOKS.split():
    setattr(ProbeScript, _hook, _recorder(_hook))


def on_denoiser(params):
    rows = [len(params.x), len(params.sigma), len(params.text_cond), len(params.text_uncond)]
    note("cfg_denoiser", rows, type(params.denoiser).__name__, round(float(params.sigma[0]), 3))


def on_app_started(demo, app):
    def events():
        told = list(EVENTS)
        EVENTS.clear()
        return told

    app.add_api_route("/probe/events", events, methods=["GET"])


script_callbacks.on_app_started(on_app_started)
script_callbacks.on_cfg_denoiser(on_denoiser)
script_callbacks.on_cfg_denoised(lambda params: note("cfg_denoised", len(params.x)))
script_callbacks.on_cfg_after_cfg(lambda params: note("cfg_after_cfg", len(params.x)))
script_callbacks.on_script_unloaded(lambda: note("script_unloaded"))
