"""Two folders of pictures: which files belong together, what is refused, whether figures agree with others'."""

import csv
import dataclasses
import os
import pickle
import re
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
import skimage.metrics
import torch
from PIL import Image
from skimage.color import rgb2gray

from faceinp import identity
from faceinp.cli.main import main
from faceinp.errors import DataError, MissingPackageError, WeightsError
from faceinp.evaluate import folder_measures as kinds
from faceinp.evaluate import folders
from faceinp.evaluate.folder_measures import Pair
from faceinp.evaluate.folders import Request, match, pictures, run
from faceinp.formulas import metrics
from faceinp.models import pretrained

SIDE = 64


def drawn(seed: int, side: int = SIDE) -> np.ndarray:
    """A picture of soft blobs."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def hole_of(side: int = SIDE) -> np.ndarray:
    hole = np.zeros((side, side), np.uint8)
    hole[side // 4 : side // 2, side // 4 : side // 2] = 255
    return hole


def filled(picture: np.ndarray) -> np.ndarray:
    return cv2.inpaint(picture, hole_of(len(picture)), 3, cv2.INPAINT_TELEA)


def put(folder: Path, name: str, picture: np.ndarray) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(file)
    return file


@pytest.fixture
def three(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Folders of three truths, of their results, and of masks."""
    for seed in range(3):
        put(tmp_path / "truth", f"{seed}.png", drawn(seed))
        put(tmp_path / "result", f"{seed}.png", filled(drawn(seed)))
        put(tmp_path / "masks", f"{seed}.png", hole_of())
    return tmp_path / "truth", tmp_path / "result", tmp_path / "masks"


def evaluate(*words: object, skip: str = "lpips,inception,lite,identity") -> int:
    return main(["evaluate", "folders", *map(str, words), "--skip", skip])


