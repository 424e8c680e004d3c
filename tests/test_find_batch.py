"""``faceinp batch --find``: what is found in many photos and filled, photos without any, and the record of it."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from finder_files import PAINT, grey_astronaut, put_finders
from PIL import Image

import faceinp
from faceinp.batch import record, worker
from faceinp.batch.run import run
from faceinp.cli.main import main
from faceinp.errors import DataError, MaskError, NoFaceError, WeightsError
from faceinp.models import weights

FACE = np.asarray(Image.fromarray(grey_astronaut()).crop((145, 35, 305, 195)).resize((96, 96)))


def settings(out: object, name: str = "damage", **changed: object) -> worker.Settings:
    given = {"engine": "telea", "judge": "", "aligned": True, "find": faceinp.Find(name)}
    return worker.Settings(str(out), **(given | changed))


def scratched(photo: np.ndarray = FACE, kind: int = 1) -> np.ndarray:
    photo = photo.copy()
    photo[40:46, 10:80] = PAINT[kind]
    return photo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two photos with damage, two without, one with nothing else, and one that is no picture."""
    (tmp_path / "in").mkdir()
    photos = {"a": scratched(), "b": scratched(kind=3), "clean": FACE, "bare": np.full_like(FACE, 127)}
    for name, photo in {**photos, "lost": np.full_like(FACE, PAINT[4])}.items():
        Image.fromarray(photo).save(tmp_path / "in" / f"{name}.png")
    (tmp_path / "in" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path


def manifest(out: object) -> dict[str, dict]:
    return {line["name"]: line for line in record.Target(str(out)).lines()}


def quiet(_: str) -> None:
    pass


@pytest.mark.usefixtures("finders")
def test_what_is_found_is_filled_and_the_manifest_says_what(folder: Path) -> None:
    said: list[str] = []
    counted = run(str(folder / "in"), settings(folder / "out"), say=said.append)
    assert counted == {"filled": 2, "failed": 2, "nothing found": 2}
    assert said[-1] == "2 filled, 2 failed, nothing found in 2"
    lines = manifest(folder / "out")
    assert {name: line["outcome"] for name, line in lines.items()} == {
        **dict.fromkeys(("a.png", "b.png"), "filled"),
        **dict.fromkeys(("clean.png", "bare.png"), "nothing found"),
        **dict.fromkeys(("lost.png", "broken.jpg"), "failed"),
    }
    for name, kind in (("a", "scratch"), ("b", "tear")):
        line, photo = lines[f"{name}.png"], np.asarray(Image.open(folder / "in" / f"{name}.png"))
        found = faceinp.find_damage(photo)
        assert line["find"] == {
            "name": "damage",
            "share": pytest.approx(found.share, abs=1e-6),
            "kinds": {kind: pytest.approx(found.share, abs=1e-6)},
        }
        result = np.asarray(Image.open(folder / "out" / f"{name}.png"))
        assert np.array_equal(result[~found.mask], photo[~found.mask]) and (result != photo).any()
        assert line["seconds"]["find"] > 0 and any(kind in note for note in line["notes"])
    clean = lines["clean.png"]
    assert clean["find"] == {"name": "damage", "share": 0, "kinds": {}} and "Found no damage" in clean["reason"]
    assert "error" not in clean and "result" not in clean and not (folder / "out" / "clean.png").exists()
    assert lines["lost.png"]["kind"] == "MaskError" and "The entire photo" in lines["lost.png"]["error"]


@pytest.mark.usefixtures("finders")
def test_photos_with_nothing_to_find_are_done_and_no_failure(folder: Path) -> None:
    source, wanted = str(folder / "in"), settings(folder / "out")
    run(source, wanted, say=quiet)
    said: list[str] = []
    assert run(source, wanted, say=said.append) == {"filled": 0, "failed": 0}
    assert said[0].startswith("6 photos are already done, 2 of them failed")
    assert run(source, wanted, retry=True, say=quiet) == {"filled": 0, "failed": 2}
    for name in ("a", "b", "lost"):
        (folder / "in" / f"{name}.png").unlink()
    (folder / "in" / "broken.jpg").unlink()
    assert run(source, settings(folder / "other"), say=quiet) == {"filled": 0, "failed": 0, "nothing found": 2}
    argv = ["batch", source, str(folder / "third"), "--find", "damage", "--engine", "telea", "--judge", "none"]
    assert main(argv) == 0  # nothing failed


@pytest.mark.usefixtures("finders")
def test_the_settings_are_recorded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_finders(folder)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(folder))
    source, out = str(folder / "in"), folder / "out"
    argv = ["batch", source, str(out), "--engine", "telea", "--judge", "none", "--aligned"]
    assert main([*argv, "--find", "damage", "--sensitivity", "0.3", "--include", "stamps"]) == 0
    kept = json.loads((out / "manifest" / "settings.json").read_text())
    assert kept["find"] == {"name": "damage", "sensitivity": 0.3, "include": ["stamps"]}
    assert kept["weights"] == {"damage": weights.sha256(folder / "damage.safetensors")}
    assert main([*argv, "--find", "damage", "--sensitivity", "0.3", "--include", "stamps"]) == 0  # the same again
    for other in (["--find", "damage"], ["--find", "glasses"], ["--preset", "centre"]):
        assert main([*argv, *other]) == DataError.exit_code
    put_other = folder / "damage.safetensors"
    put_other.write_bytes(put_other.read_bytes() + b"\0")
    with pytest.raises(DataError, match="weights"):
        run(source, settings(out, find=faceinp.Find("damage", 0.3, ["stamps"])), say=quiet)


