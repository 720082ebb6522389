"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from lib_fabric.library.library import Library
from lib_fabric.library.store import PictureStore
from tests.helpers.fake_host import FakeHost

ROOT = Path(__file__).resolve().parents[1]

# The same examples in every run, and no failure because a machine is busy.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
# The models here are too small to share out, also in the processes that tests start.
torch.set_num_threads(1)
os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items):
    """Skips what needs a device that is not there."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(scope="session")
def standin():
    """The stand-in WebUI with the extension, one for all tests; skips where a real one is meant."""
    if os.environ.get("FABRIC_WEBUI_URL"):
        pytest.skip("needs the stand-in WebUI: it restarts, breaks or looks into it")
    from tests.webui.server import StandIn

    with StandIn(extension=ROOT) as server:
        yield server


@pytest.fixture
def tiny_unet():
    """A seeded U-Net with the host's module names, the test's own copy."""
    # Here, since ldm takes seconds to import and most tests do without it.
    from tests.helpers.tiny_unet import make_tiny_unet

    return make_tiny_unet()


@pytest.fixture
def fake_host(tiny_unet):
    """What a session needs from the WebUI, over `tiny_unet`."""
    return FakeHost(tiny_unet)


@pytest.fixture
def device():
    """The second device, whose tensors do not mix with others."""
    from tests.helpers.second_device import second_device

    with second_device() as device:
        yield device


@pytest.fixture
def store(tmp_path):
    """An empty picture store."""
    return PictureStore(tmp_path / "pictures")


@pytest.fixture
def library(tmp_path):
    """An empty library, and no limit on its size."""
    return Library(tmp_path / ".fabric")
