"""Runs the stand-in as a process of its own, for tests and the demo.

with StandIn(extension=repository) as host:
    answer = host.post("/sdapi/v1/txt2img", {"prompt": "a circle"})
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import httpx

LAUNCH = Path(__file__).resolve().parent / "launch.py"


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _refuse_taken(port: int) -> None:
    """Else whoever has the port would be taken for the stand-in, since it answers."""
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError as error:
            raise StandInError(f"port {port} cannot be used: {error.strerror}.") from error


class StandInError(RuntimeError):
    """It did not start; the message is for people."""


class StandIn:
    """A running stand-in. `url` has no slash at its end.

    Args:
        extension: folder(s) to load as extensions; none means a host without extensions.
        data_dir: where outputs go; a temporary folder, kept until `stop`, by default.
        random_model: untrained weights instead of the tiny model.
        options: further command-line flags, such as `["--api-auth", "user:secret"]`.
        env: further environment variables.
        port: a free one by default.
        start_s: seconds to wait until it answers.
        auth: user and password for `post` and `get`.
    """

    def __init__(
        self,
        extension: Path | str | Sequence[Path | str] | None = None,
        data_dir: Path | str | None = None,
        random_model: bool = False,
        options: Sequence[str] = (),
        env: dict[str, str] | None = None,
        port: int | None = None,
        start_s: float = 120.0,
        auth: tuple[str, str] | None = None,
    ) -> None:
        folders = [extension] if isinstance(extension, str | Path) else list(extension or [])
        self._temporary = None
        own_env = {}
        if data_dir is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="stand-in-")
            data_dir = self._temporary.name
            # It is ended without a chance to tidy up.
            own_env = {"TMPDIR": str(Path(data_dir, "tmp"))}
        self.data_dir = Path(data_dir)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [
            sys.executable,
            str(LAUNCH),
            *("--port", str(self.port)),
            *("--data-dir", str(self.data_dir)),
            "--quiet",
            *(part for f in folders for part in ("--extension", str(Path(f).resolve()))),
            *(["--random-model"] if random_model else []),
            *options,
        ]
        self._env = {**os.environ, **own_env, **(env or {})}
        self._start_s = start_s
        self._process: subprocess.Popen | None = None
        self._log = self.data_dir / "stand-in.log"
        self.client = httpx.Client(base_url=self.url, timeout=600.0, auth=auth)

    def start(self) -> StandIn:
        """Starts it and waits until it answers.

        Raises:
            StandInError: the port is taken, or it does not answer; then with its log.
        """
        _refuse_taken(self.port)
        (self.data_dir / "tmp").mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.data_dir,
                start_new_session=True,
            )
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def wait(self) -> None:
        """Until the API answers (after the start, and after Reload UI)."""
        end = time.monotonic() + self._start_s
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                raise StandInError(f"the stand-in ended at its start:\n{self.log()}")
            try:
                # 401 too: with --api-auth the route is there but locked
                if self.client.get("/sdapi/v1/sd-models").status_code in (200, 401):
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise StandInError(f"the stand-in did not answer in {self._start_s:.0f} s:\n{self.log()}")

    def stop(self) -> None:
        """Ends it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self.client.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> StandIn:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def post(self, path: str, json: object = None) -> httpx.Response:
        """POST; the response, whatever its status."""
        return self.client.post(path, json=json)

    def get(self, path: str) -> httpx.Response:
        """GET; the response, whatever its status."""
        return self.client.get(path)

    def log(self) -> str:
        """Everything it has printed, errors that the host swallows included."""
        return self._log.read_text(errors="replace") if self._log.is_file() else ""

    def reload_ui(self) -> None:
        """Presses Reload UI and waits until the new page answers."""
        started = self.log().count("(data: ")
        self.post("/standin/reload-ui")
        end = time.monotonic() + self._start_s
        while self.log().count("(data: ") == started:
            if time.monotonic() > end:
                raise RuntimeError(f"Reload UI did not end:\n{self.log()}")
            time.sleep(0.1)
        self.wait()
