"""The endpoints ``/fill``, ``/find``, ``/engines`` and ``/identity`` for programs."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.components.api_component import Api
from numpy.typing import NDArray
from PIL import Image

import faceinp

from ..events.requests import AT_ONCE, FINDS, TICK
from ..fills import filling
from ..fills.filling import FillRequest, FillResult
from ..fills.jobs import Job
from ..images import pictures
from ..server import preload
from ..server.sessions import scratch
from ..server.uploads import read_once, touch
from .terms import for_programs, refusal

POLARITIES = ("auto", "white", "black")
MAX_COORDINATE = 100_000  # of a landmark, in pixels
MOST_REFERENCES = 8
NO_PHOTO = "No photo. Upload one and pass its path as photo."


def connect() -> None:
    """Add the endpoints; call it inside a ``gr.Blocks``."""
    with gr.Row(visible=False):
        photo, mask, second = (gr.File(label=label) for label in ("photo", "mask", "second"))
        preset = gr.Textbox(label="preset")
        engine = gr.Textbox(next(iter(filling.ready_engines()), ""), label="engine")
        # Api passes any value on; FillRequest checks it.
        seed, face, iterations = (Api(0, {"type": "integer"}, name) for name in ("seed", "face", "iterations"))
        aligned, blending = Api(False, {"type": "boolean"}, "aligned"), gr.Textbox("poisson", label="blending")
        mask_hole = gr.Textbox("auto", label="mask_hole")
        points: Any = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
        landmarks = Api(None, points, "landmarks")
        references = gr.File(label="references", file_count="multiple")
        symmetry = Api(None, {"type": "boolean"}, "symmetry")
        reference_check = Api(True, {"type": "boolean"}, "reference_check")
        location, turn = Api(None, {"type": "object"}, "location"), Api("auto", {}, "turn")
        require_face = Api(False, {"type": "boolean"}, "require_face")
        searched, sensitivity = Api(None, {"type": "string"}, "find"), Api(0.5, {"type": "number"}, "sensitivity")
        names: Any = {"type": "array", "items": {"type": "string"}}
        include = Api(None, names, "include")
        filled, facts = gr.File(label="filled"), gr.JSON(label="facts")
        gr.Button().click(
            fill,
            [
                *(photo, mask, preset, engine, seed, aligned, face, blending, iterations, mask_hole, landmarks, second),
                *(references, symmetry, reference_check, location, turn, require_face, searched, sensitivity, include),
            ],
            [filled, facts],
            api_name="fill",
            concurrency_limit=AT_ONCE,
            concurrency_id="fill",
        )
        gr.Button().click(
            find,
            [photo, searched, sensitivity, include, aligned, face, location, turn],
            [gr.File(label="mask"), gr.JSON(label="found")],
            api_name="find",
            **FINDS,
        )
        gr.Button().click(engines, None, gr.JSON(label="engines"), api_name="engines")
        two = [gr.File(label="first"), gr.File(label="second")]
        gr.Button().click(
            identity,
            [*two, Api(False, {"type": "boolean"}, "aligned")],
            gr.JSON(label="verdict"),
            api_name="identity",
            concurrency_limit=2,
            concurrency_id="identity",
        )


def fill(
    photo: str | None,
    mask: str | None = None,
    preset: str | None = None,
    engine: str = "",
    seed: Any = 0,
    aligned: Any = False,
    face: Any = 0,
    blending: str = "poisson",
    iterations: Any = 0,
    mask_hole: str = "auto",
    landmarks: Any = None,
    second: str | None = None,
    references: Sequence[str] | None = None,
    symmetry: Any = None,
    reference_check: Any = True,
    location: Any = None,
    turn: Any = "auto",
    require_face: Any = False,
    find: Any = None,
    sensitivity: Any = 0.5,
    include: Any = None,
) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Fill the hole of a photo, given by a mask, a preset or a search. Returns a PNG file and facts about the fill."""
    folder = scratch()
    references = references or []
    with read_once(photo, mask, second, *references):
        try:
            face_location = _face_location(location, aligned, face)
            target = _find(find, sensitivity, include) if find else None
            if not photo:
                raise faceinp.PhotoError(NO_PHOTO)
            if sum(map(bool, (mask, preset, target))) != 1:
                raise faceinp.MaskError("Pass exactly one of mask, preset and find.")
            if mask_hole not in POLARITIES:
                raise faceinp.MaskError(f"mask_hole must be auto, white or black, got {mask_hole!r:.80}.")
            if symmetry is not None and not isinstance(symmetry, bool):
                raise faceinp.EngineError(
                    f"symmetry must be true, false, or null (the engine decides), got {symmetry!r:.80}."
                )
            others = _readable(references)

            def hole() -> Any:
                if not preset:
                    return mask
                return faceinp.make_preset(preset, faceinp.read_photo(photo), face=face_location, turn=turn, seed=seed)

            fill_request = FillRequest(
                photo=photo,
                hole=hole,
                find=target,
                engine=engine,
                seed=seed,
                iterations=iterations,
                face=face_location,
                turn=turn,
                require_face=_flag("require_face", require_face),
                blending=blending,
                mask_hole=mask_hole,
                landmarks=_points(landmarks),
                symmetry=symmetry,
                references=others,
                reference_check=_flag("reference_check", reference_check),
                others=(*_readable([second] if second else [], "The second photo"), *others),
            )
            job = Job([fill_request], folder, preload.judge)
            try:
                while not job.wait(TICK):
                    touch(folder, photo, mask, second, *references)
                    yield None, {"state": "running", "share": round(job.running.share, 3)}
                result = job.results()[0]
            finally:
                job.stop()  # also when the caller leaves
        except faceinp.FaceinpError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise refusal(error) from error
        for picture in {picture for pair in result.views.values() for picture in pair}:
            picture.unlink()
        yield str(result.file), _facts(result)


