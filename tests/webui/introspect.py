"""Prints what the stand-in's `modules` really hold for names of the contract, as JSON.

A process of its own (`python introspect.py < names.json`), since tests of the extension put faked
`modules` into theirs. The lines of text are those of `contract.py`.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import sys
from pathlib import Path
from types import FunctionType, ModuleType

_PLAIN = (int, float, str, bool, type(None), list, dict, tuple)


def describe(name: str) -> str | None:
    """What a dotted name is; None if it is not there."""
    parts = name.split(".")
    for i in range(len(parts), 0, -1):
        try:
            owner: object = importlib.import_module(".".join(parts[:i]))
        except ModuleNotFoundError:
            continue
        *path, last = parts[i:]
        for part in path:
            owner = inspect.getattr_static(owner, part)
        return _tell(owner, last)
    return None


def _tell(owner: object, name: str) -> str | None:
    try:
        found = inspect.getattr_static(owner, name)
    except AttributeError:
        return "attribute" if inspect.isclass(owner) and _on_instances(owner, name) else None
    found = getattr(found, "__func__", getattr(found, "__wrapped__", found))
    if inspect.isfunction(found):
        return _signature(found)
    if isinstance(owner, ModuleType):
        return _tell_class(found) if inspect.isclass(found) else "value"
    return "attribute"


def _tell_class(found: type) -> str:
    own = vars(found).get("__init__")
    plain = dataclasses.is_dataclass(found) or not isinstance(own, FunctionType)
    return "class" if plain else _signature(own)


def _on_instances(cls: type, name: str) -> bool:
    if dataclasses.is_dataclass(cls) and name in {f.name for f in dataclasses.fields(cls)}:
        return True
    return any(
        f"self.{name} = " in source or f"self.{name}: " in source or f"self.{name}, " in source
        for source in (inspect.getsource(c) for c in cls.__mro__ if c.__module__ != "builtins")
    )


def _signature(function: FunctionType) -> str:
    signature = inspect.signature(function)
    plain = [
        p.replace(
            annotation=p.empty,
            default=p.default if p.default is p.empty or isinstance(p.default, _PLAIN) else _Dots(),
        )
        for p in signature.parameters.values()
    ]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


class _Dots:
    def __repr__(self) -> str:
        return "..."


def main() -> None:
    """Reads names, prints descriptions."""
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import light_imports

    light_imports.install()
    from modules import shared_init

    shared_init.initialize()
    importlib.import_module("modules.ui")
    names = json.load(sys.stdin)
    json.dump({name: describe(name) for name in names}, sys.stdout)


if __name__ == "__main__":
    main()
