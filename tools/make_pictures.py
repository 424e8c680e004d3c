"""Make the pictures of README and docs: python tools/make_pictures.py

Only the NASA portrait of scikit-image (public domain) and faces of the generator itself are shown.
"""

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

import faceinp
from faceinp.engines import search
from faceinp.evaluate.finder_tables import drawn_damage
from faceinp.face import detection, faces
from faceinp.find import overlay
from faceinp.mask import presets, worn_occluders
from faceinp.train import loop

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"


def gallery() -> None:
    """Before, mask, after: a painted scratch, cracks that are found, dark glasses that are found."""
    photo = skimage.data.astronaut()
    stroke = np.zeros(photo.shape[:2], np.uint8)
    points = np.array([(150, 60), (196, 96), (226, 108), (262, 142), (300, 150)], np.int32)
    cv2.polylines(stroke, [points], False, 255, 13, cv2.LINE_AA)
    painted = stroke > 127
    scratched = photo.copy()
    scratched[painted] = (236, 230, 220)
    rows = [(scratched, painted)]
    cracked = drawn_damage.draw(photo, "cracks", np.random.default_rng(5)).pixels
    glasses = worn_occluders.wear_glasses(photo, average_points(photo), seed=2, lenses="dark")[0]
    for picture, name in ((cracked, "damage"), (glasses, "glasses")):
        rows.append((picture, faceinp.propose(picture, name).as_mask().hole))
    window = np.s_[0:260, 90:350]
    cells = []
    for picture, hole in rows:
        masked = picture.copy()
        masked[hole] = (230, 110, 20)
        cells.append([one[window] for one in (picture, masked, faceinp.fill(picture, hole).image)])
    sheet = np.concatenate([np.concatenate(row, axis=1) for row in cells])
    Image.fromarray(sheet).save(PICTURES / "gallery.png", optimize=True)


def exemplars() -> None:
    """One eye painted over, drawn by the network, taken from the other one, and where each pixel comes from."""
    photo = skimage.data.astronaut()
    hole = faceinp.make_preset("one-eye", faceinp.read_photo(photo), seed=1).hole
    painted = photo.copy()
    painted[hole] = (122, 122, 128)
    result = faceinp.fill(photo, hole)
    where = photo.copy()
    for code, colour in ((1, (200, 90, 60)), (2, (20, 150, 140))):
        where[result.sources == code] = colour
    shown = [painted, faceinp.fill(photo, hole, symmetry=False).image, result.image, where]
    window = np.s_[50:200, 150:300]
    sheet = np.concatenate([picture[window] for picture in shown], axis=1)
    Image.fromarray(sheet).resize((1200, 300), Image.Resampling.LANCZOS).save(PICTURES / "exemplars.png")


def found() -> None:
    """Cracks drawn on the portrait, what is found of it, and the fill; the same of glasses drawn on."""
    photo = skimage.data.astronaut()
    window = np.s_[0:360, 60:420]
    damaged = drawn_damage.draw(photo, "cracks", np.random.default_rng(5)).pixels
    points = average_points(photo)
    worn_ = worn_occluders.wear_glasses(photo, points, seed=2, lenses="dark")[0]
    rows = []
    for picture, name in ((damaged, "damage"), (worn_, "glasses")):
        proposal = faceinp.propose(picture, name)
        shown = [picture, overlay.tinted(picture, proposal), faceinp.fill(picture, proposal.as_mask()).image]
        rows.append(np.concatenate([one[window] for one in shown], axis=1))
    Image.fromarray(np.concatenate(rows)).save(PICTURES / "found.png")


def sensitivities() -> None:
    """Cracks and stains drawn on the portrait, and what is found of them at three sensitivities."""
    photo = skimage.data.astronaut()
    window = np.s_[0:360, 60:420]
    rows = []
    for kind, seed in (("cracks", 5), ("stains", 3)):
        damaged = drawn_damage.draw(photo, kind, np.random.default_rng(seed)).pixels
        proposal = faceinp.find_damage(damaged)
        shown = [damaged, *(overlay.tinted(damaged, proposal.at(sensitivity)) for sensitivity in (0.2, 0.5, 0.8))]
        rows.append(np.concatenate([one[window] for one in shown], axis=1))
    Image.fromarray(np.concatenate(rows)).save(PICTURES / "sensitivities.png", optimize=True)


def average_points(photo: np.ndarray) -> np.ndarray:
    """The 68 points of an average face where the photo's face is, in its pixels."""
    quad = faces.quad(detection.find_faces(photo)[0])
    return faces.to_photo(presets.average_points(1), quad)


def masks() -> None:
    """Every preset over the portrait, its holes in red, and what is worn, drawn."""
    photo = skimage.data.astronaut()
    size = 256
    face = detection.find_faces(photo)[0]
    crop = faces.align(photo, np.zeros(photo.shape[:2], bool), faces.quad(face), size)
    left, top = crop.quad[0]
    corners = np.column_stack([crop.quad[3] - crop.quad[0], crop.quad[1] - crop.quad[0]]) / size
    points = presets.average_points(size, (face.points - (left, top)) @ np.linalg.inv(corners).T)
    cells = []
    for number, name in enumerate(presets.NAMES):
        picture = crop.pixels.copy()
        hole = presets.make(name, (size, size), points=points, seed=number)
        picture[hole] = 0.35 * picture[hole] + 0.65 * np.array([220, 40, 40])
        cells.append((name, picture))
    for seed in (1, 8):
        cells.append(("worn", worn_occluders.wear_protective_mask(crop.pixels, points, seed=seed)[0]))
    cells.append(("worn", worn_occluders.wear_glasses(crop.pixels, points, seed=1, lenses="clear")[0]))
    cells.append(("worn", worn_occluders.wear_glasses(crop.pixels, points, seed=2, lenses="dark")[0]))
    side, label, columns = 112, 16, 11
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * (side + label), columns * side, 3), 255, np.uint8)
    for number, (name, picture) in enumerate(cells):
        y, x = number // columns * (side + label), number % columns * side
        sheet[y + label : y + label + side, x : x + side] = cv2.resize(
            picture, (side, side), interpolation=cv2.INTER_AREA
        )
        cv2.putText(sheet, name, (x + 2, y + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (0, 0, 0), 1, cv2.LINE_AA)
    Image.fromarray(sheet).quantize(256, Image.Quantize.MAXCOVERAGE).save(PICTURES / "masks.png", optimize=True)


def samples() -> None:
    """64 faces of the shipped generator."""
    prior = search.Prior.load()
    pixels = loop.grid(prior.generator(prior.latents(64, seed=0))).permute(1, 2, 0).numpy()
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(PICTURES / "samples.png")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    gallery()
    exemplars()
    found()
    sensitivities()
    masks()
    samples()
