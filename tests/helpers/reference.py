"""The method once more, slow and obvious, in float64: the golden numbers of the tests.

Written from the paper (FABRIC, arXiv:2307.10159v1) and from this project's definition of it, not
from the code under test: nothing of lib_fabric is imported here.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from tests.helpers.copies import copy_module


def weighted_attention(q, k, v, weights=None):
    """Returns softmax attention in which token j counts `weights[j]` times, for one head.

    q: [N, D], k: [M, D], v: [M, E], weights: [M], each at least 0 (None: all 1). Returns [N, E].

    Source: equation 2 (appendix A.1) of the paper multiplies the attention scores with w / |w|_1
    and leaves them unnormalised. Here they are normalised after weighting, so that the values are
    averaged with weights that add up to 1, and w = 1 is plain attention.
    """
    q, k, v = (np.asarray(each, dtype=np.float64) for each in (q, k, v))
    weights = np.ones(len(k)) if weights is None else np.asarray(weights, dtype=np.float64)
    scale = 1.0 / np.sqrt(q.shape[1])
    out = np.zeros((len(q), v.shape[1]))
    for i in range(len(q)):
        scores = [scale * np.sum(q[i] * k[j]) for j in range(len(k))]
        largest = max(scores)  # keeps exp in range; cancels between numerator and denominator
        scores = [weights[j] * np.exp(scores[j] - largest) for j in range(len(k))]
        total = sum(scores)
        for j in range(len(k)):
            out[i] += scores[j] / total * v[j]
    return out


def alpha_bar_of_sigma(sigma):
    """Returns the cumulative alpha of k-diffusion's noise level `sigma`."""
    return 1.0 / (sigma**2 + 1.0)


def add_noise(latent, noise, alpha_bar):
    """Returns the latent noised to `alpha_bar`: equation 1 (section 3), algorithm 1 line 16."""
    latent, noise = np.asarray(latent, np.float64), np.asarray(noise, np.float64)
    return np.sqrt(alpha_bar) * latent + np.sqrt(1.0 - alpha_bar) * noise


def feedback_weights(progress, strength, min_strength, start, end, negative_scale):
    """Returns (liked weight, disliked weight) at `progress` (0 = noise, 1 = picture).

    Source: algorithm 1 line 20 leaves them to 'the feedback settings'; section 5.3 switches
    feedback on in a part of the denoising steps.
    """
    liked = strength if start <= progress <= end else min_strength
    return liked, liked * negative_scale


