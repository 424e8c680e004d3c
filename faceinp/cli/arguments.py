"""Arguments of the commands that fill, find, build and measure folders, and of trainings; and their parsing."""

import argparse
import ast
import dataclasses
import typing
from pathlib import Path
from typing import Any

from faceinp.errors import FaceinpError

FIND = ("damage", "glasses", "protective-mask", "occluders")  # find.find_option.NAMES, without its imports
INCLUDE = ("stamps",)  # find.damage.INCLUDES
REQUIRED = ("data", "out")  # fields of a training's configuration without a useful default


class UsageError(FaceinpError):
    """Arguments that are wrong whatever the files contain."""

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
        "-o", "--out", type=Path, required=True, help="file for the filled photo; its suffix chooses the format"
    )
    _add_face(parser, "the face to fill, 1 being the largest (default: every face under the mask)")
    _add_filling(parser)
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
    parser.add_argument("--fast", action="store_true", help="fast setting of an engine that optimises")
    parser.add_argument("--iterations", type=int, metavar="N", help="steps of an engine that optimises")
    parser.add_argument(
        "--mode",
        choices=("robust", "faithful"),
        help="for `structural`: robust (our variant) or faithful (exactly as published)",
    )
    parser.add_argument(
        "--set", type=_setting, action="append", metavar="KEY=VALUE", help="another option of the engine (repeatable)"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def add_find(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Check and correct the mask before you pass it to `faceinp fill --mask`. If nothing is found, no file is "
        "written and the exit code is 8. Other codes: 2 usage or photo, 3 mask, 4 no face, 6 weights."
    )
    parser.add_argument("photo", type=Path, help="the photo")
    parser.add_argument("--kind", choices=FIND, default="damage", help="what to find")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="file for the mask, a PNG of the photo's size, white = hole"
    )
    parser.add_argument(
        "--overlay", type=Path, metavar="FILE", help="file for the photo with the hole tinted, a colour for each kind"
    )
    _add_sensitivity(parser, 0.5)
    _add_page(parser)
    _add_face(parser, "the face to search, 1 being the largest (default: all); not for damage")
    _add_turn(parser)


def add_batch(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "The exit code is 0 if any photo was filled or had nothing to find, in this or an earlier run; OUT/manifest "
        "lists the photos that failed, and why. If all photos failed with the same error, the exit code is that "
        "error's, otherwise 1."
    )
    parser.add_argument("source", metavar="IN", help="a folder, .tar shard or .parquet table, or its URL (s3://...)")
    parser.add_argument("out", metavar="OUT", help="folder or URL for filled photos and their manifest")
    hole = parser.add_mutually_exclusive_group()
    hole.add_argument(
        "--masks",
        default="",
        metavar="DIR",
        help="masks named like the photos (default: in the shards); or one file, the mask of all photos",
    )
    hole.add_argument("--preset", metavar="NAME", help="a ready-made hole on each face: one of `faceinp masks`")
    hole.add_argument("--mask-from-alpha", action="store_true", help="the hole is where a photo is transparent")
    _add_find(parser, hole)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--aligned", action="store_true", help="the photos are square, aligned face crops already")
    where.add_argument(
        "--faces",
        default="",
        metavar="DIR",
        help='JSON files named like the photos, for faces that are not detected: {"box": [x, y, width, height]}, '
        '{"points": [[x, y], ...]} or {"number": 2}, as in `faceinp fill` (in shards: KEY.face.json)',
    )
    _add_filling(parser)
    parser.add_argument(
        "--references",
        default="",
        metavar="DIR",
        help="other photos of the same person, up to 8 for each photo: for IN/NAME.jpg, DIR/NAME.jpg and all pictures "
        "in the folder DIR/NAME (in shards: KEY.reference.N.jpg)",
    )
    parser.add_argument("--blend", choices=("poisson", "composite"), default="poisson", help="as in `faceinp fill`")
    parser.add_argument("--judge", default="auto", help="auto, facenet, bundled, dlib, an ONNX file, or none")
    parser.add_argument("--format", choices=("png", "webp", "tif", "jpg"), default="png", help="format of the results")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="number of processes, or of actors on Ray")
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="threads per worker (default: cores / workers)"
    )
    parser.add_argument("--ray", default="", metavar="ADDRESS", help="run on Ray: a cluster's address, auto, or local")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--retry", action="store_true", help="retry photos that failed before")
    again.add_argument("--again", action="store_true", help="fill all photos again; the settings may differ")
    parser.add_argument("--set", type=_setting, action="append", metavar="KEY=VALUE", help="an option of the engine")


