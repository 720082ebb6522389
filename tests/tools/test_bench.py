"""The benchmark measures what it says: operations, memory and intervals, each by another way."""

import argparse

import numpy as np
import pytest
import torch
from ldm.modules.attention import CrossAttention
from torch import nn

from lib_fabric.request import FabricRequest
from lib_fabric.steering.state_cache import StateCache
from tests.bench import growth, rounds, steps
from tests.bench.arithmetic import Arithmetic, count_flops, extra_attention
from tests.bench.bench_host import make_request
from tests.bench.cases import CASES, Case, use_sdp_attention
from tests.bench.denoiser import Denoiser
from tests.bench.intervals import paired_ratio
from tests.bench.measure import Arms, Effort, measure
from tests.bench.memory import MEGABYTE, max_sum, peak_bytes
from tests.bench.profiling import difference_lines, group_of
from tests.helpers import reference

CPU = torch.device("cpu")
SIZE = (4, 6)
CONTEXT = 16
SMALL = Case("small", SIZE, {"model_channels": 32, "attention_resolutions": [2, 1],
                             "channel_mult": [1, 2], "num_res_blocks": 1, "num_heads": 4},
             CONTEXT)  # fmt: skip
ONCE = Effort(repeats=1, seconds=0)


@pytest.fixture(autouse=True)
def sdp_attention():
    undo = use_sdp_attention()
    yield
    undo()


@pytest.fixture(scope="module")
def denoiser():
    return Denoiser(SMALL, CPU, torch.float32)


def call(unet, rows):
    inputs = torch.zeros(rows, 4, *SIZE), torch.full((rows,), 500.0)
    return unet(*inputs, context=torch.zeros(rows, 77, CONTEXT))


def count_by_hand(unet, rows):
    """Operations of one call, from the shapes that every module sees."""
    total = 0

    def add(module, args, out):
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += 2 * out.numel() * module.in_channels * module.weight[0, 0].numel()
        if isinstance(module, nn.Linear):
            total += 2 * out.numel() * module.in_features
        if isinstance(module, CrossAttention):
            x, context = args[0], args[1] if len(args) > 1 else None
            keys = x.shape[1] if context is None else context.shape[1]
            # queries times keys, then scores times values
            total += 2 * 2 * x.shape[0] * x.shape[1] * keys * module.to_q.out_features

    def add_attention(module, args, kwargs, out):
        add(module, (args[0], kwargs.get("context")), out)

    handles = []
    for module in unet.modules():
        if isinstance(module, CrossAttention):
            handles.append(module.register_forward_hook(add_attention, with_kwargs=True))
        elif isinstance(module, nn.Conv2d | nn.Linear):
            handles.append(module.register_forward_hook(add))
    with torch.no_grad():
        call(unet, rows)
    for handle in handles:
        handle.remove()
    return total


@pytest.mark.parametrize("rows", [1, 6])
def test_the_plain_unet_is_counted_as_by_hand(denoiser, rows):
    by_hand = count_by_hand(denoiser.unet, rows)
    assert count_flops(lambda: call(denoiser.unet, rows)) == by_hand
    assert denoiser.arithmetic.row * rows == by_hand


def test_attention_is_two_matrix_products():
    q, k, v = torch.ones(8, 24, 5), torch.ones(8, 72, 5), torch.ones(8, 72, 5)
    counted = count_flops(lambda: (q @ k.transpose(1, 2)) @ v)
    assert counted == extra_attention(24, 72, 40) == 4 * 24 * 72 * 40


@pytest.mark.parametrize(
    ("method", "settings", "attended", "computed"),
    [
        # two rows of the prompt see 3 liked each, two of the negative prompt 3 disliked each
        ("paper", {}, 12, 6),
        ("paper", {"negative_scale": 0.0}, 6, 3),
        # two rows see one liked and 3 disliked each; both follow the same liked one, or not
        ("contrast", {}, 8, None),
    ],
)
def test_the_limit_is_what_the_method_needs(denoiser, method, settings, attended, computed):
    request = make_request(3, 3, method=method, **settings)
    cold, warm = denoiser.limits(request, batch_size=2)
    plain = 4 * denoiser.arithmetic.row
    extra = attended * denoiser.arithmetic.attention
    assert warm == pytest.approx((plain + extra) / plain)
    possible = [computed] if computed else [4, 5]
    found = round((cold - warm) * plain / denoiser.arithmetic.row, 6)
    assert found in possible


