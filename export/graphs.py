"""The list of graphs that can be exported: module, inputs, outputs, meaning and licence of each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from faceinp.errors import FaceinpError
from faceinp.models import catalogue, networks, weights
from faceinp.nets import dcgan, landmarks, segmentation

from . import modules, references

SIZE = networks.SIDE
LONGEST = 32_768  # pixels: the longer side of a whole photo

Dimension = int | str  # a str is the name of a dynamic axis: "batch", "height", "width"


@dataclass(frozen=True)
class Port:
    """One input or output.

    shape: names are dynamic axes; "side" is the size that the graph is built for. slack: a factor on the tolerance of
    ``parity``, for outputs in pixels and for photos, where another way of sampling rounds some pixels differently.
    """

    name: str
    dtype: str
    shape: tuple[Dimension, ...]
    about: str
    slack: float = 1.0


@dataclass(frozen=True)
class Graph:
    """One graph that can be exported.

    weights: names in ``catalogue.CATALOGUE``. wrapper: (networks of these weights, in order, side) -> the module.
    side: the default side; 0 if it cannot be chosen. multiple: the side must be a multiple of it. fixed: pictures must
    have that side; otherwise any height and width up to ``longest`` that are multiples of ``steps``. precisions: those
    that stay within the tolerance of ``parity``. assembled: it is built by ``assembled``, for one photo at a time.
    """

    name: str
    about: str
    weights: tuple[str, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    wrapper: Callable[..., nn.Module]
    side: int = SIZE
    multiple: int = 32
    fixed: bool = True
    steps: int = 1
    longest: int = 4096
    precisions: tuple[str, ...] = ("fp32", "fp16")
    assembled: bool = False

    @property
    def licence(self) -> str:
        return ", ".join(sorted({catalogue.CATALOGUE[name].licence for name in self.weights}))

    def sides(self, size: int) -> tuple[tuple[int, int], ...]:
        """The heights and widths at which a graph built for ``size`` is tested: two if they are dynamic."""
        if self.fixed:
            return ((size, size),)
        height, width = (number // self.steps * self.steps for number in (size * 3 // 4, size * 5 // 8 + 3))
        return (size, size), (height, width)


@dataclass(frozen=True)
class Built:
    """A graph with its weights.

    hashes: file of weights -> SHA-256. trained: False if any file is missing. taught_by: the judges that were used as a
    loss.
    """

    graph: Graph
    module: nn.Module
    size: int
    trained: bool
    hashes: dict[str, str]
    taught_by: tuple[str, ...]


_PICTURE = "RGB in [0, 1], a face aligned like FFHQ's"
_HOLED = f"{_PICTURE}; pixels in the hole have no effect"
_HOLE = "1 in the hole, 0 elsewhere"
_FACE = "0 to 1: how much the predicted points look like an aligned face; below .5, do not trust the fill"
_PHOTO = (
    Port("image", "uint8", (1, "height", "width", 3), "RGB, a whole photo, upright"),
    Port("mask", "uint8", (1, "height", "width"), "not 0 in the hole"),
)
_BOXES = "left, top, width, height in pixels, the largest face first"
_FIVE = "x and y in pixels: left eye, right eye, nose, left and right corner of the mouth"
_POINTS = "68 points (x, y) in dlib's order, in shares of width and height"


def _finder(name: str, about: str, picture: str, classes: str, precisions: tuple[str, ...]) -> Graph:
    """One of the segmentation networks. picture: the meaning of its input; classes: of its outputs, in order."""
    size = "height", "width"
    return Graph(
        name=name,
        about=about,
        weights=(name,),
        inputs=(Port("picture", "float32", ("batch", 3, *size), picture),),
        outputs=(
            Port("probabilities", "float32", ("batch", segmentation.CLASSES, *size), f"{classes}; they sum to 1"),
        ),
        wrapper=modules.Finder,
        precisions=precisions,
        fixed=False,
        steps=segmentation.STEPS,
    )


GRAPHS = {
    graph.name: graph
    for graph in (
        Graph(
            name="photo",
            about="Fills a whole photo from a mask and five points of a face: everything in one file",
            weights=("completion", "landmarks", "face-likeness"),
            inputs=(*_PHOTO, Port("points", "float32", (1, 5, 2), f"{_FIVE}, as seen on the upright face")),
            outputs=(
                Port("result", "uint8", (1, "height", "width", 3), "RGB; known pixels are the image's, exactly", 100.0),
                Port("landmarks", "float32", (1, 68, 2), "68 points (x, y) in dlib's order, in pixels", 5000.0),
                Port("face", "float32", (1,), _FACE, 500.0),
            ),
            wrapper=references.Photo,
            multiple=landmarks.INPUT_SIDE,
            fixed=False,
            longest=LONGEST,
            assembled=True,
        ),
        Graph(
            name="detector",
            about="Detects the upright faces of a photo, with its hole closed and as it is",
            weights=("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"),
            inputs=_PHOTO,
            outputs=(
                Port("boxes", "float32", ("faces", 4), _BOXES, 100.0),
                Port("probabilities", "float32", ("faces",), "of being a face"),
                Port("points", "float32", ("faces", 5, 2), _FIVE, 100.0),
            ),
            wrapper=references.Detector,
            fixed=False,
            precisions=("fp32",),
            longest=LONGEST,
            assembled=True,
        ),
        Graph(
            name="restorer",
            about="Fills a photo of an aligned face from a mask: everything in one file",
            weights=("completion", "landmarks", "face-likeness"),
            inputs=(
                Port("image", "uint8", ("batch", "height", "width", 3), "RGB, a face aligned like FFHQ's"),
                Port("mask", "uint8", ("batch", "height", "width"), "not 0 in the hole"),
                Port("landmarks", "float32", ("batch", 68, 2), f"{_POINTS}; coordinates of -1 or less are predicted"),
            ),
            outputs=(
                Port("result", "uint8", ("batch", "height", "width", 3), "RGB; known pixels are the image's, exactly"),
                Port("points", "float32", ("batch", 68, 2), f"{_POINTS}, that guided the fill"),
                Port("face", "float32", ("batch",), _FACE),
            ),
            wrapper=modules.Restorer,
            precisions=("fp32", "fp16", "int8"),
            multiple=landmarks.INPUT_SIDE,
            fixed=False,
        ),
        Graph(
            name="completion",
            about="Fills the hole of a picture, guided by the map of its landmarks",
            weights=("completion",),
            inputs=(
                Port("picture", "float32", ("batch", 3, "height", "width"), _HOLED),
                Port("mask", "float32", ("batch", 1, "height", "width"), _HOLE),
                Port("landmark_map", "float32", ("batch", 5, "height", "width"), "drawn points, one channel a group"),
            ),
            outputs=(Port("result", "float32", ("batch", 3, "height", "width"), "RGB in [0, 1], not composited"),),
            wrapper=modules.Completion,
            precisions=("fp32", "fp16", "int8"),
            fixed=False,
            steps=32,
        ),
        Graph(
            name="landmarks",
            about="Predicts 68 landmarks of a face with a hole",
            weights=("landmarks",),
            inputs=(
                Port("picture", "float32", ("batch", 3, "side", "side"), _HOLED),
                Port("mask", "float32", ("batch", 1, "side", "side"), _HOLE),
            ),
            outputs=(Port("landmarks", "float32", ("batch", 68, 2), _POINTS),),
            wrapper=modules.Predictor,
            multiple=landmarks.INPUT_SIDE,
        ),
        Graph(
            name="dcgan",
            about="Generates a face of 64 x 64 pixels from a latent vector; the latent search needs torch",
            weights=("dcgan",),
            inputs=(Port("z", "float32", ("batch", 100), "drawn from N(0, 1)"),),
            outputs=(Port("picture", "float32", ("batch", 3, dcgan.SIZE, dcgan.SIZE), "RGB in [0, 1]"),),
            wrapper=modules.Prior,
            side=0,
        ),
        Graph(
            name="embedding",
            about="Embeds a face as a unit vector, close for the same person and far for two people",
            weights=("embedding",),
            inputs=(Port("picture", "float32", ("batch", 3, "side", "side"), _PICTURE),),
            outputs=(Port("vector", "float32", ("batch", 128), "of the judge bundled; compare two by their cosine"),),
            wrapper=modules.Judge,
        ),
        _finder(
            "damage",
            "Predicts the probabilities of damage for each pixel",
            "RGB in [0, 1], a photo or a part of it",
            "none, scratch, spot, tear, stain, stamp",
            ("fp32", "fp16"),
        ),
        _finder(
            "occluders",
            "Predicts the probabilities of occluders of a face for each pixel",
            _PICTURE,
            "none, glasses, protective mask, hand, hair, other",
            ("fp32",),
        ),
    )
}


def build(name: str, size: int = 0) -> Built:
    """The graph called ``name`` with the package's weights in eval mode, for pictures of ``size`` pixels a side.

    size: 0 means the graph's default. If a file of weights is missing, its network is untrained and seeded, and
    ``Built.trained`` is False. Raises FaceinpError for an unknown name or an impossible size, WeightsError for a file
    of another network.
    """
    if name not in GRAPHS:
        raise FaceinpError(f"Unknown graph {name!r}. Choose one of {', '.join(GRAPHS)}.")
    graph = GRAPHS[name]
    size = (size or graph.side) if graph.side else 0
    if size % graph.multiple or size < 0:
        raise FaceinpError(f"The --size of {name} must be a multiple of {graph.multiple}, got {size}.")
    parts, hashes, taught_by = [], {}, set[str]()
    for key in graph.weights:
        file = catalogue.CATALOGUE[key].file
        if key not in networks.PREFIXES:  # an ONNX file of MTCNN, which becomes a part of the graph
            hashes[file] = weights.sha256(weights.path(key))
            continue
        part, hashes[file], teachers = network(key, size)
        parts.append(part)
        taught_by |= teachers
    module = graph.wrapper(*map(modules.exact, parts), size).eval().requires_grad_(False)
    return Built(graph, module, size, all(hashes.values()), hashes, tuple(sorted(taught_by)))


def network(name: str, size: int, file: str | Path = "", *, folded: bool = True) -> tuple[nn.Module, str, set[str]]:
    """The network of the weights ``name``, the SHA-256 of their file, and the judges that were used as its loss.

    If the file is missing, the network is untrained and the SHA-256 empty. file: packed weights; empty: the package's.
    folded: as for ``networks.load``. Raises WeightsError.
    """
    if not file and weights.missing(name):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return networks.untrained(name, {}, size), "", set()
    file = Path(file) if file else weights.path(name)
    loaded, config = networks.load(name, file, side=size, folded=folded)
    if name == "completion" and not config.get("landmarks", True):
        loaded = modules.Unguided(loaded)
    return loaded, weights.sha256(file), set(config.get("taught_by", ()))
