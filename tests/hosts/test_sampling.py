"""The wrapper around a processing object's sampling: nesting, copies, neighbours, refusals."""

from __future__ import annotations

import copy
import weakref
from contextlib import contextmanager, nullcontext

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


def prepared(p, log, label):
    """As `process` does."""
    sampling.prepare_sampling(p, recorder(log, label))


def batch(p, *args, **kwargs):
    """One batch, as the host makes it: the hook, then the sampling."""
    sampling.wrap_sampling(p)
    return p.sample(*args, **kwargs)


def test_every_batch_is_sampled_inside_the_context_with_its_arguments():
    p, log = Processing(), []
    prepared(p, log, "a")
    for _ in range(2):
        log.clear()
        assert batch(p, 1, seeds=2) == ("original", (1,), {"seeds": 2})
        assert log == ["enter a", "exit a"]


def test_another_generation_of_the_same_object_replaces_instead_of_nesting():
    p, log = Processing(), []
    prepared(p, log, "a")
    sampling.wrap_sampling(p)
    prepared(p, log, "b")
    batch(p)
    assert log == ["enter b", "exit b"]


def test_a_copy_processed_between_two_batches_changes_nothing_for_the_original():
    p, log = Processing(), []
    prepared(p, log, "original")
    batch(p)
    twin = copy.copy(p)
    twin.name = "copy"
    prepared(twin, log, "copy")
    log.clear()
    assert batch(twin)[0] == "copy"
    assert log == ["enter copy", "exit copy"]
    sampling.release_sampling(twin)
    log.clear()
    assert batch(p)[0] == "original"
    assert log == ["enter original", "exit original"]


@pytest.mark.parametrize("is_steered", [True, False])
def test_a_copy_made_while_the_original_samples_samples_itself(is_steered):
    p, log, made = Processing(), [], []

    def sample_with_a_copy():
        twin = copy.copy(p)
        twin.name = "copy"
        del twin.sample
        if is_steered:
            prepared(twin, log, "copy")
        made.append(batch(twin)[0])
        return "original"

    p.sample = sample_with_a_copy
    prepared(p, log, "original")
    assert batch(p) == "original"
    assert made == ["copy"]
    inner = ["enter copy", "exit copy"] if is_steered else []
    assert log == ["enter original", *inner, "exit original"]


@pytest.mark.parametrize("is_wrapped", [True, False])
def test_a_copy_without_feedback_samples_itself(is_wrapped):
    """Whatever lies on it is its original's; with our hook, without, at any moment."""
    p, log = Processing(), []
    prepared(p, log, "original")
    if is_wrapped:
        sampling.wrap_sampling(p)
    else:
        batch(p)
    log.clear()
    twin = copy.copy(p)
    twin.name = "copy"
    if is_wrapped:
        sampling.release_sampling(twin)
    assert batch(twin)[0] == "copy"
    assert log == []
    assert batch(p)[0] == "original"
    assert log == ["enter original", "exit original"]


def test_another_extensions_wrapper_is_kept():
    p, log = Processing(), []
    p.sample = lambda *args: ("theirs", args)
    prepared(p, log, "ours")
    assert batch(p, 3) == ("theirs", (3,))
    sampling.release_sampling(p)
    assert batch(p, 4) == ("theirs", (4,))
    assert log == ["enter ours", "exit ours"]


def test_a_refused_generation_raises_from_init():
    p, error = Processing(), FabricError("No.")
    sampling.refuse(p, error)
    with pytest.raises(FabricError, match=r"No\."):
        p.init(["prompt"], [1], [1])


class ControlNetLike:
    """Replaces `p.sample`, again and again, by a function that calls what it found at first."""

    def __init__(self, log):
        self._log = log

    def wrap(self, p):
        if not hasattr(p, "sample_before_hack"):
            p.sample_before_hack = p.sample

        def sample(*args, **kwargs):
            self._log.append("theirs")
            return p.sample_before_hack(*args, **kwargs)

        p.sample = sample


@pytest.mark.parametrize("is_released", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
def test_each_generation_of_one_object_keeps_feedback_beside_controlnet(when, is_released):
    """Loopback runs `process` again and again on the same object."""
    p, log = Processing(), []
    theirs = ControlNetLike(log)
    for loop in range(3):
        prepared(p, log, loop)
        for _ in range(2):
            log.clear()
            if when == "before":
                theirs.wrap(p)
            sampling.wrap_sampling(p)
            if when == "after":
                theirs.wrap(p)
            assert p.sample(5) == ("original", (5,), {})
            assert sorted(log) == [f"enter {loop}", f"exit {loop}", "theirs"]
        if is_released:
            sampling.release_sampling(p)
            p.sample()
            assert log[3:] == ["theirs"]


def test_nothing_is_left_on_the_object():
    p, log = Processing(), []
    found = dict(vars(p))
    sampling.release_sampling(p)
    sampling.wrap_sampling(p)
    assert vars(p) == found
    for _ in range(2):
        prepared(p, log, "a")
        sampling.wrap_sampling(p)
        prepared(p, log, "b")
        sampling.wrap_sampling(p)
        assert vars(p) != found
        sampling.release_sampling(p)
        assert vars(p) == found


def test_what_another_extension_has_kept_holds_nothing_afterwards():
    class Session:
        """What the context holds on to."""

    def around_holding(session):
        return lambda: nullcontext(session)

    p, session = Processing(), Session()
    left = weakref.ref(session)
    sampling.prepare_sampling(p, around_holding(session))
    sampling.wrap_sampling(p)
    ControlNetLike([]).wrap(p)
    p.sample()
    del session
    assert left() is not None
    sampling.release_sampling(p)
    assert left() is None


def test_an_error_in_sampling_lets_the_next_one_be_wrapped():
    p, log = Processing(), []

    def fail():
        raise ZeroDivisionError

    p.sample = fail
    prepared(p, log, "a")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            batch(p)
    assert log == ["enter a", "exit a"] * 2
