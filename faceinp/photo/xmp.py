"""XMP packets (ISO 16684-1): cleans the photo's own, and adds a description to it.

A packet is parsed as a stream and edited as text, so that a large one builds no tree, and the rest stays unchanged.
"""

import re
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
XAP = "http://ns.adobe.com/xap/1.0/"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
OURS = "urn:faceinp:1"
NOTE = "http://ns.adobe.com/xmp/note/"
# Properties that are wrong for an upright, filled photo: orientation, thumbnails, how it was created, and the pointer
# to an extended packet.
_DROPPED = {
    ("http://ns.adobe.com/tiff/1.0/", "Orientation"),
    (XAP, "Thumbnails"),
    (IPTC, "DigitalSourceType"),
    (NOTE, "HasExtendedXMP"),
}
# Namespaces of further pictures in the file or the packet: the photo before a camera's effects, depth and gain maps.
_PICTURES = {
    "http://ns.google.com/photos/1.0/image/",
    "http://ns.google.com/photos/1.0/depthmap/",
    "http://ns.google.com/photos/1.0/container/",
    "http://ns.adobe.com/hdr-gain-map/1.0/",
}
MAX_BYTES = 64 << 20
_SEPARATOR = "\n"  # never part of a namespace


class Packet:
    """A parsed packet. Raises ValueError for a damaged one, and for one with a document type.

    data: its text, UTF-8, without the dropped properties. start, end: where its descriptions are in ``data``. about:
    what they describe. pictures: whether pictures were dropped. has_tool: whether it names a creator tool.
    """

    def __init__(self, data: bytes) -> None:
        self._text = data[data.find(b"<") : data.rfind(b">") + 1]
        if not self._text or len(self._text) > MAX_BYTES:
            raise ValueError("no packet, or one that is too large")
        self.about, self.pictures, self.has_tool = "", False, False
        self._cuts: list[tuple[int, int]] = []
        self._depth = 0
        self._descriptions: tuple[int, int, int] | None = None  # the content of rdf:RDF: depth, start, end
        self._dropped: tuple[int, int] | None = None  # the element being dropped: depth, end of its start tag
        self._parse()
        self.data, self.start, self.end = self._cut()

    def _parse(self) -> None:
        self._parser = parser = expat.ParserCreate("UTF-8", _SEPARATOR)
        parser.namespace_prefixes = parser.ordered_attributes = True
        parser.StartElementHandler, parser.EndElementHandler = self._open, self._close
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            parser.Parse(self._text, True)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from error
        finally:
            del self._parser  # it holds on to this object
        if self._descriptions is None:
            raise ValueError("it has no descriptions")

    def _refuse(self, *_: Any) -> None:
        raise ValueError("it declares a document type")

    def _open(self, name: str, attributes: list[str]) -> None:
        self._depth += 1
        if self._dropped is not None:
            return
        start = self._parser.CurrentByteIndex
        tag = _match(_TAG, self._text, start)
        kind = _split(name)[:2]
        self.has_tool |= kind == (XAP, "CreatorTool")
        if self._drops(name):
            self._dropped = (self._depth, start + len(tag))
            self._cuts.append((start, start + len(tag)))
            return
        if kind == (RDF, "RDF") and self._descriptions is None and not tag.endswith(b"/>"):
            self._descriptions = (self._depth, start + len(tag), start + len(tag))
        for attribute, value in zip(attributes[::2], attributes[1::2], strict=True):
            space, local, prefix = _split(attribute)
            self.has_tool |= (space, local) == (XAP, "CreatorTool")
            if self._drops(attribute):
                self._cuts.append(_span(tag, start, f"{prefix}:{local}".encode()))
            elif kind == (RDF, "Description") and local == "about":
                self.about = value

    def _close(self, name: str) -> None:
        position = self._parser.CurrentByteIndex
        if self._dropped is not None and self._dropped[0] == self._depth:
            start, end = self._cuts[-1]
            if not self._text[start:end].endswith(b"/>"):  # an empty element has a single tag
                self._cuts[-1] = (start, position + len(_match(_TAG, self._text, position)))
            self._dropped = None
        elif self._descriptions is not None and (self._depth, self._descriptions[1]) == self._descriptions[::2]:
            self._descriptions = (self._depth, self._descriptions[1], position)
        self._depth -= 1

    def _drops(self, name: str) -> bool:
        space, local, prefix = _split(name)
        self.pictures |= space in _PICTURES
        # Pillow applies any property spelt so as the orientation, whatever its namespace.
        turn = (prefix, local) == ("tiff", "Orientation")
        return turn or (space, local) in _DROPPED or space in _PICTURES or space == OURS

    def _cut(self) -> tuple[bytes, int, int]:
        """The text without its cuts, and where its descriptions begin and end."""
        _, start, end = self._descriptions or (0, 0, 0)
        parts, at = [], 0
        for first, last in sorted(self._cuts):
            parts.append(self._text[at:first])
            at = last
        lost = [sum(last - first for first, last in self._cuts if last <= offset) for offset in (start, end)]
        return b"".join([*parts, self._text[at:]]), start - lost[0], end - lost[1]


def joined(packet: Packet, more: bytes) -> Packet:
    """``packet`` with the descriptions of a second one, ``more``, such as a JPEG's extended XMP. Raises ValueError."""
    other = Packet(more)
    return Packet(packet.data[: packet.end] + other.data[other.start : other.end] + packet.data[packet.end :])


def with_description(packet: bytes, properties: dict[str, str]) -> bytes:
    """``packet`` with one more description; a new packet where it is empty.

    packet: a ``Packet.data``. properties: texts by name; a name's prefix is Iptc4xmpExt, xmp, xmpNote or faceinp.
    """
    read = Packet(packet or _EMPTY)
    if read.has_tool:  # keep the tool that created the photo
        properties = {name: text for name, text in properties.items() if name != "xmp:CreatorTool"}
    return read.data[: read.end] + _description(read.about, properties) + read.data[read.end :]


_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{RDF}"></rdf:RDF>\n</x:xmpmeta><?xpacket end="r"?>'
).encode()


def _description(about: str, properties: dict[str, str]) -> bytes:
    spaces = {"rdf": RDF, "Iptc4xmpExt": IPTC, "xmp": XAP, "xmpNote": NOTE, "faceinp": OURS}
    names = [f"xmlns:{prefix}={quoteattr(space)}" for prefix, space in spaces.items()]
    names += [f"rdf:about={quoteattr(about)}", *(f"{name}={quoteattr(text)}" for name, text in properties.items())]
    return f"<rdf:Description {' '.join(names)}/>".encode()


def _split(name: str) -> tuple[str, str, str]:
    """Namespace, local name and prefix of a name as expat gives it."""
    space, local, prefix, *_ = [*name.split(_SEPARATOR), "", ""] if _SEPARATOR in name else ["", name, ""]
    return space, local, prefix


_TAG = re.compile(rb"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_ATTRIBUTE = re.compile(rb"\s+([^\s=]+)\s*=\s*(?:\"[^\"]*\"|'[^']*')")


def _match(pattern: re.Pattern[bytes], text: bytes, start: int) -> bytes:
    match = pattern.match(text, start)
    if match is None:
        raise ValueError("a tag has no end")
    return match[0]


def _span(tag: bytes, start: int, name: bytes) -> tuple[int, int]:
    """Where an attribute of the tag at ``start`` is in the text, with the space before it."""
    for match in _ATTRIBUTE.finditer(tag):
        if match[1] == name:
            return start + match.start(), start + match.end()
    raise ValueError("an attribute cannot be found")