def find(
    photo: str | None,
    find: Any = "damage",
    sensitivity: Any = 0.5,
    include: Any = None,
    aligned: Any = False,
    face: Any = 0,
    location: Any = None,
    turn: Any = "auto",
) -> tuple[str, dict[str, Any]]:
    """Find damage or occluders. Returns a mask, white where something was found, and facts about it."""
    with read_once(photo):
        try:
            if not photo:
                raise faceinp.PhotoError(NO_PHOTO)
            target = _find(find or "damage", sensitivity, include)
            proposal = faceinp.propose(photo, target, face=_face_location(location, aligned, face), turn=turn)
        except faceinp.FaceinpError as error:
            raise refusal(error) from error
    file = scratch() / f"{Path(photo).stem}-found.png"
    Image.fromarray(proposal.mask).save(file)
    height, width = proposal.mask.shape
    return str(file), {
        "find": target.name,
        "share": round(proposal.share, 6),
        "kinds": {kind: round(share, 6) for kind, share in proposal.shares.items()},
        "notes": [for_programs(note) for note in proposal.notes],
        "size": [width, height],
    }


def engines() -> list[dict[str, Any]]:
    """Every engine: its name, one line about it, whether it is ready here or what is missing, and seconds of a fill."""
    return [
        {
            "name": engine.name,
            "about": engine.about,
            "ready": engine.ready,
            "missing": for_programs(engine.missing),
            "seconds": round(filling.expected(engine.name), 3),
        }
        for engine in faceinp.list_engines()
    ]


def identity(first: str | None, second: str | None, aligned: Any = False) -> dict[str, Any]:
    """Whether two photos show one person: a likeness score, not evidence of identity."""
    with read_once(first, second):
        try:
            if not first or not second:
                raise faceinp.PhotoError("A comparison needs two photos: first and second.")
            verdict = faceinp.compare_faces(first, second, preload.judge(), aligned=aligned is True)
        except faceinp.FaceinpError as error:
            raise refusal(error) from error
    return {**asdict(verdict), "same": verdict.same, "about": "A likeness score, not evidence of identity."}


def _find(name: Any, sensitivity: Any, include: Any) -> faceinp.Find:
    """What to search for. Raises FaceinpError."""
    return faceinp.Find(name, sensitivity, () if include is None else include)


