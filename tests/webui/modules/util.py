"""Small helpers that other `modules` share."""

from __future__ import annotations

from pathlib import Path

from modules.paths_internal import cwd


def truncate_path(target_path: str, base_path: str = cwd) -> str:
    """The path relative to `base_path` if it lies below it, else the absolute path."""
    absolute = Path(target_path).absolute()
    base = Path(base_path).absolute()
    return str(absolute.relative_to(base) if absolute.is_relative_to(base) else absolute)


def topological_sort(dependencies: dict[str, list[str]]) -> list[str]:
    """Names so that each comes after those it depends on; ties keep the given order."""
    done: list[str] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name in seen or name not in dependencies:
            return
        seen.add(name)
        for other in dependencies[name]:
            visit(other)
        done.append(name)

    for name in dependencies:
        visit(name)
    return done


def listfiles(dirname: str) -> list[str]:
    """Visible files of a folder, sorted."""
    return sorted(str(f) for f in Path(dirname).iterdir() if f.is_file() and f.name[0] != ".")
