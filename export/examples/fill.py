"""Fill the hole in an aligned face: python fill.py photo.png mask.png out.png [restorer.onnx]

Needs onnxruntime and Pillow, nothing of faceinp. photo: a face aligned like FFHQ's. mask: of its size, white = hole.
"""

import os
import sys

import numpy as np
from PIL import Image

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime tells its maker what it runs, if imported without it
import onnxruntime

photo, mask, out, model = (*sys.argv[1:], "restorer.onnx")[:4]

session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
image = np.asarray(Image.open(photo).convert("RGB"))
hole = np.asarray(Image.open(mask).convert("L")) > 127
result, landmarks = session.run(
    None,
    {
        "image": image[None],  # uint8 (N, H, W, 3)
        "mask": hole[None].astype(np.uint8),  # uint8 (N, H, W), other than 0 in the hole
        "landmarks": np.full((1, 68, 2), -1, np.float32),  # -1: let it predict them
    },
)
Image.fromarray(result[0]).save(out)
