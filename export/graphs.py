"""What is exported: each graph's module, inputs, outputs, meaning and licence. Everything else reads this list."""

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

Dimension = int | str  # a str names a dynamic one: "batch", "height", "width"


@dataclass(frozen=True)
class Port:
    """One input or output. shape: names are dynamic dimensions; "side" is the one that the graph was made for.

    slack: how many times further than a network's output it may be from what it is compared with: a photo that is
    sampled in another way is rounded to other numbers here and there, and places in it are in pixels.
    """

    name: str
    dtype: str
    shape: tuple[Dimension, ...]
    about: str
    slack: float = 1.0


@dataclass(frozen=True)
class Graph:
    """One network that can be exported.

    weights: names in ``catalogue.CATALOGUE``. wrapper: those networks, in that order, and the side -> the module.
    side: the one it is made for when nobody says another; 0 where there is no choice. multiple: of which that side is
    one. fixed: it takes pictures of that side alone; else of every height and width that are multiples of ``steps``,
    up to ``longest``. assembled: it is put together by ``assembled.py`` of more than a network, for one photo at a
    time. precisions: in which it stays within what is allowed.
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
        """Heights and widths at which a graph made for ``size`` is compared: two where it takes several."""
        if self.fixed:
            return ((size, size),)
        height, width = (number // self.steps * self.steps for number in (size * 3 // 4, size * 5 // 8 + 3))
        return (size, size), (height, width)


@dataclass(frozen=True)
class Built:
    """A graph with its weights in place.

    hashes: weights file -> sha256. trained: False when any file is missing. taught_by: judges that were in a loss.
    """

    graph: Graph
    module: nn.Module
    size: int
    trained: bool
    hashes: dict[str, str]
    taught_by: tuple[str, ...]


_PICTURE = "RGB in [0, 1], a face aligned like FFHQ's"
_HOLE = "1 in the hole, 0 elsewhere"
_FACE = "0 to 1: how much the predicted points look like a face in the middle; below .5, do not trust the fill"
_PHOTO = (
    Port("image", "uint8", (1, "height", "width", 3), "RGB, a whole photo, upright"),
    Port("mask", "uint8", (1, "height", "width"), "other than 0 in the hole"),
)
_FIVE = "x and y in pixels: left eye, right eye, nose, left and right corner of the mouth, left before right"
_POINTS = "68 points (x, y) in dlib's order, in shares of width and height"


def _finder(name: str, about: str, picture: str, classes: str, precisions: tuple[str, ...]) -> Graph:
    """One of the segmentation networks. picture, classes: what goes in, and what its outputs stand for."""
    classes_of_pixels = ("batch", segmentation.CLASSES, "height", "width")
    return Graph(
        name=name,
        about=about,
        weights=(name,),
        inputs=(Port("picture", "float32", ("batch", 3, "height", "width"), picture),),
        outputs=(Port("probabilities", "float32", classes_of_pixels, f"{classes}; they sum to 1"),),
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
            about="A whole photo, a mask and five points of a face become the filled photo: everything in one file",
            weights=("completion", "landmarks", "face-likeness"),
            inputs=(*_PHOTO, Port("points", "float32", (1, 5, 2), f"{_FIVE}, on the upright face")),
            outputs=(
                Port("result", "uint8", (1, "height", "width", 3), "RGB; known pixels are the image's, exactly", 100.0),
                Port("landmarks", "float32", (1, 68, 2), "68 points (x, y) in dlib's order, in pixels", 5000.0),
                Port("face", "float32", (1,), _FACE, 500.0),
            ),
            wrapper=references.Photo,
            multiple=landmarks.SEEN,
            fixed=False,
            longest=LONGEST,
            assembled=True,
        ),
        Graph(
            name="detector",
            about="A whole photo becomes its upright faces, looked for with its hole closed and as it is",
            weights=("mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"),
            inputs=_PHOTO,
            outputs=(
                Port(
                    "boxes",
                    "float32",
                    ("faces", 4),
                    "left, top, width, height in pixels, the largest face first",
                    100.0,
                ),
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
            about="A photo of an aligned face and a mask become a filled photo: everything in one file",
            weights=("completion", "landmarks", "face-likeness"),
            inputs=(
                Port("image", "uint8", ("batch", "height", "width", 3), "RGB, a face aligned like FFHQ's"),
                Port("mask", "uint8", ("batch", "height", "width"), "other than 0 in the hole"),
                Port("landmarks", "float32", ("batch", 68, 2), f"{_POINTS}; a coordinate of -1 or less is predicted"),
            ),
            outputs=(
                Port("result", "uint8", ("batch", "height", "width", 3), "RGB; known pixels are the image's, exactly"),
                Port("points", "float32", ("batch", 68, 2), f"{_POINTS}, that led the filling"),
                Port("face", "float32", ("batch",), _FACE),
            ),
            wrapper=modules.Restorer,
            precisions=("fp32", "fp16", "int8"),
            multiple=landmarks.SEEN,
            fixed=False,
        ),
        Graph(
            name="completion",
            about="A picture with a hole and the map of its landmarks become a whole picture",
            weights=("completion",),
            inputs=(
                Port("picture", "float32", ("batch", 3, "height", "width"), f"{_PICTURE}; the hole is not looked at"),
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
            about="A picture with a hole becomes 68 landmarks",
            weights=("landmarks",),
            inputs=(
                Port("picture", "float32", ("batch", 3, "side", "side"), f"{_PICTURE}; the hole is not looked at"),
                Port("mask", "float32", ("batch", 1, "side", "side"), _HOLE),
            ),
            outputs=(Port("landmarks", "float32", ("batch", 68, 2), _POINTS),),
            wrapper=modules.Predictor,
            multiple=landmarks.SEEN,
        ),
        Graph(
            name="dcgan",
            about="A latent vector becomes a face of 64 x 64 pixels; the search stays in torch",
            weights=("dcgan",),
            inputs=(Port("z", "float32", ("batch", 100), "drawn from N(0, 1)"),),
            outputs=(Port("picture", "float32", ("batch", 3, dcgan.SIZE, dcgan.SIZE), "RGB in [0, 1]"),),
            wrapper=modules.Prior,
            side=0,
        ),
        Graph(
            name="embedding",
            about="A face becomes a vector of length 1, near for one person and far for two",
            weights=("embedding",),
            inputs=(Port("picture", "float32", ("batch", 3, "side", "side"), _PICTURE),),
            outputs=(Port("vector", "float32", ("batch", 128), "the judge bundled's; cosine compares two"),),
            wrapper=modules.Judge,
        ),
        _finder(
            "damage",
            "A photo becomes the probabilities of damage at each pixel",
            "RGB in [0, 1], a photo or a part",
            "none, scratch, spot, tear, stain, stamp",
            ("fp32", "fp16"),
        ),
        _finder(
            "occluders",
            "A face becomes the probabilities of what hides it at each pixel",
            _PICTURE,
            "none, glasses, protective mask, hand, hair, other",
            ("fp32",),
        ),
    )
}


def build(name: str, size: int = 0) -> Built:
    """The graph called ``name`` with the package's weights, in eval mode, made for pictures of ``size`` pixels a side.

    size 0 is the graph's own. Where a file of weights is missing its network is seeded and untrained, and the result
    says so. Raises FaceinpError for an unknown name or a size that the graph cannot be made for, WeightsError for a
    file that holds another network.
    """
    if name not in GRAPHS:
        raise FaceinpError(f"There is no graph {name!r}. Choose one of: {', '.join(GRAPHS)}.")
    graph = GRAPHS[name]
    size = (size or graph.side) if graph.side else 0
    if size % graph.multiple or size < 0:
        raise FaceinpError(f"{name} is made for multiples of {graph.multiple}, not for {size}. Give another --size.")
    parts, hashes, taught_by = [], {}, set[str]()
    for wanted in graph.weights:
        if wanted not in networks.PREFIXES:  # a file of others, which goes into the graph as it is
            hashes[catalogue.CATALOGUE[wanted].file] = weights.sha256(weights.path(wanted))
            continue
        made, hashes[catalogue.CATALOGUE[wanted].file], teachers = network(wanted, size)
        parts.append(made)
        taught_by |= teachers
    module = graph.wrapper(*map(modules.exact, parts), size).eval().requires_grad_(False)
    return Built(graph, module, size, all(hashes.values()), hashes, tuple(sorted(taught_by)))


def network(name: str, size: int, file: str | Path = "", *, folded: bool = True) -> tuple[nn.Module, str, set[str]]:
    """The network of these weights, their file's sha256 (empty, and the network untrained, where there is none), and
    the judges that taught it. file: packed weights; empty: the package's. folded: as of ``networks.load``.
    """
    if not file and weights.missing(name):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return networks.untrained(name, {}, size), "", set()
    file = Path(file) if file else weights.path(name)
    made, config = networks.load(name, file, side=size, folded=folded)
    if name == "completion" and not config.get("landmarks", True):
        made = modules.Unguided(made)
    return made, weights.sha256(file), set(config.get("taught_by", ()))
