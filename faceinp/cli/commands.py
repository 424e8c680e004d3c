"""The commands that neither fill nor find: they call the library with parsed arguments, and print.

Each command imports what it needs when it runs, so that ``faceinp --help`` is fast.
"""

import argparse
import dataclasses
import importlib
import shlex
import sys
from collections.abc import Callable
from typing import Any

import faceinp
from faceinp.cli.arguments import UsageError
from faceinp.cli.terminal import Bar, say
from faceinp.errors import FaceinpError, WeightsError

# `faceinp train NAME`: the module of ``faceinp.train``, its configuration, the function that takes it, a description.
TRAININGS = {
    "dcgan": ("dcgan", "DcganRun", "train", "train the DCGAN, the prior of the latent engines"),
    "dcgan-limits": ("limits", "LimitsRun", "measure", "measure the losses' thresholds on a DCGAN"),
    "embedding": ("embedding", "EmbeddingRun", "train", "train the bundled identity judge"),
    "landmarks": ("landmarks", "LandmarksRun", "train", "train the predictor of 68 landmarks"),
    "face-likeness": ("face_likeness", "FaceLikenessRun", "measure", "measure the landmarks' scores on real faces"),
    "completion": ("completion", "CompletionRun", "train", "train the landmark-guided completion network"),
    "damage": ("find_damage", "FindDamageRun", "train", "train the network that finds damage"),
    "occluders": ("find_occluders", "FindOccludersRun", "train", "train the network that finds occluders"),
}

# `faceinp export NAME`: each has its own parser.
EXPORTERS = {
    "onnx": "write ONNX files",
    "core": "write the graphs that the package runs without torch",
    "litert": "write LiteRT files, for phones",
    "trt": "build TensorRT engines",
    "parity": "compare an exported file with torch",
    "cost": "measure an exported file's loss of quality in decibels",
    "bench": "time the runtimes",
    "mtcnn": "convert the face detector's networks from facenet-pytorch",
    "triton": "write a model repository for the Triton Inference Server",
}


def engines(args: argparse.Namespace) -> None:
    from faceinp.models import runtimes

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
    reasons = {name: runtimes.missing(name) for name in runtimes.NAMES}
    ready = [name for name, reason in reasons.items() if reason is None]
    print(f"landmark runs here on: {', '.join(ready) or 'nothing'}")
    for name, reason in reasons.items():
        if reason is not None:
            print(f"not on {name}: {reason}")


def doctor(_: argparse.Namespace) -> None:
    from faceinp.cli import doctor

    broken = []
    for finding in doctor.examine():
        mark = {True: "ok", False: "BROKEN", None: "-"}[finding.works]
        print(f"{mark:8}{finding.subject}: {finding.about}", flush=True)
        broken += [finding.subject] if finding.works is False else []
    if broken:
        raise FaceinpError(f"Installed but not working: {', '.join(broken)}. Repair or uninstall them.")


def masks(_: argparse.Namespace) -> None:
    from faceinp.mask import presets

    width = max(map(len, presets.NAMES))
    numbers = {name: number for number, name in presets.ALIASES.items()}
    for name, about in presets.ABOUT.items():
        print(f"{name.ljust(width)}  {about}{f' (or: {numbers[name]})' if name in numbers else ''}")


