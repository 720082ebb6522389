"""The page's texts in another language: JSON files of the host and of extensions, merged."""

from __future__ import annotations

import json
from pathlib import Path

from modules import errors, scripts

localizations: dict[str, list[str]] = {}


def list_localizations(dirname: str) -> None:
    """Looks for files again: `dirname/*.json`, then `localizations/*.json` of extensions."""
    localizations.clear()
    for file in sorted(Path(dirname).glob("*.json")):
        localizations.setdefault(file.stem, []).append(str(file))
    for file in scripts.list_scripts("localizations", ".json"):
        localizations.setdefault(Path(file.filename).stem, []).append(file.path)


def localization_js(current_localization_name: str) -> str:
    """The line of JavaScript with all texts of a language; of two, the later file's counts."""
    data = {}
    for path in localizations.get(current_localization_name, []):
        try:
            data.update(json.loads(Path(path).read_text(encoding="utf8")))
        except Exception:  # noqa: BLE001  (the host swallows here)
            errors.report(f"Error loading localization from {path}", exc_info=True)
    return f"window.localization = {json.dumps(data)}"
