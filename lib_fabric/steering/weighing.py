"""What each row of a step attends to: the request's settings, carried out.

Knows requests, methods and steps; not states, not the U-Net.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

from lib_fabric.attention.merging import Merging
from lib_fabric.attention.plan import Attended, Reference
from lib_fabric.pictures import Picture
from lib_fabric.ratings import LIST_NAMES, ListName
from lib_fabric.request import FabricRequest
from lib_fabric.settings import FabricSettings
from lib_fabric.steering.host import Row, Step
from lib_fabric.steering.methods import METHODS, PictureKey, PictureReferences

# What counts less is far from moving a pixel, and its products may have no logarithm.
_LEAST_WEIGHT = 1e-12
# Where only the picture of a reference is asked for.
_UNMERGED = Merging((1, 1), ())


class Weighing:
    """Weighs the rated pictures of one request, step by step."""

    def __init__(self, request: FabricRequest) -> None:
        self._request = request
        self._method = METHODS[request.settings.method]

    def attended(self, step: Step) -> Mapping[Row, Attended[PictureKey]]:
        """What every row of `step` attends to; empty where feedback pauses."""
        settings = self._request.settings
        if step.sampling.is_hires and not settings.hires:
            return {}
        strengths = feedback_weights(settings, step.progress)
        liked, disliked = (
            self._weigh(name, strength, step.sampling.size_latent)
            for name, strength in zip(LIST_NAMES, strengths, strict=True)
        )
        if not liked and not disliked:
            return {}
        numbers = step.sampling.picture_numbers
        attended = {}
        for row in step.rows:
            choose = self._method.conditional if row.is_conditional else self._method.unconditional
            attended[row] = choose(liked, disliked, numbers[row.picture % len(numbers)])
        return attended

    def picture_ids(self, step: Step) -> Set[str]:
        """Of the pictures that rows like those of `step` attend to, at any progress of its pass."""
        at = (0.0, self._request.settings.start, 1.0)
        steps = [self.attended(replace(step, progress=progress)) for progress in at]
        return {
            each.key.picture_id
            for attended in steps
            for row in attended.values()
            for each in row.references
        }

    def _weigh(
        self, name: ListName, strength: float, size_latent: tuple[int, int]
    ) -> PictureReferences:
        """The pictures of a list that count at all where all of them count `strength`."""
        rated = self._request.ratings.of(name)
        merging = self._merging(len(rated), size_latent)
        weighed = [
            Reference(PictureKey(each.picture.id, merging), strength * each.weight)
            for each in rated
        ]
        return [each for each in weighed if each.weight > _LEAST_WEIGHT]

    def _merging(self, num_pictures: int, size_latent: tuple[int, int]) -> Merging:
        """How a list's pictures are merged, so that together they keep to the limit."""
        share = self._request.settings.max_tokens
        if share:
            share = max(1, share // max(1, num_pictures))
        return Merging.at(size_latent, self._request.settings.merge, share)


def feedback_weights(settings: FabricSettings, progress: float) -> tuple[float, float]:
    """The weights (w liked, w disliked) of a reference token's attention score at `progress`.

    `strength` inside the schedule, `min_strength` outside; disliked ones times `negative_scale`.

    Source: arXiv:2307.10159, section 5.3 and algorithm 1, line 20.
    """
    liked = settings.strength if is_inside(settings, progress) else settings.min_strength
    return liked, liked * settings.negative_scale


def followed_picture(request: FabricRequest, picture_number: int) -> Picture | None:
    """The liked picture that a picture of this number goes towards, if it is one of several.

    Args:
        picture_number: as in `host.Pass`.
    """
    pictures = {each.picture.id: each.picture for each in request.ratings.liked}
    liked = [
        Reference(PictureKey(each.picture.id, _UNMERGED), each.weight)
        for each in request.ratings.liked
    ]
    method = METHODS[request.settings.method]
    followed = {each.key for each in method.conditional(liked, (), picture_number).joined}
    if len(followed) != 1 or len(pictures) < 2:
        return None
    return pictures[followed.pop().picture_id]


def is_inside(settings: FabricSettings, progress: float) -> bool:
    """Whether a step at `progress` is inside the schedule: in [start, end).

    The interval is half open, so that [0, 0.8) of 20 steps are 16 steps; an end of 1 includes
    samplers that count past their last step.
    """
    before_end = progress < settings.end or settings.end >= 1
    return settings.start <= progress and before_end
