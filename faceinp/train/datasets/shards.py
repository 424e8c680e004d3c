"""Shards as they are written: tars of pictures and their JSON, the same to the byte each time, and never half."""

import io
import re
import tarfile
from pathlib import Path
from types import TracebackType
from typing import Self


class Shards:
    """Tars ``NAME-000.tar`` of at most ``limit`` bytes; each gets its name when it is whole, so none is ever half."""

    def __init__(self, folder: Path, name: str, limit: int) -> None:
        self.folder, self.name = folder, re.sub(r"[^\w-]+", "_", name)  # patterns and URLs name shards
        # A tar ends in two empty blocks, and is filled up to whole records.
        self.limit = limit // tarfile.RECORDSIZE * tarfile.RECORDSIZE - 2 * tarfile.BLOCKSIZE
        self.number = 0
        self.bytes = 0
        self.tar: tarfile.TarFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
        elif self.tar:
            self.tar.close()
            self._partial.unlink()

    @property
    def _partial(self) -> Path:
        return self.folder / f"{self.name}-{self.number:03d}.tar.partial"

    def add(self, key: str, files: dict[str, bytes]) -> None:
        grows = sum(tarfile.BLOCKSIZE * (1 + -(-len(content) // tarfile.BLOCKSIZE)) for content in files.values())
        if self.bytes + grows > self.limit:
            self._finish()
        if self.tar is None:
            self.tar = tarfile.open(self._partial, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115
        for suffix, content in files.items():
            member = tarfile.TarInfo(f"{key}.{suffix}")  # without owner or time: a build repeats to the byte
            member.size = len(content)
            self.tar.addfile(member, io.BytesIO(content))
        self.bytes += grows

    def _finish(self) -> None:
        if self.tar is None:
            return
        self.tar.close()
        self._partial.rename(self._partial.with_suffix(""))
        self.tar, self.bytes = None, 0
        self.number += 1
