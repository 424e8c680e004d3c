"""What a filled photo's file says of how its picture came about."""

from dataclasses import dataclass

# IPTC's term for a picture of which a part was made by a trained network. It is written for every engine: a label too
# many misleads nobody.
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


_WARNING = "A part of this picture was filled in by a program: it does not show what was there."


def is_ours(word: str, text: str) -> bool:
    """Whether a PNG's text is what an earlier fill wrote."""
    return word.startswith("faceinp:") or text.startswith("faceinp ") or text in (_WARNING, DIGITAL_SOURCE_TYPE)


@dataclass(frozen=True)
class Provenance:
    """How a picture came about.

    references: how many reference photos it was filled from; which ones is not written, as their names may be names of
    people.
    """

    engine: str
    runtime: str
    seed: int
    version: str
    references: int = 0

    @property
    def text(self) -> dict[str, str]:
        """Keywords and texts, for PNG."""
        return {
            "Software": self._tool,
            "Comment": _WARNING,
            "DigitalSourceType": DIGITAL_SOURCE_TYPE,
            **self._own,
        }

    @property
    def properties(self) -> dict[str, str]:
        """Properties of XMP and their texts, as ``xmp.with_description`` takes them."""
        return {"Iptc4xmpExt:DigitalSourceType": DIGITAL_SOURCE_TYPE, "xmp:CreatorTool": self._tool, **self._own}

    @property
    def _tool(self) -> str:
        return f"faceinp {self.version}"

    @property
    def _own(self) -> dict[str, str]:
        return {
            "faceinp:engine": self.engine,
            "faceinp:runtime": self.runtime,
            "faceinp:seed": str(self.seed),
            "faceinp:version": self.version,
            "faceinp:references": str(self.references),
        }
