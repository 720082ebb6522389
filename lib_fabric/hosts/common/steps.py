"""Tells the generations that are sampling now which steps are theirs.

Knows what the host's callbacks around a step of its denoiser are given; imports nothing of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from lib_fabric.hosts.common.processing import ProcessingHost
from lib_fabric.steering.session import FabricSession


class SamplingNow:
    """The steered generations under way, innermost last; the host runs one request at a time."""

    def __init__(self) -> None:
        self._generations: list[tuple[ProcessingHost, FabricSession]] = []

    @contextlib.contextmanager
    def steered(self, host: ProcessingHost, session: FabricSession) -> Iterator[None]:
        """Steers one sampling, perhaps in the midst of another, which waits meanwhile."""
        with contextlib.ExitStack() as stack:
            for _, outer in self._generations[-1:]:
                stack.enter_context(outer.suspended())
            self._generations.append((host, session))
            stack.callback(host.end_sampling)
            stack.callback(self._generations.pop)
            stack.enter_context(session.installed())
            yield

    def begin_pass(self, p: Any, x: torch.Tensor) -> None:  # noqa: ANN401 (the host's processing object)
        """A pass of `p` over latents like `x` `[rows, C, h, w]` is about to be sampled."""
        for host, session in self._generations[-1:]:
            host.begin_pass(session, p, x)

    def begin_step(self, params: Any) -> None:  # noqa: ANN401 (the host's CFGDenoiserParams)
        """Arms feedback for the U-Net calls that follow."""
        for host, session in self._generations[-1:]:
            if host.owns(params):
                session.begin_step(partial(host.begin_step, params))
            else:
                host.begin_other_step()

    def end_step(self, params: Any) -> None:  # noqa: ANN401 (the host's CFGDenoisedParams)
        """Disarms it after the last of them."""
        for host, session in self._generations[-1:]:
            if host.ends_step(params):
                host.end_step()
                session.end_step()
            else:
                host.end_other_step()
