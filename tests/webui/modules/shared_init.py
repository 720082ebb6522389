"""Fills in `shared`: settings, state and the rest, in the order they need one another."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar


class _Styles:
    """The stand-in has no styles: prompts pass as they are."""

    styles: ClassVar[dict] = {}

    def apply_styles_to_prompt(self, prompt: str, styles: list[str]) -> str:
        return prompt

    def apply_negative_styles_to_prompt(self, prompt: str, styles: list[str]) -> str:
        return prompt

    def extract_styles_from_prompt(self, prompt: str, negative: str) -> tuple[list, str, str]:
        return [], prompt, negative


class _Upscaler:
    """An upscaler by name; pictures are resized with Lanczos for all of them."""

    def __init__(self, name: str) -> None:
        self.name = name


class TotalTQDM:
    """Counts steps over a whole job; draws nothing."""

    def __init__(self) -> None:
        self.clear()

    def update(self) -> None:
        """One more step is done."""
        self.done += 1

    def updateTotal(self, new_total: int) -> None:  # noqa: N802  (the host's name)
        """The job turned out to have this many steps."""
        self.total = new_total

    def clear(self) -> None:
        """Back to zero."""
        self.done = self.total = 0


def initialize() -> None:
    """Fills in `shared`; harmless when called again."""
    from modules import options, shared, shared_options, shared_state

    if shared.opts is not None:
        return
    Path(shared.data_path).mkdir(parents=True, exist_ok=True)
    shared.options_templates = shared_options.templates()
    shared.opts = options.Options(shared.options_templates, shared.restricted_opts)
    if Path(shared.config_filename).is_file():
        shared.opts.load(shared.config_filename)
    shared.state = shared_state.State()
    shared.prompt_styles = _Styles()
    shared.total_tqdm = TotalTQDM()
    shared.sd_upscalers = [_Upscaler("None"), _Upscaler("Lanczos"), _Upscaler("Nearest")]
    from modules import rng  # noqa: F401  (fills in `devices`)
