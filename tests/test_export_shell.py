"""What every exporter's command shares."""

import argparse
import time

import pytest

pytest.importorskip("torch", reason="the extra 'torch' is not installed")

from faceinp.export import bench, shell


def test_long_work_says_that_it_goes_on_and_short_work_when_it_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shell, "FIRST_REPORT", 0.05)
    with shell.progress("building"):
        time.sleep(0.2)
    said = capsys.readouterr().err.splitlines()
    assert said == ["building ...", "building: 0 s so far", "building: done, 0 s"]
    with pytest.raises(ValueError), shell.progress("building"):
        raise ValueError
    assert capsys.readouterr().err.splitlines() == ["building ..."]


@pytest.mark.parametrize("odd", ["0", "0-4", "1.5", "-", "", "x"])
def test_batches_start_at_one(odd: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is neither a range such as 1-16"):
        shell.batches(odd)


def test_batches_are_a_range_or_a_list() -> None:
    assert shell.batches("1-16") == (1, 16) and shell.batches("16,1,4") == (1, 4, 16)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--batch", "0"], "'0' is neither a range such as 1-16"),
        (["--rounds", "0"], "'0' is not a whole number of at least 1"),
        (["--size", "250"], "The --size of completion must be a multiple of 32, got 250."),
        (["--threads", "-1"], "'threads' must be a whole number from 0 to 1024"),
    ],
)
def test_timing_refuses_what_cannot_be(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = bench.main(["--runtimes", "torch", *options])
    except SystemExit as exit:  # argparse's
        code = exit.code
    assert code and said in capsys.readouterr().err
