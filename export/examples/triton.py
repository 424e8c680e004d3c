"""Fill the hole in an aligned face on a Triton server: python triton.py photo.png mask.png out.png [--grpc]

Needs tritonclient[http,grpc] and Pillow, nothing of faceinp. photo: a face aligned like FFHQ's. mask: of its size,
white = hole. `faceinp export triton` writes the model that the server has to serve.
"""

import argparse
import sys

import numpy as np
from PIL import Image
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

parser = argparse.ArgumentParser()
parser.add_argument("photo")
parser.add_argument("mask")
parser.add_argument("out")
parser.add_argument("--grpc", action="store_true", help="ask by gRPC in place of HTTP")
parser.add_argument("--server", help="host:port (default: localhost:8000, or :8001 by gRPC)")
parser.add_argument("--model", default="restorer")
args = parser.parse_args()
if args.grpc:
    import tritonclient.grpc as protocol
else:
    import tritonclient.http as protocol

image = np.asarray(Image.open(args.photo).convert("RGB"))[None]  # uint8 (N, H, W, 3)
hole = np.asarray(Image.open(args.mask).convert("L"))[None] > 127
if hole.shape != image.shape[:3]:
    sys.exit(f"{args.mask} is not of the size of {args.photo}. Give a mask of its size.")
inputs = []
for name, value in {
    "image": image,
    "mask": hole.astype(np.uint8),  # uint8 (N, H, W), other than 0 in the hole
    "landmarks": np.full((1, 68, 2), -1, np.float32),  # -1: let it predict them
}.items():
    inputs.append(protocol.InferInput(name, list(value.shape), np_to_triton_dtype(value.dtype)))
    inputs[-1].set_data_from_numpy(value)

server = args.server or ("localhost:8001" if args.grpc else "localhost:8000")
try:
    answer = protocol.InferenceServerClient(server).infer(args.model, inputs)
except (InferenceServerException, OSError) as error:
    sys.exit(f"{server} did not fill the photo ({error}). Is Triton running there, with the model {args.model}?")
Image.fromarray(answer.as_numpy("result")[0]).save(args.out)
