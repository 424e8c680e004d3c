"""Masks of others: folders and lists are read as they are published, and what is no mask is refused."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data as pictures

from faceinp.errors import DataError
from faceinp.mask import mask_files
from faceinp.train.completion import CompletionRun
from faceinp.train.holes import drawing, mask_holes

SHARES = (0.05, 0.1, 0.15, 0.35)


def strip(share: float, side: int = 100) -> np.ndarray:
    """uint8 (side, side): the left ``share`` of it white."""
    mask = np.zeros((side, side), np.uint8)
    mask[:, : round(share * side)] = 255
    return mask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four masks in a folder and one within, as NVIDIA's test set has them, and what is none of them."""
    masks = tmp_path / "masks"
    (masks / "border").mkdir(parents=True)
    for number, share in enumerate(SHARES):
        within = masks / ("border" if number == 3 else "")
        Image.fromarray(strip(share)).save(within / f"{number:05}.png")
    (masks / "readme.txt").write_text("no picture")
    (masks / "._00000.png").write_bytes(b"what another system's archives leave beside a file")
    return masks


def names(masks: mask_files.MaskFiles) -> list[str]:
    return [file.name for file in masks.files]


def test_a_folder_is_read_with_what_lies_within(folder: Path) -> None:
    masks = mask_files.read(folder)
    assert masks.name == "masks" and names(masks) == ["00000.png", "00001.png", "00002.png", "00003.png"]
    assert masks.shares == pytest.approx(SHARES) and masks.left_out == ()
    assert masks.about == "4 masks of masks: white is the hole, 16% of a mask on average."


def test_black_is_the_hole_where_that_is_said_and_a_likely_mistake_is_named(folder: Path) -> None:
    masks = mask_files.read(folder, "black")
    assert masks.shares == pytest.approx([1 - share for share in SHARES])
    assert np.array_equal(masks.draw(1, 50), ~mask_files.read(folder).draw(1, 50))
    assert "if white is the hole, use --mask-hole white" in masks.about


def test_a_number_is_a_mask_at_any_size(folder: Path) -> None:
    masks = mask_files.read(folder)
    for size in (33, 100, 256):
        drawn = masks.draw(3, size)
        assert drawn.shape == (size, size) and drawn.dtype == np.bool_
        assert drawn.mean() == pytest.approx(0.35, abs=0.02)
        assert np.array_equal(drawn, masks.draw(7, size))  # counted round
        assert np.array_equal(masks.draw(1, size), masks.draw(5, size))


def test_what_is_too_thin_for_a_size_still_has_a_hole_and_surroundings(tmp_path: Path) -> None:
    line = np.zeros((512, 512), np.uint8)
    cv2.line(line, (10, 500), (500, 30), 255, 1)
    Image.fromarray(line).save(tmp_path / "line.png")
    Image.fromarray(255 - line).save(tmp_path / "rest.png")
    masks = mask_files.read(tmp_path)
    assert 0 < masks.draw(0, 32).mean() < 0.2
    assert 0.8 < masks.draw(1, 32).mean() < 1


def test_bins_are_nvidias(folder: Path) -> None:
    """Each holds its upper end."""
    bins = mask_files.read(folder).bins()
    assert {name: names(masks) for name, masks in bins.items()} == {
        "0-10": ["00000.png", "00001.png"], "10-20": ["00002.png"], "30-40": ["00003.png"],
    }  # fmt: skip
    assert bins["30-40"].name == "masks 30-40 %" and bins["30-40"].draw(5, 100).mean() == pytest.approx(0.35)


def test_a_list_names_files_absolutely_or_beside_itself(folder: Path) -> None:
    flist = folder.parent / "test.flist"
    flist.write_text(f"masks/00002.png\r\n{folder}/00000.png\r\n\r\nmasks/border/00003.png\r\n")
    masks = mask_files.read(flist)
    assert masks.name == "test.flist" and names(masks) == ["00002.png", "00000.png", "00003.png"]
    single = mask_files.read(folder / "00002.png")
    assert names(single) == ["00002.png"] and np.array_equal(single.draw(4, 100), masks.draw(0, 100))


def test_grey_edges_numbers_and_one_bit_pictures_are_masks(tmp_path: Path) -> None:
    sharp = strip(0.35)
    Image.fromarray(cv2.GaussianBlur(sharp, (0, 0), 1.5)).save(tmp_path / "soft.jpg", quality=90)
    Image.fromarray(sharp // 255).save(tmp_path / "numbers.png")
    Image.fromarray(sharp > 0).save(tmp_path / "bits.png")
    Image.fromarray(np.stack([sharp] * 3, -1)).save(tmp_path / "rgb.bmp")
    assert mask_files.read(tmp_path).shares == pytest.approx([0.35] * 4, abs=0.01)


def test_what_marks_nothing_or_everything_is_left_out_and_counted(folder: Path) -> None:
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "none.png")
    Image.fromarray(np.full((9, 9, 3), 255, np.uint8)).save(folder / "all.png")
    masks = mask_files.read(folder)
    assert len(masks.files) == 4 and [file.name for file in masks.left_out] == ["all.png", "none.png"]
    assert masks.about.endswith("2 were left out: they mark nothing or everything.")
    flist = folder / "plain.txt"
    flist.write_text("none.png\nall.png\n")
    with pytest.raises(DataError, match=r"The 2 masks of .*plain.txt mark nothing or everything"):
        mask_files.read(flist)


