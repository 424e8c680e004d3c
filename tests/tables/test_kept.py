"""What was made is made once: runs that are stopped, killed, repeated or shared by processes."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import asked, at, silent, timeless
from numpy.typing import NDArray
from safetensors.torch import save_file

from faceinp.cli.main import main
from faceinp.engines import base
from faceinp.engines.base import Batch, Engine
from faceinp.evaluate.engine_tables import cells, fills, tables, variants
from faceinp.evaluate.engine_tables import run as paper
from faceinp.evaluate.engine_tables.cells import Cell, Quantity
from faceinp.models import weights

pytest.importorskip("webdataset")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
ROOT = Path(__file__).parent.parent.parent


def test_a_second_run_makes_nothing_anew(folder: Path, judge: Path, tmp_path: Path, counted: list[int]) -> None:
    request = asked(folder, tmp_path, engines=("grey",), onnx=(str(judge),))
    first = paper.run(tables.by_name(("L3", "L4")), request, silent)
    assert counted == [4, 4]  # two holes, for both tables once
    again = paper.run(tables.by_name(("L3", "L4")), request, silent)
    assert again == first and counted == [4, 4]
    (tmp_path / "cells.jsonl").unlink()
    assert paper.run(tables.by_name(("L3", "L4")), request, silent) == first and counted == [4, 4]
    more = paper.run(tables.by_name(("L3",)), dataclasses.replace(request, pictures=5), silent)
    assert counted == [4, 4, 1, 1] and at(more, engine="grey", mask="7").pictures == 5  # only what is new
    paper.run(tables.by_name(("L3",)), dataclasses.replace(request, seed=1), silent)
    assert counted[4:] == [4, 4]  # another seed makes other fills


def test_other_weights_make_other_fills(small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEINP_WEIGHTS", str(small_folder))
    before = variants.describe("landmark").fingerprint
    assert variants.describe("landmark").fingerprint == before
    copy = tmp_path / "same.safetensors"
    copy.write_bytes((small_folder / "completion.safetensors").read_bytes())
    named = variants.describe(f"landmark+file={copy}").fingerprint
    state = weights.read_tensors(copy)
    save_file({name: value * 2 for name, value in state[1].items()}, tmp_path / "other.safetensors", state[0])
    other = variants.describe(f"landmark+file={tmp_path / 'other.safetensors'}").fingerprint
    assert len({before, named, other, variants.describe("telea").fingerprint}) == 4
    (tmp_path / "moved").mkdir()
    moved = copy.rename(tmp_path / "moved" / "same.safetensors")
    assert variants.describe(f"landmark+file={moved}").fingerprint == named  # what counts is what is in it


def test_a_stopped_run_goes_on(
    folder: Path, tmp_path: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    grey = base.registry["grey"]
    generate = grey._generate

    def stop_at_the_second(self: Engine, batch: Batch) -> NDArray[np.floating]:
        if counted:
            raise KeyboardInterrupt
        return generate(self, batch)

    monkeypatch.setattr(grey, "_generate", stop_at_the_second)
    request = asked(folder, tmp_path / "stopped", engines=("grey",))
    with pytest.raises(KeyboardInterrupt):
        paper.run(tables.by_name(("L3",)), request, silent)
    assert [cell.engine for cell in cells.read([tmp_path / "stopped" / "cells.jsonl"])] == ["telea", "telea", "grey"]
    monkeypatch.setattr(grey, "_generate", generate)
    resumed = paper.run(tables.by_name(("L3",)), request, silent)
    assert counted == [4, 4]
    whole = paper.run(tables.by_name(("L3",)), dataclasses.replace(request, out=str(tmp_path / "whole")), silent)
    assert [timeless(cell) for cell in resumed] == [timeless(cell) for cell in whole]


@pytest.mark.process
def test_a_killed_run_leaves_nothing_half_written(folder: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(folder), "--engines", "telea,mirror", "--pictures", "6", "--judges", "none"]
    command = [sys.executable, "-m", "faceinp", "evaluate", "paper", "--table", "L3", *arguments, "-o", str(tmp_path)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    file, until = tmp_path / "cells.jsonl", time.monotonic() + 300
    # The file is there a moment before its first line is.
    while (not file.is_file() or not file.stat().st_size) and time.monotonic() < until and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait()
    there = cells.read([file])
    assert 0 < len(there) < 30
    for kept in tmp_path.glob("kept/*/*"):
        if kept.suffix != ".part":  # under its own name a file is whole
            content = kept.read_bytes()
            assert (content[:4] == b"\x89PNG" and content[-8:-4] == b"IEND") or (content[:2] == b"PK" and np.load(kept))
    assert main(command[3:]) == 0
    made = cells.read([file])
    assert len(made) == 30 and len(file.read_text().splitlines()) == 30  # none twice
    assert [cell for cell in made if cell.key in {old.key for old in there}] == there


def test_a_file_is_kept_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = fills.Store(tmp_path)
    store.write("ab12", b"before")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", torn(Path.write_bytes))
        for key in ("ab12", "cd34"):
            with pytest.raises(KeyboardInterrupt):
                store.write(key, b"after it was killed")
    assert store.read("ab12") == b"before" and store.read("cd34") is None and "cd34" not in store


def torn(write: Callable[[Path, bytes], int]) -> Callable[[Path, bytes], int]:
    """Writes half, then is stopped."""

    def stopped(self: Path, content: bytes) -> int:
        write(self, content[: len(content) // 2])
        raise KeyboardInterrupt

    return stopped


def test_a_torn_line_is_neither_read_nor_written_on(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    first = Cell("L3", "celeba-val", "aligned", "", "telea", "1", {})
    cells.append(file, first)
    with file.open("a") as stream:
        stream.write('{"table": "L3", "set"')
    second = dataclasses.replace(first, mask="2")
    cells.append(file, second)
    assert cells.read([file]) == [first, second]
    cells.append(file, dataclasses.replace(first, pictures=7))
    assert [cell.pictures for cell in cells.read([file])] == [7, 0]  # the latest of a place


@pytest.mark.process
def test_several_processes_make_the_same_figures(
    folder: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = tables.by_name(("L3", "L5"))
    request = asked(folder, tmp_path / "one", onnx=(str(judge),))
    alone = paper.run(wanted, request, silent)
    monkeypatch.setattr(fills, "make", lambda *given: pytest.fail("this process fills, too"))
    together = paper.run(wanted, dataclasses.replace(request, out=str(tmp_path / "two"), workers=2), silent)
    assert [timeless(cell) for cell in together] == [timeless(cell) for cell in alone]
    assert at(alone, table="L3", engine="telea", mask="7").measures[Quantity("composite_psnr")].mean > 0
    assert at(alone, table="L5", engine="untouched").measures[Quantity("strangers", "colours")].mean == 0
