"""The record in a folder of results: the manifest's lines, and the settings of the run."""

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
from faceinp.photo import staging

SETTINGS = "manifest/settings.json"
MAY_DIFFER = ("version", "begun", "faces")  # recorded, but not compared


@dataclass(frozen=True)
class Target:
    """A folder for results and their manifest, local or behind a URL.

    begun: prefix of the names of this run's manifest files; files with other names are of an earlier run, which
    --again replaced. Empty: all files count.
    """

    url: str
    begun: str = ""

    def put(self, name: str, data: bytes) -> None:
        """Write a file atomically."""
        files, root = opened(self.url)
        path = posixpath.join(root, name)
        if "file" not in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,)):
            files.pipe_file(path, data)  # an object store shows an object once it is complete
            return
        files.makedirs(posixpath.dirname(path), exist_ok=True)
        staging.write_atomically(path, data)

    def add(self, lines: Sequence[dict[str, Any]]) -> None:
        """Append lines to the manifest, as a new file."""
        if lines:
            content = "".join(json.dumps(line) + "\n" for line in lines)
            name = "-".join(filter(None, (self.begun, f"{time.time_ns():020}", uuid.uuid4().hex)))
            self.put(f"manifest/{name}.jsonl", content.encode())

    def lines(self) -> Iterator[dict[str, Any]]:
        """The manifest's lines so far, oldest file first."""
        files, _ = opened(self.url)
        # Files are sorted by the time in their names; those of earlier versions have none.
        for path in sorted(self._files(self.begun), key=lambda path: ("-" in posixpath.basename(path), path)):
            for line in io.BytesIO(files.cat_file(path)):
                yield json.loads(line)

    def settings(self) -> dict[str, Any] | None:
        """The settings of the run; None where they are not recorded."""
        files, root = opened(self.url)
        path = posixpath.join(root, SETTINGS)
        return dict(json.loads(files.cat_file(path))) if files.isfile(path) else None

    def tidy(self) -> None:
        """Remove the manifest of an earlier run."""
        files, _ = opened(self.url)
        for path in self._files("").difference(self._files(self.begun)):
            files.rm_file(path)

    def _files(self, begun: str) -> set[str]:
        files, root = opened(self.url)
        folder = posixpath.join(root, "manifest")
        paths = files.find(folder) if files.isdir(folder) else []
        return {path for path in paths if path.endswith(".jsonl") and posixpath.basename(path).startswith(begun)}


def describe(settings: Any, **companions: str) -> dict[str, Any]:
    """All that determines the results, as JSON: the ``worker.Settings`` without output folder and threads, the URLs of
    the photos' companions, and checksums of the weights.
    """
    kept = dataclasses.asdict(settings)
    kept = {name: value for name, value in kept.items() if name not in ("out", "threads", "record", "begun")}
    kept |= {kind: _whole(url) for kind, url in companions.items()}
    finders = (settings.find.weights,) if settings.find else ()
    kept |= {"weights": _checksums(settings.engine, settings.options, finders), "version": __version__}
    return dict(json.loads(json.dumps(kept, default=str)))


def check_same(out: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise DataError where the settings of the folder ``out`` differ from those of ``now``."""
    names = [name for name in now if name not in MAY_DIFFER and before.get(name, now[name]) != now[name]]
    if names:
        differences = ", ".join(f"{name} {before[name]!r}, now {now[name]!r}" for name in names)
        raise DataError(
            f"{out} contains results of other settings: {differences}. Use the same settings, use another OUT, or fill "
            "all photos again with --again."
        )


def _whole(url: str) -> str:
    """The absolute URL with its protocol."""
    if not url:
        return ""
    files, path = opened(url)
    return str(files.unstrip_protocol(path))


def _checksums(engine: str, options: dict[str, Any], more: Sequence[str]) -> dict[str, str]:
    """sha256 of the engine's weights by name, and of its option's files by file name. more: names of other weights."""
    names = (*next((status.needs.weights for status in list_engines() if status.answers_to(engine)), ()), *more)
    sums = {name: weights.sha256(weights.path(name)) for name in names if not weights.missing(name)}
    files = [Path(str(value)) for value in (engine.removeprefix(PREFIX), *options.values()) if value]
    return sums | {file.name: weights.sha256(file) for file in files if file.is_file()}
