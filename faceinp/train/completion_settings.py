"""The settings of a training of the landmark-guided completion, each a flag of the shell."""

from dataclasses import dataclass, field

from faceinp.formulas import losses
from faceinp.nets import completion
from faceinp.train import completion_losses, opponents, schedules
from faceinp.train.holes import mask_holes


@dataclass(frozen=True)
class CompletionRun(mask_holes.MaskedRun):
    """Settings of the completion network; see ``MaskedRun`` and ``loop.Run`` for the rest."""

    network: str = field(
        default="small",
        metadata={
            "help": "small, coarse-to-fine (two of it) or large (the paper's)",
            "choices": tuple(completion.NETWORKS),
        },
    )
    thin: bool = field(
        default=True,
        metadata={"help": "thin parts of holes are filled smoothly while it learns, too, as the engine fills them"},
    )
    width: int = field(
        default=32, metadata={"help": "channels at the first depth, a multiple of 4; 64 in the paper", "multiple": 4}
    )
    side: int = field(default=128, metadata={"help": "side of the pictures, a multiple of 32", "multiple": 32})
    rate: float = field(
        default=5e-4, metadata={"help": "highest learning rate of the generator (Adam; 0: frozen)", "least": 0}
    )
    rate_discriminator: float = field(
        default=2e-4, metadata={"help": "highest learning rate of the discriminators (0: frozen)", "least": 0}
    )
    schedule: str = schedules.option("cosine", "of the generator")
    schedule_discriminator: str = schedules.option("constant", "of the discriminators")
    beta1: float = field(
        default=0.5, metadata={"help": "Adam's decay of the mean of gradients, of all networks", "least": 0, "below": 1}
    )
    beta2: float = field(
        default=0.99, metadata={"help": "Adam's decay of the mean of their squares", "least": 0, "below": 1}
    )
    patch_width: int = field(default=64, metadata={"help": "channels of the PatchGAN's first layer", "least": 1})
    look: int = field(
        default=0,
        metadata={"help": "side of the part around the hole that the PatchGAN looks at (0: everything)", "least": 0},
    )
    patch_sees: str = field(
        default="mask",
        metadata={
            "help": "what the PatchGAN sees beside the picture: mask, landmarks (LaFIn's) or mask+landmarks (the "
            "second paper's)",
            "choices": tuple(opponents.SEES),
        },
    )
    patch_attention: bool = field(default=False, metadata={"help": "attention in the PatchGAN, as in LaFIn's"})
    adversarial_loss: str = field(
        default="non-saturating",
        metadata={
            "help": "the PatchGAN's loss: non-saturating, lsgan, lsgan-sigmoid (LaFIn's code) or hinge",
            "choices": tuple(losses.ADVERSARIAL),
        },
    )
    adversarial_view: str = field(
        default="composite",
        metadata={
            "help": "what opponents are shown: composite, or generated, known pixels and all",
            "choices": tuple(completion_losses.SHOWN),
        },
    )
    projected_width: int = field(
        default=64, metadata={"help": "channels of the projected discriminator's heads", "least": 1}
    )
    hole: float = field(default=1.0, metadata={"help": "weight of the reconstruction in the hole", "least": 0})
    squared: float = field(
        default=0.0, metadata={"help": "weight of its square, which settles large holes' colours", "least": 0}
    )
    reconstruct: str = field(
        default="hole",
        metadata={
            "help": "where both are summed: in the hole, as of the composite, or over the picture that was generated; "
            "both by the hole's size",
            "choices": tuple(losses.EXTENTS),
        },
    )
    perceptual: float = field(default=0.0, metadata={"help": "weight of the perceptual loss on --features", "least": 0})
    style: float = field(default=0.0, metadata={"help": "weight of the style loss on --features", "least": 0})
    identity: float = field(default=0.0, metadata={"help": "weight of the identity loss", "least": 0})
    identity_norm: str = field(
        default="l1",
        metadata={
            "help": "norm of the identity loss: l1, or l2, not squared, FaceNet's distance",
            "choices": tuple(losses.IDENTITY),
        },
    )
    judge: str = field(
        default="bundled", metadata={"help": "its judge: bundled, facenet (the paper's) or an ONNX file with a sidecar"}
    )
    judge_file: str = field(
        default="", metadata={"help": "weights of your own of the judge facenet, or packed ones of bundled"}
    )
    blur: float = field(
        default=0.0,
        metadata={"help": "largest blur of what a judge other than bundled is shown, sigma in pixels", "least": 0},
    )
    traits: float = field(
        default=0.0, metadata={"help": "weight of the perceptual loss on the bundled judge's maps", "least": 0}
    )
    adversarial: float = field(default=0.0, metadata={"help": "weight of the PatchGAN's adversarial loss", "least": 0})
    matching: float = field(default=0.0, metadata={"help": "weight of the PatchGAN's feature matching", "least": 0})
    projected: float = field(
        default=0.0, metadata={"help": "weight of the projected discriminator's adversarial loss", "least": 0}
    )
    projected_matching: float = field(
        default=0.0, metadata={"help": "weight of the projected discriminator's feature matching", "least": 0}
    )
    variation: float = field(default=0.0, metadata={"help": "weight of the total variation", "least": 0})
    checkerboard: float = field(
        default=0.0, metadata={"help": "weight of the error that repeats in a grid, squared", "least": 0}
    )
    colour: float = field(default=0.0, metadata={"help": "weight of the squared error of blurred fills", "least": 0})
    features: str = field(
        default="efficientnet-lite0",
        metadata={
            "help": "network of the perceptual and the style loss: efficientnet-lite0, or vgg19, vgg16, squeezenet1_0 "
            "or squeezenet1_1 by its name or its file from torchvision"
        },
    )
    feature_form: str = field(
        default="shares",
        metadata={
            "help": "how its maps are compared: shares (of each layer's size, mean over layers), l1 (sum over layers, "
            "LaFIn's) or squared (the same of squares, the second paper's)",
            "choices": tuple(losses.FEATURE_FORMS),
        },
    )
    feature_view: str = field(
        default="composite",
        metadata={
            "help": "what it is shown: composite, or generated, of which the style loss sees the hole",
            "choices": tuple(completion_losses.VIEWS),
        },
    )
    perceptual_layers: tuple[int, ...] = field(
        default=(),
        metadata={
            "help": "the layers that the perceptual loss looks at, by torchvision's numbers (default: one a depth)",
            "least": 0,
        },
    )
    style_layers: tuple[int, ...] = field(
        default=(), metadata={"help": "and the style loss (default: those of the perceptual loss)", "least": 0}
    )
    shifted: bool = field(
        default=True, metadata={"help": "networks in losses see both pictures shifted by up to 15 pixels at random"}
    )
    jitter: float = field(default=0.006, metadata={"help": "noise on the landmarks, in shares of the side", "least": 0})
    predicted: float = field(
        default=0.5, metadata={"help": "share of a batch that gets predicted landmarks", "least": 0, "most": 1}
    )
    predictor: str = field(
        default="", metadata={"help": "packed weights of another predictor of landmarks (default: the package's)"}
    )
    disturbed: float = field(
        default=0.1, metadata={"help": "share with landmarks that are wrong as a whole", "least": 0, "most": 1}
    )
    dropped: float = field(default=0.1, metadata={"help": "share without landmarks", "least": 0, "most": 1})
    psnr_floor: float = field(
        default=0.0,
        metadata={"help": "PSNR on held-back faces in dB that the chosen averages reach at least", "least": 0},
    )
    damage: str = field(default="", metadata={"help": "tar of damage masks: grey PNG, white where the damage is"})
    recoloured: float = field(
        default=0.5, metadata={"help": "share of the pictures whose colours are changed", "least": 0, "most": 1}
    )
    landmarks: bool = field(default=True, metadata={"help": "the network sees the landmarks"})
