"""Whether feedback could act in a sampling, and what to tell the user if not.

Knows requests, steps and what their rows attend to; not states, not the U-Net.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lib_fabric.attention.plan import Attended
from lib_fabric.request import FabricRequest
from lib_fabric.steering.host import Host, Row, Step
from lib_fabric.steering.methods import PictureKey
from lib_fabric.steering.weighing import is_inside

UNANNOUNCED_TEXT = (
    "FABRIC had no effect: this sampler does not announce its steps. "
    "Choose another sampling method."
)
UNSEEN_TEXT = (
    "FABRIC had no effect in some steps: the model was exchanged while it was in use. "
    "Generate again."
)
NO_STEP_TEXT = (
    "FABRIC had no effect: there was no sampling step. Raise the denoising strength or the steps."
)
HIRES_TEXT = "FABRIC had no effect: only the hires pass was made. Turn on Also in the hires pass."
STRENGTH_TEXT = "FABRIC had no effect: Strength is 0."
DISLIKED_STRENGTH_TEXT = "FABRIC had no effect: nothing is liked, and Disliked strength is 0."
SCHEDULE_TEXT = (
    "FABRIC had no effect: no sampling step lay between Start and End. Move them apart, or make "
    "more steps."
)
NEGATIVE_TEXT = (
    "Disliked pictures had no effect: with the method paper they act through the negative prompt, "
    "which CFG scale 1 does not use and NGMS can skip. Choose the method contrast."
)


class Effect:
    """Takes note of one sampling of a request."""

    def __init__(self, request: FabricRequest) -> None:
        self._request = request
        self._had_step = self._had_unannounced_call = False
        self._had_unseen_step = self._had_weight = False
        self._had_own_pass = self._was_inside = False
        # Whether rows of the negative prompt were to attend to pictures, and did so to an effect.
        self._needs_negative = self._has_negative = False

    def note_step(self, step: Step, attended: Mapping[Row, Attended[PictureKey]]) -> None:
        """A step of ours begins, whose rows are to attend to that; empty where feedback pauses."""
        settings = self._request.settings
        self._had_step = True
        self._had_weight |= bool(attended)
        self._had_own_pass |= settings.hires or not step.sampling.is_hires
        self._was_inside |= is_inside(settings, step.progress)
        self._needs_negative |= any(
            bool(each.references) for row, each in attended.items() if not row.is_conditional
        )

    def note_call(self) -> None:
        """The U-Net is called, by whomever."""
        self._had_unannounced_call |= not self._had_step

    def note_rows(self, step: Step, rows: Sequence[Row]) -> None:
        """These rows of a step with feedback are in a call."""
        self._has_negative |= step.uses_negative and not all(row.is_conditional for row in rows)

    def note_unseen_step(self) -> None:
        """A step with feedback is over whose U-Net calls never reached us."""
        self._had_unseen_step = True

    def tell(self, host: Host) -> None:
        """Tells the user, unless it was they who ended the sampling."""
        try:
            host.stop_if_interrupted()
        except BaseException:  # noqa: BLE001 (the host's own, which is no Exception)
            return
        for warning in self.warnings():
            host.warn(warning)

    def warnings(self) -> Iterator[str]:
        """What to tell the user at the end."""
        if self._had_unannounced_call and not self._had_step:
            yield UNANNOUNCED_TEXT
        elif not self._had_weight:
            yield self._why_nothing()
        if self._had_unseen_step:
            yield UNSEEN_TEXT
        elif self._needs_negative and not self._has_negative:
            yield NEGATIVE_TEXT

    def _why_nothing(self) -> str:
        settings, ratings = self._request.settings, self._request.ratings
        if not self._had_step:
            return NO_STEP_TEXT
        if not self._had_own_pass:
            return HIRES_TEXT
        if not ratings.liked and not settings.negative_scale:
            return DISLIKED_STRENGTH_TEXT
        if settings.strength and not self._was_inside:
            return SCHEDULE_TEXT
        return STRENGTH_TEXT
