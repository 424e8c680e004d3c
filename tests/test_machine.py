"""Processes side by side, and how many cores each takes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from serving import until
from threadpoolctl import threadpool_info

from faceinp.models.system import take_threads, threads


def counts() -> tuple[int, int, set[int]]:
    np.ones((2, 2)) @ np.ones((2, 2))
    products = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
    return torch.get_num_threads(), cv2.getNumThreads(), products


def test_a_process_takes_as_many_threads_as_it_is_told_and_gives_them_back() -> None:
    undo_all = take_threads(2)
    assert counts() == (2, 2, {2})
    undo = take_threads(1)
    assert counts() == (1, 1, {1})
    undo()
    assert counts() == (2, 2, {2})
    undo_all()


@pytest.mark.parametrize(
    ("said", "taken"), [("1", 1), ("5000", os.cpu_count()), ("9" * 5000, 0), ("many", 0), ("²", 0), ("-3", 0), ("", 0)]
)
def test_a_runtime_takes_no_more_threads_than_there_are_cores(
    said: str, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert threads() == taken


PARENT = """
import os, sys, time
from faceinp.models.system import processes

def begin(file):
    with open(file, "w") as stream:
        stream.write(str(os.getpid()) + "\\n")

if __name__ == "__main__":
    processes(1, begin, sys.argv[1]).submit(time.sleep, 600).result()
"""


@pytest.mark.process
def test_processes_end_with_the_one_that_began_them_even_if_it_is_killed(tmp_path: Path) -> None:
    script, told = tmp_path / "parent.py", tmp_path / "told"
    script.write_text(PARENT)
    parent = subprocess.Popen([sys.executable, str(script), str(told)])
    until(lambda: told.exists() and told.read_text().endswith("\n"))
    child = int(told.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not runs(child))


def runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")  # one that has ended and is waited for by nobody
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"
