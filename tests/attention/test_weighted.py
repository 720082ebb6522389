"""Weighted attention against a softmax by hand in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lib_fabric.attention import weighted as attention
from lib_fabric.attention.weighted import joined_attention, weighted_attention
from tests.helpers import reference
from tests.helpers.attention import count_queries


@pytest.fixture(params=["one more feature", "bias"], scope="module", autouse=True)
def kernel(request):
    """Both ways to weigh keys, wherever this runs: which is taken depends on torch's version."""
    if request.param == "bias" and not attention.biased_devices():
        pytest.skip("torch has no such kernel")
    with pytest.MonkeyPatch.context() as patch:
        devices = ("cpu",) if request.param == "bias" else ()
        patch.setattr(attention, "BIASED_DEVICES", devices)
        yield request.param


@pytest.fixture
def without_bias(monkeypatch):
    monkeypatch.setattr(attention, "BIASED_DEVICES", ())


def _random(shape, seed, factor=1.0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * factor


def _qkv(rows=2, heads=3, queries=5, keys=7, head_dim=5, factor=1.0):
    return (
        _random((rows, heads, queries, head_dim), 1, factor),
        _random((rows, heads, keys, head_dim), 2, factor),
        _random((rows, heads, keys, head_dim), 3),
    )


def _by_hand(q, k, v, weights=None):
    out = [
        [reference.weighted_attention(*head, weights) for head in zip(*row, strict=True)]
        for row in zip(q, k, v, strict=True)
    ]
    return torch.from_numpy(np.array(out))


def _assert_close(actual, expected, tolerance=2e-6):
    torch.testing.assert_close(actual.double(), expected.double(), atol=tolerance, rtol=0)


def test_the_two_references_agree():
    rng = np.random.default_rng(0)
    q, k, v, weights = (rng.normal(size=s) for s in ((4, 3), (6, 3), (6, 2), 6))
    np.testing.assert_allclose(
        reference.fast_attention(q, k, v, abs(weights)),
        reference.weighted_attention(q, k, v, abs(weights)),
        atol=1e-14,
    )


def test_reference_on_numbers_worked_out_by_hand():
    # Both scores are 0, so the values 0 and 4 are averaged with the weights 1 and 3.
    out = reference.weighted_attention([[1.0]], [[0.0], [0.0]], [[0.0], [4.0]], [1.0, 3.0])
    assert out == 3.0
    # Scores log 3 and 0: weights 3 to 1.
    out = reference.weighted_attention([[1.0]], [[math.log(3)], [0.0]], [[0.0], [4.0]])
    np.testing.assert_allclose(out, 1.0, atol=1e-15)


@given(
    head_dim=st.integers(1, 24),
    queries=st.integers(1, 9),
    weights=st.lists(st.floats(1e-6, 2.0), min_size=1, max_size=12),
    rows=st.integers(1, 3),
    heads=st.integers(1, 3),
    factor=st.sampled_from([0.1, 1.0, 5.0]),
)
def test_equals_softmax_by_hand(head_dim, queries, weights, rows, heads, factor):
    q, k, v = _qkv(rows, heads, queries, len(weights), head_dim, factor)
    out = weighted_attention(q, k, v, torch.tensor(weights).log(), head_dim**-0.5)
    assert out.shape == q.shape
    _assert_close(out, _by_hand(q, k, v, weights), 2e-5)


@given(scale=st.floats(0.01, 3.0), head_dim=st.integers(1, 17), weighted=st.booleans())
def test_the_scale_is_the_callers(scale, head_dim, weighted):
    q, k, v = _qkv(head_dim=head_dim)
    weights = [1.0, 0.5, 2.0, 1.0, 0.1, 1.5, 1.0] if weighted else [1.0] * 7
    log_weights = torch.tensor(weights).log() if weighted else None
    expected = _by_hand(q * (scale * math.sqrt(head_dim)), k, v, weights)
    _assert_close(weighted_attention(q, k, v, log_weights, scale), expected, 2e-5)


@pytest.mark.parametrize("log_weights", [None, torch.zeros(7)], ids=["no weights", "all 1"])
def test_weight_1_is_plain_attention_over_all_tokens(log_weights):
    q, k, v = _qkv()
    _assert_close(weighted_attention(q, k, v, log_weights, 5**-0.5), _by_hand(q, k, v))


def test_weight_2_is_the_token_attached_twice():
    q, k, v = _qkv(keys=4)
    log_weights = torch.tensor([0.0, 0.0, math.log(2), math.log(2)])
    twice_k, twice_v = (torch.cat([x, x[:, :, 2:]], dim=2) for x in (k, v))
    out = weighted_attention(q, k, v, log_weights, 5**-0.5)
    _assert_close(out, weighted_attention(q, twice_k, twice_v, None, 5**-0.5))


@pytest.mark.parametrize("weight", [1e-30, 1e-300, 5e-324])
def test_a_tiny_weight_is_as_good_as_no_token(weight):
    q, k, v = _qkv(keys=4)
    log_weights = torch.tensor([0.0, 0.0, math.log(weight), math.log(weight)])
    out = weighted_attention(q, k, v, log_weights, 5**-0.5)
    assert out.isfinite().all()
    _assert_close(out, _by_hand(q, k[:, :, :2], v[:, :, :2]))


def test_inputs_stay_as_they_are():
    q, k, v = _qkv()
    log_weights = torch.full((7,), -0.5)
    before = [x.clone() for x in (q, k, v, log_weights)]
    weighted_attention(q, k, v, log_weights, 1.0)
    for now, then in zip((q, k, v, log_weights), before, strict=True):
        assert torch.equal(now, then)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float16, 5e-3), (torch.bfloat16, 4e-2)]
)
def test_keeps_the_dtype(dtype, tolerance):
    q, k, v = (x.to(dtype) for x in _qkv(head_dim=8))
    weights = torch.tensor([1.0, 1.0, 0.5, 0.5, 2.0, 2.0, 0.1], dtype=torch.float64)
    out = weighted_attention(q, k, v, weights.log(), 8**-0.5)
    assert out.dtype == dtype
    expected = _by_hand(q.double(), k.double(), v.double(), weights.numpy())
    _assert_close(out, expected, tolerance)


