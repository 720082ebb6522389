"""Pictures fitted to a size, their noise, and the cache of latents."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from lib_fabric.pictures import from_image
from lib_fabric.steering.latents import LatentCache, fit_picture, noised_latent, reference_noise
from tests.helpers import reference

RED, BLUE = (255, 0, 0), (0, 0, 255)


def _halves(size, vertical):
    """A red picture whose lower (or right) half is blue; size is Pillow's (width, height)."""
    picture = Image.new("RGB", size, RED)
    width, height = size
    box = (0, height // 2, width, height) if vertical else (width // 2, 0, width, height)
    picture.paste(BLUE, box)
    return picture


def test_a_picture_of_the_right_size_stays_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    fitted = fit_picture(Image.fromarray(pixels), 48, 64)
    assert fitted.shape == (1, 3, 48, 64)
    assert fitted.dtype == torch.float32
    expected = torch.from_numpy(pixels / 255).permute(2, 0, 1)[None]
    torch.testing.assert_close(fitted.double(), expected, atol=1e-7, rtol=0)


@pytest.mark.parametrize("size", [(64, 64), (100, 30), (30, 100), (640, 200), (8, 9)])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (64, 48), (24, 96)])
def test_height_and_width_are_not_swapped(size, height, width):
    fitted = fit_picture(_halves(size, vertical=True), height, width)
    assert fitted.shape == (1, 3, height, width)
    assert fitted.min() >= 0
    assert fitted.max() <= 1
    top, bottom = fitted[0, :, 0].mean(dim=1), fitted[0, :, -1].mean(dim=1)
    torch.testing.assert_close(top, torch.tensor([1.0, 0, 0]), atol=0.05, rtol=0)
    torch.testing.assert_close(bottom, torch.tensor([0, 0, 1.0]), atol=0.05, rtol=0)


@pytest.mark.parametrize(("size", "vertical"), [((90, 30), False), ((30, 90), True)])
def test_the_middle_is_kept(size, vertical):
    fitted = fit_picture(_halves(size, vertical), 32, 32)
    share_of_red = fitted[0, 0].mean()
    assert share_of_red == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("height", "width"), [(48, 96), (96, 48), (64, 64)])
def test_a_disc_stays_round(height, width):
    picture = Image.new("RGB", (160, 120), "black")
    ImageDraw.Draw(picture).ellipse((60, 40, 100, 80), fill="white")
    disc = fit_picture(picture, height, width)[0, 0] > 0.5
    extent_y, extent_x = disc.any(dim=1).sum(), disc.any(dim=0).sum()
    assert abs(int(extent_y) - int(extent_x)) <= 1
    assert extent_y >= 10


@given(alpha=st.floats(0.0, 1.0), shape=st.tuples(*[st.integers(1, 5)] * 3))
def test_noising_is_the_closed_form(alpha, shape):
    generator = torch.Generator().manual_seed(0)
    latent, noise = torch.randn(2, *shape, generator=generator)
    expected = torch.from_numpy(reference.add_noise(latent.numpy(), noise.numpy(), alpha))
    noised = noised_latent(latent, noise, alpha).double()
    torch.testing.assert_close(noised, expected, atol=1e-6, rtol=0)


def test_noise_is_standard_normal():
    noise = reference_noise("ab" * 32, (4, 64, 96))
    assert noise.shape == (4, 64, 96)
    assert noise.dtype == torch.float32
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert noise.std() == pytest.approx(1, abs=0.02)
    # Not one channel repeated, nor one row.
    assert abs(torch.corrcoef(noise.flatten(1)) - torch.eye(4)).max() < 0.05
    assert abs(torch.corrcoef(noise[0]) - torch.eye(64)).max() < 0.6


def test_noise_depends_on_picture_and_size_only():
    one = reference_noise("ab" * 32, (4, 6, 8))
    assert torch.equal(one, reference_noise("ab" * 32, (4, 6, 8)))
    assert not torch.equal(one, reference_noise("cd" * 32, (4, 6, 8)))
    assert not torch.equal(one.flatten(), reference_noise("ab" * 32, (4, 8, 6)).flatten())


