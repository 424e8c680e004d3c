"""Fill the hole in a photo of a face: python fill.py photo.jpg mask.png out.png

Needs onnxruntime, NumPy and Pillow, and photo.onnx and detector.onnx beside it. mask: white in the hole, with the size
of the upright photo. out: upright, with the photo's colour profile and transparency; a PNG keeps known pixels exactly.
"""

import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

Run = Callable[..., list[np.ndarray]]  # run(model, outputs, **inputs), each input without its batch of one


def window(box: np.ndarray, margin: float = 0) -> tuple[slice, slice]:
    """Return the rows and columns of a box, enlarged by the share ``margin`` of its size on each side."""
    x, y, width, height = box
    left, top = max(0, int(x - margin * width)), max(0, int(y - margin * height))
    return np.s_[top : math.ceil(y + (1 + margin) * height), left : math.ceil(x + (1 + margin) * width)]


def find_face(run: Run, image: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points (5, 2) of the face that the mask covers most, and the mask without other faces."""
    boxes, points = run("detector", ["boxes", "points"], image=image, mask=mask)
    for margin in (0, 0.5):  # 0.5 includes hair and chin
        covered = [mask[window(box, margin)].sum() for box in boxes]
        if any(covered):
            break
    else:
        sys.exit("No face was found under the mask. Only upright faces are found.")
    best = int(np.argmax(covered))
    single = mask.copy()
    for box in np.delete(boxes, best, 0):
        single[window(box)] = 0
    single[window(boxes[best])] = mask[window(boxes[best])]
    if (single != mask).any():
        print(
            "The mask also covers another face, which was not filled. Fill it in a second run with its own mask.",
            file=sys.stderr,
        )
    return points[best], single


def main(run: Run, photo_file: str, mask_file: str, out_file: str) -> None:
    """Fill a photo. run: runs a graph."""
    try:
        opened = [Image.open(file) for file in (photo_file, mask_file)]
        sixteen = ";16" in str(opened[0].tile)  # Pillow would silently drop the lower 8 bits
        photo, mask = map(ImageOps.exif_transpose, opened)
    except OSError as error:
        sys.exit(f"A picture cannot be read: {error}.")
    if photo.mode[0] in "IF" or sixteen:
        sys.exit(f"{photo_file} has more than 8 bits per channel. Save it with 8.")
    if mask.size != photo.size:
        rotated = mask.size == photo.size[::-1]
        help = "Rotate it as the photo's EXIF rotates the photo" if rotated else "Both must have the same size"
        sys.exit("The mask has {} x {} pixels, the upright photo {} x {}. {}.".format(*mask.size, *photo.size, help))
    hole = (np.asarray(mask.convert("L")) > 127).astype(np.uint8)
    if hole.all():
        sys.exit("The mask covers the whole photo. Leave part of the face unmasked.")
    if not hole.any():
        sys.exit("The mask is empty, so nothing is filled. Paint the hole white.")

    image = np.asarray(photo.convert("RGB"))
    points, hole = find_face(run, image, hole)
    result, face = run("photo", ["result", "face"], image=image, mask=hole, points=points)
    if face[0] < 0.5:
        print("The fill may not look like a face. Use a frontal face, or a smaller mask.", file=sys.stderr)
    out = Image.fromarray(result[0])
    if photo.has_transparency_data:
        alpha = np.asarray(photo.convert("RGBA"))[..., 3]
        out.putalpha(Image.fromarray(np.where(hole, np.uint8(255), alpha)))
    out.save(out_file, icc_profile=photo.info.get("icc_profile") if photo.mode in ("RGB", "RGBA") else None)


def with_onnxruntime(model: str, outputs: list[str], **inputs: np.ndarray) -> list[np.ndarray]:
    """Run the graph beside this file."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # otherwise onnxruntime sends telemetry
    import onnxruntime

    file = Path(__file__).with_name(f"{model}.onnx")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(outputs, {name: array[None] for name, array in inputs.items()})


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("python fill.py photo.jpg mask.png out.png")
    main(with_onnxruntime, *sys.argv[1:])
