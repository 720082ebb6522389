"""Whether feedback could act in a sampling, and what to tell the user if not.

Knows nothing but what it is told.
"""

from __future__ import annotations

from collections.abc import Iterator


class Effect:
    """Takes note of one sampling."""

    def __init__(self) -> None:
        self._had_step = False
        self._had_call_before_any_step = False
        self._had_unseen_step = False

    def note_step(self) -> None:
        """A step of ours begins."""
        self._had_step = True

    def note_call(self) -> None:
        """The U-Net is called, by whomever."""
        self._had_call_before_any_step |= not self._had_step

    def note_unseen_step(self) -> None:
        """A step with feedback is over whose U-Net calls never reached us."""
        self._had_unseen_step = True

    def warnings(self) -> Iterator[str]:
        """What to tell the user at the end."""
        if self._had_call_before_any_step and not self._had_step:
            yield (
                "FABRIC had no effect: this sampler does not announce its steps. "
                "Choose another sampling method."
            )
        if self._had_unseen_step:
            yield (
                "FABRIC had no effect in some steps: the model was exchanged while it was in use. "
                "Generate again."
            )