def test_noise_is_the_same_after_a_restart():
    code = (
        "from lib_fabric.steering.latents import reference_noise;"
        "print(reference_noise('ab' * 32, (4, 6, 8)).double().sum().item().hex())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2], env=os.environ | {"PYTHONHASHSEED": "7"},
    )  # fmt: skip
    assert other.stdout.strip() == reference_noise("ab" * 32, (4, 6, 8)).double().sum().item().hex()


def test_noise_leaves_the_hosts_random_streams_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = reference_noise("ab" * 32, (4, 6, 8))
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    assert torch.equal(one, reference_noise("ab" * 32, (4, 6, 8)))


class _Encoder:
    def __init__(self):
        self.sizes_px = []

    def __call__(self, pixels):
        self.sizes_px.append(tuple(pixels.shape))
        return pixels.half().repeat(1, 2, 1, 1)[:, :4, ::8, ::8]


def _picture(shade):
    return from_image(Image.new("RGB", (20, 30), (shade, 0, 0)))


def test_a_latent_is_encoded_at_the_pixel_size():
    encode = _Encoder()
    latent = LatentCache().latent(_picture(51), (6, 8), encode, "vae")
    assert encode.sizes_px == [(1, 3, 48, 64)]
    assert latent.shape == (4, 6, 8)
    assert latent.dtype == torch.float32
    assert latent[0].mean() == pytest.approx(0.2, abs=1e-3)
    assert latent[1].abs().max() == 0


def test_a_latent_is_encoded_once_per_picture_size_and_encoder():
    encode, cache = _Encoder(), LatentCache()
    calls = [
        (_picture(1), (6, 8), "vae"),
        (_picture(2), (6, 8), "vae"),
        (_picture(1), (8, 6), "vae"),
        (_picture(1), (6, 8), "other vae"),
    ]
    first = [cache.latent(picture, size, encode, key) for picture, size, key in calls]
    assert len(encode.sizes_px) == 4
    again = [cache.latent(picture, size, encode, key) for picture, size, key in calls]
    assert len(encode.sizes_px) == 4
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert first[2].shape == (4, 8, 6)


def test_the_latent_used_longest_ago_goes_first():
    encode, cache = _Encoder(), LatentCache(max_latents=2)

    def use(shade):
        cache.begin_generation()
        cache.begin_generation()  # so that nothing is still in use
        count = len(encode.sizes_px)
        cache.latent(_picture(shade), (6, 8), encode, "vae")
        return "encoded" if len(encode.sizes_px) > count else "kept"

    used = [(shade, use(shade)) for shade in (1, 2, 1, 3, 1, 2)]
    assert used == [
        (1, "encoded"), (2, "encoded"), (1, "kept"), (3, "encoded"), (1, "kept"), (2, "encoded"),
    ]  # fmt: skip


@pytest.mark.parametrize("num_pictures", [2, 3, 9])
def test_what_a_batch_uses_is_there_for_the_next_however_much_it_is(num_pictures):
    """Many pictures, first pass, refiner and hires pass have more latents than the limit."""
    encode, cache = _Encoder(), LatentCache(max_latents=4)
    for _batch in range(3):
        cache.begin_generation()
        for size in ((6, 8), (12, 16)):
            for shade in range(num_pictures):
                cache.latent(_picture(shade), size, encode, "vae")
    assert len(encode.sizes_px) == 2 * num_pictures
    # What nobody asks for any more goes.
    for _batch in range(2):
        cache.begin_generation()
        cache.latent(_picture(0), (6, 8), encode, "vae")
    cache.begin_generation()
    count = len(encode.sizes_px)
    cache.latent(_picture(1), (6, 8), encode, "vae")
    assert len(encode.sizes_px) == count + (num_pictures > 2)


def test_a_failed_encoding_is_not_kept():
    def fail(_pixels):
        raise MemoryError

    cache = LatentCache()
    with pytest.raises(MemoryError):
        cache.latent(_picture(1), (6, 8), fail, "vae")
    assert cache.latent(_picture(1), (6, 8), _Encoder(), "vae").shape == (4, 6, 8)
