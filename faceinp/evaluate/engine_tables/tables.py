"""The tables, as data: masks, picture size, measures, and the figures that the papers printed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from faceinp.errors import DataError
from faceinp.mask import presets, sketches

COMPOSITE_MEASURES = ("composite_psnr", "composite_ssim")
NATURALNESS, SAME, OTHER, STRANGERS = "naturalness", "same", "other", "strangers"
ALIGNED, TURNED, REDETECTED = "aligned", "turned", "found"
PICTURE_KINDS = ("raw", "hole", "composite", "blended")  # pictures that PSNR and SSIM compare with the photo
TITLES = {
    "raw_psnr": "Raw PSNR, dB: the whole generated picture",
    "raw_ssim": "Raw SSIM",
    "hole_psnr": "Hole PSNR, dB: the generated picture, inside the hole only",
    "hole_ssim": "Hole SSIM",
    "composite_psnr": "Composite PSNR, dB: the photo with its hole replaced",
    "composite_ssim": "Composite SSIM",
    "blended_psnr": "Blended PSNR, dB: the photo with its hole filled by Poisson blending",
    "blended_ssim": "Blended SSIM",
    NATURALNESS: "Naturalness: kernel distance of the filled window to the same window of other people, best 0",
    SAME: "Same person, against the same picture",
    OTHER: "Same person, against the person's other pictures: share that the judge accepts",
    STRANGERS: "Pairs of different people that the judge accepts as one person",
}

Printed = Mapping[str, Mapping[str, Mapping[str, float]]]  # measure -> row's name -> mask -> figure


@dataclass(frozen=True, eq=False)
class Table:
    """One table: engines down, masks across, a grid for each measure.

    size: side of the pictures in pixels. masks: names of ``presets``. measures: keys of TITLES; SAME and OTHER appear
    once per judge. engines: the default engines; empty means all that run here. reference: the engine that differences
    refer to. sets: stems of shards, such as "celeba-val"; empty means one set. arrangements: ALIGNED crops, crops
    TURNED before the engine gets them, or turned ones in which the pipeline detects the face (REDETECTED). binned:
    also report bins of yaw and blur. pictures: the largest number of pictures. worn: the first row is the face that
    still wears what the mask hides. references: how many other pictures of each person, the nearest in pose, are
    reserved as reference photos; OTHER leaves them out. printed: figures of the papers.
    """

    name: str
    title: str
    size: int
    masks: tuple[str, ...]
    measures: tuple[str, ...]
    reference: str
    engines: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    arrangements: tuple[str, ...] = (ALIGNED,)
    binned: bool = False
    pictures: int | None = None
    worn: bool = False
    references: int = 0
    printed: Printed = field(default_factory=dict)

    @property
    def picture_kinds(self) -> tuple[str, ...]:
        """Those of PICTURE_KINDS that ``measures`` need."""
        return tuple(kind for kind in PICTURE_KINDS if {f"{kind}_psnr", f"{kind}_ssim"} & set(self.measures))

    @property
    def needs_judges(self) -> bool:
        return bool({SAME, OTHER} & set(self.measures))


def _printed_row(row: str, masks: tuple[str, ...], figures: tuple[float, ...]) -> dict[str, dict[str, float]]:
    return {row: dict(zip(masks, figures, strict=True))}


_RANDOM = tuple(f"random-{share}" for share in (20, 40, 60, 80))
_TWELVE = tuple(map(str, range(1, 13)))
_FEATURES = ("centre", "eyes", "lower-face")  # they hide the features that modern judges rely on
_IRREGULAR = tuple(f"irregular-{low}-{low + 10}" for low in presets.AREAS)
_PIXEL_MEASURES = tuple(f"{kind}_{metric}" for kind in PICTURE_KINDS for metric in ("psnr", "ssim"))
_AT_64 = (*_PIXEL_MEASURES, NATURALNESS)

# Table 1 of Qiang et al. 2019: PSNR and SSIM of the inpainted picture, comparable with "raw" (``docs/papers.md``).
_Q1: Printed = {
    "raw_psnr": _printed_row("Yeh et al., as printed", _RANDOM, (19.8658, 19.0177, 18.2592, 15.7974))
    | _printed_row("Qiang et al., as printed", _RANDOM, (20.0649, 19.9802, 19.8783, 19.7447)),
    "raw_ssim": _printed_row("Yeh et al., as printed", _RANDOM, (0.9517, 0.8975, 0.8547, 0.7823))
    | _printed_row("Qiang et al., as printed", _RANDOM, (0.9533, 0.9089, 0.8892, 0.8461)),
}
# Tables 3, 4 and 5 of the second paper, models 5 (its best) and 6 (the same without the identity loss).
_MODELS = ("model 5, as printed", "model 6, without the identity loss, as printed")
_L3 = (
    (16.396, 16.353, 22.340, 22.173, 23.098, 22.142, 25.082, 24.398, 27.704, 30.905, 26.919, 30.622),
    (13.876, 14.602, 22.481, 21.374, 22.375, 21.660, 24.849, 24.450, 27.584, 30.598, 27.162, 30.453),
)
_L4 = (
    (83.15, 83.28, 99.75, 98.99, 99.77, 98.95, 63.77, 78.85, 99.94, 94.81, 99.91, 92.22),
    (83.04, 81.53, 99.82, 98.81, 99.59, 98.85, 62.72, 76.30, 99.84, 94.50, 99.89, 91.80),
)
_L5 = (
    (41.00, 39.29, 76.99, 71.30, 76.52, 71.40, 27.58, 34.81, 74.33, 65.63, 79.94, 68.28),
    (40.45, 38.88, 76.92, 69.93, 74.61, 70.00, 25.94, 33.64, 73.80, 64.80, 80.07, 67.81),
)
# Strokes: Nazeri et al. 2019, EdgeConnect (arXiv 1901.00212), Table 1, CelebA.
_EDGECONNECT = _printed_row("EdgeConnect, as printed", _IRREGULAR[1:5], (33.5, 30.0, 27.4, 25.3))


def _models(figures: tuple[tuple[float, ...], ...], unit: float = 1) -> dict[str, dict[str, float]]:
    first, second = (tuple(unit * figure for figure in row) for row in figures)
    return _printed_row(_MODELS[0], _TWELVE, first) | _printed_row(_MODELS[1], _TWELVE, second)


TABLES = {
    table.name: table
    for table in (
        Table(
            "Q1", "The first paper's Table 1: random pixels hidden, 64 x 64", 64, (*_RANDOM, "centre", "1"), _AT_64,
            "dip+fast", ("dip+fast", "structural+fast", "structural+fast+mode=faithful"), printed=_Q1,
        ),
        Table(
            "L3", "The second paper's Table 3: similarity to the photo, 256 x 256", 256, (*_TWELVE, *_FEATURES),
            (*COMPOSITE_MEASURES, NATURALNESS), "telea", printed={"composite_psnr": _models(_L3)},
        ),
        Table(
            "L4", "The second paper's Table 4: same person, against the same picture", 256, (*_TWELVE, *_FEATURES),
            (SAME,), "telea", printed={SAME: _models(_L4, 0.01)},
        ),
        Table(
            "L5", "The second paper's Table 5: same person, against other pictures", 256, (*_TWELVE, *_FEATURES),
            (OTHER,), "telea", printed={OTHER: _models(_L5, 0.01)},
        ),
        Table(
            "irregular", "Scratches, and strokes by hidden share of the picture, 256 x 256", 256,
            ("scratches", *_IRREGULAR),
            (*COMPOSITE_MEASURES, NATURALNESS), "telea", printed={"composite_psnr": _EDGECONNECT},
        ),
        Table(
            "worn", "Protective masks and glasses removed, 256 x 256", 256, ("protective-mask", "glasses"),
            (*COMPOSITE_MEASURES, NATURALNESS, SAME, OTHER), "telea", worn=True,
        ),
        Table(
            "across", "Other data sets, rotated pictures, head yaw and blur, 256 x 256", 256, ("7", "centre"),
            ("hole_psnr", "hole_ssim", NATURALNESS), "telea", sets=("celeba-val", "asian-val", "generated-val"),
            arrangements=(ALIGNED, TURNED, REDETECTED), binned=True, pictures=100,
        ),
        Table(
            "sketched", "Hand-drawn masks over parts of the face, 256 x 256", 256, sketches.NAMES,
            ("hole_psnr", "composite_psnr", NATURALNESS, SAME, OTHER), "landmark",
            ("landmark", "landmark+symmetry", "telea"), sets=("celeba-val", "asian-val", "diverse-val"),
        ),
        Table(
            "references", "With three reference photos of the person, 256 x 256", 256,
            (*_FEATURES, "glasses-band", "mouth"), ("hole_psnr", "composite_psnr", NATURALNESS, SAME, OTHER),
            "landmark", ("landmark", "landmark+references"), references=3,
        ),
    )
}  # fmt: skip
QUICK = Table(
    "quick", "Engines on the first paper's masks, 64 x 64", 64, (*_RANDOM, "centre", "1"), _AT_64, "telea",
    printed=_Q1,
)  # fmt: skip
MASKS = Table(
    "masks", "Engines on masks, 256 x 256: similarity and identity", 256, (*_TWELVE, *_FEATURES),
    (*COMPOSITE_MEASURES, NATURALNESS, SAME, OTHER), "telea", ("landmark", "mirror", "telea", "navier-stokes"),
    printed={"composite_psnr": _models(_L3) | _EDGECONNECT, SAME: _models(_L4, 0.01), OTHER: _models(_L5, 0.01)},
)  # fmt: skip

# Largest number of pictures for slow engines: a search takes more than a second of one core per picture; the slowest
# other engine, patchmatch, takes .3 at 256 pixels.
SLOW_ENGINES = {"structural": 32, "dip": 32}


def by_name(names: tuple[str, ...]) -> tuple[Table, ...]:
    """The tables of these names, or all of TABLES without names; raises DataError for an unknown name."""
    if unknown := [name for name in names if name not in TABLES]:
        raise DataError(f"Unknown table {unknown[0]!r}. Available: {', '.join(TABLES)}.")
    return tuple(TABLES[name] for name in names or TABLES)


# ---- contact sheets like the first paper's figures ----


@dataclass(frozen=True)
class Sheet:
    """A contact sheet, one face per row: the photo, its known pixels, and the result of each of ``columns``.

    columns: (engine, "raw" | "composite" | "blended"). masks: one per row, in turn.
    """

    name: str
    title: str
    masks: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    size: int = 64
    rows: int = 6


_BASELINES = (("tv", "composite"), ("patchmatch", "composite"), ("dip+fast", "blended"), ("structural+fast", "blended"))
SHEETS = (
    Sheet(
        "losses", "Each loss alone, raw (the first paper's Fig. 5)", ("centre", "random-80"),
        (
            ("structural+alone=realism+iterations=250", "raw"), ("structural+fast+alone=context", "raw"),
            ("structural+fast+alone=structure", "raw"), ("structural+fast", "raw"),
        ),
    ),
    Sheet(
        "blending", "Without and with blending (Fig. 7)", ("centre", "1"),
        (("structural+fast", "raw"), ("structural+fast", "composite"), ("structural+fast", "blended")),
    ),
    Sheet("centre", "Centre holes (Figs. 1 and 8)", ("centre",), _BASELINES),
    Sheet("standard", "Standard holes: halves and quarters (Fig. 9)", ("1", "2", "3", "4", "5", "6"), _BASELINES),
    Sheet("arbitrary", "Arbitrary holes (Figs. 10 and 11)", (*_IRREGULAR[1:5], "blocks"), _BASELINES),
)  # fmt: skip
