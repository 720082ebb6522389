"""Makes `k_diffusion` importable without what its package pulls in but we never use.

`k_diffusion/__init__` imports training and evaluation code (torchvision, clip, wandb ...), and its
`utils` wants torchvision for pictures. Only sampling and the model wrappers are needed here.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import io
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path


def _stub(name: str, **attributes: object) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, loader=None, is_package=True)
    module.__path__ = []
    vars(module).update(attributes)
    return module


@contextmanager
def _temporary(*modules: types.ModuleType) -> Iterator[None]:
    """Puts stubs into `sys.modules`, and takes them out again so nobody else meets them."""
    mine = {m.__name__: m for m in modules if m.__name__ not in sys.modules}
    sys.modules.update(mine)
    try:
        yield
    finally:
        for name in mine:
            del sys.modules[name]


def _import_k_diffusion() -> None:
    if "k_diffusion" in sys.modules:
        return
    spec = importlib.util.find_spec("k_diffusion")
    if spec is None or spec.origin is None:
        raise ImportError("k-diffusion is not installed: see tests/requirements-nodeps.txt")
    package = types.ModuleType("k_diffusion")
    package.__spec__ = spec
    package.__path__ = [str(Path(spec.origin).parent)]
    sys.modules["k_diffusion"] = package
    functional = _stub("torchvision.transforms.functional")
    transforms = _stub("torchvision.transforms", functional=functional)
    with _temporary(_stub("torchvision", transforms=transforms), transforms, functional):
        for name in ("utils", "sampling", "external"):
            setattr(package, name, importlib.import_module(f"k_diffusion.{name}"))


def _import_ldm() -> None:
    # the first import reports on standard output that xformers is missing
    with redirect_stdout(io.StringIO()):
        importlib.import_module("ldm.modules.attention")
        importlib.import_module("ldm.modules.diffusionmodules.openaimodel")


def install() -> None:
    """Imports what is needed of k-diffusion and ldm; harmless when called again."""
    _import_k_diffusion()
    _import_ldm()
