"""Sidecars, metadata, checksums and settings that are odd are sentences, or what they describe is made again."""

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import faceinp
from faceinp import deprecation
from faceinp.cli import commands, main
from faceinp.errors import WeightsError
from faceinp.models import onnx_metadata, runtimes, sessions, sidecar, weights

NAN, INFINITY = float("nan"), float("inf")
DEEP = pytest.param("[" * 100_000, id="deep")
ONNX: dict[str, Any] = {
    "name": "landmarks",
    "about": "The predictor",
    "licence": "research use only",
    "trained": True,
    "taught_by": [],
    "precision": "fp32",
    "size": 256,
    "inputs": {"picture": "float32"},
    "outputs": {"landmarks": "float32"},
    "weights": {"landmarks.safetensors": "0123"},
    "tolerance": {"mean": 1e-4, "largest": 1e-4},
    "limits": {"inputs": {}, "axes": {"batch": {"least": 1, "most": 16, "multiple": 1}}},
    "batch": [1, 16],
}
ENGINE: dict[str, Any] = {
    **{key: value for key, value in ONNX.items() if key != "batch"},
    "precision": "fp16",
    "backend": "tensorrt",
    "version": "10.0",
    "capability": ["9.0"],
    "onnx_sha256": "0123",
    "profiles": [[1, 1], [2, 8]],
    "layers": [["conv", "CONVOLUTION", "HALF"]],
}
ODD = {  # of what every exporter writes
    "name": [None, [], {}, 3],
    "about": [None, ["a"]],
    "licence": [3],
    "trained": ["yes", 1, None],
    "taught_by": [5, [["facenet"]], None],
    "precision": ["fp8", ["fp32"], None],
    "size": [INFINITY, NAN, -1, 10**12, "256", [256], None],
    "weights": [[], None, "a", {"landmarks.safetensors": 3}],
    "inputs": [[], None],
    "outputs": ["a"],
    "tolerance": [None],
    "limits": [None, [], "16"],
}
ODD_ONNX = ODD | {"batch": [None, 16, [1], [16, 1], [0, 4], [1, INFINITY], [1, 2.5], ["1", "2"], {"1": 16}]}
ODD_ENGINE = ODD | {
    "version": [None, 10.0],
    "capability": [None, 9.0, [9.0], {"9.0": 1}],
    "onnx_sha256": [None],
    "profiles": [None, [], [[]], [[1]], [[8, 1]], [1, 8], [["1", "8"]], "18", [[1, INFINITY]]],
    "layers": [None, [3], [[1, 2, 3]], "conv"],
}


def put(file: Path, about: dict[str, Any]) -> Path:
    file.write_bytes(b"a network")
    sidecar.write(file, about)
    return file


# ---- of our own exports ----


@pytest.mark.parametrize("said", ["", "[1, 2]", '"text"', "\xff{", "{", DEEP])
def test_what_is_no_sidecar_is_a_sentence(said: str, tmp_path: Path) -> None:
    file = tmp_path / "a.engine"
    file.write_bytes(b"one")
    sidecar.path(file).write_text(said, encoding="latin-1")
    with pytest.raises(WeightsError, match=r"a\.engine\.json.*Export a\.engine again"):
        sidecar.read(file)


def test_a_sidecar_of_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.engine"
    file.write_bytes(b"one")
    with pytest.raises(WeightsError, match="cannot be read"):
        sidecar.read(file)
    sidecar.path(file).write_text(json.dumps({"sha256": "0"}))
    with pytest.raises(WeightsError, match="checksum mismatch"):
        sidecar.read(file)
    with pytest.raises(WeightsError, match=r"\. is a folder"):
        sidecar.read(Path("."))


@pytest.mark.parametrize(
    ("name", "about", "odd"), [("a.onnx", ONNX, ODD_ONNX), ("a.engine", ENGINE, ODD_ENGINE)], ids=["onnx", "engine"]
)
def test_each_value_that_is_used_is_named_where_it_is_odd(
    name: str, about: dict[str, Any], odd: dict[str, list[Any]], tmp_path: Path
) -> None:
    said = sidecar.read(put(tmp_path / name, about))
    assert {key: said[key] for key in about} == about
    for key, values in odd.items():
        file = put(tmp_path / name, {other: value for other, value in about.items() if other != key})
        with pytest.raises(WeightsError, match=rf"'{key}' is missing\. Export it again"):
            sidecar.read(file)
        for value in values:
            with pytest.raises(WeightsError, match=rf"'{key}'.* Export it again|'landmarks.safetensors' must"):
                sidecar.read(put(tmp_path / name, about | {key: value}))


def test_a_single_name_is_one_name(tmp_path: Path) -> None:
    said = sidecar.read(put(tmp_path / "a.engine", ENGINE | {"taught_by": "facenet", "capability": "19.05"}))
    assert said["taught_by"] == ["facenet"] and said["capability"] == ["19.05"]


