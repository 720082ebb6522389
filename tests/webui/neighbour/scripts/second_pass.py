"""A neighbour that makes every picture once more by img2img, as face fixers do.

Its inner generation gets the outer one's scripts without FABRIC, with the outer one's arguments.
"""

import copy

import gradio as gr
from modules import processing, scripts
from PIL import Image

OFF, AFTER, WHILE_SAMPLING = "off", "after sampling", "while sampling"


class SecondPassScript(scripts.Script):
    def title(self):
        return "Second pass"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return [gr.Radio([OFF, AFTER, WHILE_SAMPLING], value=OFF, label="When")]

    def postprocess_image(self, p, pp, when):
        if when == AFTER and not getattr(p, "is_second_pass", False):
            pp.image = second_pass(p, pp.image)

    def before_hr(self, p, when):
        if when == WHILE_SAMPLING:
            p.second_picture = second_pass(p, Image.new("RGB", (64, 64), "red"))

    def postprocess(self, p, processed, when):
        if when == WHILE_SAMPLING:
            processed.images.append(p.second_picture)
            processed.infotexts.append("second pass")


def second_pass(p, image):
    inner = processing.StableDiffusionProcessingImg2Img(
        sd_model=p.sd_model,
        init_images=[image],
        denoising_strength=0.6,
        prompt="a circle",
        seed=5,
        sampler_name="Euler a",
        steps=8,
        cfg_scale=4,
        width=64,
        height=64,
        do_not_save_samples=True,
        do_not_save_grid=True,
    )
    inner.is_second_pass = True
    # Else the page's seed, steps and sampler would replace those above.
    inner.is_api = True
    inner.scripts = copy.copy(p.scripts)
    inner.scripts.alwayson_scripts = [
        script for script in p.scripts.alwayson_scripts if script.title() != "FABRIC"
    ]
    inner.script_args = copy.copy(p.script_args)
    return processing.process_images(inner).images[0]
