"""The second paper's and LaFIn's ways of training: each formula's value, and that each learns."""

from dataclasses import replace

import drawn_shards
import numpy as np
import pytest
import torch
from accelerate import Accelerator

from faceinp.errors import DataError, WeightsError
from faceinp.formulas import losses
from faceinp.nets.features import TorchvisionFeatures
from faceinp.nets.landmarks import MobileNetV2Landmarks
from faceinp.nets.patchgan import PatchDiscriminator
from faceinp.train import landmarks, loop, opponents, schedules
from faceinp.train.completion import CompletionRun, CompletionTask
from faceinp.train.datasets import data
from faceinp.train.holes import drawing

STEPS = 8


@pytest.fixture(scope="module")
def faces() -> data.Faces:
    points = torch.from_numpy(drawn_shards.FACE).float().expand(4, 68, 2)
    picture = torch.from_numpy(drawn_shards.drawn_face(drawn_shards.FACE, 32)).permute(2, 0, 1)
    pictures = torch.stack([(picture.float() * share).byte() for share in (1, 0.9, 0.8, 0.7)])
    return data.Faces(pictures, points.clone(), (None,) * 4, tuple("abcd"))


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> str:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = {name: value.half() for name, value in TorchvisionFeatures("vgg19", (34,)).state_dict().items()}
    save_file(state, file := tmp_path_factory.mktemp("features") / "vgg19.safetensors")
    return str(file)


def task(faces: data.Faces, **changes: object) -> CompletionTask:
    settings = {"side": 32, "batch": 4, "width": 8, "patch_width": 8, "predicted": 0, "rate": 4e-3, "recoloured": 0}
    return CompletionTask(CompletionRun(**{**settings, **changes}), faces, faces)


def learnt(trained: CompletionTask, term: str) -> tuple[float, float]:
    """What ``term`` was at first and at last, always of the same batch."""
    context = loop.Context(Accelerator(cpu=True), "fp32")
    batch = trained.draw((0, 0, 0), torch.device("cpu"))
    values = []
    for _ in range(STEPS):
        values.append(float(trained.update(batch, context)[term].detach()))
    return values[0], values[-1]


