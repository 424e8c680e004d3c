"""Settings of the latent search: its options, their bounds, and published values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import nan
from typing import Any

from faceinp.errors import EngineError

LOSSES = ("realism", "context", "structure", "landmarks")
SHIPPED, PRINTED = "shipped", "printed"  # names of limits that are not files


def _choice(default: str, *others: str) -> Any:
    return field(default=default, metadata={"choices": (default, *others)})


def _number(default: float, low: float, high: float) -> Any:
    return field(default=default, metadata={"bounds": (low, high)})


@dataclass(frozen=True)
class Settings:
    """Everything that a search depends on besides picture, hole and seed. Each field is an option of the engines.

    The loss is ``realism`` L_d + ``context`` L_c + ``structure`` L_s + ``landmarks`` times the distance between the
    landmarks of G(z) and those predicted for the photo.

    recipe: a key of RECIPES. mode: L_c and L_s linear, over known pixels ("robust", our variant), or clipped at their
    limits ("faithful", exactly as published); in the engine ``dip`` L_c is a plain sum ("sum"). prior: L_d as
    published, log(1 - D(G(z))), or as in public code, -log D(G(z)) ("non-saturating"). base, alpha, k: the weight of a
    known pixel is base + alpha * the share of hole pixels in the k x k patch around it. window: of SSIM, a key of
    ``losses.WINDOWS``. only: "context" or "structure", without the other; realism stays. alone: one loss, without all
    others. limits: "shipped", "printed", or a file of `faceinp train dcgan-limits`; empty: shipped. file: weights of
    another DCGAN. rate, schedule, momentum: of the optimizer (``OPTIMIZERS``). clip: z stays in the ball in which
    samples of N(0, 1) lie, or in the box [-1, 1]. start: distribution of the first z. guesses: samples of which the
    best is the start; 0: a random start. iterations: steps of back-propagation into z. starts: parallel searches from
    different z, of which the best is kept. fast: as ``FAST``.
    """

    recipe: str = ""
    mode: str = _choice("robust", "faithful")
    realism: float = _number(0.003, 0, 1e6)
    context: float = _number(0.2, 0, 1e6)
    structure: float = _number(0.797, 0, 1e6)
    landmarks: float = _number(0.0, 0, 1e6)
    prior: str = _choice("saturating", "non-saturating")
    base: float = _number(1.0, 0, 1e3)
    alpha: float = _number(2.0, -1e3, 1e3)
    k: int = _number(7, 1, 63)
    window: str = _choice("whole", "11", "8")
    only: str = field(default="", metadata={"choices": ("context", "structure")})
    alone: str = field(default="", metadata={"choices": LOSSES})
    limits: str = ""
    file: str = ""
    optimizer: str = _choice("adam", "sgd", "lbfgs")
    rate: float = _number(0.2, 1e-9, 100)
    schedule: str = _choice("cosine", "constant")
    momentum: float = _number(0.9, 0, 0.999)
    clip: str = _choice("ball", "box", "none")
    start: str = _choice("normal", "uniform")
    guesses: int = _number(0, 0, 10_000)
    iterations: int = _number(1000, 0, 1_000_000)
    starts: int = _number(1, 1, 1000)
    fast: bool = False


TUNED = frozenset({"rate", "schedule", "momentum"})  # options that not every optimizer has
LOSS_OF = {"prior": "realism", "window": "structure"}  # options that belong to one loss alone
# The options among TUNED that each optimizer has, and their defaults.
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": {"rate": 0.2, "schedule": "cosine"},
    "sgd": {"rate": 0.01, "schedule": "constant", "momentum": 0.9},
    "lbfgs": {},
}
# The same loss in a seventh of the time (``docs/measurements/search.md``): L-BFGS from the best of some samples.
FAST: dict[str, Any] = {"optimizer": "lbfgs", "guesses": 256, "iterations": 250}
# Where the defaults of an engine differ from those above, and options that it does not have.
ENGINES: dict[str, dict[str, Any]] = {
    "structural": {},
    "dip": {"mode": "sum", "context": 1.0, "structure": 0.0, "base": 0.0, "alpha": 1.0},
}
WITHOUT: dict[str, tuple[str, ...]] = {"structural": (), "dip": ("mode", "structure", "window", "only", "limits")}
_YEH = {"realism": 0.003, "context": 1.0, "base": 0.0, "alpha": 1.0, "k": 7}
_SGD = {"optimizer": "sgd", "rate": 0.01, "momentum": 0.9, "schedule": "constant", "clip": "box", "iterations": 1000}
_CODE = {"realism": 0.1, "prior": "non-saturating", "context": 2.0} | _SGD  # context: sums of pictures in [-1, 1]
# Published settings. Unpublished ones (Adam's rate in both papers, the window of SSIM) have the default.
RECIPES: dict[str, dict[str, dict[str, Any]]] = {
    "structural": {
        # Qiang et al. 2019, (2) to (8).
        "qiang2019": {
            **{"mode": "faithful", "realism": 0.003, "context": 0.2, "structure": 0.797},
            **{"base": 1.0, "alpha": 2.0, "k": 7, "optimizer": "adam", "iterations": 1000},
        },
    },
    "dip": {
        # Yeh et al. 2017: Adam, z restricted to [-1, 1], 1500 iterations.
        "yeh2017": _YEH | {"optimizer": "adam", "clip": "box", "iterations": 1500},
        # github.com/moodoki/semantic_image_inpainting, by one of the paper's authors: weights are the share of *known*
        # pixels around, the opposite of the paper's (3).
        "yeh2017-code": _CODE | {"base": 1.0, "alpha": -1.0, "k": 7},
        # github.com/bamos/dcgan-completion.tensorflow, by Brandon Amos: all known pixels have the same weight.
        "bamos": _CODE | {"base": 1.0, "alpha": 0.0, "start": "uniform"},
    },
}


def names(engine: str) -> tuple[str, ...]:
    """The options of an engine, a key of ENGINES."""
    return tuple(one.name for one in fields(Settings) if one.name not in WITHOUT[engine])


def choose(engine: str, options: Mapping[str, Any]) -> Settings:
    """The settings for ``options`` of an engine. Options override ``fast``, which overrides the recipe, which overrides
    the engine's defaults. Raises EngineError for unknown options, values out of bounds and contradictions.
    """
    checked = {name: _checked(engine, name, value) for name, value in options.items()}
    if not checked.get("iterations", 1):
        del checked["iterations"]  # 0 means the default
    recipe = RECIPES[engine].get(checked.get("recipe", ""), {})
    values: dict[str, Any] = ENGINES[engine] | recipe | (FAST if checked.get("fast") else {}) | checked
    optimizer = values.setdefault("optimizer", "adam")
    for name in checked.keys() & TUNED - OPTIMIZERS[optimizer].keys():
        raise EngineError(f"{name}= has no effect with optimizer={optimizer}. Leave it out.")
    settings = Settings(**(OPTIMIZERS[optimizer] | values))
    left_out = {name for name in LOSSES if settings.alone and name != settings.alone}
    left_out |= {name for name in ("context", "structure") if settings.only and name != settings.only}
    without: dict[str, Any] = dict.fromkeys(left_out, 0.0)
    settings = replace(settings, **without)
    for name in checked.keys() & LOSS_OF.keys():
        if not getattr(settings, LOSS_OF[name]):
            raise EngineError(f"{name}= has no effect where the weight of {LOSS_OF[name]} is 0. Leave it out.")
    if reason := _contradiction(settings):
        raise EngineError(reason)
    return settings


def _contradiction(settings: Settings) -> str:  # noqa: PLR0911 - one return for each contradiction
    """Why settings that are each within bounds contradict one another; empty if they do not."""
    if settings.only and settings.alone:
        return "Choose only= (realism stays) or alone= (nothing stays), not both."
    if settings.alone and not getattr(settings, settings.alone):
        return f"alone={settings.alone} leaves no loss: its weight is 0. Give {settings.alone}= a number above 0."
    if not any(getattr(settings, name) for name in LOSSES):
        return f"No loss is left. Give one of {', '.join(LOSSES)} a weight above 0."
    if settings.optimizer == "lbfgs" and not (settings.context or settings.structure):
        return (
            "optimizer=lbfgs (fast) needs context or structure, since it evaluates realism only now and then. Choose "
            "optimizer=adam."
        )
    if 0 < settings.guesses < settings.starts:
        return (
            f"guesses must be 0 or at least starts, got guesses={settings.guesses} and starts={settings.starts}. Raise "
            "guesses."
        )
    if settings.k % 2 == 0:
        return f"k must be odd, so that a patch has a centre; got {settings.k}."
    if settings.base + min(settings.alpha, 0) < 0 or not (settings.base or settings.alpha):
        return (
            "The weight of a known pixel is base + alpha * share. So base and base + alpha must be 0 or more, and not "
            f"both 0; got base={settings.base:g} and alpha={settings.alpha:g}."
        )
    if settings.file and not settings.limits and settings.mode != "sum":
        return (
            f"The shipped limits of losses belong to the shipped generator, not to {settings.file}. Measure new ones "
            "(`faceinp train dcgan-limits --weights FILE`) and pass limits=FILE, or choose limits=shipped or printed."
        )
    return ""


def _checked(engine: str, name: str, value: Any) -> Any:
    """``value`` as the type of the option ``name``. Raises EngineError."""
    one = Settings.__dataclass_fields__[name]
    choices = tuple(RECIPES[engine]) if name == "recipe" else one.metadata.get("choices")
    if choices:
        choices = tuple(each for each in choices if name != "alone" or each not in WITHOUT[engine])
        if str(value) not in (one.default, *choices):
            raise EngineError(f"Unknown {name} {value!r} for {engine}. Choose {', '.join(choices)}.")
        return str(value)
    if isinstance(one.default, bool):
        if value not in (True, False):
            raise EngineError(f"{name} must be true or false, got {value!r}.")
        return bool(value)
    if "bounds" not in one.metadata:
        return str(value)
    low, high = one.metadata["bounds"]
    whole = isinstance(one.default, int)
    try:
        number = nan if isinstance(value, bool) else float(value)  # True: a name without a value, "structural+alpha"
    except (TypeError, ValueError):
        number = nan
    if not low <= number <= high or (whole and number != int(number)):
        kind = "a whole number" if whole else "a number"
        raise EngineError(f"{name} must be {kind} from {low:g} to {high:g}, got {value!r}.")
    return int(number) if whole else number
