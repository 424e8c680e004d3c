"""Fill the hole in a photo of a face on a Triton server: python triton.py photo.jpg mask.png out.png [--grpc]

Needs tritonclient[http,grpc], NumPy and Pillow, and fill.py beside it, which says what comes in and out. The server has
the models detector and photo, as `faceinp export triton` writes them.
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
parser.add_argument("--grpc", action="store_true", help="ask by gRPC in place of HTTP")
parser.add_argument("--server", help="host:port (default: localhost:8000, or :8001 by gRPC)")
args = parser.parse_args()
if args.grpc:
    import tritonclient.grpc as protocol
else:
    import tritonclient.http as protocol
server = args.server or ("localhost:8001" if args.grpc else "localhost:8000")


def run(model: str, outputs: list[str], **inputs: np.ndarray) -> list[np.ndarray]:
    """Have the server run a graph."""
    given = []
    for name, value in inputs.items():
        given.append(protocol.InferInput(name, [1, *value.shape], np_to_triton_dtype(value.dtype)))
        given[-1].set_data_from_numpy(value[None])
    try:
        answer = protocol.InferenceServerClient(server).infer(model, given)
    except (InferenceServerException, OSError) as error:
        sys.exit(f"{server} did not fill the photo ({error}). Is Triton running there, with the model {model}?")
    return [answer.as_numpy(name) for name in outputs]


main(run, args.photo, args.mask, args.out)
