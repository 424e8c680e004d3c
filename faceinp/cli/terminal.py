"""What the shell shows while it works: a bar, and lines that leave it whole."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Bar:
    """Progress on one line of a terminal; nothing where stderr is none."""

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
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, file=sys.stderr)


@contextmanager
def deprecations_as_notes() -> Iterator[None]:
    """Deprecations that would be shown within are shown without the line of code: the shell's user wrote none."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def note(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, DeprecationWarning):
                say(f"note: {message}")
            else:
                show(message, category, *where, **more)

        warnings.showwarning = note
        yield
