"""Takes FABRIC out of a running WebUI and puts it back, for `make bench ARGS=disabled`.

An extension for the stand-in, or for a real WebUI on a machine of one's own: anybody who reaches
the WebUI could use these routes.
"""

import time
from types import SimpleNamespace

from fastapi import Body
from modules import script_callbacks, scripts

TITLE = "FABRIC"
_taken = []


def _is_ours(filename):
    return filename is not None and filename.replace("\\", "/").endswith("/scripts/fabric.py")


def _lists():
    """Every list of the host that FABRIC is in because of what it does in generations."""
    for runner in (scripts.scripts_txt2img, scripts.scripts_img2img):
        yield runner.alwayson_scripts, lambda script: script.title() == TITLE
    for category in ("cfg_denoiser", "cfg_denoised"):
        callbacks = script_callbacks.callback_map[f"callbacks_{category}"]
        yield callbacks, lambda callback: _is_ours(callback.script)


def take_out():
    """Removes FABRIC from the host's lists; returns how many entries that were."""
    for entries, is_ours in _lists():
        for index in reversed(range(len(entries))):
            if is_ours(entries[index]):
                _taken.append((entries, index, entries.pop(index)))
    return len(_taken)


def put_back():
    """Undoes `take_out`."""
    while _taken:
        entries, index, entry = _taken.pop()
        entries.insert(index, entry)


def _microseconds(call, count):
    started = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - started) / count * 1e6


def costs():
    """Microseconds of what FABRIC does per request and per denoiser call while switched off."""
    runner = scripts.scripts_txt2img
    script = next(each for each in runner.alwayson_scripts if each.title() == TITLE)
    values = [control.value for control in runner.inputs[script.args_from : script.args_to]]
    p = SimpleNamespace(extra_generation_params={})
    callbacks = [
        callback.callback
        for category in ("cfg_denoiser", "cfg_denoised")
        for callback in script_callbacks.callback_map[f"callbacks_{category}"]
        if _is_ours(callback.script)
    ]

    def denoise():
        for callback in callbacks:
            callback(None)

    return {
        "request_us": _microseconds(lambda: script.process(p, *values), 500),
        "denoiser_call_us": _microseconds(denoise, 20000),
        "callbacks": len(callbacks),
    }


def add_routes(_demo, app):
    @app.post("/fabric-bench/installed")
    def installed(is_installed: bool = Body(..., embed=True)):
        if is_installed:
            put_back()
            return {"entries": 0}
        return {"entries": take_out()}

    @app.get("/fabric-bench/costs")
    def measure_costs():
        return costs()


script_callbacks.on_app_started(add_routes)
