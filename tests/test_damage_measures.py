"""How finders of damage are measured: the metric, the drawn damage, the table."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from faceinp.errors import DataError
from faceinp.evaluate.finder_tables import damage
from faceinp.evaluate.finder_tables.damage import Counts, compare
from faceinp.evaluate.finder_tables.drawn_damage import KINDS, draw


def line(row: int) -> np.ndarray:
    mask = np.zeros((40, 60), bool)
    mask[row, 10:50] = True
    return mask


@pytest.mark.parametrize(("shift", "f1"), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 0.0), (9, 0.0)])
def test_a_mark_counts_within_two_pixels(shift: int, f1: float) -> None:
    assert compare(line(10 + shift), line(10)).f1 == f1


def test_precision_and_recall_are_shares_of_pixels() -> None:
    found, more = line(10), line(10) | line(20) | line(30)
    assert compare(found, more) == Counts(marked=40, at_damage=40, damaged=120, found=40)
    assert compare(more, found) == Counts(marked=120, at_damage=40, damaged=40, found=40)
    assert compare(found, more).f1 == compare(more, found).f1 == pytest.approx(0.5)


def test_what_is_too_faint_to_be_seen_may_be_marked_but_need_not_be() -> None:
    faint, seen = line(30), line(10)
    assert compare(seen, seen, seen | faint).f1 == 1
    assert compare(seen | faint, seen, seen | faint).f1 == 1
    assert compare(seen | faint, seen).precision == 0.5


def test_no_marks_and_no_damage() -> None:
    nothing, some = np.zeros((40, 60), bool), line(10)
    assert compare(nothing, some).recall == compare(nothing, some).f1 == 0
    assert compare(some, nothing).precision == compare(some, nothing).f1 == 0
    assert compare(nothing, nothing).f1 == 1


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 4))
def test_marks_and_damage_exchanged_exchange_precision_and_recall(seed: int, tolerance: int) -> None:
    one, other = np.random.default_rng(seed).random((2, 24, 31)) < 0.02
    forth, back = compare(one, other, tolerance=tolerance), compare(other, one, tolerance=tolerance)
    assert (forth.precision, forth.recall) == (back.recall, back.precision)
    wider = compare(one, other, tolerance=tolerance + 1)
    assert wider.at_damage >= forth.at_damage and wider.found >= forth.found


def test_counts_of_photos_add_up() -> None:
    assert Counts(1, 2, 3, 4) + Counts(10, 20, 30, 40) == Counts(11, 22, 33, 44)


@pytest.mark.parametrize("row", KINDS)
def test_every_kind_draws_damage_that_is_seen_and_the_same_again(row: str) -> None:
    photo = np.ascontiguousarray(skimage.data.astronaut()[:300])
    shares = []
    for seed in range(4):
        drawn, again = (draw(photo, row, np.random.default_rng(seed)) for _ in range(2))
        assert drawn.pixels.shape == photo.shape and drawn.pixels.dtype == np.uint8
        assert np.array_equal(drawn.pixels, again.pixels) and np.array_equal(drawn.damage, again.damage)
        assert not (drawn.damage & ~drawn.drawn).any()
        shares.append(drawn.damage.mean())
    assert 0.0001 < np.mean(shares) < 0.4


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(np.roll(skimage.data.astronaut()[::4, ::4], 40 * number, axis=1)).save(folder / f"{number}.png")
    return folder


def test_the_table_has_every_kind_and_finder_the_clean_photos_and_the_scans(photos: Path, tmp_path: Path) -> None:
    outline = np.zeros((128, 128), np.uint8)
    outline[:32], outline[96:] = 255, 128
    (tmp_path / "outlines").mkdir()
    Image.fromarray(outline).save(tmp_path / "outlines" / "1.png")
    finders = {
        "all": lambda pixels: np.ones(pixels.shape[:2], bool),
        "none": lambda pixels: np.zeros(pixels.shape[:2], bool),
    }
    out, said = tmp_path / "tables" / "damage.md", []
    rows, clean = damage.run(
        [photos], out, finders=finders, scans=photos, outlines=tmp_path / "outlines", pictures=2, side=128,
        say=said.append,
    )  # fmt: skip
    assert {(row.subject, row.finder) for row in rows} == {(s, f) for s in (*KINDS, "1") for f in finders}
    assert all(row.recall == 1 for row in rows if row.finder == "all")
    assert all(row.precision == 1 and row.f1 == 0 for row in rows if row.finder == "none")
    scan = next(row for row in rows if (row.subject, row.finder) == ("1", "all"))
    assert scan.precision == pytest.approx((34 + 34) / 128) and scan.recall == 1
    assert [(row.finder, row.median, row.highest) for row in clean] == [("all", 1, 1), ("none", 0, 0)]
    assert said == [out.read_text()] and "missing corners" in said[0]
    written = [json.loads(text) for text in out.with_suffix(".jsonl").read_text().splitlines()]
    assert len(written) == len(rows) + len(clean) and written[0]["subject"] == "scratches"


def test_a_folder_without_photos_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No photos"):
        damage.run([tmp_path], tmp_path / "damage.md")
