"""host.py against a few lines of fake `modules.*`: what it reads, wraps and gives back."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import nn

from lib_fabric.errors import FabricError, UnsupportedModelError
from lib_fabric.library.history_entry import Details
from tests.helpers.fake_generation import CFGDenoiserTimesteps, InterruptedException
from tests.helpers.tiny_unet import make_tiny_unet


class Processing:
    """The host's processing object, as far as it is looked at."""


def adapter_for(host, denoiser, p=None, **model):
    p = p or Processing()
    p.sampler = SimpleNamespace(model_wrap_cfg=denoiser)
    p.sd_model = SimpleNamespace(**model)
    return host.WebuiHost(p)


def params_for(sigma, rows=3, num_cond=2):
    return SimpleNamespace(
        sigma=torch.full((rows,), sigma),
        x=torch.zeros(rows, 4, 6, 8),
        text_cond=torch.zeros(num_cond, 77, 8),
        total_sampling_steps=20,
    )


def test_a_sigma_gives_the_noise_level_in_closed_form(host):
    denoiser = nn.Module()
    denoiser.step, denoiser.total_steps = 3, 12
    step = adapter_for(host, denoiser).begin_step(params_for(2.0))
    assert step.alpha == pytest.approx(1 / 5)
    assert step.progress == pytest.approx(0.25)
    assert step.sampling.size_latent == (6, 8)
    assert not step.sampling.is_hires
    assert not step.is_last


@pytest.mark.parametrize(
    ("timestep", "alpha"), [(0, 1.0), (1, 0.8), (2, 0.5), (0.5, 0.9), (1.25, 0.725), (2.5, 0.5)]
)
def test_timestep_samplers_give_the_timestep_as_sigma(host, timestep, alpha):
    denoiser = CFGDenoiserTimesteps()
    denoiser.step, denoiser.total_steps = 0, 3
    adapter = adapter_for(host, denoiser, alphas_cumprod=torch.tensor([1.0, 0.8, 0.5]))
    assert adapter.begin_step(params_for(float(timestep))).alpha == pytest.approx(alpha)


def test_progress_never_passes_the_end(host):
    denoiser = nn.Module()
    denoiser.step, denoiser.total_steps = 99, 20
    assert adapter_for(host, denoiser).begin_step(params_for(1.0)).progress == 1


@pytest.mark.parametrize(
    ("call", "total_calls", "number"),
    [(0, 20, 0), (7, 20, 7), (19, 20, 19), (0, 40, 0), (1, 40, 0), (2, 40, 1), (39, 40, 19)],
)
def test_steps_are_counted_as_the_user_counts_them(host, call, total_calls, number):
    """Second-order samplers call twice in each of the 20 steps."""
    denoiser = nn.Module()
    denoiser.step, denoiser.total_steps = call, total_calls
    assert adapter_for(host, denoiser).begin_step(params_for(1.0)).number == number


def test_pictures_are_numbered_by_what_their_noise_is_drawn_from(host):
    def numbers(**values):
        p, denoiser = Processing(), nn.Module()
        vars(p).update(values)
        denoiser.step, denoiser.total_steps = 0, 20
        return adapter_for(host, denoiser, p).begin_step(params_for(1.0)).sampling.picture_numbers

    assert numbers() == numbers(seeds=None) == (0,)
    # The variation seed counts only where it has a strength.
    assert numbers(seeds=[7, 8], subseeds=[1, 2], subseed_strength=0) == (7, 8)
    assert numbers(seeds=[7, 8], subseeds=[3, 4], subseed_strength=0) == (7, 8)
    # A batch of variations has one seed, and counts up all the same.
    assert numbers(seeds=[7, 7], subseeds=[3, 4], subseed_strength=0.5) == (10, 11)


def test_rows_are_told_apart_by_the_prompts_that_and_joins(host):
    """The prompts say it, never the latents: they may be the same for several pictures."""
    p, denoiser = Processing(), nn.Module()
    p.seeds = [7, 8]
    denoiser.step, denoiser.total_steps = 19, 20
    adapter = adapter_for(host, denoiser, p)
    p.sampler.sampler_extra_args = {"cond": SimpleNamespace(batch=[["a", "b"], ["c"]])}
    step = adapter.begin_step(params_for(1.0, rows=5, num_cond=3))
    assert [tuple(row) for row in step.rows] == [
        (0, True), (0, True), (1, True), (0, False), (1, False),
    ]  # fmt: skip
    assert step.is_last
    unet_call = {"x": torch.zeros(2, 4, 6, 8), "timesteps": torch.ones(2), "context": None}
    assert adapter.read_call((), unet_call).rows == step.rows[:2]
    assert adapter.read_call((), unet_call).rows == step.rows[2:4]
    adapter.end_step()
    assert adapter.read_call((), unet_call) is None


def test_callbacks_of_inner_generations_are_not_ours(host):
    p = Processing()
    adapter = host.WebuiHost(p)
    assert adapter.owns(SimpleNamespace(denoiser=SimpleNamespace(p=p)))
    assert not adapter.owns(SimpleNamespace(denoiser=SimpleNamespace(p=Processing())))
    assert not adapter.owns(SimpleNamespace(denoiser=object())), "nothing that is not known"
    assert adapter.owns(SimpleNamespace()), "before 1.8.0 the callback has no denoiser"


