"""Many photos: what is filled, what is said of what is not, and what the command returns."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from batch_files import FACE, HOLE, encoded, manifest, photo, quiet, settings
from photo_files import deep_png
from PIL import Image

from faceinp.batch.run import run
from faceinp.cli.main import main
from faceinp.errors import DataError, EngineError, FaceinpError, MaskError, PhotoError


def test_a_folder_is_filled_and_what_cannot_be_is_told(album: Path) -> None:
    counted = run(str(album / "in"), settings(album / "out", judge="bundled"), masks=str(album / "masks"), say=quiet)
    assert counted == {"filled": 5, "failed": 2}
    lines = manifest(album / "out")
    assert lines["a/damaged.jpg"]["kind"] == "PhotoError" and "--preset" in lines["alone.png"]["error"]
    for number in range(5):
        name = f"{'a' if number % 2 else 'b/c'}/{number}.png"
        line, result = lines[name], np.asarray(Image.open(album / "out" / name))
        assert np.array_equal(result[HOLE == 0], photo(number)[HOLE == 0])
        assert (result[HOLE > 0] != photo(number)[HOLE > 0]).any()
        assert line["outcome"] == "filled" and line["changed_pixels"] == 0 and line["engine"] == "telea"
        assert 0 <= line["identity"]["original"]["probability"] <= 1 and line["runtime"].startswith("opencv")
        sums = {"photo_sha256": album / "in" / name, "result_sha256": album / "out" / name}
        assert {
            key: hashlib.sha256(file.read_bytes()).hexdigest() for key, file in sums.items()
        }.items() <= line.items()
        steps = {"fetch", "read", "align", "fill", "blend", "exemplars", "encode", "judge", "put"}
        assert line["seconds"].keys() == steps and min(line["seconds"].values()) >= 0 < line["seconds"]["judge"]
    assert not list(album.rglob("*.part"))


def test_what_was_passed_over_has_a_line(album: Path) -> None:
    (album / "in" / "sky.gif").write_bytes(b"GIF89a")
    (album / "masks" / "nobody.png").write_bytes(encoded(HOLE))
    (album / "masks" / "a" / "1.png").write_bytes(encoded(HOLE))  # 1.webp is there, too
    (album / "masks" / "readme.md").write_text("no mask")
    where, masks = (str(album / "in"), settings(album / "out")), str(album / "masks")
    said: list[str] = []
    assert run(*where, masks=masks, say=said.append) == {"filled": 5, "failed": 2}
    lines = {name: line for name, line in manifest(album / "out").items() if line["outcome"] == "skipped"}
    reasons = {name: line["reason"] for name, line in lines.items()}
    assert reasons.keys() == {
        "notes.txt",
        "sky.gif",
        *(f"{masks}/{n}" for n in ("nobody.png", "a/1.webp", "readme.md")),
    }
    assert "no photo with its name" in reasons[f"{masks}/nobody.png"] and "not a photo" in reasons["sky.gif"]
    assert any("5 other files were skipped" in sentence for sentence in said)
    before = sorted((album / "out" / "manifest").iterdir())
    run(*where, masks=masks, say=quiet)
    assert sorted((album / "out" / "manifest").iterdir()) == before  # told once


def test_which_tone_is_the_hole_can_be_told(album: Path) -> None:
    frame = np.full((96, 96), 255, np.uint8)
    frame[12:-12, 12:-12] = 0
    (album / "masks" / "alone.png").write_bytes(encoded(frame))
    argv = ["batch", str(album / "in"), str(album / "out"), "--masks", str(album / "masks"), "--engine", "telea"]
    argv += ["--aligned", "--judge", "none"]
    assert main(argv) == 0
    assert "--mask-hole" in manifest(album / "out")["alone.png"]["error"]
    assert main([*argv, "--mask-hole", "white", "--grow", "1"]) == DataError.exit_code
    assert main([*argv, "--mask-hole", "white", "--grow", "1", "--again"]) == 0
    line = manifest(album / "out")["alone.png"]
    assert line["outcome"] == "filled" and abs(line["hidden"] - (1 - (70 / 96) ** 2)) < 0.001


def test_what_concerns_all_photos_is_said_before_any(album: Path) -> None:
    source, masks = str(album / "in"), str(album / "masks")
    for out in ("in", "in/filled"):
        with pytest.raises(DataError, match=r"is inside .*outside of it"):
            run(source, settings(album / out), masks=masks, say=quiet)
    with pytest.raises(DataError, match="is inside"):
        run(f"{source}/alone.png", settings(album / "in"), masks=masks, say=quiet)
    (album / "empty").mkdir()
    with pytest.raises(DataError, match="contains no masks"):
        run(source, settings(album / "out"), masks=str(album / "empty"), say=quiet)
    with pytest.raises(DataError, match="need masks"):
        run(source, settings(album / "out"), say=quiet)
    with pytest.raises(MaskError, match=r"Unknown preset 'hat'\. Choose one of"):
        run(source, settings(album / "out", preset="hat"), say=quiet)
    for workers in (1, 2):
        with pytest.raises(EngineError, match="magic"):
            run(source, settings(album / "out", engine="magic"), masks=masks, workers=workers, say=quiet)
    assert not (album / "out").exists()


def test_a_preset_in_a_batch_is_the_preset_of_a_fill(tmp_path: Path) -> None:
    import faceinp
    from faceinp.face.detection import find_large_faces

    whole = skimage.data.astronaut()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.png").write_bytes(encoded(whole))
    assert run(str(tmp_path / "in"), settings(tmp_path / "out", preset="eyes", aligned=False), say=quiet)["filled"] == 1
    mask = faceinp.make_preset("eyes", faceinp.read_photo(whole))
    (face,) = find_large_faces(whole)  # found once, for the mask and for the fill
    expected = faceinp.fill(whole, mask, engine="telea", face=face).image
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / "one.png")), expected)


def test_the_shell_fills_a_folder_with_a_preset(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["batch", str(album / "in"), str(album / "out"), "--preset", "centre", "--engine", "telea", "--aligned"]
    assert main([*argv, "--judge", "none", "--format", "webp"]) == 0
    said = capsys.readouterr()
    assert "6 filled, 1 failed" in said.out and "damaged.jpg: " in said.out and "1 of 7 photos failed" in said.err
    assert (album / "out" / "alone.webp").is_file()


def test_what_another_format_loses_is_noted(album: Path) -> None:
    (album / "in" / "alone.png").write_bytes(deep_png(FACE.astype(np.uint16) * 257))
    (album / "masks" / "alone.png").write_bytes(encoded(HOLE))
    run(str(album / "in"), settings(album / "out", format="webp"), masks=str(album / "masks"), say=quiet)
    lines = manifest(album / "out")
    assert any("8 bits" in note for note in lines["alone.png"]["notes"]), lines["alone.png"]["notes"]


def test_the_shell_fails_where_no_photo_could_be_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(encoded(FACE, "JPEG")[:300])
    argv = [
        "batch",
        str(tmp_path / "in"),
        str(tmp_path / "out"),
        "--preset",
        "centre",
        "--engine",
        "telea",
        "--aligned",
    ]
    argv += ["--judge", "none"]
    for _ in range(2):  # the second run has nothing to do, and still nothing is filled
        assert main(argv) == PhotoError.exit_code
        assert capsys.readouterr().err.splitlines()[-1].startswith("faceinp: None of 2 photos could be filled")
    (tmp_path / "in" / "2.png").write_bytes(encoded(np.dstack([FACE, 255 - HOLE])))
    assert main(argv) == 0
    assert main([*argv, "--retry"]) == 0  # one is filled, and the two are said to have failed
    assert "2 of 2 photos failed" in capsys.readouterr().err


def test_errors_of_several_kinds_share_no_exit_code(album: Path) -> None:
    for file in (album / "in").rglob("*.png"):
        if file.stem != "alone":
            file.unlink()
    with pytest.raises(FaceinpError, match="None of 2") as raised:  # one is damaged, one has no mask
        run(str(album / "in"), settings(album / "out"), masks=str(album / "masks"), say=quiet)
    assert raised.value.exit_code == 1
    (album / "in" / "alone.png").write_bytes(b"damaged, too")
    (album / "masks" / "alone.png").write_bytes(encoded(HOLE))
    with pytest.raises(PhotoError, match="None of 2"):  # what a file failed of before counts no more
        run(str(album / "in"), settings(album / "out"), masks=str(album / "masks"), retry=True, say=quiet)


def test_many_through_the_engine_at_once_are_as_each_alone(album: Path) -> None:
    import faceinp

    jobs = [(photo(number), HOLE) for number in range(3)]
    together = faceinp.fill_many([*jobs, (b"no photo", HOLE)], engine="telea", face=faceinp.FaceLocation.aligned())
    assert isinstance(together[3], faceinp.PhotoError)
    for (picture, mask), result in zip(jobs, together, strict=False):
        assert np.array_equal(
            result.image, faceinp.fill(picture, mask, engine="telea", face=faceinp.FaceLocation.aligned()).image
        )
