"""This machine: what stands beside a measurement, processes side by side, and how many cores each takes."""

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
    """The processor and its cores, for people."""
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
    """How many threads a runtime may take in this process: what ``take_threads`` left, else OMP_NUM_THREADS, but no
    more than there are cores; 0: all.
    """
    try:
        return min(max(0, int(os.environ.get("OMP_NUM_THREADS", ""))), os.cpu_count() or 1)
    except ValueError:
        return 0


def take_threads(count: int) -> Callable[[], None]:
    """torch, onnxruntime, OpenCV and NumPy's products of matrices use ``count`` threads each in this process from now
    on. Networks that are open already keep theirs.

    Processes side by side that all take every core for small products wait for each other twenty times as long as they
    compute. Returns what undoes it.
    """
    import cv2
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")  # one that is imported later heeds the variable
    before, of_opencv = os.environ.get("OMP_NUM_THREADS"), cv2.getNumThreads()
    of_torch = torch.get_num_threads() if torch else 0
    of_products = threadpool_limits(count, user_api="blas")
    os.environ["OMP_NUM_THREADS"] = str(count)
    cv2.setNumThreads(count)
    if torch:
        torch.set_num_threads(count)

    def undo() -> None:
        of_products.restore_original_limits()
        cv2.setNumThreads(of_opencv)
        if before is None:
            os.environ.pop("OMP_NUM_THREADS", None)
        else:
            os.environ["OMP_NUM_THREADS"] = before
        if torch:
            torch.set_num_threads(of_torch)

    return undo


def processes(count: int, begin: Callable[..., None], *given: Any) -> ProcessPoolExecutor:
    """``count`` new processes, for torch's threads do not survive a fork. Each calls ``begin(*given)`` first, and ends
    when this one does, even when that is killed.
    """
    return ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _begin, (begin, *given))


def _begin(begin: Callable[..., None], *given: Any) -> None:
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    begin(*given)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
