"""Rows whose fills are a user's: with the face's other half, with reference photos, and without; who judges them."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn import SIDE, asked, at, only, silent, write

from faceinp import pipeline
from faceinp.evaluate.engine_tables import fills, subjects, tables, variants
from faceinp.evaluate.engine_tables import run as paper
from faceinp.evaluate.engine_tables.cells import EVERYTHING, Quantity
from faceinp.evaluate.engine_tables.fills import FillSpec
from faceinp.evaluate.engine_tables.subjects import Subjects
from faceinp.evaluate.engine_tables.tables import ALIGNED, REDETECTED
from faceinp.mask import presets
from faceinp.train.datasets.data import Faces

pytest.importorskip("webdataset")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

COLOURS = ((200, 60, 60), (60, 200, 60))
POSES = (0.0, 0.05, 0.1, -0.1, 0.6)  # how far each picture's nose has moved, in distances between the eyes


def turned(moved: float, down: float = 0.0) -> np.ndarray:
    """The average face's points with its nose's tip moved."""
    points = presets.average_points(SIDE)
    apart = points[42:48].mean(axis=0) - points[36:42].mean(axis=0)
    points[30] += moved * apart + down * np.array([-apart[1], apart[0]])
    return points


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people of five pictures; the one that is turned most shows the other person's colour."""
    folder = tmp_path_factory.mktemp("people")
    samples = []
    for person, colour in enumerate(COLOURS):
        for number, moved in enumerate(POSES):
            shown = colour if number < 4 else COLOURS[1 - person]
            noise = np.random.default_rng((person, number)).normal(0, 3, (SIDE, SIDE, 3))
            picture = (np.array(shown) + noise).clip(0, 255).astype(np.uint8)
            samples.append((picture, {"points": turned(moved).tolist(), "size": SIDE, "identity": person}))
    write(folder / "celeba-val-00.tar", samples)
    return folder


