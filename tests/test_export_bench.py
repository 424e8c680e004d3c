"""The timing of runtimes: each is the same network, and the table says what was measured."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from export_files import SIDE

pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")

from faceinp.export import bench

from faceinp.errors import FaceinpError
from faceinp.models import sessions

pytestmark = pytest.mark.usefixtures("small_weights")


@pytest.fixture
def files(exported: Callable[..., Path]) -> Path:
    """A folder of exported files."""
    for name in ("completion", "photo", "restorer"):
        exported(name)
    return exported("landmarks").parent


def test_runtimes_are_timed_and_are_the_network(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--rounds", "3", "--batch", "1,2", "--size", str(SIDE), "--threads", "1", "-o", str(files)]
    assert bench.main([*command, "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    rows = {
        (row["graph"], row["runtime"].split()[0], row["runtime"].split()[-1], row["batch"]): row for row in told["rows"]
    }
    wanted = [
        ("completion", "torch", "fp32"),
        *((n, "onnxruntime", "fp32") for n in ("completion", "restorer", "landmarks")),
    ]
    if importlib.util.find_spec("openvino"):
        wanted.append(("completion", "openvino", "fp32"))
    else:
        assert "completion on openvino is left out" in said.err and "pip install 'faceinp[openvino]'" in said.err
    for key in wanted:
        for batch in (1, 2):
            row = rows[*key, batch]
            assert row["milliseconds"] > 0 and row["max"] < 1e-4
    assert rows["completion", "torch", "fp32", 1]["share"] == 1
    if not sessions.nvidia_gpus():
        assert "completion on tensorrt is skipped: TensorRT needs an NVIDIA GPU" in said.err
    assert rows["photo", "onnxruntime", "fp32", 1]["max"] < 0.5 and ("photo", "onnxruntime", "fp32", 2) not in rows
    one, two = told["floors"]
    assert two["operations"] == pytest.approx(2 * one["operations"]) and one["bytes"] < two["bytes"] < 2 * one["bytes"]
    assert told["trained"] and told["threads"] == 1 and "onnxruntime" in told["versions"]


def test_the_table_holds_the_restorer_against_its_parts() -> None:
    name = "onnxruntime 1 cpu fp32"
    rows = [
        bench.Timing(graph, name, 1, ms, 0.5, 0.0, 0.0)
        for graph, ms in (("restorer", 33), ("landmarks", 10), ("completion", 20))
    ]
    rows.append(bench.Timing("completion", "onnxruntime 1 cpu int8", 1, 7, 0.2, 0.0, 0.0))  # no part of this restorer
    text = bench.table(rows, [bench.Floor(1, 2e9, 1e6, 5.0)])
    assert "restorer takes 1.10 of the time of its networks" in text and "2.0 GFLOP and 1 MB" in text
    assert "| completion | onnxruntime 1 cpu fp32 | 1 | 20.0 | 0.50 |" in text


def test_an_unknown_runtime_is_named() -> None:
    with pytest.raises(FaceinpError, match="Unknown runtime abacus"):
        bench.bench(["abacus"])
