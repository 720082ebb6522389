"""The adapters on fake modules."""

import contextlib

import pytest

from tests.helpers.fake_generation import generation_modules
from tests.helpers.fake_modules import fake_modules, imported_anew


@pytest.fixture
def host(monkeypatch, tmp_path):
    """automatic1111.generation on fake modules; `host.fakes` are those modules by name."""
    fakes = fake_modules(monkeypatch, generation_modules(str(tmp_path)))
    with contextlib.ExitStack() as stack:
        for name in ("options", "common.processing"):
            stack.enter_context(imported_anew(f"lib_fabric.hosts.{name}"))
        module = stack.enter_context(imported_anew("lib_fabric.hosts.automatic1111.generation"))
        module.fakes = fakes
        yield module


@pytest.fixture
def pictures(host):
    """lib_fabric.hosts.pictures on the same fake modules."""
    with imported_anew("lib_fabric.hosts.pictures") as module:
        yield module
