"""A checkpoint's file that is overwritten while the WebUI runs, and loaded again."""

from __future__ import annotations

import shutil

import pytest
from safetensors.torch import load_file, save_file

from tests.demo.client import WebuiClient
from tests.integration.payloads import assert_differ, assert_same, payload
from tests.tiny_model.build import CHECKPOINT
from tests.webui.server import StandIn

ROOT = CHECKPOINT.parents[2]
pytestmark = pytest.mark.integration


def started_with(checkpoint):
    return StandIn(extension=ROOT, options=["--checkpoint", str(checkpoint)])


def overwrite(checkpoint, name):
    """As if a part of it had been trained on."""
    weights = load_file(checkpoint)
    weights[name] = weights[name] + 0.5
    save_file(weights, checkpoint)


# What is kept between generations depends on each of them; what decodes stays.
PARTS = {
    "VAE": "first_stage_model.encoder.conv_in.bias",
    "U-Net": "model.diffusion_model.time_embed.0.bias",
    "text encoder": "cond_stage_model.transformer.text_model.encoder.layers.0.layer_norm1.bias",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_nothing_is_taken_of_a_checkpoint_that_was_overwritten(standin, rated, tmp_path, part):
    checkpoint = tmp_path / CHECKPOINT.name
    shutil.copy(CHECKPOINT, checkpoint)
    for companion in CHECKPOINT.parent.glob("*.yaml"):
        shutil.copy(companion, tmp_path)
    with started_with(checkpoint) as server:
        webui = WebuiClient(server.url)
        before = webui.txt2img(**payload(rated)).pictures
        overwrite(checkpoint, part)
        # Another one, so that this one is read again.
        webui.txt2img(**payload(override_settings={"sd_model_checkpoint": "random-weights"}))
        after = webui.txt2img(**payload(rated)).pictures
    with started_with(checkpoint) as server:
        fresh = WebuiClient(server.url).txt2img(**payload(rated)).pictures
    assert_same(after, fresh, 0)
    assert_differ(after[0], before[0])
