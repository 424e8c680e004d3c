"""This machine: what stands beside a measurement, processes side by side, and how many cores each takes."""

import multiprocessing
import os
import platform
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


def take_threads(count: int) -> Callable[[], None]:
    """torch, OpenCV and NumPy's products of matrices use ``count`` threads each in this process from now on.

    Processes side by side that all take every core for small products wait for each other twenty times as long as they
    compute. Returns what undoes it.
    """
    import cv2
    import torch
    from threadpoolctl import threadpool_limits

    of_torch, of_opencv = torch.get_num_threads(), cv2.getNumThreads()
    of_products = threadpool_limits(count, user_api="blas")
    torch.set_num_threads(count)
    cv2.setNumThreads(count)

    def undo() -> None:
        of_products.restore_original_limits()
        torch.set_num_threads(of_torch)
        cv2.setNumThreads(of_opencv)

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
