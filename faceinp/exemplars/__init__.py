"""Replace generated pixels by real pixels of the person, from the other half of the face or from reference photos.

``real_pixels`` is the pipeline's step for all faces, ``step`` that for one face. ``exemplar`` and ``references`` make
exemplars; ``check`` rejects reference photos of other people. ``match`` aligns an exemplar and scores each pixel:
``warp`` is the geometric map, ``gaze`` shifts a mirrored iris, ``light`` matches colours, ``features`` masks parts of a
face, ``fields`` has operations on maps. ``transfer`` puts the pixels into the photo; ``sources`` and ``notes`` report
where pixels come from.
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
from faceinp.exemplars.step import Step

__all__ = [
    "ENGINE",
    "KNOWN",
    "MAX_REFERENCES",
    "REFERENCE",
    "SURROUNDINGS",
    "SYMMETRY",
    "Reference",
    "Step",
    "list_references",
    "nearest_face",
    "photo_digest",
    "read_reference",
    "same_photo",
    "unused_reference",
]
