"""Start-up in the host's order."""

from __future__ import annotations

from pathlib import Path

from modules import shared_init


def initialize() -> None:
    """First start: settings, then scripts, then the model."""
    shared_init.initialize()
    initialize_rest(reload_script_modules=False)
    from modules import sd_hijack, shared

    _ = shared.sd_model  # loads it
    if sd_hijack.current_optimizer is None:
        sd_hijack.model_hijack.apply_optimizations()


def initialize_rest(*, reload_script_modules: bool = False) -> None:
    """What is done again by Reload UI: scripts are executed again, callbacks start empty."""
    from modules import (
        call_queue,
        extensions,
        localization,
        script_callbacks,
        scripts,
        sd_hijack,
        sd_hijack_optimizations,
        sd_models,
        sd_samplers,
        sd_unet,
        shared,
    )

    sd_samplers.set_samplers()
    extensions.list_extensions()
    localization.list_localizations(str(Path(shared.script_path, "localizations")))
    sd_models.list_models()
    scripts.load_scripts()
    script_callbacks.on_list_optimizers(sd_hijack_optimizations.list_optimizers)
    sd_hijack.list_optimizers()
    sd_unet.list_unets()
    for option, onchange in (
        (
            "cross_attention_optimization",
            lambda: sd_hijack.model_hijack.redo_hijack(shared.sd_model),
        ),
        ("sd_model_checkpoint", sd_models.reload_model_weights),
    ):
        shared.opts.onchange(option, call_queue.wrap_queued_call(onchange), call=False)
