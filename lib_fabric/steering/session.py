"""One generation with feedback: arms steps, prepares passes, and gives each U-Net call its plan.

Knows the modules below it and the protocol in host.py; not gradio, not `modules.*`.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lib_fabric.attention.plan import Attended, Plan
from lib_fabric.attention.retry import MemoryRetry
from lib_fabric.attention.states import LayerStates
from lib_fabric.errors import UnsupportedModelError, doing, is_out_of_memory
from lib_fabric.request import FabricRequest
from lib_fabric.steering.effect import Effect
from lib_fabric.steering.encoding import PictureEncoder
from lib_fabric.steering.hooked_model import HookedModel
from lib_fabric.steering.host import Host, Pass, Row, Step, UnetCall
from lib_fabric.steering.latents import LatentCache
from lib_fabric.steering.methods import PictureKey
from lib_fabric.steering.pass_references import PassReferences
from lib_fabric.steering.refresh import NoiseLevel, Refresh, Snapshot
from lib_fabric.steering.state_cache import StateCache
from lib_fabric.steering.weighing import Weighing

logger = logging.getLogger(__name__)

LOOKING = "looking at the rated pictures"
_ALONE: Attended[PictureKey] = Attended()


@dataclass
class _ActiveStep:
    """A step with feedback, between its beginning and its end.

    Attributes:
        attended: what its rows attend to.
        snapshot: what they attend to is seen in; None until the step's first U-Net call, whose
            timestep it needs.
        call: of the U-Net, that under way or the last one.
    """

    step: Step
    attended: Mapping[Row, Attended[PictureKey]]
    snapshot: Snapshot | None = None
    call: UnetCall | None = None

    @property
    def picture_ids(self) -> Set[str]:
        """Of all that any row attends to."""
        return {
            each.key.picture_id
            for attended in self.attended.values()
            for each in attended.references
        }


class FabricSession:
    """The feedback of one generation, over all its batches and passes.

    `installed` wraps the sampling; `begin_step` and `end_step` come from the host's callbacks and
    never raise, since the host swallows what they raise: an error waits for the next U-Net call,
    from where it reaches the user.

    Source: arXiv:2307.10159, section 3 and algorithm 1 (appendix A.1).
    """

    def __init__(
        self,
        request: FabricRequest,
        host: Host,
        latents: LatentCache,
        states: StateCache | None = None,
    ) -> None:
        self._request = request
        self._host = host
        self._weighing = Weighing(request)
        self._latents = latents
        self._states = states or StateCache()
        encoder = PictureEncoder(request, host, latents)
        self._pass = PassReferences(host, encoder, self._states)
        self._refresh = Refresh(request.settings.refresh)
        self._retry = MemoryRetry(self._make_room)
        self._model = HookedModel(self._before_unet, self._is_again, self._retry)
        self._effect = Effect(request)
        self._active: _ActiveStep | None = None
        self._device = torch.device("cpu")
        self._error: Exception | None = None
        self._is_sampling = self._is_prepared = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Hooks the U-Net for one sampling and leaves the model as it was, whatever happens.

        Raises:
            FabricError: the model cannot be hooked, or an error of `begin_step` is left.
        """
        self._effect = Effect(self._request)
        self._is_sampling = True
        self._latents.begin_generation()
        self._states.begin_generation()
        try:
            with doing("entering the model"):
                self._model.hook(self._host.model())
            yield
            # No U-Net call came to raise it: the model now in use could not be hooked.
            self._raise_error()
            self._effect.tell(self._host)
        except Exception as error:
            if is_out_of_memory(error):
                # Room for the next generation, which may well be one without feedback.
                self._states.clear()
            raise
        finally:
            self._is_sampling = self._is_prepared = False
            self._error = self._active = None
            self._refresh.forget()
            self._pass.forget()
            self._model.unhook()

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Leaves the model to another session meanwhile; a step under way goes on afterwards."""
        self._model.unhook()
        try:
            yield
        finally:
            try:
                with doing("entering the model"):
                    self._model.hook(self._host.model())
            except Exception as error:  # noqa: BLE001 (raised again in the next U-Net call)
                self._error = self._error or error

    def prepare_pass(self, read_step: Callable[[], Step]) -> int:
        """Encodes what a pass may attend to before its first step, where the family needs that.

        Never raises, as `begin_step`.

        Args:
            read_step: the pass's first step, as far as it is known.

        Returns:
            How many pictures that are.
        """
        if not self._is_sampling:
            return 0
        try:
            with doing("preparing a pass"):
                step = read_step()
                picture_ids = self._weighing.picture_ids(step)
                if picture_ids:
                    self._enter_pass(step.sampling, picture_ids)
                    self._is_prepared = True
                return len(picture_ids)
        except Exception as error:  # noqa: BLE001 (raised again in the next U-Net call)
            self._error = self._error or error
        return 0

    def begin_step(self, read_step: Callable[[], Step]) -> None:
        """Arms feedback for the U-Net calls of one step.

        Args:
            read_step: reads the host's callback; called here so that its errors are kept too.
        """
        if not self._is_sampling:
            return
        self._active = None
        try:
            with doing("preparing a step"):
                self._active = self._arm(read_step())
        except Exception as error:  # noqa: BLE001 (raised again in the next U-Net call)
            self._error = self._error or error

    def end_step(self) -> None:
        """Disarms feedback: U-Net calls from here on are not ours."""
        active, self._active = self._active, None
        if active is not None and active.snapshot is None:
            self._effect.note_unseen_step()
        # What comes next may need the memory: the hires pass, or the picture's decoding.
        self._refresh.end_call()
        if active is not None and active.step.is_last:
            self._refresh.forget()
        self._model.set_plan(None)

    def _arm(self, step: Step) -> _ActiveStep | None:
        attended = self._weighing.attended(step)
        self._effect.note_step(step, attended)
        if not attended:
            self._refresh.forget()
            return None
        active = _ActiveStep(step, attended)
        self._enter_pass(step.sampling, active.picture_ids)
        return active

    def _enter_pass(self, sampling: Pass, picture_ids: Set[str]) -> None:
        """Encodes what this pass needs; here, since encoding inside a U-Net call breaks low VRAM
        modes, and since only the denoiser knows the pass's size in every version of the host."""
        model = self._host.model()
        if self._pass.is_of(sampling, model.unet):
            if self._is_prepared:
                # Others' hooks may have come since.
                self._model.hook(model)
                self._is_prepared = False
            self._pass.add(sampling, picture_ids)
            return
        self._refresh.forget()
        self._retry.num_parts = 1
        # First, so that what another model's pass held is gone when this one's is made.
        self._pass.forget()
        self._model.hook(model)
        self._pass.begin(sampling, model.unet, picture_ids)

    def _before_unet(self, unet: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Runs before every call of the hooked U-Net, ours or not."""
        self._raise_error()
        self._model.set_plan(None)
        self._effect.note_call()
        active = self._active
        call = None if active is None else self._host.read_call(args, kwargs)
        if call is None:
            return
        _refuse_other_size(call, active.step)
        self._effect.note_rows(active.step, call.rows)
        self._device = call.device
        if active.snapshot is None:
            level = NoiseLevel(active.step.alpha, call.timestep.clone())
            active.snapshot = self._refresh.at(active.step.number, level)
        active.call = call
        self._follow(active)

    def _follow(self, active: _ActiveStep) -> None:
        """Gives the U-Net call under way its plan."""
        rows = tuple(active.attended.get(row, _ALONE) for row in active.call.rows)
        states = self._see(rows, active.call, active.snapshot)
        if states:
            self._model.set_plan(Plan(rows, states))

    def _is_again(self) -> bool:
        """Whether the call was made with kept states of another model; then it has new ones."""
        active = self._active
        if active is None or self._pass.references.confirm(active.snapshot):
            return False
        self._model.set_plan(None)
        self._follow(active)
        return True

    def _see(
        self, rows: tuple[Attended[PictureKey], ...], call: UnetCall, snapshot: Snapshot
    ) -> dict[PictureKey, LayerStates]:
        """The states of all that `rows` attend to."""
        wanted = list(dict.fromkeys(each.key for row in rows for each in row.references))

        def capture_next() -> bool:
            return self._pass.references.capture_next(self._model, call, wanted, snapshot)

        with doing(LOOKING):
            while self._retry.retry(capture_next, LOOKING):
                # Many pictures take long: whoever presses Interrupt is not to wait for all.
                self._host.stop_if_interrupted()
        return {key: snapshot.states[key] for key in wanted}

    def _make_room(self) -> None:
        self._host.stop_if_interrupted()
        logger.info("Out of memory: tried again with attention in smaller parts.")
        self._pass.references.rows_at_once = 1
        self._states.give_way(self._device)
        self._host.free_memory()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error


def _refuse_other_size(call: UnetCall, step: Step) -> None:
    """Raises `UnsupportedModelError` where the U-Net gets a part of the picture only.

    Which rows of which tile are conditional is known only to the extension that cuts them.
    """
    if call.size_latent != step.sampling.size_latent:
        got, whole = (
            "x".join(map(str, size)) for size in (call.size_latent, step.sampling.size_latent)
        )
        raise UnsupportedModelError(
            f"The model gets the picture in parts ({got} of {whole}). Extensions that do that, "
            "such as Tiled Diffusion, cannot be steered: switch theirs off, or FABRIC."
        )
