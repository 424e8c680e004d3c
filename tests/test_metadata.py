"""What a file says of its photo goes into the filled one's, whatever the two formats are, or it is said to be lost."""

import io
import re
import struct
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_files import FACE, HEIGHT, HOLE, OUTPUTS, WIDTH, chunk, opened, saved
from photo_parts import IPTC, MAKER, THUMBNAIL, XMP, exif_block, extended, segment, source, tiff, with_segments
from PIL import Image

from faceinp.photo import exif, metadata, photos, saving, xmp
from faceinp.photo.provenance import DIGITAL_SOURCE_TYPE, Provenance
from faceinp.photo.tiff import Builder, Tiff

SOURCES = ("JPEG", "PNG", "WEBP", "TIFF")
ABOUT = Provenance("telea", "cv2", 7, "1.2.3")


def written(photo: photos.Photo, format: str, provenance: Provenance | None = ABOUT) -> bytes:
    return saving.encode(photo, photo.pixels, HOLE.T if photo.height != HEIGHT else HOLE, format, provenance)


def packet_of(data: bytes) -> str:
    image = opened(data)
    packet = image.info.get("xmp") or image.tag_v2[700]
    return packet if isinstance(packet, str) else packet.decode()


def properties(packet: str) -> dict[str, list[str]]:
    """Attributes and elements of all descriptions, by their local names, as another parser sees them."""
    values: dict[str, list[str]] = {}
    body = packet.partition("?>")[2].rpartition("<?")[0] if packet.startswith("<?xpacket") else packet
    for node in ElementTree.fromstring(body.strip()).iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description"):
        for name, value in node.items():
            values.setdefault(name.partition("}")[2], []).append(value)
        for child in node:
            values.setdefault(child.tag.partition("}")[2], []).append("".join(child.itertext()).strip())
    return values


