"""`make setup`: the folder with all that tests, demo and benchmarks need, and what is under way.

Knows only the standard library of Python 3.10 or 3.11, with which it is run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = (HERE / "requirements.txt", HERE / "requirements-nodeps.txt")
DONE = ".done"
_TICK_SECONDS = 5.0
# "Processing" is what pip says of a file that is there already.
_PACKAGE = re.compile(
    r"^(?:Collecting |Requirement already satisfied: )([A-Za-z](?:[\w.]|-(?!\d))*)"
    r"|^Processing (?:.*?[/\\])?([\w.]+)-\d[^/\\]*\.(?:whl|zip|tar)"
)
_SIZE = re.compile(r"^\s*Downloading \S+ \((.+)\)")


def main(folder: Path, same_python: bool = False) -> int:
    """Makes or completes the virtual environment, if need be; returns the exit status.

    Args:
        same_python: one of another version than the Python that runs this is made anew.
    """
    reason = reason_to_rebuild(folder, same_python)
    if not reason and is_complete(folder):
        return 0
    if reason:
        say(f"{folder}: {reason}; making it anew.")
        shutil.rmtree(folder)
    (folder / DONE).unlink(missing_ok=True)
    if not folder.exists():
        say(f"Making {folder} (about 1.7 GB; more where PyTorch comes with CUDA) ...")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    num_packages = sum(1 for file in REQUIREMENTS for _ in named_in(file))
    done = 0
    for file, options in zip(REQUIREMENTS, ([], ["--no-deps"]), strict=True):
        status, done = _install(folder, [*options, "-r", str(file)], done, num_packages)
        if status:
            say("The set-up did not succeed: see above. `make setup` tries again.")
            return status
    (folder / DONE).touch()
    say(f"{folder} is complete: {size_of(folder)}.")
    return 0


def is_complete(folder: Path) -> bool:
    """Whether everything was installed that is asked for now."""
    done = folder / DONE
    newest = max(file.stat().st_mtime for file in REQUIREMENTS)
    return done.exists() and done.stat().st_mtime >= newest


def reason_to_rebuild(folder: Path, same_python: bool) -> str | None:
    """What is wrong with a folder that is there; None if nothing is, or there is none."""
    if not folder.exists():
        return None
    if not (folder / DONE).exists():
        return "an earlier set-up was not finished"
    if not (python := python_of(folder)).exists():
        return "its Python is gone"
    asked = [str(python), "-c", "import pip, sys; print(*sys.version_info[:2])"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    if not answer:
        return "its Python does not run"
    if same_python and answer != [str(each) for each in sys.version_info[:2]]:
        return f"it has Python {'.'.join(answer)}"
    return None


def python_of(folder: Path) -> Path:
    """The folder's Python."""
    return folder / "bin" / "python"


def named_in(file: Path) -> Iterator[str]:
    """The packages that a requirements file names."""
    for line in file.read_text("utf-8").splitlines():
        if found := re.match(r"[\w.-]+", line):
            yield found[0]


def size_of(folder: Path) -> str:
    """How much room it takes, in words."""
    num_bytes = 0
    # Neither a folder nor a file that pip has just removed stops it.
    for place, _, files in os.walk(folder):
        for each in files:
            with contextlib.suppress(OSError):
                num_bytes += os.lstat(os.path.join(place, each)).st_size  # noqa: PTH118
    return f"{num_bytes / 1e9:.2f} GB"


def say(text: str) -> None:
    """Prints a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _install(folder: Path, what: list[str], done: int, total: int) -> tuple[int, int]:
    """Runs pip; its exit status, and how many packages have been seen to so far."""
    command = [str(python_of(folder)), "-m", "pip", "install", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", *what]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace")
    tick = _Ticks(folder)
    with pip, tick:
        try:
            done = _follow(pip, tick, done, total)
        except BaseException:
            pip.terminate()
            raise
    return pip.returncode, done


def package_in(line: str) -> str | None:
    """The package that a line of pip's says it has got to."""
    found = _PACKAGE.match(line)
    return found and (found[1] or found[2])


def _follow(pip: subprocess.Popen[str], tick: _Ticks, done: int, total: int) -> int:
    """Says what pip is doing until it has done it; how many packages it has seen to."""
    for line in pip.stdout or ():
        if package := package_in(line):
            done = min(done + 1, total)
            tick.at = f"[{done}/{total}] {package}"
            say(tick.at)
        elif found := _SIZE.match(line):
            say(f"{tick.at}: downloading {found[1]}")
        elif line.startswith("Installing collected packages"):
            tick.at = "Unpacking them all"
            say(f"{tick.at} (some minutes) ...")
    return done


class _Ticks:
    """Says every few seconds that something is still going on, and how large the folder is."""

    def __init__(self, folder: Path) -> None:
        self.at = "Asking for packages"
        self._folder = folder
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = time.monotonic()

    def _run(self) -> None:
        while not self._is_done.wait(_TICK_SECONDS):
            seconds = time.monotonic() - self._started
            say(f"  ... {self.at}: {seconds:.0f} s, {size_of(self._folder)} so far")

    def __enter__(self) -> _Ticks:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._is_done.set()
        self._thread.join()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main(Path(sys.argv[1]), "--same-python" in sys.argv))
    except KeyboardInterrupt:
        say("Stopped. `make setup` begins anew.")
        sys.exit(1)
