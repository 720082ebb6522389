"""A neighbour that generates inside a generation.

It makes every picture once more by img2img, as face fixers do: with the outer one's scripts without
FABRIC, and the outer one's arguments; or another picture in the midst of it, between the passes or
within a step. Or it processes a copy of the outer one, with all its scripts, between its batches or
within a step.
"""

import copy

import gradio as gr
from modules import processing, script_callbacks, scripts
from PIL import Image

OFF, AFTER, WHILE_SAMPLING, IN_A_STEP = "off", "after sampling", "while sampling", "in a step"
COPY, PLAIN_COPY = "copy between batches", "copy without FABRIC between batches"
COPY_IN_A_STEP = "copy in a step"
CHOICES = [OFF, AFTER, WHILE_SAMPLING, IN_A_STEP, COPY, PLAIN_COPY, COPY_IN_A_STEP]
registered = []


class SecondPassScript(scripts.Script):
    def title(self):
        return "Second pass"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return [gr.Radio(CHOICES, value=OFF, label="When")]

    def postprocess_image(self, p, pp, when):
        if when == AFTER and not getattr(p, "is_second_pass", False):
            pp.image = second_pass(p, pp.image)

    def postprocess_batch(self, p, when, *args, **kwargs):
        if when in (COPY, PLAIN_COPY) and not getattr(p, "is_second_pass", False):
            p.of_copies = [*getattr(p, "of_copies", []), *processed_copy(p, when == COPY)]

    def before_hr(self, p, when):
        if when == WHILE_SAMPLING:
            p.second_picture = second_pass(p, Image.new("RGB", (64, 64), "red"))

    def process(self, p, when):
        if when not in (IN_A_STEP, COPY_IN_A_STEP) or getattr(p, "is_second_pass", False):
            return
        p.second_in_step, p.is_copied_in_step = 3, when == COPY_IN_A_STEP
        if not registered:
            # Not when it is loaded: it is to come after everybody else's.
            script_callbacks.on_cfg_denoiser(on_cfg_denoiser)
            registered.append(on_cfg_denoiser)

    def postprocess(self, p, processed, when):
        if hasattr(p, "second_picture"):
            processed.images.append(p.second_picture)
            processed.infotexts.append("second pass")
        for picture, infotext in getattr(p, "of_copies", []):
            processed.images.append(picture)
            processed.infotexts.append(infotext)


def on_cfg_denoiser(params):
    p = params.denoiser.p
    if params.denoiser.step == getattr(p, "second_in_step", None):
        p.second_in_step = None
        if p.is_copied_in_step:
            p.of_copies = processed_copy(p, True)
        else:
            p.second_picture = second_pass(p, Image.new("RGB", (64, 64), "red"))


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
    inner.scripts = without_fabric(p.scripts)
    inner.script_args = copy.copy(p.script_args)
    return processing.process_images(inner).images[0]


def processed_copy(p, has_fabric):
    """The pictures of a copy with another seed, with their infotexts."""
    inner = copy.copy(p)
    inner.is_second_pass, inner.of_copies = True, []
    inner.n_iter, inner.seed = 1, 5
    if not has_fabric:
        inner.scripts = without_fabric(p.scripts)
    processed = processing.process_images(inner)
    return list(zip(processed.images, processed.infotexts, strict=True))


def without_fabric(runner):
    fewer = copy.copy(runner)
    fewer.alwayson_scripts = [
        script for script in runner.alwayson_scripts if script.title() != "FABRIC"
    ]
    # The host remembers hooks by how many scripts there are.
    fewer.callback_map = {}
    return fewer
