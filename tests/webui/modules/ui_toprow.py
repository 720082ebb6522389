"""The row at the top of a tab: prompts and the Generate button."""

from __future__ import annotations

import gradio as gr
from modules import shared
from modules.ui_components import ToolButton


class Toprow:
    """Prompts, Generate, Interrupt, Skip, and the button that reads an infotext."""

    def __init__(self, is_img2img: bool) -> None:
        self.id_part = "img2img" if is_img2img else "txt2img"
        with gr.Row(elem_id=f"{self.id_part}_toprow", variant="compact"):
            self._create_prompts()
            with gr.Column(scale=1, elem_id=f"{self.id_part}_actions_column"):
                self._create_submit_box()
                with gr.Row(elem_id=f"{self.id_part}_tools"):
                    self.paste = ToolButton(
                        "↙️", elem_id="paste", tooltip="Read generation parameters from prompt."
                    )

    def _create_prompts(self) -> None:
        with gr.Column(elem_id=f"{self.id_part}_prompt_container", scale=6):
            with gr.Row(elem_id=f"{self.id_part}_prompt_row", elem_classes=["prompt-row"]):
                self.prompt = self._textbox("Prompt", "prompt")
            with gr.Row(elem_id=f"{self.id_part}_neg_prompt_row", elem_classes=["prompt-row"]):
                self.negative_prompt = self._textbox("Negative prompt", "neg_prompt")

    def _textbox(self, label: str, item: str) -> gr.Textbox:
        return gr.Textbox(
            label=label,
            elem_id=f"{self.id_part}_{item}",
            show_label=False,
            lines=3,
            placeholder=label,
            elem_classes=["prompt"],
        )

    def _create_submit_box(self) -> None:
        tab = self.id_part
        with gr.Row(elem_id=f"{tab}_generate_box", elem_classes=["generate-box"]):
            self.interrupt, self.skip, self.interrupting = (
                gr.Button(
                    f"{name.capitalize()}{dots}",
                    elem_id=f"{tab}_{name}",
                    elem_classes=f"generate-box-{name}",
                )
                for name, dots in (("interrupt", ""), ("skip", ""), ("interrupting", "..."))
            )
            self.submit = gr.Button("Generate", elem_id=f"{tab}_generate", variant="primary")
        wait = f"function(){{ showSubmitInterruptingPlaceholder('{tab}'); }}"
        self.skip.click(fn=lambda: shared.state.skip())
        self.interrupt.click(fn=_interrupt, _js=wait)
        self.interrupting.click(fn=_interrupt)


def _interrupt() -> None:
    """With several batches the first press lets the current one finish."""
    state = shared.state
    later = shared.opts.interrupt_after_current and state.job_count > 1
    if later and not state.stopping_generation:
        state.stop_generating()
        gr.Info("Generation will stop after finishing this image, click again to stop now.")
    else:
        state.interrupt()
