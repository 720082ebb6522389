"""Puts a context around each batch's sampling of a processing object, and refuses a generation.

Knows that such an object has `sample` and `init` and may be copied; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NoReturn

Around = Callable[[], AbstractContextManager[None]]
_SAMPLING = "_fabric_ext_sampling"


class _Sampling:
    """How one processing object samples.

    Others copy such objects shallowly, before, between and in the middle of their batches: what
    lies on a copy is its original's, and none of its business.

    Attributes:
        around: of the generation under way; without one its wrappers do nothing.
    """

    def __init__(self, p: Any) -> None:  # noqa: ANN401 (the host's object)
        self.p = p
        self.around: Around | None = None
        self._is_running = False

    def run(self, sample: Callable[[], Any]) -> Any:  # noqa: ANN401 (passed through)
        """Calls `sample`, inside `around()` unless that is under way already."""
        if self.around is None or self._is_running:
            return sample()
        self._is_running = True
        try:
            with self.around():
                return sample()
        finally:
            self._is_running = False


class _SamplingWrapper:
    """Stands in for `p.sample` on the instance until it is called.

    There can be several for one object: others wrap what they find, and some put that back into
    their wrapper again and again, so that one of ours may end up inside another or be dropped.
    Whichever is reached first does the work.
    """

    def __init__(self, sampling: _Sampling) -> None:
        self.sampling = sampling
        self._original = sampling.p.__dict__.get("sample")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (passed through)
        p = self.sampling.p
        # First: whatever is copied while it samples, or after, must not sample this object.
        self.take_off(p)
        sample = self._original or partial(type(p).sample, p)
        return self.sampling.run(lambda: sample(*args, **kwargs))

    def take_off(self, p: Any) -> None:  # noqa: ANN401 (as above)
        """Off this object; where somebody has wrapped it since, it stays."""
        if p.__dict__.get("sample") is not self:
            return
        if self._original is None:
            del p.sample
        else:
            p.sample = self._original


def prepare_sampling(p: Any, around: Around) -> None:  # noqa: ANN401 (as above)
    """Lets `wrap_sampling` put `around()` around each batch's sampling; replaces an earlier."""
    release_sampling(p)
    _sampling_of(p).around = around


def wrap_sampling(p: Any) -> None:  # noqa: ANN401 (as above)
    """Runs the next `p.sample` inside the context that was prepared, if one was for this object."""
    sampling = p.__dict__.get(_SAMPLING)
    if sampling is not None and sampling.p is p and sampling.around is not None:
        _take_off(p)
        p.sample = _SamplingWrapper(sampling)


def release_sampling(p: Any) -> None:  # noqa: ANN401 (as above)
    """Leaves nothing of ours on this object, be it of an earlier generation or its original's.

    But where somebody has wrapped `p.sample`: a wrapper of ours may be inside, without effect.
    """
    _take_off(p)
    sampling = p.__dict__.get(_SAMPLING)
    if sampling is None:
        return
    if sampling.p is p:
        sampling.around = None
    if sampling.p is not p or "sample" not in p.__dict__:
        del p.__dict__[_SAMPLING]


def refuse(p: Any, error: Exception, around: Around = nullcontext) -> None:  # noqa: ANN401 (as above)
    """Lets this generation end with `error`, raised inside `around()`, before it starts.

    A script's own hooks cannot: the host prints what they raise and goes on. `p.init` is the next
    call whose exceptions reach the page and the API.
    """

    def raise_error(*_args: object, **_kwargs: object) -> NoReturn:
        with around():
            raise error

    p.init = raise_error


def _sampling_of(p: Any) -> _Sampling:  # noqa: ANN401 (as above)
    if _SAMPLING not in p.__dict__:
        setattr(p, _SAMPLING, _Sampling(p))
    return p.__dict__[_SAMPLING]


def _take_off(p: Any) -> None:  # noqa: ANN401 (as above)
    outermost = p.__dict__.get("sample")
    if isinstance(outermost, _SamplingWrapper):
        outermost.take_off(p)
