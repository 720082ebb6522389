"""Collects every text of the extension that a person can see, from its code.

A part that changes (a number, a name) stands as {}, as it does in localizations/*.json.
What is seen as a text: sentences of errors and notes, constants named *_TEXT, texts, tooltips and
the like in HTML, labels of components and options, and strings in JavaScript that read like words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "lib_fabric"
# Calls whose text is shown: errors, notes, and warnings below the pictures.
_ERRORS = {"FabricError", "UnsupportedModelError", "NameTakenError"}
_SAYING = _ERRORS | {"Note", "Message", "warn"}
_ATTRIBUTES = {"title", "alt", "aria-label", "placeholder"}
_WORDS = re.compile(r"^[A-Z][a-z]*(['’][a-z]+)?([ ,;:.…]|$)")
# What an error is sent back with by the API alone: the page's own components keep to the rules.
_API_ONLY = {"arguments", "settings", "rating_texts"}


def python_texts() -> set[str]:
    """Sentences and the texts of HTML in lib_fabric."""
    found: set[str] = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        if path.stem not in _API_ONLY:
            found |= set(_said(tree))
        found |= set(_named_texts(tree))
        if path.parent.name == "html":
            found |= set(_html_texts(tree))
    return {text.strip() for text in found if re.search(r"[A-Za-z]{2}", text)}


def javascript_texts() -> set[str]:
    """Strings that begin like a sentence or a label."""
    found = set()
    for path in sorted((ROOT / "javascript").glob("*.js")):
        code = re.sub(r"(?m)^\s*(//|/?\*).*$", "", path.read_text("utf-8"))
        found |= set(re.findall(r"translate\('([^']+)'[,)]", code))
        for match in re.finditer(r"'((?:[^'\\\n]|\\.)*)'|`([^`]*)`", code):
            text = match[1] or re.sub(r"\$\{[^}]*\}", "{}", match[2] or "")
            is_key = re.fullmatch(r"[A-Z]\w*", text)
            if _WORDS.match(text.strip('"')) and not is_key:
                found.add(text.strip('"').replace("\\'", "'"))
    return found


def component_texts(blocks: object) -> set[str]:
    """Labels, choices, tooltips and placeholders of a page's components that are not hidden."""
    found: set[str] = set()
    for block in blocks.blocks.values():
        if not getattr(block, "visible", True):
            continue
        kind = block.get_block_name()
        found |= {getattr(block, "webui_tooltip", None), getattr(block, "placeholder", None)}
        if kind not in ("html", "column", "row", "state"):
            found.add(getattr(block, "label", None))
        if kind == "button":
            found.add(block.value)
        found |= {
            each[0] if isinstance(each, tuple) else each
            for each in getattr(block, "choices", None) or []
        }
    return {text for text in found if text and re.search(r"[A-Za-z]{2}", text)}


def _said(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in _SAYING:
            texts = [_text(argument) for argument in node.args[:1]]
            texts += [_text(keyword.value) for keyword in node.keywords if keyword.arg == "text"]
            yield from (text for text in texts if text and text != "{}")


def _named_texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Assign, ast.AnnAssign)):
            continue
        target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
        name = target.id if isinstance(target, ast.Name) else ""
        # One for each of several cases, too.
        values = node.value.values if isinstance(node.value, ast.Dict) else [node.value]
        for text in filter(None, map(_text, values)):
            is_named = name == "text" or (name.isupper() and " " in text)
            if is_named and (_WORDS.match(text) or text.startswith(("{} ", "FABRIC "))):
                yield text


def _html_texts(tree: ast.Module) -> Iterator[str]:
    inner = {
        id(each)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for each in ast.walk(node)
        if each is not node
    }
    documented = {
        id(n.body[0].value)
        for n in ast.walk(tree)
        if hasattr(n, "body")
        and isinstance(n.body, list)
        and n.body
        and isinstance(n.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        text = None if id(node) in inner | documented else _text(node)
        if not text:
            continue
        if "<" in text:
            yield from _Html.texts(text)
        elif _WORDS.match(text):
            yield text


def _text(node: ast.AST) -> str | None:
    """A string, with {} for each part that is put in; None for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return "".join(_text(part) or "{}" for part in (node.left, node.right))
    return None


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    @classmethod
    def texts(cls, html: str) -> list[str]:
        parser = cls()
        parser.feed(html)
        parser.close()
        return [text for text in parser.found if re.search(r"[A-Za-z]{2}", text)]

    def handle_data(self, data: str) -> None:
        self.found.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found += [value or "" for name, value in attrs if name in _ATTRIBUTES]
