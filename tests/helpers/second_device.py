"""A second device that every machine has: tensors with values that no cpu tensor may meet.

What differs about a GPU is done here in ordinary memory: tensors of two devices do not mix, reading
a value waits, a copy marked `non_blocking` arrives late, and memory on the device is counted.
Knows torch; nothing of ours.
"""

from __future__ import annotations

import sys
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

from tests.helpers.late_copies import LateCopies, fill_with_nonsense

NAME = "second"
_OURS = str(Path(__file__).resolve().parents[2])
_TORCH = str(Path(torch.__file__).parent)
_CPU = torch.device("cpu")
# What a GPU has to finish all its work for, since its result decides what comes next.
_READING = {
    "_local_scalar_dense", "equal", "nonzero", "nonzero_static", "is_nonzero", "masked_select",
    "unique_dim", "_unique", "_unique2", "unique_consecutive", "bincount", "allclose",
}  # fmt: skip
_INDEXING = ("index", "index_put", "index_put_")
_CHANGES_SHAPE = {
    "resize_", "set_", "t_", "transpose_", "squeeze_", "unsqueeze_", "as_strided_", "swapaxes_",
}  # fmt: skip


class DeviceTensor(torch.Tensor):
    """A tensor of the second device; its values lie in `inner`, a tensor of the cpu."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, inner):
        self.inner = inner
        DEVICE.count(self, inner)

    def __repr__(self):
        return f"second({self.inner})"

    def tolist(self):
        return self.cpu().tolist()

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return DEVICE.run(func, args, kwargs or {})


@dataclass
class SecondDevice:
    """What the device does and has done.

    Attributes:
        read_backs: by what did it, "operation at file:function" for what waits for the device.
        transfers: the same for what is brought to the device; such a copy waits too, if it is not
            marked.
        live_bytes, peak_bytes: of storages on the device.
    """

    read_backs: Counter = field(default_factory=Counter)
    transfers: Counter = field(default_factory=Counter)
    live_bytes: int = 0
    peak_bytes: int = 0
    _storages: Counter = field(default_factory=Counter)
    _held: dict = field(default_factory=dict)
    _late: LateCopies = field(default_factory=LateCopies)

    def start_counting(self) -> None:
        """Forgets what was counted; the peak begins at what is there now."""
        self.read_backs.clear()
        self.transfers.clear()
        self.peak_bytes = self.live_bytes

    def synchronize(self, until: int | None = None) -> None:
        """Waits until what was asked for is done; up to a number that an event noted."""
        self._late.arrive(until)

    def note(self) -> int:
        """The number of what was asked for last."""
        return self._late.number

    def count(self, tensor: DeviceTensor, inner: torch.Tensor) -> None:
        """Counts a tensor's storage for as long as any tensor has it."""
        storage = inner.untyped_storage()
        place, num_bytes = storage.data_ptr(), storage.nbytes()
        if not self._storages[place]:
            self.live_bytes += num_bytes
            self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        self._storages[place] += 1
        gone = weakref.ref(tensor, self._release)
        self._held[gone] = place, num_bytes

    def _release(self, gone: weakref.ref) -> None:
        place, num_bytes = self._held.pop(gone)
        self._storages[place] -= 1
        if not self._storages[place]:
            del self._storages[place]
            self.live_bytes -= num_bytes

    def run(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One operation, of which a tensor or the result is on this device."""
        name = func.overloadpacket.__name__
        tensors = _tensors([*args, *kwargs.values()])
        here = [each for each in tensors if isinstance(each, DeviceTensor)]
        if name in ("_to_copy", "copy_"):
            return self._copy(name, func, args, kwargs)
        if name in _CHANGES_SHAPE and here:
            raise NotImplementedError(f"{name} on the second device")
        device = kwargs.get("device")
        is_here = bool(here) if device is None else torch.device(device).type == NAME
        if here:
            self._admit(name, args, tensors)
            self._late.settle(each.inner for each in here)
        wrappers = {id(each.inner): each for each in here}
        inner_kwargs = {key: _inner(value) for key, value in kwargs.items()}
        if "device" in inner_kwargs:
            inner_kwargs["device"] = _CPU
        out = func(*_inner(args), **inner_kwargs)
        if not is_here:
            return out
        if name.startswith(("empty", "new_empty")):
            fill_with_nonsense(out)
        return _wrap(out, wrappers)

    def _admit(self, name: str, args: tuple[Any, ...], tensors: list[torch.Tensor]) -> None:
        """Counts what an operation waits for, and refuses one on tensors of two devices."""
        if name in _INDEXING:
            # Indices may lie on the cpu: they are brought here.
            brought = [each for each in _tensors(args[1]) if not isinstance(each, DeviceTensor)]
            if brought:
                self.transfers[f"{name} at {_where()}"] += 1
            tensors = [each for each in tensors if all(each is not one for one in brought)]
        _refuse_mixture(name, tensors)
        if name in _READING or _picks_by_mask(name, args):
            self.synchronize()
            self.read_backs[f"{name} at {_where()}"] += 1

    def _copy(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """From or to the device, or on it."""
        target, source = args[:2] if name == "copy_" else (None, args[0])
        given = kwargs.get("device")
        device = target.device if target is not None else torch.device(given or source.device)
        non_blocking = kwargs.get("non_blocking") or (name == "copy_" and args[2:] == (True,))
        to_device, from_device = device.type == NAME, isinstance(source, DeviceTensor)
        self._late.settle(_inner(each) for each in (target, source) if each is not None)
        if from_device and not to_device and not non_blocking:
            self.read_backs[f"copy at {_where()}"] += 1
        if to_device and not from_device:
            self.transfers[f"copy at {_where()}"] += 1
        if to_device is from_device:
            out = func(*_inner(args), **{**kwargs, **({"device": _CPU} if given else {})})
            return target if name == "copy_" else (DeviceTensor(out) if to_device else out)
        read = _inner(source)
        written = _inner(target) if name == "copy_" else None
        if written is None:
            like = {key: kwargs[key] for key in ("dtype", "memory_format") if kwargs.get(key)}
            written = torch.empty_like(read, **like)
        if non_blocking:
            self._late.begin(written, read, to_device)
        else:
            self.synchronize()
            written.copy_(read)
        if name == "copy_":
            return target
        return DeviceTensor(written) if to_device else written


DEVICE = SecondDevice()


class Event:
    """torch.cuda.Event, as far as it is used."""

    def __init__(self) -> None:
        self._number = 0

    def record(self, stream: object = None) -> None:
        self._number = DEVICE.note()

    def synchronize(self) -> None:
        DEVICE.synchronize(until=self._number)


class _Module(backend_registration._DummyBackendModule):
    """What stands at torch.second."""

    Event = Event

    def current_stream(self, device: object = None) -> None:
        """There is one only."""

    # It has no random numbers of its own; torch.random.fork_rng asks for them.
    def get_rng_state(self, device: object = None) -> torch.Tensor:
        return torch.empty(0)

    def set_rng_state(self, state: torch.Tensor, device: object = None) -> None:
        pass

    def synchronize(self, device: object = None) -> None:
        DEVICE.synchronize()


backend_registration._setup_privateuseone_for_python_backend(NAME, _Module())


class _Mode(TorchDispatchMode):
    """Makes tensors on the device too, not only of those that are there."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        device = kwargs.get("device")
        if types or (device is not None and torch.device(device).type == NAME):
            return DEVICE.run(func, args, kwargs)
        return func(*args, **kwargs)


class _Makers(TorchFunctionMode):
    """Of numbers: torch makes such tensors past every dispatch mode."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        device = kwargs.get("device")
        if func in (torch.tensor, torch.as_tensor) and device is not None:
            return func(*args, **{**kwargs, "device": _CPU}).to(device)
        return func(*args, **kwargs)


@contextmanager
def second_device() -> Iterator[SecondDevice]:
    """The device, for as long as the context lasts; its name is `second_device.NAME`."""
    DEVICE.start_counting()
    with torch.no_grad(), _Mode(), _Makers():
        yield DEVICE
    DEVICE.synchronize()


def _tensors(values: Any) -> list[torch.Tensor]:
    found = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, tuple | list):
            found += _tensors(value)
    return found


def _inner(value: Any) -> Any:
    if isinstance(value, DeviceTensor):
        return value.inner
    if isinstance(value, tuple | list):
        return type(value)(map(_inner, value))
    return value


def _wrap(value: Any, wrappers: dict[int, DeviceTensor]) -> Any:
    """`value` on the device; what was changed in place is the tensor that it was."""
    if isinstance(value, torch.Tensor):
        known = wrappers.get(id(value))
        return DeviceTensor(value) if known is None else known
    if isinstance(value, tuple | list):
        return type(value)(_wrap(each, wrappers) for each in value)
    return value


def _refuse_mixture(name: str, tensors: list[torch.Tensor]) -> None:
    # A tensor of the cpu without a dimension is as good as a number.
    if any(not isinstance(each, DeviceTensor) and each.dim() for each in tensors):
        raise RuntimeError(
            f"Expected all tensors to be on the same device, but found at least two devices, "
            f"{NAME}:0 and cpu! ({name})"
        )


def _picks_by_mask(name: str, args: tuple[Any, ...]) -> bool:
    """How many a mask picks is not known before it has been read."""
    if name not in _INDEXING:
        return False
    return any(each.dtype in (torch.bool, torch.uint8) for each in _tensors([args[1]]))


def _where() -> str:
    """The innermost function outside torch: "file:function" of ours, or the model's."""
    frame = sys._getframe(1)
    while frame is not None:
        file, is_mode = frame.f_code.co_filename, frame.f_code.co_name == "__torch_function__"
        if not is_mode and not file.startswith((_TORCH, __file__)) and "/" in file:
            break
        frame = frame.f_back
    if frame is None or "/site-packages/" in file or not file.startswith(_OURS):
        return "the model"
    return f"{Path(file).relative_to(_OURS).as_posix()}:{frame.f_code.co_name}"
