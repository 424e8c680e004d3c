"""The shell command ``faceinp``: parses, calls, prints.

What a command needs is imported when it runs, so that ``faceinp --help`` answers at once.
"""

import argparse
import ast
import dataclasses
import importlib
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faceinp
from faceinp.errors import FaceinpError, MissingPackageError, WeightsError

# `faceinp train NAME`: the module, its configuration, the function that takes one, and what the command is for.
TRAININGS = {
    "dcgan": ("faceinp.train.dcgan", "DcganRun", "train", "train the DCGAN, the prior of both latent engines"),
    "dcgan-limits": ("faceinp.train.limits", "LimitsRun", "measure", "measure the limits of the losses on that DCGAN"),
    "embedding": ("faceinp.train.embedding", "EmbeddingRun", "train", "train the bundled judge of identity"),
    "landmarks": ("faceinp.train.landmarks", "LandmarksRun", "train", "train the predictor of 68 landmarks"),
    "completion": ("faceinp.train.completion", "CompletionRun", "train", "train the landmark-guided completion"),
}
# Which extra brings what a command imports.
EXTRAS = {
    "batch": "batch",
    "train": "train",
    "data": "train",
    "evaluate": "eval",
    "identity": "eval",
    "weights": "hub",
}
REQUIRED = ("data", "out")  # fields of a training's configuration that have no useful default


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in ``argv`` (the shell's, when None) and return its exit code."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        args = _parser(argv).parse_args(argv)
        args.run(args)
    except FaceinpError as error:
        return _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if argv[0] not in EXTRAS or missing in ("", "faceinp"):
            raise
        problem = MissingPackageError(missing, EXTRAS[argv[0]])
        return _fail(str(problem), problem.exit_code)
    except OSError as error:
        return _fail(str(error), FaceinpError.exit_code)
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    return 0


# ---- the commands ----


def _fill(args: argparse.Namespace) -> None:
    from faceinp import saving

    saving.output_format(args.out)  # a slip in the output's name shows before the work, not after
    options = dict(args.set or ())
    options |= {"fast": True} if args.fast else {}
    options |= {name: given for name in ("iterations", "mode") if (given := getattr(args, name)) is not None}
    photo, mask = args.photo, args.mask
    if args.preset is not None:
        from faceinp import presets

        photo = faceinp.read_photo(args.photo)
        mask = presets.for_photo(args.preset, photo, aligned=args.aligned, face=args.face, box=args.box, seed=args.seed)
    result = faceinp.fill(
        photo,
        mask,
        engine=faceinp.load_engine(args.engine, **options),
        seed=args.seed,
        aligned=args.aligned,
        face=args.face,
        box=args.box,
        mask_hole=args.mask_hole,
        blending=args.blend,
        progress=None if args.quiet else _Bar("filling"),
    )
    result.save(args.out)
    if args.quiet:
        return
    for note in result.notes:
        _say(f"note: {note}")
    print(
        f"{args.out}: filled by {result.engine} ({result.runtime}) in {sum(result.timings.values()):.1f} s, "
        f"known pixels changed: {result.changed_pixels:,} of {result.known_pixels:,}"
    )


def _batch(args: argparse.Namespace) -> None:
    from faceinp.batch import run, worker

    settings = worker.Settings(
        out=args.out,
        engine=args.engine,
        options=dict(args.set or ()),
        preset=args.preset or "",
        from_alpha=args.mask_from_alpha,
        seed=args.seed,
        aligned=args.aligned,
        blending=args.blend,
        judge="" if args.judge == "none" else args.judge,
        format=args.format,
        threads=args.threads,
    )
    masks, workers = args.masks or "", args.workers
    counted = run.run(args.source, settings, masks=masks, workers=workers, ray=args.ray, retry=args.retry)
    if counted[worker.FAILED]:
        _say(f"{counted[worker.FAILED]:,} photos failed; `{args.out}/manifest` says why")


def _engines(args: argparse.Namespace) -> None:
    engines = faceinp.list_engines()
    rows = [("engine", "here", "needs", "about")]
    for engine in engines:
        needs = ", ".join((*engine.needs.packages, *(f"weights {name}" for name in engine.needs.weights)))
        rows.append((engine.name, "ready" if engine.ready else "no", needs or "-", engine.about))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)))
    for engine in engines:
        if not engine.ready:
            print(f"{engine.name} is not ready: {engine.missing}")


