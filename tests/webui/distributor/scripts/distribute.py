"""A neighbour that lets another machine make the same picture, as Distributed shares a batch out.

Like it, it sends every script's arguments as they are on the processing object before `process`,
and is known by its title. What the other machine made comes last in the answer.
"""

import base64
import io

import gradio as gr
import httpx
from modules import scripts
from PIL import Image


class DistributeScript(scripts.Script):
    def title(self):
        return "Distribute"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return [gr.Textbox(label="Address of the other machine")]

    def before_process(self, p, address):
        p.remote = None
        if not address:
            return
        packed = {
            script.title(): {"args": list(p.script_args[script.args_from : script.args_to])}
            for script in p.scripts.alwayson_scripts
            if script.title() == "FABRIC"
        }
        names = ("prompt", "seed", "steps", "cfg_scale", "sampler_name", "width", "height")
        body = {name: getattr(p, name) for name in names} | {"alwayson_scripts": packed}
        p.remote = httpx.post(f"{address}/sdapi/v1/txt2img", json=body, timeout=120).json()

    def postprocess(self, p, processed, address):
        if p.remote is not None:
            data = base64.b64decode(p.remote["images"][0])
            processed.images.append(Image.open(io.BytesIO(data)))
            processed.infotexts.append("made by the other machine")
