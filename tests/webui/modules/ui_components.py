"""Components that fit the host's page."""

from __future__ import annotations

import gradio as gr


class Renamed:
    """Mixin: the browser knows the component by the name of one of gradio's."""

    block_name: str

    def get_block_name(self) -> str:
        """The type that the browser knows."""
        return self.block_name


class FormComponent(Renamed):
    """Mixin: the component is put into a form."""

    def get_expected_parent(self) -> type:
        """Gradio groups neighbours with the same expected parent."""
        return gr.components.Form


gr.Dropdown.get_expected_parent = FormComponent.get_expected_parent


class ToolButton(FormComponent, gr.Button):
    """A small button with an emoji."""

    block_name = "button"

    def __init__(self, *args: object, **kwargs: object) -> None:
        classes = kwargs.pop("elem_classes", [])
        super().__init__(*args, elem_classes=["tool", *classes], **kwargs)


class ResizeHandleRow(Renamed, gr.Row):
    """A row that the host lets the user resize."""

    block_name = "row"

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.elem_classes.append("resize-handle-row")


class FormRow(FormComponent, gr.Row):
    """A row inside a form."""

    block_name = "row"


class FormColumn(FormComponent, gr.Column):
    """A column inside a form."""

    block_name = "column"


class FormGroup(FormComponent, gr.Group):
    """A group inside a form."""

    block_name = "group"


class FormHTML(FormComponent, gr.HTML):
    """HTML inside a form."""

    block_name = "html"


class DropdownMulti(FormComponent, gr.Dropdown):
    """A drop-down with many choices at once."""

    block_name = "dropdown"

    def __init__(self, **kwargs: object) -> None:
        super().__init__(multiselect=True, **kwargs)


class DropdownEditable(FormComponent, gr.Dropdown):
    """A drop-down that takes other values too."""

    block_name = "dropdown"

    def __init__(self, **kwargs: object) -> None:
        super().__init__(allow_custom_value=True, **kwargs)


class InputAccordion(Renamed, gr.Checkbox):
    """An accordion whose being open is a value: a hidden checkbox and an accordion, tied together
    in the browser."""

    block_name = "checkbox"
    global_index = 0

    def __init__(self, value: bool, **kwargs: object) -> None:
        self.accordion_id = kwargs.get("elem_id")
        if self.accordion_id is None:
            self.accordion_id = f"input-accordion-{InputAccordion.global_index}"
            InputAccordion.global_index += 1
        box_id = f"{self.accordion_id}-checkbox"
        super().__init__(value, **{**kwargs, "elem_id": box_id, "visible": False})
        tell = f"function(checked){{ inputAccordionChecked('{self.accordion_id}', checked); }}"
        self.change(fn=None, _js=tell, inputs=[self])
        own = {
            "elem_id": self.accordion_id,
            "label": kwargs.get("label", "Accordion"),
            "elem_classes": ["input-accordion"],
            "open": value,
        }
        self.accordion = gr.Accordion(**{**kwargs, **own})

    def extra(self) -> gr.Column:
        """A column in the accordion's label."""
        return gr.Column(
            elem_id=f"{self.accordion_id}-extra", elem_classes="input-accordion-extra", min_width=0
        )

    def __enter__(self) -> InputAccordion:
        self.accordion.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.accordion.__exit__(*exc)