def dpi_of(data: bytes, format: str) -> tuple[float, ...]:
    image = opened(data)
    if format == "webp":
        tags = image.getexif()
        assert tags[296] == 2
        return float(tags[282]), float(tags[283])
    return tuple(image.info["dpi"])


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("format", SOURCES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_everything_survives_from_every_format_in_every_other(order: str, format: str, output: str) -> None:
    photo = photos.read(source(format, order=order))
    assert photo.notes == ()
    data = written(photo, output)
    assert photos.read(data).notes == ()
    image = opened(data)
    tags = image.getexif()
    assert (tags[271], tags[33432], tags[306]) == ("Kodak", "(c) grandma", "2001:01:02 03:04:05")
    if format != "TIFF":
        assert tags.get_ifd(34665)[36867] == "1999:01:02 03:04:05"
        assert tags.get_ifd(34665)[37500] == MAKER
        assert tags.get_ifd(34853) == {1: "N", 2: (48, 12, 30), 3: "E", 4: (11, 33, 1)}
    assert dpi_of(data, output) == pytest.approx((600, 600) if format == "WEBP" else (600, 300), abs=0.02)
    assert image.info["icc_profile"] == photo.icc is not None
    read = properties(packet_of(data))
    assert read["title"] == ["Grandmother & I"] and read["source"] == ['an album, "1962"']
    assert read["DigitalSourceType"] == [DIGITAL_SOURCE_TYPE]
    assert set(read["about"]) == {"uuid:7"} and read["seed"] == ["7"]
    if format in ("JPEG", "TIFF"):
        assert photo.metadata.iptc == IPTC
        kept = {
            "jpg": image.info.get("photoshop", {}).get(0x0404),
            "tif": getattr(image, "tag_v2", {}).get(33723),
            "png": photos.read(data).metadata.iptc,
        }
        said = any("IPTC" in loss for loss in saving.losses(photo, output))
        assert said if output == "webp" else kept[output] == IPTC and not said


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("format", SOURCES)
@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_a_photo_is_turned_once_and_its_thumbnail_goes(format: str, output: str, orientation: int) -> None:
    photo = photos.read(source(format, orientation=orientation))
    assert photo.orientation == orientation
    turned = orientation > 4
    assert photo.pixels.shape[:2] == ((WIDTH, HEIGHT) if turned else (HEIGHT, WIDTH))
    data = written(photo, output)
    image = opened(data)
    assert image.size == (photo.width, photo.height)
    assert 274 not in image.getexif()
    assert "Orientation" not in packet_of(data) and "Thumbnails" not in packet_of(data)
    assert THUMBNAIL not in data and THUMBNAIL[-40:] not in data
    again = photos.read(data)
    assert again.orientation == 1 and again.pixels.shape == photo.pixels.shape
    if format != "WEBP":
        assert dpi_of(data, output) == pytest.approx((300, 600) if turned else (600, 300), abs=0.02)
    if format != "TIFF":
        shot = image.getexif().get_ifd(34665)
        assert (shot[40962], shot[40963]) == image.size


@pytest.mark.parametrize("output", OUTPUTS)
def test_makers_notes_stay_where_their_offsets_say(output: str) -> None:
    block = exif_block("<")
    photo = photos.read(with_segments(saved(Image.fromarray(FACE), "JPEG"), segment(0xE1, b"Exif\0\0" + block)))
    data = written(photo, output)
    start = 0 if output == "tif" else data.index(b"Exif\0\0") + 6 if output == "jpg" else data.index(b"II*\0")
    at = block.index(MAKER)
    assert data[start + at : start + at + len(MAKER)] == MAKER


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_is_as_another_program_wants_it(order: str) -> None:
    data = written(photos.read(source("JPEG", order=order)), "tif")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        assert file.byteorder == order and len(file.pages) == 1
        assert np.array_equal(page.asarray()[~HOLE], photos.read(source("JPEG")).pixels[~HOLE])
        assert list(page.tags.keys()) == sorted(page.tags.keys())
        assert page.tags[34665].value["MakerNote"] == MAKER
        assert page.tags[34853].value["GPSLatitude"] == (48, 1, 12, 1, 30, 1)


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_second_fill_says_everything_once(output: str) -> None:
    first = photos.read(written(photos.read(source("JPEG")), output))
    second = Provenance("mirror", "numpy", 8, "2.0.0", references=1)
    for format in OUTPUTS:
        data = written(first, format, second)
        read = properties(packet_of(data))
        assert (read["engine"], read["seed"], read["references"]) == (["mirror"], ["8"], ["1"])
        assert read["DigitalSourceType"] == [DIGITAL_SOURCE_TYPE] and len(read["CreatorTool"]) == 1
        if format == "png":
            assert data.count(b"faceinp:engine\0") == data.count(b"DigitalSourceType\0") == 1
        assert not any("Software" in loss for loss in saving.losses(first, format))


@pytest.mark.parametrize("output", OUTPUTS)
def test_xmp_of_any_size_is_kept(output: str) -> None:
    """JPEG holds 64 KB in a segment; what is longer stands in several, of which other programs read the first."""
    long = "".join(f"<rdf:li>{number}</rdf:li>" for number in range(20_000))
    more = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="uuid:7" xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">'
        f"<photoshop:DocumentAncestors><rdf:Bag>{long}</rdf:Bag></photoshop:DocumentAncestors></rdf:Description>"
        "</rdf:RDF></x:xmpmeta>"
    ).encode()
    data = with_segments(source("JPEG"), *extended(more))
    photo = photos.read(data)
    assert photo.notes == () and photo.metadata.xmp.count(b"<rdf:li>") == 20_000
    again = photos.read(written(photo, output))
    assert again.notes == ()
    read = properties(again.metadata.xmp.decode())
    assert len(read["DocumentAncestors"][0]) > 20_000 and read["title"] == ["Grandmother & I"]
    broken = [*extended(more)[1:]]  # one piece is missing
    photo = photos.read(with_segments(source("JPEG"), *broken))
    assert any("extended XMP" in note for note in photo.notes)
    assert properties(packet_of(written(photo, output)))["title"] == ["Grandmother & I"]


