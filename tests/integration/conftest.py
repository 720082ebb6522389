"""A WebUI for the integration tests: the stand-in, or a real one by address.

    FABRIC_WEBUI_URL=http://127.0.0.1:7860 pytest tests/integration

runs the same tests against a running WebUI that has the extension and the tiny model (see
tests/tiny_model/README.md); what only the stand-in can do is skipped there.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

from tests.demo.client import WebuiClient, WebuiError, to_base64
from tests.tiny_model.shapes import Scene, draw

REAL_URL = os.environ.get("FABRIC_WEBUI_URL")
# The settings that tests override; Forge Neo has none of them.
_OVERRIDDEN = ("batch_cond_uncond", "pad_cond_uncond")


@pytest.fixture(scope="session")
def webui(request):
    """The API of the WebUI under test."""
    client = WebuiClient(REAL_URL or request.getfixturevalue("standin").url)
    # 1.6.1 overrides only settings that have been set once (KeyError otherwise).
    options = client.get("/sdapi/v1/options")
    known = {name: options[name] for name in _OVERRIDDEN if name in options}
    client.post("/sdapi/v1/options", known)
    return client


@pytest.fixture(scope="session")
def described_scripts(webui):
    """What /sdapi/v1/script-info says; skips where the WebUI cannot."""
    try:
        return webui.get("/sdapi/v1/script-info")
    except WebuiError as error:
        if "ScriptInfo" in str(error):
            pytest.skip("WebUI 1.6.1 fails on the choices of its own scripts")
        raise


@pytest.fixture(scope="session")
def api_infotext(webui):
    """Skips where the API has no field `infotext`: earlier WebUIs ignore it and make a picture of
    their defaults, which takes long."""
    schemas = webui.get("/openapi.json")["components"]["schemas"]
    if "infotext" not in schemas["StableDiffusionProcessingTxt2Img"]["properties"]:
        pytest.skip("this WebUI's API has no infotext")


@pytest.fixture(scope="session")
def rated():
    """Liked and disliked pictures in base64, not of the generated size."""
    rng = np.random.default_rng(5)
    scenes = [
        Scene("circle", "red", "blue"),
        Scene("square", "red", "white"),
        Scene("circle", "green", "black"),
    ]
    pictures = [to_base64(draw(scene, 80, 96, rng)) for scene in scenes]
    return {"liked": pictures[:2], "disliked": pictures[2:]}
