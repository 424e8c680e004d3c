"""What commands take: arguments of those that fill, find and build, fields of trainings, and how these are read."""

import argparse
import ast
import dataclasses
import typing
from pathlib import Path
from typing import Any

from faceinp.errors import FaceinpError

FIND = ("damage", "glasses", "protective-mask", "occluders")  # proposals.NAMES, which would import what finds them
REQUIRED = ("data", "out")  # fields of a training's configuration that have no useful default
INCLUDE = ("stamps",)  # proposals.INCLUDES, likewise


class UsageError(FaceinpError):
    """Arguments that cannot be right, whatever the files hold."""

    exit_code = 2  # argparse's own


def add_fill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, help="the photo")
    hole = parser.add_mutually_exclusive_group(required=True)
    hole.add_argument("--mask", type=Path, help="picture of the hole: black and white, a transparent layer, or strokes")
    hole.add_argument("--preset", metavar="NAME", help="a ready-made hole on the face: one of `faceinp masks`")
    hole.add_argument("--mask-from-alpha", action="store_true", help="the hole is where the photo is transparent")
    _add_find(parser, hole)
    _add_page(parser)
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="where the filled photo goes; its suffix is its format"
    )
    parser.add_argument("--engine", default="landmark", help="one of `faceinp engines`, or onnx:FILE")
    _add_face(
        parser,
        "which face comes first, 1 being the largest (default: every face under the mask, the least hidden first)",
    )
    _add_turn(parser)
    _add_require_face(parser)
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    _add_mask_reading(parser)
    parser.add_argument(
        "--blend", choices=("poisson", "composite"), default="poisson", help="how the fill joins the photo"
    )
    parser.add_argument(
        "--reference",
        dest="references",
        type=Path,
        action="append",
        default=[],
        metavar="PHOTO",
        help="another photo of the same person, whose pixels are used where they help (repeatable, up to 8)",
    )
    _add_exemplars(parser)
    parser.add_argument("--fast", action="store_true", help="the quick setting of an engine that searches")
    parser.add_argument("--iterations", type=int, metavar="N", help="steps of an engine that searches")
    parser.add_argument(
        "--mode",
        choices=("robust", "faithful"),
        help="for `structural`: robust (our variant) or faithful (exactly as published)",
    )
    parser.add_argument(
        "--set", type=_setting, action="append", metavar="KEY=VALUE", help="any other option of the engine (repeatable)"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_find(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "The mask is for `faceinp fill --mask`: look at it and correct it first. Where nothing is found, nothing is "
        "written, and the exit code is 8; errors have other codes (2 usage or photo, 3 mask, 4 no face, 6 weights)."
    )
    parser.add_argument("photo", type=Path, help="the photo")
    parser.add_argument("--kind", choices=FIND, default="damage", help="what is looked for")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="the mask, a PNG of the photo's size, white where to fill"
    )
    parser.add_argument(
        "--overlay", type=Path, metavar="FILE", help="the photo with what was found tinted, a colour for each kind"
    )
    _add_sensitivity(parser, 0.5)
    _add_page(parser)
    _add_face(parser, "which face is looked at, 1 being the largest (default: all); not for damage")
    _add_turn(parser)


