"""``faceinp find`` and ``faceinp fill --find``: what they write, say and return."""

import io
from pathlib import Path

import numpy as np
import pytest
from finder_files import PAINT, grey_astronaut
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import faceinp
from faceinp import find
from faceinp.cli import arguments
from faceinp.cli.main import main
from faceinp.find import damage
from faceinp.mask import mask_pictures, masks

pytestmark = pytest.mark.usefixtures("finders")


def saved(folder: Path, name: str, picture: np.ndarray, **options: object) -> Path:
    Image.fromarray(picture).save(folder / name, **options)
    return folder / name


@pytest.fixture
def scratched(tmp_path: Path) -> Path:
    """A photo with a scratch of 1680 pixels and a spot of 100, less than a twentieth of it."""
    photo = grey_astronaut()
    photo[300:304, 40:460], photo[60:70, 60:70] = PAINT[1], PAINT[2]
    return saved(tmp_path, "photo.png", photo)


def hole(file: Path) -> np.ndarray:
    return np.asarray(Image.open(file)) > 0


def test_a_mask_is_written_and_one_line_says_what_was_found(
    scratched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "hole.png"
    assert main(["find", str(scratched), "-o", str(out)]) == 0
    said = capsys.readouterr()
    found = faceinp.find_damage(scratched)
    picture = Image.open(out)
    assert picture.mode == "L" and set(np.unique(picture)) == {0, 255}
    assert np.array_equal(hole(out), found.mask)
    (line,) = said.out.splitlines()
    assert line.startswith(f"{out}: damage on 1.4% of the photo: scratch 1.3%, spot 0.07")
    assert said.err == ""


def test_the_mask_is_what_fill_reads(scratched: Path, tmp_path: Path) -> None:
    out, by_mask, by_find = (str(tmp_path / name) for name in ("hole.png", "a.png", "b.png"))
    assert main(["find", str(scratched), "-o", out, "--sensitivity", "0.2"]) == 0
    argv = ["fill", str(scratched), "--engine", "telea", "--quiet"]
    assert main([*argv, "--mask", out, "-o", by_mask]) == 0
    assert main([*argv, "--find", "damage", "--sensitivity", "0.2", "-o", by_find]) == 0
    filled = np.asarray(Image.open(by_mask))
    assert np.array_equal(filled, np.asarray(Image.open(by_find)))
    before = np.asarray(Image.open(scratched))
    assert np.array_equal(filled[~hole(Path(out))], before[~hole(Path(out))]) and (filled != before).any()


@settings(deadline=None)
@given(arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40))).filter(lambda a: a.any() and not a.all()))
def test_whatever_is_marked_is_read_back_without_a_guess(marked: np.ndarray) -> None:
    photo = faceinp.read_photo(np.zeros((*marked.shape, 3), np.uint8))
    mask = masks.read(mask_pictures.encode(marked), photo)
    assert np.array_equal(mask.hole, marked) and mask.alternative is None
    assert mask.about == "white is the hole (as specified)"


def test_a_torn_border_and_a_photo_that_exif_turns_need_no_question(tmp_path: Path) -> None:
    border = np.full((200, 200, 3), PAINT[3], np.uint8)
    border[12:170, 9:188] = 127
    turned = Image.Exif()
    turned[0x0112] = 3
    photo = saved(tmp_path, "turned.png", border[::-1, ::-1], exif=turned)
    out = tmp_path / "hole.png"
    assert main(["find", str(photo), "-o", str(out)]) == 0
    opened = faceinp.read_photo(photo)
    read = masks.read(out, opened)
    assert np.array_equal(read.hole, faceinp.find_damage(photo).mask) and read.alternative is None
    bare = Image.fromarray(np.asarray(Image.open(out)))  # without what the file says, a question is asked
    with pytest.raises(faceinp.MaskError, match="Either tone of the mask may be the hole"):
        masks.read(bare, opened)
    assert np.array_equal(masks.read(out, opened, hole="black").hole, ~read.hole)  # whoever knows better is heard


def test_a_mask_that_was_painted_on_keeps_its_strokes() -> None:
    marked = np.zeros((90, 120), bool)
    marked[10:13, 5:100] = True
    with Image.open(io.BytesIO(mask_pictures.encode(marked))) as picture:
        picture.load()
        picture.paste(255, (40, 50, 60, 70))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG", pnginfo=None)
    marked[50:70, 40:60] = True
    assert np.array_equal(masks.read(buffer.getvalue(), faceinp.read_photo(np.zeros((90, 120), np.uint8))).hole, marked)


