"""Fills with exemplars, to look at: contact sheets and a table, the network alone beside the other half or a reference.

    python -m benchmarks.exemplars references                # the astronaut, its altered copies as references
    python -m benchmarks.exemplars symmetry                  # the astronaut and its altered copies, by themselves
    python -m benchmarks.exemplars symmetry --data 'SHARDS/diverse-train-*.tar' --faces 24 --order turned
    python -m benchmarks.exemplars references --data 'SHARDS/hq-train-*.tar' --faces 4 --cases sunglasses grey
    python -m benchmarks.exemplars pairs --data 'SHARDS/wild-train-*.tar' --faces 24 --holes centre "left eye"

``references`` gives each case of ``tests/exemplar_cases`` as a reference, in the hole that it could spoil, or in
``--holes``. ``symmetry`` fills from the face's other half: the drawn photos of the astronaut, or the faces of shards as
they are. ``pairs`` gives another picture of the same person, the nearest in yaw of up to five; shards need identities.
Columns of a sheet: truth, hole, network alone, with exemplar, sources, reference. Sources: grey, the network; blue, the
other half; yellow, continued from the surroundings; green and other colours, the references. The table: PSNR in the
hole in dB, detail (mean absolute Laplacian, fill over truth) in the hole, each for the network alone and with the
exemplar; parts of the hole by source, as in ``Result.sources``; how many references are left aside when the check is
on, which it is not in the pictures. Sheets and table go to ``--out``.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from PIL import Image

import faceinp
from faceinp.exemplars.sources import ENGINE, REFERENCE, SURROUNDINGS, SYMMETRY
from faceinp.face import faces
from faceinp.formulas import metrics

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))  # its folders are no packages
import exemplar_cases as cases
from exemplar_cases import drawing

COLUMNS = ("truth", "hole", "network alone", "with exemplar", "sources", "reference")
COLOURS = {ENGINE: (150, 150, 150), SYMMETRY: (60, 110, 230), SURROUNDINGS: (230, 200, 60), REFERENCE: (50, 180, 80)}
COLOURS |= {REFERENCE + 1: (220, 90, 60), REFERENCE + 2: (170, 80, 200), REFERENCE + 3: (60, 190, 190)}
REAL_HOLES = ("left eye", "right eye", "right cheek")
TILE, ROWS = 256, 8  # pixels a picture on a sheet, lines a sheet
CANDIDATES = 5  # other pictures of a person that are looked through for the nearest pose


@dataclass(frozen=True, eq=False)
class Subject:
    """An aligned face. pixels: uint8 (S, S, 3). points: float (68, 2) in pixels."""

    name: str
    pixels: np.ndarray
    points: np.ndarray
    identity: str | None = None

    @property
    def yaw(self) -> float:
        """Degrees, an estimate; positive to the picture's right."""
        return faces.yaw(faces.five_points(self.points))


@dataclass(frozen=True, eq=False)
class Trial:
    """One hole to fill: kind: the line of the table it counts for. references: none for the face's other half."""

    kind: str
    subject: Subject
    hole: str
    references: tuple[np.ndarray, ...] = ()


def astronaut(engine: faceinp.Engine, size: int) -> Subject:
    photo = skimage.data.astronaut()
    (face,) = faceinp.find_faces(photo)
    nothing = np.zeros(photo.shape[:2], bool)
    crop = faces.align(photo, nothing, faces.quad(face), engine.size)
    picture = crop.pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255
    points = engine.predict_landmarks(picture, crop.hole[None, None])[0]
    return Subject("astronaut", faces.align(photo, nothing, faces.quad(face), size).pixels, points * float(size))


def of_shards(shards: Sequence[str], size: int) -> list[Subject]:
    from faceinp.train.datasets import data

    read = data.load(shards, size).with_points()
    pictures, points = read.pictures.permute(0, 2, 3, 1).numpy(), read.points.numpy().astype(float) * size
    return [Subject(*one) for one in zip(read.keys, pictures, points, read.identities, strict=True)]


def ordered(subjects: list[Subject], order: str) -> list[Subject]:
    """The first are tried: in a random order, or the most turned, or the most unevenly lit first."""
    if order == "turned":
        return sorted(subjects, key=lambda one: -abs(one.yaw))
    if order == "lit":
        return sorted(subjects, key=lambda one: -side_light(one))
    return [subjects[n] for n in np.random.default_rng(0).permutation(len(subjects))]


