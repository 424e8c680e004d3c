"""Which trained weights exist, as data: those that come with the package, and those that are downloaded."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """One file that comes with the package. Its model card is ``NAME.md`` beside it.

    about: one line. suffix: of the file. graph: the network also runs without torch, from an ONNX graph beside the file
    that reads its numbers from it. fixed: the package's file is used even where FACEINP_WEIGHTS names another folder.
    """

    name: str
    licence: str
    about: str
    suffix: str = ".safetensors"
    graph: bool = False
    fixed: bool = False

    @property
    def file(self) -> str:
        return self.name.removesuffix("-calibration") + self.suffix

    @property
    def files(self) -> tuple[str, ...]:
        """The file, and its graph if it has one."""
        return (self.file, f"{self.name}.onnx") if self.graph else (self.file,)


_OURS, _FREE = "research use only", "Apache-2.0"
CATALOGUE = {
    w.name: w
    for w in (
        Weights("dcgan", _OURS, "DCGAN at 64 x 64, generator (averaged) and discriminator"),
        Weights("dcgan-limits", _FREE, "Measured limits of the first paper's losses on that generator", ".json"),
        Weights("embedding", _OURS, "The bundled judge: embeds a face as a unit vector", graph=True),
        Weights(
            "completion",
            _OURS,
            "Landmark-guided completion at 256 x 256, generator (averaged) and discriminator",
            graph=True,
        ),
        Weights("landmarks", _OURS, "Predictor of 68 landmarks on faces with holes", graph=True),
        Weights("damage", _OURS, "Finds damage of photos: scratches, spots, tears", graph=True),
        Weights("occluders", _OURS, "Finds occluders of a face: glasses, hands", graph=True),
        Weights("mtcnn-pnet", "MIT", "Face detector MTCNN: proposes boxes", ".onnx", fixed=True),
        Weights("mtcnn-rnet", "MIT", "Face detector MTCNN: refines boxes", ".onnx", fixed=True),
        Weights("mtcnn-onet", "MIT", "Face detector MTCNN: boxes and five points", ".onnx", fixed=True),
        Weights("face-likeness", _OURS, "Tells predicted landmarks of a face from those of anything else"),
        Weights("embedding-calibration", _FREE, "Calibration of the bundled judge's distances", ".json"),
        Weights("reference-check", _FREE, "How far a reference photo may be from the known part of a face", ".json"),
        Weights("dlib-calibration", _FREE, "Calibration of the distances of dlib's network", ".json"),
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
    "facenet": Remote(
        "facenet",
        "20180402-114759-vggface2.pt",
        "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9",
        111_898_327,
        "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        "FaceNet: InceptionResnetV1 trained on VGGFace2",
        "MIT",
    )
}
