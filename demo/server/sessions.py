"""The visitors of the page. Everything of one visitor lies in one folder, which is deleted when the visitor leaves."""

import math
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.state_holder import StateHolder
from numpy.typing import NDArray

import faceinp

from ..fills.filling import MOST_CANDIDATES, FillResult
from ..fills.history import History
from ..fills.jobs import Job
from ..images import pictures
from ..images.editor import Original
from ..images.painted_proposal import PaintedProposal
from ..images.result_parts import PartsView
from . import uploads

IDLE = 3600.0  # seconds until a visitor who sends nothing is forgotten
STRAY = 900.0  # seconds until a file without a visitor is deleted; a queued request may wait that long
EDITED = 300.0  # the same for pictures that the editor sent and nothing has read
HANDED_OUT = 300.0  # the same for results of the API, which a program can fetch meanwhile
SWEPT_EVERY = 30.0
NEVER = (-math.inf, b"")
_VISIT, _HANDED = "visit-", "result-"


@dataclass
class OtherPhoto:
    """Another photo of the same person.

    used: whether it is used to fill, and not only compared. thumb: a small picture of it, as a data URI.
    """

    file: Path
    thumb: str
    used: bool = True


@dataclass
class Visit:
    """The photo, the results and the settings of one visitor. ``root`` holds all files.

    folder: a folder in it for the current photo. It is deleted with the photo, so that work on an earlier photo cannot
    leave any file.
    """

    root: Path
    original: Original | None = None
    folder: Path = field(init=False)
    background: Path | None = None  # the copy of the photo in the editor
    marked: NDArray[np.bool_] | None = None  # the hole painted when the photo was loaded, (H, W)
    turning: threading.Lock = field(default_factory=threading.Lock)
    turned: tuple[float, bytes] = NEVER  # time of the last turn, digest of the layers then
    turn: Any = "auto"  # as in ``faceinp.fill``; 0 once the visitor has turned the photo
    clicks: list[tuple[float, float]] = field(default_factory=list)  # on the face, x and y in photo pixels
    earlier: History | None = None  # the fills that made the photo
    faces: tuple[faceinp.Face, ...] = ()
    proposal: PaintedProposal | None = None  # in the editor
    pending_proposal: PaintedProposal | None = None  # found, and not in the editor yet
    others: list[OtherPhoto] = field(default_factory=list)
    job: Job | None = None
    results: list[FillResult] = field(default_factory=list)
    parts: PartsView | None = None  # of the current result, once they were shown
    result_index: int = 0  # of the current result, in ``results``
    other_index: int | None = None  # in ``results``, of the result before or after a part was filled again
    last_active: float = field(default_factory=time.monotonic)

    def photo(self) -> faceinp.Photo:
        """The photo as the page shows it. Raises PhotoError, and Gone if it was deleted."""
        original = self.original
        if original is None:
            raise pictures.Gone
        return pictures.turned(pictures.read(original.path), original.turns)

    def __post_init__(self) -> None:
        self.folder = pictures.own_folder(self.root)

    @property
    def result(self) -> FillResult:
        """The current result; ``results`` must not be empty."""
        return self.results[self.result_index]

    @property
    def references(self) -> tuple[tuple[Path, faceinp.Reference], ...]:
        """The files of reference photos, and how the current result used each."""
        return self.result.references if self.results else ()

    @property
    def landmarks(self) -> NDArray[np.float32] | None:
        """The unmoved landmarks of the current result, (68, 2) in photo pixels."""
        return self.result.unmoved_landmarks if self.results else None

    def take(self, file: str | os.PathLike[str]) -> Path:
        """Move an uploaded file into the visitor's folder. Raises PhotoError if there is no such file."""
        source = Path(file)
        if not source.is_file():
            raise faceinp.PhotoError("The file does not exist. Upload it again.")
        target = pictures.own_folder(self.folder) / source.name
        shutil.move(source, target)
        uploads.discard(source)
        return target

    def clear(self) -> None:
        """Stop the job and delete everything, the other photos of the person included."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        kept = {"job": self.job, "turning": self.turning}
        vars(self).update(vars(Visit(self.root)) | kept)

    def end(self) -> None:
        """Stop the job and delete every file."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def replace(self, result: list[FillResult]) -> None:
        """Replace all results, and delete the files of the old ones."""
        self._show_first_of(result, self.results)

    def add(self, result: FillResult) -> None:
        """Add a result and make it the current one; the oldest ones beyond MOST_CANDIDATES are deleted."""
        before = self.result_index + 1
        kept, gone = self.results[: MOST_CANDIDATES - 1], self.results[MOST_CANDIDATES - 1 :]
        self._show_first_of([result, *kept], gone)
        self.other_index = before if before < len(self.results) else None

    def show(self, number: int) -> None:
        """Make another result the current one."""
        if number != self.result_index:
            self.other_index = None if self.other_index is None else self.result_index
            self.result_index, self.parts = number, None

    def _show_first_of(self, result: list[FillResult], gone: list[FillResult]) -> None:
        for old in gone:
            shutil.rmtree(old.folder, ignore_errors=True)
        self.results, self.result_index, self.other_index, self.parts = result, 0, None, None

    def start(self, job: Job) -> Job:
        """Start a job in place of the running one: a visitor has one at a time."""
        self.stop()
        self.job = job
        return job

    def stop(self) -> None:
        """Stop the running job."""
        if self.job is not None:
            self.job.stop()


