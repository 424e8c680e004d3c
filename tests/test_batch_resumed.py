"""A batch that is run again: what is done stays, what is missing is filled, other settings are refused."""

import json
from pathlib import Path

import pytest
from batch_files import HOLE, encoded, photo, quiet, settings

from faceinp.batch import record
from faceinp.batch.run import run
from faceinp.errors import DataError, EngineError


def test_a_second_run_does_only_what_is_missing(album: Path) -> None:
    where = str(album / "in"), settings(album / "out")
    masks = str(album / "masks")
    run(*where, masks=masks, say=quiet)
    before = {file: file.stat().st_mtime_ns for file in (album / "out").rglob("*.png")}
    said: list[str] = []
    assert run(*where, masks=masks, say=said.append) == {"filled": 0, "failed": 0}
    assert said[0].startswith("7 photos are already done, 2 of them failed (--retry")
    (album / "in" / "new.png").write_bytes(encoded(photo(9)))
    (album / "masks" / "new.png").write_bytes(encoded(HOLE))
    (album / "masks" / "alone.png").write_bytes(encoded(HOLE))
    assert run(*where, masks=masks, say=quiet) == {"filled": 1, "failed": 0}
    assert run(*where, masks=masks, retry=True, say=quiet) == {"filled": 1, "failed": 1}  # alone.png has a mask now
    assert all(file.stat().st_mtime_ns == then for file, then in before.items())


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"seed": 3}, "seed 0, now 3"),
        ({"engine": "navier-stokes"}, "engine 'telea', now 'navier-stokes'"),
        ({"format": "webp"}, "format"),
        ({"mask_hole": "white", "grow": 2}, "mask_hole 'auto', now 'white', grow 0, now 2"),
        ({"options": {"radius": 5}}, "options"),
    ],
)
def test_a_folder_begun_with_other_settings_is_refused(album: Path, changed: dict, named: str) -> None:
    source, masks = str(album / "in"), str(album / "masks")
    run(source, settings(album / "out"), masks=masks, say=quiet)
    with pytest.raises(DataError, match="--again") as raised:
        run(source, settings(album / "out", **changed), masks=masks, say=quiet)
    assert named in str(raised.value)
    with pytest.raises(DataError, match="preset"):
        run(source, settings(album / "out", preset="centre"), say=quiet)


def test_a_folder_begun_with_other_weights_is_refused(album: Path) -> None:
    source, masks = str(album / "in"), str(album / "masks")
    run(source, settings(album / "out"), masks=masks, say=quiet)
    record = album / "out" / "manifest" / "settings.json"
    kept = json.loads(record.read_text())
    record.write_text(json.dumps(kept | {"weights": {"completion": "0" * 64}}))
    with pytest.raises(DataError, match=r"other settings: weights .*completion"):
        run(source, settings(album / "out"), masks=masks, say=quiet)
    record.write_text(json.dumps(kept | {"version": "0.0.1"}))
    assert run(source, settings(album / "out"), masks=masks, say=quiet) == {"filled": 0, "failed": 0}


def test_again_fills_all_photos_and_forgets_the_earlier_manifest(album: Path) -> None:
    source, masks, out = str(album / "in"), str(album / "masks"), album / "out"
    run(source, settings(out), masks=masks, say=quiet)
    assert json.loads((out / "manifest" / "settings.json").read_text())["grow"] == 0
    larger = settings(out, grow=3)
    assert run(source, larger, masks=masks, again=True, say=quiet) == {"filled": 5, "failed": 2}
    lines = [line for line in record.Target(str(out)).lines() if line["outcome"] == "filled"]
    assert len(lines) == 5 and all(line["hidden"] > 0.05 for line in lines)
    assert run(source, larger, masks=masks, say=quiet) == {"filled": 0, "failed": 0}
    with pytest.raises(DataError, match="grow 3, now 0"):
        run(source, settings(out), masks=masks, say=quiet)


def test_a_setting_that_fails_at_once_does_not_bind(album: Path) -> None:
    source, masks = str(album / "in"), str(album / "masks")
    for wrong in ({"engine": "magic"}, {"options": {"no": 1}}):
        with pytest.raises(EngineError):
            run(source, settings(album / "out", **wrong), masks=masks, say=quiet)
    assert run(source, settings(album / "out"), masks=masks, say=quiet)["filled"] == 5
