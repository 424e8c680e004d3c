"""The option ``find=`` of a fill: a proposal by name, used as the mask."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from faceinp.errors import FaceinpError
from faceinp.face.face_location import FaceLocation
from faceinp.face.faces import Face
from faceinp.face.heads import Turn
from faceinp.find import network
from faceinp.find.damage import check_include, find_damage
from faceinp.find.occluders import Occluders, iterate_occluders
from faceinp.find.proposal import Proposal, check_sensitivity
from faceinp.models import weights
from faceinp.photo.photos import PhotoSource

OCCLUDERS = {  # the kinds of occluders that each name means
    "glasses": ("glasses",),
    "protective-mask": ("protective-mask",),
    "occluders": Occluders.KINDS,
}
NAMES = ("damage", *OCCLUDERS)


@dataclass(frozen=True)
class Find:
    """What to find.

    name: one of NAMES. sensitivity, include: as for ``find_damage``; include only for damage. Raises FaceinpError for
    unknown names and values out of range.
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
            raise FaceinpError(f"include applies only to find='damage', not to {self.name}. Leave it out.")

    @property
    def weights(self) -> str:
        """The name of the network's weights."""
        return "damage" if self.name == "damage" else "occluders"

    def load(self) -> None:
        """Load the network in advance. Raises WeightsError where the weights are damaged, or missing and needed."""
        if self.name != "damage" or not weights.missing(self.weights):  # without the network, filters find damage
            network.load(self.weights)


def propose(
    photo: PhotoSource, find: str | Find, *, face: FaceLocation | Face | None = None, turn: Turn = "auto"
) -> Proposal:
    """One proposal for ``find``: damage, or the occluders of all faces of ``photo``.

    photo, face, turn: as for ``fill``; damage does not depend on face and turn. Raises as ``find_damage`` and
    ``find_occluders`` do.
    """
    find = find if isinstance(find, Find) else Find(find)
    if find.name == "damage":
        return find_damage(photo, sensitivity=find.sensitivity, include=find.include)
    return join(iterate_occluders(photo, face, turn), find.name, find.sensitivity)


def join(proposals: Iterable[Occluders], name: str, sensitivity: float = 0.5) -> Occluders:
    """The occluders of several faces, of the kinds that ``name`` means, as one proposal.

    proposals: one or more, of one photo. The confidence of each is dilated, by what blending needs at that face's size.
    """
    each, wanted = iter(proposals), OCCLUDERS[name]
    first = next(each)
    (confidence, likely), faces, lasting = first.spread(wanted), [*first.faces], [*first.lasting]
    for one in each:
        own, kinds = one.spread(wanted)
        likely = np.where(own > confidence, kinds, likely)
        confidence = np.maximum(confidence, own)
        faces += one.faces
        lasting += one.lasting
    subject = name.replace("-", " ")
    whole = Occluders(
        likely > 0,
        confidence,
        likely,
        subject=subject,
        likely=likely,
        lasting=tuple(dict.fromkeys(lasting)),
        faces=tuple(faces),
    )
    return whole.at(sensitivity)
