"""Starts the stand-in: `python tests/webui/launch.py --port 7861 --extension .`

An extension's `install.py` may `import launch`, as in the host: see the functions below.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

python = sys.executable
ROOT = Path(__file__).resolve().parent


def is_installed(package: str) -> bool:
    """Whether a package can be imported."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def run_pip(command: str, desc: str | None = None, live: bool = False) -> None:
    """The host would call pip. The stand-in does not install anything."""
    raise RuntimeError(f"the stand-in installs nothing: pip {command}")


def git_tag() -> str:
    """The host's version that the stand-in follows."""
    return "v1.10.1"


def commit_hash() -> str:
    """The host's commit; the stand-in has none."""
    return "<none>"


def run_extension_installer(extension_dir: str) -> None:
    """Runs `install.py` as the host does: a process of its own, the host's root on its path."""
    installer = Path(extension_dir, "install.py")
    if not installer.is_file():
        return
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WEBUI_LAUNCH_LIVE_OUTPUT": "0"}
    done = subprocess.run(
        [python, str(installer)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.stderr.write(f"*** Error running install.py for extension {extension_dir}.\n")
        sys.stderr.write(f"{done.stdout}\n{done.stderr}\n")


def main() -> None:
    """Installers, imports, server."""
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    from modules.shared_cmd_options import cmd_opts

    if not cmd_opts.skip_install and not cmd_opts.no_extension:
        for folder in cmd_opts.extension:
            run_extension_installer(folder)
    import light_imports

    light_imports.install()
    import webui

    webui.webui()


if __name__ == "__main__":
    main()
