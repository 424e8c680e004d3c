"""Files that appear complete or not at all.

``write_atomically`` and ``replacing`` write one file. ``folder`` is for results of long work, which is done in a
temporary folder beside its destination, on the same disk, checked there, and moved. Whatever fails or is stopped leaves
nothing behind.
"""

import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceinp.errors import FaceinpError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's quota, the largest file


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file for the caller to write, which replaces ``path`` at the end.

    It lies beside ``path``, or beside the file that ``path`` links to, and is on disk before it replaces that. After
    an error, an interruption or a power cut, ``path`` is as it was. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".faceinp-{secrets.token_hex(6)}.part")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path``, which on an error is as it was. Raises OSError."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write(path: Path, data: bytes) -> None:
    """Like ``write_atomically``, in a folder that is created if it is missing. Raises FaceinpError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise _cannot_write(path.parent, error) from error


@contextmanager
def folder(out: Path) -> Iterator[Path]:
    """A temporary folder in ``out``, which is created if it is missing; at the end it is removed with its files.

    Enter it before long work, so that a folder that cannot be written is reported at once. Raises FaceinpError for
    such a folder, and when the disk is full.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".faceinp-", dir=out))
    except OSError as error:
        raise _cannot_write(out, error) from error
    try:
        yield scratch
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise _cannot_write(out, error) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _cannot_write(out: Path, error: OSError) -> FaceinpError:
    if error.errno in DISK_FULL:
        return FaceinpError(f"The disk of {out} is full ({error.strerror}). Free space, or choose another folder.")
    return FaceinpError(f"Cannot write to {out} ({error.strerror}). Choose another folder.")
