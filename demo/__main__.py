"""``python -m demo``: serve the page, on this machine alone unless told otherwise."""

import argparse
import os
import signal
import sys
import tempfile


def main(argv: list[str] | None = None) -> None:
    """Serve until interrupted. argv: the shell's arguments, when None."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860")))
    parser.add_argument("--auth", type=_auth, metavar="USER:PASSWORD", help="ask for this name and password")
    parser.add_argument("--judge", default="auto", help="who judges identity: as in `faceinp identity --judge`")
    given = parser.parse_args(argv)
    # People's photos go into a folder of this server's own, which goes when the server does.
    with tempfile.TemporaryDirectory(prefix="faceinp-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # else the folder would outlive the server
        from demo import app  # imports gradio, which reads the variable above

        app.serve(given.host, given.port, given.auth, given.judge)


def _auth(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise argparse.ArgumentTypeError("give it as USER:PASSWORD")
    return user, password


if __name__ == "__main__":
    main()