@pytest.mark.usefixtures("finders")
def test_glasses_of_photos_with_and_without_faces(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    photo = grey_astronaut()
    Image.fromarray(photo).save(tmp_path / "in" / "bare.png")
    photo[92:96, 185:222] = photo[118:122, 185:222] = PAINT[1]
    Image.fromarray(photo).save(tmp_path / "in" / "glasses.png")
    Image.fromarray(np.full((300, 300, 3), 127, np.uint8)).save(tmp_path / "in" / "wall.png")
    wanted = settings(tmp_path / "out", "glasses", aligned=False)
    assert run(str(tmp_path / "in"), wanted, say=quiet) == {"filled": 1, "failed": 1, "nothing found": 1}
    lines = manifest(tmp_path / "out")
    assert set(lines["glasses.png"]["find"]["kinds"]) == {"glasses"}
    assert lines["bare.png"]["outcome"] == "nothing found" and lines["wall.png"]["kind"] == NoFaceError.__name__


@pytest.mark.usefixtures("finders")
def test_masks_in_shards_do_not_count(folder: Path) -> None:
    with tarfile.open(folder / "x.tar", "w") as tar:
        tar.add(folder / "in" / "a.png", "a.png")
        tar.add(folder / "in" / "lost.png", "a.mask.png")
        tar.add(folder / "in" / "clean.png", "clean.png")
    counted = run(str(folder / "x.tar"), settings(folder / "out", grow=2), say=quiet)
    assert counted == {"filled": 1, "failed": 0, "nothing found": 1}
    (line,) = (line for line in manifest(folder / "out").values() if line["outcome"] == "filled")
    assert line["hidden"] > line["find"]["share"] > 0  # grown


@pytest.mark.process
def test_several_workers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_finders(folder)
    monkeypatch.setenv("FACEINP_WEIGHTS", str(folder))
    counted = run(str(folder / "in"), settings(folder / "out"), workers=2, say=quiet)
    assert counted == {"filled": 0, "failed": 1, "nothing found": 5}  # by a network that was not trained


def test_what_concerns_all_photos_is_said_before_any(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path / "none"))
    for workers in (1, 2):
        with pytest.raises(WeightsError, match="'occluders' are missing"):
            run(str(folder / "in"), settings(folder / "out", "glasses"), workers=workers, say=quiet)
    (tmp_path / "none" / "damage.safetensors").write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="cannot be read"):
        run(str(folder / "in"), settings(folder / "out"), say=quiet)
    argv = ["batch", str(folder / "in"), str(folder / "out")]
    assert main([*argv, "--preset", "eyes", "--sensitivity", "1"]) == 2
    assert "need --find" in capsys.readouterr().err
    assert main(argv) == DataError.exit_code
    assert "--masks, --find, or --preset" in capsys.readouterr().err
    assert not (folder / "out").exists()


@pytest.mark.usefixtures("finders")
def test_a_folder_in_which_everything_fails_has_its_exit_code(folder: Path) -> None:
    for name in ("a", "b", "clean", "bare"):
        (folder / "in" / f"{name}.png").unlink()
    (folder / "in" / "broken.jpg").unlink()
    with pytest.raises(MaskError, match="None of 1 photos could be filled"):
        run(str(folder / "in"), settings(folder / "out"), say=quiet)
