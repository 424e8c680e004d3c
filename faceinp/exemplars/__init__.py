"""Exemplars: real pixels of the person in place of invented ones, from the face's other half or from other photos.

``step.py`` is the step of the pipeline. It makes exemplars (``exemplar.py``, ``references.py`` with ``check.py``), lays
each over the photo's face (``warp.py``, ``gaze.py``), says how surely it is right there (``match.py``), and joins its
pixels to what the engine drew (``transfer.py``).
"""

from faceinp.exemplars.references import listed as list_references
from faceinp.exemplars.references import nearest_face
from faceinp.exemplars.references import read as read_reference
from faceinp.exemplars.references import unused as unused_reference
from faceinp.exemplars.sources import (
    ENGINE,
    KNOWN,
    MAX_REFERENCES,
    REFERENCE,
    SURROUNDINGS,
    SYMMETRY,
    Reference,
    photo_digest,
    same_photo,
)
from faceinp.exemplars.step import Outcome, Step

__all__ = [
    "ENGINE",
    "KNOWN",
    "MAX_REFERENCES",
    "REFERENCE",
    "SURROUNDINGS",
    "SYMMETRY",
    "Outcome",
    "Reference",
    "Step",
    "list_references",
    "nearest_face",
    "photo_digest",
    "read_reference",
    "same_photo",
    "unused_reference",
]