def add_batch(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "It succeeds (exit code 0) when a photo was filled, or had nothing to be found, now or by an earlier run, "
        "whatever else failed: OUT/manifest says which, and why. When all failed the exit code is that of the error "
        "which all of them share, else 1."
    )
    parser.add_argument("source", metavar="IN", help="a folder, .tar shard or .parquet table, here or a URL: s3://...")
    parser.add_argument("out", metavar="OUT", help="the folder for filled photos and their manifest, here or a URL")
    hole = parser.add_mutually_exclusive_group()
    hole.add_argument(
        "--masks",
        default="",
        metavar="DIR",
        help="masks named as the photos are (default: in the shards); or one file, the mask of all photos",
    )
    hole.add_argument("--preset", metavar="NAME", help="a ready-made hole on each face: one of `faceinp masks`")
    hole.add_argument("--mask-from-alpha", action="store_true", help="the hole is where a photo is transparent")
    _add_find(parser, hole)
    _add_mask_reading(parser)
    parser.add_argument("--engine", default="landmark", help="one of `faceinp engines`, or onnx:FILE")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--aligned", action="store_true", help="the photos are square, aligned face crops already")
    where.add_argument(
        "--faces",
        default="",
        metavar="DIR",
        help='JSON of the photos\' names, {"box": [x, y, width, height]}, {"points": [[x, y], ...]} or {"number": 2} '
        "as in `faceinp fill`, of photos whose face is not found (in shards: KEY.face.json)",
    )
    _add_turn(parser)
    _add_require_face(parser)
    parser.add_argument(
        "--references",
        default="",
        metavar="DIR",
        help="other photos of the same person, up to 8 for each photo: for IN/NAME.jpg all pictures in the folder "
        "DIR/NAME, and DIR/NAME.jpg (in shards: KEY.reference.N.jpg)",
    )
    _add_exemplars(parser)
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--blend", choices=("poisson", "composite"), default="poisson", help="as in `faceinp fill`")
    parser.add_argument("--judge", default="auto", help="auto, facenet, bundled, dlib, an ONNX file, or none")
    parser.add_argument("--format", choices=("png", "webp", "tif", "jpg"), default="png", help="format of the results")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many processes, or actors on Ray")
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="threads a worker (default: cores / workers)"
    )
    parser.add_argument("--ray", default="", metavar="ADDRESS", help="run on Ray: a cluster's address, auto, or local")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--retry", action="store_true", help="try photos again that failed before")
    again.add_argument("--again", action="store_true", help="fill all photos again, with other settings if need be")
    parser.add_argument("--set", type=_setting, action="append", metavar="KEY=VALUE", help="an option of the engine")


