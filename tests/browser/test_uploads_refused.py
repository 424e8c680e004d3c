"""Files that are no photos, where they are dropped, in Chromium."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from .hands import load, unfold

pytestmark = [pytest.mark.browser, pytest.mark.flaky(reruns=1)]

DROP = """(place, name) => {
  const data = new DataTransfer();
  data.items.add(new File(['hello'], name, {type: 'text/plain'}));
  place.dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def test_what_is_no_photo_is_answered_beside_the_place_where_it_was_dropped(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_page()
    refused = page.locator("#load .message")
    page.locator("#photo button").evaluate(DROP, "a letter.txt")
    refused.wait_for()
    assert refused.inner_text().startswith("a letter.txt is not a picture.")
    box, photo = refused.bounding_box(), page.locator("#photo").bounding_box()
    assert 0 <= box["y"] - (photo["y"] + photo["height"]) < 40
    for name, content, said in (
        ("empty.jpg", b"", "empty.jpg is empty"),
        ("drawing.gif", b"GIF89a", "drawing.gif is a GIF, which is not supported"),
        ("scan.pdf", b"%PDF-1.4", "scan.pdf is a PDF, which is not supported"),
        ("renamed.jpg", b"hello", "renamed.jpg is not a picture"),
    ):
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#photo input[type=file]", tmp_path / name)
        page.wait_for_selector(f"#refused >> text={said}")
    large = tmp_path / "large.tif"
    with large.open("wb") as file:
        file.truncate(129 << 20)
    page.set_input_files("#photo input[type=file]", large)
    page.wait_for_selector("#load .message >> text=exceed the maximum allowed size of 128")
    assert page.locator("#load .message:visible").count() == 1, "of the last file alone"
    page.wait_for_selector(".toast-body", state="detached")
    assert "large.tif" in page.locator("#load .message:visible").inner_text(), "it stays"

    photo_of_another_name = tmp_path / "photo.txt"
    Image.new("RGB", (64, 64), (90, 120, 90)).save(photo_of_another_name, "PNG")
    load(page, photo_of_another_name)
    unfold(page, "#others")
    page.locator("#add-others button").evaluate(DROP, "a letter.txt")
    page.wait_for_selector("#others-message >> text=a letter.txt is not a picture")
    unfold(page, "#shapes")
    page.set_input_files("#shapes input[type=file]", tmp_path / "renamed.jpg")
    page.wait_for_selector("#message >> text=The mask cannot be used: renamed.jpg is not a picture")
    page.wait_for_selector("#others-message", state="hidden")
    page.set_input_files("#add-others input[type=file]", tmp_path / "empty.jpg")
    page.wait_for_selector("#message", state="hidden")
    page.wait_for_selector("#others-message >> text=empty.jpg is empty")
    page.click("#another")
    page.wait_for_selector("#photo")
    assert not page.locator("#load .message:visible").count()
    page.set_input_files("#photo input[type=file]", large)
    page.wait_for_selector("#load .message >> text=exceed the maximum allowed size of 128")
    page.get_by_role("button", name="Scratches", exact=True).click()
    page.wait_for_selector("#another:visible")
    page.click("#another:not([disabled])")
    page.wait_for_selector("#photo")
    assert not page.locator("#load .message:visible").count(), "another photo was taken since"
