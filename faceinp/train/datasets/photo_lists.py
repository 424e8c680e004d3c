"""Which photos a source of ``faceinp data build`` holds, and what its lists or its folders say of each."""

import hashlib
import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from faceinp.errors import DataError
from faceinp.photo.formats import SUFFIXES
from faceinp.train.datasets.photo_files import ARCHIVES, PhotoFiles

# CelebA's folders of pictures, the sharper ones first: the landmarks that belong to them, and what shards call them.
CELEBA = {
    "img_celeba": ("list_landmarks_celeba", "celeba-wild"),
    "img_align_celeba": ("list_landmarks_align_celeba", "celeba"),
}
SPLITS = {"train": "0", "val": "1", "test": "2"}
LONGEST = 60  # letters of a photo's name in its key: a tar holds names of 100


@dataclass(frozen=True)
class Known:
    """What is known of a photo. key: its name in the shards. five: float32 (5, 2), its face's points in pixels."""

    key: str
    identity: str | int | None = None
    five: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class PhotoList:
    """source: what shards call it. names: of the photos, in ``files``. known: what is known of the one of that name."""

    files: PhotoFiles
    source: str
    names: tuple[str, ...]
    known: Callable[[str], Known]


def listed(
    files: PhotoFiles, split: str | None, identity_from: str | None, aligned: bool, say: Callable[[str], None]
) -> PhotoList:
    """The photos in ``files``. Arguments are those of ``build``; raises DataError for those that do not fit."""
    pictures = _celeba_pictures(files)
    if pictures is None:
        photos = _folder(files, identity_from)
        if split is not None:
            raise DataError(
                f"--split is for CelebA's own lists, and {files.root} is no download of CelebA. Leave it out."
            )
        return photos
    name, folder = pictures
    if aligned:
        raise DataError(f"--aligned is for square crops, which CelebA's {name} does not hold. Leave it out.")
    if identity_from is not None:
        raise DataError("--identity-from is for other photos: CelebA's list says who is who. Leave it out.")
    return _celeba(files, name, folder, split or "train", say)


# ---- CelebA, as it is published and as Kaggle has it ----


def _celeba_pictures(files: PhotoFiles) -> tuple[str, str] | None:
    """The name of CelebA's pictures and the folder in ``files`` that holds them, when ``files`` are CelebA's."""
    folders = {name.rpartition("/")[0] for name in files.names if name.lower().endswith(SUFFIXES)}
    for name in CELEBA:
        for folder in (name, f"Img/{name}", f"{name}/{name}"):
            if folder in folders:
                return name, folder
        if files.root.resolve().name == name and "" in folders:
            return name, ""
    return None


def _celeba(files: PhotoFiles, name: str, folder: str, split: str, say: Callable[[str], None]) -> PhotoList:
    listing, source = CELEBA[name]
    landmarks = _celeba_table(files, listing)
    partition = {} if split == "all" else _celeba_table(files, "list_eval_partition", ", or give --split all")
    try:
        identities = _celeba_table(files, "identity_CelebA")
    except DataError:
        identities = {}
        say("identity_CelebA.txt is missing: the shards will not say who is who")

    def wanted(path: str) -> bool:
        inner, _, photo = path.rpartition("/")
        return inner == folder and photo in landmarks and (split == "all" or partition.get(photo) == SPLITS[split])

    def known(path: str) -> Known:
        photo = posixpath.basename(path)
        try:
            five = np.array(landmarks[photo].split(), np.float32).reshape(5, 2)
        except ValueError as error:
            raise DataError(f"{listing} does not hold five points of {photo}. Fetch it again.") from error
        identity = int(identities[photo]) if photo in identities else None
        return Known(posixpath.splitext(photo)[0], identity, five)

    names = tuple(path for path in files.names if wanted(path))
    if not names:
        raise DataError(f"CelebA's lists name no photo in {files.root} of --split {split}. Fetch both again.")
    return PhotoList(files, source, names, known)


def _celeba_table(files: PhotoFiles, name: str, otherwise: str = "") -> dict[str, str]:
    """One of CelebA's lists as {file name: its other columns}; the lines of its head do no harm.

    It is a text file as published, or Kaggle's CSV; among ``files``, or where the download puts it beside them.
    """
    lists = {f"{name}.txt", f"{name}.csv"}
    text = next((files.read(one) for one in files.names if posixpath.basename(one) in lists), None)
    if text is None:
        beside = files.root.resolve().parents[:2]
        paths = (root / part / one for root in beside for part in ("", "Anno", "Eval") for one in sorted(lists))
        text = next((path.read_bytes() for path in paths if path.is_file()), None)
    if text is None:
        raise DataError(
            f"{name}.txt (or .csv) is not beside the pictures in {files.root}. Put CelebA's lists there, in Anno or in "
            f"Eval{otherwise}."
        )
    rows = (line.replace(",", " ").split(maxsplit=1) for line in text.decode(errors="replace").splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}


# ---- any other photos ----


def _folder(files: PhotoFiles, identity_from: str | None) -> PhotoList:
    names = tuple(name for name in files.names if name.lower().endswith(SUFFIXES))
    if not names:
        archive = next((name for name in files.names if name.lower().endswith(ARCHIVES)), None)
        inside = f" Or give the archive in it: {files.root / archive}." if archive and files.root.is_dir() else ""
        raise DataError(
            f"There is no photo in {files.root}. Give a folder or zip of {', '.join(SUFFIXES)} files.{inside}"
        )

    def known(name: str) -> Known:
        # WebDataset ends a key at its first dot, and two folders may hold files of one name.
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        folder, _, photo = name.rpartition("/")
        stem = re.sub(r"[^A-Za-z0-9]+", "_", posixpath.splitext(photo)[0])[:LONGEST]
        return Known(f"{stem}-{digest}", folder if identity_from and folder else None)

    root = files.root.resolve()
    return PhotoList(files, root.name if root.is_dir() else root.stem, names, known)