@pytest.mark.parametrize("queries_per_slice", [0, 1, 2, 3, 5, 100])
@pytest.mark.parametrize("weighted", [False, True])
def test_slices_of_queries_join_to_the_same(monkeypatch, without_bias, queries_per_slice, weighted):
    q, k, v = _qkv()
    weights = [1.0, 0.5, 2.0, 1.0, 0.1, 1.5, 1.0] if weighted else [1.0] * 7
    sizes = []
    plain = attention.scaled_dot_product_attention

    def spy(q, k, v):
        sizes.append(q.shape[2])
        return plain(q, k, v)

    monkeypatch.setattr(attention, "scaled_dot_product_attention", spy)
    monkeypatch.setattr(attention, "FUSED_DEVICES", ())
    # 2 rows, 3 heads, 7 keys, 4 bytes: the scores of one query.
    monkeypatch.setattr(attention, "MAX_SCORE_BYTES", queries_per_slice * 2 * 3 * 7 * 4)
    log_weights = torch.tensor(weights).log() if weighted else None
    out = weighted_attention(q, k, v, log_weights, 5**-0.5)
    _assert_close(out, _by_hand(q, k, v, weights))
    assert sum(sizes) == 5
    assert max(sizes) == min(max(queries_per_slice, 1), 5)


