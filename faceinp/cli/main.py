"""The command ``faceinp``: its parser and its exit code; ``commands.py`` and ``fill_commands.py`` run the commands."""

import argparse
import importlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faceinp
from faceinp.cli import arguments, fill_commands
from faceinp.cli import commands as run
from faceinp.cli.commands import EXPORTERS, TRAININGS, measuring
from faceinp.cli.terminal import Parser, deprecations_as_notes, exit_code


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command ``argv`` (None: the shell's) and return its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    return exit_code("faceinp", argv[0] if argv else "", lambda: _run(argv))


def _run(argv: Sequence[str]) -> int | None:
    if argv[:1] == ["demo"]:  # it has its own parser, and so has each exporter
        return _call("faceinp.demo.__main__", argv[1:])
    if argv[:1] == ["export"] and argv[1:] and argv[1] in EXPORTERS:
        return _call(f"faceinp.export.{argv[1]}", argv[2:])
    args = _parser(argv).parse_args(_joined(argv))
    with deprecations_as_notes():
        args.run(args)
    return None


def _call(module: str, arguments: Sequence[str]) -> int | None:
    """Import ``module`` and run its ``main``."""
    return importlib.import_module(module).main(arguments)


def _joined(argv: Sequence[str]) -> list[str]:
    """Rewrite ``--box -5,0,90,90`` to ``--box=-5,0,90,90``, as argparse takes a leading dash for a flag."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] in ("--box", "--points") and re.match(r"-[\d.]", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog="faceinp",
        description="Fills in missing parts of faces.",
        epilog="Example: faceinp fill photo.jpg --preset eyes -o out.png",
    )
    parser.add_argument("--version", action="version", version=f"faceinp {faceinp.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    arguments.add_fill(_command(commands, "fill", fill_commands.fill, "fill the hole in a face"))
    arguments.add_find(_command(commands, "find", fill_commands.find, "find damage or occluders, and write a mask"))
    arguments.add_batch(
        _command(commands, "batch", fill_commands.batch, "fill many photos: a folder, shards (.tar) or tables")
    )
    _command(commands, "engines", run.engines, "list the engines, and whether they run here")
    _command(commands, "doctor", run.doctor, "list what is installed, and run it to see whether it works")
    _add_identity(commands, calibrate=argv[:2] == ["identity", "calibrate"])
    masks = _command(commands, "masks", run.masks, "list the presets: ready-made holes")
    masks.epilog = "Here `picture` means the aligned crop around the face, which is an engine's input."
    _add_train(_group(commands, "train", "train a network"), argv[1:])
    _add_weights(_group(commands, "weights", "pack, check, upload and download trained weights"))
    data = _group(commands, "data", "make training data")
    arguments.add_build(_command(data, "build", run.build, "cut aligned faces out of photos into WebDataset shards"))
    _add_evaluate(_group(commands, "evaluate", "measure the engines, judges and finders"))
    exporters = _group(commands, "export", "export the networks to other runtimes, check and time them")
    for name, about in EXPORTERS.items():
        _subparser(exporters, name, about)
    _subparser(commands, "demo", "serve the page in the browser")
    return parser


def _add_identity(commands: Any, *, calibrate: bool) -> None:
    """Either two photos or the subcommand ``calibrate``, as argparse cannot distinguish it from a photo's name."""
    about = "compare the faces in two photos: a likeness score, not evidence of identity"
    if calibrate:
        group = _group(commands, "identity", about)
        parser = _command(group, "calibrate", run.calibrate, "calibrate a judge: error rates at each distance")
        parser.add_argument(
            "--data", nargs="+", required=True, help="training shards with identities; those held out are measured"
        )
        parser.add_argument("--check", nargs="+", help="shards of other people, to verify the thresholds")
        parser.add_argument("--strangers", nargs="+", help="shards in which each picture counts as another person")
        parser.add_argument(
            "--strangers-are", default="", metavar="TEXT", help="a description of the strangers, for the report"
        )
        parser.add_argument(
            "-o", "--out", type=Path, required=True, metavar="FILE", help="JSON file; a plot is written beside it"
        )
    else:
        parser = _command(commands, "identity", run.identity, about)
        parser.epilog = "See `faceinp identity calibrate --help` for calibrating a judge."
        parser.add_argument("photos", type=Path, nargs=2, metavar="PHOTO", help="the largest face of each is compared")
        parser.add_argument("--aligned", action="store_true", help="both photos are square, aligned face crops already")
        parser.add_argument(
            "--false-match-rate", type=float, default=0.01, help="accepted share of strangers: 0.001, 0.01 or 0.1"
        )
        parser.add_argument("--calibration", type=Path, help="a file of `faceinp identity calibrate`")
    parser.add_argument("--judge", default="auto", help="auto, facenet, bundled, dlib, or the path of an ONNX file")
    parser.add_argument("--sidecar", type=Path, help="an ONNX file's sidecar, or its folder (default: beside the file)")


def _add_train(trainings: Any, argv: Sequence[str]) -> None:
    for name, (module, kind, _, about) in TRAININGS.items():
        parser = _command(trainings, name, run.train, about)
        parser.set_defaults(training=name)
        if argv[:1] == [name]:  # it imports torch
            config = getattr(importlib.import_module(f"faceinp.train.{module}"), kind)
            settings = importlib.import_module("faceinp.train.settings")
            chosen = settings.from_flags(argv[1:], name, config)
            parser.set_defaults(settings=chosen, recipe="")
            settings.add_flags(parser, settings.recipes(name))
            arguments.add_fields(parser, config, chosen.values, show=chosen.show)


def _add_weights(commands: Any) -> None:
    pack = _command(commands, "pack", run.pack, "convert a training run to weights to ship")
    pack.add_argument("run_folder", type=Path, metavar="RUN", help="the --out folder of `faceinp train`")
    pack.add_argument(
        "--coarse", type=Path, metavar="FILE", help="completion: packed small weights for the coarse half"
    )
    pack.add_argument(
        "--at",
        type=int,
        metavar="STEP",
        help="a snapshot of --keep-every (default: the best one measured, or the last)",
    )
    pack.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="safetensors file")
    _command(commands, "verify", run.verify, "compare every weights file with its recorded checksum")
    push = _command(commands, "push", run.push, "upload the weights and their model cards to a model hub")
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.add_argument(
        "--onnx", type=Path, metavar="FOLDER", help="upload the files of `faceinp export onnx`, not the weights"
    )
    pull = _command(commands, "pull", run.pull, "download weights that were pushed, and compare their checksums")
    pull.add_argument(
        "--onnx", nargs="*", metavar="NAME", help="download ONNX files, not the weights: all, or by name (photo.fp16)"
    )
    pull.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder to download to (default: the package's own; onnx for ONNX files)",
    )
    for parser in (push, pull):
        parser.add_argument("repository", metavar="OWNER/NAME", help="the repository on the hub")


