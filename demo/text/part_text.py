"""The texts of "Redo one part"."""

from collections.abc import Sequence

from ..images import pictures
from ..images.result_parts import Parts
from .strings import source

PART = "Redo one part"
PARTS = "The filled parts"
WHICH_PART = "Which part? Click it, or choose its number."
PART_SOURCE = "Fill it with"
FILL_PART = "Fill this part again"
SMALL_PARTS = "all small ones"
PART_SOURCES = {
    "other half": "the other half of the face",
    "photos": "another photo of the person",
    "anew": "something newly invented",
    "put back": "your original photo",
}
SURROUNDINGS_AGAIN = "its surroundings again"
PART_NOW = "Now: {}."
PART_NOW_MOSTLY = "Now: mostly {}."
PART_FILLED = "The part was filled again. Nothing else changed, and the earlier result is kept."
PART_RESTORED = "The part shows your original photo again. The earlier result is kept."
SHOW_EARLIER = "Show the earlier result"
SHOW_NEWER = "Show the newer result"
EARLIER_SHOWN = "This is the earlier result. The newer one is kept as well."
NEWER_SHOWN = "This is the newer result. The earlier one is kept as well."
SOURCE_DOES_NOT_FIT = {
    "other half": "The other half of the face does not fit here, so the part was invented. “Details” says why.",
    "photos": "No other photo fits here, so the part was invented. “Details” says why.",
}
SAME_AGAIN = "The part came out the same as before: {}."
SAME_BECAUSE = {  # by its source
    pictures.ENGINE: "this engine makes only one picture. Choose another engine, or change the expression, under “Not "
    "right yet?”",
    pictures.SYMMETRY: "it already showed the other half of the face",
    pictures.SURROUNDINGS: "its surroundings can be continued in only one way",
    pictures.REFERENCE: "it already showed another photo of the person",
}


def part_label(number: int, parts: Parts) -> str:
    """The label of a part where it is chosen."""
    return SMALL_PARTS if parts.small and number == parts.count else str(number)


def part_source(choice: str, *, on_face: bool) -> str:
    """The label of a source that a part can be filled from."""
    return SURROUNDINGS_AGAIN if choice == "anew" and not on_face else PART_SOURCES[choice]


def part_now(codes: Sequence[int], names: Sequence[str]) -> str:
    """What a part shows now. codes: its sources, as in ``result_parts.Parts``. names: of the reference photos."""
    if not codes:
        return ""
    return (PART_NOW if len(codes) == 1 else PART_NOW_MOSTLY).format(source(codes[0], names))


def same_again(codes: Sequence[int]) -> str:
    """That a part came out as before, and why. codes: its sources, as in ``result_parts.Parts``."""
    return SAME_AGAIN.format(SAME_BECAUSE[min(codes[0], pictures.REFERENCE) if codes else pictures.ENGINE])


def part_caption(number: int, parts: Parts, *, restored: bool) -> str:
    """The caption of a result in which one part was filled again, or restored from the photo."""
    verb = "restored" if restored else "filled again"
    if parts.count == 1:
        return verb
    name = "small parts" if parts.small and number == parts.count else f"part {number}"
    return f"{name} {verb}"
