"""Denoiser calls as the host makes them, and the same by the reference: for test_session*.py."""

import numpy as np
import torch
from PIL import Image

from lib_fabric.hosts.automatic1111.rows import rows_of_step
from lib_fabric.pictures import from_image
from lib_fabric.ratings import LIST_NAMES, Rated, Ratings
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings
from lib_fabric.steering.host import Pass, Step
from lib_fabric.steering.latents import LatentCache, fit_picture, reference_noise
from lib_fabric.steering.references import PROBE_SIZE
from lib_fabric.steering.session import FabricSession
from tests.helpers import reference
from tests.helpers.tiny_unet import SIZE_LATENT

ALPHA = 0.35
TOLERANCE = 2e-5  # float32 against float64; feedback moves the output by 0.05 and more


def make_picture(seed, height_px=40, width_px=56):
    """Random colours in blocks of 8x8 pixels."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 256, (height_px // 8, width_px // 8, 3), dtype=np.uint8)
    return from_image(Image.fromarray(blocks.repeat(8, axis=0).repeat(8, axis=1)))


def make_request(liked=(1.0,), disliked=(1.0,), method="paper", **settings):
    """A request with one picture for each of the given weights.

    In the paper's method every row attends to references, so that most tests see most with it.
    """
    return FabricRequest(
        FabricSettings(enabled=True, method=method, **settings),
        Ratings(
            tuple(Rated(make_picture(index), weight) for index, weight in enumerate(liked)),
            tuple(
                Rated(make_picture(100 + index), weight) for index, weight in enumerate(disliked)
            ),
        ),
    )


def make_step(
    num_rows=4, num_cond=2, progress=0.3, alpha=ALPHA, size=SIZE_LATENT, is_hires=False,
    number=0, picture_numbers=None, is_last=False,
):  # fmt: skip
    """A step whose rows come as AUTOMATIC1111 sends them, one picture for each conditional one.

    picture_numbers: of these pictures; 11, 12 and so on by default.
    """
    num_pictures = num_cond or num_rows
    numbers = picture_numbers or tuple(range(11, 11 + num_pictures))
    rows = rows_of_step(num_cond, num_rows, [1] * num_cond or [0] * num_pictures)
    sampling = Pass(size, is_hires, tuple(numbers))
    return Step(sampling, rows, alpha, progress, number, is_last)


def count_conditional(step):
    """How many of a step's rows, the first of them, have the prompt."""
    return sum(row.is_conditional for row in step.rows)


def make_session(request, host, latents=None, states=None):
    session = FabricSession(request, host, latents or LatentCache(), states)
    session.fake_host = host  # for `begin_step` and `end_step`
    return session


def is_probe(x):
    """Whether the U-Net gets what only tells whether it is still the same."""
    return tuple(x.shape[2:]) == PROBE_SIZE


def begin_step(session, step):
    """As the host's callback before the U-Net calls of a step."""
    session.begin_step(lambda: session.fake_host.begin_step(step))


def end_step(session):
    """As the host's callback after them."""
    session.fake_host.end_step()
    session.end_step()


def compute_golden(unet, host, request, x, timesteps, context, step, y=None, seen_at=None):
    """The same denoiser call by `reference`. `unet` has to be one without hooks.

    seen_at: (alpha, timesteps [1]) of the references, where not those of this call.
    """
    alpha, null_timestep = seen_at or (step.alpha, None)
    settings = request.settings
    weights = reference.feedback_weights(
        step.progress, settings.strength, settings.min_strength, settings.start, settings.end,
        settings.negative_scale,
    )  # fmt: skip
    size_px = [side * 8 for side in step.sampling.size_latent]
    groups = []
    for references, weight in zip(map(request.ratings.of, LIST_NAMES), weights, strict=True):
        group = []
        for each in references:
            latent = host.encode(fit_picture(each.picture.image, *size_px))[0].numpy()
            noise = reference_noise(each.picture.id, latent.shape).numpy()
            share = settings.max_tokens and max(1, settings.max_tokens // len(references))
            group.append(
                reference.ReferencePicture(
                    latent, noise, weight * each.weight, settings.merge, share
                )
            )
        groups.append(group)
    null = host.null_conditioning(step.sampling.size_latent)
    extra_y = null.extra.get("y")
    concat = null.concat
    more = {
        "y": y, "null_y": None if extra_y is None else extra_y[0],
        "null_concat": None if concat is None else concat[0],
        "null_timestep": null_timestep,
    }  # fmt: skip
    inputs = (unet, x, timesteps, context)
    if settings.method == "paper":
        return reference.denoise_with_feedback(
            *inputs, count_conditional(step), *groups, null.context[0], alpha, **more
        )
    named = [
        [(each.picture.id, picture) for each, picture in zip(references, group, strict=True)]
        for references, group in zip(map(request.ratings.of, LIST_NAMES), groups, strict=True)
    ]
    numbers = step.sampling.picture_numbers
    rows = [
        reference.contrast(numbers[row.picture], *named) if row.is_conditional else ([], [])
        for row in step.rows
    ]
    return reference.denoise_rows(*inputs, rows, null.context[0], alpha, **more)


def denoise(session, unet, step, x, timesteps, context, rows_per_call=None, y=None):
    """One denoiser call as the host makes it: callback, U-Net calls in slices, callback."""
    begin_step(session, step)
    outputs = []
    for part in _parts(len(x), rows_per_call):
        kwargs = {} if y is None else {"y": y[part]}
        outputs.append(unet(x[part], timesteps[part], context=_context_of(context, part), **kwargs))
    end_step(session)
    return torch.cat(outputs)


def _parts(num_rows, rows_per_call):
    return torch.arange(num_rows).split(rows_per_call or num_rows)


def _context_of(context, rows):
    return context[rows] if torch.is_tensor(context) else torch.stack([context[i] for i in rows])


def assert_close(actual, expected, tolerance=TOLERANCE):
    torch.testing.assert_close(actual.double(), expected.double(), atol=tolerance, rtol=0)


def assert_steered(actual, plain):
    """Every row differs from the one without feedback by far more than the tolerance."""
    assert (actual - plain).abs().amax(dim=(1, 2, 3)).min() > 0.02


def check_denoiser_call(
    unet, host, request, step, x, timesteps, context, rows_per_call=None, steered=None
):
    """Holds a denoiser call to the reference, and the U-Net to what it was."""
    golden = compute_golden(unet, type(host)(None), request, x, timesteps, context, step)
    clean = fingerprint(unet)
    session = make_session(request, host)
    with session.installed():
        out = denoise(session, unet, step, x, timesteps, context, rows_per_call)
    assert fingerprint(unet) == clean
    assert_close(out, golden[: len(out)])
    plain = torch.cat(
        [
            unet(x[part], timesteps[part], context=_context_of(context, part))
            for part in _parts(len(x), 1 if isinstance(context, list) else None)
        ]
    )
    if steered is None:
        only_cond = request.settings.method == "contrast"
        steered = range(count_conditional(step) if only_cond else len(x))
    for row in range(len(x)):
        if row in steered:
            assert_steered(out[row : row + 1], plain[row : row + 1])
        else:
            assert_close(out[row], plain[row])


def fingerprint(unet):
    """What an extension could leave on a module: attributes, instance forwards and hooks."""
    return [
        (
            name,
            type(module),
            sorted(vars(module)),
            vars(module).get("forward"),
            [len(value) for key, value in vars(module).items() if key.endswith("_hooks")],
        )
        for name, module in unet.named_modules()
    ]
