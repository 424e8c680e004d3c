"""Files that must not survive: everything of one visitor lies in one folder, which goes when the visitor does."""

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

from ..fills.filling import MOST_CANDIDATES, Made, ReferenceUse
from ..fills.history import History
from ..fills.jobs import Job
from ..images import pictures
from ..images.editor import Original
from ..images.painted_proposal import Proposed
from ..images.result_parts import PartsView
from . import uploads

IDLE = 3600.0  # seconds after which what a silent visitor left is deleted
STRAY = 900.0  # seconds after which a file that nobody claimed is deleted; a queued request may wait that long
EDITED = 300.0  # seconds after which pictures that the editor sent are deleted, unless they were read
HANDED_OUT = 300.0  # seconds in which a caller of the API can fetch a result
SWEPT_EVERY = 30.0
NEVER = (-math.inf, b"")
_VISIT, _HANDED = "visit-", "result-"


@dataclass
class OtherPhoto:
    """Another photo of the person on the visitor's photo.

    used: whether it is used to fill, and not only compared with. thumb: a small picture of it, as a data URI.
    """

    file: Path
    thumb: str
    used: bool = True


@dataclass
class Visit:
    """What one visitor has on the desk. ``root`` holds every file of it.

    folder: in it, everything of the photo of now. It goes with the photo, so that what still works on an earlier one
    has nowhere to leave anything.
    """

    root: Path
    original: Original | None = None
    folder: Path = field(init=False)
    background: Path | None = None  # the copy of the photo that is painted on
    marked: NDArray[np.bool_] | None = None  # what was marked on the photo when it was loaded, (H, W)
    turning: threading.Lock = field(default_factory=threading.Lock)
    turned: tuple[float, bytes] = NEVER  # when the photo was turned last, and what its editor held before
    turn: Any = "auto"  # as ``faceinp.fill`` takes it: 0 once the visitor has turned the photo
    clicks: list[tuple[float, float]] = field(default_factory=list)  # where the face is, x and y in photo pixels
    earlier: History | None = None  # what was made of the photo before it was gone on from
    faces: tuple[faceinp.Face, ...] = ()
    proposed: Proposed | None = None  # what is shown of what was found on the photo
    looked: Proposed | None = None  # what was found, and is not shown yet
    others: list[OtherPhoto] = field(default_factory=list)
    job: Job | None = None
    made: list[Made] = field(default_factory=list)
    parts: PartsView | None = None  # those of the result that is shown, once they are looked at
    shown: int = 0  # which of ``made``
    other: int | None = None  # which of ``made`` is switched to: the one before a part was filled again, or after it
    seen: float = field(default_factory=time.monotonic)

    def photo(self) -> faceinp.Photo:
        """The photo as it is shown; raises PhotoError, and Gone where there is none any more."""
        original = self.original
        if original is None:
            raise pictures.Gone
        return pictures.turned(pictures.read(original.path), original.turns)

    def __post_init__(self) -> None:
        self.folder = pictures.own_folder(self.root)

    @property
    def references(self) -> tuple[ReferenceUse, ...]:
        """What became of the reference photos of the result that is shown."""
        return self.made[self.shown].references if self.made else ()

    @property
    def landmarks(self) -> NDArray[np.float32] | None:
        """Those of the result that is shown, (68, 2) in photo pixels, where they are unless they are moved."""
        return self.made[self.shown].found if self.made else None

    def take(self, file: str | os.PathLike[str]) -> Path:
        """Move an uploaded file in; raises PhotoError for what is no file."""
        source = Path(file)
        if not source.is_file():
            raise faceinp.PhotoError("The file does not exist. Upload it again.")
        target = pictures.own_folder(self.folder) / source.name
        shutil.move(source, target)
        uploads.discard(source)
        return target

    def clear(self) -> None:
        """Stop what runs and delete everything: other photos of the person go with the photo they belong to."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder = pictures.own_folder(self.root)
        self.original, self.background, self.faces, self.others = None, None, (), []
        self.marked, self.earlier, self.turn, self.turned, self.clicks = None, None, "auto", NEVER, []
        self.proposed, self.looked = None, None
        self._show_first_of([])

    def replace(self, made: list[Made]) -> None:
        """New results take the place of the older ones, whose files go."""
        for old in self.made:
            shutil.rmtree(old.folder, ignore_errors=True)
        self._show_first_of(made)

    def add(self, made: Made) -> None:
        """One more result, which is shown; of the earlier ones, the files of the oldest go."""
        before = self.shown + 1
        kept, gone = self.made[: MOST_CANDIDATES - 1], self.made[MOST_CANDIDATES - 1 :]
        for old in gone:
            shutil.rmtree(old.folder, ignore_errors=True)
        self._show_first_of([made, *kept])
        self.other = before if before < len(self.made) else None

    def show(self, number: int) -> None:
        """Another one of the results."""
        if number != self.shown:
            self.other = None if self.other is None else self.shown
            self.shown, self.parts = number, None

    def _show_first_of(self, made: list[Made]) -> None:
        self.made, self.shown, self.other, self.parts = made, 0, None, None

    def start(self, job: Job) -> Job:
        """A visitor has one job at a time."""
        self.stop()
        self.job = job
        return job

    def stop(self) -> None:
        if self.job is not None:
            self.job.stop()


class Visits:
    """The visitors there are, by Gradio's session."""

    def __init__(self, blocks: gr.Blocks | None = None) -> None:
        """blocks: the page, whose parts Gradio keeps for each visitor as they were shown last."""
        self._lock = threading.Lock()
        self._visits: dict[str, Visit] = {}
        self._blocks = blocks

    def of(self, request: gr.Request) -> Visit:
        with self._lock:
            session = str(request.session_hash)
            visit = self._visits.get(session)
            if visit is None or not visit.root.is_dir():
                visit = Visit(Path(tempfile.mkdtemp(prefix=_VISIT, dir=uploads.root())))
                self._visits[session] = visit
            visit.seen = time.monotonic()
            return visit

    def leave(self, request: gr.Request) -> None:
        """The visitor is gone: so is the job, and every file."""
        session = str(request.session_hash)
        with self._lock:
            visit = self._visits.pop(session, None)
        self._forget(lambda one: one == session)
        if visit is not None:
            visit.stop()
            shutil.rmtree(visit.root, ignore_errors=True)

    def sweep(self, idle: float = IDLE, stray: float = STRAY) -> None:
        """Delete what is left of visitors who said nothing for ``idle`` seconds, and unclaimed files."""
        now = time.monotonic()
        with self._lock:
            gone = [name for name, visit in self._visits.items() if now - visit.seen > idle]
            folders = {visit.root for name, visit in self._visits.items() if name not in gone}
            visits = [self._visits.pop(name) for name in gone]
        for visit in visits:
            visit.stop()
            shutil.rmtree(visit.root, ignore_errors=True)
        self._forget(lambda session: session in gone or self._silent(session) > idle)
        for entry in uploads.root().iterdir():
            if entry not in folders and time.time() - _newest(entry) > min(stray, _lasts(entry)):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)

    def _silent(self, session: str) -> float:
        """Seconds since somebody, or a program, last said anything in a session of Gradio's."""
        last = self._blocks.state_holder.time_last_used.get(session) if self._blocks else None
        return (datetime.now() - last).total_seconds() if last else 0.0

    def _forget(self, gone: Callable[[str], bool]) -> None:
        """Drop what Gradio keeps of the page as the visitors saw it that are ``gone``, small pictures among it."""
        holder: StateHolder | None = getattr(self._blocks, "state_holder", None)  # there is one once it is served
        if holder is None:
            return
        with holder.lock:
            for session in filter(gone, list(holder.session_data)):
                holder.session_data.pop(session, None)
                holder.time_last_used.pop(session, None)

    def keep_swept(self) -> None:
        """Sweep now and then, until the server ends."""

        def go_on() -> None:
            while True:
                time.sleep(SWEPT_EVERY)
                try:
                    self.sweep()
                except OSError as error:  # a file may go while it is looked at
                    print(f"Deleting old files failed; next try in {SWEPT_EVERY:.0f} s: {error}", flush=True)

        threading.Thread(target=go_on, name="sweeper", daemon=True).start()


def scratch() -> Path:
    """A folder for a result that is handed out once; it is swept."""
    return Path(tempfile.mkdtemp(prefix=_HANDED, dir=uploads.root()))


def _lasts(entry: Path) -> float:
    """Seconds for which a file or folder that no visitor has is kept."""
    if entry.name.startswith(_HANDED):
        return HANDED_OUT
    return EDITED if uploads.of_editor(entry) else STRAY


def _newest(entry: Path) -> float:
    try:
        return max((file.stat().st_mtime for file in (entry, *entry.rglob("*"))), default=0.0)
    except FileNotFoundError:
        return time.time()