def table(out: Path) -> list[dict[str, str]]:
    with (out / "pictures.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# ---- agreement ----


@pytest.fixture(scope="module")
def fifty() -> list[Pair]:
    return [Pair(drawn(seed), filled(drawn(seed)), hole_of() > 0) for seed in range(50)]


def test_psnr_ssim_and_mae_agree_with_scikit_image(fifty: list[Pair]) -> None:
    measure = kinds.pixels(with_holes=True)
    for pair in fifty:
        psnr, ssim, mae, psnr_hole, _, mae_hole = measure.measure(pair)
        a, b = pair.truth / 255, pair.result / 255
        assert psnr == pytest.approx(skimage.metrics.peak_signal_noise_ratio(a, b, data_range=1), abs=1e-3)
        gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        theirs = skimage.metrics.structural_similarity(a, b, data_range=1, channel_axis=2, **gaussian)
        assert ssim == pytest.approx(theirs, abs=1e-3)
        assert mae == pytest.approx(np.abs(a - b).mean(), abs=1e-6)
        # In the hole alone are all differences, a sixteenth of the picture.
        assert mae_hole == pytest.approx(16 * mae) and psnr_hole == pytest.approx(psnr - 10 * np.log10(16))


def test_psnr_ssim_and_mae_agree_with_torchmetrics(fifty: list[Pair]) -> None:
    """Its SSIM counts the windows that reach beyond the border, too; Wang's, scikit-image's and ours do not."""
    image = pytest.importorskip("torchmetrics.functional.image", reason="the extra 'eval' is not installed")
    regression = pytest.importorskip("torchmetrics.functional.regression")
    measure = kinds.pixels(with_holes=False)
    for pair in fifty:
        a, b = (torch.from_numpy(each / 255).permute(2, 0, 1)[None].contiguous() for each in (pair.result, pair.truth))
        psnr, ssim, mae = measure.measure(pair)
        assert psnr == pytest.approx(float(image.peak_signal_noise_ratio(a, b, data_range=1.0)), abs=1e-3)
        theirs = image.structural_similarity_index_measure(a, b, data_range=1.0, sigma=1.5, kernel_size=11)
        assert metrics.ssim_map(pair.truth, pair.result).mean() == pytest.approx(float(theirs), abs=1e-3)
        assert abs(ssim - float(theirs)) < 0.05
        assert mae == pytest.approx(float(regression.mean_absolute_error(a, b)), abs=1e-6)


def test_the_protocol_agrees_with_edgeconnects_settings(fifty: list[Pair]) -> None:
    """Grey pictures in float32, SSIM with a uniform window of 51 pixels, the error relative to the sum."""
    measure = kinds.by_protocol("edgeconnect")
    for pair in fifty:
        a, b = (rgb2gray((each / 255).astype(np.float32)) for each in (pair.truth, pair.result))
        psnr, ssim, mae = measure.measure(pair)
        assert psnr == pytest.approx(skimage.metrics.peak_signal_noise_ratio(a, b, data_range=1), abs=1e-3)
        assert ssim == pytest.approx(skimage.metrics.structural_similarity(a, b, data_range=1, win_size=51), abs=1e-3)
        assert mae == pytest.approx(np.abs(a - b).sum() / (a + b).sum(), abs=1e-5)


# ---- the command ----


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


# ---- which files belong together ----


def test_names_match_below_folders_whatever_the_suffix_and_the_accents(tmp_path: Path) -> None:
    truth, result = tmp_path / "truth", tmp_path / "result"
    name = unicodedata.normalize("NFC", "Zoë")
    put(truth, f"set/{name}.png", drawn(0))
    put(result, f"set/{unicodedata.normalize('NFD', name)}.jpg", drawn(0))
    put(truth, "set/._Zoë.png", drawn(0))
    (truth / "notes.txt").write_text("of no matter")
    assert list(match(Request(truth, result))) == [f"set/{name}"]
    assert evaluate(truth, result, "-o", tmp_path / "out") == 0
    assert (
        "Pairs with a JPEG as result, whose compression counts as error: 1."
        in (tmp_path / "out" / "report.md").read_text()
    )
    assert table(tmp_path / "out")[0]["picture"] == f"set/{name}"


def test_a_result_folder_inside_of_the_truth_is_no_truth(tmp_path: Path) -> None:
    put(tmp_path, "a.png", drawn(0))
    put(tmp_path / "mine", "a.png", drawn(1))
    put(tmp_path / "mine" / "masks", "a.png", hole_of())
    request = Request(tmp_path, tmp_path / "mine", tmp_path / "mine" / "masks")
    assert match(request) == {"a": tuple(tmp_path / each / "a.png" for each in (".", "mine", "mine/masks"))}


def test_names_that_differ_are_refused_unless_only_common_ones_are_wanted(three: tuple[Path, Path, Path]) -> None:
    truth, result, masks = three
    put(result, "more.png", drawn(9))
    (result / "0.png").unlink()
    with pytest.raises(DataError, match=r"Of 4 names, TRUTH lacks 1, such as more; RESULT lacks 1, such as 0\. --com"):
        match(Request(truth, result))
    assert list(match(Request(truth, result, common=True))) == ["1", "2"]
    (masks / "1.png").unlink()
    assert list(match(Request(truth, result, masks, common=True))) == ["2"]


def test_thousands_of_files_are_matched_at_once(tmp_path: Path) -> None:
    for folder in ("truth", "result"):
        (tmp_path / folder).mkdir()
        for number in range(3000):
            (tmp_path / folder / f"{number:05}.png").touch()
    assert len(match(Request(tmp_path / "truth", tmp_path / "result"))) == 3000


def test_names_are_no_formulas_of_a_spreadsheet(tmp_path: Path) -> None:
    put(tmp_path / "truth", "=1+1.png", drawn(0))
    put(tmp_path / "result", "=1+1.png", drawn(1))
    assert evaluate(tmp_path / "truth", tmp_path / "result", "-o", tmp_path / "out") == 0
    assert table(tmp_path / "out")[0]["picture"] == "'=1+1"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    put(tmp_path, "a.png", drawn(0))
    put(tmp_path, "a.jpg", drawn(0))
    with pytest.raises(DataError, match="differ only in their suffix"):
        pictures(tmp_path, "TRUTH")


# ---- what cannot be measured ----


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


# ---- networks ----


def test_a_judge_knows_the_person_after_a_small_change_and_no_other() -> None:
    photo = skimage.data.astronaut()
    changed = photo.copy()
    changed[:40] = 0
    stranger = np.ascontiguousarray(photo[::-1])
    measure = kinds.likeness("bundled")
    same, near = measure.measure(Pair(photo, changed))
    other, far = measure.measure(Pair(photo, stranger))
    assert same == 1 and other == 0 and near < 0.2 < far
    assert np.isnan(measure.measure(Pair(drawn(0), drawn(0)))).all()  # no face


def test_both_crops_are_cut_alike() -> None:
    photo = skimage.data.astronaut()
    crops = identity.crops_alike(photo, np.roll(photo, 1, axis=2))
    assert crops is not None and crops.shape == (2, 3, identity.SIDE, identity.SIDE)
    assert np.array_equal(np.roll(crops[0], 1, axis=0), crops[1])


def test_a_judge_that_was_named_must_run(three: tuple[Path, Path, Path], capsys: pytest.CaptureFixture) -> None:
    words = (three[0], three[1], "--judges", "nobody", "-o", three[0].parent / "out")
    assert evaluate(*words, skip="lpips,inception,lite") != 0
    assert "nobody" in capsys.readouterr().err


def test_lpips_is_torchmetrics_and_equal_pictures_are_0_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchmetrics", reason="the extra 'eval' is not installed")
    import torchvision
    from torchvision.models._api import WeightsEnum

    untrained = torchvision.models.alexnet().state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: untrained)
    measure = kinds.perceptual("alex")
    assert measure.measure(Pair(drawn(0), drawn(0))) == [0.0]
    assert measure.measure(Pair(drawn(0), filled(drawn(0))))[0] > 0
    assert np.isnan(measure.measure(Pair(drawn(0, 32), drawn(0, 32)))[0])


