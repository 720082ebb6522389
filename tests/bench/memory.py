"""Peak memory of a call: what torch's allocators hold beyond what they held before. Knows torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate

import torch

MEGABYTE = 2**20


def peak_bytes(call: Callable[[], object], device: torch.device) -> int:
    """The most memory that `call` holds at once, beyond what was held before.

    On CUDA what torch.cuda.max_memory_allocated says. On a CPU the running sum of the allocations
    that torch's profiler records: exact and repeatable on a busy machine, where the process's
    resident memory depends on what the C library gives back; scratch memory inside the
    mathematics libraries is not seen.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        call()
    events = profile.profiler.kineto_results.events()
    changes = sorted(
        (event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"
    )
    return max_sum(change for _, change in changes)


def max_sum(changes: Iterable[int]) -> int:
    """The largest running sum, at least 0."""
    return max(accumulate(changes, initial=0))