def train(args: argparse.Namespace) -> None:
    module_name, config_name, function, _ = TRAININGS[args.training]
    module = importlib.import_module(f"faceinp.train.{module_name}")
    config = getattr(module, config_name)
    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(config)}
    chosen = config(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    if (args.recipe, args.config, args.show) != (args.settings.recipe, args.settings.config, args.settings.show):
        raise UsageError("Do not abbreviate --recipe, --config and --show.")
    if getattr(chosen, "resume", False) and not args.settings.resume and "resume" not in args.settings.values:
        raise UsageError("Do not abbreviate --resume.")
    if args.show:
        settings = importlib.import_module("faceinp.train.settings")
        print(settings.text(args.training, chosen, args.settings), end="")
        return
    for note in args.settings.notes:
        say(note)
    if overridden := args.settings.overridden(chosen):
        say(f"differs: not as in the recipe: {', '.join(overridden)}")
    getattr(module, function)(chosen)


def pack(args: argparse.Namespace) -> None:
    from faceinp.train import pack

    packed = pack.pack(args.run_folder, args.out, at=args.at, **({"coarse": args.coarse} if args.coarse else {}))
    print(packed)
    graph = packed.with_suffix(".onnx")
    if graph.is_file():
        say(f"note: {graph} still has the previous weights; update it with `faceinp export core {packed.stem}`")


def verify(args: argparse.Namespace) -> None:
    from faceinp.models import catalogue, weights

    problems = []
    for name in catalogue.CATALOGUE:
        try:
            weights.verify(name)
            print(f"{name}: as recorded")
        except WeightsError as error:
            problems.append(str(error))
    if problems:
        raise WeightsError("\n".join(problems))


def push(args: argparse.Namespace) -> None:
    from faceinp.models import hub, hub_onnx

    if args.onnx is None:
        print(hub.push(args.repository, private=args.private))
    else:
        print(hub_onnx.push(args.repository, args.onnx, private=args.private))


def pull(args: argparse.Namespace) -> None:
    from faceinp.models import hub, hub_onnx

    if args.onnx is None:
        for file in hub.pull(args.repository, args.out):
            print(f"{file}: as recorded")
        return
    for file, about in hub_onnx.pull(args.repository, args.out or hub_onnx.FOLDER, args.onnx).items():
        print(f"{file}: as recorded; licence: {about['licence']}{'' if about['trained'] else '; UNTRAINED'}")


def build(args: argparse.Namespace) -> None:
    from faceinp.train.datasets import build

    built = build.build(**_values(args), say=say, progress=Bar("photos"))
    names = {"own": "faceinp's predictor", "dlib": "dlib's predictor", "file": args.points, "pts": ".pts files"}
    points = [f"{count:,} from {names[origin]}" for origin, count in built.points.items() if origin in names]
    print(f"{args.out}: {built.faces:,} faces in {built.shards} shards")
    print(f"68 points: {', '.join(points) or 'none'}; faces without points: {built.points.get('none', 0):,}")
    print(
        f"left out: {built.unreadable:,} unreadable photos, {built.faceless:,} photos without a face, "
        f"{built.small:,} faces smaller than {args.smallest} pixels"
    )


def identity(args: argparse.Namespace) -> None:
    from faceinp import identity

    first, second = args.photos
    rate = args.false_match_rate
    verdict = identity.compare(first, second, _judge(args), aligned=args.aligned, false_match_rate=rate)
    for note in verdict.notes:
        say(f"note: {note}")
    print(verdict)


def calibrate(args: argparse.Namespace) -> None:
    from faceinp.evaluate.judge_tables import calibration

    calibration.run(_judge(args), args.data, args.out, args.check, args.strangers, args.strangers_are)


def _judge(args: argparse.Namespace) -> Any:
    from faceinp import identity

    return identity.load(
        args.judge,
        sidecar=args.sidecar,
        calibration=getattr(args, "calibration", None),
        progress=Bar("fetching weights"),
    )


def measuring(module: str) -> Callable[[argparse.Namespace], None]:
    """The command that calls ``run`` in a module of ``faceinp.evaluate``, whose arguments have the flags' names."""
    return lambda args: importlib.import_module(f"faceinp.evaluate.{module}").run(**_values(args))


def _values(args: argparse.Namespace) -> dict[str, Any]:
    """The parsed arguments without the command."""
    return {name: value for name, value in vars(args).items() if name != "run"}


def evaluate_folders(args: argparse.Namespace) -> None:
    from faceinp.evaluate import folders

    request = folders.Request(**_values(args), command=shlex.join(["faceinp", *sys.argv[1:]]))
    folders.run(request, progress=Bar("pairs"))


def paper(args: argparse.Namespace) -> None:
    from faceinp.evaluate.engine_tables import tables

    _measure(args, tables.by_name(tuple(args.table)))


def quick(args: argparse.Namespace) -> None:
    from faceinp.evaluate.engine_tables import tables

    _measure(args, (tables.QUICK,))


def evaluate_masks(args: argparse.Namespace) -> None:
    from faceinp.evaluate.engine_tables import tables

    _measure(args, (tables.MASKS,))


def _measure(args: argparse.Namespace, wanted: Any) -> None:
    from faceinp.evaluate.engine_tables.request import Request
    from faceinp.evaluate.engine_tables.run import run

    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(Request) if field.name in args}
    values |= {name: str(values[name] or "") for name in ("out", "sidecar") if name in values}
    values |= {"data": tuple(args.data), "onnx": tuple(map(str, values.get("onnx", ())))}
    if getattr(args, "features", None):
        say("note: --features is ignored: a Frechet distance of so few pictures is not meaningful.")
    run(wanted, Request(**values))


def report(args: argparse.Namespace) -> None:
    from faceinp.evaluate.engine_tables import cells, report

    lines = cells.read(args.cells)
    if args.into is None:
        print(report.markdown(lines))
    else:
        print(f"{', '.join(map(str, args.into))}: remade {', '.join(report.update_pages(args.into, lines))}")
