"""What people are told: a sentence and its parameters, and the one exception that carries one.

Knows nothing of the host: the host reads `status_code` and `detail` off the instance.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

_MAX_CAUSE_CHARACTERS = 200
# torch has a class only for CUDA's; all are RuntimeErrors and say one of these.
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory", "alloc_failed")


class FabricError(Exception):
    """Something the user can put right; `str(error)` is one clear sentence for the page.

    The WebUI's API answers with `vars(error)["status_code"]` and `["detail"]`
    (host `modules/api/api.py`), so both are instance attributes on purpose.

    Attributes:
        key: the sentence with {} for each parameter: what is looked up where it is translated.
        parameters: what stands in their place.
    """

    def __init__(self, key: str, *parameters: object, status_code: int = 422) -> None:
        # A sentence that is finished already may hold any brace.
        message = key.format(*parameters) if parameters else key
        super().__init__(message)
        self.key, self.parameters = key, tuple(map(str, parameters))
        self.detail = message
        self.status_code = status_code


class UnsupportedModelError(FabricError):
    """The loaded model has no self-attention that feedback could enter."""


@dataclass(frozen=True)
class UtcTime:
    """A moment, in Unix seconds, that the browser shows in its own zone."""

    seconds: float

    def __str__(self) -> str:
        return self._moment().strftime("%Y-%m-%d %H:%M UTC")

    def to_json(self) -> dict[str, str]:
        """As the browser reads it."""
        return {"time": self._moment().strftime("%Y-%m-%dT%H:%M:%SZ")}

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, timezone.utc)


@dataclass(frozen=True, init=False)
class Message:
    """A sentence: `key` with {} for each of `parameters`.

    A parameter that is a text stands there as it is; a message is translated, a time made local.
    """

    key: str
    parameters: tuple[str | UtcTime | Message, ...]

    def __init__(self, key: str, *parameters: str | UtcTime | Message) -> None:
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "parameters", parameters)

    @classmethod
    def of(cls, error: FabricError) -> Message:
        """What went wrong."""
        return cls(error.key, *error.parameters)

    def __str__(self) -> str:
        # A sentence that is finished already may hold any brace.
        return self.key.format(*self.parameters) if self.parameters else self.key

    def to_json(self) -> list[object]:
        """As the browser reads it: the key, then the parameters."""
        return [
            self.key,
            *(each if isinstance(each, str) else each.to_json() for each in self.parameters),
        ]


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether `error`, or what it was raised from, is a lack of memory on any device."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        text = str(error).lower() if isinstance(error, RuntimeError) else ""
        if any(sign in text for sign in _OUT_OF_MEMORY):
            return True
        error = error.__cause__
    return False


@contextlib.contextmanager
def doing(action: str) -> Iterator[None]:
    """Lets whatever is raised inside tell the user that it was FABRIC, and what to do.

    Args:
        action: what FABRIC is doing, such as 'encoding the rated pictures'.

    Raises:
        FabricError: with status 500 in place of any other exception; interrupts pass.
    """
    try:
        yield
    except FabricError:
        raise
    except Exception as error:
        raise FabricError(_explain(error, action), status_code=500) from error


def _explain(error: Exception, action: str) -> str:
    if is_out_of_memory(error):
        return (
            f"out of memory while FABRIC was {action}. Rate fewer pictures, choose a smaller "
            "size, merge tokens (Speed), or switch FABRIC off."
        )
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    if len(cause) > _MAX_CAUSE_CHARACTERS:
        cause = cause[:_MAX_CAUSE_CHARACTERS] + "…"
    return f"FABRIC failed while {action} ({cause}). Switch FABRIC off to generate without it."
