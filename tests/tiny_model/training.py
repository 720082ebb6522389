"""The two training stages of the tiny model; train.py runs them.

Pictures are uint8 arrays [B, H, W, 3] or float tensors [B, 3, H, W] in -1..1. The U-Net and
the text encoder run under bfloat16 autocast, weights stay float32.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .build import AutoencoderKL, TinyDiffusion
from .shapes import Scene, caption, draw_batch, random_scene

log = logging.getLogger(__name__)

SIZES = ((64, 64), (64, 96), (96, 64), (96, 96))
SIZE_SHARES = (0.76, 0.08, 0.08, 0.08)
EMPTY_CAPTIONS = 0.12
CAPTION_DROP = 0.25  # chance of each attribute to be left out of a caption
KL_WEIGHT = 1e-4
LATENT_NOISE = 0.5  # strongest noise on latents, relative to their spread
SMALL_PICTURES = 0.45  # share of the autoencoder's time spent on 32x32 pictures


@dataclass(frozen=True)
class Budget:
    """How long a stage runs: a number of steps if given, else minutes of wall time."""

    minutes: float
    steps: int | None = None

    def clock(self) -> Callable[[int], float]:
        """Return a function from step to progress in 0..1, started now."""
        begin = time.monotonic()
        if self.steps is not None:
            return lambda step: step / self.steps
        return lambda step: (time.monotonic() - begin) / (60 * self.minutes)


def learning_rate(peak: float, progress: float, step: int, warmup: int = 100) -> float:
    """Linear warm-up over steps, then a cosine to 1 % of the peak over progress."""
    decay = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return peak * min(1.0, (step + 1) / warmup) * decay


def to_tensor(pictures: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] to float [B, 3, H, W] in -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(x: Tensor) -> np.ndarray:
    """Float [B, 3, H, W] in -1..1 to uint8 [B, H, W, 3]."""
    x = (x.float().clamp(-1, 1) + 1) * 127.5
    return x.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def random_pictures(
    count: int, size: tuple[int, int], rng: np.random.Generator
) -> tuple[list[Scene], np.ndarray]:
    """Draw random scenes of one size."""
    scenes = [random_scene(rng) for _ in range(count)]
    return scenes, draw_batch(scenes, *size, rng)


def _step(
    parameters: list[nn.Parameter], optimizer: torch.optim.Optimizer, loss: Tensor, rate: float
) -> None:
    """One optimizer step with clipped gradients."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()


@torch.no_grad()
def quiet_posterior(model: AutoencoderKL) -> None:
    """Start with little posterior noise, or the decoder first learns to ignore the latents."""
    latent = model.quant_conv.out_channels // 2
    model.quant_conv.weight[latent:] *= 0.1
    model.quant_conv.bias[latent:] = -5.0


def noisy(z: Tensor) -> Tensor:
    """Add noise of a random strength for each picture to latents [B, 4, h, w].

    Without it shapes are told apart by details so faint that the U-Net learns them last.
    """
    strength = LATENT_NOISE * z.detach().std() * torch.rand(len(z), 1, 1, 1)
    return z + strength * torch.randn_like(z)


def train_autoencoder(
    model: AutoencoderKL,
    budget: Budget,
    rng: np.random.Generator,
    small_share: float = SMALL_PICTURES,
    peak: float = 1e-3,
    every: int = 100,
) -> int:
    """Train on L1 + L2 and a very small KL term; return the number of steps."""
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=peak, betas=(0.9, 0.98), weight_decay=0)
    progress_at = budget.clock()
    step = 0
    while (progress := progress_at(step)) < 1:
        # Small pictures first: four times the steps in the same time.
        small = progress < small_share
        size = (32, 32) if small else SIZES[rng.choice(len(SIZES), p=SIZE_SHARES)]
        count = 12 if small else 8 * 64 * 64 // (size[0] * size[1])
        x = to_tensor(random_pictures(count, size, rng)[1])
        posterior = model.encode(x)
        y = model.decode(noisy(posterior.sample()))
        kl = posterior.kl().mean() / posterior.mean[0].numel()
        loss = functional.l1_loss(y, x) + functional.mse_loss(y, x) + KL_WEIGHT * kl
        _step(parameters, optimizer, loss, learning_rate(peak, progress, step))
        step += 1
        if step % every == 0:
            mae = functional.l1_loss(y, x).item()
            log.info("autoencoder %d (%.0f%%): mae %.4f", step, 100 * progress, mae)
    return step


