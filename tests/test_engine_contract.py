"""What every engine gets from the contract: checks, batches, landmarks, exemplars, progress."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import faceinp
from faceinp.engines import base, landmark
from faceinp.engines.base import Batch, Engine, Exemplars

SIDE = 16


class Recorder(Engine):
    """Keeps its batches; its picture is what it was asked to use: crop, plus first landmark, plus exemplar."""

    name, about, size, largest = "recorder", "keeps its batches", SIDE, 64

    def __init__(self, batch_size: int = 8, guided: bool = False) -> None:
        self.batch_size, self.guided = batch_size, guided
        self.batches: list[Batch] = []

    def _predict(self, crops: NDArray[np.float32], masks: NDArray[np.bool_]) -> NDArray[np.float32]:
        return np.broadcast_to(crops.mean(axis=(1, 2, 3))[:, None, None], (len(crops), 68, 2))

    def _generate(self, batch: Batch) -> NDArray[np.floating]:
        self.batches.append(batch)
        points = 0 if batch.landmarks is None else batch.landmarks[:, :1, :1, None]
        return batch.crops / 4 + points / 4 + (batch.exemplar.pictures * batch.exemplar.confidence).astype(np.float64)


def crops(count: int, side: int = SIDE) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    rng = np.random.default_rng(count)
    masks = np.zeros((count, 1, side, side), np.bool_)
    masks[..., 4:9, 3:8] = True
    return rng.random((count, 3, side, side), dtype=np.float32), masks


def exemplars(count: int) -> Exemplars:
    rng = np.random.default_rng(count + 1)
    return Exemplars(
        rng.random((count, 3, SIDE, SIDE), dtype=np.float32) / 2, rng.random((count, 1, SIDE, SIDE), dtype=np.float32)
    )


@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(0, 9),
    batch_size=st.integers(0, 4),
    guided=st.booleans(),
    by_hand=st.booleans(),
    exemplar=st.booleans(),
)
def test_batches_change_nothing_but_their_size(
    count: int, batch_size: int, guided: bool, by_hand: bool, exemplar: bool
) -> None:
    pictures, masks = crops(count)
    points = np.random.default_rng(0).random((count, 68, 2)) if guided and by_hand else None
    others = exemplars(count) if exemplar else None
    seen: list[tuple[int, int]] = []
    engine = Recorder(batch_size, guided)
    filled = engine.fill(
        *(pictures, masks),
        landmarks=points,
        exemplar=others,
        seed=5,
        progress=lambda done, total, preview=None: seen.append((done, total)),
    )
    for n in range(count):
        alone = Recorder(1, guided).fill(
            *(pictures[n : n + 1], masks[n : n + 1]),
            landmarks=None if points is None else points[n : n + 1],
            exemplar=None if others is None else Exemplars(*(array[n : n + 1] for array in others)),
        )
        assert np.array_equal(filled[n], alone[0])
    assert filled.dtype == np.float32 and filled.shape == pictures.shape
    sizes = [len(batch.crops) for batch in engine.batches]
    assert sum(sizes) == count and max(sizes, default=0) <= (batch_size or count)
    assert all(batch.seed == 5 for batch in engine.batches)
    if batch_size:
        assert seen == [(0, count), *((sum(sizes[: n + 1]), count) for n in range(len(sizes)))]


def test_the_hole_is_grey_and_pictures_leave_in_range() -> None:
    engine = Recorder()
    pictures, masks = crops(2)
    others = Exemplars(np.ones_like(pictures), np.ones((2, 1, SIDE, SIDE), np.float32))
    filled = engine.fill(pictures, masks, exemplar=others)
    assert filled.max() == 1
    assert (engine.batches[0].crops[np.broadcast_to(masks, pictures.shape)] == 0.5).all()


def test_without_an_exemplar_an_engine_gets_zeros() -> None:
    engine = Recorder()
    engine.fill(*crops(2))
    (batch,) = engine.batches
    assert batch.exemplar.pictures.shape == (2, 3, SIDE, SIDE) and not batch.exemplar.pictures.any()
    assert batch.exemplar.confidence.shape == (2, 1, SIDE, SIDE) and not batch.exemplar.confidence.any()
    assert batch.landmarks is None


@pytest.mark.parametrize("name", ["telea", "mirror"])
def test_an_engine_that_cannot_use_an_exemplar_ignores_it(name: str) -> None:
    engine = faceinp.load_engine(name)
    pictures, masks = crops(2)
    assert np.array_equal(engine.fill(pictures, masks, exemplar=exemplars(2)), engine.fill(pictures, masks))


@pytest.mark.parametrize(
    ("exemplar", "says"),
    [
        (Exemplars(np.zeros((1, 3, SIDE, SIDE), np.float32), np.zeros((2, 1, SIDE, SIDE), np.float32)), "pictures"),
        (Exemplars(np.zeros((2, 3, SIDE, SIDE), np.float32), np.zeros((2, 3, SIDE, SIDE), np.float32)), "confidence"),
        (Exemplars(np.zeros((2, 3, SIDE, SIDE)), np.zeros((2, 1, SIDE, SIDE), np.float32)), "float64"),
        (Exemplars(np.full((2, 3, SIDE, SIDE), 9, "f4"), np.zeros((2, 1, SIDE, SIDE), np.float32)), r"in \[0, 1\]"),
        (Exemplars(np.zeros((2, 3, SIDE, SIDE), "f4"), np.full((2, 1, SIDE, SIDE), np.nan, "f4")), "confidence"),
    ],
)
def test_an_exemplar_of_another_form_is_refused(exemplar: Exemplars, says: str) -> None:
    with pytest.raises(faceinp.EngineError, match=f"exemplar.*{says}"):
        Recorder().fill(*crops(2), exemplar=exemplar)


def test_landmarks_guide_a_guided_engine_and_no_other() -> None:
    pictures, masks = crops(3)
    engine = Recorder(2, guided=True)
    predicted = engine.fill(pictures, masks)
    assert [batch.landmarks.shape for batch in engine.batches] == [(2, 68, 2), (1, 68, 2)]  # type: ignore[union-attr]
    points = np.concatenate([batch.landmarks for batch in engine.batches if batch.landmarks is not None])
    assert np.array_equal(engine.fill(pictures, masks, landmarks=points), predicted)
    assert not np.array_equal(engine.fill(pictures, masks, landmarks=points + 0.1), predicted)
    with pytest.raises(faceinp.EngineError, match="'recorder' does not use landmarks"):
        Recorder().fill(pictures, masks, landmarks=points)
    for wrong in (points[:2], points[:, :5], np.full_like(points, np.nan)):
        with pytest.raises(faceinp.EngineError, match="68 points"):
            engine.fill(pictures, masks, landmarks=wrong)


def test_every_engine_predicts_landmarks(small_weights: Any) -> None:
    pictures, masks = crops(2, 256)
    points = faceinp.load_engine("landmark").predict_landmarks(pictures, masks)
    assert points.shape == (2, 68, 2) and points.dtype == np.float32
    assert np.abs(faceinp.load_engine("telea").predict_landmarks(pictures, masks) - points).max() < 1e-4
    with pytest.raises(faceinp.EngineError, match="256 pixels a side, got 16"):
        faceinp.load_engine("telea").predict_landmarks(*crops(1))


def test_arrays_that_torch_cannot_wrap_are_taken(small_weights: Any) -> None:
    """Flipped views have negative strides."""
    engine = faceinp.load_engine("landmark")
    pictures, masks = crops(1, 256)
    points = engine.predict_landmarks(pictures, masks)
    mirrored = pictures[..., ::-1], masks[..., ::-1], points[:, ::-1]
    copies = [np.ascontiguousarray(array) for array in mirrored]
    assert np.array_equal(
        engine.fill(mirrored[0], mirrored[1], landmarks=mirrored[2]),
        engine.fill(copies[0], copies[1], landmarks=copies[2]),
    )


def test_details_may_be_one_instance_s_own() -> None:
    guided, free = Recorder(guided=True), Recorder()
    assert guided.guided and not free.guided and not Recorder.guided
    for kind in base.registry.values():
        assert isinstance(kind.name, str) and kind.about and 0 < kind.size <= kind.largest


class Graph:
    """An open file of an exported completion network, as far as its engine looks at it."""

    runtime, batch = "nothing", 0

    def __init__(self, name: str, inputs: tuple[str, ...]) -> None:
        self.about, self.inputs = {"name": name}, inputs
        self.runs: list[dict[str, NDArray[Any]]] = []

    def run(self, inputs: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
        self.runs.append(inputs)
        return [inputs["picture"]]


@pytest.mark.parametrize("more", [(), ("exemplar", "exemplar_confidence")])
def test_graphs_get_the_inputs_that_they_have(more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("picture", "mask", "landmark_map", *more)
    completion = Graph("completion", names)
    graphs = {"completion": completion, "landmarks": Graph("landmarks", ("picture", "mask"))}
    monkeypatch.setattr(landmark, "open_network", lambda name, runtime, file: graphs[name])
    engine = landmark.Landmark()
    pictures, masks = crops(1, 256)
    engine.fill(pictures, masks, landmarks=np.full((1, 68, 2), 0.5))
    (inputs,) = completion.runs
    assert sorted(inputs) == sorted(names)
    assert all(not inputs[name].any() for name in more)
    if more:
        confidence = np.full((1, 1, 256, 256), 0.25, np.float32)
        engine.fill(pictures, masks, landmarks=np.full((1, 68, 2), 0.5), exemplar=Exemplars(pictures, confidence))
        assert np.array_equal(completion.runs[1]["exemplar"], pictures)
        assert np.array_equal(completion.runs[1]["exemplar_confidence"], confidence)


def test_callbacks_get_the_loss_where_they_have_an_argument_for_it() -> None:
    calls: list[tuple[Any, ...]] = []

    def plain(done: int, total: int, preview: Any = None) -> None:
        calls.append((done, total, preview))

    def with_loss(done: int, total: int, preview: Any = None, *, loss: float | None = None) -> None:
        calls.append((done, total, preview, loss))

    for progress in (None, plain, with_loss, lambda *given: calls.append(given)):
        base.reporting(progress)(1, 2, loss=0.5)
    assert calls == [(1, 2, None), (1, 2, None, 0.5), (1, 2, None)]


def test_an_engine_from_elsewhere_needs_a_class_and_its_registration() -> None:
    @base.register
    class Grey(Engine):
        """As docs/architecture.md describes it."""

        name, about, size, largest = "grey-from-elsewhere", "a grey fill", 256, 1024

        def _generate(self, batch: Batch) -> NDArray[np.floating]:
            return batch.crops

    try:
        assert faceinp.list_engines()[-1].name == Grey.name and faceinp.list_engines()[-1].ready
        photo = np.zeros((300, 300, 3), np.uint8)
        hole = np.zeros((300, 300), np.bool_)
        hole[100:140, 100:160] = True
        result = faceinp.fill(
            photo, hole, engine=Grey.name, face=faceinp.FaceLocation.aligned(), blending="composite", symmetry=False
        )
        assert result.engine == Grey.name and (abs(result.image[hole].astype(int) - 128) <= 1).all()
        with pytest.raises(faceinp.EngineError, match=r"Unknown option 'depth' for engine '.*'\. Available: none\."):
            faceinp.load_engine(Grey.name, {"depth": 3})
    finally:
        del base.registry[Grey.name]
