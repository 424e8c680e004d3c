"""Fills in turn: what is ordered, what comes of it, and who is served next."""

import contextlib
import dataclasses
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from PIL import Image
from serving import until

import faceinp
from faceinp.exemplars.sources import Reference

pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo.fills import filling, jobs
from faceinp.demo.images import pictures
from faceinp.demo.text import result_text, strings

PHOTO = cv2.GaussianBlur(skimage.data.astronaut(), (0, 0), 1.5)  # without its grain, which seeds change


def order(engine: str = "telea", **given: Any) -> filling.FillRequest:
    hole = np.zeros((512, 512), np.bool_)
    hole[100:120, 200:240] = True
    return filling.FillRequest(
        photo=PHOTO,
        hole=lambda: hole,
        engine=engine,
        face=faceinp.FaceLocation.aligned(),
        **given,
    )


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"engine": "../../etc/passwd"}, "Unknown engine"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": True}, "seed"),
        ({"seed": float("nan")}, "seed"),
        ({"iterations": 10**9}, "iterations"),
        ({"blending": "x" * 10_000}, "blending"),
    ],
    ids=str,
)
def test_absurd_orders_are_refused_in_one_short_sentence(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(faceinp.EngineError, match=says) as refused:
        order(**wrong)
    assert len(str(refused.value)) < 300


def test_a_job_fills_and_says_what_it_did(tmp_path: Path) -> None:
    job = jobs.Job([order(seed=3)], tmp_path)
    assert job.wait(240)
    (made,) = job.results()
    assert made.changed_pixels == 0 and made.seed == 3 and made.size == (512, 512)
    with Image.open(made.file) as picture:
        assert np.asarray(picture)[0, 0].tolist() == PHOTO[0, 0].tolist()
    assert set(made.views) == set(pictures.VIEWS) and all(
        file.exists() for pair in made.views.values() for file in pair
    )


def test_the_time_a_fill_takes_is_the_median_of_the_last_ones_of_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "_timed", {})
    small, large = 512 * 512, 50_000_000
    assert filling.expected("tv", small) == filling.expected("tv") == filling.EXPECTED["tv"]
    for seconds in (2.0, 1.0, 90.0):  # the last of them waited for something else
        filling.timed("tv", small, seconds)
    assert filling.expected("tv", small) == filling.expected("tv", 300 * 200) == filling.expected("tv") == 2.0
    assert filling.expected("tv", large) == filling.EXPECTED["tv"] and filling.expected("telea") == 1.0
    for _ in range(2):
        filling.timed("tv", large, 40.0)
    assert filling.expected("tv", large) == 40 and filling.expected("tv", small) == 2 < filling.expected("tv") <= 40
    for _ in range(100):
        filling.timed("tv", small, 5.0)
    assert filling.expected("tv", small) == 5
    assert len(filling._timed["tv", 0]) == filling.TIMED, "none is remembered for ever"
    job = jobs.Job([order()], tmp_path)
    assert job.wait(240)
    (made,) = job.results()
    assert filling.expected("telea", small) == made.seconds


def test_other_photos_reach_the_fill_and_the_judge_and_what_became_of_them_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tuple(tmp_path / name for name in ("one.png", "two.png", "three.png"))
    real_fill, taken, judged = faceinp.fill, {}, []

    def fill(*args: Any, **more: Any) -> faceinp.Result:
        taken.update(more)
        result = real_fill(*args, **more | {"references": (), "symmetry": False})
        sources = np.where(result.mask & (np.arange(512) < 210), np.uint8(11), result.sources)
        became = (Reference(b"1", 0.0, 1.4, "Too far."), Reference(b"2", 0.25, 0.8))
        return dataclasses.replace(result, sources=sources, references=became)

    def judge_fill(result: faceinp.Result, judge: Any, others: Any) -> None:
        judged.append(others)

    monkeypatch.setattr(faceinp, "fill", fill, raising=False)
    monkeypatch.setattr(faceinp, "judge_fill", judge_fill, raising=False)
    wanted = {"symmetry": True, "references": files[:2], "reference_check": False}
    job = jobs.Job([order(**wanted, others=files)], tmp_path, lambda: None)  # type: ignore[arg-type,return-value]
    assert job.wait(240)
    (made,) = job.results()
    assert taken.items() >= wanted.items() and judged == [files] and made.others == files
    assert made.shares == {1: 0.75, 11: 0.25}
    assert made.references == (
        (files[0], Reference(b"1", 0.0, 1.4, "Too far.")),
        (files[1], Reference(b"2", 0.25, 0.8)),
    )


