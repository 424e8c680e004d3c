"""ONNX files of the networks: ``faceinp export onnx all``.

Each is checked, described and run against torch before it gets its name: what is too far away is not left behind.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from faceinp import __version__
from faceinp.common import staging
from faceinp.errors import FaceinpError, WeightsError
from faceinp.models import sessions, sidecar
from faceinp.models.input_limits import Axis, Limits

from . import conversion, graphs, parity
from .graphs import GRAPHS, Built
from .parity import Error
from .shell import batches, say
from .shell import main as run_command

if TYPE_CHECKING:
    import onnx

    from .cost import Cost

PRECISIONS = ("fp32", "fp16", "int8")
OUT = Path("runs/export")
# How the exported judge is used as one (``identity.networks.Onnx``): it cuts the face out of a whole crop itself.
AS_A_JUDGE = {"box": [0, 0, 1, 1], "mean": [0, 0, 0], "std": [1, 1, 1], "scale": 1, "kin": ["bundled"]}


def export(
    name: str,
    out: Path = OUT,
    *,
    precision: str = "fp32",
    opset: int = conversion.OPSET,
    size: int = 0,
    batch: tuple[int, ...] = (1, 16),
    calibrate: Sequence[str] = (),
) -> Path:
    """Write the graph called ``name`` to ``out`` as ONNX, with its sidecar, and return the file.

    precision: fp32, fp16 or int8. size: side of the pictures that it is made for; 0 is the graph's own. batch: the
    least and the most pictures at once. calibrate: shards of training pictures, for int8.
    Raises ParityError when the file does not do what torch does, FaceinpError for what cannot be made, WeightsError.
    """
    started = time.perf_counter()
    if precision == "int8" and not calibrate:
        raise FaceinpError(
            "int8 is calibrated on training pictures. Give `faceinp export onnx` --precision int8 --calibrate SHARDS."
        )
    conversion.check_opset(opset)
    built = graphs.build(name, size)
    if precision not in built.graph.precisions:
        offered = [graph.name for graph in GRAPHS.values() if precision in graph.precisions]
        raise FaceinpError(
            f"{name} is not offered in {precision}, only {', '.join(offered)}. Use {built.graph.precisions[-1]}."
        )
    tolerances = parity.tolerances(built.graph.outputs, precision)
    with staging.folder(out) as scratch:  # before the work, which takes minutes: it may be that nothing can be written
        made = make(built, precision, opset=opset, batch=(batch[0], batch[-1]), calibrate=calibrate)
        about = describe(built, made, precision)
        conversion.describe(made.model, about)
        part = scratch / file_name(name, precision)
        pictures = made.limits.axes.get("batch", Axis(1, 1))
        errors = judge(built, made, part, precision, (pictures.least, pictures.most))
        sidecar.write(
            part,
            {
                **about,
                "size": built.size,
                "batch": [pictures.least, pictures.most],
                "opset": opset,
                "ir_version": made.model.ir_version,
                "kept_in_fp32": made.kept_in_fp32,
                "cost": dataclasses.asdict(made.cost) if made.cost else None,  # in dB, of int8
                **({"judge": AS_A_JUDGE | {"size": [built.size, built.size]}} if name == "embedding" else {}),
                "versions": sidecar.versions("torch", "onnx", "onnxscript", "onnxruntime", "numpy"),
                **parity.noted(errors, tolerances),
                "seconds": round(time.perf_counter() - started, 1),
            },
        )
        file = out / part.name
        sidecar.move(part, file)
    return file


@dataclass(frozen=True)
class Made:
    """A model, not yet described or judged.

    limits: what it takes. first_layer: called where it is not the network, and answers with a sentence that names the
    layer. kept_in_fp32: layers that were left out of int8; cost: what that costs.
    """

    model: "onnx.ModelProto"
    limits: Limits
    first_layer: Callable[[], str] = lambda: ""
    kept_in_fp32: Sequence[str] = ()
    cost: "Cost | None" = None


def make(built: Built, precision: str, *, opset: int, batch: tuple[int, int], calibrate: Sequence[str] = ()) -> Made:
    """The model of ``built``. Arguments as of ``export``, and errors but for ParityError of fp32 and fp16."""
    if built.graph.assembled:
        from . import assembled

        model = conversion.finished(assembled.model(built, precision, opset), built)
        return Made(model, conversion.limits(built, batch))
    program = conversion.traced(built, opset=opset, batch=batch)
    model, kept, paid = conversion.finished(program.model_proto, built), list[str](), None
    if precision == "fp16":
        model = conversion.halved(model, built)
    elif precision == "int8":
        from . import quantisation

        model, kept, paid = quantisation.quantised(model, built, calibrate)
    layer = partial(parity.first_layer, built, model, program, precision)
    return Made(model, conversion.limits(built, batch), layer, kept, paid)


def describe(built: Built, made: Made, precision: str) -> dict[str, Any]:
    """What a file says of itself, in its metadata as in its sidecar."""
    return {
        **facts(built, precision),
        "limits": made.limits.as_json(),
        "runtime": {"onnxruntime": conversion.lowest_runtime(made.model)},
    }


def facts(built: Built, precision: str) -> dict[str, Any]:
    """What a file of any format says of itself."""
    return {
        "name": built.graph.name,
        "about": built.graph.about,
        "version": __version__,
        "licence": built.graph.licence,
        "trained": built.trained,
        "taught_by": list(built.taught_by),
        "precision": precision,
        "inputs": {port.name: f"{port.dtype} {_shape(port, built.size)}: {port.about}" for port in built.graph.inputs},
        "outputs": {
            port.name: f"{port.dtype} {_shape(port, built.size)}: {port.about}" for port in built.graph.outputs
        },
        "weights": built.hashes,
    }


def judge(built: Built, made: Made, part: Path, precision: str, batch: Sequence[int]) -> list[Error]:
    """Write the model to ``part``, check it, run it and compare it with torch. Raises ParityError."""
    import onnx

    onnx.save(made.model, part)
    onnx.checker.check_model(str(part), full_check=True)
    run = sessions.OnnxFile(part, threads=torch.get_num_threads()).run
    errors = list(parity.measure(built, run, parity.batches(batch)))
    parity.refuse(part.name, errors, parity.tolerances(built.graph.outputs, precision), made.first_layer)
    return errors


def at_hand(name: str, out: Path = OUT, *, precision: str = "fp32", size: int = 0, batch: Sequence[int] = (1,)) -> Path:
    """As ``export``, unless ``out`` holds a file that fits: of these weights and this size, for such batches."""
    built, file = graphs.build(name, size), out / file_name(name, precision)
    wanted = {"weights": built.hashes, "size": built.size, "precision": precision}
    if file.is_file():
        try:
            about = sidecar.read(file)
        except WeightsError as error:
            say(f"{file.name} is exported again: {error}")
        else:
            least, most = about.get("batch", (1, 0))
            if (
                all(about.get(key) == value for key, value in wanted.items())
                and least <= batch[0]
                and batch[-1] <= most
            ):
                return file
            say(f"{file.name} is exported again: its weights, size or batch are others")
    return export(name, out, precision=precision, size=size, batch=(1, max(16, batch[-1])))


def file_name(name: str, precision: str) -> str:
    return f"{name}.onnx" if precision == "fp32" else f"{name}.{precision}.onnx"


def _shape(port: graphs.Port, size: int) -> str:
    return "(" + ", ".join(str(size if name == "side" else name) for name in port.shape) + ")"


def _all(precision: str) -> Sequence[str]:
    """The graphs that are offered in this precision."""
    offered = tuple(name for name, graph in GRAPHS.items() if precision in graph.precisions)
    if len(offered) < len(GRAPHS):
        say(f"note: of the graphs, {', '.join(offered)} are offered in {precision}")
    return offered


def _run(args: argparse.Namespace) -> None:
    for name in _all(args.precision) if args.name == "all" else [args.name]:
        file = export(
            name,
            args.out,
            precision=args.precision,
            opset=args.opset,
            size=args.size,
            batch=args.batch,
            calibrate=args.calibrate,
        )
        about = sidecar.read(file)
        if not about["trained"]:
            say(f"note: {file.name} holds an untrained network: its weights are not here")
        worst = max(error["max"] for error in about["errors"])
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, {worst:.1e} from torch at most, {about['seconds']} s")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="faceinp export onnx", description="Write networks as ONNX files.")
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(GRAPHS)}, or all")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="default: fp32")
    opsets = f"{min(conversion.RUNTIMES)} to {max(conversion.RUNTIMES)} (default: {conversion.OPSET})"
    parser.add_argument("--opset", type=int, default=conversion.OPSET, help=opsets)
    parser.add_argument("--size", type=int, default=0, help="side of the pictures (default: 256)")
    parser.add_argument("--batch", type=batches, default=(1, 16), help="least and most pictures at once (1-16)")
    parser.add_argument("--calibrate", nargs="+", default=(), metavar="SHARDS", help="training pictures, for int8")
    parser.add_argument("-o", "--out", type=Path, default=OUT, metavar="DIR", help=f"default: {OUT}")
    return run_command(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