@given(
    rows=st.integers(1, 4),
    heads=st.integers(1, 3),
    queries=st.integers(1, 6),
    num_parts=st.integers(1, 100),
    weighted=st.booleans(),
)
def test_pieces_and_parts_join_to_the_same(rows, heads, queries, num_parts, weighted):
    """Own tokens of every row and two references that all rows share, in any number of parts."""
    q, k, v = _qkv(rows, heads, queries, 4)
    shared = [(_random((1, heads, num, 5), num, 1.0), _random((1, heads, num, 5), -num, 1.0))
              for num in (3, 2)]  # fmt: skip
    keys, values = (
        [own, *pieces] for own, pieces in zip((k, v), zip(*shared, strict=True), strict=True)
    )
    weights = [1.0] * 4 + ([0.5] * 3 + [1.5] * 2 if weighted else [1.0] * 5)
    log_weights = torch.tensor(weights).log() if weighted else None
    out = joined_attention(q, keys, values, log_weights, 5**-0.5, num_parts)
    joined = [torch.cat([each.expand(rows, -1, -1, -1) for each in x], 2) for x in (keys, values)]
    _assert_close(out, _by_hand(q, *joined, weights))


@pytest.mark.parametrize("num_parts", [1, 2, 3, 4, 7, 8, 16, 32, 1000])
def test_parts_get_as_small_as_asked(monkeypatch, num_parts):
    """However many rows and heads there are: memory has to shrink with the number of parts."""
    num_queries = count_queries(monkeypatch)
    q, k, v = _qkv(rows=2, heads=4, queries=8)
    joined_attention(q, [k], [v], torch.full((7,), 0.5), 1.0, num_parts)
    assert sum(num_queries) == 2 * 4 * 8
    assert max(num_queries) <= max(1, 2 * 2 * 4 * 8 // num_parts)


@pytest.mark.parametrize(
    ("version", "is_rocm", "expected"),
    [
        ("2.0.1+cpu", False, {"cuda"}),
        ("2.0.1+cu118", False, {"cuda"}),
        ("2.1.2+cu121", False, {"cuda", "cpu"}),
        ("2.13.0", False, {"cuda", "cpu"}),
        ("2.1.2+rocm5.6", True, {"cpu"}),
    ],
)
def test_devices_without_a_fused_kernel_get_slices(version, is_rocm, expected):
    assert set(attention.fused_devices(version, is_rocm)) == expected


def test_a_fused_device_takes_everything_at_once(monkeypatch, without_bias):
    monkeypatch.setattr(attention, "MAX_SCORE_BYTES", 1)
    calls = []
    plain = attention.scaled_dot_product_attention
    monkeypatch.setattr(
        attention, "scaled_dot_product_attention", lambda *a: calls.append(1) or plain(*a)
    )
    weighted_attention(*_qkv(), torch.zeros(7), 1.0)
    assert len(calls) == 1


@pytest.mark.parametrize("head_dim", [1, 7, 8, 40, 64])
def test_kernels_get_a_head_dimension_that_is_a_multiple_of_8(monkeypatch, without_bias, head_dim):
    widths = []
    plain = attention.scaled_dot_product_attention
    monkeypatch.setattr(
        attention,
        "scaled_dot_product_attention",
        lambda q, k, v: widths.extend(x.shape[-1] for x in (q, k, v)) or plain(q, k, v),
    )
    weighted_attention(*_qkv(head_dim=head_dim), torch.zeros(7), 1.0)
    assert len(set(widths)) == 1
    assert widths[0] % 8 == 0
    assert head_dim < widths[0] <= head_dim + 8


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("head_dim", [40, 64, 80, 160])
def test_on_a_gpu(dtype, head_dim):
    q, k, v = (x.to("cuda", dtype) for x in _qkv(queries=64, keys=96, head_dim=head_dim))
    weights = torch.ones(96)
    weights[64:] = 0.8
    out = weighted_attention(q, k, v, weights.log().cuda(), head_dim**-0.5).cpu()
    expected = _by_hand(*(x.cpu().double() for x in (q, k, v)), weights.numpy())
    _assert_close(out, expected, 1e-4 if dtype == torch.float32 else 2e-2)
