"""Wraps the sampling of one of the host's processing objects, and refuses a generation.

Knows that such an object has `sample` and `init` and may be copied; imports nothing of the host.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NoReturn

Around = Callable[[], AbstractContextManager[None]]


class _Sampling:
    """How one processing object samples; shared by all wrappers of ours that lie on it.

    There can be several: ControlNet replaces `p.sample` in every `process`, by a function that
    calls what it found in its first, so that one of ours may end up inside another or be dropped.
    Whichever is reached first does the work.

    The host copies processing objects shallowly (X/Y/Z plot), so that a copy inherits the
    original's: `rebind` makes it the copy's own.
    """

    def __init__(self) -> None:
        self.p: Any = None
        self._around: Around | None = None
        self._is_running = False

    def rebind(self, p: Any, around: Around | None) -> None:  # noqa: ANN401 (as above)
        """Makes it sample `p`, inside `around()` if there is one."""
        self.p, self._around = p, around

    def run(self, sample: Callable[[], Any]) -> Any:  # noqa: ANN401 (passed through)
        """Calls `sample`, inside `around()` unless that is under way already."""
        if self._around is None or self._is_running:
            return sample()
        self._is_running = True
        try:
            with self._around():
                return sample()
        finally:
            self._is_running = False


class _SamplingWrapper:
    """Stands in for `p.sample` on the instance."""

    def __init__(self, sampling: _Sampling, original: Callable[..., Any] | None) -> None:
        self.sampling = sampling
        self.original = original

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (passed through)
        return self.sampling.run(lambda: self._sample(*args, **kwargs))

    def _sample(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 (passed through)
        if self.original is not None:
            return self.original(*args, **kwargs)
        p = self.sampling.p
        return type(p).sample(p, *args, **kwargs)


_SAMPLING = "_fabric_ext_sampling"


def wrap_sampling(p: Any, around: Around) -> None:  # noqa: ANN401 (as above)
    """Runs every `p.sample` of this processing object inside `around()`; replaces an earlier."""
    sampling = p.__dict__.get(_SAMPLING)
    if sampling is None:
        sampling = _Sampling()
        setattr(p, _SAMPLING, sampling)
    sampling.rebind(p, around)
    outermost = p.__dict__.get("sample")
    if not (isinstance(outermost, _SamplingWrapper) and outermost.sampling is sampling):
        p.sample = _SamplingWrapper(sampling, outermost)


def release_sampling(p: Any) -> None:  # noqa: ANN401 (as above)
    """Makes an earlier `wrap_sampling` of this object, or of the one it was copied from, inert."""
    sampling = p.__dict__.get(_SAMPLING)
    if sampling is not None:
        sampling.rebind(p, None)


def unwrap_sampling(p: Any) -> None:  # noqa: ANN401 (as above)
    """Undoes `wrap_sampling`; where somebody has wrapped it since, it stays, without effect."""
    release_sampling(p)
    outermost = p.__dict__.get("sample")
    if not isinstance(outermost, _SamplingWrapper):
        return
    if outermost.original is None:
        del p.sample
    else:
        p.sample = outermost.original
    p.__dict__.pop(_SAMPLING, None)


def refuse(p: Any, error: Exception) -> None:  # noqa: ANN401 (as above)
    """Lets this generation end with `error` before it starts.

    A script's own hooks cannot: the host prints what they raise and goes on. `p.init` is the next
    call whose exceptions reach the page and the API.
    """

    def raise_error(*_args: object, **_kwargs: object) -> NoReturn:
        raise error

    p.init = raise_error
