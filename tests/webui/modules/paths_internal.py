"""Folders, known before anything else is imported. Must not import other `modules`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path


def launch_arguments() -> list[str]:
    """The command line if `launch.py` is the program, nothing when a test imports `modules`."""
    return sys.argv[1:] if sys.argv and Path(sys.argv[0]).name == "launch.py" else []


_early = argparse.ArgumentParser(add_help=False)
_early.add_argument("--data-dir", default=None)
_early_opts, _ = _early.parse_known_args(launch_arguments())

modules_path = str(Path(__file__).resolve().parent)
script_path = str(Path(modules_path).parent)
data_path = str(Path(_early_opts.data_dir or tempfile.mkdtemp(prefix="stand-in-")).resolve())
models_path = str(Path(data_path) / "models")
extensions_dir = str(Path(data_path) / "extensions")
extensions_builtin_dir = str(Path(script_path) / "extensions-builtin")
cwd = str(Path.cwd())
