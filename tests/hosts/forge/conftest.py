"""The adapter of Forge on fake modules."""

import contextlib

import pytest

from tests.helpers.fake_forge import forge_modules
from tests.helpers.fake_modules import fake_modules, imported_anew


@pytest.fixture
def forge(monkeypatch):
    """forge.generation on fake modules; `forge.fakes` are those modules by name."""
    fakes = fake_modules(monkeypatch, forge_modules())
    with contextlib.ExitStack() as stack:
        stack.enter_context(imported_anew("lib_fabric.hosts.common.processing"))
        steps = stack.enter_context(imported_anew("lib_fabric.hosts.common.steps"))
        module = stack.enter_context(imported_anew("lib_fabric.hosts.forge.generation"))
        module.fakes, module.SamplingNow = fakes, steps.SamplingNow
        yield module
