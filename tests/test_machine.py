"""How many cores a process takes."""

import cv2
import numpy as np
import torch
from threadpoolctl import threadpool_info

from faceinp.machine import take_threads


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