def test_the_exporters_say_what_is_odd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    from faceinp.export import cost, parity

    for key, value in (("name", ["landmarks"]), ("precision", 3), ("size", INFINITY), ("weights", None), ("batch", 3)):
        file = put(tmp_path / "landmarks.onnx", ONNX | {key: value})
        for command in ([parity.main, str(file)], [cost.main, str(file), "--data", "none.tar"]):
            assert command[0](command[1:]) == WeightsError.exit_code
            assert f"'{key}' must be" in capsys.readouterr().err
    assert parity.main([str(tmp_path)]) == WeightsError.exit_code
    assert "is a folder" in capsys.readouterr().err


@pytest.mark.model
def test_what_is_odd_is_exported_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxscript", reason="the extra 'export' is not installed")
    from faceinp.export import graphs, onnx, trt

    monkeypatch.setattr(onnx, "export", lambda *_, **__: Path("exported"))
    file = put(tmp_path / "landmarks.onnx", ONNX | {"weights": graphs.build("landmarks").hashes, "batch": [1, 16]})
    assert onnx.ensure_exported("landmarks", tmp_path) == file
    put(file, ONNX | {"batch": "1-16"})
    assert onnx.ensure_exported("landmarks", tmp_path) == Path("exported")
    assert "Exporting landmarks.onnx again: " in capsys.readouterr().err
    engine = put(tmp_path / "landmarks.engine", ENGINE | {"layers": 3})
    assert "'layers' must be a list" in trt._outdated(engine, {})


# ---- TensorRT ----


