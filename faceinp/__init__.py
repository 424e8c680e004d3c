"""faceinp fills in missing parts of faces and says how much the result is still the same person.

>>> import faceinp
>>> result = faceinp.fill("photo.jpg", "mask.png")
>>> result.save("out.png")

Importing this package imports nothing heavy; each public name is fetched when first used.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faceinp.engines.base import Engine, Needs, Progress
    from faceinp.engines.loading import Status as EngineStatus
    from faceinp.engines.loading import list_engines, load_engine
    from faceinp.errors import (
        Cancelled,
        DataError,
        EngineError,
        FaceinpError,
        MaskError,
        MissingPackageError,
        NoFaceError,
        NothingFoundError,
        PhotoError,
        WeightsError,
    )
    from faceinp.exemplars.sources import Reference
    from faceinp.face.detection import find_faces
    from faceinp.face.face_location import FaceLocation
    from faceinp.face.faces import Crop, Face
    from faceinp.find import Damage, Find, Occluders, Proposal, find_damage, find_occluders, propose
    from faceinp.identity import Judge, Verdict
    from faceinp.identity import compare as compare_faces
    from faceinp.identity import load as load_judge
    from faceinp.identity.fill_score import Likeness, judge_fill
    from faceinp.mask.masks import Mask, MaskSource
    from faceinp.mask.masks import read as read_mask
    from faceinp.mask.photo_presets import make_preset
    from faceinp.mask.presets import list_presets
    from faceinp.models.hub import upload_folder
    from faceinp.models.weights import folder as weights_folder
    from faceinp.photo.photos import Photo, PhotoSource
    from faceinp.photo.photos import read as read_photo
    from faceinp.pipeline import Job, fill, fill_many
    from faceinp.result import FilledFace, Result

# Turns off onnxruntime's telemetry, which must happen before it is imported. Set the variable to 0 to allow it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.2.0"

__all__ = [
    "Cancelled",
    "Crop",
    "Damage",
    "DataError",
    "Engine",
    "EngineError",
    "EngineStatus",
    "Face",
    "FaceLocation",
    "FaceinpError",
    "FilledFace",
    "Find",
    "Job",
    "Judge",
    "Likeness",
    "Mask",
    "MaskError",
    "MaskSource",
    "MissingPackageError",
    "Needs",
    "NoFaceError",
    "NothingFoundError",
    "Occluders",
    "Photo",
    "PhotoError",
    "PhotoSource",
    "Progress",
    "Proposal",
    "Reference",
    "Result",
    "Verdict",
    "WeightsError",
    "__version__",
    "compare_faces",
    "fill",
    "fill_many",
    "find_damage",
    "find_faces",
    "find_occluders",
    "judge_fill",
    "list_engines",
    "list_presets",
    "load_engine",
    "load_judge",
    "make_preset",
    "propose",
    "read_mask",
    "read_photo",
    "upload_folder",
    "weights_folder",
]

# The public names by the module that defines them, and module:attribute of those that have another name there.
_BY_MODULE = {
    "engines.base": ("Engine", "Needs", "Progress"),
    "engines.loading": ("list_engines", "load_engine"),
    "errors": (
        *("Cancelled", "DataError", "EngineError", "FaceinpError", "MaskError", "MissingPackageError", "NoFaceError"),
        *("NothingFoundError", "PhotoError", "WeightsError"),
    ),
    "exemplars.sources": ("Reference",),
    "face.detection": ("find_faces",),
    "face.face_location": ("FaceLocation",),
    "face.faces": ("Crop", "Face"),
    "find": ("Damage", "Find", "Occluders", "Proposal", "find_damage", "find_occluders", "propose"),
    "identity": ("Judge", "Verdict"),
    "identity.fill_score": ("Likeness", "judge_fill"),
    "mask.masks": ("Mask", "MaskSource"),
    "mask.photo_presets": ("make_preset",),
    "mask.presets": ("list_presets",),
    "models.hub": ("upload_folder",),
    "photo.photos": ("Photo", "PhotoSource"),
    "pipeline": ("Job", "fill", "fill_many"),
    "result": ("FilledFace", "Result"),
}
_PUBLIC = {name: f"faceinp.{module}" for module, names in _BY_MODULE.items() for name in names} | {
    "EngineStatus": "faceinp.engines.loading:Status",
    "compare_faces": "faceinp.identity:compare",
    "load_judge": "faceinp.identity:load",
    "read_mask": "faceinp.mask.masks:read",
    "read_photo": "faceinp.photo.photos:read",
    "weights_folder": "faceinp.models.weights:folder",
}


def _find_in_checkout() -> None:
    """Make faceinp.demo and faceinp.export importable in a checkout, where they lie beside this package; the wheel
    contains them inside of it.
    """
    folder = os.path.dirname(__file__)
    beside = os.path.dirname(folder)
    if os.path.isfile(os.path.join(folder, "export", "__init__.py")):
        return
    try:
        with open(os.path.join(beside, "pyproject.toml"), "rb") as project:
            if b'name = "faceinp"' in project.read():  # not the project of someone who copied this package
                __path__.append(beside)
    except OSError:
        pass


_find_in_checkout()

if not TYPE_CHECKING:  # with a __getattr__, a type checker accepts any name

    def __getattr__(name: str) -> Any:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'faceinp' has no attribute {name!r}")
        module, _, attribute = _PUBLIC[name].partition(":")
        return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
