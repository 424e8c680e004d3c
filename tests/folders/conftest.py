"""Three pictures, their results, and masks."""

from pathlib import Path

import pytest
from picture_folders import drawn, filled, hole_of, put


@pytest.fixture
def three(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Folders of three truths, of their results, and of masks."""
    for seed in range(3):
        put(tmp_path / "truth", f"{seed}.png", drawn(seed))
        put(tmp_path / "result", f"{seed}.png", filled(drawn(seed)))
        put(tmp_path / "masks", f"{seed}.png", hole_of())
    return tmp_path / "truth", tmp_path / "result", tmp_path / "masks"
