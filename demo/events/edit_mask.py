"""Events of the mask: ready-made shapes, uploaded masks, grow, invert, and the share that is marked."""

from typing import Any

import cv2
import gradio as gr
import numpy as np

import faceinp

from ..images.editor import layer_of, share_hidden
from ..images.painted_proposal import Map, read_hole
from ..layout.page_layout import Page
from ..layout.panel import NO_PRESET
from ..server import uploads
from ..server.sessions import Visit, Visits
from ..text import strings
from . import propose_mask
from .propose_mask import painted
from .requests import QUIET, chosen_location

GROWS_BY = 0.004  # of the photo's longer side, at each click


def connect(page: Page, visits: Visits) -> None:
    """Connect the controls that change the mask."""

    def add_preset(name: str, seed: int, face: Any, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        if visit.original is None or name == NO_PRESET:
            return gr.skip(), gr.skip(), gr.skip()
        try:
            mask = faceinp.make_preset(
                name,
                visit.photo(),
                face=chosen_location(visit, face),
                turn=visit.turn,
                landmarks=visit.landmarks,
                seed=int(seed or 0),
            )
        except faceinp.FaceinpError as error:
            return gr.skip(), gr.skip(), strings.message(strings.error_text(error), error=True)
        return _put(visit, mask.hole, f"Mask added: {mask.about}.")

    def shape(name: str) -> Any:
        """The function of a button with a ready-made shape."""

        def add_shape(seed: int, face: Any, request: gr.Request) -> tuple[Any, ...]:
            return add_preset(name, seed, face, request)

        return add_shape

    def upload(file: str, request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        with uploads.read_once(file):
            try:
                mask, doubt = _read_mask(file, visit.photo())
            except faceinp.FaceinpError as error:
                return gr.skip(), gr.skip(), strings.message(strings.error_text(error), error=True)
        mask = mask.by_faces([face.box for face in visit.faces])
        text = strings.page_terms(" ".join([f"Mask loaded: {mask.about or 'as it is'}.", *mask.warnings]))
        return _put(visit, mask.hole, f"{text} {doubt}".strip())

    def changer(change: Any, message: str) -> Any:
        """The function of a button that changes the hole. change: bool (H, W) to bool (H, W)."""

        def change_hole(value: dict[str, Any] | None, request: gr.Request) -> tuple[Any, ...]:
            visit = visits.of(request)
            if visit.original is None:
                return gr.skip(), gr.skip(), strings.message(strings.NO_PHOTO)
            try:
                hole = read_hole(value, visit.original, visit.proposal)
            except faceinp.FaceinpError as error:
                return gr.skip(), gr.skip(), strings.message(strings.error_text(error), error=True)
            if not hole.any():
                return gr.skip(), gr.skip(), strings.message(strings.NOTHING_MARKED)
            return _put(visit, change(hole), message)

        return change_hole

    def clear(request: gr.Request) -> tuple[Any, ...]:
        visit = visits.of(request)
        visit.proposal = None
        return painted(visit), ""

    parts = [page.editor, page.share, page.message]
    private: Any = {"api_visibility": "private", "show_progress": "minimal", "show_progress_on": page.preset}
    additions = [
        change(add_preset, [page.preset, page.mask_seed, page.face], parts, **private)
        for change in (page.preset.input, page.mask_seed.submit, page.mask_seed.blur)
    ]
    additions += [
        button.click(shape(name), [page.mask_seed, page.face], parts, **private) for name, button in page.shapes.items()
    ]
    additions.append(page.mask_file.upload(upload, page.mask_file, parts, **private))
    additions.append(page.invert.click(changer(np.logical_not, strings.MASK_INVERTED), page.editor, parts, **private))
    additions.append(page.grow.click(changer(_grown, strings.MASK_GROWN), page.editor, parts, **private))
    # The editor's bin also removes the photo: show it again, without paint.
    additions.append(page.editor.clear(clear, None, [page.editor, page.share], show_progress_on=page.message, **QUIET))

    def reset_search(request: gr.Request) -> dict[Any, Any]:
        return propose_mask.show_updates(page, visits.of(request))

    for addition in additions:
        addition.then(reset_search, None, propose_mask.outputs(page), **QUIET)

    def show_share(value: dict[str, Any] | None, message: str | None, request: gr.Request) -> tuple[Any, ...]:
        proposal = visits.of(request).proposal
        share = share_hidden(value) if proposal is None else proposal.share(value)
        replace_error = share and message == strings.message(strings.NOTHING_MARKED, error=True)
        return strings.marked_share(share), strings.message(strings.MARKED) if replace_error else gr.skip()

    page.editor.input(
        show_share, [page.editor, page.message], [page.share, page.message], trigger_mode="always_last", **QUIET
    )


def _read_mask(file: str, photo: faceinp.Photo) -> tuple[faceinp.Mask, str]:
    """The mask, and a warning if it is unclear which tone is the hole."""
    try:
        return faceinp.read_mask(file, photo), ""
    except faceinp.MaskError as error:
        if "--mask-hole" not in str(error):
            raise
        return faceinp.read_mask(file, photo, hole="white"), strings.WHITE_ASSUMED


def _grown(hole: Map) -> Map:
    """The hole with a margin of GROWS_BY."""
    reach = 2 * max(1, round(GROWS_BY * max(hole.shape))) + 1
    return cv2.dilate(hole.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))) > 0


def _put(visit: Visit, hole: Map, message: str) -> tuple[Any, ...]:
    """Updates of editor, share and message that paint a hole, bool (H, W)."""
    visit.proposal = None
    return painted(visit, layer_of(hole)), strings.marked_share(float(hole.mean())), strings.message(message)