def _doctor(_: argparse.Namespace) -> None:
    from faceinp import doctor

    broken = []
    for finding in doctor.examine():
        mark = {True: "ok", False: "BROKEN", None: "-"}[finding.works]
        print(f"{mark:8}{finding.subject}: {finding.about}", flush=True)
        broken += [finding.subject] if finding.works is False else []
    if broken:
        raise FaceinpError(f"Installed, and not working: {', '.join(broken)}. Mend these, or uninstall them.")


def _masks(_: argparse.Namespace) -> None:
    from faceinp import presets

    width = max(map(len, presets.NAMES))
    for name, about in presets.ABOUT.items():
        print(f"{name.ljust(width)}  {about}")


def _train(args: argparse.Namespace) -> None:
    module_name, config_name, function, _ = TRAININGS[args.training]
    module = importlib.import_module(module_name)
    config = getattr(module, config_name)
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(config)}
    getattr(module, function)(config(**{name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}))


def _pack(args: argparse.Namespace) -> None:
    from faceinp.train import pack

    print(pack.pack(args.run_folder, args.out))


def _verify(args: argparse.Namespace) -> None:
    from faceinp import weights

    problems = []
    for name in weights.CATALOGUE:
        try:
            weights.verify(name)
            print(f"{name}: as recorded")
        except WeightsError as error:
            problems.append(str(error))
    if problems:
        raise WeightsError("\n".join(problems))


def _push(args: argparse.Namespace) -> None:
    from faceinp import hub

    print(hub.push(args.repository, private=args.private))


def _pull(args: argparse.Namespace) -> None:
    from faceinp import hub

    for file in hub.pull(args.repository, args.out):
        print(f"{file}: as recorded")


def _build(args: argparse.Namespace) -> None:
    from faceinp.train import build

    built = build.build(
        args.source,
        args.out,
        size=args.size,
        split=args.split,
        identity_from=args.identity_from,
        smallest=args.smallest,
        shard_megabytes=args.shard_megabytes,
        say=_say,
        progress=_Bar("photos"),
    )
    print(
        f"{args.out}: {built.faces:,} faces in {built.shards} shards; left out: "
        f"{built.unreadable:,} unreadable photos, {built.faceless:,} photos without a face, {built.small:,} small faces"
    )


def _identity(args: argparse.Namespace) -> None:
    from faceinp import identity

    first, second = args.photos
    rate = args.false_match_rate
    verdict = identity.compare(first, second, _judge(args), aligned=args.aligned, false_match_rate=rate)
    for note in verdict.notes:
        _say(f"note: {note}")
    print(verdict)


def _calibrate(args: argparse.Namespace) -> None:
    from faceinp.evaluate import calibration

    calibration.run(_judge(args), args.data, args.out, args.check, args.strangers, args.strangers_are)


def _judge(args: argparse.Namespace) -> Any:
    from faceinp import identity

    return identity.load(
        args.judge,
        sidecar=args.sidecar,
        calibration=getattr(args, "calibration", None),
        progress=_Bar("fetching weights"),
    )


def _evaluate_identity(args: argparse.Namespace) -> None:
    from faceinp.evaluate import identity

    identity.run(args.data, args.out, args.judges, args.onnx, args.sidecar, seed=args.seed)


def _paper(args: argparse.Namespace) -> None:
    from faceinp.evaluate import tables

    _measure(args, tables.named(tuple(args.table)))


def _quick(args: argparse.Namespace) -> None:
    from faceinp.evaluate import tables

    _measure(args, (tables.QUICK,))


def _evaluate_masks(args: argparse.Namespace) -> None:
    from faceinp.evaluate import tables

    _measure(args, (tables.MASKS,))


def _measure(args: argparse.Namespace, wanted: Any) -> None:
    from faceinp.evaluate import paper

    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(paper.Request) if field.name in args}
    given |= {name: str(given[name] or "") for name in ("out", "sidecar", "features") if name in given}
    judges = (*given.get("judges", ()), *map(str, getattr(args, "onnx", ())))
    given |= {"data": tuple(args.data), "judges": judges}
    paper.run(wanted, paper.Request(**given))


def _report(args: argparse.Namespace) -> None:
    from faceinp.evaluate import cells, report

    found = cells.read(args.cells)
    if args.into is None:
        print(report.markdown(found))
    else:
        print(f"{args.into}: remade {', '.join(report.into(args.into, found))}")


def _frechet(args: argparse.Namespace) -> None:
    from faceinp.evaluate import frechet

    frechet.run(
        data=args.data,
        weights=args.weights,
        out=args.out,
        generator=args.generator,
        samples=args.samples,
        side=args.side,
        seed=args.seed,
    )


def _landmarks(args: argparse.Namespace) -> None:
    from faceinp.evaluate import landmarks

    landmarks.run(data=args.data, out=args.out, weights=args.weights, pictures=args.pictures)


