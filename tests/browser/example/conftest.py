"""The examples' page in Chromium."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import skimage.data
from PIL import Image

if TYPE_CHECKING:  # what these modules import may not be installed
    from .site import Hands, Site


@pytest.fixture
def site(tmp_path: Path) -> "Iterator[Site]":
    from .site import EXAMPLES, Site

    if not (EXAMPLES / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("onnxruntime-web is not here: run npm install in export/examples")
    folder = tmp_path / "site"
    folder.mkdir()
    site = Site(folder)
    yield site
    site.stop()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo as a file that keeps its pixels, with a profile of other colours than sRGB's."""
    from example_graphs import odd_profile

    from .site import HEIGHT, WIDTH

    file = tmp_path / "photo.png"
    Image.fromarray(skimage.data.astronaut()[20 : 20 + HEIGHT, 110 : 110 + WIDTH]).save(file, icc_profile=odd_profile())
    return file


@pytest.fixture
def use(browser: Any, site: "Site") -> "Iterator[Callable[..., Hands]]":
    from .site import Hands

    contexts = []

    def use(width: int = 1100, height: int = 900, **options: Any) -> Hands:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        return Hands(contexts[-1].new_page(), site)

    yield use
    for context in contexts:
        context.close()