@pytest.fixture
def filled(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What ``fill_many`` was asked; it fills without exemplars."""
    asked_for: list[dict[str, Any]] = []
    fill_many = pipeline.fill_many

    def spy(jobs: list[pipeline.Job], **options: Any) -> Any:
        asked_for.append({"jobs": jobs} | options)
        return fill_many([job._replace(references=()) for job in jobs], **options | {"symmetry": False})

    monkeypatch.setattr(pipeline, "fill_many", spy)
    return asked_for


def test_references_are_the_persons_other_pictures_nearest_in_pose() -> None:
    looks = [(0, 0), (0.3, 0), (0.02, 0), (0, 0.2), (0, -0.05), (0, 0)]
    points = torch.tensor(np.array([turned(*look) for look in looks]) / SIDE, dtype=torch.float32)
    pictures = torch.arange(6, dtype=torch.uint8).reshape(6, 1, 1, 1).expand(6, 3, 8, 8)
    faces = Faces(pictures, points, ("a", "a", "a", "a", "a", "b"), tuple("012345"))
    found = Subjects("drawn", faces, np.array([1, 0, 5]), 0)
    assert found.references(1, 3).tolist() == [2, 4, 3] and found.references(2, 3).tolist() == []
    assert [picture[0, 0, 0] for picture in found.reference_pictures(1, 2)] == [2, 4]
    assert found.poses[1, 0] == pytest.approx(np.degrees(np.arctan(0.3 / 0.4)), abs=0.1)


def test_words_send_fills_through_the_pipeline_and_all_else_through_the_contract(
    people: Path, tmp_path: Path, filled: list[dict[str, Any]]
) -> None:
    engines = ("telea", "telea+pipeline", "telea+symmetry", "telea+references", "telea+symmetry+references")
    request = asked(people, tmp_path, engines=engines, masks=("one-eye",), pictures=3)
    made = paper.run(only("references", reference="telea"), request, silent)
    assert [(asked["symmetry"], len(asked["jobs"][0].references)) for asked in filled] == [
        (False, 0), (True, 0), (False, 3), (True, 3),
    ]  # fmt: skip
    for asked_for in filled:
        assert asked_for["engine"].name == "telea" and asked_for["reference_check"] is False
        assert all(job.face.kind == "aligned" for job in asked_for["jobs"])
    assert [(cell.engine, cell.failed) for cell in made if cell.mask] == [(engine, 0) for engine in engines]
    again = len(filled)
    assert paper.run(only("references", reference="telea"), request, silent) == made and len(filled) == again


def test_faces_found_again_are_filled_without_exemplars(
    people: Path, tmp_path: Path, filled: list[dict[str, Any]]
) -> None:
    request = asked(people, tmp_path, engines=("telea",), masks=("centre",), pictures=2)
    made = paper.run(only("across", arrangements=(REDETECTED,)), request, silent)
    (asked_for,) = filled
    assert asked_for["symmetry"] is False and not any(job.face or job.references for job in asked_for["jobs"])
    assert "a seam would count" in at(made, group="").refused[Quantity.parse("naturalness")]


def test_pictures_that_may_be_given_judge_nobody(people: Path, judge: Path, tmp_path: Path) -> None:
    """The picture of the wrong colour is turned farthest from four of five: what is left to judge them by."""
    request = asked(people, tmp_path, engines=("telea",), masks=("mouth",), pictures=10, onnx=(str(judge),))
    (table,) = only("references", reference="telea")
    aside = at(paper.run((table,), request, silent), engine="telea")
    others = {Quantity("other", "colours"): 0.0, Quantity("same", "colours"): 1.0}
    assert {name: aside.measures[name].mean for name in others} == others
    none = dataclasses.replace(table, references=0)
    judged = at(paper.run((none,), dataclasses.replace(request, out=str(tmp_path / "none")), silent), engine="telea")
    assert judged.measures[Quantity.parse("other colours")].mean == pytest.approx(0.8 * 3 / 4)
    assert aside.content != judged.content


def test_what_a_fill_is_kept_by_holds_references_and_the_revision_of_what_uses_them(
    people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = subjects.load("celeba-val", [str(people / "celeba-val-00.tar")], SIDE, 4, 0)
    variant = variants.described("telea+references")
    order = FillSpec("celeba-val", SIDE, "telea+references", "mouth", ALIGNED, 2, 0, 3)
    before = fills.keys(order, faces, variant)
    assert fills.keys(dataclasses.replace(order, references=2), faces, variant) != before
    changed = faces.faces.pictures.clone()
    changed[int(faces.references(0, 3)[0]), 0, 0, 0] += 1
    other = Subjects(faces.name, dataclasses.replace(faces.faces, pictures=changed), faces.face_numbers, 0)
    assert fills.keys(order, other, variant)[0] != before[0]
    monkeypatch.setitem(variants.REVISIONS, "pipeline", 2)
    assert fills.keys(order, faces, variants.describe("telea+references"))[0] != before[0]
    words = ("", "+pipeline", "+symmetry", "+references", "+symmetry+references")
    assert len({variants.described(f"telea{word}").fingerprint for word in words}) == 5


def test_sets_and_tables_without_references_say_so(folder: Path, people: Path, tmp_path: Path) -> None:
    request = asked(folder, tmp_path, engines=("telea+references",), masks=("centre",), pictures=2)
    nobody = dataclasses.replace(request, data=(str(folder / "asian-val-*.tar"),))
    made = paper.run(only("references", reference="telea"), nobody, silent)
    (refused,) = {cell.refused[EVERYTHING] for cell in made if cell.mask}
    assert "asian-val has no two pictures of one person" in refused and "--identity-from folder" in refused
    said: list[str] = []
    made = paper.run(tables.by_name(("L3",)), dataclasses.replace(request, data=(str(people),)), said.append)
    assert {cell.engine for cell in made if cell.table == "L3"} == {"telea"}
    assert any("skipped telea+references: The table L3 reserves no reference photos" in line for line in said)
