"""Replace generated pixels by real pixels of the person, from the other half of the face or from reference photos.

``real_pixels`` is the pipeline's step for all faces, ``step`` that for one face. ``exemplar`` and ``references`` make
exemplars; ``check`` rejects reference photos of other people. ``match`` aligns an exemplar and scores each pixel:
``warp`` is the geometric map, ``gaze`` shifts a mirrored iris, ``light`` matches colours, ``features`` masks parts of a
face, ``fields`` has operations on maps. ``transfer`` puts the pixels into the photo; ``sources`` says where pixels come
from.
"""