def _photo(folder: Path) -> Path:
    Image.fromarray(pictures.astronaut()[::4, ::4]).save(folder / "00009.png")
    return folder


def _broken(folder: Path) -> Path:
    (folder / "00009.png").write_bytes(b"no picture")
    return folder


def _empty(folder: Path) -> Path:
    (folder.parent / "empty").mkdir()
    return folder.parent / "empty"


def _missing(folder: Path) -> Path:
    (folder / "list.flist").write_text("00000.png\n00009.png\nborder\n")
    return folder / "list.flist"


def _no_line(folder: Path) -> Path:
    (folder / "list.txt").write_text("\n")
    return folder / "list.txt"


def _no_text(folder: Path) -> Path:
    return (folder / "00000.png").rename(folder / "list.flist")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_photo, "00009.png is not a mask: The mask looks like a photo"),
        (_broken, "A mask cannot be read: .*00009.png"),
        (_empty, ".*empty contains no masks. Give a folder of .jpg"),
        (lambda folder: folder / "nowhere", "There is no folder or file .*nowhere"),
        (_missing, "2 of the 3 masks listed in .*list.flist are missing, first .*00009.png"),
        (_no_line, "list.txt lists no mask"),
        (_no_text, "cannot be read as a list of masks"),
    ],
)
def test_what_is_no_set_of_masks_is_refused(folder: Path, spoil: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(DataError, match=said):
        mask_files.read(spoil(folder))


def test_a_tone_is_white_or_black(folder: Path) -> None:
    with pytest.raises(DataError, match="white or black, got 'auto'"):
        mask_files.read(folder, "auto")


def corner(folder: Path) -> Path:
    """A mask whose eight turned and mirrored forms differ."""
    mask = np.zeros((32, 32), np.uint8)
    mask[:8, :20] = 255
    Image.fromarray(mask).save(folder / "corner.png")
    return folder / "corner.png"


def test_training_turns_and_mirrors_masks(folder: Path) -> None:
    said: list[str] = []
    masks = mask_holes.load(CompletionRun(masks=str(corner(folder))), 32, said.append)
    assert masks is not None and len(said) == 1 and "white is the hole" in said[0]
    assert masks.bits.shape == (1, 32, 4)  # eight pixels a byte
    drawn = masks.choose(200, np.random.default_rng(0), torch.device("cpu"))
    assert drawn.shape == (200, 32, 32) and drawn.dtype == torch.bool
    whole = torch.zeros(32, 32, dtype=torch.bool)
    whole[:8, :20] = True
    forms = {
        turned.numpy().tobytes()
        for flip in (whole, whole.T)
        for turned in (flip, *(torch.rot90(flip, k) for k in (1, 2, 3)))
    }
    assert {hole.numpy().tobytes() for hole in drawn} == forms and len(forms) == 8


def test_a_share_of_the_holes_comes_from_the_masks_and_the_others_stay(folder: Path) -> None:
    points = torch.rand(400, 68, 2, generator=torch.Generator().manual_seed(0))
    masks = mask_holes.load(CompletionRun(masks=str(corner(folder)), masks_share=0.3), 32, lambda _: None)
    plain = drawing.draw(points, 32, seed=(1, 2, 0))
    mixed = drawing.draw(points, 32, seed=(1, 2, 0), masks=masks)
    assert torch.equal(mixed, drawing.draw(points, 32, seed=(1, 2, 0), masks=masks))
    changed = (plain != mixed).flatten(1).any(dim=1)
    assert 0.2 < changed.float().mean() < 0.4
    assert (mixed[changed].sum((1, 2, 3)) == 160).all()


def test_masks_that_leave_too_little_are_left_out_of_training(folder: Path) -> None:
    Image.fromarray(strip(0.95)).save(folder / "00009.png")
    said: list[str] = []
    masks = mask_holes.load(CompletionRun(masks=str(folder)), 64, said.append)
    assert masks is not None and len(masks.bits) == 4
    assert said[1] == "1 of them hide less than 0.2% or more than 85%: they were left out."
    with pytest.raises(DataError, match=r"No mask of .* hides between 0.2% and 85%"):
        mask_holes.load(CompletionRun(masks=str(folder / "00009.png")), 64, said.append)
    with pytest.raises(DataError, match="--masks-share must lie between 0 and 1, got 30"):
        mask_holes.load(CompletionRun(masks=str(folder), masks_share=30), 64, said.append)