def followed_picture(number, ids, weights):
    """Returns the index of the liked picture that the row of this number follows.

    The weights lie end to end on a line, in the order of the ids. As many rows as there are
    pictures, counted up, point at places with equal distances; the first place of the next as many
    is moved by a golden section (and back to the first after 2^15 times).
    """
    count = len(ids)
    moved = math.modf(0.5 + number // count % 2**15 * (math.sqrt(5) - 1) / 2)[0]
    place = (number % count + moved) * math.fsum(weights) / count
    for index in sorted(range(count), key=lambda index: ids[index]):
        if place < weights[index]:
            return index
        place -= weights[index]
    raise ValueError("beyond the end of the line")


@dataclass
class ReferencePicture:
    """One reference: latent and its noise, both [C, H, W], and the weight of its tokens.

    merge: how many of its tokens become one along each side; more where a layer would otherwise
    have more than most_tokens of them (0: no limit).
    """

    latent: np.ndarray
    noise: np.ndarray
    weight: float
    merge: int = 1
    most_tokens: int = 0


def merge_tokens(tokens, size, merge, most_tokens):
    """Returns (merged tokens, how many each stands for): means of squares of neighbours.

    tokens: [height * width, C] of one layer, row by row; size: (height, width) of the U-Net's
    input, of which a layer sees a half, a quarter and so on, rounded up.
    """
    height, width = size
    while height * width > len(tokens):
        height, width = (height + 1) // 2, (width + 1) // 2
    if height * width != len(tokens):
        raise ValueError(f"{len(tokens)} tokens do not belong to {size}")
    while True:
        corners = [(y, x) for y in range(0, height, merge) for x in range(0, width, merge)]
        if most_tokens == 0 or len(corners) <= most_tokens or len(corners) == 1:
            break
        merge += 1
    means, counts = [], []
    for y, x in corners:
        square = [
            tokens[row * width + column]
            for row in range(y, min(y + merge, height))
            for column in range(x, min(x + merge, width))
        ]
        means.append(sum(square) / len(square))
        counts.append(len(square))
    return torch.stack(means), counts


def denoise_with_feedback(
    unet, x, timesteps, context, num_cond, liked, disliked, null_context, alpha_bar,
    y=None, null_y=None, null_concat=None, null_timestep=None,
):  # fmt: skip
    """Returns what the U-Net predicts for every row of one denoiser call, [B, C, H, W] float64.

    Lines 14 to 22 of algorithm 1, with every reference and every row alone. Rows before `num_cond`
    attend to `liked`, the others to `disliked` (lists of ReferencePicture).

    x: [B, C, H, W]; timesteps: [B]; context: [B, tokens, C] or a list of B tensors [tokens, C];
    null_context: [tokens, C]; y, null_y: [B, ...] and [...] for models with a vector input;
    null_concat: [C', H, W], channels appended to every noised reference; null_timestep: [1], that
    of the references, if they were looked at in an earlier step, at `alpha_bar`.
    """
    rows = [(liked if row < num_cond else disliked, ()) for row in range(len(x))]
    return denoise_rows(
        unet, x, timesteps, context, rows, null_context, alpha_bar,
        y, null_y, null_concat, null_timestep,
    )  # fmt: skip


def contrast(picture_number, liked, disliked):
    """Returns what a conditional row of a picture attends to in the method 'contrast'.

    It sees its own liked picture beside itself, and goes away from the disliked ones, which count
    three times; four pictures count fully, or one where nothing is liked. The result is what
    `denoise_rows` takes.

    liked, disliked: lists of (picture id, ReferencePicture).
    """
    liked = [each for each in liked if each[1].weight > 0]
    disliked = [picture for _, picture in disliked if picture.weight > 0]
    sureness = min(1.0, max(len(liked), len(disliked)) / 4) if liked else 1.0
    joined, pulls = [], []
    if liked:
        ids, pictures = zip(*liked, strict=True)
        index = followed_picture(picture_number, ids, [picture.weight for picture in pictures])
        joined = [replace(pictures[index], weight=sureness * pictures[index].weight)]
    if disliked:
        weight = 3 * sureness * sum(picture.weight for picture in disliked) / len(disliked)
        pulls.append((-weight / (1 + weight), disliked))
    return joined, pulls


def denoise_rows(
    unet, x, timesteps, context, rows, null_context, alpha_bar,
    y=None, null_y=None, null_concat=None, null_timestep=None,
):  # fmt: skip
    """Returns what the U-Net predicts for every row, [B, C, H, W] float64.

    rows: for each a pair: a list of ReferencePicture that its self-attention sees beside its own
    tokens, and a list of pulls (share, list of ReferencePicture). The other arguments are those of
    `denoise_with_feedback`.
    """
    unet = _double(unet)
    hidden = {}
    null_timestep = timesteps[:1] if null_timestep is None else null_timestep

    def states(pictures):
        for picture in pictures:
            if id(picture) not in hidden:
                seen = _hidden_states(
                    unet, picture, null_timestep, null_context, null_y, null_concat, alpha_bar
                )
                size = picture.latent.shape[1:]
                hidden[id(picture)] = {
                    # Keys and values are linear in the tokens: theirs is the mean of them, too.
                    name: merge_tokens(tokens, size, picture.merge, picture.most_tokens)
                    for name, tokens in seen.items()
                }
        return [(hidden[id(each)], each.weight) for each in pictures if each.weight > 0]

    outputs = []
    for row, (joined, pulls) in enumerate(rows):
        joined = states(joined)
        pulls = [(share, states(pictures)) for share, pictures in pulls]
        _set_references(unet, joined, pulls)
        outputs.append(
            _call(
                unet,
                x[row].detach().double(),
                timesteps[row : row + 1],
                context[row],
                None if y is None else y[row],
            )
        )
    return torch.stack(outputs)


def _call(unet, x, timestep, context, y):
    kwargs = {} if y is None else {"y": y[None].double()}
    with torch.no_grad():
        return unet(x[None], timestep, context=context[None].double(), **kwargs)[0]


def _hidden_states(unet, picture, timestep, context, y, concat, alpha_bar):
    """Runs one reference and returns {layer: [tokens, C]}: PrecomputeHiddenStates, lines 27-36."""
    _set_references(unet, [])
    x = torch.from_numpy(add_noise(picture.latent, picture.noise, alpha_bar))
    if concat is not None:
        x = torch.cat([x, concat.double()])
    seen = {}
    handles = []
    for name, layer in _self_attentions(unet):

        def record(_layer, args, name=name):
            seen[name] = args[0][0].clone()

        handles.append(layer.register_forward_pre_hook(record))
    _call(unet, x, timestep, context, y)
    for handle in handles:
        handle.remove()
    return seen


def _self_attentions(unet):
    return [(name, layer) for name, layer in unet.named_modules() if name.endswith(".attn1")]


def _set_references(unet, joined, pulls=()):
    """Makes every attn1 attend to its own tokens and to references: ModifiedUNet, lines 37-48.

    joined: list of ({layer: (tokens [M, C], what each counts)}, weight); pulls: list of (share,
    such a list).
    """
    for name, layer in _self_attentions(unet):

        def of_layer(references, name=name):
            return [
                (states[name][0], [weight * count for count in states[name][1]])
                for states, weight in references
            ]

        layer.forward = _joined_attention(
            layer, of_layer(joined), [(share, of_layer(each)) for share, each in pulls]
        )


def _joined_attention(layer, joined, pulls):
    def forward(x, context=None, mask=None, **_):
        if context is not None or mask is not None:
            raise ValueError("attn1 is not self-attention here")
        rows = []
        for own in x:
            plain = _attend_to(layer, own, [(own, [1.0] * len(own)), *joined])
            row = plain
            for share, references in pulls:
                row = row + share * (_attend_to(layer, own, references) - plain)
            rows.append(layer.to_out(row))
        return torch.stack(rows)

    return forward


def _attend_to(layer, own, parts):
    """Heads side by side [N, C]; parts: list of (tokens [M, C], M weights)."""
    weights = [weight for _, weights in parts for weight in weights]
    return _heads(layer, own, torch.cat([tokens for tokens, _ in parts]), weights)


def _text_attention(layer):
    def forward(x, context=None, mask=None, **_):
        rows = zip(x, context, strict=True)
        return torch.stack([_multi_head(layer, own, text, [1.0] * len(text)) for own, text in rows])

    return forward


def _multi_head(layer, own, tokens, weights):
    """What the layer makes of it, [N, C]."""
    return layer.to_out(_heads(layer, own, tokens, weights))


def _heads(layer, own, tokens, weights):
    """own: [N, C], tokens: [M, C or text width], weights: M numbers. Returns [N, C]."""
    q, k, v = (each.numpy() for each in (layer.to_q(own), layer.to_k(tokens), layer.to_v(tokens)))
    width = q.shape[1] // layer.heads
    heads = []
    for head in range(layer.heads):
        part = slice(head * width, (head + 1) * width)
        heads.append(fast_attention(q[:, part], k[:, part], v[:, part], weights))
    return torch.from_numpy(np.concatenate(heads, axis=1))


def fast_attention(q, k, v, weights):
    """`weighted_attention` without loops, since a U-Net calls it a hundred times.

    A test holds the two together.
    """
    scores = q @ k.T / np.sqrt(q.shape[1])
    scores = np.asarray(weights) * np.exp(scores - scores.max(axis=1, keepdims=True))
    return scores / scores.sum(axis=1, keepdims=True) @ v


def _double(unet):
    """Returns a float64 copy of an ldm U-Net; the original stays as it is."""
    unet = copy_module(unet).double()
    unet.dtype = torch.float64  # ldm casts x to it
    for module in unet.modules():
        if isinstance(module, torch.nn.GroupNorm):
            module.__class__ = torch.nn.GroupNorm  # ldm's GroupNorm32 computes in float32
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            module.forward = _text_attention(module)  # ldm's own computes in float32
    # The timestep embedding is made in float32 whatever the model's type.
    unet.time_embed.register_forward_pre_hook(lambda _module, args: (args[0].double(),))
    return unet