@pytest.fixture
def tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT 10.0 and a GPU of 9.0, as far as sidecars are concerned."""
    monkeypatch.setattr(sessions.importlib, "import_module", lambda name: SimpleNamespace(__version__="10.0"))
    monkeypatch.setattr(sessions, "compute_capability", lambda: "9.0")
    monkeypatch.setattr(sessions, "tensorrt_package", lambda: "tensorrt")


@pytest.mark.usefixtures("tensorrt")
def test_an_engine_is_for_the_gpus_that_its_sidecar_lists() -> None:
    assert sessions.mismatch(ENGINE, "tensorrt") == ""
    assert sessions.mismatch(ENGINE | {"capability": "9.0"}, "tensorrt") == ""
    assert "for compute capability 19.05," in sessions.mismatch(ENGINE | {"capability": "19.05"}, "tensorrt")
    for odd in (None, 9.0, [9.0], [["9.0"]]):
        assert "'capability' must be" in sessions.mismatch(ENGINE | {"capability": odd}, "tensorrt")
    assert "'capability' is missing" in sessions.mismatch({"backend": "tensorrt", "version": "10.0"}, "tensorrt")
    assert sessions.mismatch({"backend": ["tensorrt"]}, "tensorrt").startswith("it was built by")


@pytest.mark.usefixtures("tensorrt")
def test_an_engine_that_does_not_fit_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    monkeypatch.setenv("FACEINP_CACHE", str(tmp_path))
    monkeypatch.setattr(runtimes, "_call_exporter", lambda *arguments: built.append(arguments[0]))
    folder = runtimes._engine_cache("landmarks")
    folder.mkdir()
    source, engine = folder / "landmarks.fp16.onnx", folder / "landmarks.fp16.sm90.tensorrt.engine"
    source.write_bytes(b"a graph")
    fits = ENGINE | {"onnx_sha256": weights.sha256(source)}
    put(engine, fits)
    assert runtimes._built("landmarks", "fp16") == engine and not built
    others: list[dict[str, Any]] = [{"name": "completion"}, {"precision": "fp32"}, {"onnx_sha256": "of another"}]
    others += [{"capability": "19.0"}, {"capability": None}, {"profiles": 3}, {"precision": None}, {"version": "9.0"}]
    for number, other in enumerate(others, 1):
        put(engine, fits | other)
        assert runtimes._built("landmarks", "fp16") == engine and len(built) == number
    sidecar.path(engine).write_text("[]")
    assert runtimes._built("landmarks", "fp16") == engine and len(built) == len(others) + 1


# ---- metadata of ONNX files ----


@pytest.mark.model  # OpenVINO starts a process when it is imported
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("reads", "nope", "'reads' is not JSON"),
        pytest.param("reads", "[" * 100_000, "nested too deeply", id="deep"),
        ("reads", "[]", "'reads' must be an object"),
        ("reads", '{"a.safetensors": 3}', "'a.safetensors' must be one line of text"),
        ("reads", '{"../../x": "0"}', "without folders, got '../../x'"),
        ("reads", '{"..": "0"}', "without folders"),
        ("reads", '{"a\\\\b": "0"}', "without folders"),
        ("reads", '{"": "0"}', "invalid metadata"),
        ("reads", '{"none.safetensors": "0"}', r"reads .*none\.safetensors, which is missing"),
        ("taught_by", "nope", "'taught_by' is not JSON"),
        ("taught_by", "[[1]]", "'taught_by' must be a list of names"),
        ("taught_by", "null", "'taught_by' must be a list of names"),
        ("guided", "nope", "'guided' is not JSON"),
        ("guided", "[]", "'guided' must be true or false"),
        ("precision", "two\nlines", "'precision' must be one line"),
    ],
)
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_odd_metadata_are_a_sentence(runtime: str, key: str, value: str, said: str, tmp_path: Path) -> None:
    pytest.importorskip(runtime, reason=f"{runtime} is not installed")
    file = described(tmp_path, {"name": "completion", key: value})
    with pytest.raises(WeightsError, match=said):
        faceinp.load_engine("landmark", {"runtime": runtime, "file": file})


def test_metadata_are_values(tmp_path: Path) -> None:
    stored = {"name": "completion", "taught_by": '["bundled"]', "guided": "false", "reads": '{"a.safetensors": "01"}'}
    (tmp_path / "a.safetensors").touch()
    about = sessions.OnnxFile(described(tmp_path, stored)).about
    assert about["taught_by"] == ["bundled"] and about["guided"] is False
    assert onnx_metadata.external_files(about) == {"a.safetensors": "01"} and onnx_metadata.external_files({}) == {}
    assert sessions.OnnxFile(described(tmp_path, {"taught_by": '"facenet"'})).about["taught_by"] == ["facenet"]


def described(folder: Path, metadata: dict[str, str]) -> Path:
    """The smallest network, with metadata of ours."""
    onnx = pytest.importorskip("onnx", reason="the extra 'export' is not installed")
    from faceinp.cli.doctor import TINY

    model = onnx.load_from_string(TINY)
    onnx.helper.set_model_props(model, {f"faceinp.{key}": value for key, value in metadata.items()})
    file = folder / "described.onnx"
    onnx.save(model, file)
    return file


# ---- weights ----


@pytest.mark.parametrize("said", ["", "[]", "{", DEEP])
def test_odd_checksums_are_a_sentence(
    said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from faceinp.cli import doctor

    monkeypatch.setenv("FACEINP_WEIGHTS", str(tmp_path))
    (tmp_path / "dcgan-limits.json").write_text("{}")
    (tmp_path / weights.CHECKSUMS).write_text(said)
    assert main.main(["weights", "verify"]) == WeightsError.exit_code
    assert "checksums.json cannot be read" in capsys.readouterr().err
    found = doctor._weights("dcgan-limits")
    assert found.works is False and "checksums.json cannot be read" in found.about
    with pytest.raises(WeightsError, match=r"checksums\.json cannot be read"):
        weights.record(tmp_path / "dcgan-limits.json")


@pytest.mark.parametrize(
    "odd",
    [
        *("nope", "[]", "null", DEEP),
        *({"network": network} for network in ("unknown", [1], None)),
        *({"width": width} for width in ("x", -1, INFINITY, 100_000, 9)),
        *({"landmarks": "no"}, {"taught_by": 5}, {"patch_width": "x"}),
    ],
)
def test_odd_settings_of_packed_weights_are_a_sentence(
    odd: str | dict[str, Any], small_folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    from safetensors.torch import save_file

    from faceinp.models import networks

    metadata, tensors = weights.read_tensors(small_folder / "completion.safetensors")
    config = odd if isinstance(odd, str) else json.dumps(json.loads(metadata["config"]) | odd)
    file = tmp_path / "odd.safetensors"
    save_file(tensors, file, {"config": config})
    with pytest.raises(WeightsError, match=r"odd\.safetensors.*`faceinp weights pack`"):
        networks.load("completion", file)


def test_a_search_says_what_it_cannot_use(small_folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra 'torch' is not installed")
    from faceinp.engines import search

    with pytest.raises(WeightsError, match="does not contain the network 'dcgan'"):
        search.Prior.load(small_folder / "landmarks.safetensors")
    for odd in ("", "[]", "{}", '{"limits": []}', '{"limits": {"ssim_min": "a"}}', "[" * 100_000):
        (tmp_path / "limits.json").write_text(odd)
        with pytest.raises(WeightsError, match=r"limits\.json does not contain limits"):
            search.load_limits(tmp_path / "limits.json")


def test_a_folder_may_lie_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    monkeypatch.setenv("FACEINP_WEIGHTS", "~/mine")
    monkeypatch.setenv("FACEINP_CACHE", "~/kept")
    assert weights.folder() == tmp_path / "mine" and weights.cache() == tmp_path / "kept"
    monkeypatch.delenv("FACEINP_CACHE")
    assert weights.cache() == tmp_path / ".cache" / "faceinp"


# ---- the shell ----


def test_the_shell_says_what_is_deprecated_as_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "engines", lambda args: deprecation.warn("It is called otherwise now."))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert main.main(["engines"]) == 0
    assert capsys.readouterr().err == "note: It is called otherwise now.\n"
