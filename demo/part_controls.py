"""The controls that fill one part of a result again: how they look on the page, and when they are put away."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from demo import words

OTHER_HALF, PHOTOS, ANEW, PUT_BACK = "other half", "photos", "anew", "put back"


@dataclass(frozen=True)
class PartControls:
    """box: what they are folded into. picture, number: which part. source: what it is filled from. again: the button.
    message: what came of it.
    """

    box: gr.Accordion
    picture: gr.Image
    number: gr.Radio
    source: gr.Radio
    again: gr.Button
    message: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """What changes, the button apart."""
        return [self.box, self.picture, self.number, self.source, self.message]


def lay_out() -> PartControls:
    """Put the controls on the page."""
    with gr.Accordion(words.PART, open=False, elem_id="part") as box:
        picture = gr.Image(
            label=words.PARTS, show_label=False, interactive=False, buttons=[], format="png", elem_id="parts"
        )
        number = gr.Radio([], label=words.WHICH_PART, elem_id="part-number")
        source = gr.Radio([], label=words.PART_WITH, elem_id="part-source")
        again = gr.Button(words.FILL_PART, variant="primary", size="md", elem_id="fill-part")
        message = gr.HTML(padding=False, elem_id="part-message")
    return PartControls(box, picture, number, source, again, message)


def closed(part: PartControls) -> dict[Any, Any]:
    """The controls, folded up and empty."""
    none: dict[str, Any] = {"choices": [], "value": None, "visible": False}
    return {
        part.box: gr.update(open=False),
        part.picture: gr.update(value=None, visible=False),
        part.number: gr.update(**none),
        part.source: gr.update(**none),
        part.message: "",
    }
