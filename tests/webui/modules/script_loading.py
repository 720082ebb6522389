"""Executes a script file as a module that nobody can import by name."""

from __future__ import annotations

import importlib.util
import types
from pathlib import Path

loaded_scripts: dict[str, types.ModuleType] = {}


def load_module(path: str) -> types.ModuleType:
    """Runs the file. The module is named after the file, ending included, and stays out of
    `sys.modules`, exactly as in the host."""
    spec = importlib.util.spec_from_file_location(Path(path).name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded_scripts[path] = module
    return module
