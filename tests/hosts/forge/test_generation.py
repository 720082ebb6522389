"""What the adapter of Forge reads of its host, and what it leaves there."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lib_fabric.errors import FabricError, UnsupportedModelError
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.session import FabricSession
from tests.helpers.denoising import assert_steered, fingerprint, make_request
from tests.helpers.fake_forge import (
    COND,
    UNCOND,
    Engine,
    FirstStage,
    FlowPrediction,
    Prediction,
    Processing,
    announce,
    call,
    end,
    make_latents,
)
from tests.helpers.fake_generation import InterruptedException
from tests.helpers.tiny_unet import SIZE_LATENT


def steered(forge, now, p):
    host = forge.ForgeHost(p)
    return now.steered(host, FabricSession(make_request(), host, LatentCache()))


class Transformer(nn.Module):
    """Stands for Flux and SD 3: no `attn1`."""

    in_channels = 16


def engine_without_self_attention():
    return Engine(Transformer())


def engine_of_a_flow():
    return Engine(prediction=FlowPrediction())


def engine_of_something_else():
    return SimpleNamespace(sd_checkpoint_info=None)


REFUSED = {
    "no self-attention": (engine_without_self_attention, "no self-attention"),
    "a flow": (engine_of_a_flow, "adds noise in another way"),
    "nothing of Forge's": (engine_of_something_else, "kind of checkpoint"),
}


@pytest.mark.parametrize(("make_engine", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_steered_is_refused_to_the_api_and_told_on_the_page(
    forge, make_engine, words
):
    with pytest.raises(UnsupportedModelError, match=words):
        forge.ForgeHost(Processing(make_engine(), is_api=True)).can_steer()
    p = Processing(make_engine(), is_api=False)
    assert not forge.ForgeHost(p).can_steer()
    assert len(p.comments) == 1
    assert words in p.comments[0]
    p = Processing(is_api=False)
    assert forge.ForgeHost(p).can_steer()
    assert p.comments == []


def test_reforges_names_are_known(forge):
    p, (x, _) = Processing(), make_latents()
    model = p.sd_model.forge_objects.unet.model
    del model.predictor
    model.model_sampling = Prediction()
    host = forge.ForgeHost(p)
    assert host.can_steer()
    params = SimpleNamespace(x=x, sigma=torch.full((2,), 2.0), total_sampling_steps=20)
    seen = host.begin_step(params)
    assert seen.alpha == pytest.approx(1 / 5)
    assert seen.sampling.picture_numbers == (21, 22)
    assert seen.progress == pytest.approx(6 / 20)


def test_encoding_repeats_and_leaves_the_global_stream_alone(forge):
    host, pixels = forge.ForgeHost(Processing()), torch.rand(1, 3, 16, 24)
    torch.manual_seed(1)
    first = host.encode(pixels)
    drawn = torch.randn(4)
    torch.manual_seed(1)
    assert torch.equal(torch.randn(4), drawn)
    assert torch.equal(host.encode(pixels), first)


def test_a_vae_that_fails_in_half_precision_is_named(forge):
    with pytest.raises(FabricError, match="--vae-in-fp32"):
        forge.ForgeHost(Processing()).encode(torch.full((1, 3, 16, 16), float("nan")))


def test_another_vae_has_other_latents(forge):
    p = Processing()
    host = forge.ForgeHost(p)
    key, vae = host.latents_key(), p.sd_model.forge_objects.vae
    vae.first_stage_model.decoder.weight.data.add_(1)
    assert host.latents_key() == key, "what encodes is the same"
    vae.first_stage_model = FirstStage()
    assert host.latents_key() != key


CHANGES = {
    "another checkpoint": lambda forge, model: setattr(
        model, "sd_checkpoint_info", SimpleNamespace(filename="other")
    ),
    "loaded in another way": lambda forge, model: setattr(
        forge.fakes["sd_models"].model_data, "forge_hash", "in fp8"
    ),
    "an extra network": lambda forge, model: setattr(model, "current_lora_hash", "[one]"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_states_changes_their_key(forge, change):
    p = Processing()
    host = forge.ForgeHost(p)
    key = host.states_key()
    assert host.states_key() == key
    change(forge, p.sd_model)
    assert host.states_key() != key


def test_reforge_says_less_of_how_a_model_was_loaded(forge):
    del forge.fakes["sd_models"].model_data.forge_hash
    assert forge.ForgeHost(Processing()).states_key()


def stable_diffusion_1():
    """The self-attention of SD 1.5: channels of its 16 layers, by their names."""
    unet = nn.Module()
    unet.model_channels = 320
    for number, channels in enumerate([320] * 5 + [640] * 5 + [1280] * 6):
        block = type("BasicTransformerBlock", (nn.Module,), {})()
        block.attn1 = nn.Module()
        block.attn1.to_k = nn.Linear(channels, channels, bias=False)
        setattr(unet, f"block_{number}", block)
    return unet


def test_memory_is_reserved_for_what_a_pass_attends_to(forge):
    p = Processing(Engine(stable_diffusion_1()))
    patcher = p.sd_model.forge_objects.unet
    patcher.extra_preserved_memory_during_sampling = 5
    host = forge.ForgeHost(p)
    session = SimpleNamespace(prepare_pass=lambda read_step: 3)
    for _ in range(2):
        host.begin_pass(session, p, torch.zeros(2, 4, 64, 64))
        # About 45 MB for a picture of 512x512, as Settings say.
        reserved = patcher.extra_preserved_memory_during_sampling - 5
        assert reserved / 3 == pytest.approx(45 * 2**20, rel=0.05)
    host.end_sampling()
    assert patcher.extra_preserved_memory_during_sampling == 5


def test_nothing_is_left_after_an_error(forge):
    p, (x, contexts) = Processing(), make_latents()
    now, clean = forge.SamplingNow(), fingerprint(p.sd_model.unet)
    plain = call(p, x, contexts, (UNCOND, COND))

    def fail():
        raise ValueError("in the U-Net")

    def sample_with_an_error():
        with steered(forge, now, p):
            now.begin_pass(p, x)
            assert p.sd_model.forge_objects.unet.extra_preserved_memory_during_sampling > 0
            announce(p, x, now)
            assert_steered(call(p, x, contexts, (UNCOND, COND)), plain)
            fail()

    with pytest.raises(ValueError, match="in the U-Net"):
        sample_with_an_error()
    assert fingerprint(p.sd_model.unet) == clean
    assert p.sd_model.forge_objects.unet.extra_preserved_memory_during_sampling == 0
    announce(p, x, now)
    assert torch.equal(call(p, x, contexts, (UNCOND, COND)), plain)
    end(x, now)


def test_an_error_before_a_pass_reaches_the_user_from_its_first_call(forge):
    """The host prints what is raised there and goes on."""
    p, (x, contexts) = Processing(), make_latents()
    p.sd_model.encode_first_stage = lambda _x: torch.full((1, 4, *SIZE_LATENT), float("nan"))
    now = forge.SamplingNow()
    with steered(forge, now, p):
        now.begin_pass(p, x)
        announce(p, x, now)
        with pytest.raises(FabricError, match="could not encode"):
            call(p, x, contexts, (UNCOND, COND))


def test_an_end_that_is_asked_for_while_pictures_are_encoded_is_the_samplers_to_make(forge):
    p, (x, _) = Processing(), make_latents()
    now = forge.SamplingNow()
    forge.fakes["shared"].state.interrupted = True
    with steered(forge, now, p):
        now.begin_pass(p, x)
        assert p.sd_model.encoded_sizes == []
        with pytest.raises(InterruptedException):
            announce(p, x, now)


def test_layers_have_the_sites_that_patches_name(forge):
    layers = forge.ForgeHost(Processing()).model().layers
    for site in (("middle", 0), ("middle", 0, 0), ("input", 1, 0), ("output", 3, 0)):
        assert [layer.is_replaced({site}) for layer in layers].count(True) == 1
    for site in (("input", 0), ("input", 1, 1)):
        assert not any(layer.is_replaced({site}) for layer in layers)
