"""The controls that fill one part of a result again."""

from typing import Any

import gradio as gr

from ..text import part_text

OTHER_HALF, PHOTOS, ANEW, PUT_BACK = "other half", "photos", "anew", "put back"


class PartControls:
    """done, switch: beside the result: what changed, and the button that shows the earlier or the newer result. box:
    holds the other controls. picture, number: choose the part. source: chooses what it is filled from. again: starts
    the fill. message: its progress, or an error.
    """

    def __init__(self) -> None:
        """Put the controls beside the result on the page."""
        self.done = gr.HTML(padding=False, elem_id="part-done")
        self.switch = gr.Button(part_text.SHOW_EARLIER, size="sm", visible=False, elem_id="switch")

    def lay_out_box(self) -> None:
        """Put the other controls on the page."""
        with gr.Accordion(part_text.PART, open=False, elem_id="part") as self.box:
            self.picture = gr.Image(
                label=part_text.PARTS, show_label=False, interactive=False, buttons=[], format="png", elem_id="parts"
            )
            self.number = gr.Radio([], label=part_text.WHICH_PART, elem_id="part-number")
            self.source = gr.Radio([], label=part_text.PART_SOURCE, elem_id="part-source")
            self.again = gr.Button(part_text.FILL_PART, variant="primary", size="md", elem_id="fill-part")
            self.message = gr.HTML(padding=False, elem_id="part-message")

    def closed(self) -> dict[Any, Any]:
        """Updates, one for each control that events change, that close and empty the controls."""
        none: dict[str, Any] = {"choices": [], "value": None, "visible": False}
        return {
            self.box: gr.update(open=False),
            self.picture: gr.update(value=None, visible=False),
            self.number: gr.update(**none),
            self.source: gr.update(**none),
            self.message: "",
            self.done: "",
            self.switch: gr.update(visible=False),
        }
