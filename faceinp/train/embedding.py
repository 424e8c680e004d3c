"""Training of the bundled judge: what a larger network knows of faces (distillation), and who is who (ArcFace).

A teacher (any ONNX network on 112 x 112 faces) looks once at every training face and the result is kept. The student
learns its vectors (Hinton et al. 2015), its last map (Romero et al. 2015, FitNets, arXiv 1412.6550) and, where the
person is known, to tell people apart by a margin (Deng et al. 2019, ArcFace, arXiv 1801.07698, formula 3).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from faceinp.errors import DataError
from faceinp.models.sessions import OnnxFile
from faceinp.models.weights import read_tensors
from faceinp.nets.embedding import BOX, SIZE, Embedding
from faceinp.photo import staging
from faceinp.train import loop
from faceinp.train.augmentation import degradation
from faceinp.train.datasets import data
from faceinp.train.settings import option

STORED = 160  # pictures are kept at this side: the part that BOX shows is then about 112 wide
TEACHER = "teacher.safetensors"
# The usual 112 x 112 template: eyes, nose tip, mouth corners as seen in the picture.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # what the teacher expects of pictures in [0, 1]


@dataclass(frozen=True)
class EmbeddingRun(loop.Run):
    """Settings of the bundled judge; see ``loop.Run`` for the rest."""

    teacher: str = option("", "ONNX network on 112 x 112 faces, with ImageNet's mean")
    teacher_map: str = option("", "the teacher's tensor to imitate as last map (N, C, 7, 7)")
    rate: float = option(2e-3, "highest learning rate (AdamW, cosine to --steps)", above=0)
    hint: float = option(0.5, "weight of the last map's imitation", least=0)
    margin: float = option(0.3, "ArcFace's additive angle, radians", least=0, most=3.1416)
    scale: float = option(32.0, "ArcFace's scale of cosines", above=0)
    people: float = option(0.05, "weight of the ArcFace loss", least=0)
    damaged: float = option(0.12, "share of a batch that is damaged faces", least=0, most=1)


Ask = Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]


@dataclass(frozen=True)
class Lessons:
    """What the teacher said of each face.

    embeddings: (N, D) unit vectors, the mean of a face and its mirror image. maps: fp16 (N, C, 7, 7), standardised by
    channel. damaged: uint8 (K, 3, STORED, STORED), faces with a part filled by Telea; of_damaged: (K, D).
    """

    embeddings: Tensor
    maps: Tensor
    damaged: Tensor
    of_damaged: Tensor


class EmbeddingTask(loop.Task):
    name = "embedding"
    averaged = ("embedding",)

    def __init__(self, config: EmbeddingRun, faces: data.Faces, lessons: Lessons) -> None:
        torch.manual_seed(config.seed)
        self.config, self.faces, self.lessons = config, faces, lessons
        people = {name: number for number, name in enumerate(sorted({i for i in faces.identities if i is not None}))}
        self.people = torch.tensor([-1 if i is None else people[i] for i in faces.identities])
        dimensions = lessons.embeddings.shape[1]
        student = Embedding(features=lessons.maps.shape[1], embedding=dimensions).to(memory_format=torch.channels_last)
        student.stages.register_forward_hook(self._keep_last_map)
        self.networks: dict[str, nn.Module] = {
            "embedding": student,
            "people": _People(lessons.embeddings, self.people, len(people)),
        }
        parameters = [p for network in self.networks.values() for p in network.parameters()]
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "embedding": torch.optim.AdamW(parameters, lr=config.rate, weight_decay=0.02)
        }

    def step(self, step: int, rank: int, context: loop.Context) -> dict[str, Tensor]:
        config, device = self.config, context.device
        rng = np.random.default_rng((config.seed, step, rank))
        spoilt = min(round(config.damaged * config.batch), len(self.lessons.damaged))
        whole = rng.integers(len(self.faces), size=config.batch - spoilt)
        broken = rng.integers(max(1, len(self.lessons.damaged)), size=spoilt)
        pictures = torch.cat([self.faces.pictures[whole], self.lessons.damaged[broken]]).to(device).float() / 255
        targets = torch.cat([self.lessons.embeddings[whole], self.lessons.of_damaged[broken]]).to(device)
        maps = self.lessons.maps[whole].to(device).float()
        people = self.people[whole].to(device)
        mirrored = torch.from_numpy(rng.random(len(pictures)) < 0.5).to(device)
        pictures = torch.where(mirrored[:, None, None, None], pictures.flip(-1), pictures)
        maps = torch.where(mirrored[: len(maps), None, None, None], maps.flip(-1), maps)
        faces = spoil(cut(pictures, rng), rng).contiguous(memory_format=torch.channels_last)

        network, classes = self.networks["embedding"], self.networks["people"]
        with context.autocast():
            vectors = network(faces).float()
        last = self.last_map.float()[: len(maps)]
        distillation = (1 - (vectors * targets).sum(dim=1)).mean()
        imitation = functional.mse_loss(last, maps)
        known = people >= 0
        recognition = arcface(classes(vectors[: len(maps)][known]), people[known], config.margin, config.scale)
        loop.set_rate(self.optimizers["embedding"], config.rate * loop.cosine(step, context.progress))
        loss = distillation + config.hint * imitation + config.people * recognition
        context.update(loss, self.optimizers["embedding"])
        return {"distillation": distillation, "imitation": imitation, "recognition": recognition}

    def _keep_last_map(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        self.last_map = output

    @torch.no_grad()
    def preview(self, averages: dict[str, nn.Module]) -> Tensor:
        """Cosines between 96 faces, each person's side by side: a good network shows bright blocks on the diagonal."""
        unknown_last = torch.where(self.people < 0, len(self.people), self.people)
        order = torch.argsort(unknown_last, stable=True)[:96]
        device = next(averages["embedding"].parameters()).device
        faces = cut(self.faces.pictures[order].to(device).float() / 255, None)
        vectors = averages["embedding"](faces)
        return (vectors @ vectors.T).clamp(0, 1).repeat_interleave(4, 0).repeat_interleave(4, 1).expand(3, -1, -1)


