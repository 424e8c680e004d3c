"""`faceinp doctor` runs what is installed, and says what does not work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faceinp.cli import doctor
from faceinp.models import sessions, weights

ROOT = Path(__file__).parent.parent


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "faceinp", "doctor"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder without weights: the timing is then of an engine that needs none."""
    return tmp_path_factory.mktemp("weights")


@pytest.mark.process
def test_a_sound_machine_is_told_so(nothing: Path) -> None:
    done = run(FACEINP_WEIGHTS=str(nothing))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for start in ("ok      python: ", "ok      torch: ", "ok      torch on cpu: ran", "-       weights completion: "):
        assert any(line.startswith(start) for line in lines), start
    assert any(line.startswith("ok      engine ") and " s per crop of " in line for line in lines)
    if "onnxruntime, CPU" in done.stdout:
        assert "onnxruntime, CPUExecutionProvider: ran: onnxruntime" in done.stdout


@pytest.mark.process
@pytest.mark.parametrize(("name", "subject"), [("openvino", "openvino on cpu"), ("onnxruntime", "onnxruntime")])
def test_what_is_installed_and_broken_is_named(name: str, subject: str, nothing: Path, tmp_path: Path) -> None:
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text(f'raise ImportError("lib{name}.so: cannot open shared object file")')
    done = run(FACEINP_WEIGHTS=str(nothing), PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    (line,) = (line for line in done.stdout.splitlines() if line.startswith(f"BROKEN  {subject}: "))
    assert f"cannot be imported (lib{name}.so: cannot open" in line
    assert f"not working: {subject}" in done.stderr


def test_two_onnxruntimes_are_a_fault_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])  # where metadata is looked for

    def installed(name: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-1.24.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.24.0\n")

    assert list(doctor._onnxruntimes()) == []
    installed("onnxruntime-gpu")
    assert list(doctor._onnxruntimes()) == [doctor.Finding("onnxruntime-gpu", True, "1.24.0")]
    installed("onnxruntime")
    *_, fault = doctor._onnxruntimes()
    assert fault.works is False and fault.subject == "onnxruntime and onnxruntime-gpu"
    remedy = "pip uninstall -y onnxruntime && pip install --force-reinstall --no-deps onnxruntime-gpu"
    assert fault.about.endswith(f"Run: {remedy}")


def test_damaged_weights_are_broken_and_missing_ones_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    (tmp_path / "landmarks.safetensors").write_bytes(b"whole")
    weights.record(tmp_path / "landmarks.safetensors")
    assert doctor._weights("landmarks").works is True
    (tmp_path / "landmarks.safetensors").write_bytes(b"hurt")
    assert doctor._weights("landmarks").works is False and "damaged" in doctor._weights("landmarks").about
    assert doctor._weights("completion").works is None


def test_the_network_it_tries_runtimes_with_is_what_it_says() -> None:
    onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
    model = onnx.load_from_string(doctor.TINY)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Conv"]


def test_a_provider_that_is_listed_and_runs_nothing_is_refused(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="the extra 'export' is not installed")
    (tmp_path / "tiny.onnx").write_bytes(doctor.TINY)
    idle = doctor.REMOTE[0]
    if idle not in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime lists only providers that run")
    with pytest.raises(sessions.EngineError, match="is listed but does not run here"):
        sessions.OnnxFile(tmp_path / "tiny.onnx", idle)
