"""Files that appear whole and judged, or not at all.

What takes time to make is made in a temporary folder beside its place, on the same disk, looked at there, and moved.
A move is one step for whoever looks on; of what fails, or is stopped, nothing stays.
"""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceinp.errors import FaceinpError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the user's share of it, the largest file


@contextmanager
def folder(out: Path) -> Iterator[Path]:
    """A temporary folder in ``out``, which is made where it is missing; whatever has not been moved out of it goes.

    Entered before the work, it tells at once that nothing can be written there. Raises FaceinpError then, and when the
    disk is full.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".faceinp-", dir=out))
    except OSError as error:
        raise FaceinpError(f"Nothing can be written to {out} ({error.strerror}). Give another folder.") from error
    try:
        yield scratch
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise FaceinpError(f"{out} has no room left ({error.strerror}). Make room, or give another folder.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write(file: Path, data: bytes) -> None:
    """Write ``data`` to ``file``, whole or not at all. Raises FaceinpError as ``folder`` does."""
    with folder(file.parent) as scratch:
        part = scratch / file.name
        part.write_bytes(data)
        part.replace(file)
