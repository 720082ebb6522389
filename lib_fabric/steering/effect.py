"""Whether feedback could act in a sampling, and what to tell the user if not.

Knows nothing but what it is told.
"""

from __future__ import annotations

from collections.abc import Iterator

UNANNOUNCED_TEXT = (
    "FABRIC had no effect: this sampler does not announce its steps. "
    "Choose another sampling method."
)
UNSEEN_TEXT = (
    "FABRIC had no effect in some steps: the model was exchanged while it was in use. "
    "Generate again."
)


class Effect:
    """Takes note of one sampling."""

    def __init__(self) -> None:
        self._had_step = self._had_unannounced_call = self._had_unseen_step = False

    def note_step(self) -> None:
        """A step of ours begins."""
        self._had_step = True

    def note_call(self) -> None:
        """The U-Net is called, by whomever."""
        self._had_unannounced_call |= not self._had_step

    def note_unseen_step(self) -> None:
        """A step with feedback is over whose U-Net calls never reached us."""
        self._had_unseen_step = True

    def warnings(self) -> Iterator[str]:
        """What to tell the user at the end."""
        if self._had_unannounced_call and not self._had_step:
            yield UNANNOUNCED_TEXT
        if self._had_unseen_step:
            yield UNSEEN_TEXT
