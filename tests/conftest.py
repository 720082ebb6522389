"""Fixtures that several test files share."""

import contextlib
import os
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from torch.nn.functional import avg_pool2d

ROOT = Path(__file__).resolve().parents[1]
# The extension is cloned, never installed: its folder has to be found by path.
sys.path.insert(0, str(ROOT))

from lib_fabric.library import Library  # noqa: E402 (found only now)
from lib_fabric.reference_pass import Conditioning  # noqa: E402 (found only now)
from lib_fabric.store import PictureStore  # noqa: E402

# The same examples in every run, and no failure because a machine is busy.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
# The U-Nets here are too small to share out.
torch.set_num_threads(1)


def pytest_collection_modifyitems(items):
    """Skips what needs a device that is not there."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


class FakeHost:
    """lib_fabric.session.Host over a tiny U-Net; everything on it may be changed by a test."""

    def __init__(self, unet):
        self.current_unet = unet
        self.key = "model"
        self.upcast = False
        self.null_tokens = 5
        self.null_extra = {}
        self.null_concat = None
        self.encoded_px = []  # (height, width) of every picture encoded
        self.null_sizes = []  # every size that a null conditioning was asked for
        self.warnings = []
        self.shown_text = None  # in the progress bar, now
        self.shown_at_encode = []  # what it was when each picture was encoded
        self.interrupt = None  # what the host raises once the user has asked for an end

    def unet(self):
        return self.current_unet

    def model_key(self):
        return self.key

    def state_key(self):
        return self.key

    def encode(self, pixels):
        """Average colours of every 8x8 px, and red once more, as a latent of four channels."""
        self.encoded_px.append(tuple(pixels.shape[2:]))
        self.shown_at_encode.append(self.shown_text)
        return avg_pool2d(torch.cat([pixels, pixels[:, :1]], dim=1) * 2 - 1, 8)

    def null_conditioning(self, size_latent):
        self.null_sizes.append(size_latent)
        generator = torch.Generator().manual_seed(11)
        context = torch.randn(1, self.null_tokens, 16, generator=generator)
        return Conditioning(context, dict(self.null_extra), self.null_concat)

    def split_context(self, context):
        return context, context

    def upcast_attention(self):
        return self.upcast

    @contextlib.contextmanager
    def progress_text(self, text):
        self.shown_text = text
        try:
            yield
        finally:
            self.shown_text = None

    def stop_if_interrupted(self):
        if self.interrupt is not None:
            raise self.interrupt

    def warn(self, message):
        self.warnings.append(message)


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
    from tiny_unet import make_tiny_unet

    return make_tiny_unet()


@pytest.fixture
def fake_host(tiny_unet):
    """What a session needs from the WebUI, over `tiny_unet`."""
    return FakeHost(tiny_unet)


@pytest.fixture
def store(tmp_path):
    """An empty picture store."""
    return PictureStore(tmp_path / "pictures")


@pytest.fixture
def library(tmp_path):
    """An empty library, and no limit on its size."""
    return Library(tmp_path / ".fabric")
