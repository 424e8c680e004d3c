"""Fill the hole in a photo of a face on a Triton server: python triton.py photo.jpg mask.png out.png [--grpc]

Needs tritonclient[http,grpc], NumPy and Pillow, and fill.py beside it, which describes photo, mask and out. The server
has the models detector and photo of `faceinp export triton`.
"""

import argparse
import sys

import numpy as np
from fill import main
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

parser = argparse.ArgumentParser()
parser.add_argument("photo")
parser.add_argument("mask")
parser.add_argument("out")
parser.add_argument("--grpc", action="store_true", help="use gRPC instead of HTTP")
parser.add_argument("--server", help="host:port (default: localhost:8000, or :8001 with gRPC)")
args = parser.parse_args()
if args.grpc:
    import tritonclient.grpc as protocol
else:
    import tritonclient.http as protocol
server = args.server or ("localhost:8001" if args.grpc else "localhost:8000")


def run(model: str, outputs: list[str], **inputs: np.ndarray) -> list[np.ndarray]:
    """Run a graph on the server."""
    tensors = []
    for name, value in inputs.items():
        tensors.append(protocol.InferInput(name, [1, *value.shape], np_to_triton_dtype(value.dtype)))
        tensors[-1].set_data_from_numpy(value[None])
    try:
        response = protocol.InferenceServerClient(server).infer(model, tensors)
    except (InferenceServerException, OSError) as error:
        sys.exit(f"{server} did not fill the photo ({error}). Check that Triton runs there with the model {model}.")
    return [response.as_numpy(name) for name in outputs]


main(run, args.photo, args.mask, args.out)