def test_the_end_of_an_inner_generations_step_is_not_ours(host):
    denoiser = SimpleNamespace(inner_model=object())
    adapter = adapter_for(host, denoiser)
    assert adapter.ends_step(SimpleNamespace(inner_model=denoiser.inner_model))
    assert not adapter.ends_step(SimpleNamespace(inner_model=object()))
    assert adapter.ends_step(SimpleNamespace()), "where the host does not say"


class SamplingVae(nn.Module):
    """Encodes like SDXL's: a sample drawn from torch's global stream."""

    def encode_first_stage(self, x):
        return x[..., ::8, ::8] + torch.randn(1, 3, x.shape[2] // 8, x.shape[3] // 8)

    def get_first_stage_encoding(self, z):
        return z * 0.5


class PosteriorVae(SamplingVae):
    """Encodes like ldm's: a distribution."""

    def encode_first_stage(self, x):
        mean = x[..., ::8, ::8]
        return SimpleNamespace(mode=lambda: mean, sample=lambda: mean + torch.randn_like(mean))


@pytest.mark.parametrize("vae", [SamplingVae(), PosteriorVae()])
def test_encoding_repeats_and_leaves_the_global_stream_alone(host, vae):
    vae.first_stage_model = nn.Identity()
    p = Processing()
    p.sd_model = vae
    adapter = host.WebuiHost(p)
    pixels = torch.rand(1, 3, 16, 24)
    torch.manual_seed(1)
    first = adapter.encode(pixels)
    drawn = torch.randn(4)
    torch.manual_seed(1)
    assert torch.equal(torch.randn(4), drawn)
    torch.manual_seed(99)
    assert torch.equal(adapter.encode(pixels), first)
    if isinstance(vae, PosteriorVae):
        assert torch.equal(first, (pixels * 2 - 1)[..., ::8, ::8] * 0.5)


class Vae(nn.Module):
    """As far as its weights are looked at: an AutoencoderKL's, by name."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4))
        self.decoder = nn.Conv2d(4, 3, 3)
        self.quant_conv, self.post_quant_conv = nn.Conv2d(4, 8, 1), nn.Conv2d(4, 4, 1)


CHANGES_OF_A_VAE = {
    "another file of that name": lambda vae: vae.load_state_dict(Vae().state_dict()),
    "a single weight": lambda vae: vae.encoder[0].weight.data[0, 0, 0, 0].mul_(1.1),
    "a bias": lambda vae: vae.quant_conv.bias.data.add_(0.01),
}


@pytest.mark.parametrize("change", CHANGES_OF_A_VAE.values(), ids=CHANGES_OF_A_VAE)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_latents_of_a_vae_that_was_overwritten_are_not_taken(host, dtype, change):
    host.fakes["devices"].dtype_vae = dtype
    p = Processing()
    p.sd_model = SimpleNamespace(first_stage_model=Vae())
    adapter, vae = host.WebuiHost(p), p.sd_model.first_stage_model
    key = adapter.latents_key()
    vae.decoder.weight.data.add_(1)
    vae.to(memory_format=torch.channels_last)
    assert adapter.latents_key() == key, "what encodes is the same"
    with torch.no_grad():
        change(vae)
    assert adapter.latents_key() != key


def test_a_step_reads_no_weights(host):
    class Unread(nn.Module):
        def named_parameters(self, *_args, **_kwargs):
            raise AssertionError("read")

    p = Processing()
    p.sd_model = SimpleNamespace(first_stage_model=Unread())
    adapter = host.WebuiHost(p)
    assert adapter.states_key() == adapter.states_key()
    with pytest.raises(AssertionError, match="read"):
        adapter.latents_key()


def test_a_vae_that_fails_in_half_precision_is_named(host):
    p = Processing()
    p.sd_model = PosteriorVae()
    p.sd_model.first_stage_model = nn.Identity()
    with pytest.raises(FabricError, match="--no-half-vae"):
        host.WebuiHost(p).encode(torch.full((1, 3, 16, 16), float("nan")))


def unet_with_channels(channels):
    unet = nn.Module()
    unet.in_channels = channels
    return unet


def conditioned_model(channels, conditioning):
    model = PosteriorVae()
    model.first_stage_model = nn.Identity()
    model.encode_first_stage = lambda x: torch.cat([x, x[:, :1]], 1)[..., ::8, ::8]
    model.model = SimpleNamespace(diffusion_model=unet_with_channels(channels))
    model.prompts = []
    model.get_learned_conditioning = lambda prompts: (model.prompts.append(prompts), conditioning)[
        1
    ]
    return model


def test_the_empty_prompt_is_asked_for_at_the_size_being_made(host):
    p = Processing()
    p.sd_model = conditioned_model(
        4, {"crossattn": torch.ones(1, 77, 8), "vector": torch.ones(1, 3)}
    )
    conditioning = host.WebuiHost(p).null_conditioning((6, 8))
    prompts = p.sd_model.prompts[0]
    assert (list(prompts), prompts.height, prompts.width) == ([""], 48, 64)
    assert prompts.is_negative_prompt
    assert conditioning.context.shape == (1, 77, 8)
    assert conditioning.extra["y"].shape == (1, 3)
    assert conditioning.concat is None


@pytest.mark.parametrize("channels", [5, 8])
def test_depth_and_edit_models_get_zeros_for_no_picture(host, channels):
    p = Processing()
    p.sd_model = conditioned_model(channels, torch.ones(1, 77, 8))
    concat = host.WebuiHost(p).null_conditioning((6, 8)).concat
    assert torch.equal(concat, torch.zeros(1, channels - 4, 6, 8))


def test_inpainting_models_get_a_full_mask_over_grey(host):
    p = Processing()
    p.sd_model = conditioned_model(9, torch.ones(1, 77, 8))
    concat = host.WebuiHost(p).null_conditioning((6, 8)).concat
    assert torch.equal(concat[:, :1], torch.ones(1, 1, 6, 8))
    assert torch.equal(concat[:, 1:], torch.zeros(1, 4, 6, 8)), "grey is 0 for the encoder"


def test_models_that_cannot_be_hooked_are_named(host):
    p = Processing()
    p.sd_model = SimpleNamespace()
    with pytest.raises(UnsupportedModelError, match="cannot take feedback"):
        host.WebuiHost(p).model()
    host.fakes["sd_unet"].current_unet = object()
    with pytest.raises(UnsupportedModelError, match="SD Unet"):
        host.WebuiHost(p).model()


@pytest.mark.parametrize("flag", ["interrupted", "skipped"])
def test_an_end_is_asked_for_in_the_hosts_way(host, flag):
    adapter = host.WebuiHost(Processing())
    adapter.stop_if_interrupted()
    setattr(host.fakes["shared"].state, flag, True)
    with pytest.raises(InterruptedException):
        adapter.stop_if_interrupted()


@pytest.mark.parametrize(
    "use",
    [
        lambda adapter: adapter.model(),
        lambda adapter: adapter.latents_key(),
        lambda adapter: adapter.encode(torch.zeros(1, 3, 8, 8)),
        lambda adapter: adapter.null_conditioning((1, 1)),
    ],
)
def test_a_model_that_is_unloaded_is_told(host, use):
    p = Processing()
    p.sd_model = None
    with pytest.raises(FabricError, match="unloaded while it was in use") as told:
        use(host.WebuiHost(p))
    assert told.value.status_code == 500


def test_hypernetworks_and_upcast_are_the_hosts(host):
    p, unet = Processing(), make_tiny_unet()
    p.sd_model = SimpleNamespace(model=SimpleNamespace(diffusion_model=unet))
    layer, *_ = host.WebuiHost(p).model().layers
    x = torch.ones(1, 5, layer.module.to_q.in_features)
    seen = []

    def attention(q, k, v, scale, tiles):
        seen.append((k, v))
        return q

    layer.forward(attention, 1, x)
    host.fakes["shared"].opts.upcast_attn = True
    layer.forward(attention, 1, x.double().float())
    for k, v in seen:
        for project, given, states in ((layer.module.to_k, x + 1, k), (layer.module.to_v, x, v)):
            expected = project(given).unflatten(-1, (layer.module.heads, -1)).transpose(1, 2)
            assert torch.equal(states, expected)
    unet.half()
    layer.forward(attention, 1, x.half())
    assert {each.dtype for each in seen[-1]} == {torch.float32}


def test_gallery_entries_that_the_host_refuses_become_a_sentence(pictures, monkeypatch):
    def outside(_entry):
        raise AssertionError("trying to open image file outside of allowed directories")

    monkeypatch.setattr(pictures, "image_from_url_text", outside)
    with pytest.raises(FabricError, match="cannot be read"):
        pictures.gallery_picture({"name": "/etc/passwd", "is_file": True})
    monkeypatch.setattr(pictures, "image_from_url_text", lambda _entry: None)
    with pytest.raises(FabricError, match="no picture"):
        pictures.gallery_picture(None)


@pytest.mark.parametrize(
    ("infotext", "expected"),
    [
        (None, Details()),
        ("no json", Details()),
        ("[]", Details()),
        ("{}", Details()),
        ('{"Seed": "abc"}', Details()),
        (
            '{"Prompt": "a circle", "Seed": "7", "Model": "tiny"}',
            Details("a circle", 7, "tiny"),
        ),
    ],
)
def test_how_a_picture_was_made_is_read_from_its_infotext(pictures, infotext, expected):
    image = Image.new("RGB", (8, 8))
    if infotext is not None:
        image.info["parameters"] = infotext
    assert pictures.picture_details(image) == expected


def test_the_progress_text_is_put_back(host):
    state = host.fakes["shared"].state = SimpleNamespace(textinfo="before")
    adapter = host.WebuiHost(Processing())

    def encode():
        with adapter.progress_text("Reading"):
            assert state.textinfo == "Reading"
            raise FabricError("inside")

    with pytest.raises(FabricError, match="inside"):
        encode()
    assert state.textinfo == "before"
