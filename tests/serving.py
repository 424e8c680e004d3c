"""A real server of the page, on a free port of this machine."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PATIENCE = 240  # seconds, for everything that may load a network on a busy machine

SLOWLY = {
    "timeout": PATIENCE
}  # how gradio_client is to ask: the 5 seconds it waits by itself are few on a busy machine


@dataclass(frozen=True)
class Server:
    """One ``python -m demo``. folder: where it keeps people's files, and nothing else should be."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder.parent / "log.txt").read_text(errors="replace")

    def files(self) -> list[Path]:
        """What lies in its folder."""
        return [Path(folder) / name for folder, _, names in os.walk(self.folder) for name in names]


@contextmanager
def serving(
    folder: Path, *, command: Sequence[str] = (sys.executable, "-m", "demo"), cwd: Path = ROOT, **environment: str
) -> Iterator[Server]:
    """Serve the page; ``folder`` gets its log and people's files, of which none is left when it has ended."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    kept, log = folder / "kept", folder / "log.txt"
    kept.mkdir()
    environment |= {"TMPDIR": str(kept), "GRADIO_SERVER_PORT": str(port)}
    environment.setdefault("FACEINP_FILLS_PER_MINUTE", "0")  # tests order more than a person does
    with log.open("w") as stream:
        process = subprocess.Popen(command, cwd=cwd, stdout=stream, stderr=stream, env=os.environ | environment)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(url, process, log)
        yield Server(url, kept, process)
    finally:
        process.terminate()
        process.wait(PATIENCE)
    assert not list(kept.glob("faceinp-*")), "people's photos outlive the server"
    said = log.read_text()
    ours = re.search(rf'File "{re.escape(str(cwd))}/(faceinp/)?demo', said)
    assert not ours, said[max(0, ours.start() - 2000) : ours.start() + 2000]  # an error that we did not foresee


def until(holds: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something holds, however slow the machine is."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    pytest.fail(f"The page did not start:\n{log.read_text()[-2000:]}")
