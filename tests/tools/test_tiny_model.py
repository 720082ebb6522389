"""The trained tiny model: what its files hold, and that autoencoder and tokenizer do their part."""

from __future__ import annotations

import functools
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from PIL import Image
from safetensors import safe_open

from tests.tiny_model.build import CHECKPOINT, CONFIG, build_model, load_model
from tests.tiny_model.shapes import draw_batch, matches, random_scene
from tests.tiny_model.vocabulary import WORDS, build_vocabulary

SIZES = ((64, 64), (64, 96), (96, 64), (96, 96))


@pytest.fixture(scope="module")
def model():
    return load_model()


@functools.cache  # not a fixture: hypothesis wants none that outlives an example
def embedder():
    return build_model().cond_stage_model


def test_checkpoint_is_small_and_states_how_it_was_made():
    assert CHECKPOINT.stat().st_size <= 8_000_000
    with safe_open(CHECKPOINT, "pt") as weights:
        facts = json.loads(weights.metadata()["tiny_shapes"])
        scale = weights.get_tensor("scale_factor")
    assert {"seed", "autoencoder_steps", "diffusion_steps"} <= facts.keys()
    assert scale.item() == pytest.approx(OmegaConf.load(CONFIG).model.params.scale_factor)


def test_checkpoint_has_the_layout_of_stable_diffusion_1():
    with safe_open(CHECKPOINT, "pt") as weights:
        names = set(weights.keys())
        kinds = {name: weights.get_tensor(name).dtype for name in names}
    for name in (
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight",
        "first_stage_model.decoder.conv_out.weight",
        "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight",
    ):
        assert kinds[name] == torch.float16
    # Rounded to float16 the noise schedule would be another one.
    assert kinds["alphas_cumprod"] == torch.float32


def test_schedule_is_that_of_stable_diffusion_1(model):
    assert model.alphas_cumprod[0].item() == pytest.approx(0.99915, abs=1e-5)
    assert model.alphas_cumprod[-1].item() == pytest.approx(0.00466, abs=1e-5)
    x, noise = torch.ones(2, 4, 8, 8), torch.full((2, 4, 8, 8), 2.0)
    a = model.alphas_cumprod[500].item()
    noised = model.q_sample(x, torch.tensor([500, 500]), noise)
    assert torch.allclose(noised, torch.tensor(a**0.5 + 2 * (1 - a) ** 0.5))


def test_self_attention_at_both_levels(model):
    unet = model.model.diffusion_model
    tokens = set()

    def count(module, inputs):
        tokens.add(inputs[0].shape[1])

    handles = [
        module.register_forward_pre_hook(count)
        for name, module in unet.named_modules()
        if name.endswith("attn1")
    ]
    x = torch.zeros(1, 4, 8, 12)
    cond = model.get_learned_conditioning(["a circle"])
    out = model.apply_model(x, torch.tensor([500]), {"c_crossattn": [cond]})
    for handle in handles:
        handle.remove()
    assert out.shape == x.shape
    assert tokens == {8 * 12, 4 * 6}
    assert torch.equal(out, model.apply_model(x, torch.tensor([500]), cond))


@pytest.mark.parametrize("size", SIZES)
def test_scenes_survive_the_autoencoder(model, size):
    rng = np.random.default_rng(0)
    scenes = [random_scene(rng) for _ in range(12)]
    x = torch.from_numpy(draw_batch(scenes, *size, rng)).permute(0, 3, 1, 2) / 127.5 - 1
    z = model.scale_factor * model.encode_first_stage(x).mode()
    assert z.shape == (12, 4, size[0] // 8, size[1] // 8)
    y = ((model.decode_first_stage(z).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    pictures = [Image.fromarray(p) for p in y.permute(0, 2, 3, 1).numpy()]
    kept = [
        matches(p, s.object_colour, s.ground_colour, s.shape)
        for p, s in zip(pictures, scenes, strict=True)
    ]
    assert np.mean(kept) >= 0.95


def test_latents_have_unit_variance(model):
    rng = np.random.default_rng(1)
    scenes = [random_scene(rng) for _ in range(100)]
    x = torch.from_numpy(draw_batch(scenes, 64, 64, rng)).permute(0, 3, 1, 2) / 127.5 - 1
    z = model.get_first_stage_encoding(model.encode_first_stage(x))
    assert z.std().item() == pytest.approx(1, abs=0.05)


def test_every_trained_word_is_one_token(model):
    tokenizer = model.cond_stage_model.tokenizer
    assert tokenizer.get_vocab() == build_vocabulary()[0]
    for word in WORDS:
        assert tokenizer.tokenize(word) == [f"{word}</w>"]


@given(st.text(max_size=200))
@settings(max_examples=50, deadline=None)
def test_any_text_can_be_tokenised(text):
    ids = embedder().tokenize([text])
    assert ids.shape == (1, 77)
    assert ids[0, 0] == 578
    assert ids[0, -1] == 579


def test_prompts_become_77_states(model):
    states = model.get_learned_conditioning(["a red circle", ""])
    assert states.shape == (2, 77, 64)
    assert not torch.allclose(states[0], states[1], atol=1e-2)


def test_missing_conditioning_is_named(model):
    with pytest.raises(ValueError, match="c_crossattn is missing"):
        model.apply_model(torch.zeros(1, 4, 8, 8), torch.tensor([0]), {})
