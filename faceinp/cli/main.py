"""The command ``faceinp``: what it takes, and its exit code; ``commands.py`` and ``fill_commands.py`` do the rest."""

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
from faceinp.cli.commands import EXPORTERS, TRAININGS
from faceinp.cli.terminal import deprecations_as_notes, say
from faceinp.common.extras import missing_package
from faceinp.errors import FaceinpError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv`` (the shell's, when None) and return its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        if argv[:1] == ["demo"]:  # it has a parser of its own, and so has each exporter
            return _call("faceinp.demo.__main__", argv[1:])
        if argv[:1] == ["export"] and argv[1:] and argv[1] in EXPORTERS:
            return _call(f"faceinp.export.{argv[1]}", argv[2:])
        args = _parser(argv).parse_args(_joined(argv))
        with deprecations_as_notes():
            args.run(args)
    except FaceinpError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        problem = missing_package(error, argv[0])
        if problem is None:
            raise
        return _fail(str(problem), problem.exit_code)
    except OSError as error:
        return _fail(str(error), FaceinpError.exit_code)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    return 0


def _call(module: str, arguments: Sequence[str]) -> int:
    """Import ``module``, not before it is wanted, and run its ``main``."""
    return importlib.import_module(module).main(arguments) or 0


def _joined(argv: Sequence[str]) -> list[str]:
    """``--box -5,0,90,90`` as ``--box=-5,0,90,90``: argparse takes what begins with a dash for a flag."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] in ("--box", "--points") and re.match(r"-[\d.]", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _fail(problem: str, code: int) -> int:
    for line in problem.splitlines():
        say(f"faceinp: {line}")
    return code


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="faceinp",
        description="Fills in missing parts of faces.",
        epilog="To begin with: faceinp fill photo.jpg --preset eyes -o out.png",
    )
    parser.add_argument("--version", action="version", version=f"faceinp {faceinp.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    arguments.add_fill(_command(commands, "fill", fill_commands.fill, "fill the hole in a face"))
    arguments.add_find(_command(commands, "find", fill_commands.find, "find damage, or what hides a face, as a mask"))
    arguments.add_batch(
        _command(commands, "batch", fill_commands.batch, "fill many photos: a folder, shards (.tar) or tables")
    )
    _command(commands, "engines", run.engines, "which engines there are, and whether they run here")
    _command(commands, "doctor", run.doctor, "what is installed here, and whether it works, by running it")
    _add_identity(commands, calibrate=argv[:2] == ["identity", "calibrate"])
    masks = _command(commands, "masks", run.masks, "which ready-made holes there are")
    masks.epilog = "In their descriptions the picture is the aligned crop around the face, as an engine sees it."
    _add_train(_group(commands, "train", "train a network"), argv[1:])
    _add_weights(_group(commands, "weights", "pack, check, upload and fetch trained weights"))
    data = _group(commands, "data", "make training data")
    arguments.add_build(_command(data, "build", run.build, "cut aligned faces out of photos into WebDataset shards"))
    _add_evaluate(_group(commands, "evaluate", "make tables of how good the engines are"))
    exporters = _group(commands, "export", "write the networks for other runtimes, and check and time them there")
    for name, about in EXPORTERS.items():
        _subparser(exporters, name, about)
    _subparser(commands, "demo", "serve the page in the browser")
    return parser


def _add_identity(commands: Any, *, calibrate: bool) -> None:
    """Two photos, or the word ``calibrate``: argparse cannot tell a subcommand from a photo's name."""
    about = "whether two photos show one person: a likeness score, not evidence of identity"
    if calibrate:
        group = _group(commands, "identity", about)
        parser = _command(group, "calibrate", run.calibrate, "measure what a judge's distances mean")
        parser.add_argument(
            "--data", nargs="+", required=True, help="training shards with people: those held back from it are measured"
        )
        parser.add_argument("--check", nargs="+", help="shards of other people, to try the thresholds on")
        parser.add_argument("--strangers", nargs="+", help="shards whose every picture is taken for another person's")
        parser.add_argument(
            "--strangers-are", default="", metavar="TEXT", help="who the strangers are, for the user to read"
        )
        parser.add_argument(
            "-o", "--out", type=Path, required=True, metavar="FILE", help="the JSON to write; a plot goes beside it"
        )
    else:
        parser = _command(commands, "identity", run.identity, about)
        parser.epilog = "`faceinp identity calibrate --help` tells how a judge is calibrated."
        parser.add_argument("photos", type=Path, nargs=2, metavar="PHOTO", help="the largest face of each is compared")
        parser.add_argument("--aligned", action="store_true", help="both photos are square, aligned face crops already")
        parser.add_argument(
            "--false-match-rate", type=float, default=0.01, help="share of strangers that may pass: 0.001, 0.01 or 0.1"
        )
        parser.add_argument("--calibration", type=Path, help="a file of `faceinp identity calibrate`")
    parser.add_argument("--judge", default="auto", help="auto, facenet, bundled, dlib, or the path of an ONNX file")
    parser.add_argument("--sidecar", type=Path, help="an ONNX file's sidecar, or its folder (default: beside the file)")


def _add_train(trainings: Any, argv: Sequence[str]) -> None:
    for name, (module, kind, _, about) in TRAININGS.items():
        parser = _command(trainings, name, run.train, about)
        parser.set_defaults(training=name)
        if argv[:1] == [name]:  # only then is torch worth its import
            config = getattr(importlib.import_module(module), kind)
            settings = importlib.import_module("faceinp.train.settings")
            chosen = settings.from_flags(argv[1:], name, config)
            parser.set_defaults(settings=chosen, recipe="")
            settings.add_flags(parser, settings.recipes(name))
            arguments.add_fields(parser, config, chosen.values, show=chosen.show)


def _add_weights(commands: Any) -> None:
    pack = _command(commands, "pack", run.pack, "make weights to ship from a training run")
    pack.add_argument("run_folder", type=Path, metavar="RUN", help="the --out folder of `faceinp train`")
    pack.add_argument(
        "--coarse", type=Path, metavar="FILE", help="completion: packed small weights that become the coarse half"
    )
    pack.add_argument(
        "--at",
        type=int,
        metavar="STEP",
        help="a snapshot of --keep-every (default: what measured best, or the last)",
    )
    pack.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the safetensors file to write")
    _command(commands, "verify", run.verify, "compare every file of weights with its recorded checksum")
    push = _command(commands, "push", run.push, "upload the weights and their model cards to a model hub")
    push.add_argument("--private", action="store_true", help="a repository that is made is seen by nobody else")
    push.add_argument(
        "--onnx", type=Path, metavar="FOLDER", help="upload what `faceinp export onnx` wrote there, not the weights"
    )
    pull = _command(commands, "pull", run.pull, "fetch weights that were pushed, and compare their checksums")
    pull.add_argument(
        "--onnx", nargs="*", metavar="NAME", help="fetch ONNX files, not the weights: all, or those named (photo.fp16)"
    )
    pull.add_argument(
        "-o",
        "--out",
        type=Path,
        metavar="FOLDER",
        help="where to (default: the package's own folder; onnx for ONNX files)",
    )
    for parser in (push, pull):
        parser.add_argument("repository", metavar="OWNER/NAME", help="the repository on the hub")


def _add_evaluate(commands: Any) -> None:
    paper = _command(commands, "paper", run.paper, "the papers' tables, with every engine")
    paper.add_argument(
        "--table",
        type=arguments.names,
        default=(),
        metavar="A,B",
        help="which tables: Q1, L3, L4, L5, irregular, worn, across, sketched, references (default: all)",
    )
    quick = _command(commands, "quick", run.quick, "every engine on the first paper's holes, in minutes")
    masks = _command(commands, "masks", run.evaluate_masks, "engines on the second paper's masks: picture and person")
    for parser, count in ((paper, 200), (quick, 100), (masks, 200)):
        parser.add_argument(
            "--engines",
            type=arguments.names,
            default=(),
            metavar="A,B",
            help="which engines, or all (default: the table's own)",
        )
        parser.add_argument("--pictures", type=int, default=count, help="how many pictures of each set")
        parser.add_argument("--every", action="store_true", help="slow engines take all pictures, too")
        parser.add_argument(
            "--reference", default="", metavar="ENGINE", help="what others are compared with (default: the table's)"
        )
        parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes of one thread each")
    for parser in (paper, masks):
        parser.add_argument(
            "--masks",
            type=arguments.names,
            default=(),
            metavar="A,B",
            help="which of `faceinp masks`, and folders or lists (.flist, .txt) of masks, in place of the table's",
        )
        parser.add_argument(
            "--mask-hole",
            choices=("white", "black"),
            default="",
            help="the hole's colour in these folders (default: white)",
        )
        parser.add_argument(
            "--judges",
            type=arguments.names,
            default=(),
            metavar="A,B",
            help="calibrated judges of identity, or none (default: bundled and dlib, where they run)",
        )
        parser.add_argument("--features", type=Path, help=argparse.SUPPRESS)  # earlier tables had Frechet distances
    arguments.add_folders(
        _command(commands, "folders", run.evaluate_folders, "measure any program's results: two folders")
    )
    report = _command(commands, "report", run.report, "tables of what was measured")
    report.add_argument("cells", type=Path, nargs="+", metavar="CELLS", help="cells.jsonl of paper, quick or masks")
    report.add_argument(
        "--into",
        type=Path,
        nargs="+",
        metavar="PAGE",
        help="write the tables into the marked places of these pages; print none",
    )
    frechet = _command(commands, "frechet", run.frechet, "Frechet distance between the generator's faces and real ones")
    frechet.add_argument(
        "--weights", type=Path, required=True, help="SqueezeNet 1.0 as safetensors: it sees the features"
    )
    frechet.add_argument("--generator", type=Path, help="packed DCGAN weights (default: the package's)")
    frechet.add_argument("--samples", type=int, default=5000, help="faces on either side")
    frechet.add_argument("--side", type=int, default=224, help="pictures are resized to it; smaller is faster")
    landmarks = _command(
        commands, "landmarks", run.landmarks, "error of the 68 landmarks, half of the face hidden or not"
    )
    landmarks.add_argument("--weights", type=Path, help="packed weights of the predictor (default: the package's)")
    landmarks.add_argument("--pictures", type=int, help="how many pictures (default: all)")
    identity = _command(commands, "identity", run.evaluate_identity, "how well judges tell people apart")
    identity.add_argument(
        "--judges", type=arguments.names, metavar="A,B", help="default: bundled and dlib, where they run"
    )
    checked = _command(
        commands, "reference-check", run.evaluate_reference_check, "whom the check of reference photos lets pass"
    )
    checked.add_argument(
        "--calibrate", type=Path, metavar="FILE", help="write a calibration, made on the people held back from training"
    )
    checked.add_argument(
        "--confirm", default="", metavar="JUDGE", help="a judge that must agree that a true pair is one, such as dlib"
    )
    checked.add_argument("--repeats", type=int, default=4, metavar="N", help="how often each hole is drawn")
    damage = _command(commands, "damage", run.evaluate_damage, "how well the network and filters find damage")
    damage.add_argument(
        "--photos", type=Path, nargs="+", required=True, metavar="FOLDER", help="photos without damage, held back"
    )
    damage.add_argument("--scans", type=Path, metavar="FOLDER", help="damaged photos, with --outlines")
    damage.add_argument(
        "--outlines",
        type=Path,
        metavar="FOLDER",
        help="what is damage in them: NAME.png of each scan's name, white; grey where a mark is right, too",
    )
    damage.add_argument("--pictures", type=int, default=12, help="how many photos each kind of damage is drawn on")
    damage.add_argument("-o", "--out", type=Path, default=Path("runs/damage.md"), metavar="FILE", help="the table")
    for parser in (paper, masks, identity):
        parser.add_argument("--onnx", type=Path, nargs="+", default=[], metavar="FILE", help="other face networks, too")
        parser.add_argument("--sidecar", type=Path, help="folder of the ONNX files' sidecars (default: beside each)")
    for parser in (paper, quick, masks, frechet, identity, checked, damage):
        parser.add_argument("--seed", type=int, default=0, help="random seed")
    tables = {"eval": paper, "quick": quick, "masks": masks}
    tables |= {"frechet": frechet, "landmarks": landmarks, "identity": identity, "reference-check": checked}
    for name, parser in tables.items():
        about = "shards: paths or globs of WebDataset tars, or a folder of them"
        parser.add_argument("--data", nargs="+", required=True, help=about)
        parser.add_argument("-o", "--out", type=Path, default=Path("runs") / name, help="folder of the tables")


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
    """Shows the default of each flag that has one."""

    def _get_help_string(self, action: argparse.Action) -> str:
        stated = "(default" in (action.help or "") or action.required or action.nargs == 0
        if stated or action.default in (None, "", (), [], argparse.SUPPRESS):
            return action.help or ""
        if isinstance(action.default, tuple):
            return f"{action.help} (default: {','.join(map(str, action.default))})"
        return f"{action.help} (default: %(default)s)"
