"""The system: its description for measurements, threads, and processes."""

import multiprocessing
import os
import platform
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


def machine() -> str:
    """The processor's name and its number of cores."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    except OSError:  # not Linux
        pass
    return f"{name}, {os.cpu_count()} cores"


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def threads() -> int:
    """How many threads a runtime may use in this process, by OMP_NUM_THREADS, which ``take_threads`` sets, but at most
    the number of cores; 0: all cores.
    """
    try:
        return min(max(0, int(os.environ.get("OMP_NUM_THREADS", ""))), os.cpu_count() or 1)
    except ValueError:
        return 0


def take_threads(count: int) -> Callable[[], None]:
    """Limit torch, onnxruntime, OpenCV and NumPy's BLAS to ``count`` threads each in this process. Networks that are
    already open keep theirs. Returns a function that undoes it.

    Parallel processes that each use every core for small matrix products wait twenty times as long as they compute.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")  # if it is imported later, it reads the variable
    variable, opencv_threads = os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()
    torch_threads = torch.get_num_threads() if torch else 0
    blas_limits = threadpool_limits(count, user_api="blas")
    os.environ["OMP_NUM_THREADS"] = str(count)
    cv2.setNumThreads(count)
    if torch:
        torch.set_num_threads(count)

    def undo() -> None:
        blas_limits.restore_original_limits()
        cv2.setNumThreads(opencv_threads)
        if variable is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        else:
            os.environ["OMP_NUM_THREADS"] = variable
        if torch:
            torch.set_num_threads(torch_threads)

    return undo


def processes(count: int, begin: Callable[..., None], *arguments: Any) -> ProcessPoolExecutor:
    """A pool of ``count`` processes. Each first calls ``begin(*arguments)``, and ends when this process ends, even when
    that is killed. They are spawned, as torch's threads do not survive a fork.
    """
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin, (begin, *arguments))


def _begin(begin: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    begin(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
