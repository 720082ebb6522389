"""Makes the references of a pass ready: latents of its size and the prompt that they go with.

Knows the host protocol, the encoder and the cache of states; not steps, not the U-Net's calls.
"""

from __future__ import annotations

from collections.abc import Hashable, Set

from torch import nn

from lib_fabric.errors import doing
from lib_fabric.steering.encoding import PictureEncoder
from lib_fabric.steering.host import Host, Pass
from lib_fabric.steering.references import References
from lib_fabric.steering.state_cache import StateCache


class PassReferences:
    """The references of the pass under way.

    Attributes:
        references: None between passes.
    """

    def __init__(self, host: Host, encoder: PictureEncoder, states: StateCache) -> None:
        self._host = host
        self._encoder = encoder
        self._states = states
        self._key: Hashable = None
        self.references: References | None = None

    def is_of(self, sampling: Pass, unet: nn.Module) -> bool:
        """Whether they are those of this pass, with this U-Net in its present state."""
        return self.references is not None and self._key == self._key_of(sampling, unet)

    def begin(self, sampling: Pass, unet: nn.Module, picture_ids: Set[str]) -> None:
        """A pass begins: encodes the pictures of these ids and the references' prompt."""
        self.forget()
        latents = self._encoder.latents(picture_ids, sampling.size_latent)
        with doing("encoding the empty prompt"):
            conditioning = self._host.null_conditioning(sampling.size_latent)
        states_key = self._host.states_key()
        self.references = References(latents, conditioning, states_key, self._states)
        self._key = self._key_of(sampling, unet)

    def add(self, sampling: Pass, picture_ids: Set[str]) -> None:
        """Adds pictures: rows that come later may attend to others."""
        missing = picture_ids - self.references.picture_ids
        if missing:
            self.references.add(self._encoder.latents(missing, sampling.size_latent))

    def forget(self) -> None:
        """Lets go of everything."""
        self.references = self._key = None

    def _key_of(self, sampling: Pass, unet: nn.Module) -> Hashable:
        return (self._host.states_key(), unet, sampling.size_latent, sampling.is_hires)