def test_a_network_that_cannot_be_fetched_is_a_sentence(
    three: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise WeightsError("The weights could not be fetched.")

    for name in ("lpips", "inception"):
        monkeypatch.setattr(pretrained, name, refuse)
    run(Request(*three[:2], skip=("lite", "identity"), out=tmp_path / "out"))
    told = (tmp_path / "out" / "report.md").read_text()
    assert "LPIPS: The weights could" in told and "FID, KID, P-IDS, U-IDS on Inception: The weights could" in told


def test_inceptions_file_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / Path(published.URL_INCEPTION_V3).name
    file.parent.mkdir(parents=True)

    class Evil:
        def __reduce__(self) -> tuple:
            return os.mkdir, (str(tmp_path / "ran"),)

    file.write_bytes(pickle.dumps(Evil(), 2))  # torch's own protocol
    with pytest.raises(WeightsError, match="Inception"):
        pretrained.inception()
    assert not (tmp_path / "ran").exists()


def test_inception_sees_2048_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / Path(published.URL_INCEPTION_V3).name
    file.parent.mkdir(parents=True)
    torch.save({}, file)
    monkeypatch.setattr(published.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
    see = kinds.inception()[kinds.INCEPTION]
    assert see(Pair(drawn(0), drawn(1))).shape == (2, 2048)


# ---- sets ----


def features(count: int, shift: float = 0.0) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    truth = rng.normal(0, 1, (count, 8))
    return list(np.stack([truth, truth + rng.normal(shift, 0.3, (count, 8))], axis=1).astype(np.float32))


def test_few_pictures_have_no_frechet_distance_and_many_have_all() -> None:
    pytest.importorskip("sklearn", reason="the extra 'eval' is not installed")
    rows, refused = kinds.compare_sets(kinds.INCEPTION, features(50), 0)
    assert [row.column.title for row in rows] == ["KID, Inception"] and len(refused) == 2
    rows, refused = kinds.compare_sets(kinds.INCEPTION, features(2000), 0)
    assert [row.column.title.partition(",")[0] for row in rows] == ["KID", "FID", "P-IDS", "U-IDS"] and not refused
    assert kinds.compare_sets(kinds.LITE, features(9), 0)[0] == []
    wide = [
        np.full((2, 1), np.nan, np.float32),
        *features(kinds.MIN_PAIRS_KID),
    ]  # a picture that is not square has no window
    assert kinds.compare_sets(kinds.WINDOWS, wide, 0) == (
        [],
        ["Naturalness of holes needs square pictures."],
    )


def test_a_result_never_meets_its_own_truth() -> None:
    """Results that hardly differ from their truths are as far apart as nothing: 0 on average, and not under it."""
    x = np.random.default_rng(0).normal(0, 1, (20, 8))
    mean, deviation = metrics.paired_kernel_distance(x, x)
    assert abs(mean) < 2 * deviation / np.sqrt(100) + 1e-9
    assert metrics.kernel_distance(x, x) < -0.5 < mean  # with its own truth in it
    assert metrics.paired_kernel_distance(x, x + 1)[0] > mean + 1


def test_an_svm_cannot_tell_alike_sets_and_can_tell_others() -> None:
    pytest.importorskip("sklearn", reason="the extra 'eval' is not installed")
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (2, 500, 4))
    paired, unpaired = metrics.discriminability(x, y)
    assert 0.4 < paired.mean() < 0.55 and 0.4 < unpaired.mean() < 0.55
    paired, unpaired = metrics.discriminability(x, y + 9)
    assert paired.mean() == 0 and unpaired.mean() == 0
