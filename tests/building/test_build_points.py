"""68 points of faces in shards: from files, tables and predictors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from built_shards import FIVE, samples
from PIL import Image
from skimage import data as pictures

from faceinp.cli.main import main
from faceinp.errors import DataError
from faceinp.face import faces
from faceinp.mask import presets
from faceinp.train.datasets import build, data, photo_points


def test_68_points_beside_a_photo_are_used_and_kept(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    photo = np.zeros((400, 300, 3), np.uint8)  # no face to be found: the points must do
    points = np.tile(np.float32([150, 200]), (68, 1))
    points[36:42], points[42:48] = (120, 180), (180, 180)
    points[30], points[48], points[54] = (150, 210), (128, 240), (172, 240)
    photo[178:183, 118:123] = 255  # a mark where the left eye is
    Image.fromarray(photo).save(root / "one.png")
    rows = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
    (root / "one.pts").write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")
    build.build(root, tmp_path / "out", size=128, smallest=32, say=print)
    ((picture, about),) = samples(tmp_path / "out").values()
    assert about["points_from"] == "pts"
    light = picture.mean(axis=2) * (picture.mean(axis=2) > 20)
    marked = [np.average(np.arange(128), weights=light.sum(axis=axis)) for axis in (0, 1)]
    assert np.abs(np.add(marked, 0.5) - about["points"][36]).max() < 0.15
    assert about["points"][36][0] < 64 < about["points"][42][0]
    loaded = data.load(str(tmp_path / "out/*.tar"), 128)
    assert np.allclose(loaded.points[0].numpy() * 128, about["points"], atol=0.01)
    (root / "one.pts").write_text("{ 1 2 3 }")
    with pytest.raises(DataError, match=r"one\.pts does not hold 68 points"):
        build.build(root, tmp_path / "again")


def test_known_points_give_the_crop_that_ffhq_has() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(100, 40, (68, 2)).astype(np.float32)
    left, right, mouth = points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[[48, 54]].mean(axis=0)
    eyes, down = (left + right) / 2, mouth - (left + right) / 2  # Karras et al. 2019, appendix A
    x = right - left - down[::-1] * [-1, 1]
    x *= max(2 * np.hypot(*(right - left)), 1.8 * np.hypot(*down)) / np.hypot(*x)
    y, centre = x[::-1] * [-1, 1], eyes + 0.1 * down
    expected = np.stack([centre - x - y, centre - x + y, centre + x + y, centre + x - y])
    quad = faces.quad(faces.Face((0, 0, 1, 1), photo_points.five(points), confidence=1, yaw=0))
    assert np.allclose(quad, expected, atol=1e-3)


def csv_row(name: str, points: np.ndarray) -> str:
    return ",".join([name, *map(str, points.ravel().tolist())])


@pytest.fixture
def pointed(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """Two photos of one name in two folders, a third one, and 68 points that fit all."""
    root = tmp_path / "photos"
    for folder in ("a", "b"):
        (root / folder).mkdir(parents=True)
        Image.fromarray(pictures.astronaut()).save(root / folder / "one.png")
    Image.fromarray(pictures.astronaut()).save(root / "b" / "two.png")
    return root, presets.average_points(512, FIVE)


def test_a_table_of_points_is_used_and_says_where_the_face_is(
    pointed: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, points = pointed
    table = tmp_path / "points.csv"
    rows = [csv_row("\ufeffa/one.png", points), csv_row("two.png", points + 7), csv_row("3.png", points)]
    table.write_text("\n".join(rows), encoding="utf-8")
    assert main(["data", "build", str(root), str(tmp_path / "out"), "--points", str(table), "--size", "128"]) == 0
    assert f"68 points: 2 from {table}; faces without points: 1" in capsys.readouterr().out
    about = {
        key.split("-")[0] + str(about["points_from"]): about for key, (_, about) in samples(tmp_path / "out").items()
    }
    assert set(about) == {"onefile", "oneNone", "twofile"} and about["oneNone"]["points"] is None
    quad = faces.quad(faces.Face((0, 0, 1, 1), photo_points.five(points), confidence=1, yaw=0))
    assert np.allclose(about["onefile"]["points"], faces.to_crop(points, quad) * 128, atol=0.06)
    assert np.allclose(about["twofile"]["points"], about["onefile"]["points"], atol=0.11), "the crop is where they are"


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (lambda p: [csv_row("one.png", p)], "line 1: several photos are called one.png"),
        (lambda p: ["name", csv_row("two.png", p[:67])], "line 2: a row is a name and 136 numbers"),
        (lambda p: [csv_row("two.png", p * np.nan)], "line 1: a row is a name and 136 numbers"),
        (lambda p: [csv_row("two.png", p), csv_row("b/two.png", p)], "line 2: a photo has one row"),
        (lambda p: [csv_row("four.png", p)], "No row of .*points.csv names a photo of SOURCE, such as a/one.png"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(
    rows: Callable[[np.ndarray], list[str]], problem: str, pointed: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    root, points = pointed
    (tmp_path / "points.csv").write_text("\n".join(rows(points)))
    with pytest.raises(DataError, match=problem):
        build.build(root, tmp_path / "out", points=tmp_path / "points.csv")


def test_dlibs_points_lie_near_our_own(tmp_path: Path) -> None:
    pytest.importorskip("dlib")
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.rot90(pictures.astronaut()).copy()).save(tmp_path / "photos/turned.png")
    found = {}
    for kind in photo_points.PREDICTORS:
        assert build.build(tmp_path / "photos", tmp_path / kind, points=kind).points == {kind: 1}
        ((_, about),) = samples(tmp_path / kind).values()
        found[kind] = np.array(about["points"])
    apart = np.linalg.norm(found["own"] - found["dlib"], axis=1).mean()
    assert 0 < apart / np.linalg.norm(found["dlib"][36] - found["dlib"][45]) < 0.06
