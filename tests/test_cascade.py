"""The face detector's cascade finds what facenet-pytorch finds; its networks are what the exporter writes."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from faceinp.face import cascade
from faceinp.face.cascade import Pixels
from faceinp.models import weights

ASTRONAUT = data.astronaut()
THRESHOLDS = (0.6, 0.6, 0.4)
ENLARGED = cv2.resize(ASTRONAUT[:250, 100:400], (1203, 1001), interpolation=cv2.INTER_CUBIC)
SMALL = cv2.resize(ASTRONAUT, (199, 160), interpolation=cv2.INTER_AREA)
CROWD = np.vstack([np.hstack([ASTRONAUT[:300], ASTRONAUT[:300, ::-1]]), np.tile(SMALL, (1, 6, 1))[:, :1024]])
PICTURES = {  # and the least width of a face there
    "astronaut": (ASTRONAUT, 20),
    "on its side": (np.rot90(ASTRONAUT), 20),
    "on its head": (ASTRONAUT[::-1, ::-1], 40),
    "large": (ENLARGED, 40),
    "small": (SMALL, 12),
    "cut off": (ASTRONAUT[60:, 210:], 20),
    "several": (CROWD, 20),
    "no face": (data.coffee(), 20),
    "noise": (np.random.default_rng(0).integers(0, 256, (120, 240, 3), dtype=np.uint8), 20),
}

FACELESS = ("on its head", "no face", "noise")


def means(part: Pixels, rows: int, columns: int) -> NDArray[np.float64]:
    """Averages by the definition: bin i of n covers pixels floor(i * length / n) to ceil((i + 1) * length / n)."""
    bins = [
        [slice(i * length // n, -(-(i + 1) * length // n)) for i in range(n)]
        for length, n in zip(part.shape, (rows, columns), strict=False)
    ]
    return np.array([[part[y, x].mean(axis=(0, 1)) for x in bins[1]] for y in bins[0]])


@pytest.mark.parametrize("name", PICTURES)
def test_what_facenet_pytorch_finds_is_found(name: str) -> None:
    torch, theirs = pytest.importorskip("torch"), pytest.importorskip("facenet_pytorch")
    picture, smallest = PICTURES[name]
    found = cascade.find(picture, smallest, THRESHOLDS)
    detector = theirs.MTCNN(keep_all=True, thresholds=list(THRESHOLDS), min_face_size=smallest).eval()
    with torch.no_grad():
        boxes, probabilities, points = detector.detect(np.ascontiguousarray(picture), landmarks=True)
    assert (boxes is None) == (name in FACELESS)
    if boxes is None:
        assert len(found.boxes) == 0
        return
    assert len(found.boxes) == len(boxes)
    assert np.abs(found.boxes - boxes.astype(np.float64)).max() < 0.05
    assert np.abs(found.points - points.astype(np.float64)).max() < 0.05
    assert np.abs(found.probabilities - probabilities.astype(np.float64)).max() < 1e-4


def test_the_astronauts_face_comes_first_and_points_are_ordered() -> None:
    boxes, probabilities, points = cascade.find(ASTRONAUT, 20, THRESHOLDS)
    left, top, right, bottom = boxes[0]
    assert 170 < left < 200 and 50 < top < 80 and 250 < right < 290 and 150 < bottom < 190
    assert probabilities[0] > 0.99 and (probabilities <= 1).all()
    (left_eye, right_eye, nose, *corners) = points[0]
    assert left_eye[0] < nose[0] < right_eye[0] and corners[0][0] < corners[1][0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(corners[0][1], corners[1][1])


def test_strips_cut_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = cascade.find(CROWD, 20, THRESHOLDS)
    assert len(wanted.boxes) >= 2
    for pixels in (1, 10_000, 10**9):
        monkeypatch.setattr(cascade, "_STRIP_PIXELS", pixels)
        for ours, other in zip(cascade.find(CROWD, 20, THRESHOLDS), wanted, strict=True):
            assert np.abs(ours - other).max() < 1e-2


@pytest.mark.parametrize(("rows", "columns"), [(24, 24), (37, 23), (61, 83), (1, 1), (70, 90)])
def test_averages_are_exact(rows: int, columns: int) -> None:
    part = ASTRONAUT[100:161, 200:283]
    sums = cv2.integral(part)
    averaged = cascade._averages(sums, cascade._bins(61, rows), cascade._bins(83, columns))
    assert averaged == pytest.approx(means(part, rows, columns), abs=1e-4)


def test_squares_are_exact_wherever_they_lie() -> None:
    starts, ends = np.array([[0, 0], [200, 100], [511, 3]]), np.array([[512, 512], [283, 161], [512, 90]])
    squares = cascade._squares(cv2.integral(ASTRONAUT), starts, ends, 24)
    for square, (left, top), (right, bottom) in zip(squares, starts, ends, strict=True):
        assert square == pytest.approx(means(ASTRONAUT[top:bottom, left:right], 24, 24), abs=1e-4)


def test_a_picture_whose_sum_overflows_is_averaged_all_the_same() -> None:
    white = np.full((3000, 3000, 3), 255, np.uint8)
    white[-50:] = 200
    sums = cv2.integral(white)
    assert sums[-1, -1, 0] < int(white[..., 0].sum(dtype=np.int64))
    averaged = cascade._averages(sums, cascade._bins(3000, 60), cascade._bins(3000, 40))
    assert (averaged[:-1] == 255).all() and (averaged[-1] == 200).all()
    assert (cascade._squares(sums, np.array([[2900, 2960]]), np.array([[3000, 3000]]), 48) == 200).all()


def test_the_shipped_networks_are_what_the_exporter_writes(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("facenet_pytorch")
    from export import mtcnn

    assert mtcnn.main([str(tmp_path)]) == 0
    for name in mtcnn.NETWORKS:
        file = f"mtcnn-{name}.onnx"
        weights.verify_file(tmp_path / file)
        made, shipped = (onnx.load(folder / file) for folder in (tmp_path, weights.folder()))
        assert made.graph == shipped.graph and made.opset_import == shipped.opset_import


def test_a_file_that_computes_something_else_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("facenet_pytorch")
    from export import mtcnn

    monkeypatch.setattr(mtcnn, "_by_channels", lambda weight, channels: weight)
    assert mtcnn.main([str(tmp_path)]) == 1
    assert "mtcnn-rnet.onnx does not compute the same" in capsys.readouterr().err
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["checksums.json", "mtcnn-pnet.onnx"]
    assert list(json.loads((tmp_path / "checksums.json").read_text())) == ["mtcnn-pnet.onnx"]
