"""Command-line flags: the host's that matter here, then the stand-in's own."""

from __future__ import annotations

import argparse

parser = argparse.ArgumentParser(prog="launch.py", description="Stand-in for the WebUI")

_host = parser.add_argument_group("flags of the host")
_host.add_argument("--data-dir", default=None, help="where outputs and settings go")
_host.add_argument("--port", type=int, default=None)
_host.add_argument("--listen", action="store_true")
_host.add_argument("--server-name", default=None)
_host.add_argument("--api", action="store_true", default=True, help="always on here")
_host.add_argument("--api-auth", default=None, metavar="USER:PASSWORD")
_host.add_argument("--api-log", action="store_true")
_host.add_argument("--gradio-auth", default=None, metavar="USER:PASSWORD")
_host.add_argument("--gradio-allowed-path", action="append", default=None)
_host.add_argument("--no-gradio-queue", action="store_true")
_host.add_argument("--theme", default=None, choices=("dark", "light"))
_host.add_argument("--skip-install", action="store_true")
_host.add_argument("--no-half", action="store_true")
_host.add_argument("--medvram", action="store_true")
_host.add_argument("--lowvram", action="store_true")
_host.add_argument("--xformers", action="store_true")
_host.add_argument("--opt-sdp-attention", action="store_true")
_host.add_argument("--opt-split-attention-invokeai", action="store_true")
_host.add_argument("--opt-sub-quad-attention", action="store_true")
_host.add_argument("--disable-opt-split-attention", action="store_true")
_host.add_argument("--disable-nan-check", action="store_true")
_host.add_argument("--disable-all-extensions", action="store_true")
_host.add_argument("--disable-extra-extensions", action="store_true")
_host.add_argument("--hide-ui-dir-config", action="store_true")
_host.add_argument("--freeze-settings", action="store_true")

_own = parser.add_argument_group("flags of the stand-in")
_own.add_argument("--extension", action="append", default=[], metavar="DIR")
_own.add_argument("--no-extension", action="store_true", help="ignore every --extension")
_own.add_argument("--random-model", action="store_true", help="untrained weights, for fast tests")
_own.add_argument("--checkpoint", default=None, metavar="FILE")
_own.add_argument(
    "--fault", default=None, metavar="unet:N", help="fail there, see standin_faults.py"
)
_own.add_argument("--quiet", action="store_true", help="no progress bars, only warnings")