def test_the_limit_is_the_count_of_the_reference_implementation(denoiser):
    """Which computes every row alone and knows nothing of lib_fabric."""
    unet = denoiser.unet
    shape = (4, *SIZE)
    pictures = [reference.ReferencePicture(np.zeros(shape), np.ones(shape), 1.0) for _ in range(4)]
    rows = 2
    inputs = torch.zeros(rows, *shape), torch.full((rows,), 500.0)
    context = torch.zeros(rows, 77, CONTEXT)
    attended = []
    fast_attention = reference.fast_attention

    def count_attention(q, k, v, weights):
        attended.append(2 * 2 * q.shape[0] * k.shape[0] * q.shape[1])
        return fast_attention(q, k, v, weights)

    projected = 0

    def count(liked, disliked):
        attended.clear()
        flops = count_flops(
            lambda: reference.denoise_with_feedback(
                unet, *inputs, context, 1, liked, disliked, context[0], 0.5
            )
        )
        return flops + sum(attended)

    reference.fast_attention = count_attention
    try:
        plain, with_feedback = count([], []), count(pictures[:2], pictures[2:])
    finally:
        reference.fast_attention = fast_attention
    # The reference projects a picture's keys and values anew for each row that attends to it.
    for name, layer in unet.named_modules():
        if name.endswith(".attn1"):
            tokens = SIZE[0] * SIZE[1] // (1 if layer.to_q.in_features == 32 else 4)
            projected += 2 * 2 * tokens * layer.to_k.in_features * layer.to_k.out_features
    assert plain == rows * denoiser.arithmetic.row
    cold, _ = denoiser.limits(make_request(2, 2, method="paper"), batch_size=1)
    assert cold == pytest.approx((with_feedback - 4 * projected) / plain)


def test_the_arithmetic_adds_what_each_part_says():
    arithmetic = Arithmetic(row=100, attention=10)
    assert arithmetic.limit(num_rows=2, num_attended=0, num_computed=0) == 1
    assert arithmetic.limit(num_rows=2, num_attended=8, num_computed=0) == 1.4
    assert arithmetic.limit(num_rows=2, num_attended=8, num_computed=8) == 5.4


def test_sdxl_has_its_transformers_and_its_vector():
    sdxl = next(case for case in CASES if "SDXL" in case.name)
    with torch.device("meta"):
        unet = sdxl.build(torch.device("meta"), torch.float32)
    attention = [name for name, _ in unet.named_modules() if name.endswith(".attn1")]
    # stabilityai's SDXL base: 4 of 2 and 4 of 10 transformer blocks... counted in its config
    down, middle, up = (
        sum(name.startswith(part) for name in attention)
        for part in ("input_blocks", "middle_block", "output_blocks")
    )
    assert (down, middle, up) == (2 * 2 + 2 * 10, 10, 3 * 10 + 3 * 2)
    assert unet.label_emb[0][0].in_features == 2816


def test_peak_memory_is_that_of_what_lives_together():
    def work():
        first = torch.ones(2 * MEGABYTE, dtype=torch.uint8)
        second = torch.ones(3 * MEGABYTE, dtype=torch.uint8)
        del first
        third = torch.ones(MEGABYTE, dtype=torch.uint8)
        return second, third

    assert peak_bytes(work, CPU) == pytest.approx(5 * MEGABYTE, rel=0.01)
    assert max_sum([5, -3, 4, -6]) == 6
    assert max_sum([-5, 2]) == 0


def test_intervals_hold_the_true_ratio_as_often_as_they_say():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        load = rng.uniform(1, 3, 5)  # the same for both of a pair
        below = load * rng.lognormal(0, 0.05, 5)
        hits += paired_ratio(1.3 * load * rng.lognormal(0, 0.05, 5), below).contains(1.3)
    assert 0.92 < hits / 400 < 0.98


def test_a_ratio_is_that_of_the_pairs():
    ratio = paired_ratio([2.0, 40.0], [1.0, 20.0])
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))
    assert str(paired_ratio([3.0], [2.0])) == "1.50"


