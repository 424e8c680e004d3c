"""Reference photos of a batch: which goes with which photo, and what the manifest says of them."""

from dataclasses import replace
from pathlib import Path

import pytest
from batch_files import FACE, HOLE, encoded, manifest, photo, put_tar, quiet, settings

from faceinp.batch import sources, worker
from faceinp.batch.run import run
from faceinp.cli.main import main
from faceinp.errors import DataError
from faceinp.exemplars.sources import REFERENCE, SYMMETRY, Reference
from faceinp.pipeline import Job, fill_many
from faceinp.result import Result


def test_a_damaged_reference_costs_no_photo(tmp_path: Path) -> None:
    for name, data in (("in/a.png", encoded(FACE)), ("masks/a.png", encoded(HOLE)), ("more/a.jpg", b"damaged")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    folders = {"masks": str(tmp_path / "masks"), "references": str(tmp_path / "more")}
    assert run(str(tmp_path / "in"), settings(tmp_path / "out"), **folders, say=quiet) == {"filled": 1, "failed": 0}
    (reference,) = manifest(tmp_path / "out")["a.png"]["references"]
    assert "not a picture" in reference["problem"] and reference["share"] == 0


class Exemplars:
    """In place of ``fill_many``: it keeps what it is asked for, fills by the engine alone, and says that a quarter of
    the hole comes from each reference, and a quarter from the face's other half.
    """

    def __init__(self) -> None:
        self.references: list[list[bytes]] = []
        self.asked: dict[str, object] = {}

    def __call__(self, jobs: list[Job], *, symmetry: bool | None, reference_check: bool, **more: object) -> list:
        self.references += [list(job.references) for job in jobs]
        self.asked = {"symmetry": symmetry, "reference_check": reference_check}
        results = fill_many([job._replace(references=()) for job in jobs], symmetry=False, **more)
        return [self._used(result, len(job.references)) for job, result in zip(jobs, results, strict=True)]

    def _used(self, result: object, count: int) -> object:
        if not isinstance(result, Result):
            return result
        sources = result.sources.copy()
        for index, code in enumerate([SYMMETRY, *range(REFERENCE, REFERENCE + count)]):
            sources[40 + 5 * index : 45 + 5 * index][HOLE[40:45] > 0] = code
        return replace(result, sources=sources, references=(Reference(b"", 0.25, 0.5, "Blurred."),) * count)


@pytest.fixture
def exemplars(monkeypatch: pytest.MonkeyPatch) -> Exemplars:
    made = Exemplars()
    monkeypatch.setattr(worker, "fill_many", made)
    return made


def test_a_folder_of_references_goes_with_the_photos(album: Path, exemplars: Exemplars) -> None:
    files = [
        "a/1/1962.png",
        "a/1/wedding.jpg",
        "a/1/deeper/no.png",
        "a/1.webp",
        "a/notes.txt",
        "b/c/0/0.tif",
        "nobody.png",
    ]
    files += [f"b/c/4/{number}.png" for number in range(9)]
    for number, name in enumerate(files):
        (album / "references" / name).parent.mkdir(parents=True, exist_ok=True)
        (album / "references" / name).write_bytes(bytes([number]))
    argv = ["batch", str(album / "in"), str(album / "out"), "--masks", str(album / "masks"), "--engine", "telea"]
    argv += ["--references", str(album / "references"), "--aligned", "--judge", "none"]
    assert main([*argv, "--no-symmetry", "--no-reference-check"]) == 0
    assert exemplars.asked == {"symmetry": False, "reference_check": False}
    assert sorted(exemplars.references) == [[], [], [b"\x03", b"\0", b"\1"], [b"\5"]]
    lines = manifest(album / "out")
    line = lines["a/1.png"]
    assert line["sources"] == {"symmetry": 0.25, "reference 1": 0.25, "reference 2": 0.25, "reference 3": 0.25}
    assert [one["name"] for one in line["references"]] == ["1.webp", "1962.png", "wedding.jpg"]
    assert line["references"][0] == {
        "name": "1.webp",
        "share": 0.25,
        "distance": 0.5,
        "refused": False,
        "note": "",
        "problem": "Blurred.",
    }
    assert lines["b/c/0.png"]["sources"] == {"engine": 0.5, "symmetry": 0.25, "reference 1": 0.25}
    assert lines["a/3.png"]["outcome"] == "filled" and lines["a/3.png"]["references"] == []
    assert lines["b/c/4.png"]["error"].startswith("The photo has more than 8 references")


def test_a_reference_named_like_a_photo_is_of_no_other(tmp_path: Path) -> None:
    for name in ("in/a.png", "in/a/b.png", "references/a/b.png", "references/a/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    (part,) = sources.survey(str(tmp_path / "in"), references=str(tmp_path / "references"))[0]
    matches = {item.name: [file.content for file in item.references] for item in part.items(frozenset())}
    assert matches == {"a.png": [b"references/a/c.png"], "a/b.png": [b"references/a/b.png"]}


def test_a_folder_without_references_for_the_photos_is_refused(album: Path) -> None:
    (album / "references").mkdir()
    for _ in range(2):
        with pytest.raises(
            DataError, match=r"references contains no reference photos with the names of the photos in .*in\."
        ):
            run(str(album / "in"), settings(album / "out", preset="centre"), references=str(album / "references"))
        (album / "references" / "somebody.png").write_bytes(encoded(FACE))


def test_shards_and_tables_hold_references(tmp_path: Path, exemplars: Exemplars) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "in").mkdir()
    names = ("one.reference.1.webp", "one.png", "one.mask.png", "one.reference.0.JPG", "one.reference.json", "two.png")
    contents = {"one.mask.png": encoded(HOLE), "one.png": encoded(photo(1)), "two.png": encoded(photo(2))}
    put_tar(tmp_path / "in" / "x.tar", {name: contents.get(name, name.encode()) for name in names})
    images, hole = [encoded(photo(number)) for number in range(3)], encoded(HOLE)
    columns = {"image": images, "mask": [hole] * 3, "references": [[b"first", b"second"], None, [b"same"] * 9]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "in" / "y.parquet")
    cells = {"image": images[:1], "mask": [hole], "references": [[{"bytes": b"third", "path": "kept"}]]}
    parquet.write_table(pyarrow.table(cells), tmp_path / "in" / "z.parquet")
    counted = run(str(tmp_path / "in"), settings(tmp_path / "out", symmetry=True), say=quiet)
    assert counted == {"filled": 4, "failed": 2} and exemplars.asked == {"symmetry": True, "reference_check": True}
    references = [[b"one.reference.0.JPG", b"one.reference.1.webp"], [b"first", b"second"], [], [b"third"]]
    assert exemplars.references == references
    lines = manifest(tmp_path / "out")
    assert [one["name"] for one in lines["x/one.png"]["references"]] == ["reference.0.jpg", "reference.1.webp"]
    assert [one["name"] for one in lines["y/00000-000000"]["references"]] == ["1", "2"]
    assert "more than 8" in lines["y/00000-000002"]["error"] and "no mask" in lines["x/two.png"]["error"]
