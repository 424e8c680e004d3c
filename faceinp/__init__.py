"""faceinp fills in missing parts of faces and says how much the result is still the same person.

>>> import faceinp
>>> result = faceinp.fill("photo.jpg", "mask.png")
>>> result.save("out.png")

Importing this package imports nothing heavy; each public name is fetched when first used.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {  # name: module, or module:attribute where it has another name there
    "fill": "faceinp.pipeline",
    "fill_many": "faceinp.pipeline",
    "Result": "faceinp.pipeline",
    "load_engine": "faceinp.engines.base",
    "list_engines": "faceinp.engines.base",
    "Engine": "faceinp.engines.base",
    "Photo": "faceinp.photo",
    "read_photo": "faceinp.photo:read",
    "Mask": "faceinp.masks",
    "read_mask": "faceinp.masks:read",
    "make_preset": "faceinp.presets:for_photo",
    "list_presets": "faceinp.presets:listed",
    "Face": "faceinp.faces",
    "find_faces": "faceinp.faces",
    "load_judge": "faceinp.identity:load",
    "compare_faces": "faceinp.identity:compare",
    "Judge": "faceinp.identity",
    "Verdict": "faceinp.identity",
    "judge_fill": "faceinp.likeness",
    "Likeness": "faceinp.likeness",
    "weights_folder": "faceinp.weights:folder",
    "upload_folder": "faceinp.hub",
    "FaceinpError": "faceinp.errors",
    "PhotoError": "faceinp.errors",
    "MaskError": "faceinp.errors",
    "NoFaceError": "faceinp.errors",
    "EngineError": "faceinp.errors",
    "MissingPackageError": "faceinp.errors",
    "WeightsError": "faceinp.errors",
    "DataError": "faceinp.errors",
    "Cancelled": "faceinp.errors",
}
__all__ = ["__version__", *_PUBLIC]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'faceinp' has no attribute {name!r}")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(importlib.import_module(module), attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
