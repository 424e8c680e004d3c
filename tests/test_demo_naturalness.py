"""How natural an engine's fills are elsewhere, under the cards of a comparison."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data

import faceinp

pytest.importorskip("gradio", reason="the extra 'demo' is not installed")

from faceinp.demo import examples, filling, naturalness, pictures, result_words
from faceinp.demo.jobs import Failed

ROOT = Path(__file__).resolve().parents[1]
PORTRAIT = faceinp.read_photo(skimage.data.astronaut())


def filled(name: str, seed: int) -> faceinp.Result:
    return faceinp.fill(PORTRAIT, faceinp.make_preset(name, PORTRAIT, seed=seed), engine="telea")


@pytest.mark.parametrize("name", naturalness.MEASURED)
def test_a_hole_as_it_was_measured_is_recognised(name: str) -> None:
    assert {naturalness.hole_like(filled(name, seed)) for seed in (101, 102)} == {name}


def test_one_eye_that_is_hidden_generously_is_no_band_over_both() -> None:
    photo, hole = faceinp.read_photo(examples.make(examples.HIDDEN_EYE)), examples.hole(examples.HIDDEN_EYE)
    assert naturalness.hole_like(faceinp.fill(photo, hole, engine="telea")) == "one-eye"


def test_other_holes_are_like_none_of_these() -> None:
    corner = np.zeros((512, 512), np.bool_)
    corner[:40, :40] = True
    assert naturalness.hole_like(faceinp.fill(PORTRAIT, corner, engine="telea")) == ""
    assert naturalness.hole_like(filled("scratches", 0)) == ""


def test_the_figures_are_those_of_the_published_table() -> None:
    make = runpy.run_path(str(ROOT / "tools" / "make_naturalness.py"))["made"]
    assert make() == (ROOT / "demo" / "naturalness.json").read_text(encoding="utf-8")
    for engines in naturalness.MEASURED.values():
        assert engines["landmark+symmetry"] < engines["landmark"] < engines["telea"]
        assert set(engines) >= {"mirror", "patchmatch", "tv"}


def test_a_card_says_how_natural_its_engine_is_and_what_that_means(tmp_path: Path) -> None:
    def fill(engine: str) -> filling.Made:
        order = filling.Order(
            photo=PORTRAIT.pixels, hole=lambda: faceinp.make_preset("one-eye", PORTRAIT, seed=1).hole, engine=engine
        )
        return filling.fill(order, tmp_path, lambda *_: None, None)

    telea, landmark = fill("telea"), fill("landmark")
    assert pictures.SYMMETRY in landmark.shares
    for made, measured in ((telea, "telea"), (landmark, "landmark+symmetry")):
        figure = naturalness.MEASURED["one-eye"][measured]
        said = f"naturalness {figure:.{2 if figure < 10 else 0}f} (best: 0)"
        assert said in result_words.card(made)
    assert "one eye, a rough ellipse" in result_words.about_naturalness([Failed("tv", "no"), telea])
    elsewhere = replace(telea, hole_like="")
    assert "naturalness" not in result_words.card(elsewhere) and not result_words.about_naturalness([elsewhere])


@pytest.mark.parametrize("engine", ["landmark-onnx", "landmark-openvino", "landmark-tensorrt"])
def test_the_networks_runtimes_share_its_figures(engine: str) -> None:
    for mirrored in (False, True):
        figure = naturalness.measured("mouth", engine, mirrored)
        assert figure is not None and figure == naturalness.measured("mouth", "landmark", mirrored)
