"""Serve the page in which photos are restored; by default to this machine only."""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

MAX_TRIES = 50  # at deleting the folder, one every 0.1 s


def main(argv: list[str] | None = None) -> None:
    """Serve until interrupted. argv: arguments; None for those of the command line."""
    parser = argparse.ArgumentParser(prog="faceinp demo", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860")), help="default: %(default)s"
    )
    parser.add_argument("--auth", type=_auth, metavar="USER:PASSWORD", help="require this name and password")
    parser.add_argument(
        "--judge", default="auto", help="judge that compares identities, as in `faceinp identity --judge`"
    )
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="accept requests for this host name and for this machine's own names only; repeat it to allow several "
        "(default: this machine's own names with the default --host, else any name)",
    )
    parser.add_argument(
        "--frame-ancestors",
        default="'self'",
        metavar="SOURCES",
        help="sites that may show the page in a frame, in the syntax of Content-Security-Policy (default: 'self')",
    )
    parser.add_argument(
        "--fills-per-minute",
        type=int,
        default=int(os.environ.get("FACEINP_FILLS_PER_MINUTE", "30")),
        metavar="N",
        help="fills per minute and address, with twice as many uploads; 0: unlimited (default: "
        "FACEINP_FILLS_PER_MINUTE, or 30)",
    )
    options = parser.parse_args(argv)
    with _own_folder() as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # else the folder would stay
        from . import app
        from .server import hosting

        rules = hosting.Rules.of(
            options.host, tuple(options.allowed_host), options.frame_ancestors, options.fills_per_minute
        )
        app.serve(options.host, options.port, options.auth, options.judge, rules)


@contextmanager
def _own_folder() -> Iterator[str]:
    """A folder for the photos of all visitors, deleted when the server ends, even if a thread still writes to it."""
    folder = tempfile.mkdtemp(prefix="faceinp-demo-")
    try:
        yield folder
    finally:
        for _ in range(MAX_TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            time.sleep(0.1)
            if not os.path.exists(folder):
                break


def _auth(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("expected USER:PASSWORD")
    return user, password


if __name__ == "__main__":
    main()
