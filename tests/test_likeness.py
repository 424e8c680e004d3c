"""What a judge says of a fill: against other photos of the person, and not against those that are in the fill."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

import faceinp
from faceinp.exemplars.sources import Reference, photo_digest

PORTRAIT = skimage.data.astronaut()
OTHERS = (PORTRAIT[:, ::-1], PORTRAIT[20:400, 60:440], PORTRAIT[:300])


@pytest.fixture(scope="module")
def result() -> faceinp.Result:
    hole = np.zeros(PORTRAIT.shape[:2], bool)
    hole[90:118, 200:266] = True
    return faceinp.fill(PORTRAIT, hole, engine="telea")


def filled_from(result: faceinp.Result, photo: Any, share: float) -> faceinp.Result:
    """The result as if ``photo`` had been a reference of it."""
    reference = Reference(photo_digest(faceinp.read_photo(photo)), share)
    return dataclasses.replace(result, references=(*result.references, reference))


def test_each_other_photo_has_its_verdict_and_their_median_ranks(result: faceinp.Result, judge: faceinp.Judge) -> None:
    likeness = faceinp.judge_fill(result, judge, others=OTHERS)
    distances = [other.filled.distance.euclidean for other in likeness.others]
    alone = [faceinp.judge_fill(result, judge, others=[other]).verdict.distance.euclidean for other in OTHERS]
    assert distances == pytest.approx(alone, abs=1e-5) and len(set(distances)) == 3
    assert likeness.verdict.distance.euclidean == sorted(distances)[1]
    assert likeness.note == "" and all(other.floor for other in likeness.others)
    without = faceinp.judge_fill(result, judge).verdict.distance.euclidean
    assert without == pytest.approx(likeness.original.distance.euclidean, abs=1e-5)


def test_a_photo_that_was_used_to_fill_gives_no_score(
    result: faceinp.Result, judge: faceinp.Judge, tmp_path: Path
) -> None:
    used, refused, compared = OTHERS
    Image.fromarray(used).save(tmp_path / "used.png")  # recognised by its pixels, whatever they come as
    result = filled_from(filled_from(result, used, 0.4), refused, 0.0)
    likeness = faceinp.judge_fill(result, judge, others=[tmp_path / "used.png", refused, compared])
    assert likeness.others[0].filled is None and likeness.others[0].floor is None
    assert likeness.note == "Other photo 1 was used to fill, so it is not scored."
    assert likeness.others[1].filled and likeness.others[2].filled
    assert likeness.verdict in (likeness.others[1].filled, likeness.others[2].filled)


def test_without_an_independent_photo_the_original_ranks_and_a_sentence_says_so(
    result: faceinp.Result, judge: faceinp.Judge
) -> None:
    for other in OTHERS:
        result = filled_from(result, other, 0.2)
    likeness = faceinp.judge_fill(result, judge, others=OTHERS)
    assert likeness.verdict is likeness.original
    assert likeness.note.count("was used to fill") == 3
    assert likeness.note.endswith("No independent photo is left to compare with.")


def test_a_photo_without_a_face_is_left_out_and_what_is_no_photo_is_an_error(
    result: faceinp.Result, judge: faceinp.Judge
) -> None:
    nobody = np.full((200, 300, 3), 128, np.uint8)
    likeness = faceinp.judge_fill(result, judge, others=[nobody, OTHERS[0]])
    assert likeness.note.startswith("No face was found in other photo 1.") and "independent" not in likeness.note
    assert likeness.verdict == likeness.others[1].filled
    with pytest.raises(faceinp.PhotoError):
        faceinp.judge_fill(result, judge, others=[b"no photo"])


def test_the_former_name_for_one_photo_still_works(result: faceinp.Result, judge: faceinp.Judge) -> None:
    with pytest.warns(DeprecationWarning, match="others="):
        likeness = faceinp.judge_fill(result, judge, second=OTHERS[0])
    assert likeness.second == likeness.verdict == likeness.others[0].filled
    assert likeness.second_floor == likeness.others[0].floor
