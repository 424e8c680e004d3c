"""Output on the terminal: a progress bar, lines that do not break it, and errors as lines and an exit code."""

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from faceinp.errors import FaceinpError, missing_package


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line in one sentence, without the usage of all flags."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}. See `{self.prog} --help`.\n")


class Bar:
    """A progress bar on stderr, if that is a terminal."""

    def __init__(self, about: str) -> None:
        self.about = about
        self.shown = ""

    def __call__(self, done: int, total: int, preview: Any = None) -> None:
        if not sys.stderr.isatty():
            return
        filled = 30 * done // max(total, 1)
        line = f"{self.about} [{'#' * filled}{'.' * (30 - filled)}] {done:,}/{total:,}"
        if line != self.shown:
            self.shown = line
            print(f"\r{line}\033[K", end="\r\033[K" if done >= total else "", file=sys.stderr, flush=True)


def say(text: str) -> None:
    """Print a line on stderr, in place of a progress bar."""
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, file=sys.stderr)


def exit_code(prog: str, command: str, run: Callable[[], int | None]) -> int:
    """Run, print an error in one sentence, and return the exit code. command: as for ``missing_package``."""
    try:
        return run() or 0
    except FaceinpError as error:
        problem, code = str(error), error.exit_code
    except ModuleNotFoundError as error:
        missing = missing_package(error, command)
        if missing is None:
            raise
        problem, code = str(missing), missing.exit_code
    except OSError as error:
        problem, code = str(error), FaceinpError.exit_code
    except KeyboardInterrupt:
        problem, code = "stopped", 130
    for line in problem.splitlines():
        say(f"{prog}: {line}")
    return code


@contextmanager
def deprecations_as_notes() -> Iterator[None]:
    """Show deprecation warnings as notes, without the line of code, which is not the user's."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, DeprecationWarning):
                say(f"note: {message}")
            else:
                show(message, category, *where, **more)

        warnings.showwarning = note
        yield
