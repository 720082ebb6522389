"""A neighbour that lets other machines make a part of each batch, as Distributed does.

Like it, it is known by its title, keeps its workers and jobs in a `world`, sends every script's
arguments as they are on the processing object before `process`, in a deep copy of the object's
attributes, to each machine that has such a script, and what a machine has made joins the last
batch. As a thin client it makes nothing itself, and `process` is never called.

Its argument is JSON: {"workers": {label: address}, "thin": false, "enabled": true}.
`POST /distributor/sent` tells and forgets what FABRIC's arguments were that it sent.
"""

import base64
import copy
import io
import json
import threading

import gradio as gr
import httpx
import numpy as np
import torch
from modules import processing, script_callbacks, scripts
from PIL import Image

PATIENCE_S = 120
sent = []


class Worker:
    def __init__(self, label, address=None):
        self.label, self.address, self.master = label, address, address is None
        self.response = None
        # Asked once, so that it is not noticed when a machine loses one.
        self.supported_scripts = {"txt2img": [], "img2img": []}
        for script in [] if self.master else httpx.get(f"{address}/sdapi/v1/script-info").json():
            tab = "img2img" if script["is_img2img"] else "txt2img"
            self.supported_scripts[tab].append(script["name"])

    def request(self, payload):
        known = self.supported_scripts["txt2img"]
        given = {
            title: each
            for title, each in payload["alwayson_scripts"].items()
            if title.lower() in known
        }
        answer = httpx.post(
            f"{self.address}/sdapi/v1/txt2img",
            content=json.dumps({**payload, "alwayson_scripts": given}),
            timeout=PATIENCE_S,
        )
        self.response = answer.json() if answer.status_code == 200 else None


class Job:
    def __init__(self, worker, batch_size):
        self.worker, self.batch_size = worker, batch_size
        self.thread, self.gallery_map = None, []


class World:
    def __init__(self):
        self.p, self.jobs, self.known = None, [], {}
        self.enabled = self.enabled_i2i = True
        self.thin_client_mode = False

    def update(self, p, told):
        self.p, self.thin_client_mode = p, told.get("thin", False)
        for label, address in told["workers"].items():
            if label not in self.known:
                self.known[label] = Worker(label, address)
        others = [self.known[label] for label in told["workers"]]
        workers = others if self.thin_client_mode else [Worker("master"), *others]
        each, rest = divmod(p.batch_size, len(workers))
        sizes = [each + (place < rest) for place in range(len(workers))]
        pairs = zip(workers, sizes, strict=True)
        self.jobs = [Job(worker, size) for worker, size in pairs if size or worker.master]


class DistributeScript(scripts.Script):
    world = World()

    def title(self):
        return "Distribute"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return [gr.Textbox(label="Distribute", elem_id=self.elem_id("workers"))]

    def before_process(self, p, told):
        told = json.loads(told or '{"workers": {}}')
        self.world.enabled = told.get("enabled", True)
        self.inner = processing.process_images_inner
        if not (self.world.enabled and told["workers"]):
            self.world.p, self.world.jobs = None, []
            return
        packed = {
            script.title(): {"args": list(p.script_args[script.args_from : script.args_to])}
            for script in p.scripts.scripts
            if script.alwayson is True
        }
        names = ("prompt", "steps", "cfg_scale", "sampler_name", "width", "height", "n_iter")
        payload = {name: getattr(p, name) for name in names} | {"alwayson_scripts": packed}
        # All that lies on the object goes along, what other extensions have put there, too.
        payload |= {name: each for name, each in vars(p).items() if name.startswith("_")}
        processing.fix_seed(p)
        self.world.update(p, told)
        if len(self.world.jobs) == 1 and self.world.jobs[0].worker.master:
            return
        before = 0
        for job in self.world.jobs:
            own = copy.deepcopy(payload)
            if not job.worker.master:
                sent.append(own["alwayson_scripts"].get("FABRIC"))
                own |= {"batch_size": job.batch_size, "seed": p.seed + before}
                job.thread = threading.Thread(target=job.worker.request, args=(own,))
                job.thread.start()
            before += job.batch_size * p.n_iter
        if self.world.thin_client_mode:
            processing.process_images_inner = self.collect_alone
        else:
            p.batch_size = self.world.jobs[0].batch_size

    def collect_alone(self, p):
        p.seeds, p.subseeds, p.negative_prompts, p.prompts = [], [], [], []
        pp = scripts.PostprocessBatchListArgs([])
        p.scripts.postprocess_batch_list(p, pp, batch_number=p.n_iter - 1)
        processed = processing.Processed(p, [], p.seed, info="")
        processed.images = [
            Image.fromarray((each * 255).byte().movedim(0, 2).numpy()) for each in pp.images
        ]
        processed.infotexts = [""] * len(pp.images)
        p.scripts.postprocess(p, processed)
        return processed

    def postprocess_batch_list(self, p, pp, told, batch_number):
        if self.world.p is not p or batch_number != p.n_iter - 1:
            return
        num_local = 0 if self.world.thin_client_mode else p.n_iter * p.batch_size
        for job in self.world.jobs:
            if job.thread is not None:
                job.thread.join()
            if job.worker.response is None:
                continue
            info = json.loads(job.worker.response["info"])
            p.seeds += info["all_seeds"]
            p.subseeds += info["all_subseeds"]
            p.prompts += info["all_prompts"]
            p.negative_prompts += info["all_negative_prompts"]
            for text in job.worker.response["images"]:
                made = len(pp.images) - (0 if self.world.thin_client_mode else p.batch_size)
                job.gallery_map.append(num_local + made)
                pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))
                pp.images.append(torch.tensor(pixels).movedim(2, 0) / 255)
        p.batch_size = len(pp.images)

    def postprocess(self, p, processed, told):
        processing.process_images_inner = self.inner
        if self.world.p is not p:
            return
        first = processed.index_of_first_image
        for job in self.world.jobs:
            for place, index in enumerate(job.gallery_map):
                infotexts = json.loads(job.worker.response["info"])["infotexts"]
                text = f"{infotexts[place]}, Worker Label: {job.worker.label}"
                processed.infotexts[first + index] = text
            job.worker.response = None


def on_app_started(demo, app):
    def tell():
        told = list(sent)
        sent.clear()
        return told

    app.add_api_route("/distributor/sent", tell, methods=["POST"])


script_callbacks.on_app_started(on_app_started)
