"""Reads names and signatures of a WebUI's `modules`, without importing anything.

Used for the stand-in and for a real WebUI's folder alike. A name is a dotted path such as
`modules.scripts.Script.process`; what is told of it is one line of text:

- `(self, p, *args)` for functions and classes' `__init__`: parameters with their defaults if those
  are plain values, `=...` for other defaults;
- `class`, `attribute` (of a class or set by its methods), `value` (of a module);
- None if there is no such name.
"""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class HostFolder:
    """The Python files of a WebUI, parsed when asked for."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._trees: dict[str, ast.Module | None] = {}

    def describe(self, name: str) -> str | None:
        """What the name is; None if it is not there."""
        found = self._find(name)
        return None if found is None else _describe(*found)

    def _module(self, dotted: str) -> ast.Module | None:
        if dotted not in self._trees:
            path = self.root.joinpath(*dotted.split("."))
            candidates = [f for f in (path.with_suffix(".py"), path / "__init__.py") if f.is_file()]
            text = candidates[0].read_text(encoding="utf8") if candidates else None
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a host's old escape sequences
                self._trees[dotted] = None if text is None else ast.parse(text)
        return self._trees[dotted]

    def _find(self, name: str) -> tuple[ast.AST, str] | None:
        """(node, kind) of a dotted name: the longest prefix that is a file, then names in it."""
        parts = name.split(".")
        for i in range(len(parts), 0, -1):
            tree = self._module(".".join(parts[:i]))
            if tree is not None:
                return self._in_module(tree, parts[i:]) if parts[i:] else (tree, "module")
        return None

    def _in_module(self, tree: ast.Module, parts: list[str]) -> tuple[ast.AST, str] | None:
        name, *rest = parts
        for node in _statements(tree.body):
            if isinstance(node, (ast.ClassDef, *_FUNCTIONS)) and node.name == name:
                return self._in_class(node, rest[0]) if rest else (node, "definition")
            if isinstance(node, ast.ImportFrom) and not rest:
                found = self._imported(node, name)
                if found is not None:
                    return found
            if name in _assigned(node) and not rest:
                return node, "value"
            if isinstance(node, ast.ImportFrom) and rest and node.module:
                target = next((a.name for a in node.names if (a.asname or a.name) == name), None)
                if target is not None:
                    return self._find(".".join([node.module, target, *rest]))
        return None

    def _imported(self, node: ast.ImportFrom, name: str) -> tuple[ast.AST, str] | None:
        for alias in node.names:
            if (alias.asname or alias.name) == name and node.module:
                return self._find(f"{node.module}.{alias.name}") or (node, "value")
        return None

    def _in_class(self, node: ast.AST, name: str) -> tuple[ast.AST, str] | None:
        if not isinstance(node, ast.ClassDef):
            return None
        for child in node.body:
            if isinstance(child, _FUNCTIONS) and child.name == name:
                decorators = {d.id for d in child.decorator_list if isinstance(d, ast.Name)}
                return child, "attribute" if "property" in decorators else "definition"
            if name in _assigned(child):
                return child, "attribute"
        for method in node.body:
            if isinstance(method, _FUNCTIONS) and name in _set_on_self(method):
                return method, "attribute"
        for base in node.bases:
            found = self._in_base(base, name)
            if found is not None:
                return found
        return None

    def _in_base(self, base: ast.expr, name: str) -> tuple[ast.AST, str] | None:
        """Looks in base classes of `modules`, by their last name: enough for a few files."""
        wanted = ast.unparse(base).split(".")[-1]
        for tree in list(self._trees.values()):
            for node in tree.body if tree is not None else []:
                if isinstance(node, ast.ClassDef) and node.name == wanted:
                    return self._in_class(node, name)
        return None


def _statements(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements of a module, those within `try`, `if` and `with` included."""
    found = []
    for node in body:
        found.append(node)
        for field in ("body", "orelse", "finalbody"):
            if isinstance(node, ast.Try | ast.If | ast.With):
                found += _statements(getattr(node, field, []))
    return found


def _assigned(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Assign):
        names = [n for t in node.targets for n in ast.walk(t)]
    elif isinstance(node, ast.AnnAssign):
        names = [node.target]
    else:
        return set()
    return {n.id for n in names if isinstance(n, ast.Name)}


def _set_on_self(method: ast.AST) -> set[str]:
    return {
        n.attr
        for n in ast.walk(method)
        if isinstance(n, ast.Attribute)
        and isinstance(n.ctx, ast.Store)
        and isinstance(n.value, ast.Name)
        and n.value.id == "self"
    }


def _describe(node: ast.AST, kind: str) -> str:
    if kind != "definition":
        return kind
    if isinstance(node, ast.ClassDef):
        init = next((c for c in node.body if isinstance(c, _FUNCTIONS) and c.name == "__init__"), 0)
        return signature(init.args) if init else "class"
    return signature(node.args)


def signature(args: ast.arguments) -> str:
    """`(a, b=1, *c, d=..., **e)`."""
    plain = [*args.posonlyargs, *args.args]
    without = len(plain) - len(args.defaults)
    told = [a.arg for a in plain[:without]]
    told += [f"{a.arg}={_default(d)}" for a, d in zip(plain[without:], args.defaults, strict=True)]
    if args.vararg is not None:
        told.append(f"*{args.vararg.arg}")
    elif args.kwonlyargs:
        told.append("*")
    for a, d in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        told.append(a.arg if d is None else f"{a.arg}={_default(d)}")
    if args.kwarg is not None:
        told.append(f"**{args.kwarg.arg}")
    return f"({', '.join(told)})"


def _default(node: ast.expr) -> str:
    try:
        return repr(ast.literal_eval(node))
    except ValueError:
        return "..."
