"""Hooks on a U-Net without a session, and plans for them."""

import contextlib

from lib_fabric.attention import weighted
from lib_fabric.attention.hooks import SelfAttentionHooks
from lib_fabric.attention.plan import Attended, Plan, Pull, Reference


def make_hooks(unet, host, retry=None):
    """Hooks of this U-Net's self-attention, as the host has its layers."""
    host.current_unet = unet
    return SelfAttentionHooks(unet, host.model().layers, retry)


@contextlib.contextmanager
def installed(unet, host, before_unet=lambda *_: None, retry=None):
    """Hooks, for as long as the context lasts."""
    hooks = make_hooks(unet, host, retry)
    hooks.install(before_unet)
    try:
        yield hooks
    finally:
        hooks.remove()


def make_plan(*groups):
    """A plan of groups of rows: (num_rows, states, weights, pulls), all but the first optional.

    states: what is joined, LayerStates each; weights: one each; pulls: (share, states, weights).
    """
    known = {}

    def references(states, weights):
        keys = [known.setdefault(id(each), (len(known), each))[0] for each in states]
        return tuple(Reference(*pair) for pair in zip(keys, weights, strict=True))

    rows = []
    for num_rows, *more in groups:
        states, weights, pulls = [*more, *[()] * (3 - len(more))]
        attended = Attended(
            references(states, weights),
            tuple(Pull(share, references(*pulled)) for share, *pulled in pulls),
        )
        rows += [attended] * num_rows
    return Plan(tuple(rows), dict(known.values()))


def capture_each(hooks, layer, pictures):
    """The states of `pictures` [references, tokens, C], and what the layer made of them."""
    references, out = [], []
    for picture in pictures:
        references.append({})
        with hooks.capture((references[-1], None)):
            out.append(layer(picture[None])[0])
    return tuple(references), out


def count_queries(monkeypatch):
    """A list that gets rows x heads x queries of each call of the kernel."""
    counts, plain = [], weighted.scaled_dot_product_attention

    def spy(q, k, v, **more):
        counts.append(q.shape[0] * q.shape[1] * q.shape[2])
        return plain(q, k, v, **more)

    monkeypatch.setattr(weighted, "scaled_dot_product_attention", spy)
    return counts
