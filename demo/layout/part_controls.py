"""The controls that fill one part of a result again."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ..text import part_text

OTHER_HALF, PHOTOS, ANEW, PUT_BACK = "other half", "photos", "anew", "put back"


@dataclass(frozen=True)
class PartControls:
    """box: holds the controls. picture, number: choose the part. source: chooses what it is filled from. again: starts
    the fill. message: its progress, or an error. done, switch: beside the result: what changed, and the button that
    shows the earlier or the newer result.
    """

    box: gr.Accordion
    picture: gr.Image
    number: gr.Radio
    source: gr.Radio
    again: gr.Button
    message: gr.HTML
    done: gr.HTML
    switch: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """All controls that events change."""
        return [self.box, self.picture, self.number, self.source, self.message, self.done, self.switch]


def lay_out_done() -> tuple[gr.HTML, gr.Button]:
    """Put the controls beside the result on the page."""
    done = gr.HTML(padding=False, elem_id="part-done")
    return done, gr.Button(part_text.SHOW_EARLIER, size="sm", visible=False, elem_id="switch")


def lay_out(done: gr.HTML, switch: gr.Button) -> PartControls:
    """Put the controls on the page. done, switch: from ``lay_out_done``."""
    with gr.Accordion(part_text.PART, open=False, elem_id="part") as box:
        picture = gr.Image(
            label=part_text.PARTS, show_label=False, interactive=False, buttons=[], format="png", elem_id="parts"
        )
        number = gr.Radio([], label=part_text.WHICH_PART, elem_id="part-number")
        source = gr.Radio([], label=part_text.PART_SOURCE, elem_id="part-source")
        again = gr.Button(part_text.FILL_PART, variant="primary", size="md", elem_id="fill-part")
        message = gr.HTML(padding=False, elem_id="part-message")
    return PartControls(box, picture, number, source, again, message, done, switch)


def closed(part: PartControls) -> dict[Any, Any]:
    """Updates that close and empty the controls."""
    none: dict[str, Any] = {"choices": [], "value": None, "visible": False}
    return {
        part.box: gr.update(open=False),
        part.picture: gr.update(value=None, visible=False),
        part.number: gr.update(**none),
        part.source: gr.update(**none),
        part.message: "",
        part.done: "",
        part.switch: gr.update(visible=False),
    }
