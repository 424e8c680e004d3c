"""`faceinp evaluate folders`: its reports, and what it refuses."""

import dataclasses
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from picture_folders import SIDE, drawn, evaluate, filled, hole_of, put, table

from faceinp.cli.main import main
from faceinp.errors import MissingPackageError
from faceinp.evaluate import folder_measures as kinds
from faceinp.evaluate import folders
from faceinp.evaluate.folders import Request
from faceinp.models import pretrained


def test_a_known_difference_is_measured_and_told_in_three_files(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for number, level in enumerate((100, 140)):
        truth = np.full((SIDE, SIDE, 3), level, np.uint8)
        put(tmp_path / "truth", f"{number}.png", truth)
        put(tmp_path / "result", f"{number}.png", truth + np.uint8(10 * (number + 1)))
    out = tmp_path / "out"
    assert evaluate(tmp_path / "truth", tmp_path / "result", "-o", out) == 0
    first, second = table(out)
    assert float(first["psnr"]) == pytest.approx(20 * np.log10(255 / 10), abs=1e-3)
    assert float(second["mae"]) == pytest.approx(20 / 255, abs=1e-5)
    mean = 10 * (np.log10(255 / 10) + np.log10(255 / 20))
    for told in (capsys.readouterr().out, (out / "report.md").read_text(), (out / "report.html").read_text()):
        assert f"{mean:.2f}" in told and "LPIPS: skipped by --skip." in told and "higher" in told


def test_masks_and_networks_add_their_rows(three: tuple[Path, Path, Path], tmp_path: Path) -> None:
    truth, result, masks = three
    for seed in range(3, kinds.MIN_PAIRS_KID):
        put(truth, f"{seed}.png", drawn(seed))
        put(result, f"{seed}.png", filled(drawn(seed)))
        put(masks, f"{seed}.png", hole_of())
    try:
        pretrained.efficientnet_file()
    except MissingPackageError as error:
        pytest.skip(str(error))
    out = tmp_path / "out"
    words = (truth, result, "--masks", masks, "--aligned", "--judges", "bundled", "-o", out)
    assert evaluate(*words, skip="lpips,inception") == 0
    assert {"psnr_hole", "ssim_hole", "mae_hole", "same_bundled", "distance_bundled"} < set(table(out)[0])
    told = (out / "report.md").read_text()
    assert "KID, EfficientNet-Lite0" in told and "naturalness of holes" in told and "NOT comparable" in told
    assert "FID on EfficientNet-Lite0 needs 2,000 pairs" in told and "P-IDS and U-IDS on EfficientNet-Lite0" in told


def test_one_mask_serves_all_and_its_black_may_be_the_hole(three: tuple[Path, Path, Path], tmp_path: Path) -> None:
    truth, result, _ = three
    mask = put(tmp_path, "one.png", 255 - hole_of())
    assert evaluate(truth, result, "--masks", mask, "--mask-hole", "black", "-o", tmp_path / "out") == 0
    for line in table(tmp_path / "out"):  # everything that differs lies in the hole
        assert float(line["mae_hole"]) == pytest.approx(16 * float(line["mae"]), rel=1e-4)


def test_equal_folders_have_an_infinite_psnr_that_no_mean_holds(
    three: tuple[Path, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    truth = three[0]
    assert evaluate(truth, truth, "-o", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert "PSNR (dB) is ∞ in 3 pairs" in told and told.splitlines()[1].split()[2:5] == ["∞", "–", "3"]
    assert [line["psnr"] for line in table(tmp_path / "out")] == ["inf"] * 3
    put(three[1], "0.png", drawn(0))  # one pair of three
    assert evaluate(*three[:2], "-o", tmp_path / "out") == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("PSNR (dB) "))
    figures = [float(line["psnr"]) for line in table(tmp_path / "out")[1:]]
    assert f"{np.mean(figures):.2f}" in row and " 2 " in row and "∞" not in row


@pytest.mark.parametrize(
    ("count", "interval"), [(1, False), (kinds.MIN_PAIRS_KID - 1, False), (kinds.MIN_PAIRS_KID, True)]
)
def test_few_pictures_have_no_interval(
    count: int, interval: bool, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for seed in range(count):
        put(tmp_path / "truth", f"{seed}.png", drawn(seed))
        put(tmp_path / "result", f"{seed}.png", filled(drawn(seed)))
    assert evaluate(tmp_path / "truth", tmp_path / "result", "-o", tmp_path / "out") == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("SSIM"))
    assert (" to " in row) == interval and row.split()[-2:] == [str(count), "higher"]


def test_the_command_has_the_defaults_of_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []
    monkeypatch.setattr(folders, "run", lambda request, **_: asked.append(request))
    assert main(["evaluate", "folders", "a", "b"]) == 0
    assert dataclasses.replace(asked[0], command="") == Request(Path("a"), Path("b"))


def break_(kind: str, truth: Path, result: Path, masks: Path) -> list[str]:  # noqa: PLR0912 - one branch for each fault
    """One thing that is wrong; returns more words of the command."""
    if kind == "empty":
        for file in result.iterdir():
            file.unlink()
    elif kind == "no folder":
        result.rename(result.with_name("elsewhere"))
    elif kind == "unreadable":
        (result / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing more")
    elif kind == "another size":
        put(result, "1.png", drawn(1, SIDE // 2))
    elif kind == "mask of another size":
        put(masks, "1.png", hole_of(SIDE * 2))
    elif kind == "black mask":
        put(masks, "1.png", np.zeros((SIDE, SIDE), np.uint8))
    elif kind == "mask lacking":
        (masks / "1.png").unlink()
    elif kind == "too small for the protocol":
        for folder in (truth, result):
            put(folder, "1.png", drawn(1, 40))
        put(masks, "1.png", hole_of(40))
        return ["--protocol", "edgeconnect"]
    elif kind == "not square":
        for folder in (truth, result):
            put(folder, "1.png", drawn(1)[: SIDE // 2])
        put(masks, "1.png", hole_of()[: SIDE // 2])
        return ["--aligned"]
    elif kind == "out is a file":
        return ["-o", str(put(truth.parent, "out.png", drawn(0)))]
    elif kind == "unknown skip":
        return ["--skip", "everything"]
    return []


@pytest.mark.parametrize(
    ("kind", "sentence", "code"),
    [
        ("empty", "RESULT: .* contains no pictures", 7),
        ("no folder", "RESULT: .* is not a folder", 7),
        ("unreadable", "1 of 3 pairs cannot be measured, such as\n.*1: .*damaged", 7),
        ("another size", "1: Truth, result and mask must have one size, got 64 x 64, 32 x 32", 7),
        ("mask of another size", "got 64 x 64, 64 x 64, 128 x 128", 7),
        ("black mask", "1: The mask is entirely black", 7),
        ("mask lacking", "--masks lacks 1, such as 1", 7),
        ("too small for the protocol", "1: The pictures must be 51 pixels or more on each side, got 40 x 40", 7),
        ("not square", "1: The pictures must be square, 11 pixels or more on each side, got 64 x 32", 7),
        ("out is a file", "out.png is a file. Give -o a folder", 7),
        ("unknown skip", "--skip does not know everything", 7),
    ],
)
def test_what_cannot_be_measured_is_a_sentence(
    kind: str, sentence: str, code: int, three: tuple[Path, Path, Path], capsys: pytest.CaptureFixture
) -> None:
    more = break_(kind, *three)
    words = ["evaluate", "folders", str(three[0]), str(three[1]), "--masks", str(three[2])]
    out = ["-o", str(three[0].parent / "new"), "--skip", "lpips,inception,lite,identity"]
    assert main([*words, *out, *more]) == code
    told = capsys.readouterr().err
    assert re.search(sentence, told) and not (three[0].parent / "new").exists()


def test_other_forms_of_pictures_are_compared_as_rgb_and_told(tmp_path: Path) -> None:
    truth, result = tmp_path / "truth", tmp_path / "result"
    picture = drawn(0)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    put(truth, "alpha.png", picture)
    put(result, "alpha.png", np.dstack([picture, np.full((SIDE, SIDE), 99, np.uint8)]))
    put(truth, "grey.png", np.dstack([grey] * 3))
    put(result, "grey.png", grey)
    put(truth, "deep.png", picture)
    cv2.imwrite(str(result / "deep.png"), picture[..., ::-1].astype(np.uint16) * 257)
    assert evaluate(truth, result, "-o", tmp_path / "out") == 0
    assert [line["mae"] for line in table(tmp_path / "out")] == ["0"] * 3
    told = (tmp_path / "out" / "report.md").read_text()
    for sentence in ("Pairs with 16 bits per channel", "Pairs with transparency", "Pairs with grey on one side only"):
        assert sentence in told