def add_build(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "A file `NAME.pts` beside a photo, with 68 landmarks in the 300-W format, overrides --points."
    parser.add_argument(
        "source", type=Path, metavar="SOURCE", help="a folder, zip or tar of photos, or the downloaded CelebA"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="new folder for the shards")
    parser.add_argument("--size", type=int, default=256, help="side of the crops in pixels")
    parser.add_argument(
        "--points",
        default="own",
        metavar="KIND",
        help="source of the 68 landmarks: own (faceinp's predictor), dlib (dlib's predictor, needs the extra eval), a "
        "CSV file (a photo's name, x1, y1 ... x68, y68 in its pixels), or none",
    )
    parser.add_argument(
        "--aligned", action="store_true", help="the photos are square, aligned face crops already, such as FFHQ's"
    )
    parser.add_argument("--split", choices=("train", "val", "test", "all"), help="part of CelebA (default: train)")
    parser.add_argument(
        "--identity-from",
        choices=("folder",),
        help="use the name of a photo's folder as its person, and only its largest face",
    )
    parser.add_argument(
        "--smallest", type=int, default=96, metavar="PIXELS", help="leave out crops narrower than this in the photo"
    )
    parser.add_argument("--shard-megabytes", type=float, default=20, metavar="MB", help="size of a shard")


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Repeats the defaults of ``evaluate.folders.Request``, whose import is slow."""
    parser.epilog = "docs/evaluate-folders.md explains each figure, and which agree with other programs' figures."
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="folder of the original pictures")
    parser.add_argument(
        "result", type=Path, metavar="RESULT", help="folder of the results, with the same names except for suffixes"
    )
    parser.add_argument(
        "--masks", type=Path, metavar="DIR", help="masks named like the pictures, white = hole; or one file, for all"
    )
    parser.add_argument("--mask-hole", choices=("white", "black"), default="white", help="the hole's colour in masks")
    parser.add_argument("--common", action="store_true", help="measure only pictures that all folders contain")
    parser.add_argument("--aligned", action="store_true", help="the pictures are square, aligned face crops already")
    parser.add_argument(
        "--protocol",
        choices=("edgeconnect",),
        default="",
        help="compute PSNR, SSIM and MAE as a published script does",
    )
    parser.add_argument("--lpips", choices=("alex", "vgg"), default="alex", help="the network of LPIPS")
    add_names(parser, "--judges", "judges of identity, or none (default: bundled and dlib, if available)")
    add_names(parser, "--skip", "measures to skip: lpips, inception, lite, identity")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("-o", "--out", type=Path, default=Path("runs/folders"), help="folder for the report")


def add_fields(parser: argparse.ArgumentParser, config: Any, values: dict[str, Any], *, show: bool) -> None:
    """A flag for each field of the dataclass ``config``. values: defaults from files. show: no flag is required."""
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
    """hole: the group of mutually exclusive arguments that define the hole."""
    hole.add_argument("--find", choices=FIND, help="find the hole automatically; preview it with `faceinp find`")
    _add_sensitivity(parser, None)


def _add_sensitivity(parser: argparse.ArgumentParser, default: float | None) -> None:
    parser.add_argument(
        "--sensitivity",
        type=float,
        default=default,
        metavar="S",
        help="from 0 (find only what is certain) to 1 (find all that is possible) (default: 0.5)",
    )
    parser.add_argument(
        "--include",
        choices=INCLUDE,
        action="append",
        default=[],
        help="also find stamps and handwriting, which are kept otherwise; with damage only",
    )


def _add_page(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--page", type=int, default=1, metavar="N", help="page of a TIFF file, counted from 1")


def _add_face(parser: argparse.ArgumentParser, numbered: str) -> None:
    """numbered: help of --face."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--aligned", action="store_true", help="the photo is a square, aligned face crop already")
    where.add_argument("--face", type=int, metavar="N", help=numbered)
    where.add_argument("--box", type=_box, metavar="X,Y,W,H", help="box around a face that is not detected, in pixels")
    where.add_argument(
        "--points",
        type=_points,
        metavar="X,Y,...",
        help="five points, in pixels, of a face that is not detected, rotated by any angle or partly outside of the "
        "photo: left eye, right eye, nose, left and right mouth corner; left as seen on the upright face",
    )


def _add_turn(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--turn",
        type=lambda text: int(text) if text.isdecimal() else text,
        choices=("auto", 0, 90, 180, 270),
        default="auto",
        help="clockwise rotation in degrees that makes the photo's faces upright (default: auto); the result keeps the "
        "photo's orientation",
    )


def _add_filling(parser: argparse.ArgumentParser) -> None:
    """What the commands that fill share."""
    parser.add_argument("--engine", default="landmark", help="one of `faceinp engines`, or onnx:FILE")
    _add_turn(parser)
    parser.add_argument(
        "--require-face",
        action="store_true",
        help="fail if there is no face under the mask, instead of filling it from its surroundings",
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument(
        "--mask-hole", choices=("auto", "white", "black"), default="auto", help="the hole's colour in the mask"
    )
    parser.add_argument("--grow", type=int, default=0, metavar="N", help="dilate the hole by N pixels of the photo")
    parser.add_argument(
        "--symmetry",
        action=argparse.BooleanOptionalAction,
        help="use the other half of the face where it helps (default: depends on the engine)",
    )
    parser.add_argument(
        "--no-reference-check",
        dest="reference_check",
        action="store_false",
        help="use reference photos even if their face looks like another person's",
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


def add_names(parser: argparse.ArgumentParser, flag: str, about: str, default: tuple[()] | None = ()) -> None:
    """A flag for names with commas between them."""
    parser.add_argument(flag, type=_names, default=default, metavar="A,B", help=about)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _setting(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, {"true": True, "false": False}.get(value.lower(), value)
