"""What is being generated, and whether it shall stop."""

from __future__ import annotations

import datetime
import logging
import threading
import time

from modules import devices

log = logging.getLogger(__name__)


class State:
    """Progress and stop flags of the one job that runs."""

    def __init__(self) -> None:
        self.skipped = False
        self.interrupted = False
        self.stopping_generation = False
        self.job = ""
        self.job_no = 0
        self.job_count = 0
        self.processing_has_refined_job_count = False
        self.job_timestamp = "0"
        self.sampling_step = 0
        self.sampling_steps = 0
        self.current_latent = None
        self.current_image = None
        self.current_image_sampling_step = 0
        self.id_live_preview = 0
        self.textinfo: str | None = None
        self.time_start: float | None = None
        self.server_start = time.time()
        self._command: str | None = None
        self._command_given = threading.Event()

    @property
    def server_command(self) -> str | None:
        """What the main thread shall do: "restart" (Reload UI) or "stop"."""
        return self._command

    @server_command.setter
    def server_command(self, value: str | None) -> None:
        self._command = value
        self._command_given.set()

    @property
    def need_restart(self) -> bool:
        """The host's older name for a pending Reload UI."""
        return self.server_command == "restart"

    @need_restart.setter
    def need_restart(self, value: bool) -> None:
        if value:
            self.server_command = "restart"

    def wait_for_server_command(self, timeout: float | None = None) -> str | None:
        """Waits for a command, clears and returns it."""
        if not self._command_given.wait(timeout):
            return None
        self._command_given.clear()
        command, self._command = self._command, None
        return command

    def request_restart(self) -> None:
        """Interrupts the job and asks for Reload UI."""
        self.interrupt()
        self.server_command = "restart"

    def skip(self) -> None:
        """Ends the current batch; the next one starts."""
        self.skipped = True

    def interrupt(self) -> None:
        """Ends the job at its next denoiser call."""
        self.interrupted = True

    def stop_generating(self) -> None:
        """Ends the job after the current batch."""
        self.stopping_generation = True

    def nextjob(self) -> None:
        """Counts a finished part of the job."""
        self.job_no += 1
        self.sampling_step = 0
        self.current_image_sampling_step = 0

    def dict(self) -> dict[str, object]:
        """The fields that /sdapi/v1/progress reports."""
        names = (
            "skipped interrupted stopping_generation job job_count job_timestamp job_no "
            "sampling_step sampling_steps"
        )
        return {name: getattr(self, name) for name in names.split()}

    def begin(self, job: str | None = "(unknown)") -> None:
        """Starts a job: flags and counters are reset."""
        self.sampling_step = self.sampling_steps = self.job_no = 0
        self.time_start = time.time()
        self.job_count = -1
        self.processing_has_refined_job_count = False
        self.job_timestamp = datetime.datetime.now().strftime("%Y%m%d%H%M%S")
        self.current_latent = self.current_image = self.textinfo = None
        self.current_image_sampling_step = self.id_live_preview = 0
        self.skipped = self.interrupted = self.stopping_generation = False
        self.job = job
        devices.torch_gc()
        log.info("Starting job %s", job)

    def end(self) -> None:
        """Ends a job."""
        log.info("Ending job %s (%.2f seconds)", self.job, time.time() - (self.time_start or 0))
        self.job = ""
        self.job_count = 0
        devices.torch_gc()

    def set_current_image(self) -> None:
        """The host makes a live preview here; the stand-in has none."""

    def assign_current_image(self, image: object) -> None:
        """Sets the live preview."""
        self.current_image = image
        self.id_live_preview += 1
