"""A batch of several processes, one of them killed: nothing is lost and nothing is half written."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from batch_files import FACE, encoded, manifest, photo, quiet, settings
from PIL import Image

from faceinp.batch.run import run


@pytest.mark.process
@pytest.mark.slow
def test_two_workers_and_a_kill_at_any_moment(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(100):
        (tmp_path / "in" / f"{number:03}.png").write_bytes(encoded(photo(number)))
    command = [sys.executable, "-m", "faceinp", "batch", str(tmp_path / "in"), str(tmp_path / "out")]
    command += ["--preset", "centre", "--engine", "telea", "--aligned", "--judge", "none", "--workers", "2"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 240
    while not len(list((tmp_path / "out").rglob("*.png"))) > 20:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for file in (tmp_path / "out").glob("*.png"):
        assert np.asarray(Image.open(file)).shape == FACE.shape  # whole, whatever the moment
    for file in (tmp_path / "out" / "manifest").glob("*.jsonl"):
        assert all(json.loads(line) for line in file.read_text().splitlines())
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    lines = manifest(tmp_path / "out")
    assert len(lines) == 100 and {line["outcome"] for line in lines.values()} == {"filled"}
    assert len(list((tmp_path / "out").glob("*.png"))) == 100


@pytest.mark.process
@pytest.mark.slow
def test_on_a_cluster_a_killed_actor_loses_nothing(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    import threading

    (tmp_path / "in").mkdir()
    for number in range(160):
        (tmp_path / "in" / f"{number:03}.png").write_bytes(encoded(photo(number)))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        killed: list[int] = []

        def is_actor(command: Path) -> bool:
            return command.is_file() and b"ray::" in (text := command.read_bytes()) and b"_Actor" in text

        def kill_one() -> None:
            deadline = time.monotonic() + 120
            while not list((tmp_path / "out" / "manifest").glob("*.jsonl")) and time.monotonic() < deadline:
                time.sleep(0.05)
            actors = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and is_actor(p / "cmdline")]
            os.kill(actors[0], signal.SIGKILL)
            killed.append(actors[0])

        killer = threading.Thread(target=kill_one)
        killer.start()
        counted = run(
            str(tmp_path / "in"),
            settings(tmp_path / "out", preset="centre", threads=1),
            workers=2,
            ray="auto",
            say=quiet,
        )
        killer.join()
    finally:
        ray.shutdown()
    assert killed and counted["failed"] == 0
    lines = manifest(tmp_path / "out")
    assert len(lines) == 160 and {line["outcome"] for line in lines.values()} == {"filled"}