PLAIN = {
    "L (2) in the hole": ("squared", {"squared": 1.0}),
    "L (2) of the picture": ("squared", {"squared": 1.0, "reconstruct": "picture"}),
    "LaFIn's L1": ("hole", {"hole": 1.0, "reconstruct": "picture"}),
    "L (3)": ("perceptual", {"perceptual": 1.0, "feature_form": "squared", "feature_view": "generated"}),
    "LaFIn's style loss": (
        "style",
        {"style": 250.0, "feature_form": "l1", "feature_view": "generated", "style_layers": (8, 17, 26, 31)},
    ),
    "L (4)": ("identity", {"identity": 1.0, "identity_norm": "l2"}),
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_loss_falls(name: str, faces: data.Faces, vgg: str, small_weights: None) -> None:
    term, settings = PLAIN[name]
    first, last = learnt(task(faces, **{"hole": 0.0, "features": vgg, "shifted": False, "batch": 2, **settings}), term)
    assert 0 < last < 0.95 * first


@pytest.mark.parametrize(
    ("loss", "sees"),  # not each with each: a loss knows nothing of what is seen
    [(loss, list(opponents.SEES)[number % len(opponents.SEES)]) for number, loss in enumerate(losses.ADVERSARIAL)],
)
def test_both_sides_of_the_game_learn(loss: str, sees: str, faces: data.Faces) -> None:
    settings = {"hole": 0.0, "adversarial": 1.0, "adversarial_loss": loss, "patch_sees": sees, "patch_attention": True}
    # A rate of nothing holds one side still.
    first, last = learnt(task(faces, **settings, rate=0.0, rate_discriminator=1e-3), "discriminator")
    assert last < first
    generated = settings | {"adversarial_view": "generated"}
    first, last = learnt(task(faces, **generated, rate=1e-3, rate_discriminator=0.0), "discriminator_adversarial")
    assert last < first


def test_formulas_have_the_values_that_are_printed() -> None:
    generated, pictures, hole = torch.full((1, 3, 4, 4), 0.5), torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    hole[..., :2] = 1  # half of the picture
    assert losses.squared(generated, pictures, hole).item() == pytest.approx(0.25)
    assert losses.squared(generated, pictures, hole, "picture").item() == pytest.approx(2 * 0.25)
    assert losses.reconstruction(generated, pictures, hole, "picture").item() == pytest.approx(2 * 0.5)
    maps = [torch.full((1, 2, 2, 2), 3.0), torch.full((1, 4, 1, 1), 1.0)]
    truth = [torch.ones(1, 2, 2, 2), torch.zeros(1, 4, 1, 1)]
    assert losses.FEATURE_FORMS["squared"].perceptual(maps, truth).item() == pytest.approx(4 + 1)
    assert losses.FEATURE_FORMS["l1"].perceptual(maps, truth).item() == pytest.approx(2 + 1)
    one, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert losses.IDENTITY["l2"](one, other).item() == pytest.approx(2**0.5)
    assert losses.IDENTITY["l1"](one, other).item() == pytest.approx(2)
    same = one.clone().requires_grad_()
    losses.IDENTITY["l2"](same, one).backward()
    assert same.grad is not None and same.grad.isfinite().all()
    real, fake = torch.tensor([0.5]), torch.tensor([-0.5])
    assert losses.ADVERSARIAL["lsgan"].discriminator(real, fake).item() == pytest.approx(0.25 + 0.25)
    assert losses.ADVERSARIAL["lsgan"].generator(fake).item() == pytest.approx(1.5**2)
    answer = 1 / (1 + np.exp(0.5))
    assert losses.ADVERSARIAL["lsgan-sigmoid"].generator(fake).item() == pytest.approx((answer - 1) ** 2)


def test_a_patchgan_that_is_told_landmarks_answers_by_them() -> None:
    pictures, maps = torch.rand(2, 3, 64, 64), torch.rand(2, 5, 64, 64)
    hole = torch.zeros(2, 1, 64, 64)
    hole[:, :, 20:40, 20:40] = 1
    for sees, by_hole, by_maps in (("mask", True, False), ("landmarks", False, True), ("mask+landmarks", True, True)):
        opponent = opponents.patch(4, 1.0, 0.0, 0, sees=sees)
        drawn = opponent.draw(hole, np.random.default_rng(0))

        def answer(hole: torch.Tensor, maps: torch.Tensor, opponent=opponent, drawn=drawn) -> torch.Tensor:
            return opponent.network.eval()(*opponent.view(hole, maps, drawn)(pictures))[0][0]

        plain = answer(hole, maps)
        assert torch.equal(plain, answer(1 - hole, maps)) != by_hole
        assert torch.equal(plain, answer(hole, maps.flip(-1))) != by_maps


def test_attention_gathers_from_afar() -> None:
    torch.manual_seed(0)
    network = PatchDiscriminator(8, attention=True).eval()
    picture, hole = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256)
    changed = picture.clone()
    changed[..., 200:, 200:] = 0
    corner = [network(x, hole)[0][0][..., 0, 0] for x in (picture, changed)]
    assert torch.equal(*corner), "at first its strength is nothing"
    torch.nn.init.ones_(network.attention.strength)
    corner = [network(x, hole)[0][0][..., 0, 0] for x in (picture, changed)]
    assert not torch.equal(*corner)


def test_rates_follow_their_schedules(faces: data.Faces) -> None:
    assert [schedules.linear(0, progress) for progress in (0, 0.25, 1, 2)] == [1, 0.75, 0, 0]
    trained = task(
        faces, adversarial=0.1, rate=1e-3, rate_discriminator=2e-3, schedule="linear",
        schedule_discriminator="constant", beta1=0.0, beta2=0.9,
    )  # fmt: skip
    context = loop.Context(Accelerator(cpu=True), "fp32", progress=0.5)
    trained.step(0, 0, context)
    groups = {name: optimizer.param_groups[0] for name, optimizer in trained.optimizers.items()}
    assert groups["generator"]["lr"] == pytest.approx(5e-4) and groups["discriminator"]["lr"] == pytest.approx(2e-3)
    assert all(group["betas"] == (0.0, 0.9) for group in groups.values())


def test_a_run_draws_the_second_papers_holes_only(faces: data.Faces) -> None:
    drawn: set[str] = set()

    def noted(name: str, draw: drawing.Draw) -> drawing.Draw:
        return lambda *rest: drawn.add(name) or draw(*rest)

    with pytest.MonkeyPatch.context() as patch:
        for name, (draw, share) in list(drawing.KINDS.items()):
            patch.setitem(drawing.KINDS, name, (noted(name, draw), share))
        for kinds in drawing.CHOICES:
            drawn.clear()
            points = faces.points[:1].expand(60, -1, -1)
            hole = drawing.draw(points, 32, seed=(1,), kinds=kinds)
            assert hole.flatten(1).any(1).all() and drawn <= set(drawing.CHOICES[kinds])
            assert kinds == "all" or drawn == set(drawing.CHOICES[kinds])
    assert task(faces, holes="blocks").draw((0, 0, 0), torch.device("cpu"))["hole"].any()


