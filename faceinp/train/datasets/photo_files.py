"""The files of a folder, a zip or a tar, by their names in it; read one at a time, so that nothing is unpacked."""

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from faceinp.errors import DataError, PhotoError
from faceinp.photo.formats import SUFFIXES

ARCHIVES = (".zip", ".tar")


@dataclass(frozen=True)
class PhotoFiles:
    """root: the folder or the archive. names: of its files, relative to the root, with slashes, sorted. read: the bytes
    of the file of that name.
    """

    root: Path
    names: tuple[str, ...]
    read: Callable[[str], bytes]


def opened(root: Path) -> PhotoFiles:
    """The files of ``root``, without hidden ones. An archive stays open for as long as the result is kept.

    Raises DataError where there is nothing, or a file that is neither a zip nor an uncompressed tar.
    """
    if root.is_dir():
        names = (path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())
        return PhotoFiles(root, _visible(names), lambda name: (root / name).read_bytes())
    if not root.exists():
        raise DataError(f"There is no folder and no file {root}. Check the path of SOURCE.")
    try:
        if zipfile.is_zipfile(root):
            archive = zipfile.ZipFile(root)
            names = (info.filename for info in archive.infolist() if not info.is_dir())
            return PhotoFiles(root, _visible(names), partial(_unpacked, archive.read))
        # Not a compressed one: to find a photo, all before it would be unpacked again.
        tar = tarfile.open(root, "r:")  # noqa: SIM115
        members = {member.name.removeprefix("./"): member for member in tar if member.isfile()}
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        if root.suffix.lower() in SUFFIXES:
            raise DataError(f"{root} is one photo. Give a folder of photos.") from error
        raise DataError(
            f"{root} is no zip and no uncompressed tar of photos. Unpack it, and give the folder; if it is damaged, "
            "fetch it again."
        ) from error

    def read(name: str) -> bytes:
        file = tar.extractfile(members[name])
        return file.read() if file else b""

    return PhotoFiles(root, _visible(members), partial(_unpacked, read))


def _unpacked(read: Callable[[str], bytes], name: str) -> bytes:
    """What an archive's ``read`` returns; raises PhotoError for a file that is damaged, has a password or the like."""
    try:
        return read(name)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, RuntimeError) as error:
        raise PhotoError(f"It cannot be unpacked ({error}). Unpack the archive, and give the folder.") from error


def _visible(names: Iterable[str]) -> tuple[str, ...]:
    """Sorted, without what macOS writes beside each file, and other files whose names begin with a dot."""
    return tuple(sorted(name for name in names if not name.rpartition("/")[2].startswith(".")))