def _face_location(location: Any, aligned: Any, face: Any) -> faceinp.FaceLocation | None:
    """The face to fill; None for every face under the mask. Raises NoFaceError and EngineError."""
    _flag("aligned", aligned)
    if not isinstance(face, int) or isinstance(face, bool) or not 0 <= face <= 1000:
        raise faceinp.NoFaceError(f"face must be 0 (every face under the mask) or a number from 1, got {face!r:.80}.")
    if location is not None and (aligned or face):
        raise faceinp.NoFaceError("Specify the face only once: got location and face or aligned.")
    if location is not None:
        return faceinp.FaceLocation.from_json(location)
    if aligned:
        return faceinp.FaceLocation.aligned()
    return faceinp.FaceLocation.number(face) if face else None


def _points(landmarks: Any) -> NDArray[np.float32] | None:
    """The landmarks, float32 (68, 2) in photo pixels. Raises EngineError."""
    if landmarks is None:
        return None
    pairs = landmarks if isinstance(landmarks, list) and len(landmarks) == 68 else []
    numbers = [value for pair in pairs if isinstance(pair, list) and len(pair) == 2 for value in pair]
    if len(numbers) != 136 or not all(
        type(value) in (int, float) and abs(value) <= MAX_COORDINATE for value in numbers
    ):
        raise faceinp.EngineError(
            "landmarks must be 68 pairs [x, y] of numbers in photo pixels. Send those that a fill returned, moved or "
            "not, or leave them out."
        )
    return np.array(numbers, np.float32).reshape(68, 2)


def _flag(name: str, value: Any) -> bool:
    """The argument ``name``. Raises EngineError unless it is true or false."""
    if not isinstance(value, bool):
        raise faceinp.EngineError(f"{name} must be true or false, got {value!r:.80}.")
    return value


def _readable(photos: Sequence[str], name: str = "Reference {}") -> tuple[Path, ...]:
    """The files of other photos. Raises PhotoError for too many, and with ``name`` for one that cannot be read."""
    if len(photos) > MOST_REFERENCES:
        raise faceinp.PhotoError(f"Got {len(photos)} references; at most {MOST_REFERENCES} are allowed.")
    for number, photo in enumerate(photos, 1):
        try:
            faceinp.read_photo(photo)
        except faceinp.PhotoError as error:
            raise faceinp.PhotoError(f"{name.format(number)}: {error}") from error
    return tuple(map(Path, photos))


def _facts(result: FillResult) -> dict[str, Any]:
    """The facts about a fill, as ``docs/demo.md`` lists them."""
    return {
        "state": "done",
        "engine": result.engine,
        "runtime": result.runtime,
        "seed": result.seed,
        "size": list(result.size),
        "seconds": round(result.seconds, 3),
        "seam": round(result.seam, 3),
        "known_pixels": result.known_pixels,
        "changed_pixels": result.changed_pixels,
        "notes": [for_programs(note) for note in result.notes],
        "sources": {_source_name(code): round(share, 4) for code, share in result.shares.items()},
        "references": [
            {
                "share": use.share,
                "distance": use.distance,
                "refused": use.refused,
                "problem": for_programs(use.problem),
                "note": for_programs(use.note),
            }
            for _, use in result.references
        ],
        "faces": result.faces,
        "landmarks": None if result.landmarks is None else result.landmarks.tolist(),
        "identity": None if result.likeness is None else _identity(result.likeness),
        "no_judge": for_programs(result.no_judge),
    }


def _identity(likeness: faceinp.Likeness) -> dict[str, Any]:
    second, floor = likeness.second, likeness.second_floor
    return asdict(likeness) | {
        "second": second and asdict(second),
        "second_floor": floor and asdict(floor),
        "note": likeness.note,
    }


def _source_name(code: int) -> str:
    """The name of a source; references are counted from 1."""
    names = {pictures.ENGINE: "engine", pictures.SYMMETRY: "symmetry", pictures.SURROUNDINGS: "surroundings"}
    return names.get(code) or f"reference {code - pictures.REFERENCE + 1}"