def test_seeds_that_change_nothing_give_one_candidate(tmp_path: Path) -> None:
    job = jobs.Job([order(seed=seed) for seed in range(4)], tmp_path)
    assert job.wait(240) and job.equal and len(job.results()) == 1


def test_an_engine_that_fails_in_a_comparison_leaves_the_others_alone(tmp_path: Path) -> None:
    bad = filling.FillRequest(photo=b"no picture", hole=lambda: None, engine="mirror")
    job = jobs.Job([bad, order()], tmp_path, keep_going=True)
    assert job.wait(240)
    assert isinstance(job.outcomes[0], jobs.FailedFill) and [made.engine for made in job.results()] == ["telea"]
    table = result_text.table(job.outcomes).replace("&#x27;", "'")
    assert "telea" in table and job.outcomes[0].reason in table


def test_a_search_shows_its_curve_and_stops_when_told(tmp_path: Path) -> None:
    job = jobs.Job([order("structural", iterations=400)], tmp_path)
    until(lambda: len(job.running.curve) >= 2 or job.wait(0), 240)
    job.stop()
    assert job.wait(240)
    (made,) = job.results()
    assert any("best so far" in note for note in made.notes)
    (_, first), *_, (_, last) = job.running.curve
    assert last < first, "the loss falls"
    assert f"Loss of the search: {last:.3f}, {first:.3f} at the start" in strings.progress(job.running)
    assert "<svg" in strings.progress(job.running) and "data:image/png" in strings.progress(job.running)


def test_who_waits_is_served_in_turn_and_who_left_is_skipped(tmp_path: Path) -> None:
    lane, served = jobs._Queue(1), []
    inside, go = threading.Event(), threading.Event()

    def holder() -> None:
        with lane.turn(lambda n: None, lambda: None):
            inside.set()
            go.wait(120)

    def waits(name: str, left: threading.Event) -> None:
        def check() -> None:
            if left.is_set():
                raise faceinp.Cancelled("gone")

        with contextlib.suppress(faceinp.Cancelled), lane.turn(lambda n: None, check):
            served.append(name)

    threads = [threading.Thread(target=holder)]
    threads[0].start()
    assert inside.wait(60)
    gone, stays = threading.Event(), threading.Event()
    for place, (name, event) in enumerate((("first", stays), ("gone", gone), ("last", stays)), 1):
        threads.append(threading.Thread(target=waits, args=(name, event)))
        threads[-1].start()
        until(lambda place=place: len(lane._waiting) == place)
    gone.set()
    until(lambda: len(lane._waiting) == 2)
    go.set()
    for thread in threads:
        thread.join(60)
    assert served == ["first", "last"]


def test_an_engine_that_takes_long_to_make_is_made_once_holds_up_nobody_else_and_can_be_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, made, go = faceinp.load_engine, [], threading.Event()

    def slowly(name: str, options: Any) -> faceinp.Engine:
        made.append(name)
        if name == "mirror":
            assert go.wait(240)
        return load(name, options)

    monkeypatch.setattr(filling, "_engines", {})
    monkeypatch.setattr(faceinp, "load_engine", slowly, raising=False)
    slow = [jobs.Job([order("mirror")], tmp_path) for _ in range(jobs.LIMITS["quick"] + 1)]
    until(lambda: "mirror" in made)
    other = jobs.Job([order("telea")], tmp_path)
    assert other.wait(240) and other.results()
    slow[0].stop()
    assert slow[0].wait(60)
    with pytest.raises(faceinp.Cancelled):
        slow[0].results()
    go.set()
    assert all(job.wait(240) and job.results() for job in slow[1:])
    assert made.count("mirror") == 1


def test_an_engine_that_could_not_be_made_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filling, "_engines", {})
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(filling.faceinp, "load_engine", lambda *_: 1 / 0, raising=False)
        with pytest.raises(ZeroDivisionError):
            filling.load_engine("mirror")
    assert filling.load_engine("mirror") is filling.load_engine("mirror")
