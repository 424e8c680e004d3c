"""The controls that move a face's landmarks, and the landmarks that move together.

Landmarks are in the order of iBUG's 68 (Sagonas et al. 2013), counted from 0.
"""

import json
from html import escape
from math import exp
from pathlib import Path

import gradio as gr

from ..text import landmark_text

# Landmarks drawn as one line: jaw, brows, nose; closed lines: eyes, outer and inner lips.
OPEN = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36))
CLOSED = (range(36, 42), range(42, 48), range(48, 60), range(60, 68))
FEATURES = (*OPEN, *CLOSED[:2], range(48, 68))  # that Tab steps through; the lips are one
# For the inner landmarks of the lips, the outer ones next to them.
BESIDE = {60: 48, 61: 50, 62: 51, 63: 52, 64: 54, 65: 56, 66: 57, 67: 58}
MIN_SHARE = 0.05  # of a movement; less is ignored

_CODE = Path(__file__).parent / "landmarks.js"
_STYLE = Path(__file__).parent / "landmarks.css"


class LandmarkControls:
    """face: the landmarks over the face's picture; its value is None, or, once one was moved, all 68 in pixels of the
    photo: {"points": [[x, y], ...]}. again: fills with them. reset: undoes all moves.
    """

    def __init__(self) -> None:
        with gr.Accordion(landmark_text.MOVE_LANDMARKS, open=False, visible=False, elem_id="landmarks-box") as self.box:
            self.face = gr.HTML(
                None,
                html_template=_template(),
                css_template=_STYLE.read_text(),
                js_on_load=_script(),
                apply_default_css=False,
                elem_id="landmarks",
                face={},  # see ``move_landmarks.describe``
            )
            with gr.Row():
                self.again = gr.Button(
                    landmark_text.FILL_WITH_LANDMARKS, variant="primary", scale=2, min_width=160, elem_id="again"
                )
                self.reset = gr.Button(landmark_text.RESET_LANDMARKS, min_width=70, elem_id="reset")


def neighbours() -> tuple[dict[int, float], ...]:
    """For each landmark the ones that move with it, and their share of its movement.

    A Gaussian of the steps between them along their line, with a standard deviation of one step. From the outer edge of
    the lips to the inner one is one step, so that a lip moves as a whole; from one lip to the other are many.
    """
    shares: list[dict[int, float]] = [{} for _ in range(68)]
    for feature in FEATURES:
        ring = 12 if 48 in feature else len(feature) if feature in CLOSED else 0
        for point in feature:
            for other in feature:
                steps = abs(BESIDE.get(point, point) - BESIDE.get(other, other))
                steps = min(steps, ring - steps) if ring else steps
                steps += (point in BESIDE) != (other in BESIDE)
                if (share := exp(-(steps**2) / 2)) >= MIN_SHARE:
                    shares[point][other] = round(share, 3)
    return tuple(shares)


def _script() -> str:
    """The code, after the constants of all faces: Gradio forgets properties that an update leaves out."""
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