# ---- what the shell takes ----


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faceinp", description="Fills in missing parts of faces.")
    parser.add_argument("--version", action="version", version=f"faceinp {faceinp.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_fill(_command(commands, "fill", _fill, "fill the hole in a face"))
    _add_batch(_command(commands, "batch", _batch, "fill a folder of photos, or shards or tables of them"))
    _command(commands, "engines", _engines, "which engines there are, and whether they run here")
    _command(commands, "doctor", _doctor, "what is installed here, and whether it works, by running it")
    _add_identity(commands, calibrate=argv[:2] == ["identity", "calibrate"])
    _command(commands, "masks", _masks, "which ready-made holes there are")
    _add_train(_group(commands, "train", "train a network"), wanted="".join(argv[1:2]))
    _add_weights(_group(commands, "weights", "pack, check, upload and fetch trained weights"))
    _add_data(_group(commands, "data", "make training data"))
    _add_evaluate(_group(commands, "evaluate", "make tables of how good the engines are"))
    return parser


def _add_fill(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photo", type=Path, help="the photo")
    hole = parser.add_mutually_exclusive_group(required=True)
    hole.add_argument("--mask", type=Path, help="black and white picture that shows the hole")
    hole.add_argument("--preset", metavar="NAME", help="a ready-made hole on the face: one of `faceinp masks`")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, help="where the filled photo goes; its suffix is its format"
    )
    parser.add_argument("--engine", default="landmark", help="one of `faceinp engines`, or onnx:FILE")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--aligned", action="store_true", help="the photo is a square, aligned face crop already")
    where.add_argument(
        "--face", type=int, metavar="N", help="which face, 1 being the largest (default: the one under the mask)"
    )
    where.add_argument("--box", type=_box, metavar="X,Y,W,H", help="where the face is, in pixels, when it is not found")
    parser.add_argument("--seed", type=int, default=0, help="all randomness comes from it")
    parser.add_argument(
        "--mask-hole", choices=("auto", "white", "black"), default="auto", help="the mask's colour of the hole"
    )
    parser.add_argument(
        "--blend", choices=("poisson", "composite"), default="poisson", help="how the filling joins the photo"
    )
    parser.add_argument("--fast", action="store_true", help="the engine's quick setting")
    parser.add_argument("--iterations", type=int, metavar="N", help="steps of an engine that searches")
    parser.add_argument(
        "--mode", choices=("robust", "faithful"), help="of the structural engine: our variant, or the paper's letter"
    )
    parser.add_argument(
        "--set", type=_setting, action="append", metavar="KEY=VALUE", help="any other option of the engine (repeatable)"
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")


def _add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="IN", help="a folder, a .tar or a .parquet, here or a URL such as s3://...")
    parser.add_argument("out", metavar="OUT", help="the folder for filled photos and their manifest, here or a URL")
    hole = parser.add_mutually_exclusive_group()
    hole.add_argument("--masks", metavar="DIR", help="masks of the photos' names (default: beside them in the shards)")
    hole.add_argument("--preset", metavar="NAME", help="a ready-made hole on each face: one of `faceinp masks`")
    hole.add_argument("--mask-from-alpha", action="store_true", help="the hole is where a photo is transparent")
    parser.add_argument("--engine", default="landmark", help="one of `faceinp engines`, or onnx:FILE")
    parser.add_argument("--aligned", action="store_true", help="the photos are square, aligned face crops already")
    parser.add_argument("--seed", type=int, default=0, help="all randomness comes from it")
    parser.add_argument("--blend", choices=("poisson", "composite"), default="poisson", help="as in `faceinp fill`")
    parser.add_argument("--judge", default="auto", help="who judges identity: auto, bundled, ..., or none")
    parser.add_argument("--format", choices=("png", "webp", "tif", "jpg"), default="png", help="of the results")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes, or actors on Ray")
    parser.add_argument("--threads", type=int, default=0, metavar="N", help="of each worker (default: cores / workers)")
    parser.add_argument("--ray", default="", metavar="ADDRESS", help="a Ray cluster: its address, auto, or local")
    parser.add_argument("--retry", action="store_true", help="try photos again that failed before")
    parser.add_argument("--set", type=_setting, action="append", metavar="KEY=VALUE", help="an option of the engine")


def _add_identity(commands: Any, *, calibrate: bool) -> None:
    """Two photos, or the word ``calibrate``: argparse cannot tell a subcommand from a photo's name."""
    about = "whether two photos show one person: a likeness score, not evidence of identity"
    if calibrate:
        group = _group(commands, "identity", about)
        parser = _command(group, "calibrate", _calibrate, "measure what a judge's distances mean")
        parser.add_argument(
            "--data", nargs="+", required=True, help="training shards with people: those held back are measured"
        )
        parser.add_argument("--check", nargs="+", help="shards of other people, to try the thresholds on")
        parser.add_argument("--strangers", nargs="+", help="shards whose every picture is taken for another person's")
        parser.add_argument("--strangers-are", default="", metavar="TEXT", help="what they are, in words for the user")
        parser.add_argument(
            "-o", "--out", type=Path, required=True, metavar="FILE", help="the JSON to write; a plot goes beside it"
        )
    else:
        parser = _command(commands, "identity", _identity, about)
        parser.epilog = "`faceinp identity calibrate --help` tells how a judge is calibrated."
        parser.add_argument("photos", type=Path, nargs=2, metavar="PHOTO", help="the largest face of each is compared")
        parser.add_argument("--aligned", action="store_true", help="both photos are square, aligned face crops already")
        parser.add_argument(
            "--false-match-rate", type=float, default=0.01, help="how many strangers may pass: 0.001, 0.01 or 0.1"
        )
        parser.add_argument("--calibration", type=Path, help="a file of `faceinp identity calibrate`")
    parser.add_argument("--judge", default="auto", help="auto, facenet, bundled, dlib, or the path of an ONNX file")
    parser.add_argument("--sidecar", type=Path, help="an ONNX file's sidecar, or its folder (default: beside the file)")


def _add_train(trainings: Any, *, wanted: str) -> None:
    for name, (module, config, _, about) in TRAININGS.items():
        parser = _command(trainings, name, _train, about)
        parser.set_defaults(training=name)
        if name == wanted:  # only then is torch worth its import
            _add_fields(parser, getattr(importlib.import_module(module), config))


def _add_fields(parser: argparse.ArgumentParser, config: Any) -> None:
    """One flag for each field of the dataclass ``config``."""
    kinds = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        flags = [*(["-o"] if field.name == "out" else []), f"--{field.name.replace('_', '-')}"]
        about = field.metadata.get("help", "").replace("%", "%%")
        kind = kinds[field.name]
        if kind is bool:
            action = argparse.BooleanOptionalAction if field.default else "store_true"
            parser.add_argument(*flags, action=action, default=field.default, help=about)
            continue
        required = field.name in REQUIRED and not field.default
        several = typing.get_origin(kind) is tuple
        parser.add_argument(
            *flags,
            type=typing.get_args(kind)[0] if several else kind,
            nargs="+" if several else None,
            default=field.default,
            required=required,
            metavar=field.name.upper(),
            help=about,
        )


def _add_weights(commands: Any) -> None:
    pack = _command(commands, "pack", _pack, "make weights to ship from a training run")
    pack.add_argument("run_folder", type=Path, metavar="RUN", help="the --out folder of `faceinp train`")
    pack.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the safetensors file to write")
    _command(commands, "verify", _verify, "compare every file of weights with its recorded checksum")
    push = _command(commands, "push", _push, "upload the weights and their model cards to a model hub")
    push.add_argument("--private", action="store_true", help="nobody else sees the repository that is made")
    pull = _command(commands, "pull", _pull, "fetch weights that were pushed, and compare their checksums")
    pull.add_argument("-o", "--out", type=Path, metavar="FOLDER", help="where to (default: the package's own folder)")
    for parser in (push, pull):
        parser.add_argument("repository", metavar="OWNER/NAME", help="the repository on the hub")


def _add_data(commands: Any) -> None:
    parser = _command(commands, "build", _build, "cut aligned faces out of photos into WebDataset shards")
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the CelebA download, or any folder of photos")
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder for the shards")
    parser.add_argument("--size", type=int, default=256, help="side of the crops in pixels")
    parser.add_argument("--split", choices=("train", "val", "test", "all"), default="train", help="CelebA's part")
    parser.add_argument(
        "--identity-from",
        choices=("folder",),
        help="the person is the name of the photo's folder; its largest face is taken",
    )
    parser.add_argument(
        "--smallest", type=int, default=96, metavar="PIXELS", help="leave out crops narrower in their photo"
    )
    parser.add_argument("--shard-megabytes", type=float, default=20, metavar="MB", help="size of a shard")


def _add_evaluate(commands: Any) -> None:
    paper = _command(commands, "paper", _paper, "the papers' tables, with every engine")
    paper.add_argument(
        "--table",
        type=_names,
        default=(),
        metavar="A,B",
        help="of Q1, L3, L4, L5, irregular, worn, across (default: all)",
    )
    quick = _command(commands, "quick", _quick, "every engine on the first paper's holes, in minutes")
    masks = _command(commands, "masks", _evaluate_masks, "engines on the second paper's masks: picture and person")
    for parser, count in ((paper, 200), (quick, 100), (masks, 200)):
        parser.add_argument(
            "--engines", type=_names, default=(), metavar="A,B", help="or all (default: the table's own)"
        )
        parser.add_argument("--pictures", type=int, default=count, help="how many of each set")
        parser.add_argument("--every", action="store_true", help="slow engines take all pictures, too")
        parser.add_argument(
            "--reference", default="", metavar="ENGINE", help="differences are to it (default: the table's)"
        )
        parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes of one thread each")
    for parser in (paper, masks):
        parser.add_argument(
            "--masks", type=_names, default=(), metavar="A,B", help="of `faceinp masks`, not the table's"
        )
        parser.add_argument(
            "--judges", type=_names, default=("bundled",), metavar="A,B", help="calibrated judges of identity"
        )
        parser.add_argument("--features", type=Path, help="SqueezeNet 1.0 as safetensors, for Frechet distances")
    report = _command(commands, "report", _report, "tables from cells that were measured")
    report.add_argument("cells", type=Path, nargs="+", metavar="CELLS", help="cells.jsonl of the commands above")
    report.add_argument(
        "--into", type=Path, metavar="PAGE", help="remake the marked places of this page, and print none"
    )
    frechet = _command(commands, "frechet", _frechet, "Frechet distance between the generator's faces and real ones")
    frechet.add_argument(
        "--weights", type=Path, required=True, help="SqueezeNet 1.0 as safetensors: it sees the features"
    )
    frechet.add_argument("--generator", type=Path, help="packed DCGAN weights (default: the package's)")
    frechet.add_argument("--samples", type=int, default=5000, help="faces on either side")
    frechet.add_argument("--side", type=int, default=224, help="pictures are resized to it; smaller is faster")
    landmarks = _command(commands, "landmarks", _landmarks, "error of the 68 landmarks, half of the face hidden or not")
    landmarks.add_argument("--weights", type=Path, help="packed weights of the predictor (default: the package's)")
    landmarks.add_argument("--pictures", type=int, help="how many (default: all)")
    identity = _command(commands, "identity", _evaluate_identity, "how well judges tell people apart")
    identity.add_argument("--judges", type=_names, metavar="A,B", help="default: bundled and dlib, where they run")
    for parser in (paper, masks, identity):
        parser.add_argument("--onnx", type=Path, nargs="+", default=[], metavar="FILE", help="other face networks, too")
        parser.add_argument("--sidecar", type=Path, help="folder of the ONNX files' sidecars (default: beside each)")
    for parser in (paper, quick, masks, frechet, identity):
        parser.add_argument("--seed", type=int, default=0, help="all randomness comes from it")
    tables = {"eval": paper, "quick": quick, "masks": masks}
    tables |= {"frechet": frechet, "landmarks": landmarks, "identity": identity}
    for name, parser in tables.items():
        about = "shards: paths or globs of WebDataset tars"
        about += ", or a folder of them" if parser in (paper, quick, masks) else ""
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
        if action.required or action.nargs == 0 or action.default in (None, "", (), [], argparse.SUPPRESS):
            return action.help or ""
        if isinstance(action.default, tuple):
            return f"{action.help} (default: {','.join(map(str, action.default))})"
        return f"{action.help} (default: %(default)s)"


def _box(text: str) -> tuple[float, ...]:
    box = tuple(float(number) for number in text.split(","))
    if len(box) != 4:
        raise argparse.ArgumentTypeError(f"{text!r} is not X,Y,W,H")
    return box


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


# ---- what the shell shows ----


class _Bar:
    """Progress on one line of a terminal; nothing where stderr is none."""

    def __init__(self, about: str) -> None:
        self.about = about
        self.shown = ""

    def __call__(self, done: int, total: int, preview: Any = None) -> None:
        if not sys.stderr.isatty():
            return
        filled = 30 * done // max(total, 1)
        line = f"{self.about} [{'#' * filled}{'.' * (30 - filled)}] {done:,}/{total:,}"
        if line != self.shown:
            self.shown = line
            print(f"\r{line}\033[K", end="\r\033[K" if done >= total else "", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    print(f"\r\033[K{text}" if sys.stderr.isatty() else text, file=sys.stderr)


def _fail(problem: str, code: int) -> int:
    for line in problem.splitlines():
        _say(f"faceinp: {line}")
    return code
