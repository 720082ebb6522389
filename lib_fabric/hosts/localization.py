"""Keeps our translations from hiding those of the WebUI itself. Knows `modules.localization`.

From 1.7.0 on the host merges the files of one language; before, the last file found stands alone,
and ours holds only our own texts.
"""

from __future__ import annotations

from pathlib import Path

from modules import localization, scripts, shared

OURS = Path(__file__).resolve().parents[2] / "localizations"


def yield_to_whole_translations() -> None:
    """Puts another file of the same language in place of ours, where there is one."""
    for language, path in list(localization.localizations.items()):
        if isinstance(path, str) and _is_ours(path):
            others = [other for other in _files(language) if not _is_ours(other)]
            if others:
                localization.localizations[language] = others[-1]


def _files(language: str) -> list[str]:
    """The files of a language, in the host's order."""
    own = Path(shared.cmd_opts.localizations_dir, f"{language}.json")
    found = scripts.list_scripts("localizations", ".json")
    named = [str(file.path) for file in found if Path(file.filename).stem == language]
    return [*([str(own)] if own.is_file() else []), *named]


def _is_ours(path: str) -> bool:
    return Path(path).resolve().parent == OURS
