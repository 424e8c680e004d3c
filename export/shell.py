"""Shared parts of the exporters' commands: their parser and exit code, progress of long work, arguments."""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from faceinp.cli.terminal import exit_code, say

FIRST_REPORT = 15  # seconds after which long work reports its progress
NEXT_REPORT = 60  # seconds between reports


def parser(name: str, about: str) -> argparse.ArgumentParser:
    """The parser of ``faceinp export NAME``."""
    return argparse.ArgumentParser(prog=f"faceinp export {name}", description=about)


def main(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None], argv: Sequence[str] | None) -> int:
    """Parse ``argv`` (None: the command line), run, and return the exit code."""
    return exit_code(parser.prog, "export", lambda: run(parser.parse_args(argv)))


@contextmanager
def progress(work: str) -> Iterator[None]:
    """Print when ``work`` begins and ends, and from time to time how long it has taken."""
    started, done = time.monotonic(), Event()

    def report() -> None:
        wait = FIRST_REPORT
        while not done.wait(wait):
            say(f"{work}: {time.monotonic() - started:.0f} s so far")
            wait = NEXT_REPORT

    say(f"{work} ...")
    thread = Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    say(f"{work}: done, {time.monotonic() - started:.0f} s")


def natural(text: str) -> int:
    """The argument type of a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def batches(text: str) -> tuple[int, ...]:
    """The argument type of batch sizes: "1-16" or "1,4,16" -> ascending numbers."""
    try:
        sizes = tuple(sorted({int(number) for number in text.replace("-", ",").split(",")}))
    except ValueError:
        sizes = ()
    if not sizes or sizes[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a range such as 1-16 nor a list such as 1,4,16")
    return sizes


def report(file: Path, about: Mapping[str, Any]) -> None:
    """Print the size of an exported file, and its error against torch. about: its sidecar."""
    note_untrained(*([] if about["trained"] else [file.name]))
    worst = max(error["max"] for error in about["errors"])
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, error against torch at most {worst:.1e}, {about['seconds']} s")


def note_untrained(*names: str) -> None:
    """Print that these files or graphs, if any, contain untrained networks."""
    if names:
        say(f"note: {', '.join(names)} contains an untrained network because its weights are missing")