def _add_evaluate(commands: Any) -> None:
    _add_engine_tables(commands)
    arguments.add_folders(
        _command(commands, "folders", run.evaluate_folders, "measure the results of any program: two folders")
    )
    report = _command(commands, "report", run.report, "make tables from measurements")
    report.add_argument("cells", type=Path, nargs="+", metavar="CELLS", help="cells.jsonl of paper, quick or masks")
    report.add_argument(
        "--into",
        type=Path,
        nargs="+",
        metavar="PAGE",
        help="update the marked tables in these pages instead of printing them",
    )
    _add_network_tables(commands)
    _add_judge_tables(commands)
    _add_damage_table(commands)


def _add_engine_tables(commands: Any) -> None:
    paper = _command(commands, "paper", run.paper, "the papers' tables, with every engine")
    tables = "Q1, L3, L4, L5, irregular, worn, across, sketched, references"
    arguments.add_names(paper, "--table", f"tables: {tables} (default: all)")
    quick = _command(commands, "quick", run.quick, "every engine on the first paper's holes, in minutes")
    masks = _command(commands, "masks", run.evaluate_masks, "engines on the second paper's masks: picture and person")
    for parser, count in ((paper, 200), (quick, 100), (masks, 200)):
        arguments.add_names(parser, "--engines", "engines, or all (default: the table's own)")
        parser.add_argument("--pictures", type=int, default=count, help="number of pictures of each set")
        parser.add_argument("--every", action="store_true", help="use all pictures with slow engines, too")
        parser.add_argument(
            "--reference", default="", metavar="ENGINE", help="engine to compare others with (default: the table's)"
        )
        parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes, of one thread each")
    for parser in (paper, masks):
        about = "presets of `faceinp masks`, and folders or lists (.flist, .txt) of masks, instead of the table's"
        arguments.add_names(parser, "--masks", about)
        parser.add_argument(
            "--mask-hole",
            choices=("white", "black"),
            default="",
            help="the hole's colour in these folders (default: white)",
        )
        about = "calibrated judges of identity, or none (default: bundled and dlib, if available)"
        arguments.add_names(parser, "--judges", about)
        parser.add_argument("--features", type=Path, help=argparse.SUPPRESS)  # earlier tables had Frechet distances
    for parser in (paper, masks):
        _add_onnx(parser)
    for parser, name in ((paper, "eval"), (quick, "quick"), (masks, "masks")):
        _add_seed(parser)
        _add_data(parser, name)


