"""Exports ONNX files of the networks: ``faceinp export onnx all``.

Each file is checked and compared with torch before it is moved to its path; a file with too large an error is deleted.
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
from faceinp.errors import FaceinpError, WeightsError
from faceinp.models import sessions, sidecar
from faceinp.models.input_limits import Axis, Limits
from faceinp.photo import staging

from . import conversion, graphs, parity, shell
from .graphs import GRAPHS, Built
from .shell import batches, say

if TYPE_CHECKING:
    import onnx

    from .cost import Cost

PRECISIONS = ("fp32", "fp16", "int8")
OUT = Path("runs/export")
# The section ``judge`` in the sidecar of ``embedding`` (``identity.networks.Onnx``): the graph cuts out its box itself.
JUDGE_SECTION = {"box": [0, 0, 1, 1], "mean": [0, 0, 0], "std": [1, 1, 1], "scale": 1, "kin": ["bundled"]}


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
    """Write the graph called ``name`` to ``out`` as an ONNX file with its sidecar, and return the file.

    precision: fp32, fp16 or int8. size: side of the pictures; 0: the graph's default. batch: the smallest and the
    largest batch. calibrate: shards of training pictures, for int8.
    Raises ParityError if it does not compute the same as torch, FaceinpError for an impossible choice, WeightsError.
    """
    started = time.perf_counter()
    if precision == "int8" and not calibrate:
        raise FaceinpError(
            "int8 is calibrated on training pictures. Use `faceinp export onnx --precision int8 --calibrate SHARDS`."
        )
    conversion.check_opset(opset)
    built = graphs.build(name, size)
    if precision not in built.graph.precisions:
        supported = " or ".join(built.graph.precisions)
        raise FaceinpError(f"{name} does not support {precision}. Use --precision {supported}.")
    import onnx

    tolerances = parity.tolerances(built.graph.outputs, precision)
    with staging.folder(out) as scratch:  # first, because the work takes minutes and the folder may not be writable
        converted = convert(built, precision, opset=opset, batch=(batch[0], batch[-1]), calibrate=calibrate)
        about = facts(built, precision, converted.limits)
        about["runtime"] = {"onnxruntime": conversion.RUNTIMES[opset]}
        conversion.describe(converted.model, about)
        part = scratch / file_name(name, precision)
        pictures = converted.limits.axes.get("batch", Axis(1, 1))
        onnx.save(converted.model, part)
        onnx.checker.check_model(str(part), full_check=True)
        run = sessions.OnnxFile(part, threads=torch.get_num_threads()).run
        errors = list(parity.measure(built, run, parity.batches((pictures.least, pictures.most))))
        parity.refuse(part.name, errors, tolerances, converted.first_layer)
        sidecar.write(
            part,
            {
                **about,
                "size": built.size,
                "batch": [pictures.least, pictures.most],
                "opset": opset,
                "ir_version": converted.model.ir_version,
                "kept_in_fp32": converted.kept_in_fp32,
                "cost": dataclasses.asdict(converted.cost) if converted.cost else None,  # in dB, for int8
                **({"judge": JUDGE_SECTION | {"size": [built.size, built.size]}} if name == "embedding" else {}),
                "versions": sidecar.versions("torch", "onnx", "onnxscript", "onnxruntime", "numpy"),
                **parity.noted(errors, tolerances),
                "seconds": round(time.perf_counter() - started, 1),
            },
        )
        file = out / part.name
        sidecar.move(part, file)
    return file


@dataclass(frozen=True)
class Converted:
    """A model without metadata, not yet compared with torch.

    limits: of its inputs. first_layer: returns a sentence on the first layer that differs from torch. kept_in_fp32:
    layers that int8 does not include. cost: the loss of PSNR by int8.
    """

    model: "onnx.ModelProto"
    limits: Limits
    first_layer: Callable[[], str] = str
    kept_in_fp32: Sequence[str] = ()
    cost: "Cost | None" = None


def convert(
    built: Built, precision: str, *, opset: int, batch: tuple[int, int], calibrate: Sequence[str] = ()
) -> Converted:
    """The model of ``built``. Arguments as for ``export``. Raises ParityError for int8 only."""
    if built.graph.assembled:
        from . import assembled

        model = conversion.finish(assembled.model(built, precision, opset), built)
        return Converted(model, conversion.limits(built, batch))
    program = conversion.trace(built, opset=opset, batch=batch)
    model, in_fp32, loss = conversion.finish(program.model_proto, built), list[str](), None
    if precision == "fp16":
        from . import half_precision

        model = half_precision.to_fp16(model, built)
    elif precision == "int8":
        from . import quantisation

        model, in_fp32, loss = quantisation.quantise(model, built, calibrate)
    layer = partial(parity.first_layer, built, model, program, precision)
    return Converted(model, conversion.limits(built, batch), layer, in_fp32, loss)


def facts(built: Built, precision: str, limits: Limits) -> dict[str, Any]:
    """The entries of a sidecar that do not depend on the file format. limits: of the file's inputs."""
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
        "limits": limits.as_json(),
    }


def ensure_exported(
    name: str, out: Path = OUT, *, precision: str = "fp32", size: int = 0, batch: Sequence[int] = (1,)
) -> Path:
    """The file of the graph in ``out`` if it has the current weights, the size and the batches, else as ``export``."""
    built, file = graphs.build(name, size), out / file_name(name, precision)
    expected = {"weights": built.hashes, "size": built.size, "precision": precision}
    if file.is_file():
        try:
            about = sidecar.read(file)
        except WeightsError as error:
            say(f"Exporting {file.name} again: {error}")
        else:
            least, most = about.get("batch", (1, 0))
            if about | expected == about and least <= batch[0] and batch[-1] <= most:
                return file
            say(f"Exporting {file.name} again: its weights, size or batch differ")
    return export(name, out, precision=precision, size=size, batch=(1, max(16, batch[-1])))


def file_name(name: str, precision: str) -> str:
    """The name of the file of a graph in a precision."""
    return f"{name}.onnx" if precision == "fp32" else f"{name}.{precision}.onnx"


def _shape(port: graphs.Port, size: int) -> str:
    return "(" + ", ".join(str(size if name == "side" else name) for name in port.shape) + ")"


def _all(precision: str) -> Sequence[str]:
    """The graphs that support this precision."""
    supported = tuple(name for name, graph in GRAPHS.items() if precision in graph.precisions)
    if len(supported) < len(GRAPHS):
        say(f"note: only these graphs support {precision}: {', '.join(supported)}")
    return supported


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
        shell.report(file, sidecar.read(file))


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("onnx", "Write networks as ONNX files.")
    parser.add_argument("name", metavar="NAME", help=f"{', '.join(GRAPHS)}, or all")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="default: fp32")
    opsets = f"{min(conversion.RUNTIMES)} to {max(conversion.RUNTIMES)} (default: {conversion.OPSET})"
    parser.add_argument("--opset", type=int, default=conversion.OPSET, help=opsets)
    parser.add_argument("--size", type=int, default=0, help="side of the pictures (default: 256)")
    parser.add_argument("--batch", type=batches, default=(1, 16), help="smallest and largest batch (default: 1-16)")
    parser.add_argument("--calibrate", nargs="+", default=(), metavar="SHARDS", help="training pictures, for int8")
    parser.add_argument("-o", "--out", type=Path, default=OUT, metavar="DIR", help=f"default: {OUT}")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
