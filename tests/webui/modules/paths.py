"""The host's `paths`: re-exports, kept because extensions import from here."""

from modules.paths_internal import (  # noqa: F401  (re-exports)
    cwd,
    data_path,
    extensions_builtin_dir,
    extensions_dir,
    models_path,
    modules_path,
    script_path,
)

paths: dict[str, str] = {}
