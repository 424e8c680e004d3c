"""What the shell shows while it works: a bar, and lines that leave it whole."""

import sys
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