def side_light(subject: Subject) -> float:
    """How many times as bright as the other one the brighter cheek is, as a logarithm; 0: equally."""
    grey = cv2.GaussianBlur(subject.pixels, (0, 0), 0.2 * drawing.unit(subject.points)).mean(axis=2) + 1
    columns, rows = drawing.at(subject.points, (-0.55, 0.5), (0.55, 0.5)).astype(int).clip(0, len(grey) - 1).T
    return abs(float(np.log(grey[rows[0], columns[0]] / grey[rows[1], columns[1]])))


def trials_with_references(subjects: list[Subject], kinds: Sequence[str], holes: Sequence[str]) -> Iterator[Trial]:
    for kind in kinds or cases.REFERENCES:
        case = cases.REFERENCES[kind]
        for subject in subjects:
            altered = case.alter(subject.pixels, subject.points)
            for hole in holes or (case.hole,):
                yield Trial(f"{kind} | {hole}", subject, hole, (altered.pixels,))


def trials_of_drawn_photos(subject: Subject, kinds: Sequence[str], holes: Sequence[str]) -> Iterator[Trial]:
    for kind in kinds or cases.PHOTOS:
        altered = cases.PHOTOS[kind].alter(subject.pixels, subject.points)
        drawn = Subject(kind, altered.pixels, altered.points)
        for hole in holes or (cases.PHOTOS[kind].hole,):
            yield Trial(f"{kind} | {hole}", drawn, hole)


def trials_of_photos(subjects: list[Subject], holes: Sequence[str]) -> Iterator[Trial]:
    for hole in holes or REAL_HOLES:
        for subject in subjects:
            yield Trial(f"other half | {hole}", subject, hole)


def trials_of_pairs(subjects: list[Subject], count: int, given: int, holes: Sequence[str]) -> Iterator[Trial]:
    people = defaultdict(list)
    for subject in subjects:
        people[subject.identity].append(subject)
    people.pop(None, None)
    chosen = [group for group in people.values() if len(group) > given][:count]
    if not chosen:
        raise SystemExit("These shards hold no person with enough pictures.")
    for hole in holes or ("centre", "both eyes", "lower face", "mouth"):
        for first, *others in chosen:
            nearest = sorted(others[:CANDIDATES], key=lambda other: abs(other.yaw - first.yaw))[:given]
            yield Trial(f"same person | {hole}", first, hole, tuple(other.pixels for other in nearest))


