"""Which trained weights exist, as data: those that come with the package, and those that are downloaded."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Weights:
    """One file that comes with the package. Its model card is ``NAME.md`` beside it.

    about: one line. graph: the network also runs without torch, from an ONNX graph beside the file that reads its
    numbers from it. fixed: the package's own file is used even where FACEINP_WEIGHTS names another folder.
    """

    name: str
    file: str
    about: str
    licence: str
    graph: bool = False
    fixed: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """The file, and its graph if it has one."""
        return (self.file, str(Path(self.file).with_suffix(".onnx"))) if self.graph else (self.file,)


CATALOGUE = {
    w.name: w
    for w in (
        Weights(
            "dcgan",
            "dcgan.safetensors",
            "DCGAN at 64 x 64, generator (averaged) and discriminator",
            "research use only",
        ),
        Weights(
            "dcgan-limits",
            "dcgan-limits.json",
            "Measured limits of the first paper's losses on that generator",
            "Apache-2.0",
        ),
        Weights(
            "embedding",
            "embedding.safetensors",
            "The bundled judge: embeds a face as a unit vector",
            "research use only",
            graph=True,
        ),
        Weights(
            "completion",
            "completion.safetensors",
            "Landmark-guided completion at 256 x 256, generator (averaged) and discriminator",
            "research use only",
            graph=True,
        ),
        Weights(
            "landmarks",
            "landmarks.safetensors",
            "Predictor of 68 landmarks on faces with holes",
            "research use only",
            graph=True,
        ),
        Weights(
            "damage",
            "damage.safetensors",
            "Finds damage of photos: scratches, spots, tears",
            "research use only",
            graph=True,
        ),
        Weights(
            "occluders",
            "occluders.safetensors",
            "Finds occluders of a face: glasses, hands",
            "research use only",
            graph=True,
        ),
        Weights("mtcnn-pnet", "mtcnn-pnet.onnx", "Face detector MTCNN: proposes boxes", "MIT", fixed=True),
        Weights("mtcnn-rnet", "mtcnn-rnet.onnx", "Face detector MTCNN: refines boxes", "MIT", fixed=True),
        Weights("mtcnn-onet", "mtcnn-onet.onnx", "Face detector MTCNN: boxes and five points", "MIT", fixed=True),
        Weights(
            "face-likeness",
            "face-likeness.safetensors",
            "Tells predicted landmarks of a face from those of anything else",
            "research use only",
        ),
        Weights(
            "embedding-calibration", "embedding.json", "Calibration of the bundled judge's distances", "Apache-2.0"
        ),
        Weights(
            "reference-check",
            "reference-check.json",
            "How far a reference photo may be from the known part of a face",
            "Apache-2.0",
        ),
        Weights("dlib-calibration", "dlib.json", "Calibration of the distances of dlib's network", "Apache-2.0"),
    )
}


@dataclass(frozen=True)
class Remote:
    """One file of third-party weights, downloaded at first use from ``base``/``file``. size: in bytes."""

    name: str
    file: str
    base: str
    size: int
    sha256: str
    about: str
    licence: str


REMOTE = {
    w.name: w
    for w in (
        Remote(
            "facenet",
            "20180402-114759-vggface2.pt",
            "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9",
            111_898_327,
            "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
            "FaceNet: InceptionResnetV1 trained on VGGFace2",
            "MIT",
        ),
    )
}