class _People(nn.Module):
    """A direction for each person; begins at the mean of what the teacher said of their pictures."""

    def __init__(self, embeddings: Tensor, people: Tensor, count: int) -> None:
        super().__init__()
        known = people >= 0
        means = torch.zeros(max(1, count), embeddings.shape[1]).index_add_(0, people[known], embeddings[known].float())
        self.directions = nn.Parameter(functional.normalize(means, dim=1))

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors @ functional.normalize(self.directions, dim=1).T


def arcface(cosines: Tensor, people: Tensor, margin: float, scale: float) -> Tensor:
    """ArcFace (3): cross-entropy over ``scale`` times the cosines (N, people), the right one's angle made larger."""
    if not len(people):
        return cosines.sum()
    right = cosines.gather(1, people[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
    harder = torch.cos(torch.arccos(right) + margin)
    # Past pi - margin the cosine would rise again; there a straight line goes on falling.
    harder = torch.where(right > math.cos(math.pi - margin), harder, right - margin * math.sin(margin))
    return functional.cross_entropy(scale * cosines.scatter(1, people[:, None], harder), people)


# ---- pictures as the world spoils them ----


def cut(pictures: Tensor, rng: np.random.Generator | None) -> Tensor:
    """Canonical crops (N, 3, S, S) -> faces (N, 3, SIZE, SIZE); with ``rng`` a little turned, scaled and shifted."""
    count, (left, top, right, bottom) = len(pictures), BOX
    angle, scale, x, y = np.zeros((4, count)) if rng is None else rng.normal(0, 1, (4, count)).clip(-2, 2)
    cosine, sine = np.cos(0.04 * angle) * np.exp(0.03 * scale), np.sin(0.04 * angle) * np.exp(0.03 * scale)
    wide, high = right - left, bottom - top
    matrix = np.stack(
        [
            np.stack([wide * cosine, -high * sine, left + right - 1 + 0.03 * x], -1),
            np.stack([wide * sine, high * cosine, top + bottom - 1 + 0.03 * y], -1),
        ],
        1,
    )
    where = torch.from_numpy(matrix.astype(np.float32)).to(pictures.device)
    lattice = functional.affine_grid(where, [count, 3, SIZE, SIZE], align_corners=False)
    return functional.grid_sample(pictures, lattice, padding_mode="border", align_corners=False)


def spoil(faces: Tensor, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast, colour, grey, lost detail and compression, each for some faces of (N, 3, S, S)."""
    count, device = len(faces), faces.device

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (count, channels, 1, 1)).astype(np.float32)).to(device)

    faces = (faces - 0.5) * uniform(0.7, 1.25) * uniform(0.93, 1.07, 3) + 0.5 + uniform(-0.12, 0.12)
    grey = faces.mean(dim=1, keepdim=True)
    faces = torch.where(uniform(0, 1) < 0.08, grey.expand_as(faces), faces).clamp(0, 1)
    for side in rng.choice([40, 48, 56, 64, 80], size=2):
        small = functional.interpolate(faces, size=int(side), mode="bilinear", antialias=True, align_corners=False)
        soft = functional.interpolate(small, size=faces.shape[-1], mode="bilinear", align_corners=False)
        faces = torch.where(uniform(0, 1) < 0.06, soft, faces)
    chosen = np.flatnonzero(rng.random(count) < 0.12)
    for number in chosen:
        pixels = (faces[number].permute(1, 2, 0).cpu().numpy() * 255).astype(np.uint8)
        _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
        decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.float32) / 255
        faces[number] = torch.from_numpy(decoded).permute(2, 0, 1).to(device)
    return faces


# ---- the teacher ----


def ask_teacher(config: EmbeddingRun, faces: data.Faces, file: Path, say: Callable[[str], None] = print) -> Lessons:
    """What the teacher says of ``faces``, made once and kept in ``file``.

    Raises DataError when ``config.teacher`` is not there, or the kept answers are of other faces.
    """
    if not file.is_file():
        if not Path(config.teacher).is_file():
            raise DataError("The judge learns from a teacher. Name its ONNX file with --teacher.")
        ask = _teacher(config)
        say(f"asking {Path(config.teacher).name} about {len(faces):,} faces; kept in {file}")
        with staging.replacing(file) as temporary:  # of several processes, each asks
            save_file(_lessons(config, faces, ask), temporary)
    _, kept = read_tensors(file)
    if len(kept["embeddings"]) != len(faces):
        raise DataError(f"{file} holds answers about other faces. Remove it, or choose another --out.")
    return Lessons(kept["embeddings"].float(), kept["maps"], kept["damaged"], kept["of_damaged"].float())


def _lessons(config: EmbeddingRun, faces: data.Faces, ask: Ask) -> dict[str, Tensor]:
    embeddings, maps = [], []
    for start in range(0, len(faces), 64):
        aligned = _aligned(faces.pictures[start : start + 64], faces.points[start : start + 64])
        (vectors, last), (mirrored, _) = ask(aligned), ask(aligned[..., ::-1])
        embeddings.append(vectors + mirrored)
        maps.append(last.astype(np.float16))
    rng = np.random.default_rng((config.seed, 4))
    chosen = np.flatnonzero(rng.random(len(faces)) < 1 / 3)
    damaged = _damage(faces.pictures[chosen], faces.points[chosen], rng)
    of_damaged = []
    for start in range(0, len(chosen), 64):
        aligned = _aligned(damaged[start : start + 64], faces.points[chosen[start : start + 64]])
        of_damaged.append(ask(aligned)[0] + ask(aligned[..., ::-1])[0])
    stacked = torch.from_numpy(np.concatenate(maps))
    sample = stacked[:: max(1, len(stacked) // 2000)].float()
    middle, spread = sample.mean(dim=(0, 2, 3), keepdim=True), sample.std(dim=(0, 2, 3), keepdim=True) + 1e-3
    for start in range(0, len(stacked), 1024):
        stacked[start : start + 1024] = ((stacked[start : start + 1024].float() - middle) / spread).half()
    return {
        "embeddings": functional.normalize(torch.from_numpy(np.concatenate(embeddings)), dim=1),
        "maps": stacked,
        "damaged": damaged,
        "of_damaged": functional.normalize(torch.from_numpy(np.concatenate(of_damaged)), dim=1),
    }


def _teacher(config: EmbeddingRun) -> Ask:
    """(N, 3, 112, 112) in [0, 1] -> unit vectors (N, D) and the map (N, C, 7, 7)."""
    import onnx

    try:
        graph = onnx.load(config.teacher)
        known = onnx.shape_inference.infer_shapes(graph).graph.value_info
    except Exception as error:  # protobuf's, or of onnx's checker
        raise DataError(
            f"{config.teacher} cannot be read as an ONNX file ({error}). Give another --teacher."
        ) from error
    maps = [value.name for value in known if len(value.type.tensor_type.shape.dim) == 4]
    if config.teacher_map not in {name for node in graph.graph.node for name in node.output}:
        raise DataError(
            f"The teacher has no tensor {config.teacher_map!r}. Name the map to imitate with --teacher-map, such as "
            f"its last ones: {', '.join(maps[-5:])}."
        )
    graph.graph.output.append(onnx.ValueInfoProto(name=config.teacher_map))
    network = OnnxFile(graph.SerializeToString(), threads=config.threads or torch.get_num_threads())
    mean, deviation = (np.array(values, np.float32).reshape(3, 1, 1) for values in (MEAN, DEVIATION))

    def ask(faces: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        ready = np.ascontiguousarray((faces - mean) / deviation, np.float32)
        vectors, last = network.run({network.inputs[0]: ready})
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), last

    return ask


def _aligned(pictures: Tensor, points: Tensor) -> NDArray[np.float32]:
    """Crops uint8 (N, 3, S, S) -> float32 (N, 3, 112, 112), turned by their own points as the teacher was trained."""
    five = torch.stack(
        [points[:, 36:42].mean(1), points[:, 42:48].mean(1), points[:, 30], points[:, 48], points[:, 54]], dim=1
    )
    side = pictures.shape[-1]
    faces = []
    for picture, landmarks in zip(pictures.permute(0, 2, 3, 1).numpy(), (five * side - 0.5).numpy(), strict=True):
        matrix, _ = cv2.estimateAffinePartial2D(landmarks, TEMPLATE, method=cv2.LMEDS)
        faces.append(cv2.warpAffine(picture, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE))
    return np.stack(faces).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)


def _damage(pictures: Tensor, points: Tensor, rng: np.random.Generator) -> Tensor:
    """Eyes, nose and mouth, or the centre filled by Telea's inpainting; uint8 as it came."""
    kinds = (*degradation.PARTS, "centre")
    faces = zip(pictures.permute(0, 2, 3, 1).numpy(), points.numpy(), strict=True)
    spoilt = [degradation.fill_part(picture, landmarks, kinds[rng.integers(3)]) for picture, landmarks in faces]
    return torch.from_numpy(np.stack(spoilt)).permute(0, 3, 1, 2).contiguous()


def train(config: EmbeddingRun) -> None:
    faces, _ = data.load_for_training(config.data, STORED, config.decode, measured=False)
    folder = loop.folder_of(config)
    loop.train(EmbeddingTask(config, faces, ask_teacher(config, faces, folder / TEACHER)), config)
