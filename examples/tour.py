"""A tour of faceinp in two minutes: python examples/tour.py [FOLDER]

It hides parts of a portrait (NASA's photo of Eileen Collins, public domain, which scikit-image contains), fills them,
and leaves the pictures in FOLDER (default: runs/tour). Needs `pip install 'faceinp[classical]'`.
"""

import sys
from pathlib import Path

import numpy as np
from skimage import data

import faceinp


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    photo = faceinp.read_photo(data.astronaut())

    # 1. Masks: True is the hole. From a file, an array, or by name.
    one_eye = faceinp.make_preset("one-eye", photo)
    print(f"The mask hides {one_eye.share:.1%} of the photo: {one_eye.about}.")

    # 2. One call fills it. Known pixels are returned unchanged.
    result = faceinp.fill(photo, one_eye)
    result.save(folder / "one-eye.png")
    print(
        f"Filled by {result.engine}. Known pixels changed: {result.changed_pixels}. Notes:", *result.notes, sep="\n- "
    )

    # 3. Where each pixel comes from: 0 known, 1 generated, 2 the other half of the face, 3 the surroundings.
    for source, count in zip(*np.unique(result.sources, return_counts=True), strict=True):
        print(f"source {source}: {count} pixels")

    # 4. Other engines and presets, side by side.
    lower_face = faceinp.make_preset("lower-face", photo)
    for engine in ("landmark", "telea", "patchmatch"):
        faceinp.fill(photo, lower_face, engine=engine).save(folder / f"lower-face-{engine}.png")

    # 5. Is it still the same person? A likeness score, with the rate of false matches; not evidence of identity.
    filled = faceinp.fill(photo, lower_face)
    verdict = faceinp.compare_faces(photo.pixels, filled.image, faceinp.load_judge("bundled"))
    print(f"Likeness {verdict.probability:.0%}; threshold for a false match rate of {verdict.false_match_rate:.0%}.")

    # 6. Damage is proposed as a mask, to look at and correct before anything is filled.
    scratched = np.array(photo.pixels)
    scratched[100:400, 200:203] = 235
    damage = faceinp.find_damage(scratched)
    print(f"Damage found on {damage.mask.mean():.2%} of the photo.")
    faceinp.fill(scratched, damage.mask).save(folder / "scratch.png")
    print(f"The pictures are in {folder}.")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/tour"))