def _add_network_tables(commands: Any) -> None:
    about = "Frechet distance between the generator's faces and real ones"
    frechet = _command(commands, "frechet", measuring("frechet"), about)
    frechet.add_argument("--weights", type=Path, required=True, help="SqueezeNet 1.0 as safetensors, for the features")
    frechet.add_argument("--generator", type=Path, help="packed DCGAN weights (default: the package's)")
    frechet.add_argument("--samples", type=int, default=5000, help="number of generated and of real faces")
    frechet.add_argument("--side", type=int, default=224, help="side of the resized pictures; smaller is faster")
    about = "error of the 68 landmarks, with and without half of the face hidden"
    landmarks = _command(commands, "landmarks", measuring("landmarks"), about)
    landmarks.add_argument("--weights", type=Path, help="packed weights of the predictor (default: the package's)")
    landmarks.add_argument("--pictures", type=int, help="number of pictures (default: all)")
    _add_seed(frechet)
    _add_data(frechet, "frechet")
    _add_data(landmarks, "landmarks")


def _add_judge_tables(commands: Any) -> None:
    identity = _command(commands, "identity", measuring("judge_tables.accuracy"), "accuracy of the identity judges")
    arguments.add_names(identity, "--judges", "default: bundled and dlib, if available", None)
    about = "error rates of the check of reference photos"
    checked = _command(commands, "reference-check", measuring("judge_tables.reference_check"), about)
    checked.add_argument(
        "--calibrate", type=Path, metavar="FILE", help="write a calibration, from people held out from training"
    )
    checked.add_argument(
        "--confirm", default="", metavar="JUDGE", help="a second judge that must confirm true pairs, such as dlib"
    )
    checked.add_argument("--repeats", type=int, default=4, metavar="N", help="number of draws of each hole")
    _add_onnx(identity)
    for parser, name in ((identity, "identity"), (checked, "reference-check")):
        _add_seed(parser)
        _add_data(parser, name)


def _add_damage_table(commands: Any) -> None:
    about = "accuracy of the network and filters that find damage"
    damage = _command(commands, "damage", measuring("finder_tables.damage"), about)
    damage.add_argument(
        "--photos", type=Path, nargs="+", required=True, metavar="FOLDER", help="undamaged photos, held out"
    )
    damage.add_argument("--scans", type=Path, metavar="FOLDER", help="damaged photos, with --outlines")
    damage.add_argument(
        "--outlines",
        type=Path,
        metavar="FOLDER",
        help="masks of their damage, PNGs named like the scans: white = damage, grey = either counts as correct",
    )
    damage.add_argument("--pictures", type=int, default=12, help="number of photos for each kind of damage")
    damage.add_argument(
        "-o", "--out", type=Path, default=Path("runs/damage.md"), metavar="FILE", help="file for the table"
    )
    _add_seed(damage)


def _add_onnx(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--onnx", type=Path, nargs="+", default=[], metavar="FILE", help="further face networks")
    parser.add_argument("--sidecar", type=Path, help="folder of the ONNX files' sidecars (default: beside each)")


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="random seed")


def _add_data(parser: argparse.ArgumentParser, name: str) -> None:
    """name: of the default output folder."""
    about = "shards: paths or globs of WebDataset tars, or a folder of them"
    parser.add_argument("--data", nargs="+", required=True, help=about)
    parser.add_argument("-o", "--out", type=Path, default=Path("runs") / name, help="folder for the tables")


def _command(commands: Any, name: str, run: Any, about: str) -> argparse.ArgumentParser:
    parser = _subparser(commands, name, about)
    parser.set_defaults(run=run)
    return parser


def _group(commands: Any, name: str, about: str) -> Any:
    return _subparser(commands, name, about).add_subparsers(title="commands", required=True, metavar="COMMAND")


def _subparser(commands: Any, name: str, about: str) -> argparse.ArgumentParser:
    sentence = f"{about[0].upper()}{about[1:]}."
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=about, description=sentence, formatter_class=_Defaults
    )
    return parser


class _Defaults(argparse.HelpFormatter):
    """Appends each flag's default to its help."""

    def _get_help_string(self, action: argparse.Action) -> str:
        stated = "(default" in (action.help or "") or action.required or action.nargs == 0
        if stated or action.default in (None, "", (), [], argparse.SUPPRESS):
            return action.help or ""
        if isinstance(action.default, tuple):
            return f"{action.help} (default: {','.join(map(str, action.default))})"
        return f"{action.help} (default: %(default)s)"
