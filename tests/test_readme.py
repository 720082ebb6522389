"""README's settings table is derived from the settings; run this file to print it anew."""

from __future__ import annotations

import sys
from pathlib import Path

from lib_fabric.settings import FabricSettings

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- settings table -->\n", "<!-- end of settings table -->"


def settings_table() -> str:
    """The Markdown table of all settings."""
    rows = ["| Setting | API field | Default | Range | What it does |", "|---|---|---|---|---|"]
    for setting in FabricSettings.fields():
        default = {"bool": str, "choice": "`{}`".format, "float": "{:g}".format}[setting.kind](
            setting.default
        )
        if setting.kind == "bool":
            default = default.lower()
        rows.append(
            f"| {setting.label} | `{setting.name}` | {default} | {setting.allowed} "
            f"| {setting.help} |"
        )
    return "\n".join(rows) + "\n"


def test_readme_lists_every_setting_as_it_is():
    text = README.read_text(encoding="utf-8")
    assert text.split(BEGIN)[1].split(END)[0] == settings_table()


if __name__ == "__main__":
    sys.stdout.write(settings_table())