class Visits:
    """All visitors, by Gradio's session."""

    def __init__(self, blocks: gr.Blocks | None = None) -> None:
        """blocks: the page, whose state Gradio keeps for each visitor."""
        self._lock = threading.Lock()
        self._visits: dict[str, Visit] = {}
        self._blocks = blocks

    def of(self, request: gr.Request) -> Visit:
        """The visitor who sent a request."""
        with self._lock:
            session = str(request.session_hash)
            visit = self._visits.get(session)
            if visit is None or not visit.root.is_dir():
                visit = Visit(Path(tempfile.mkdtemp(prefix=_VISIT, dir=uploads.root())))
                self._visits[session] = visit
            visit.last_active = time.monotonic()
            return visit

    def leave(self, request: gr.Request) -> None:
        """Stop the job of a visitor who leaves, and delete every file."""
        session = str(request.session_hash)
        with self._lock:
            visit = self._visits.pop(session, None)
        self._forget(lambda one: one == session)
        if visit is not None:
            visit.end()

    def sweep(self, idle: float = IDLE, stray: float = STRAY) -> None:
        """Forget visitors who sent nothing for ``idle`` seconds, and delete files that nobody uses."""
        now = time.monotonic()
        with self._lock:
            gone = [name for name, visit in self._visits.items() if now - visit.last_active > idle]
            folders = {visit.root for name, visit in self._visits.items() if name not in gone}
            visits = [self._visits.pop(name) for name in gone]
        for visit in visits:
            visit.end()
        self._forget(lambda session: session in gone or self._silent(session) > idle)
        for entry in uploads.root().iterdir():
            if entry not in folders and time.time() - _newest(entry) > min(stray, _lasts(entry)):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)

    def _silent(self, session: str) -> float:
        """Seconds since the last request in a session of Gradio's."""
        last = self._blocks.state_holder.time_last_used.get(session) if self._blocks else None
        return (datetime.now() - last).total_seconds() if last else 0.0

    def _forget(self, gone: Callable[[str], bool]) -> None:
        """Delete Gradio's state of the page, small pictures included, for sessions where ``gone`` is true."""
        holder: StateHolder | None = getattr(self._blocks, "state_holder", None)  # missing until the page is served
        if holder is None:
            return
        with holder.lock:
            for session in filter(gone, list(holder.session_data)):
                holder.session_data.pop(session, None)
                holder.time_last_used.pop(session, None)

    def start_sweeping(self) -> None:
        """Sweep in a thread of its own until the server ends."""

        def sweep_forever() -> None:
            while True:
                time.sleep(SWEPT_EVERY)
                try:
                    self.sweep()
                except OSError as error:  # a file may be deleted meanwhile
                    print(f"Deleting old files failed; next try in {SWEPT_EVERY:.0f} s: {error}", flush=True)

        threading.Thread(target=sweep_forever, name="sweeper", daemon=True).start()


def scratch() -> Path:
    """A new folder for a result that a program fetches; it is swept later."""
    return Path(tempfile.mkdtemp(prefix=_HANDED, dir=uploads.root()))


def _lasts(entry: Path) -> float:
    """Seconds until a file or folder without a visitor is deleted."""
    if entry.name.startswith(_HANDED):
        return HANDED_OUT
    return EDITED if uploads.of_editor(entry) else STRAY


def _newest(entry: Path) -> float:
    try:
        return max((file.stat().st_mtime for file in (entry, *entry.rglob("*"))), default=0.0)
    except FileNotFoundError:
        return time.time()