@pytest.mark.parametrize("method", ["paper", "contrast"])
def test_a_case_is_measured(denoiser, method):
    arms = Arms(denoiser, make_request(2, 2, method=method), batch_size=2)
    result = measure(denoiser, arms, ONCE)
    assert result.plain_s > 0
    assert 1 < result.warm_limit < result.cold_limit
    # Less than the states where feedback's own peak is lower than the plain one at that moment.
    assert result.states_mb > 0
    assert min(result.cold_mb, result.warm_mb) > result.states_mb / 2
    assert steps.line(result).startswith("small ")


def test_warm_runs_no_reference_and_cold_runs_each(denoiser):
    rows = []
    handle = denoiser.unet.time_embed.register_forward_pre_hook(
        lambda _module, args: rows.append(args[0].shape[0])
    )
    try:
        arms = Arms(denoiser, make_request(2, 2, method="paper"), batch_size=2)
        seen = {}
        for name in Arms.NAMES:

            def around(step, name=name):
                rows.clear()
                step()
                # A single row is a probe of the model.
                seen[name] = sum(each for each in rows if each > 1)

            arms.run(name, around)
    finally:
        handle.remove()
    assert seen == {"plain": 4, "cold": 8, "warm": 4}


def test_quick_things_are_repeated_for_a_while():
    effort = Effort(repeats=2, seconds=1.0, most=5)
    assert not effort.is_enough(1, 100)
    assert effort.is_enough(2, 1.5)
    assert not effort.is_enough(3, 0.5)
    assert effort.is_enough(5, 0.5)


def test_rounds_add_pictures_and_keep_the_earlier_ones(denoiser, capsys):
    computed = []
    handle = denoiser.unet.time_embed.register_forward_pre_hook(
        lambda _module, args: computed.append(args[0].shape[0])
    )
    states = StateCache(2**40)
    seen = []
    try:
        for number in range(1, 4):
            computed.clear()
            rounds.generate(denoiser, 2, "paper", states, number)
            # A single row is a probe of the model.
            seen.append(sum(each for each in computed if each > 1) - 2 * 2 * rounds.BATCH_SIZE)
    finally:
        handle.remove()
    # Two steps: two, four, then six pictures. What is kept from the round before is not computed
    # again, but for a comparison.
    assert seen[0] == 4
    assert 4 <= seen[1] < 8
    assert 4 <= seen[2] < 8
    arguments = argparse.Namespace(method="paper", steps=1, budget_mb=0)
    played = rounds.play(denoiser, arguments, ONCE)
    assert set(played["seconds"]) == set(rounds.ARMS)
    assert "over no feedback" in capsys.readouterr().out


def test_memory_grows_in_a_line_and_is_bounded(denoiser, capsys):
    found = growth.measure(denoiser, argparse.Namespace(method="paper"))
    slope, worst = found["fits"]["kept"]
    # Keys and values of every layer's tokens, four bytes each.
    layers = [layer for name, layer in denoiser.unet.named_modules() if name.endswith(".attn1")]
    values = sum(
        2 * layer.to_k.out_features * (24 if layer.to_k.in_features == 32 else 6)
        for layer in layers
    )
    assert slope == pytest.approx(4 * values / MEGABYTE, rel=1e-3)
    assert worst < 1e-3
    (_, unbounded), (bound, kept) = found["budgets"]
    assert kept <= bound == pytest.approx(unbounded / 2, rel=1e-3)
    assert growth.straight_line((1, 2, 4), (3, 5, 9)) == pytest.approx((2, 0))


def test_a_profile_says_what_was_added():
    lines = list(difference_lines({"aten::mm": 1.0}, {"aten::mm": 3.0, "aten::cat": 0.5}))
    assert [line.split()[-1] for line in lines if "all" in line] == ["2.5"]
    assert group_of("aten::_scaled_dot_product_flash_attention_for_cpu") == "attention"
    assert group_of("aten::mkldnn_convolution") == "convolution"
    assert group_of("aten::addmm") == "matrix product"
    assert group_of("aten::cat") == "copies"
    assert group_of("aten::native_group_norm") == "other"


def test_requests_are_repeatable():
    first, second = make_request(2, 1), make_request(2, 1)
    assert isinstance(first, FabricRequest)
    ids = [each.picture.id for each in first.ratings]
    assert ids == [each.picture.id for each in second.ratings]
    assert len(set(ids)) == 3