@torch.no_grad()
def latent_pool(
    model: AutoencoderKL, size: tuple[int, int], count: int, rng: np.random.Generator
) -> tuple[list[Scene], Tensor]:
    """Draw `count` pictures of one size; return scenes and posterior parameters [N, 8, h, w]."""
    scenes: list[Scene] = []
    parameters = []
    for begin in range(0, count, 64):
        part, pictures = random_pictures(min(64, count - begin), size, rng)
        parameters.append(model.encode(to_tensor(pictures)).parameters)
        scenes += part
    return scenes, torch.cat(parameters)


class Average:
    """Exponential moving average of a module's parameters, with a warm-up of the decay."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.values = {name: p.detach().clone() for name, p in module.named_parameters()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Move the average towards the module's present parameters."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, p in module.named_parameters():
            self.values[name].lerp_(p, 1 - decay)

    @torch.no_grad()
    def swap(self, module: nn.Module) -> None:
        """Exchange the average and the module's parameters; twice is no change."""
        for name, p in module.named_parameters():
            value = p.clone()
            p.copy_(self.values[name])
            self.values[name] = value


class CaptionCache:
    """Token ids of captions; a caption is only tokenised once."""

    def __init__(self, tokenize: Callable[[list[str]], Tensor]) -> None:
        self.tokenize = tokenize
        self.ids: dict[str, Tensor] = {}

    def __call__(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Return ids of the distinct captions [U, 77] and each caption's row among them [B]."""
        distinct = sorted(set(captions))
        for text in distinct:
            if text not in self.ids:
                self.ids[text] = self.tokenize([text])[0]
        rows = torch.tensor([distinct.index(text) for text in captions])
        return torch.stack([self.ids[text] for text in distinct]), rows


def train_diffusion(
    model: TinyDiffusion,
    pools: list[tuple[list[Scene], Tensor]],
    budget: Budget,
    rng: np.random.Generator,
    report: Callable[[int], None],
    peak: float = 1e-3,
    batch: int = 32,
    every: int = 500,
) -> int:
    """Train U-Net and text encoder together on noise prediction; return the number of steps.

    `pools` holds one pool of latents for each of SIZES. At the end, and while `report` runs,
    the model holds the moving average of its weights.
    """
    trained = nn.ModuleList([model.model, model.cond_stage_model])
    parameters = list(trained.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=peak, betas=(0.9, 0.99), weight_decay=0)
    average = Average(trained, 0.999)
    tokens = CaptionCache(model.cond_stage_model.tokenize)
    progress_at = budget.clock()
    losses: list[float] = []
    step = 0
    while (progress := progress_at(step)) < 1:
        kind = rng.choice(len(SIZES), p=SIZE_SHARES)
        loss = _noise_loss(model, pools[kind], batch if kind == 0 else batch // 2, tokens, rng)
        _step(parameters, optimizer, loss, learning_rate(peak, progress, step))
        average.update(trained)
        losses.append(loss.item())
        step += 1
        if step % every == 0:
            recent = float(np.mean(losses[-every:]))
            log.info("diffusion %d (%.0f%%): loss %.4f", step, 100 * progress, recent)
            average.swap(trained)
            report(step)
            average.swap(trained)
    average.swap(trained)
    return step


def random_timesteps(count: int, timesteps: int, rng: np.random.Generator) -> np.ndarray:
    """Draw int64 [count]: 40 % spread evenly, the rest around the middle.

    A shape is decided at middle noise levels and weighs little in the loss: drawn evenly, the
    text's shape is learned much later than its colours.
    """
    even = (rng.permutation(count) + rng.random(count)) / count  # stratified: less noise
    middle = rng.normal(0.5, 0.16, count)
    share = np.where(rng.random(count) < 0.4, even, middle)
    return np.clip(share * timesteps, 0, timesteps - 1).astype(np.int64)


def _noise_loss(
    model: TinyDiffusion,
    pool: tuple[list[Scene], Tensor],
    count: int,
    tokens: CaptionCache,
    rng: np.random.Generator,
) -> Tensor:
    """Mean squared error of the predicted noise on one random batch of a pool."""
    scenes, parameters = pool
    picked = rng.integers(len(scenes), size=count)
    captions = [caption(scenes[index], rng, CAPTION_DROP) for index in picked]
    empty = rng.random(count) < EMPTY_CAPTIONS
    captions = ["" if gone else text for text, gone in zip(captions, empty, strict=True)]
    ids, rows = tokens(captions)
    mean, log_variance = parameters[torch.from_numpy(picked)].chunk(2, dim=1)
    z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
    z = z * model.scale_factor
    t = torch.from_numpy(random_timesteps(count, model.num_timesteps, rng))
    noise = torch.randn_like(z)
    with torch.autocast("cpu", torch.bfloat16):
        context = model.cond_stage_model.transformer(input_ids=ids).last_hidden_state[rows]
        predicted = model.apply_model(model.q_sample(z, t, noise), t, context).float()
    return functional.mse_loss(predicted, noise)
