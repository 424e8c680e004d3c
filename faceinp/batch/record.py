"""What a folder of results says of itself: the manifest's lines, and the settings it was begun with."""

import dataclasses
import io
import json
import posixpath
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceinp import __version__
from faceinp.batch.items import opened
from faceinp.engines.foreign import PREFIX
from faceinp.engines.loading import list_engines
from faceinp.errors import DataError
from faceinp.models import weights

SETTINGS = "manifest/settings.json"
MAY_DIFFER = ("version", "begun", "faces")  # recorded only


@dataclass(frozen=True)
class Target:
    """A folder for results and their manifest; local, or behind a URL.

    begun: with what the names of the manifest's files begin that count; others are of an earlier filling, which
    another with --again replaced. Empty: all count.
    """

    url: str
    begun: str = ""

    def put(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all, whenever the process is killed."""
        files, root = opened(self.url)
        path = posixpath.join(root, name)
        if "file" not in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,)):
            files.pipe_file(path, data)  # object stores show an object when all of it is there
            return
        part = f"{path}.{uuid.uuid4().hex}.part"  # workers may write the same file
        files.makedirs(posixpath.dirname(path), exist_ok=True)
        files.pipe_file(part, data)
        files.mv(part, path)

    def add(self, lines: Sequence[dict[str, Any]]) -> None:
        """Write lines into the manifest, in a file of their own."""
        if lines:
            content = "".join(json.dumps(line) + "\n" for line in lines)
            name = "-".join(filter(None, (self.begun, f"{time.time_ns():020}", uuid.uuid4().hex)))
            self.put(f"manifest/{name}.jsonl", content.encode())

    def lines(self) -> Iterator[dict[str, Any]]:
        """What the manifest says so far, oldest file first."""
        files, _ = opened(self.url)
        # The names tell when they were written; those of earlier versions do not.
        for path in sorted(self._files(self.begun), key=lambda path: ("-" in posixpath.basename(path), path)):
            for line in io.BytesIO(files.cat_file(path)):
                yield json.loads(line)

    def settings(self) -> dict[str, Any] | None:
        """What it was begun with; None where that is not recorded."""
        files, root = opened(self.url)
        path = posixpath.join(root, SETTINGS)
        return dict(json.loads(files.cat_file(path))) if files.isfile(path) else None

    def tidy(self) -> None:
        """Remove the manifest of an earlier filling."""
        files, _ = opened(self.url)
        for path in self._files("").difference(self._files(self.begun)):
            files.rm_file(path)

    def _files(self, begun: str) -> set[str]:
        files, root = opened(self.url)
        folder = posixpath.join(root, "manifest")
        paths = files.find(folder) if files.isdir(folder) else []
        return {path for path in paths if path.endswith(".jsonl") and posixpath.basename(path).startswith(begun)}


def describe(settings: Any, **companions: str) -> dict[str, Any]:
    """What decides a result, as JSON: a ``worker.Settings``, without where results go and how many threads work, the
    URLs of its photos' companions, and checksums of the weights that fill and find.
    """
    kept = dataclasses.asdict(settings)
    kept = {name: value for name, value in kept.items() if name not in ("out", "threads", "record", "begun")}
    kept |= {kind: _whole(url) for kind, url in companions.items()}
    finders = (settings.find.weights,) if settings.find else ()
    kept |= {"weights": _checksums(settings.engine, settings.options, finders), "version": __version__}
    return dict(json.loads(json.dumps(kept, default=str)))


def check_same(out: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise DataError where a folder of results was begun with other settings than those of ``now``."""
    names = [name for name in now if name not in MAY_DIFFER and before.get(name, now[name]) != now[name]]
    if names:
        differences = ", ".join(f"{name} {before[name]!r}, now {now[name]!r}" for name in names)
        raise DataError(
            f"{out} was begun with other settings: {differences}. Use the same, or another OUT, or fill all photos "
            "again with --again."
        )


def _whole(url: str) -> str:
    """The URL with its protocol, and from the root on: the same from wherever it is named."""
    if not url:
        return ""
    files, path = opened(url)
    return str(files.unstrip_protocol(path))


def _checksums(engine: str, options: dict[str, Any], more: Sequence[str]) -> dict[str, str]:
    """sha256 of the files that the engine's networks come from, by the names of weights or the files' own.

    more: names of other weights.
    """
    names = (*next((status.needs.weights for status in list_engines() if status.answers_to(engine)), ()), *more)
    sums = {name: weights.sha256(weights.path(name)) for name in names if not weights.missing(name)}
    files = [Path(str(value)) for value in (engine.removeprefix(PREFIX), *options.values()) if value]
    return sums | {file.name: weights.sha256(file) for file in files if file.is_file()}
