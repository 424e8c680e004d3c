"""What every exporter's command shares: errors become one line and an exit code; long work says that it goes on."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

from faceinp.common.extras import missing_package
from faceinp.errors import FaceinpError

FIRST, EVERY = 15, 60  # seconds after which long work is heard of first, and then again


def main(parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None], argv: Sequence[str] | None) -> int:
    """Parse ``argv`` (the shell's, when None), run, and return the exit code."""
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
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(work: str) -> Iterator[None]:
    """Say what is done, while it takes long how long it has taken, and when it is done."""
    started, done = time.monotonic(), Event()

    def go_on() -> None:
        wait = FIRST
        while not done.wait(wait):
            say(f"{work}: {time.monotonic() - started:.0f} s so far")
            wait = EVERY

    say(f"{work} ...")
    thread = Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    say(f"{work}: done, {time.monotonic() - started:.0f} s")


def natural(text: str) -> int:
    """A whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def batches(text: str) -> tuple[int, ...]:
    """ "1-16" or "1,4,16" -> ascending batch sizes."""
    try:
        sizes = tuple(sorted({int(number) for number in text.replace("-", ",").split(",")}))
    except ValueError:
        sizes = ()
    if not sizes or sizes[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 1-16, or a list such as 1,4,16, from 1 on")
    return sizes


def _fail(command: str, problem: str, code: int) -> int:
    for line in problem.splitlines():
        say(f"{command}: {line}")
    return code
