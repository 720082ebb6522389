"""What the rows of a U-Net call attend to, besides their own tokens.

Knows the shape of the states; not who decides what is attended to.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lib_fabric.attention.states import LayerStates

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Reference(Generic[Key]):
    """A reference that is attended to.

    Attributes:
        key: under which its states are found.
        weight: of its tokens' attention scores, above 0; 1 is that of the row's own tokens.
    """

    key: Key
    weight: float


@dataclass(frozen=True)
class Pull(Generic[Key]):
    """Moves the output o of a row's attention to o + share * (attention over references - o).

    Attributes:
        share: the part of the way that is gone; below 0 = away from them.
        references: at least one.
    """

    share: float
    references: tuple[Reference[Key], ...]


@dataclass(frozen=True)
class Attended(Generic[Key]):
    """What one row attends to.

    Attributes:
        joined: attended to together with the row's own tokens.
        pulls: all of them start from the output of that.
    """

    joined: tuple[Reference[Key], ...] = ()
    pulls: tuple[Pull[Key], ...] = ()

    @property
    def references(self) -> tuple[Reference[Key], ...]:
        """All that it attends to."""
        return (*self.joined, *(each for pull in self.pulls for each in pull.references))


@dataclass(frozen=True)
class Plan(Generic[Key]):
    """What the rows of one U-Net call attend to, in their order, and the states of that."""

    rows: tuple[Attended[Key], ...]
    states: Mapping[Key, LayerStates]
