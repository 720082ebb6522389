"""The settings table is derived from the settings, and what docs name as evidence exists.

Run this file to print the settings table anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lib_fabric.settings import FabricSettings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS, COMPATIBILITY = ROOT / "docs" / "settings.md", ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- settings table -->\n", "<!-- end of settings table -->"
VERSION = re.compile(r"\b1\.(6\.1|7\.0|8\.0|9\.4|10\.1)\b")


def settings_table() -> str:
    """The Markdown table of all settings."""
    rows = ["| Setting | API field | Default | Range | What it does |", "|---|---|---|---|---|"]
    for setting in FabricSettings.fields():
        default = {"bool": str, "choice": "`{}`".format}.get(setting.kind, "{:g}".format)(
            setting.default
        )
        if setting.kind == "bool":
            default = default.lower()
        rows.append(
            f"| {setting.label} | `{setting.name}` | {default} | {setting.allowed} "
            f"| {setting.help} |"
        )
    return "\n".join(rows) + "\n"


def test_every_setting_is_listed_as_it_is():
    text = SETTINGS.read_text(encoding="utf-8")
    assert text.split(BEGIN)[1].split(END)[0] == settings_table()


def compatibility_rows() -> list[list[str]]:
    """What, tests, on a real WebUI."""
    lines = COMPATIBILITY.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1:]]


def test_tests_that_are_named_exist():
    named = re.findall(r"`(tests/[\w/.]+)(?:::(\w+))?`", COMPATIBILITY.read_text(encoding="utf-8"))
    assert len([name for _, name in named if name]) > 20
    for path, name in named:
        file = ROOT / path
        assert file.exists(), path
        if name:
            assert f"\ndef {name}(" in file.read_text(encoding="utf-8"), f"{path}::{name}"


def test_every_row_on_compatibility_says_how_it_was_verified():
    rows = compatibility_rows()
    assert len(rows) > 15
    for what, tests, real in rows:
        assert "`tests/" in tests or VERSION.search(real), what


def test_readme_is_of_one_sitting():
    words = (ROOT / "README.md").read_text(encoding="utf-8").split()
    assert len(words) < 1000


if __name__ == "__main__":
    sys.stdout.write(settings_table())
