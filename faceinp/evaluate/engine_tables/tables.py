"""Which tables there are, as data: what is hidden, at which size, what is compared, what the papers printed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from faceinp.errors import DataError
from faceinp.mask import presets, sketches

PICTURE = ("composite_psnr", "composite_ssim")
NATURALNESS, SAME, OTHER, STRANGERS = "naturalness", "same", "other", "strangers"
ALIGNED, TURNED, FOUND = "aligned", "turned", "found"
COMPARED = ("raw", "hole", "composite", "blended")  # which picture is compared with the photo, pixel by pixel
ABOUT = {
    "raw_psnr": "Raw PSNR, dB: the whole generated picture",
    "raw_ssim": "Raw SSIM",
    "hole_psnr": "Hole PSNR, dB: the generated picture's hole only",
    "hole_ssim": "Hole SSIM",
    "composite_psnr": "Composite PSNR, dB: the photo, its hole replaced",
    "composite_ssim": "Composite SSIM",
    "blended_psnr": "Blended PSNR, dB: the photo, its hole filled by Poisson blending",
    "blended_ssim": "Blended SSIM",
    NATURALNESS: "Naturalness: kernel distance of the filled place to the same place of other people, best 0",
    SAME: "Taken for the same person against the same picture",
    OTHER: "Taken for the same person against other pictures of the person: share of all that the set has of them",
    STRANGERS: "Pairs of strangers taken for one person",
}

Printed = Mapping[str, Mapping[str, Mapping[str, float]]]  # measure -> row's name -> mask -> figure


@dataclass(frozen=True, eq=False)
class Table:
    """One table: engines down, masks across, a part for each measure.

    size: side of the pictures. masks: names of ``presets``. measures: keys of ABOUT; SAME and OTHER once a judge.
    engines: what is measured unless told; none: all that run here. reference: the engine that differences are taken
    to. sets: stems of shards, such as "celeba-val"; none: the first set there is. arrangements: ALIGNED crops, crops
    TURNED and seen so by the engine, or turned and FOUND again by the pipeline. binned: bins of yaw and blur, too.
    pictures: at most. worn: the rows' first is the face that still wears what the mask hides. references: how many
    other pictures of each person, the nearest in pose, are set aside to be given as references; OTHER leaves them out.
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
    def compared(self) -> tuple[str, ...]:
        """Those of COMPARED that ``measures`` need."""
        return tuple(kind for kind in COMPARED if {f"{kind}_psnr", f"{kind}_ssim"} & set(self.measures))

    @property
    def judged(self) -> bool:
        return bool({SAME, OTHER} & set(self.measures))


def _printed(row: str, masks: tuple[str, ...], figures: tuple[float, ...]) -> dict[str, dict[str, float]]:
    return {row: dict(zip(masks, figures, strict=True))}


_RANDOM = tuple(f"random-{share}" for share in (20, 40, 60, 80))
_TWELVE = tuple(map(str, range(1, 13)))
_DECIDING = ("centre", "eyes", "lower-face")  # where a modern judge's verdict is decided; halves and quarters are not
_IRREGULAR = tuple(f"irregular-{low}-{low + 10}" for low in presets.AREAS)
_BY_PIXELS = tuple(f"{kind}_{measured}" for kind in COMPARED for measured in ("psnr", "ssim"))
_AT_64 = (*_BY_PIXELS, NATURALNESS)

