"""Four tiers of tests, each a marker, and what keeps a quick one quick: `make test TIER=unit`.

- ``unit``: no shipped network is opened and no process is started; what has no other marker.
- ``model``: opens a shipped network, or builds and trains one of its own.
- ``process``: exports networks, starts interpreters, servers or compilers, or installs something.
- ``browser``: drives Chromium.

A test's tier is the highest of: its own decorator, ``FILES``, ``FIXTURES``. A unit test that opens a shipped network or
starts a process fails, and the message says which marker it needs.
"""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
TIERS = ("unit", "model", "process", "browser")  # each one allows what those before it do
FILES = {  # tests whose file, or its folder, has this name
    "model": """
        building folders tables test_batch test_batch_references test_batch_resumed test_batch_settings
        test_batch_sources test_calibration test_cascade test_cli test_completion test_damage_found
        test_dcgan_limits test_demo test_demo_api test_demo_find test_demo_landmarks test_demo_naturalness
        test_demo_regions test_demo_steps test_detection test_doctor test_embedding test_engine_contract
        test_exemplar_cases test_exemplars test_export_shell test_export_triton test_export_trt
        test_feature_networks test_fetching test_find_batch test_find_shell test_find_training test_frechet
        test_hub test_hub_onnx test_identity test_jobs test_judge_files test_judge_vectors test_kinds
        test_landmark_engine test_landmarks test_latent test_latent_settings test_likeness test_naturalness
        test_occluders_found test_opponents test_own_judges test_pipeline test_project test_proposal_settings
        test_proposals_baseline test_recipes test_reference_check test_runtimes test_segmentation
        test_several_faces test_surroundings test_switches test_train test_train_completion test_train_starts
        test_uploads
    """,
    "process": """
        api test_architecture test_export_bench test_export_examples test_export_graphs test_export_int8
        test_export_litert test_export_onnx test_export_photo test_hosting test_light test_limits test_load
        test_packaging
    """,
    "browser": "browser",
}
FIXTURES = {
    "exported": "process",
    "judge": "model",
    "judge_folder": "model",
    "judge_weights": "model",
    "small_folder": "model",
    "small_weights": "model",
    "server": "process",
    "browser": "browser",
}
STARTS = {"subprocess.Popen", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.exec", "os.system"}
# Programs that take long. Others (ldconfig, lscpu, fc-list ...) are what Python's packages ask the system at first use.
PROGRAMS = ("python", "faceinp", "node", "npm", "chrom", "cmake", "uv", "pip")

_running: pytest.Item | None = None
_refused = ""


def tier_of(item: pytest.Item) -> str:
    """The highest tier that the test, its file or one of its fixtures asks for."""
    wanted = {FIXTURES[name] for name in getattr(item, "fixturenames", ()) if name in FIXTURES}
    wanted |= {mark.name for mark in item.iter_markers()} | {tier_of_file(item.path)}
    return max(wanted.intersection(TIERS), key=TIERS.index)


def tier_of_file(file: Path) -> str:
    """The least tier of its tests."""
    parts = file.relative_to(ROOT / "tests").with_suffix("").parts
    return next((tier for tier, names in FILES.items() if set(parts) & set(names.split())), "unit")


def leaves_out(selected: str, file: Path) -> bool:
    """Whether all tests of a file are above the tiers that ``selected``, the -m option, names.

    Such a file is not imported: torch and Gradio take longer than many unit tests.
    """
    words = re.findall(r"\w+", selected)
    named = [tier for tier in TIERS if tier in words]
    denied = any(f"not {tier}" in " ".join(words) for tier in named)
    return bool(named) and not denied and TIERS.index(tier_of_file(file)) > max(map(TIERS.index, named))


# ---- hooks of pytest ----


@pytest.hookimpl(tryfirst=True)  # before pytest selects by -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(tier_of(item))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_test = collection_path.suffix == ".py" and (ROOT / "tests") in collection_path.parents
    return (is_test and leaves_out(config.option.markexpr, collection_path)) or None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    global _running, _refused  # noqa: PLW0603 - an audit hook stays for good and must know the test
    _running, _refused = item, ""
    try:
        return (yield)
    finally:
        _running = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    result = yield
    if _refused:  # what was raised was caught by the code under test, or in a thread
        pytest.fail(_refused, pytrace=False)
    return result


def pytest_sessionstart() -> None:
    """From now on what a test starts and opens is looked at."""
    import multiprocessing.process

    from faceinp.models import sessions, weights

    sys.addaudithook(_look_at)
    _before(multiprocessing.process.BaseProcess, "start", lambda *_: _refuse("process", "starts a process"))
    for kind in (sessions.OnnxFile, sessions.OpenvinoFile):
        _before(kind, "__init__", _note_file)
        _before(kind, "run", lambda session, *_: _refuse_network(getattr(session, "opened_from", None)))
    _before(weights, "read_tensors", _refuse_network)


# ---- the guard ----


def _look_at(event: str, arguments: tuple[Any, ...]) -> None:
    if _running is not None and event in STARTS:
        program = str(arguments[0]) if arguments else ""
        if not program or Path(program).name.startswith(PROGRAMS):
            _refuse("process", f"starts a process ({program or event})")


def _note_file(session: Any, file: Any, *_: Any) -> None:
    session.opened_from = file
    _refuse_network(file)


def _refuse_network(file: Any) -> None:
    if isinstance(file, str | Path) and Path(file).resolve().parent == ROOT / "weights":
        _refuse("model", f"opens a shipped network ({Path(file).name})")


def _refuse(needed: str, does: str) -> None:
    """Fail the running test if it is a unit test; ``needed``: the tier that allows what it does."""
    global _refused  # noqa: PLW0603 - as above
    if _running is not None and tier_of(_running) == "unit":
        _refused = f"A unit test {does}: mark it with @pytest.mark.{needed} (see tests/tiers.py)."
        pytest.fail(_refused, pytrace=False)


def _before(owner: Any, name: str, look: Callable[..., None]) -> None:
    """Have ``look`` see the arguments of each call of ``owner.name``."""
    real = getattr(owner, name)

    def looked_at(*arguments: Any, **named: Any) -> Any:
        look(*arguments, *named.values())
        return real(*arguments, **named)

    setattr(owner, name, looked_at)
