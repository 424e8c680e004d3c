"""What is painted, put or uploaded on a photo is filled, and nothing else, in Chromium."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image

from .hands import SHARE, changed, example, facts, fill, hidden, load, message, paint, put_on, saved, unfold, use

# Once more where one fails: on a machine that does much else, Gradio's editor may lose an event and wait for ever.
pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

FACE = (222, 112)  # x, y of the astronaut's nose, in pixels
SLOW_UPLOADS = """() => {
  const quick = window.fetch, before = document.querySelector('#share').innerText;
  window.fetch = async (...given) => {
    const early = document.querySelector('#share').innerText === before;
    const upload = String(given[0].url || given[0]).includes('/upload');
    if (upload && early) await new Promise(go => setTimeout(go, 3000));
    return quick(...given);
  };
  window.progressShown = 0;
  const tracker = '#editor [data-testid=status-tracker]:not(.hide)';
  setInterval(() => window.progressShown += document.querySelectorAll(tracker).length, 50);
}"""
Open = Callable[..., Any]


def test_a_face_is_filled_where_it_was_painted_and_nowhere_else(open_page: Open, photo: Path) -> None:
    page = open_page()
    assert page.locator("#fill").is_disabled()
    assert not page.locator("#panel #find").is_visible(), "it comes with a photo"
    load(page, photo)
    page.wait_for_selector("text=One face was found")
    use(page, "telea")
    fill(page)
    assert "Paint over" in message(page)

    paint(page, 512, FACE[0] - 15, FACE[1], 30)
    assert hidden(page) > 0
    fill(page)
    page.wait_for_selector("#outcome .known")
    known = int(
        re.search(r"Filled. The other ([\d,]+) pixels are exactly as they were", page.locator("#outcome").inner_text())[
            1
        ].replace(",", "")
    )
    assert f"all {known:,} unchanged" in facts(page)
    filled = saved(page)
    assert filled.format == "PNG" and filled.size == (512, 512)
    assert filled.text["faceinp:engine"] == "telea"
    assert "compositeWithTrainedAlgorithmicMedia" in filled.info["XML:com.adobe.xmp"]
    where = changed(filled, skimage.data.astronaut())
    assert where[FACE[1] - 4 : FACE[1] + 5, FACE[0] - 15 : FACE[0] + 16].mean() > 0.9
    away = np.ones_like(where)
    away[FACE[1] - 45 : FACE[1] + 46, FACE[0] - 60 : FACE[0] + 61] = False
    assert not where[away].any()
    assert where.sum() <= 512 * 512 - known


def test_a_preset_is_drawn_over_inverted_and_cleared(open_page: Open, photo: Path) -> None:
    page = open_page()
    load(page, photo)
    put_on(page, "eyes")
    preset = hidden(page)
    assert 0.5 < preset < 5
    paint(page, 512, FACE[0] - 20, FACE[1] + 60, 40)
    drawn = hidden(page)
    assert drawn > preset
    page.click("#invert")
    page.wait_for_function(f"parseFloat({SHARE}) > {100 - drawn - 1}")
    assert hidden(page) == pytest.approx(100 - drawn, abs=0.3)
    page.locator("#editor [aria-label='Clear canvas']").click()
    page.wait_for_function(f"!{SHARE}")
    page.wait_for_timeout(1500)
    fill(page)
    assert "Paint over" in message(page), "the photo is still there, and nothing is painted"


def test_slow_uploads_leave_no_progress_on_the_editor(open_page: Open, photo: Path) -> None:
    page = open_page()
    load(page, photo)
    put_on(page, "eyes")
    page.evaluate(SLOW_UPLOADS)
    page.click("#invert")
    page.wait_for_function(f"parseFloat({SHARE}) > 90")
    page.wait_for_timeout(4000)  # for what the editor still sends
    assert page.evaluate("window.progressShown") == 0, "what is shown may stay on a busy machine"
    page.locator("#editor [aria-label='Clear canvas']").click()
    page.wait_for_function(f"!{SHARE}")


def test_an_uploaded_mask_is_the_hole_to_the_pixel(open_page: Open, photo: Path, tmp_path: Path) -> None:
    page = open_page()
    load(page, photo)
    hole = np.zeros((512, 512), np.bool_)
    hole[100:125, 200:245] = True
    Image.fromarray(hole).save(tmp_path / "mask.png")
    unfold(page, "#shapes")
    with page.expect_file_chooser() as chooser:
        page.click("#mask-file")
    chooser.value.set_files(tmp_path / "mask.png")
    page.wait_for_selector("text=Mask loaded")
    page.wait_for_timeout(1500)
    use(page, "biharmonic")
    fill(page)
    where = changed(saved(page), skimage.data.astronaut())
    assert not (where & ~hole).any() and where[hole].mean() > 0.9


def test_a_scratched_photo_comes_with_its_scratches_marked(open_page: Open) -> None:
    from faceinp.demo.images import examples

    page = open_page()
    example(page, examples.SCRATCHED)
    page.wait_for_selector("text=One face was found. The painted area will be replaced")
    marked = examples.hole(examples.SCRATCHED)
    assert hidden(page) == pytest.approx(100 * marked.mean(), abs=0.1)
    use(page, "telea")
    fill(page)
    where = changed(saved(page), examples.make(examples.SCRATCHED))
    assert where[marked].mean() > 0.8 and not where[~marked].any()


def test_faces_are_numbered_and_the_chosen_one_is_filled(open_page: Open) -> None:
    page = open_page()
    example(page, "Two people")
    page.wait_for_selector("#faces img")
    assert [text.strip() for text in page.locator("#face label").all_inner_texts()] == [
        "every face I paint over",
        "1, the largest",
        "2",
        "a box that I click",
        "five points that I click",
        "the photo is an aligned face crop",
    ]
    page.locator("#face label").nth(2).click()
    put_on(page, "eyes")
    use(page, "telea")
    fill(page)
    before = np.asarray(saved(page).convert("RGB"))
    from faceinp.demo.images import examples

    where = changed(Image.fromarray(before), examples.make("Two people"))
    assert where[:, 340:].any() and not where[:, :340].any()
