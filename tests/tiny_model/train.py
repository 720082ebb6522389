"""Train the tiny model: `python tests/tiny_model/train.py --out DIR --minutes 35`.

Writes tiny-shapes.safetensors, tiny-shapes.yaml and clip/ to DIR, with the settings in the
file's metadata. Runs on CPU; `--autoencoder-steps` and `--diffusion-steps` replace wall time
when a run is to be repeated exactly. Once a checkpoint is written DIR is usable, also early.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextConfig

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tiny_model.build import CONFIG, TinyDiffusion, build_model
from tests.tiny_model.shapes import (
    GROUND_COLOURS,
    OBJECT_COLOURS,
    SHAPES,
    Scene,
    matches,
    read_scene,
)
from tests.tiny_model.training import (
    SIZES,
    SMALL_PICTURES,
    Budget,
    latent_pool,
    quiet_posterior,
    random_pictures,
    to_pictures,
    to_tensor,
    train_autoencoder,
    train_diffusion,
)
from tests.tiny_model.vocabulary import write_tokenizer

log = logging.getLogger("train")

AUTOENCODER_SHARE = 0.25  # of the minutes
POOL_SIZES = (12000, 1500, 1500, 1500)  # pictures per entry of SIZES
TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS, TEXT_LENGTH = 64, 2, 4, 77


@dataclass(frozen=True)
class Settings:
    """Everything a run depends on, wall-clock speed aside."""

    minutes: float
    autoencoder_steps: int | None
    diffusion_steps: int | None
    seed: int
    threads: int


def prepare_folder(folder: Path) -> None:
    """Write config and text folder, so that a model can be built from `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder / "clip")
    text = CLIPTextConfig(
        vocab_size=size,
        hidden_size=TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        num_hidden_layers=TEXT_LAYERS,
        num_attention_heads=TEXT_HEADS,
        max_position_embeddings=TEXT_LENGTH,
        bos_token_id=size - 2,
        eos_token_id=size - 1,
        pad_token_id=size - 1,
        architectures=["CLIPTextModel"],
    )
    text.to_json_file(folder / "clip" / "config.json")
    target = folder / CONFIG.name
    if target.resolve() != CONFIG:
        target.write_text(CONFIG.read_text(encoding="utf-8"), encoding="utf-8")


def measure_scale(parameters: Tensor) -> float:
    """Return the factor that gives latents [N, 4, h, w] unit variance, rounded."""
    mean, log_variance = parameters.chunk(2, dim=1)
    variance = mean.var() + torch.exp(log_variance).mean()
    return round(float(variance) ** -0.5, 5)


def write_scale(config: Path, scale: float) -> None:
    """Put the scale factor into a config, leaving every other line as it is."""
    lines = config.read_text(encoding="utf-8").splitlines()
    lines = [
        f"    scale_factor: {scale}" if line.strip().startswith("scale_factor:") else line
        for line in lines
    ]
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = OmegaConf.load(config).model.params.scale_factor
    if found != scale:
        raise ValueError(f"{config.name} has no line for scale_factor")


def save(model: TinyDiffusion, folder: Path, metadata: dict[str, object]) -> None:
    """Write the checkpoint as float16 (integers and the noise schedule keep their type)."""
    schedule = {name for name, _ in model.named_buffers(recurse=False)}
    weights = {
        name: value.half() if value.is_floating_point() and name not in schedule else value
        for name, value in model.state_dict().items()
    }
    weights["scale_factor"] = torch.tensor(model.scale_factor)
    weights = {name: value.contiguous() for name, value in weights.items()}
    target = folder / "tiny-shapes.safetensors"
    partial = target.with_suffix(".partial")
    save_file(weights, partial, {"tiny_shapes": json.dumps(metadata, sort_keys=True)})
    partial.replace(target)


@torch.no_grad()
def sample(
    model: TinyDiffusion,
    prompts: list[str],
    size: tuple[int, int] = (64, 64),
    steps: int = 20,
    cfg_scale: float = 4.0,
    seed: int = 0,
) -> np.ndarray:
    """Deterministic DDIM with guidance; uint8 [B, H, W, 3]."""
    count = len(prompts)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 4, size[0] // 8, size[1] // 8, generator=generator)
    context = model.get_learned_conditioning([*prompts, *[""] * count])
    times = torch.linspace(model.num_timesteps - 1, 0, steps + 1).round().long()
    for index in range(steps):
        t, after = times[index], times[index + 1]
        both = model.apply_model(torch.cat([x, x]), t.expand(2 * count), context)
        cond, uncond = both.chunk(2)
        noise = uncond + cfg_scale * (cond - uncond)
        alpha = model.alphas_cumprod[t]
        following = model.alphas_cumprod[after] if index + 1 < steps else torch.tensor(1.0)
        clean = (x - (1 - alpha).sqrt() * noise) / alpha.sqrt()
        x = following.sqrt() * clean + (1 - following).sqrt() * noise
    return to_pictures(model.decode_first_stage(x))


def sheet(pictures: np.ndarray, columns: int = 8) -> Image.Image:
    """Lay uint8 [B, H, W, 3] out in rows; B must be a multiple of `columns`."""
    count, height, width, _ = pictures.shape
    grid = pictures.reshape(count // columns, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(grid.reshape(count // columns * height, columns * width, 3))


def check_autoencoder(model: TinyDiffusion, count: int = 64) -> dict[str, float]:
    """Return the share of drawn scenes that read the same after a round trip."""
    scenes, pictures = random_pictures(count, (64, 64), np.random.default_rng(12345))
    with torch.no_grad():
        z = model.first_stage_model.encode(to_tensor(pictures)).mode()
        back = to_pictures(model.first_stage_model.decode(z))
    return {"round_trip": float(np.mean([_shows(p, s) for p, s in zip(back, scenes, strict=True)]))}


def check_prompts(model: TinyDiffusion, seed: int = 0, per_kind: int = 32) -> dict[str, float]:
    """Return adherence to full prompts, and readability and red share for "a circle"."""
    rng = np.random.default_rng(seed)
    scenes = []
    while len(scenes) < per_kind:
        scene = Scene(*(str(rng.choice(n)) for n in (SHAPES, OBJECT_COLOURS, GROUND_COLOURS)))
        if scene.object_colour != scene.ground_colour:
            scenes.append(scene)
    prompts = [f"a {s.object_colour} {s.shape} on a {s.ground_colour} background" for s in scenes]
    full = sample(model, prompts, seed=seed)
    open_ended = sample(model, ["a circle"] * per_kind, seed=seed + 1)
    readings = [read_scene(Image.fromarray(picture)) for picture in open_ended]
    return {
        "adherence": float(np.mean([_shows(p, s) for p, s in zip(full, scenes, strict=True)])),
        "circles": float(np.mean([r.shape == "circle" for r in readings])),
        "readable": float(np.mean([r.confidence > 0.7 for r in readings])),
        "colours": len({r.object_colour for r in readings if r.object_colour}),
        "red": float(np.mean([r.object_colour == "red" for r in readings])),
    }


def _shows(picture: np.ndarray, scene: Scene) -> bool:
    return matches(Image.fromarray(picture), scene.object_colour, scene.ground_colour, scene.shape)


def train(folder: Path, settings: Settings, sheets: Path | None, start: Path | None) -> None:
    """Run both stages and write the checkpoint, the second stage's also while it runs.

    `start` is a checkpoint of an earlier run to train on; its autoencoder is kept as it is
    unless the settings give it steps.
    """
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    prepare_folder(folder)
    model = build_model(folder / CONFIG.name)
    facts: dict[str, object] = dict(vars(settings))
    if start is None:
        quiet_posterior(model.first_stage_model)
    else:
        facts["started_from"] = resume(model, start)
    if start is None or settings.autoencoder_steps:
        budget = Budget(settings.minutes * AUTOENCODER_SHARE, settings.autoencoder_steps)
        small_share = SMALL_PICTURES if start is None else 0.0
        facts["autoencoder_steps"] = train_autoencoder(
            model.first_stage_model, budget, rng, small_share
        )
    model.first_stage_model.requires_grad_(False)
    save(model, folder, facts)
    log.info("autoencoder: %s", check_autoencoder(model))
    pools = draw_pools(model, rng)
    model.scale_factor = measure_scale(pools[0][1])
    write_scale(folder / CONFIG.name, model.scale_factor)
    log.info("scale factor %s", model.scale_factor)

    def report(step: int) -> None:
        save(model, folder, {**facts, "diffusion_steps": step})
        log.info("step %d: %s", step, check_prompts(model))
        if sheets is not None:
            write_sheet(model, sheets / f"samples-{step}.png")

    budget = Budget(settings.minutes * (1 - AUTOENCODER_SHARE), settings.diffusion_steps)
    steps = train_diffusion(model, pools, budget, rng, report)
    report(steps)


def draw_pools(model: TinyDiffusion, rng: np.random.Generator) -> list[tuple[list[Scene], Tensor]]:
    """Return scenes and latents of pictures of every size, encoded once for the whole run."""
    return [
        latent_pool(model.first_stage_model, size, count, rng)
        for size, count in zip(SIZES, POOL_SIZES, strict=True)
    ]


def resume(model: TinyDiffusion, start: Path) -> dict[str, object]:
    """Load an earlier checkpoint into a model; return how that one was made."""
    with safe_open(start, "pt") as file:
        facts = json.loads(file.metadata()["tiny_shapes"])
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    model.scale_factor = round(weights.pop("scale_factor").item(), 5)
    model.load_state_dict(weights)
    return facts


def write_sheet(model: TinyDiffusion, path: Path) -> None:
    """Write a sample sheet: two rows "a circle", then a row for each of four prompts."""
    prompts = ["a circle"] * 16
    for prompt in ("a red circle on a blue background", "a square", "a triangle", ""):
        prompts += [prompt] * 8
    sheet(sample(model, prompts, seed=7)).save(path)


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the trained files")
    parser.add_argument("--minutes", type=float, default=35, help="wall time for both stages")
    parser.add_argument("--autoencoder-steps", type=int, help="steps in place of wall time")
    parser.add_argument("--diffusion-steps", type=int, help="steps in place of wall time")
    parser.add_argument("--start", type=Path, help="train a checkpoint of an earlier run on")
    parser.add_argument("--sheets", type=Path, help="folder for sample sheets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    settings = Settings(
        args.minutes, args.autoencoder_steps, args.diffusion_steps, args.seed, args.threads
    )
    train(args.out, settings, args.sheets, args.start)


if __name__ == "__main__":
    main()
