"""A neighbour that queues requests, as Agent Scheduler does, and runs them by the API's own code.

Like it, it starts a task of its own around the request, and waits until no task is under way. Its
first route takes a request as the API does, its second what the page's last Generate gave FABRIC.
"""

import threading
import time

from fastapi import Body, FastAPI
from modules import call_queue, progress, script_callbacks, scripts
from modules.api.api import Api
from modules.api.models import StableDiffusionTxt2ImgProcessingAPI

STEP_S = 0.05
jobs = []
from_page = []
lock = threading.Lock()


class SchedulerScript(scripts.Script):
    def title(self):
        return "Scheduler"

    def show(self, is_img2img):
        return scripts.AlwaysVisible

    def ui(self, is_img2img):
        return []

    def process(self, p):
        for script in p.scripts.alwayson_scripts:
            if script.title() == "FABRIC" and not p.is_api:
                from_page[:] = p.script_args[script.args_from : script.args_to]


def run_all():
    api = Api(FastAPI(), call_queue.queue_lock)
    while True:
        job = next((each for each in jobs if each["state"] == "pending"), None)
        if job is None or progress.current_task is not None:
            time.sleep(STEP_S)
            continue
        run(api, job)


def run(api, job):
    progress.start_task(job["id"])
    try:
        answer = api.text2imgapi(StableDiffusionTxt2ImgProcessingAPI(**job["request"]))
        job.update(state="done", images=answer.images, info=answer.info)
    except Exception as error:  # noqa: BLE001 (told)
        job.update(state="failed", error=str(error))
    finally:
        progress.finish_task(job["id"])


def add(request):
    with lock:
        if not jobs:
            threading.Thread(target=run_all, daemon=True).start()
        jobs.append({"id": f"job {len(jobs)}", "state": "pending", "request": request})
        return len(jobs) - 1


def on_app_started(demo, app):
    def add_request(request: dict = Body()):  # noqa: B008 (how FastAPI is told)
        return add(request)

    def add_from_page(request: dict = Body()):  # noqa: B008 (as above)
        return add({**request, "alwayson_scripts": {"FABRIC": {"args": list(from_page)}}})

    def tell(number: int):
        return jobs[number]

    app.add_api_route("/scheduler", add_request, methods=["POST"])
    app.add_api_route("/scheduler/page", add_from_page, methods=["POST"])
    app.add_api_route("/scheduler/{number}", tell, methods=["GET"])


script_callbacks.on_app_started(on_app_started)
