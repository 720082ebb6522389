"""Tells which family of WebUIs this is. Imports the parts of that family alone."""

from __future__ import annotations

from importlib.util import find_spec

from lib_fabric.hosts.common.processing import ProcessingHost

# What Forge and all that was made of it have beside `modules`.
_FORGE_PACKAGE = "modules_forge"


def processing_host() -> type[ProcessingHost]:
    """The adapter of this family's generations."""
    if find_spec(_FORGE_PACKAGE) is not None:
        from lib_fabric.hosts.forge.generation import ForgeHost

        return ForgeHost
    from lib_fabric.hosts.automatic1111.generation import WebuiHost

    return WebuiHost