def test_layers_are_chosen_by_torchvisions_numbers(faces: data.Faces, vgg: str) -> None:
    settings = {"perceptual": 1.0, "style": 1.0, "features": vgg, "feature_form": "l1"}
    chosen = task(faces, **settings, style_layers=(8, 17)).losses.features
    assert chosen.network.taps == (1, 6, 8, 11, 17, 20, 29)
    assert (chosen.perceptual_maps, chosen.style_maps) == ([0, 1, 3, 5, 6], [2, 4])
    with pytest.raises(WeightsError, match="Only torchvision's networks"):
        task(faces, perceptual=1.0, perceptual_layers=(1,))
    with pytest.raises(WeightsError, match="The layers 99 do not all exist: vgg19 has the layers 0 to 36"):
        task(faces, **settings, perceptual_layers=(99,))


# ---- the landmark predictor at MobileNetV2's full size ----


@torch.no_grad()
def test_the_full_predictor_is_mobilenetv2_and_sees_nothing_under_the_hole() -> None:
    network = MobileNetV2Landmarks().eval()
    assert len(network.blocks) == 1 + 17  # the first convolution, and the blocks
    assert sum(p.numel() for part in (network.blocks, network.last) for p in part.parameters()) == 2_223_872
    mean = torch.from_numpy(drawn_shards.FACE).float()
    network.start_from(mean)
    picture, hole = torch.rand(1, 3, 256, 256), torch.zeros(1, 1, 256, 256, dtype=torch.bool)
    hole[..., 100:200, 60:220] = True
    points = network(picture, hole)
    assert torch.allclose(points, mean, atol=0.05)
    assert torch.equal(points, network(torch.where(hole, torch.rand_like(picture), picture), hole))
    larger = MobileNetV2Landmarks(512).eval()
    larger.load_state_dict(network.state_dict())
    both = (x.float().repeat_interleave(2, 2).repeat_interleave(2, 3) for x in (picture, hole))
    assert torch.allclose(larger(*both), points, atol=1e-5)


def test_imagenet_weights_of_the_full_predictor_are_torchvisions() -> None:
    from torchvision.models import mobilenet_v2

    torch.manual_seed(0)
    whole, network = mobilenet_v2(weights=None).eval(), MobileNetV2Landmarks().eval()
    network.start_from_imagenet(whole.state_dict())
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(network.last(network.blocks(picture)), whole.features(picture))


def large(faces: data.Faces, side: int) -> data.Faces:
    pictures = torch.nn.functional.interpolate(faces.pictures.float(), size=(side, side)).byte()
    return replace(faces, pictures=pictures)


@pytest.mark.parametrize("loss", landmarks.LOSSES)
def test_each_loss_of_the_predictor_moves_points(loss: str, faces: data.Faces) -> None:
    points = faces.points + torch.linspace(-0.1, 0.1, 4)[:, None, None]
    config = landmarks.LandmarksRun(
        network="mobilenet", pretrained=False, batch=4, loss=loss, augmented=False, optimizer="adam",
        schedule="constant", rate=1e-3,
    )  # fmt: skip
    known = replace(large(faces, 128), points=points)
    trained = landmarks.LandmarksTask(config, known, known)
    context = loop.Context(Accelerator(cpu=True), "fp32")
    errors = [float(trained.step(0, 0, context)["error"].detach()) for _ in range(STEPS)]
    assert errors[-1] < 0.9 * errors[0]


def test_a_mirrored_face_keeps_its_points(faces: data.Faces) -> None:
    pictures = torch.zeros(8, 3, 64, 64)
    points = faces.points[:1].repeat(8, 1, 1)
    x, y = (points[0, 36] * 64).long().tolist()
    pictures[:, :, y, x] = 1
    shown, moved = landmarks.mirror(pictures, points, np.random.default_rng(0))
    mirrored = (shown != pictures).flatten(1).any(1)
    assert 0 < mirrored.sum() < 8
    for one, place, turned in zip(shown, moved, mirrored, strict=True):
        x, y = (place[45 if turned else 36] * 64).long().tolist()
        assert one[:, y, x].all()


def test_without_imagenet_weights_a_network_says_so(faces: data.Faces) -> None:
    with pytest.raises(DataError, match="--no-pretrained"):
        landmarks.LandmarksTask(landmarks.LandmarksRun(network="mobilenet"), large(faces, 128), large(faces, 128))
