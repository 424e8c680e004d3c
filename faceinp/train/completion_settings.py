"""The settings of a training of the landmark-guided completion, each a flag of the shell."""

from dataclasses import dataclass

from faceinp.formulas import losses
from faceinp.nets import completion
from faceinp.train import completion_losses, opponents, schedules
from faceinp.train.holes import mask_holes
from faceinp.train.settings import option


@dataclass(frozen=True)
class CompletionRun(mask_holes.MaskedRun):
    """Settings of the completion network; see ``MaskedRun`` and ``loop.Run`` for the rest."""

    network: str = option(
        "small", "small, coarse-to-fine (two of it) or large (the paper's)", choices=completion.NETWORKS
    )
    thin: bool = option(True, "thin parts of holes are filled smoothly while it learns, too, as the engine fills them")
    width: int = option(32, "channels at the first depth, a multiple of 4; 64 in the paper", multiple=4)
    side: int = option(128, "side of the pictures, a multiple of 32", multiple=32)
    rate: float = option(5e-4, "highest learning rate of the generator (Adam; 0: frozen)", least=0)
    rate_discriminator: float = option(2e-4, "highest learning rate of the discriminators (0: frozen)", least=0)
    schedule: str = schedules.option("cosine", "of the generator")
    schedule_discriminator: str = schedules.option("constant", "of the discriminators")
    beta1: float = option(0.5, "Adam's decay of the mean of gradients, of all networks", least=0, below=1)
    beta2: float = option(0.99, "Adam's decay of the mean of their squares", least=0, below=1)
    patch_width: int = option(64, "channels of the PatchGAN's first layer", least=1)
    look: int = option(0, "side of the part around the hole that the PatchGAN looks at (0: everything)", least=0)
    patch_sees: str = option(
        "mask",
        "what the PatchGAN sees beside the picture: mask, landmarks (LaFIn's) or mask+landmarks (the second paper's)",
        choices=opponents.SEES,
    )
    patch_attention: bool = option(False, "attention in the PatchGAN, as in LaFIn's")
    adversarial_loss: str = option(
        "non-saturating",
        "the PatchGAN's loss: non-saturating, lsgan, lsgan-sigmoid (LaFIn's code) or hinge",
        choices=losses.ADVERSARIAL,
    )
    adversarial_view: str = option(
        "composite",
        "what opponents are shown: composite, or generated, known pixels and all",
        choices=completion_losses.SHOWN,
    )
    projected_width: int = option(64, "channels of the projected discriminator's heads", least=1)
    hole: float = option(1.0, "weight of the reconstruction in the hole", least=0)
    squared: float = option(0.0, "weight of its square, which settles large holes' colours", least=0)
    reconstruct: str = option(
        "hole",
        "where both are summed: in the hole, as of the composite, or over the picture that was generated; "
        "both by the hole's size",
        choices=losses.EXTENTS,
    )
    perceptual: float = option(0.0, "weight of the perceptual loss on --features", least=0)
    style: float = option(0.0, "weight of the style loss on --features", least=0)
    identity: float = option(0.0, "weight of the identity loss", least=0)
    identity_norm: str = option(
        "l1", "norm of the identity loss: l1, or l2, not squared, FaceNet's distance", choices=losses.IDENTITY
    )
    judge: str = option("bundled", "its judge: bundled, facenet (the paper's) or an ONNX file with a sidecar")
    judge_file: str = option("", "weights of your own of the judge facenet, or packed ones of bundled")
    blur: float = option(0.0, "largest blur of what a judge other than bundled is shown, sigma in pixels", least=0)
    traits: float = option(0.0, "weight of the perceptual loss on the bundled judge's maps", least=0)
    adversarial: float = option(0.0, "weight of the PatchGAN's adversarial loss", least=0)
    matching: float = option(0.0, "weight of the PatchGAN's feature matching", least=0)
    projected: float = option(0.0, "weight of the projected discriminator's adversarial loss", least=0)
    projected_matching: float = option(0.0, "weight of the projected discriminator's feature matching", least=0)
    variation: float = option(0.0, "weight of the total variation", least=0)
    checkerboard: float = option(0.0, "weight of the error that repeats in a grid, squared", least=0)
    colour: float = option(0.0, "weight of the squared error of blurred fills", least=0)
    features: str = option(
        "efficientnet-lite0",
        "network of the perceptual and the style loss: efficientnet-lite0, or vgg19, vgg16, squeezenet1_0 "
        "or squeezenet1_1 by its name or its file from torchvision",
    )
    feature_form: str = option(
        "shares",
        "how its maps are compared: shares (of each layer's size, mean over layers), l1 (sum over layers, "
        "LaFIn's) or squared (the same of squares, the second paper's)",
        choices=losses.FEATURE_FORMS,
    )
    feature_view: str = option(
        "composite",
        "what it is shown: composite, or generated, of which the style loss sees the hole",
        choices=completion_losses.VIEWS,
    )
    perceptual_layers: tuple[int, ...] = option(
        (), "the layers that the perceptual loss looks at, by torchvision's numbers (default: one a depth)", least=0
    )
    style_layers: tuple[int, ...] = option((), "and the style loss (default: those of the perceptual loss)", least=0)
    shifted: bool = option(True, "networks in losses see both pictures shifted by up to 15 pixels at random")
    jitter: float = option(0.006, "noise on the landmarks, in shares of the side", least=0)
    predicted: float = option(0.5, "share of a batch that gets predicted landmarks", least=0, most=1)
    predictor: str = option("", "packed weights of another predictor of landmarks (default: the package's)")
    disturbed: float = option(0.1, "share with landmarks that are wrong as a whole", least=0, most=1)
    dropped: float = option(0.1, "share without landmarks", least=0, most=1)
    psnr_floor: float = option(0.0, "PSNR on held-back faces in dB that the chosen averages reach at least", least=0)
    damage: str = option("", "tar of damage masks: grey PNG, white where the damage is")
    recoloured: float = option(0.5, "share of the pictures whose colours are changed", least=0, most=1)
    landmarks: bool = option(True, "the network sees the landmarks")
