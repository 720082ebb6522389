"""The server: builds the page and the API, and again at each Reload UI."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator

from fastapi import FastAPI

log = logging.getLogger(__name__)
_GRACE_S = 5.0


def create_api(app: FastAPI) -> object:
    """Adds /sdapi."""
    from modules.api.api import Api
    from modules.call_queue import queue_lock

    return Api(app, queue_lock)


def _quiet_output(quiet: bool) -> None:
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=level, format="%(levelname)s [%(name)s] %(message)s")
    for noisy in ("httpx", "httpcore", "matplotlib", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=UserWarning)
    warnings.filterwarnings("ignore", category=DeprecationWarning)


def _launch_page() -> FastAPI:
    """Builds the page and serves it; returns the app."""
    from modules import extensions, shared, ui

    cmd_opts = shared.cmd_opts
    shared.demo = ui.create_ui()
    if not cmd_opts.no_gradio_queue:
        shared.demo.queue(64)
    auth = [tuple(x.split(":", 1)) for x in (cmd_opts.gradio_auth or "").split(",") if x]
    app, _, _ = shared.demo.launch(
        share=False,
        server_name=cmd_opts.server_name or ("0.0.0.0" if cmd_opts.listen else "127.0.0.1"),
        server_port=cmd_opts.port,
        auth=auth or None,
        inbrowser=False,
        quiet=True,
        prevent_thread_lock=True,
        # in the host the first two lie below its working directory, which Gradio serves anyway
        allowed_paths=[
            shared.script_path,
            *(ext.path for ext in extensions.active()),
            *cmd_opts.gradio_allowed_path,
        ],
        show_api=False,
        app_kwargs={"docs_url": "/docs", "redoc_url": "/redoc"},
    )
    # Gradio lets any web page call it; the host takes that away
    app.user_middleware = [x for x in app.user_middleware if x.cls.__name__ != "CORSMiddleware"]
    return app


def _close(demo: object) -> None:
    """Ends the page's server, and what still waits for an answer after a while.

    The server waits for the end of every connection, and a page that was left open may hold one.
    """
    impatience = threading.Timer(_GRACE_S, lambda: setattr(demo.server, "force_exit", True))
    impatience.start()
    demo.close()
    impatience.cancel()


@contextlib.contextmanager
def _closed_for_setup(app: FastAPI) -> Iterator[None]:
    """Lets middleware and routes be added to an app that runs: requests wait until the end.

    In the host a request at the wrong moment makes the start fail; tests ask very early.
    """
    ready = threading.Event()
    build = app.build_middleware_stack

    def build_when_ready() -> object:
        ready.wait()
        return build()

    app.build_middleware_stack = build_when_ready
    app.middleware_stack = None
    try:
        yield
    finally:
        app.build_middleware_stack = build
        ready.set()


def webui() -> None:
    """Runs until it is stopped."""
    from modules import initialize, progress, script_callbacks, shared_init, timer, ui_tempdir
    from modules.shared_cmd_options import cmd_opts

    # as the host: no waiting for a job that runs
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    _quiet_output(cmd_opts.quiet)
    shared_init.initialize()
    initialize.initialize()
    import standin_endpoints
    import standin_faults
    from modules import shared, ui

    standin_faults.watch_everything()
    standin_faults.faults.set(cmd_opts.fault)
    while True:
        if shared.opts.clean_temp_dir_at_start:
            ui_tempdir.cleanup_tmpdr()
        script_callbacks.before_ui_callback()
        app = _launch_page()
        with _closed_for_setup(app):
            progress.setup_progress_api(app)
            ui.setup_ui_api(app)
            standin_endpoints.add_routes(app)
            create_api(app)
            script_callbacks.app_started_callback(shared.demo, app)
        timer.startup_timer.record("page and API")
        sys.stdout.write(f"Running on {shared.demo.local_url} (data: {shared.data_path})\n")
        log.info("Startup time: %s", timer.startup_timer.summary())
        sys.stdout.flush()
        if _wait() == "stop":
            _close(shared.demo)
            return
        os.environ["SD_WEBUI_RESTARTING"] = "1"
        _close(shared.demo)
        time.sleep(0.5)
        timer.startup_timer.reset()
        script_callbacks.app_reload_callback()
        script_callbacks.script_unloaded_callback()
        initialize.initialize_rest(reload_script_modules=True)


def _wait() -> str:
    """Until Reload UI ("restart") or the end ("stop")."""
    from modules import shared

    command = None
    while command not in ("stop", "restart"):
        command = shared.state.wait_for_server_command(timeout=5)
    return command
