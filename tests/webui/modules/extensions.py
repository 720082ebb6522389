"""Extensions: the folders given on the command line and those below the data folder."""

from __future__ import annotations

from pathlib import Path

from modules import scripts, shared
from modules.paths_internal import extensions_dir

extensions: list[Extension] = []
extension_paths: dict[str, Extension] = {}
loaded_extensions: dict[str, Extension] = {}


class Extension:
    """One extension folder."""

    def __init__(
        self, name: str, path: str, enabled: bool = True, is_builtin: bool = False
    ) -> None:
        self.name = name
        self.path = path
        self.enabled = enabled
        self.is_builtin = is_builtin
        self.canonical_name = name.lower().strip()
        self.status = self.version = self.commit_hash = ""
        self.remote = self.branch = self.commit_date = None

    def list_files(self, subdir: str, extension: str) -> list[scripts.ScriptFile]:
        """Files of a sub-folder with this ending, top level only, sorted."""
        folder = Path(self.path, subdir)
        if not folder.is_dir():
            return []
        found = sorted(f for f in folder.iterdir() if f.suffix.lower() == extension)
        return [scripts.ScriptFile(self.path, f.name, str(f)) for f in found if f.is_file()]


def active() -> list[Extension]:
    """The extensions that are switched on."""
    if shared.cmd_opts.disable_all_extensions or shared.opts.disable_all_extensions == "all":
        return []
    return [x for x in extensions if x.enabled]


def _folders() -> list[Path]:
    found = []
    if not shared.cmd_opts.no_extension:
        found += [Path(folder).resolve() for folder in shared.cmd_opts.extension]
    below_data = Path(extensions_dir)
    if below_data.is_dir():
        found += [f for f in below_data.iterdir() if f.is_dir()]
    return sorted(found, key=lambda folder: folder.name)


def list_extensions() -> None:
    """Looks for extensions again. `metadata.ini` is not read here (the host does)."""
    extensions.clear()
    extension_paths.clear()
    loaded_extensions.clear()
    for folder in _folders():
        if not folder.is_dir():
            raise FileNotFoundError(f"--extension {folder}: no such folder")
        enabled = folder.name not in shared.opts.disabled_extensions
        extension = Extension(folder.name, str(folder), enabled)
        extensions.append(extension)
        extension_paths[extension.path] = extension
        loaded_extensions[extension.canonical_name] = extension


def find_extension(filename: str) -> Extension | None:
    """The extension that a file belongs to, or None."""
    for parent in Path(filename).resolve().parents:
        extension = extension_paths.get(str(parent))
        if extension is not None:
            return extension
    return None
