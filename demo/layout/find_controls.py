"""The controls that find damage and occluders."""

import gradio as gr

from ..text import strings

SENSITIVITY = 0.5


class FindControls:
    """buttons: by the name of what each finds, as in ``faceinp.Find``. sensitivity, stamps: visible after a search.
    message: what was found.
    """

    def __init__(self) -> None:
        with gr.Row(elem_id="find"):
            self.buttons = {
                name: gr.Button(label, size="md", elem_id=f"find-{name}") for name, label in strings.FIND.items()
            }
        self.message = gr.HTML(padding=False, elem_id="found")
        self.sensitivity = gr.Slider(
            *(0.05, 0.95, SENSITIVITY),
            step=0.05,
            label=strings.SENSITIVITY,
            buttons=[],
            visible=False,
            elem_id="sensitivity",
        )
        self.stamps = gr.Checkbox(label=strings.STAMPS, container=False, visible=False, elem_id="stamps")
