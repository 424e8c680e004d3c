"""A photo and its companions of the same name: its mask, its face's location, its reference photos."""

import json
import posixpath
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from faceinp.errors import DataError
from faceinp.exemplars.sources import MAX_REFERENCES
from faceinp.photo.formats import SUFFIXES

PICTURES = SUFFIXES
NO_PHOTO = f"It is not a photo: photos' names end in {', '.join(PICTURES)}."


class File(NamedTuple):
    """A file that was read. name: distinguishes it from the photo's other files."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Companion:
    """A kind of file that belongs to the photo of the same name.

    In a shard KEY.word.SUFFIX belongs to KEY.jpg; in a folder of companions NAME.SUFFIX belongs to the photo NAME.jpg.
    most: how many a photo may have; with more than one, KEY.word.N.SUFFIX and NAME/*.SUFFIX belong to it as well.
    plural: the kind's name in messages.
    """

    word: str
    suffixes: tuple[str, ...]
    plural: str
    most: int = 1

    def in_sample(self, sample: Mapping[str, Any]) -> list[File]:
        """The companions in a shard's sample, which maps what follows KEY in a file's name to the file's content."""
        words = {key: stem_of(stem_of(key)) if self.most > 1 else stem_of(key) for key in sample}
        keys = [key for key, word in words.items() if word == self.word and key.endswith(self.suffixes)]
        return [File(key, sample[key]) for key in sorted(keys, key=by_number)]

    def in_folder(self, folder: str, stems: Set[str]) -> tuple[dict[str, tuple[str, ...]], list["Skipped"]]:
        """URLs of the companions in ``folder`` by the photo's stem, one of ``stems``, and all other files.

        Of more than ``most`` companions of a photo, one too many is listed, which suffices to refuse them.
        """
        files, root = opened(folder)
        matches: dict[str, tuple[str, ...]] = {}
        skipped = []
        for path in sorted(files.find(root)):
            name = posixpath.relpath(path, root)
            own = stem_of(name)
            stem = own if own in stems or self.most == 1 else posixpath.dirname(own)
            if not path.lower().endswith(self.suffixes):
                reason = f"It is not one of the {self.plural}: their names end in {', '.join(self.suffixes)}."
            elif stem not in stems:
                reason = "There is no photo with its name."
            elif self.most == 1 and stem in matches:
                reason = f"{posixpath.basename(matches[stem][0])} belongs to the same photo."
            else:
                reason = ""
                if len(urls := matches.get(stem, ())) <= self.most:
                    matches[stem] = (*urls, files.unstrip_protocol(path))
            if reason:
                skipped.append(Skipped(posixpath.join(folder, name), reason))
        return matches, skipped


MASK = Companion("mask", PICTURES, "masks")
FACE = Companion("face", (".json",), ".json files")
REFERENCE = Companion("reference", PICTURES, "reference photos", MAX_REFERENCES)
COMPANIONS = (MASK, FACE, REFERENCE)

Urls = dict[Companion, tuple[str, ...]]  # of one photo's companions


@dataclass(frozen=True)
class Item:
    """One photo. name: its path within the source, or within its shard or table. stem: of the result's name. photo,
    mask: encoded bytes. references: other photos of the same person. problem: why it could not be read; empty where it
    could. location: JSON for ``FaceLocation.from_json``; None where the source has none.
    """

    name: str
    stem: str
    photo: bytes = b""
    mask: bytes | None = None
    references: tuple[File, ...] = ()
    problem: str = ""
    location: Any = None


class Skipped(NamedTuple):
    """A file that is neither a photo nor a companion. name: as in the manifest. reason: a sentence."""

    name: str
    reason: str


def gather(name: str, stem: str, photo: bytes, companions: Mapping[Companion, list[File]]) -> Item:
    """The item of a photo and its companions."""
    mask, face = (next(iter(companions.get(kind, ())), None) for kind in (MASK, FACE))
    references = tuple(companions.get(REFERENCE, ()))
    return Item(name, stem, photo, mask.content if mask else None, references, location=_location(face))


def _location(face: File | None) -> Any:
    """The parsed JSON of a face's location; where it is malformed the bytes, which ``FaceLocation`` refuses."""
    if face is None:
        return None
    try:
        return json.loads(face.content)
    except ValueError:
        return face.content


def opened(url: str) -> tuple[Any, str]:
    """The fsspec file system of ``url``, and the path in it. Raises DataError for an unsupported URL."""
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(url)
    except (ValueError, ImportError) as error:
        raise DataError(f"{url} cannot be accessed ({error}). Install the package that fsspec needs for it.") from error
    return files, path.rstrip("/")


def by_number(key: str) -> list[tuple[int, str]]:
    """A sorting key by which 2 comes before 10."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", key)]


def stem_of(name: str) -> str:
    return posixpath.splitext(name)[0]
