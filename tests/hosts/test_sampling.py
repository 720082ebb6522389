"""The wrapper around a processing object's sampling: nesting, copies, neighbours, refusals."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from functools import partial

import pytest

from lib_fabric.errors import FabricError
from lib_fabric.hosts import sampling


class Processing:
    """The host's processing object, as far as sampling goes."""

    def __init__(self, name="original"):
        self.name = name

    def sample(self, *args, **kwargs):
        return self.name, args, kwargs


def recorder(log, label):
    @contextmanager
    def around():
        log.append(f"enter {label}")
        try:
            yield
        finally:
            log.append(f"exit {label}")

    return around


def test_sampling_runs_inside_the_context_with_its_arguments():
    p, log = Processing(), []
    sampling.wrap_sampling(p, recorder(log, "a"))
    assert p.sample(1, seeds=2) == ("original", (1,), {"seeds": 2})
    assert log == ["enter a", "exit a"]


def test_wrapping_again_replaces_instead_of_nesting():
    p, log = Processing(), []
    sampling.wrap_sampling(p, recorder(log, "a"))
    sampling.wrap_sampling(p, recorder(log, "b"))
    p.sample()
    assert log == ["enter b", "exit b"]


def test_a_shallow_copy_samples_itself_and_not_the_original():
    p, log = Processing(), []
    sampling.wrap_sampling(p, recorder(log, "original"))
    twin = copy.copy(p)
    twin.name = "copy"
    sampling.release_sampling(twin)
    assert twin.sample()[0] == "copy"
    assert log == []
    sampling.wrap_sampling(twin, recorder(log, "copy"))
    assert twin.sample()[0] == "copy"
    assert log == ["enter copy", "exit copy"]


def test_another_extensions_wrapper_is_kept():
    p, log = Processing(), []
    p.sample = lambda *args: ("theirs", args)
    sampling.wrap_sampling(p, recorder(log, "ours"))
    assert p.sample(3) == ("theirs", (3,))
    sampling.release_sampling(p)
    assert p.sample(4) == ("theirs", (4,))
    assert log == ["enter ours", "exit ours"]


def test_a_refused_generation_raises_from_init():
    p, error = Processing(), FabricError("No.")
    sampling.refuse(p, error)
    with pytest.raises(FabricError, match=r"No\."):
        p.init(["prompt"], [1], [1])


class ControlNetLike:
    """Replaces `p.sample` in every `process` by a function that calls what it found at first."""

    def __init__(self, log):
        self._log = log

    def process(self, p):
        if not hasattr(p, "sample_before_hack"):
            p.sample_before_hack = p.sample

        def sample(*args, **kwargs):
            self._log.append("theirs")
            return p.sample_before_hack(*args, **kwargs)

        p.sample = sample


@pytest.mark.parametrize("is_unwrapped", [True, False])
@pytest.mark.parametrize("is_ours_first", [True, False])
def test_each_process_of_one_object_keeps_feedback_beside_controlnet(is_ours_first, is_unwrapped):
    """Loopback runs `process` again and again on the same object."""
    p, log = Processing(), []
    theirs = ControlNetLike(log)
    for loop in range(3):
        log.clear()
        steps = [
            partial(sampling.wrap_sampling, p, recorder(log, f"{loop}")),
            partial(theirs.process, p),
        ]
        for step in steps if is_ours_first else reversed(steps):
            step()
        assert p.sample(5) == ("original", (5,), {})
        assert log.count(f"enter {loop}") == log.count(f"exit {loop}") == log.count("theirs") == 1
        assert len(log) == 3
        if is_unwrapped:
            sampling.unwrap_sampling(p)
            p.sample()
            assert log[3:] == ["theirs"]


def test_unwrapping_leaves_the_object_as_it_was():
    for before in ({}, {"sample": lambda: "theirs"}):
        p = Processing()
        vars(p).update(before)
        found = dict(vars(p))
        sampling.unwrap_sampling(p)
        assert vars(p) == found
        for _ in range(2):
            sampling.wrap_sampling(p, recorder([], "a"))
            sampling.wrap_sampling(p, recorder([], "b"))
            assert vars(p) != found
            sampling.unwrap_sampling(p)
            assert vars(p) == found


def test_an_error_in_sampling_lets_the_next_one_be_wrapped():
    p, log = Processing(), []

    def fail():
        raise ZeroDivisionError

    p.sample = fail
    sampling.wrap_sampling(p, recorder(log, "a"))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            p.sample()
    assert log == ["enter a", "exit a"] * 2
