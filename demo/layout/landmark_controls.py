"""The controls that move a face's landmarks: how they look on the page, and which landmarks belong together.

Landmarks are in the order of iBUG's 68 (Sagonas et al. 2013), counted from 0.
"""

import json
from dataclasses import dataclass
from html import escape
from math import exp
from pathlib import Path

import gradio as gr

from ..text import landmark_text

# What is drawn as one line; the last four are closed: eyes, lips outside and inside.
OPEN = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36))
CLOSED = (range(36, 42), range(42, 48), range(48, 60), range(60, 68))
FEATURES = (*OPEN, *CLOSED[:2], range(48, 68))  # what Tab goes through; the lips are one
# Of the lips' inner landmarks: the outer ones beside them.
BESIDE = {60: 48, 61: 50, 62: 51, 63: 52, 64: 54, 65: 56, 66: 57, 67: 58}
LEAST_SHARE = 0.05  # of a movement: less is none

_CODE = Path(__file__).parent / "landmarks.js"
_STYLE = Path(__file__).parent / "landmarks.css"


@dataclass(frozen=True)
class LandmarkControls:
    """face: the landmarks over the face's picture; its value is None, or {"points": [[x, y], ...]}, all 68 in pixels of
    the photo, once one was moved. again: fills with these. reset: puts all back.
    """

    box: gr.Accordion
    face: gr.HTML
    again: gr.Button
    reset: gr.Button


def lay_out() -> LandmarkControls:
    """Put the controls on the page."""
    with gr.Accordion(landmark_text.MOVE_LANDMARKS, open=False, visible=False, elem_id="landmarks-box") as box:
        face = gr.HTML(
            None,
            html_template=_template(),
            css_template=_STYLE.read_text(),
            js_on_load=_script(),
            apply_default_css=False,
            elem_id="landmarks",
            face={},  # what is shown, see ``move_landmarks.describe``
        )
        with gr.Row():
            again = gr.Button(
                landmark_text.FILL_WITH_LANDMARKS, variant="primary", scale=2, min_width=160, elem_id="again"
            )
            reset = gr.Button(landmark_text.RESET_LANDMARKS, min_width=70, elem_id="reset")
    return LandmarkControls(box, face, again, reset)


def neighbours() -> tuple[dict[int, float], ...]:
    """For each landmark those that go along when it is dragged, and their share of its movement.

    A Gaussian of the steps between them along their line, one step being its standard deviation. From the outer edge
    of the lips to the inner one it is a step, too, so that lips move whole; from one lip to the other it is many.
    """
    shares: list[dict[int, float]] = [{} for _ in range(68)]
    for feature in FEATURES:
        ring = 12 if 48 in feature else len(feature) if feature in CLOSED else 0
        for point in feature:
            for other in feature:
                steps = abs(BESIDE.get(point, point) - BESIDE.get(other, other))
                steps = min(steps, ring - steps) if ring else steps
                steps += (point in BESIDE) != (other in BESIDE)
                if (share := exp(-(steps**2) / 2)) >= LEAST_SHARE:
                    shares[point][other] = round(share, 3)
    return tuple(shares)


def _script() -> str:
    """The code, and before it what is the same for every face: Gradio forgets properties that an update leaves out."""
    parts = {
        "features": [list(feature) for feature in FEATURES],
        "lines": [{"points": list(line), "closed": line in CLOSED} for line in (*OPEN, *CLOSED)],
        "names": landmark_text.landmark_names(),
        "along": [list(shares.items()) for shares in neighbours()],
        "directions": landmark_text.DIRECTIONS,
    }
    return f"const parts = {json.dumps(parts)};\n{_CODE.read_text()}"


def _template() -> str:
    sliders = "".join(
        f'<label><span>{escape(label)}</span><input type="range" name="{name}" min="-1" max="1" step="0.05" value="0">'
        "</label>"
        for name, label in landmark_text.EXPRESSIONS.items()
    )
    return (
        f"<p>{escape(landmark_text.HOW_TO_MOVE)}</p>"
        f'<svg role="group" aria-label="{escape(landmark_text.LANDMARKS)}" aria-describedby="landmark-keys">'
        '<image preserveAspectRatio="none"/><path class="fixed"/><path/><g></g></svg>'
        '<p class="name"></p>'
        f'<div class="sliders">{sliders}</div>'
        f'<p class="keys" id="landmark-keys">{escape(landmark_text.LANDMARK_KEYS)}</p>'
    )
