"""Shared parts of the exporters' commands: errors as one line and an exit code, progress of long work, arguments."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from faceinp.errors import FaceinpError, missing_package

FIRST_REPORT = 15  # seconds after which long work reports its progress
NEXT_REPORT = 60  # seconds between reports


def main(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None], argv: Sequence[str] | None) -> int:
    """Parse ``argv`` (None: the command line), run, and return the exit code."""
    try:
        run(parser.parse_args(argv))
    except FaceinpError as error:
        return _fail(parser.prog, str(error), error.exit_code)
    except ModuleNotFoundError as error:
        problem = missing_package(error, "export")
        if problem is None:
            raise
        return _fail(parser.prog, str(problem), problem.exit_code)
    except OSError as error:
        return _fail(parser.prog, str(error), FaceinpError.exit_code)
    except KeyboardInterrupt:
        return _fail(parser.prog, "stopped", 130)
    return 0


def say(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr, flush=True)


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


def _fail(command: str, problem: str, code: int) -> int:
    for line in problem.splitlines():
        say(f"{command}: {line}")
    return code