DAMAGED = {
    "exif of no kind": ({"exif": b"Exif\0\0no exif at all"}, "EXIF"),
    "exif cut": ({"exif": b"Exif\0\0" + exif_block()[:40]}, "EXIF"),
    "exif in a circle": ({"exif": b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"}, ""),
    "xmp cut": ({"xmp": XMP.format(orientation=1).encode()[:400]}, "XMP"),
    "xmp of no kind": ({"xmp": b"hello"}, "XMP"),
    "xmp with entities": (
        {"xmp": b'<!DOCTYPE a [<!ENTITY b "c">]><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/>'},
        "XMP",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
@pytest.mark.parametrize("output", OUTPUTS)
def test_damaged_metadata_costs_itself_and_is_said(case: str, output: str) -> None:
    options, lost = DAMAGED[case]
    photo = photos.read(saved(Image.fromarray(FACE), "JPEG", **options))
    assert [lost in note for note in photo.notes] == ([True] if lost else [])
    read = properties(packet_of(written(photo, output)))
    assert read["DigitalSourceType"] == [DIGITAL_SOURCE_TYPE]


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_no_damage_to_metadata_costs_a_photo_or_a_result(data: st.DataObject) -> None:
    block, packet = bytearray(exif_block(orientation=6, dpi=300)), bytearray(XMP.format(orientation=6).encode())
    for part in (block, packet):
        for _ in range(data.draw(st.integers(0, 4))):
            part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    tiny = saved(Image.fromarray(FACE[:8, :8]), "PNG")
    texts = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)
    photo = photos.read(tiny[:33] + chunk(b"eXIf", bytes(block)) + texts + tiny[33:])
    for output in OUTPUTS:
        again = photos.read(saving.encode(photo, photo.pixels, np.zeros((8, 8), bool), output, ABOUT))
        assert again.orientation == 1 and set(again.notes) <= set(photo.notes)


def test_directories_that_would_fill_memory_are_refused() -> None:
    """Many entries that all point to the whole file, and directories that point to one another."""
    rows = b"".join(struct.pack("<HHII", number, 1, 60_000, 8) for number in range(1000, 3000))
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 2000) + rows + bytes(60_000)
    with pytest.raises(ValueError, match="more values than"):
        Tiff(block).directory(8)
    count = 1000
    entry = struct.pack("<HHII", 330, 4, count, 26)
    own = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4) + struct.pack("<I", 8) * count
    tiff_ = Tiff(own)
    builder = Builder("<")
    builder.copy(tiff_, tiff_.directory(8)[0])
    assert len(builder.finish([])) < 10 * len(own)


def test_pictures_of_the_unfilled_photo_leave_the_packet() -> None:
    space = "http://ns.google.com/photos/1.0/image/"
    packet = XMP.format(orientation=1).replace("<dc:title>", f'<g:Data xmlns:g="{space}">AAAA</g:Data><dc:title>')
    photo = photos.read(saved(Image.fromarray(FACE), "JPEG", xmp=packet.encode()))
    assert any("shows the unfilled photo" in note for note in photo.notes)
    data = written(photo, "png")
    assert b"AAAA" not in data and properties(packet_of(data))["title"] == ["Grandmother & I"]


def test_the_rest_of_a_packet_stays_as_it_was() -> None:
    text = XMP.format(orientation=6)
    kept = xmp.Packet(text.encode()).data.decode()
    for gone in (r'\s+tiff:Orientation="6"', r"<xmp:Thumbnails>.*</xmp:Thumbnails>", r"<i:Digital.*</i:[^>]*>"):
        text = re.sub(gone, "", text, flags=re.DOTALL)
    assert kept == text


@pytest.mark.parametrize("output", ["png", "jpg"])
def test_texts_and_comments_are_kept_or_said_to_be_lost(output: str) -> None:
    photo = photos.read(with_segments(saved(Image.fromarray(FACE), "JPEG"), segment(0xFE, b"found in the attic")))
    image = opened(written(photo, output, None))
    assert (image.text["Comment"] if output == "png" else image.info["comment"].decode()) == "found in the attic"
    assert saving.losses(photo, output) == ()
    for other in ("webp", "tif"):
        (loss,) = saving.losses(photo, other)
        assert "Comment" in loss and "PNG" in loss


def test_exif_too_large_for_a_jpeg_is_said_to_be_lost() -> None:
    large = Builder("<").finish([{271: Builder("<").longs([1] * 20_000)}])
    photo = photos.read(saved(Image.fromarray(FACE), "PNG", exif=b"Exif\0\0" + large))
    (loss,) = saving.losses(photo, "jpg")
    assert "too large for a JPEG" in loss
    assert "exif" not in opened(written(photo, "jpg")).info
    assert opened(written(photo, "png")).info["exif"].endswith(large)
    assert saving.losses(photo, "png") == saving.losses(photo, "webp") == saving.losses(photo, "tif") == ()


def test_depth_that_is_lost_is_said() -> None:
    photo = photos.read(tiff(FACE.astype(np.uint16) * 257))
    assert saving.losses(photo, "png")[1:] == ()
    for format in ("webp", "jpg"):
        assert any("8 bits" in loss for loss in saving.losses(photo, format))


def test_a_gamma_that_no_profile_says_is_said_to_be_lost() -> None:
    data = saved(Image.fromarray(FACE), "PNG")
    for gamma, lost in ((100_000, True), (45_455, False)):
        photo = photos.read(data[:33] + chunk(b"gAMA", struct.pack(">I", gamma)) + data[33:])
        assert any("gamma" in note for note in photo.notes) == lost


def test_a_resolution_that_makes_no_sense_is_left_out() -> None:
    for dpi in ((0, 0), (float("nan"), 300), (1e9, 300), "300", (300,)):
        image = Image.fromarray(FACE)
        image.info["dpi"] = dpi
        assert photos.read(image).metadata.dpi is None
    assert exif.resolution(exif.with_resolution(b"", (72.5, 299.9994))) == pytest.approx((72.5, 299.9994))


def test_a_pillow_picture_brings_its_metadata() -> None:
    for format in SOURCES:
        photo = photos.read(Image.open(io.BytesIO(source(format, orientation=6))))
        assert opened(written(photo, "png")).getexif()[271] == "Kodak"
        assert photo.metadata.xmp and photo.metadata.dpi == pytest.approx(
            (300, 600) if format != "WEBP" else (600, 600), abs=0.02
        )
    assert photos.read(FACE).metadata == metadata.EMPTY