class Bench:
    """Fills trials, draws a line of a sheet for each, and keeps figures for the table."""

    def __init__(self, engine: faceinp.Engine, out: Path) -> None:
        self.engine, self.out = engine, out
        self.figures: dict[str, list[dict[str, float]]] = defaultdict(list)
        self.lines: list[np.ndarray] = []
        self.sheets = 0

    def run(self, trial: Trial) -> None:
        truth, hole = trial.subject.pixels, cases.hole(trial.hole, trial.subject.points, trial.subject.pixels.shape)
        options: dict[str, Any] = {"engine": self.engine, "aligned": True}
        alone = faceinp.fill(truth, hole, symmetry=False, **options)
        options |= {"symmetry": not trial.references, "references": trial.references}
        filled = faceinp.fill(truth, hole, reference_check=False, **options)
        figures = {f"source {code}": share for code, share in filled.shares.items()}
        for name, result in (("alone", alone), ("with", filled)):
            figures[f"PSNR {name}"] = metrics.psnr(result.image, truth, hole)
            figures[f"detail {name}"] = cases.detail(result.image, hole) / cases.detail(truth, hole)
        refused = ""
        if trial.references:
            problems = [one.problem for one in faceinp.fill(truth, hole, **options).references if one.problem]
            refused = "; ".join(problems)
            figures["refused"] = len(problems) / len(trial.references)
        self.figures[trial.kind].append(figures)
        words = f"{figures['PSNR alone']:.1f} dB", f"{figures['PSNR with']:.1f} dB", refused[:40]
        self._draw(trial, hole, alone.image, filled, words)

    def _draw(
        self, trial: Trial, hole: np.ndarray, alone: np.ndarray, filled: faceinp.Result, words: tuple[str, str, str]
    ) -> None:
        truth = trial.subject.pixels
        tinted = (truth // 2 + 110).astype(np.uint8)
        for code in filled.shares:
            tinted[filled.sources == code] = COLOURS.get(code, (255, 255, 255))
        pictures = [truth, np.where(hole[..., None], np.uint8(128), truth), alone, filled.image, tinted]
        pictures.append(side_by_side(trial.references) if trial.references else np.full_like(truth, 255))
        captions = trial.kind, f"{trial.subject.name[:24]} {trial.subject.yaw:+.0f}", words[0], words[1], "", words[2]
        self.lines.append(np.hstack([captioned(*one) for one in zip(pictures, captions, strict=True)]))
        if len(self.lines) == ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the lines so far as a sheet."""
        if self.lines:
            head = np.hstack([written(np.full((24, TILE, 3), 40, np.uint8), name) for name in COLUMNS])
            Image.fromarray(np.vstack([head, *self.lines])).save(self.out / f"sheet-{self.sheets:03}.png")
            self.sheets, self.lines = self.sheets + 1, []

    def table(self) -> str:
        """Means over faces, a line for each kind of trial."""
        codes = sorted({name for trials in self.figures.values() for one in trials for name in one if "source" in name})
        heads = ["case", "hole", "faces", "PSNR alone", "with", "detail alone", "with", *codes, "refused"]
        lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for kind, trials in self.figures.items():
            mean = {name: np.mean([one.get(name, 0) for one in trials]) for name in {*codes, *trials[0]}}
            cells = [kind, str(len(trials))]
            cells += [f"{mean[f'PSNR {which}']:.1f}" for which in ("alone", "with")]
            cells += [f"{mean[f'detail {which}']:.2f}" for which in ("alone", "with")]
            cells += [f"{mean[code]:.0%}" for code in codes]
            cells.append(f"{mean['refused']:.0%}" if "refused" in mean else "")
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """One picture as it is; up to four as the quarters of one."""
    if len(pictures) == 1:
        return pictures[0]
    quarters = [cv2.resize(picture, (TILE // 2, TILE // 2), interpolation=cv2.INTER_AREA) for picture in pictures[:4]]
    quarters += [np.full_like(quarters[0], 255)] * (4 - len(quarters))
    return np.vstack([np.hstack(quarters[:2]), np.hstack(quarters[2:])])


def captioned(picture: np.ndarray, words: str) -> np.ndarray:
    """The picture, enlarged or shrunk to fit into TILE x TILE pixels, with words in its upper left corner."""
    height, width = picture.shape[:2]
    scale = TILE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    tile = np.full((TILE, TILE, 3), 255, np.uint8)
    tile[: size[1], : size[0]] = cv2.resize(picture, size, interpolation=way)
    return written(tile, words)


def written(picture: np.ndarray, words: str) -> np.ndarray:
    for colour, thick in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, words, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, thick, cv2.LINE_AA)
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["references", "symmetry", "pairs"])
    parser.add_argument("--data", nargs="+", default=[], metavar="SHARDS", help="WebDataset tars; else the astronaut")
    parser.add_argument("--faces", type=int, default=8, help="so many faces of the shards")
    parser.add_argument("--size", type=int, default=256, help="pixels a side of the crops")
    parser.add_argument("--order", choices=["random", "turned", "lit"], default="random", help="which faces come first")
    parser.add_argument("--keys", type=Path, metavar="FILE", help="only the faces named by the last words of its lines")
    parser.add_argument("--cases", nargs="+", default=[], help="names of exemplar_cases; else all")
    parser.add_argument("--holes", nargs="+", default=[], choices=list(cases.HOLES), help="else each case's own")
    parser.add_argument("--references", type=int, default=1, help="of pairs: so many pictures of the person")
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/exemplars"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    engine = faceinp.load_engine("landmark")
    if given.data:
        subjects = ordered(of_shards(given.data, given.size), given.order)
        if given.keys:
            keys = {line.split()[-1] for line in given.keys.read_text().splitlines() if line.strip()}
            subjects = [subject for subject in subjects if subject.name in keys]
    else:
        subjects = [astronaut(engine, given.size)]
    if given.what == "references":
        trials = trials_with_references(subjects[: given.faces], given.cases, given.holes)
    elif given.what == "pairs":
        trials = trials_of_pairs(subjects, given.faces, given.references, given.holes)
    elif given.data:
        trials = trials_of_photos(subjects[: given.faces], given.holes)
    else:
        trials = trials_of_drawn_photos(subjects[0], given.cases, given.holes)
    bench = Bench(engine, given.out)
    for trial in trials:
        bench.run(trial)
    bench.flush()
    (given.out / "table.md").write_text(bench.table())
    print(bench.table(), end="")


if __name__ == "__main__":
    main()