# Table 1 of Qiang et al. 2019: PSNR, SSIM of the inpainted picture, which measures like "raw" (``docs/papers.md``).
_Q1: Printed = {
    "raw_psnr": _printed("Yeh et al., as printed", _RANDOM, (19.8658, 19.0177, 18.2592, 15.7974))
    | _printed("Qiang et al., as printed", _RANDOM, (20.0649, 19.9802, 19.8783, 19.7447)),
    "raw_ssim": _printed("Yeh et al., as printed", _RANDOM, (0.9517, 0.8975, 0.8547, 0.7823))
    | _printed("Qiang et al., as printed", _RANDOM, (0.9533, 0.9089, 0.8892, 0.8461)),
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
_EDGECONNECT = _printed("EdgeConnect, as printed", _IRREGULAR[1:5], (33.5, 30.0, 27.4, 25.3))


def _models(figures: tuple[tuple[float, ...], ...], unit: float = 1) -> dict[str, dict[str, float]]:
    rows = zip(_MODELS, figures, strict=True)
    return {row: dict(zip(_TWELVE, (unit * figure for figure in given), strict=True)) for row, given in rows}


TABLES = {
    table.name: table
    for table in (
        Table(
            "Q1", "The first paper's Table 1: random pixels hidden, 64 x 64", 64, (*_RANDOM, "centre", "1"), _AT_64,
            "dip+fast", ("dip+fast", "structural+fast", "structural+fast+mode=faithful"), printed=_Q1,
        ),
        Table(
            "L3", "The second paper's Table 3: how near the picture, 256 x 256", 256, (*_TWELVE, *_DECIDING),
            (*PICTURE, NATURALNESS), "telea", printed={"composite_psnr": _models(_L3)},
        ),
        Table(
            "L4", "The second paper's Table 4: the same person, against the same picture", 256, (*_TWELVE, *_DECIDING),
            (SAME,), "telea", printed={SAME: _models(_L4, 0.01)},
        ),
        Table(
            "L5", "The second paper's Table 5: the same person, against another picture", 256, (*_TWELVE, *_DECIDING),
            (OTHER,), "telea", printed={OTHER: _models(_L5, 0.01)},
        ),
        Table(
            "irregular", "Scratches, and strokes by the share of the picture that they hide, 256 x 256", 256,
            ("scratches", *_IRREGULAR),
            (*PICTURE, NATURALNESS), "telea", printed={"composite_psnr": _EDGECONNECT},
        ),
        Table(
            "worn", "Protective masks and glasses taken off, 256 x 256", 256, ("protective-mask", "glasses"),
            (*PICTURE, NATURALNESS, SAME, OTHER), "telea", worn=True,
        ),
        Table(
            "across", "Other faces, turned pictures, turned heads and blur, 256 x 256", 256, ("7", "centre"),
            ("hole_psnr", "hole_ssim", NATURALNESS), "telea", sets=("celeba-val", "asian-val", "generated-val"),
            arrangements=(ALIGNED, TURNED, FOUND), binned=True, pictures=100,
        ),
        Table(
            "sketched", "Parts of faces as people sketch them, 256 x 256", 256, sketches.NAMES,
            ("hole_psnr", "composite_psnr", NATURALNESS, SAME, OTHER), "landmark",
            ("landmark", "landmark+symmetry", "telea"), sets=("celeba-val", "asian-val", "diverse-val"),
        ),
        Table(
            "references", "With three other photos of the person given, 256 x 256", 256,
            (*_DECIDING, "glasses-band", "mouth"), ("hole_psnr", "composite_psnr", NATURALNESS, SAME, OTHER),
            "landmark", ("landmark", "landmark+references"), references=3,
        ),
    )
}  # fmt: skip
QUICK = Table(
    "quick", "Engines on the first paper's holes, 64 x 64", 64, (*_RANDOM, "centre", "1"), _AT_64, "telea",
    printed=_Q1,
)  # fmt: skip
MASKS = Table(
    "masks", "Engines on holes, 256 x 256: picture and person", 256, (*_TWELVE, *_DECIDING),
    (*PICTURE, NATURALNESS, SAME, OTHER), "telea", ("landmark", "mirror", "telea", "navier-stokes"),
    printed={"composite_psnr": _models(_L3) | _EDGECONNECT, SAME: _models(_L4, 0.01), OTHER: _models(_L5, 0.01)},
)  # fmt: skip

# Pictures at most, of engines that take long: a search takes more than a second of one core, whatever is hidden; of the
# others patchmatch most, .3 at 256 pixels.
FEWER = {"structural": 32, "dip": 32}


def named(names: tuple[str, ...]) -> tuple[Table, ...]:
    """The tables of these names, all when there are none; raises DataError for an unknown one."""
    if unknown := [name for name in names if name not in TABLES]:
        raise DataError(f"There is no table {unknown[0]!r}. Choose among: {', '.join(TABLES)}.")
    return tuple(TABLES[name] for name in names or TABLES)


def limit(engine: str) -> int | None:
    """How many pictures of a table the engine (a variant's name) takes at most; None: all."""
    return FEWER.get(engine.partition("+")[0])


# ---- pictures of the first paper, to look at ----


@dataclass(frozen=True)
class Sheet:
    """A picture to look at: a face a row; the photo, what is known of it, and what each of ``columns`` makes of it.

    columns: (engine, "raw" | "composite" | "blended"). masks: one a row, taken in turn.
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
