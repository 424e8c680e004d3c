"""What ``find=`` of a fill stands for: a proposal by its name, taken as the mask."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from faceinp.errors import FaceinpError
from faceinp.face.face_location import FaceLocation
from faceinp.face.faces import Face
from faceinp.face.heads import Turn
from faceinp.find import network
from faceinp.find.damage import check_include, find_damage
from faceinp.find.occluders import Occluders, of_each_face
from faceinp.find.proposal import Proposal, check_sensitivity
from faceinp.models import weights

OCCLUDERS = {  # of each name of what hides faces, the kinds that it stands for
    "glasses": ("glasses",),
    "protective-mask": ("protective-mask",),
    "occluders": Occluders.KINDS,
}
NAMES = ("damage", *OCCLUDERS)


@dataclass(frozen=True)
class Find:
    """What is looked for: one of NAMES; sensitivity and, for damage, include: as for ``find_damage``.

    Raises FaceinpError for what there is not.
    """

    name: str
    sensitivity: float = 0.5
    include: Collection[str] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in NAMES:
            raise FaceinpError(f"find={self.name!r:.80} is unknown. Choose one of: {', '.join(NAMES)}.")
        check_sensitivity(self.sensitivity)
        object.__setattr__(self, "include", check_include(self.include))
        if self.include and self.name != "damage":
            raise FaceinpError(f"include belongs to damage, not to {self.name}. Leave it out.")

    @property
    def weights(self) -> str:
        """The name of the weights that look for it."""
        return "damage" if self.name == "damage" else "occluders"

    def load(self) -> None:
        """Load the network beforehand. Raises WeightsError where it is needed, and missing, or damaged."""
        if self.name != "damage" or not weights.missing(self.weights):  # damage can be found without
            network.load(self.weights)


def propose(photo: Any, find: str | Find, *, face: FaceLocation | Face | None = None, turn: Turn = "auto") -> Proposal:
    """The proposal that ``find`` stands for: damage, or what hides the faces of ``photo``, all of them as one.

    photo, face, turn: as for ``fill``; damage does not depend on face and turn. Raises what ``find_damage`` and
    ``find_occluders`` raise.
    """
    find = find if isinstance(find, Find) else Find(find)
    if find.name == "damage":
        return find_damage(photo, sensitivity=find.sensitivity, include=find.include)
    return joined(of_each_face(photo, face, turn), find.name, find.sensitivity)


def joined(found: Iterable[Occluders], name: str, sensitivity: float = 0.5) -> Occluders:
    """What hides any of the faces, of the kinds that ``name`` stands for, as one proposal.

    Its confidence is grown: each face's by what blending needs there.
    found: one or more, of one photo.
    """
    each, wanted = iter(found), OCCLUDERS[name]
    first = next(each)
    (confidence, likely), faces = first.spread(wanted), [*first.faces]
    for one in each:
        own, kinds = one.spread(wanted)
        likely = np.where(own > confidence, kinds, likely)
        confidence = np.maximum(confidence, own)
        faces += one.faces
    subject = name.replace("-", " ")
    whole = Occluders(likely > 0, confidence, likely, subject=subject, likely=likely, faces=tuple(faces))
    return whole.at(sensitivity)
