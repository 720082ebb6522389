"""Where the time of a denoiser call goes, with feedback and without. Knows torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import torch
from torch.autograd import DeviceType

# The first group whose words occur in an operator's name.
_GROUPS = (
    ("attention", ("scaled_dot_product", "flash", "efficient_attention", "softmax", "bmm", "fmha")),
    ("convolution", ("conv",)),
    ("matrix product", ("addmm", "mm", "linear", "gemm", "cutlass", "xmma")),
    ("copies", ("copy", "cat", "clone", "pad", "fill", "contiguous", "resize", "memcpy", "zero")),
)
OTHER = "other"


def group_of(operator: str) -> str:
    """What kind of work an operator does."""
    for group, words in _GROUPS:
        if any(word in operator.lower() for word in words):
            return group
    return OTHER


def time_by_operator(call: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Milliseconds that each operator itself takes, on the GPU where there is one."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    on_gpu = device.type == "cuda"
    if on_gpu:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        call()
    wanted = DeviceType.CUDA if on_gpu else DeviceType.CPU
    return {
        event.key: (event.self_device_time_total if on_gpu else event.self_cpu_time_total) / 1000
        for event in profile.key_averages()
        if event.device_type == wanted
    }


def difference_lines(
    plain: dict[str, float], feedback: dict[str, float], num_operators: int = 8
) -> Iterator[str]:
    """A table of what feedback adds: by kind of work, then the operators that add most."""
    yield f"    {'':46} {'plain ms':>9} {'with ms':>9} {'added ms':>9}"
    groups = [Counter(), Counter()]
    for totals, times in zip(groups, (plain, feedback), strict=True):
        for operator, milliseconds in times.items():
            totals[group_of(operator)] += milliseconds
    names = [*(name for name, _ in _GROUPS), OTHER]
    yield from (_line(name, groups[0][name], groups[1][name]) for name in names)
    yield _line("all", sum(plain.values()), sum(feedback.values()))
    added = {name: feedback.get(name, 0) - plain.get(name, 0) for name in {**plain, **feedback}}
    for name in sorted(added, key=lambda each: -added[each])[:num_operators]:
        yield _line(f"  {name}"[:46], plain.get(name, 0), feedback.get(name, 0))


def _line(name: str, plain: float, feedback: float) -> str:
    return f"    {name:46} {plain:9.1f} {feedback:9.1f} {feedback - plain:9.1f}"
