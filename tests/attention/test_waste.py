"""Nothing is done twice, too early or for nobody: counted, since it cannot be seen in a picture."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from lib_fabric.attention import rows as row_attention
from lib_fabric.attention.merging import Merging
from lib_fabric.attention.plan import Reference
from lib_fabric.attention.states import KeyValues
from lib_fabric.ratings import Ratings
from lib_fabric.steering.methods import METHODS, PictureKey, take_turn
from lib_fabric.steering.state_cache import StateCache
from tests.helpers import reference
from tests.helpers.attention import make_plan
from tests.helpers.denoising import begin_step, denoise, make_request, make_session, make_step
from tests.helpers.held import NotingCache
from tests.helpers.tiny_unet import make_inputs

# What waits for a device, or brings something to another.
WAITING = {"_local_scalar_dense", "item", "_to_copy", "nonzero", "is_nonzero", "equal", "unique2"}


class Operations(TorchDispatchMode):
    """Counts what torch does, by name."""

    def __init__(self):
        super().__init__()
        self.counts = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().removeprefix("aten::").partition(".")[0]
        self.counts[name] = self.counts.get(name, 0) + 1
        return func(*args, **(kwargs or {}))

    @property
    def waiting(self):
        return {name: count for name, count in self.counts.items() if name in WAITING}


@pytest.fixture
def passes(fake_host):
    """The pictures that went through the U-Net as references."""
    return fake_host.seen


def _sample(fake_host, request, step=None, rows=4, states=None):
    session = make_session(request, fake_host, states=states)
    with session.installed():
        return denoise(session, fake_host.current_unet, step or make_step(rows), *make_inputs(rows))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("settings", "progress", "expected"),
    [
        ({}, 0.3, 3),
        ({"negative_scale": 0.0}, 0.3, 1),
        ({"strength": 0.0, "min_strength": 1.0}, 0.3, 0),
        ({}, 0.9, 0),
        ({"min_strength": 0.5}, 0.9, 3),
        ({"min_strength": 0.5, "negative_scale": 0.0}, 0.9, 1),
        ({"start": 0.5}, 0.3, 0),
    ],
    ids=str,
)
def test_a_list_is_looked_at_only_while_it_counts(
    fake_host, passes, method, settings, progress, expected
):
    request = make_request((1.0,), (1.0, 0.5), method, **settings)
    _sample(fake_host, request, make_step(progress=progress))
    assert len(passes) == expected


@pytest.fixture
def encoded(fake_host, monkeypatch):
    """One entry for each picture that the VAE encodes."""
    encoded, encode = [], fake_host.encode
    monkeypatch.setattr(fake_host, "encode", lambda pixels: encoded.append(1) or encode(pixels))
    return encoded


@pytest.mark.parametrize(("negative_scale", "expected"), [(0.5, 3), (0.0, 1)])
def test_a_list_that_never_counts_is_not_encoded(fake_host, encoded, negative_scale, expected):
    _sample(fake_host, make_request((1.0,), (1.0, 1.0), negative_scale=negative_scale))
    assert len(encoded) == expected


def test_liked_pictures_that_no_row_follows_are_not_encoded(fake_host, encoded):
    """By contrast each of the two pictures follows one liked one, and avoids all disliked."""
    _sample(fake_host, make_request((1.0,) * 16, (1.0, 1.0), "contrast"))
    assert 3 <= len(encoded) <= 4


def test_what_later_rows_attend_to_is_encoded_when_they_come(fake_host, encoded):
    """Unconditional rows may be left out at the first steps."""
    session = make_session(make_request((1.0,), (1.0,)), fake_host)
    inputs = make_inputs(4)
    with session.installed():
        denoise(session, fake_host.current_unet, make_step(2, 2), *(each[:2] for each in inputs))
        assert len(encoded) == 1
        both = denoise(session, fake_host.current_unet, make_step(4, 2), *inputs)
        denoise(session, fake_host.current_unet, make_step(2, 2), *(each[:2] for each in inputs))
    assert len(encoded) == 2
    alone = _sample(fake_host, make_request((1.0,), (1.0,)), make_step(4, 2))
    torch.testing.assert_close(both, alone, rtol=0, atol=1e-6)


def test_kept_states_are_of_one_size_also_where_the_first_rows_see_nothing(fake_host, passes):
    """By contrast unconditional rows attend to nothing; here they come first, alone."""
    states = StateCache(2**28)

    def sample(size):
        passes.clear()
        request = make_request((1.0,), (1.0,) * 4, "contrast")
        session = make_session(request, fake_host, states=states)
        inputs = make_inputs(4, size_latent=size)
        with session.installed():
            first = make_step(2, 0, size=size)
            denoise(session, fake_host.current_unet, first, *(each[2:] for each in inputs))
            assert passes == []
            denoise(session, fake_host.current_unet, make_step(4, 2, size=size), *inputs)
        return len(passes)

    # As many tokens in each layer. Of kept states one pair is compared with what is there now.
    assert [sample(size) for size in ((6, 8), (8, 6), (6, 8), (8, 6))] == [5, 5, 2, 2]


def test_a_picture_of_weight_0_is_not_looked_at(fake_host, passes):
    _sample(fake_host, make_request((1.0, 0.0), (0.0,)))
    assert len(passes) == 1


@pytest.mark.parametrize(
    ("method", "num_cond", "expected"),
    [("paper", 4, 2), ("paper", 0, 1), ("contrast", 4, 3), ("contrast", 0, 0)],
)
def test_only_what_the_rows_that_run_attend_to_is_looked_at(
    fake_host, passes, method, num_cond, expected
):
    """CFG scale 1, and options that skip unconditional rows. By the paper's method conditional
    rows see liked pictures only; by contrast, unconditional ones see none."""
    request = make_request((1.0, 0.5), (1.0,), method)
    inputs = [torch.cat([each[:2], each[:2]]) for each in make_inputs(4)]
    session = make_session(request, fake_host)
    with session.installed():
        denoise(session, fake_host.current_unet, make_step(4, num_cond), *inputs)
    # By contrast each row follows one liked picture, so that one of the two may be left out.
    assert len(passes) == expected or (method == "contrast" and len(passes) == expected - 1)


@pytest.mark.parametrize("method", METHODS)
def test_all_rows_of_a_batch_share_what_was_seen(fake_host, passes, method):
    request = make_request((1.0,), (1.0, 0.5), method)
    for rows in (2, 8, 16):
        passes.clear()
        _sample(fake_host, request, make_step(rows, rows // 2), rows)
        assert len(passes) == 3


def test_a_picture_in_both_lists_is_looked_at_once(fake_host, passes):
    request = make_request((1.0,), ())
    both = type(request)(request.settings, Ratings(request.ratings.liked, request.ratings.liked))
    _sample(fake_host, both)
    assert len(passes) == 1


@pytest.mark.parametrize("settings", [{}, {"merge": 2}, {"refresh": 2}], ids=str)
def test_only_keys_and_values_are_held_and_nothing_behind_them(fake_host, settings):
    """No hidden states, and no larger tensor that they are a part of."""
    states = NotingCache(2**28)
    _sample(fake_host, make_request(**settings), states=states)
    assert states.kept
    for _, entry in states.kept:
        for layer in entry.values():
            assert layer.keys.shape == layer.values.shape
            assert layer.keys.shape[0] == 1
            for tensor in (layer.keys, layer.values):
                assert tensor.untyped_storage().nbytes() == tensor.numel() * 4
                assert tensor.grad_fn is None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("settings", [{}, {"merge": 2}, {"refresh": 2}], ids=str)
def test_no_layer_waits_for_the_device(fake_host, method, settings):
    """Whether states are kept or seen: as many such operations as without feedback, and those of
    a reference pass do not grow with the layers."""
    unet, inputs = fake_host.current_unet, make_inputs(4)
    plain = Operations()
    with plain:
        unet(inputs[0], inputs[1], context=inputs[2])
    alone = Operations()
    with alone:
        unet(inputs[0][:1], inputs[1][:1], context=inputs[2][:1])
    request = make_request((1.0, 0.5), (1.0,), method, **settings)
    session = make_session(request, fake_host, states=StateCache(2**28))
    with session.installed():
        for alpha in (0.2, 0.3):
            denoise(session, unet, make_step(alpha=alpha), *inputs)
        step = make_step(alpha=0.4, number=9)
        begin_step(session, step)
        cold, warm = Operations(), Operations()
        with cold:
            unet(inputs[0], inputs[1], context=inputs[2])
        fake_host.begin_step(step)  # the same rows once more
        with warm:
            unet(inputs[0], inputs[1], context=inputs[2])
    assert warm.waiting == plain.waiting
    for name, count in cold.waiting.items():
        most = plain.waiting.get(name, 0) + 3 * alone.waiting.get(name, 0)
        assert count <= most, name
    assert len(cold.counts) > 10


@pytest.mark.parametrize(
    ("disliked", "calls"), [((), 2), ((1.0,), 3), ((1.0, 0.5), 3)], ids=["none", "one", "two"]
)
def test_rows_that_follow_different_pictures_share_a_call(fake_host, monkeypatch, disliked, calls):
    """One for the rows with a picture of their own, one for the rest, one for the disliked."""
    made, original = [], row_attention.joined_attention
    session = make_session(make_request((1, 1, 1), disliked, "contrast"), fake_host)
    inputs, step = make_inputs(8), make_step(8, 4)

    def spy(*args):
        made.append(args[0].shape)
        return original(*args)

    monkeypatch.setattr(row_attention, "joined_attention", spy)
    with session.installed():
        begin_step(session, step)
        for _ in range(2):
            # The second time all has been seen, so that the rows' own calls are left.
            made.clear()
            fake_host.begin_step(step)
            fake_host.current_unet(inputs[0], inputs[1], context=inputs[2])
    numbers = step.sampling.picture_numbers
    liked = [Reference(PictureKey(str(i), Merging.at((6, 8))), 1.0) for i in range(3)]
    assert len({take_turn(liked, number) for number in numbers}) > 1
    layers = [name for name, _ in fake_host.current_unet.named_modules() if name.endswith(".attn1")]
    assert len(made) == calls * len(layers)


@pytest.mark.parametrize(("num_parts", "calls"), [(1, 1), (2, 3)])
def test_keys_are_not_copied_beside_each_other_where_memory_is_short(monkeypatch, num_parts, calls):
    """Then each row with a picture of its own has a call of its own, to the same end."""
    generator = torch.Generator().manual_seed(0)
    q, k, v, *seen = torch.randn(9, 3, 2, 6, 8, generator=generator)
    pictures = [
        {0: KeyValues(keys[:1], values[:1])}
        for keys, values in zip(seen[::2], seen[1::2], strict=True)
    ]
    plan = make_plan(*((1, (picture,), (0.5,)) for picture in pictures))
    made, original = [], row_attention.joined_attention

    def spy(*args):
        made.append(args)
        return original(*args)

    monkeypatch.setattr(row_attention, "joined_attention", spy)
    out = row_attention.RowAttention().attend(0, q, k, v, plan, 8**-0.5, num_parts=num_parts)
    assert len(made) == calls
    for row, picture in enumerate(pictures):
        for head in range(2):
            keys, values = picture[0].keys[0, head], picture[0].values[0, head]
            expected = reference.weighted_attention(
                q[row, head],
                torch.cat([k[row, head], keys]),
                torch.cat([v[row, head], values]),
                [1.0] * 6 + [0.5] * 6,
            )
            assert out[row, head].numpy() == pytest.approx(expected, abs=1e-5)
