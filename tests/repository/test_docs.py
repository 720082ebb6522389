"""The files that the documentation names exist, and the rules that it states are those held."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_PATH = re.compile(
    r"`((?:lib_fabric|scripts|javascript|tests|localizations|docs|style\.css)[\w/.*-]*)`"
)


def test_architecture_names_files():
    assert len(_PATH.findall((ROOT / "docs" / "architecture.md").read_text("utf-8"))) > 30


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_named_files_exist(page):
    for path in _PATH.findall(page.read_text("utf-8")):
        assert list(ROOT.glob(path)), f"{page.name} names {path}"


@pytest.mark.parametrize("page", DOCS, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for link, anchor in re.findall(r"\]\(([^)#:]+)(?:#([^)]+))?\)", page.read_text("utf-8")):
        target = page.parent / link
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), f"{link}#{anchor}"


def _anchors(page):
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings}


def test_every_package_is_in_the_picture_and_the_table():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    picture = text.split("```mermaid")[1].split("```")[0]
    packages = [path.parent.name for path in (ROOT / "lib_fabric").glob("*/__init__.py")]
    assert len(packages) > 3
    for package in packages:
        assert f'{package}["' in picture
        assert f"| `lib_fabric/{package}` |" in text
