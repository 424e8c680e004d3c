"""int8: calibrated on training pictures, judged in decibels on held-back ones, and refused where it costs too much."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from export_files import SIDE
from PIL import Image

onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
pytest.importorskip("webdataset", reason="the extra 'train' is not installed")

from faceinp.export import cost, graphs, parity, quantisation  # noqa: E402
from faceinp.export.onnx import main  # noqa: E402

from faceinp.errors import DataError  # noqa: E402
from faceinp.mask import presets  # noqa: E402
from faceinp.models import sessions, sidecar  # noqa: E402
from faceinp.train.datasets.data import is_held_back  # noqa: E402

pytestmark = pytest.mark.usefixtures("small_weights")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth pictures with the points of an average face: enough for calibration, and two that are held back."""
    names = [f"{number:04}" for number in range(2000)]
    chosen = [n for n in names if not is_held_back(n)][: quantisation.CALIBRATION]
    chosen += [n for n in names if is_held_back(n)][:2]
    rng, file = np.random.default_rng(0), tmp_path_factory.mktemp("shards") / "drawn-train-00.tar"
    with tarfile.open(file, "w") as tar:
        for name in chosen:
            coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
            encoded = io.BytesIO()
            coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(encoded, "WEBP", lossless=True)
            about = {"points": presets.average_points(SIDE).tolist(), "size": SIDE, "identity": None}
            for ending, content in (("webp", encoded.getvalue()), ("json", json.dumps(about).encode())):
                entry = tarfile.TarInfo(f"{name}.{ending}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    return file


def test_what_a_file_costs_is_the_difference_of_its_composites(
    exported: Callable[..., Path], shards: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = exported("completion")
    assert cost.main([str(file), "--data", str(shards), "--pictures", "2"]) == 0
    assert "costs 0.000 dB" in capsys.readouterr().out.replace("-0.000", "0.000")
    built, run, faces = graphs.build("completion", SIDE), sessions.OnnxFile(file).run, cost.load(str(shards), SIDE, 2)
    worse = cost.measure(built, lambda given: [answer + 0.3 for answer in run(given)], faces)
    assert worse.fills == 2 * len(cost.MASKS) and worse.decibels == pytest.approx(worse.torch - worse.file)
    assert abs(worse.decibels) > 0.3
    restorer = sessions.OnnxFile(exported("restorer"))
    assert abs(cost.measure(graphs.build("restorer", SIDE), restorer.run, faces).decibels) < 0.01
    with pytest.raises(parity.ParityError, match=r"costs 0\.40 dB .* more than the limit of 0\.3 dB"):
        cost.refuse("completion.int8", cost.Cost(20.4, 20.0, 8), "int8")


@pytest.mark.slow
def test_int8_is_quantised_measured_and_told(shards: Path, tmp_path: Path) -> None:
    command = ["completion", "--precision", "int8", "--size", str(SIDE), "-o", str(tmp_path)]
    assert main([*command, "--calibrate", str(shards)]) == 0
    model, about = onnx.load(tmp_path / "completion.int8.onnx"), sidecar.read(tmp_path / "completion.int8.onnx")
    assert model.ir_version == 9 and about["runtime"] == {"onnxruntime": "1.17"}
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    eight = [node for node in convolutions if producers.get(node.input[0]) == "DequantizeLinear"]
    assert len(eight) >= len(convolutions) / 2 and len(eight) + len(about["kept_in_fp32"]) == len(convolutions)
    assert about["cost"]["torch"] - about["cost"]["file"] <= cost.LIMITS["int8"]
    assert all(error["mean"] <= parity.TOLERANCES["int8"].mean for error in about["errors"])


@pytest.mark.slow
def test_int8_that_costs_too_much_is_not_left_behind(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cost.LIMITS, "int8", -50.0)
    monkeypatch.setattr(quantisation, "FP32_SHARES", (0.5,))
    command = ["completion", "--precision", "int8", "--size", str(SIDE), "-o", str(tmp_path)]
    assert main([*command, "--calibrate", str(shards)]) == 1
    assert "more than the limit" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_int8_says_what_it_needs(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--precision", "int8", "-o", str(tmp_path), "--calibrate", str(shards)]
    assert main(["dcgan", *command]) == 1
    assert "dcgan does not support int8" in capsys.readouterr().err
    few = tmp_path / "few-train-00.tar"
    with tarfile.open(shards) as source, tarfile.open(few, "w") as target:
        for entry in source.getmembers()[:4]:
            target.addfile(entry, source.extractfile(entry))
    command = ["all", "--precision", "int8", "--size", str(SIDE), "-o", str(tmp_path)]
    assert main([*command, "--calibrate", str(few)]) == DataError.exit_code
    said = capsys.readouterr().err
    assert "only these graphs support int8: restorer, completion" in said and "Add --calibrate shards" in said