def test_the_overlay_shows_each_kind_in_a_colour_and_the_rest_as_it_is(
    scratched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, seen = tmp_path / "hole.png", tmp_path / "seen.png"
    assert main(["find", str(scratched), "-o", str(out), "--overlay", str(seen)]) == 0
    said = capsys.readouterr()
    assert said.err == f"{seen}: orange is scratch, blue is spot\n" and len(said.out.splitlines()) == 1
    before, after = np.asarray(Image.open(scratched)), np.asarray(Image.open(seen)).astype(int)
    assert np.array_equal(after[~hole(out)], before[~hole(out)])
    assert (after[302, 60:400, 0] > after[302, 60:400, 2] + 60).all()
    assert (after[65, 61:69, 2] > after[65, 61:69, 0] + 60).all()
    grey = saved(tmp_path, "grey.png", np.full((64, 64), 127, np.uint8))
    assert main(["find", str(grey), "-o", str(out), "--overlay", str(seen)]) == 8  # nothing there


def test_where_nothing_is_found_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo, out, seen = saved(tmp_path, "photo.png", grey_astronaut()), tmp_path / "hole.png", tmp_path / "seen.png"
    assert main(["find", str(photo), "-o", str(out), "--overlay", str(seen)]) == 8
    said = capsys.readouterr()
    assert (
        said.err.startswith("faceinp: Found no damage in the photo. Nothing is found at any sensitivity")
        and not said.out
    )
    assert main(["fill", str(photo), "--find", "protective-mask", "-o", str(out)]) == 8
    assert capsys.readouterr().err.startswith("faceinp: Found no protective mask in the photo.")
    assert not out.exists() and not seen.exists()
    assert "existed before" not in said.err
    out.write_bytes(b"an earlier mask")
    assert main(["find", str(photo), "-o", str(out), "--overlay", str(seen)]) == 8
    assert capsys.readouterr().err.endswith(f"Paint a mask. {out} existed before and was not changed.\n")
    assert out.read_bytes() == b"an earlier mask"
    with pytest.raises(SystemExit):
        main(["find", "--help"])
    assert "no file is written and the exit code is 8" in " ".join(capsys.readouterr().out.split())


def test_stamps_are_found_where_they_are_included(tmp_path: Path) -> None:
    photo = grey_astronaut()
    photo[400:430, 300:360] = PAINT[5]
    file, out = saved(tmp_path, "photo.png", photo), tmp_path / "out.png"
    assert main(["find", str(file), "-o", str(out)]) == 8
    assert main(["find", str(file), "-o", str(out), "--include", "stamps"]) == 0
    assert hole(out)[400:430, 300:360].all()
    argv = ["fill", str(file), "--find", "damage", "--include", "stamps", "-o", str(out), "--engine", "telea"]
    assert main(argv) == 0
    assert (np.ptp(np.asarray(Image.open(out)).astype(int), axis=2) < 40).all()


def test_glasses_of_one_face_and_of_a_ready_crop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo = grey_astronaut()
    photo[92:96, 185:222] = photo[118:122, 185:222] = photo[92:122, 185:189] = PAINT[1]
    file, out = saved(tmp_path, "photo.png", photo), tmp_path / "hole.png"
    crop = saved(tmp_path, "crop.png", photo[20:220, 120:320])
    argv = ["find", str(file), "-o", str(out), "--kind", "glasses"]
    for where in ([], ["--face", "1"], ["--turn", "0"], ["--box", "181,62,87,110"]):
        assert main([*argv, *where]) == 0
        assert hole(out)[92:96, 190:216].all() and hole(out).mean() < 0.02
        assert "glasses on " in capsys.readouterr().out
    assert main([*argv, "--face", "2"]) == faceinp.NoFaceError.exit_code
    assert main(["find", str(crop), "-o", str(out), "--kind", "occluders", "--aligned"]) == 0
    assert hole(out)[73:75, 70:96].all()


def test_a_page_of_a_tiff(tmp_path: Path) -> None:
    first, second = np.full((64, 64, 3), 127, np.uint8), np.full((80, 70, 3), 127, np.uint8)
    second[20:40, 20:40] = PAINT[2]
    file, out = tmp_path / "pages.tif", tmp_path / "hole.png"
    Image.fromarray(first).save(file, save_all=True, append_images=[Image.fromarray(second)])
    assert main(["find", str(file), "-o", str(out)]) == 8
    assert main(["find", str(file), "-o", str(out), "--page", "2"]) == 0
    assert hole(out).shape == (80, 70)
    argv = ["fill", str(file), "--page", "2", "--find", "damage", "--engine", "telea", "--quiet"]
    assert main([*argv, "-o", str(tmp_path / "out.tif")]) == 0


@pytest.mark.parametrize(
    ("argv", "code", "problem"),
    [
        (["find", "photo.png", "-o", "hole.jpg"], 2, "The mask must be a PNG"),
        (["find", "photo.png", "-o", "hole"], 2, "The mask must be a PNG"),
        (["find", "photo.png", "-o", ""], 2, "is a folder"),
        (["find", "photo.png", "-o", "."], 2, "is a folder"),
        (["find", "photo.png", "-o", "photo.png"], 2, "is the photo itself"),
        (["find", "photo.png", "-o", "nowhere/hole.png"], 2, "no folder"),
        (["find", "photo.png", "-o", "hole.png", "--overlay", "seen.txt"], 2, "unsupported suffix"),
        (["find", "photo.png", "-o", "hole.png", "--overlay", "photo.png"], 2, "is the photo itself"),
        (["find", "photo.png", "-o", "hole.png", "--overlay", "hole.png"], 2, "mask and overlay"),
        (["find", "missing.png", "-o", "hole.png"], 2, "no file"),
        (["find", "photo.png", "-o", "hole.png", "--sensitivity", "2"], 2, "from 0 to 1, got 2"),
        (
            ["find", "photo.png", "-o", "hole.png", "--kind", "glasses", "--include", "stamps"],
            2,
            "only to find=",
        ),
        (["find", "photo.png", "-o", "hole.png", "--face", "1"], 2, "does not use a face's location"),
        (
            ["find", "photo.png", "-o", "hole.png", "--kind", "glasses", "--face", "0"],
            2,
            "must be 1 (the",
        ),
        (
            ["find", "photo.png", "-o", "hole.png", "--kind", "glasses", "--box", "1,2,0,3"],
            2,
            "height at least 8",
        ),
        (["fill", "photo.png", "-o", "a.png", "--preset", "eyes", "--sensitivity", "0.5"], 2, "need --find"),
        (["fill", "photo.png", "-o", "a.png", "--mask", "m.png", "--include", "stamps"], 2, "need --find"),
        (["fill", "photo.png", "-o", "a.png", "--find", "damage", "--sensitivity", "nan"], 2, "from 0 to 1, got nan"),
        (
            ["fill", "photo.png", "-o", "a.png", "--find", "glasses", "--points", "1,2,3,4,5,6,7,8,9,nan"],
            2,
            "finite",
        ),
        *(
            ([*command, *hole, "--mask-hole", "black"], 2, "--mask-hole applies to --mask, which is not used here")
            for command in (["fill", "photo.png", "-o", "a.png"], ["batch", ".", "out"])
            for hole in (["--find", "damage"], ["--preset", "eyes"], ["--mask-from-alpha"])
        ),
    ],
)
def test_an_error_is_one_line(
    argv: list[str],
    code: int,
    problem: str,
    scratched: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(scratched.parent)
    before = scratched.read_bytes()
    assert main(argv) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("faceinp: ") and problem in line
    assert [file.name for file in scratched.parent.iterdir()] == ["photo.png"] and scratched.read_bytes() == before


@pytest.mark.parametrize(
    "argv",
    [
        ["fill", "p", "-o", "o.png", "--find", "damage", "--mask", "m"],
        ["fill", "p", "-o", "o.png", "--find", "dust"],
        ["find", "p"],
        ["find", "p", "-o", "o.png", "--kind", "glasses", "--aligned", "--face", "1"],
        ["find", "p", "-o", "o.png", "--include", "pens"],
        ["find", "p", "-o", "o.png", "--kind", "dust"],
        ["find", "p", "-o", "o.png", "--sensitivity", "high"],
        ["find", "p", "-o", "o.png", "--turn", "left"],
    ],
)
def test_what_makes_no_sense_is_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2 and capsys.readouterr().err.startswith(f"faceinp {argv[0]}: ")


def test_the_shell_knows_what_the_library_finds() -> None:
    assert arguments.FIND == find.NAMES and arguments.INCLUDE == damage.INCLUDES
