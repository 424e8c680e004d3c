"""The controls that find damage and occluders."""

from dataclasses import dataclass

import gradio as gr

from ..text import strings

SENSITIVITY = 0.5


@dataclass(frozen=True)
class FindControls:
    """buttons: by the name of what each finds, as in ``faceinp.Find``. sensitivity, stamps: visible after a search.
    message: what was found.
    """

    buttons: dict[str, gr.Button]
    sensitivity: gr.Slider
    stamps: gr.Checkbox
    message: gr.HTML


def lay_out() -> FindControls:
    """Put the controls on the page."""
    with gr.Row(elem_id="find"):
        buttons = {name: gr.Button(label, size="md", elem_id=f"find-{name}") for name, label in strings.FIND.items()}
    message = gr.HTML(padding=False, elem_id="found")
    sensitivity = gr.Slider(
        *(0.05, 0.95, SENSITIVITY),
        step=0.05,
        label=strings.SENSITIVITY,
        buttons=[],
        visible=False,
        elem_id="sensitivity",
    )
    stamps = gr.Checkbox(label=strings.STAMPS, container=False, visible=False, elem_id="stamps")
    return FindControls(buttons, sensitivity, stamps, message)