def add_build(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "`NAME.pts` beside a photo, 68 points as the 300-W set has them, is used before --points."
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="a folder, zip or tar of photos, or CelebA's as downloaded"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder for the shards")
    parser.add_argument("--size", type=int, default=256, help="side of the crops in pixels")
    parser.add_argument(
        "--points",
        default="own",
        metavar="KIND",
        help="where 68 landmarks come from: own (faceinp's predictor), dlib (its predictor, of the extra eval), a CSV "
        "file (a photo's name, x1, y1 ... x68, y68 in its pixels), or none",
    )
    parser.add_argument(
        "--aligned", action="store_true", help="the photos are square, aligned face crops already, such as FFHQ's"
    )
    parser.add_argument("--split", choices=("train", "val", "test", "all"), help="part of CelebA (default: train)")
    parser.add_argument(
        "--identity-from",
        choices=("folder",),
        help="the person is the name of the photo's folder; its largest face is taken",
    )
    parser.add_argument(
        "--smallest", type=int, default=96, metavar="PIXELS", help="leave out crops narrower than this in the photo"
    )
    parser.add_argument("--shard-megabytes", type=float, default=20, metavar="MB", help="size of a shard")


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Defaults are those of ``evaluate.folders.Request``, whose import would bring much along."""
    parser.epilog = "docs/evaluate-folders.md says what each figure is, and which agree with other programs' figures."
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="the folder of untouched pictures")
    parser.add_argument(
        "result", type=Path, metavar="RESULT", help="the folder of results, whose names are the same but for the suffix"
    )
    parser.add_argument(
        "--masks", type=Path, metavar="DIR", help="masks of the pictures' names, white = hole; or one file, for all"
    )
    parser.add_argument("--mask-hole", choices=("white", "black"), default="white", help="which is the hole")
    parser.add_argument("--common", action="store_true", help="measure the names that all folders have, not only all")
    parser.add_argument("--aligned", action="store_true", help="the pictures are square, aligned face crops already")
    parser.add_argument(
        "--protocol",
        choices=("edgeconnect",),
        default="",
        help="PSNR, SSIM and MAE as a published script has them",
    )
    parser.add_argument("--lpips", choices=("alex", "vgg"), default="alex", help="the network of LPIPS")
    parser.add_argument(
        "--judges",
        type=names,
        default=(),
        metavar="A,B",
        help="of identity, or none (default: those of bundled, dlib that run)",
    )
    parser.add_argument(
        "--skip", type=names, default=(), metavar="A,B", help="leave out: lpips, inception, lite, identity"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/folders"), help="folder of the report")


def add_fields(parser: argparse.ArgumentParser, config: Any, values: dict[str, Any], *, show: bool) -> None:
    """One flag for each field of the dataclass ``config``. values: defaults from files. show: nothing is required."""
    kinds = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        flags = [*(["-o"] if field.name == "out" else []), f"--{field.name.replace('_', '-')}"]
        about = field.metadata.get("help", "").replace("%", "%%")
        kind, default = kinds[field.name], values.get(field.name, field.default)
        if kind is bool:
            action = argparse.BooleanOptionalAction if field.default or default else "store_true"
            parser.add_argument(*flags, action=action, default=default, help=about)
            continue
        required = field.name in REQUIRED and not default and not show
        several = typing.get_origin(kind) is tuple
        parser.add_argument(
            *flags,
            type=typing.get_args(kind)[0] if several else kind,
            nargs="+" if several else None,
            default=default,
            choices=field.metadata.get("choices"),
            required=required,
            metavar=field.name.upper(),
            help=about,
        )


def _add_find(parser: argparse.ArgumentParser, hole: Any) -> None:
    """hole: the group of arguments that say where the hole is."""
    hole.add_argument("--find", choices=FIND, help="the hole is what is found: `faceinp find` shows it beforehand")
    _add_sensitivity(parser, None)


def _add_sensitivity(parser: argparse.ArgumentParser, default: float | None) -> None:
    parser.add_argument(
        "--sensitivity",
        type=float,
        default=default,
        metavar="S",
        help="from 0, to find only what is certain, to 1, to find what is possible (default: 0.5)",
    )
    parser.add_argument(
        "--include",
        choices=INCLUDE,
        action="append",
        default=[],
        help="look for it, too: stamps and handwriting, which are left alone otherwise; with damage only",
    )


def _add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--page", type=int, default=1, metavar="N", help="which page of a TIFF file, counted from 1")


def _add_face(parser: argparse.ArgumentParser, numbered: str) -> None:
    """numbered: what the number of a face does."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--aligned", action="store_true", help="the photo is a square, aligned face crop already")
    where.add_argument("--face", type=int, metavar="N", help=numbered)
    where.add_argument("--box", type=_box, metavar="X,Y,W,H", help="where the face is, in pixels, when it is not found")
    where.add_argument(
        "--points",
        type=_points,
        metavar="X,Y,...",
        help="where a face is that is not found, turned in any way or partly outside of the photo: its left eye, right "
        "eye, nose, left and right mouth corner, in pixels; left is what is left when the face is upright",
    )


def _add_turn(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--turn",
        type=lambda text: int(text) if text.isdecimal() else text,
        choices=("auto", 0, 90, 180, 270),
        default="auto",
        help="by how many degrees clockwise the photo must be turned for its faces to stand upright (default: auto); "
        "it is left as it lies",
    )


def _add_require_face(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--require-face",
        action="store_true",
        help="fail where there is no face under the mask, instead of filling it from its surroundings",
    )


def _add_mask_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mask-hole", choices=("auto", "white", "black"), default="auto", help="the hole's colour in the mask"
    )
    parser.add_argument("--grow", type=int, default=0, metavar="N", help="grow the hole by N pixels of the photo")


def _add_exemplars(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--symmetry",
        action=argparse.BooleanOptionalAction,
        help="use the other half of the face where it helps (default: with engines that complete faces)",
    )
    parser.add_argument(
        "--no-reference-check",
        dest="reference_check",
        action="store_false",
        help="use reference photos even where their face looks like somebody else's",
    )


def _box(text: str) -> tuple[float, ...]:
    return _numbers(text, 4, "X,Y,W,H: four numbers with commas between them")


def _points(text: str) -> tuple[tuple[float, float], ...]:
    numbers = _numbers(text, 10, "X,Y,X,Y,X,Y,X,Y,X,Y: five points, ten numbers with commas between them")
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _numbers(text: str, count: int, form: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise argparse.ArgumentTypeError(f"{text!r} is not {form}")
    return numbers


def names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, {"true": True, "false": False}.get(value.lower(), value)
