"""Which adapter is chosen, and that the others stay unread."""

import contextlib
import sys
from types import ModuleType

import pytest

from tests.helpers.fake_forge import forge_modules
from tests.helpers.fake_generation import generation_modules
from tests.helpers.fake_modules import fake_modules, imported_anew

ADAPTERS = {
    "automatic1111": "lib_fabric.hosts.automatic1111.generation",
    "forge": "lib_fabric.hosts.forge.generation",
}


@pytest.mark.parametrize("name", ADAPTERS)
def test_only_the_family_that_is_there_is_imported(monkeypatch, tmp_path, name):
    is_forge = name == "forge"
    modules = forge_modules() if is_forge else generation_modules(str(tmp_path))
    fake_modules(monkeypatch, modules)
    monkeypatch.delitem(sys.modules, "modules_forge", raising=False)
    if is_forge:
        package = ModuleType("modules_forge")
        package.__spec__ = type("Spec", (), {"name": "modules_forge"})()
        monkeypatch.setitem(sys.modules, "modules_forge", package)
    with contextlib.ExitStack() as stack:
        for anew in ("lib_fabric.hosts.common.processing", ADAPTERS[name]):
            stack.enter_context(imported_anew(anew))
        host = stack.enter_context(imported_anew("lib_fabric.hosts.family")).processing_host()
        assert ADAPTERS["automatic1111" if is_forge else "forge"] not in sys.modules
    assert host.__module__ == ADAPTERS[name]
    assert host.end_of_step == ("on_cfg_after_cfg" if is_forge else "on_cfg_denoised")
