"""Times the runtimes on a crop: ``faceinp export bench``.

All are timed in turns in one run, so that other load on the machine affects all of them, and the median is reported.
Inputs and outputs are NumPy arrays as in an application, so on a GPU the transfers are included.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from faceinp.errors import FaceinpError
from faceinp.models import sessions, sidecar
from faceinp.models.system import machine, today

from . import cases, graphs, parity, shell, trt
from . import onnx as onnx_export
from .cases import Inputs
from .graphs import Built
from .shell import batches, natural, say

RUNTIMES = ("torch", "onnxruntime", "openvino", "tensorrt")
WHOLE, PARTS = ("photo", "restorer"), ("landmarks", "completion")
MATRIX = 2048  # side of the matrix product that measures the device's peak rate of operations
COPY = 1 << 26  # floats in the copy that measures its bandwidth


@dataclass(frozen=True)
class Timing:
    """One runtime on one graph.

    milliseconds: the median of one call. share: relative to eager torch in fp32 on the same device, for ``completion``
    only. max, mean: absolute error against torch in fp32.
    """

    graph: str
    runtime: str
    batch: int
    milliseconds: float
    share: float | None
    max: float
    mean: float


@dataclass(frozen=True)
class Floor:
    """The least time that the hardware allows, at the rates of a large matrix product and of a large copy.

    operations: multiplications and additions of one call. bytes: weights, and inputs and outputs of each convolution
    and product, in fp32. milliseconds: the larger of both times.
    """

    batch: int
    operations: float
    bytes: float
    milliseconds: float


def bench(
    runtimes: Sequence[str] = RUNTIMES,
    *,
    out: Path = onnx_export.OUT,
    size: int = 0,
    batch: int = 1,
    rounds: int = 21,
    threads: int = 0,
) -> list[Timing]:
    """Time ``runtimes`` on ``completion``, and onnxruntime on ``photo``, ``restorer`` and their networks.

    out: the folder of exported files; missing ones are exported. size: side of the pictures; 0: the graph's default.
    rounds: calls of each. threads: CPU threads; 0: all. A runtime that is not installed is skipped with a message.
    Raises FaceinpError for an unknown one.
    """
    if unknown := set(runtimes) - set(RUNTIMES):
        raise FaceinpError(f"Unknown runtime {', '.join(sorted(unknown))}. Choose from {', '.join(RUNTIMES)}.")
    if sessions.checked_threads(threads):
        torch.set_num_threads(threads)
    callers = dict(_callers(runtimes, size, out, batch, threads))
    times = _timed({key: call for key, (_, call, _) in callers.items()}, rounds)
    eager = times.get(("completion", _eager_name()))
    rows = []
    for (graph, runtime), (part, call, inputs) in callers.items():
        errors = [
            parity.distance(ours, truth) for ours, truth in zip(call(), parity.reference(part, inputs), strict=True)
        ]
        largest, mean = max(most for most, _ in errors), max(mean for _, mean in errors)
        milliseconds = times[graph, runtime]
        share = milliseconds / eager if eager and graph == "completion" else None
        rows.append(Timing(graph, runtime, batch, milliseconds, share, largest, mean))
    return rows


def floor(size: int = 0, batch: int = 1) -> Floor:
    """The least time of ``completion`` on torch's device, from its measured rates."""
    built, arrays = _case("completion", size, batch)
    tensors = [torch.from_numpy(arrays[port.name]) for port in built.graph.inputs]
    moved = [4 * sum(weight.numel() for weight in built.module.parameters())]  # bytes
    hooks = [
        module.register_forward_hook(lambda _, inputs, output: moved.append(4 * (inputs[0].numel() + output.numel())))
        for module in built.module.modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    ]
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        built.module(*tensors)
    for hook in hooks:
        hook.remove()
    device = _device()
    matrix = torch.ones(MATRIX, MATRIX, device=device)
    floats = torch.ones(COPY, device=device)
    times = _timed({"product": lambda: _synchronise(matrix @ matrix), "copy": lambda: _synchronise(floats.clone())}, 9)
    rate, bandwidth = 2 * MATRIX**3 / times["product"], 8 * COPY / times["copy"]  # per millisecond
    operations, size = counter.get_total_flops(), sum(moved)
    return Floor(batch, operations, size, max(operations / rate, size / bandwidth))


def table(rows: Sequence[Timing], floors: Sequence[Floor]) -> str:
    """Markdown: the rows, the time of whole graphs relative to their networks, and the floors."""
    lines = ["| graph | runtime | batch | ms | of torch eager | largest error | mean error |", "|---" * 7 + "|"]
    for row in rows:
        share = "" if row.share is None else f"{row.share:.2f}"
        lines.append(
            f"| {row.graph} | {row.runtime} | {row.batch} | {row.milliseconds:.1f} | {share} | {row.max:.1e} "
            f"| {row.mean:.1e} |"
        )
    lines.append("")
    for whole in (row for row in rows if row.graph in WHOLE):
        key = whole.runtime, whole.batch
        parts = sum(row.milliseconds for row in rows if row.graph in PARTS and (row.runtime, row.batch) == key)
        lines.append(
            f"Batch {whole.batch}: {whole.graph} takes {whole.milliseconds / parts:.2f} of the time of its networks "
            f"({' and '.join(PARTS)}, {parts:.1f} ms)."
        )
    lines += [
        f"Batch {floor.batch}: {floor.operations / 1e9:.1f} GFLOP and {floor.bytes / 1e6:.0f} MB in fp32; at the rates "
        f"of a large product and a large copy on this device they take {floor.milliseconds:.1f} ms."
        for floor in floors
    ]
    return "\n".join(lines)


def _case(name: str, size: int, batch: int) -> tuple[Built, Inputs]:
    """A graph and a batch of inputs for it."""
    built = graphs.build(name, size)
    case = cases.inputs(built, 2, *built.graph.sides(built.size)[0])  # noise with the left half as hole
    return built, {port: value.repeat(batch, axis=0) for port, value in case.items()}


def _callers(
    runtimes: Sequence[str], size: int, out: Path, batch: int, threads: int
) -> Iterator[tuple[tuple[str, str], tuple[Built, Callable[[], Any], Inputs]]]:
    """(graph, runtime) -> (graph, its call, its inputs) for each installed runtime; each call has run once."""
    for runtime in runtimes:
        for name in ("completion", *WHOLE, "landmarks") if runtime == "onnxruntime" else ("completion",):
            if batch > 1 and graphs.GRAPHS[name].assembled:
                continue
            built, inputs = _case(name, size, batch)
            try:
                for label, run in _open(runtime, built, out, batch, threads):
                    call = partial(run, inputs)
                    call()
                    yield (name, label), (built, call, inputs)
            except FaceinpError as error:
                say(f"{name} on {runtime} is skipped: {error}")


def _open(
    runtime: str, built: Built, out: Path, batch: int, threads: int
) -> Iterator[tuple[str, Callable[[Inputs], Any]]]:
    """The label and the call of each variant of a runtime."""
    name = built.graph.name
    if runtime == "torch":
        # In the engine's memory format; ``built`` is unchanged for the comparison.
        eager = graphs.build(name, built.size).module.to(_device()).to(memory_format=torch.channels_last)
        yield _eager_name(), partial(_torch, built, eager, torch.float32)
        if _device() == "cuda":
            compiled = torch.compile(graphs.build(name, built.size).module.half().to("cuda"))
            yield "torch cuda fp16 compiled", partial(_torch, built, compiled, torch.float16)
        return
    if runtime == "tensorrt":
        if not sessions.nvidia_gpus():
            raise FaceinpError("TensorRT needs an NVIDIA GPU, and none was found. Run it on a machine with a GPU.")
        for precision in ("fp32", "fp16"):
            engine = sessions.TensorrtFile(trt.build(name, out, precision=precision, size=built.size, batch=(1, batch)))
            yield engine.runtime, engine.run
        return
    file = onnx_export.ensure_exported(name, out, size=built.size, batch=(batch,))
    if runtime == "openvino":
        opened: dict[str, Callable[[Inputs], Any]] = {}
        for precision in ("fp32", ""):  # and OpenVINO's default precision, if it differs
            one = sessions.OpenvinoFile(file, precision, threads)
            opened.setdefault(one.runtime, one.run)
        yield from opened.items()
        return
    provider = "cuda" if _device() == "cuda" else "cpu"
    for candidate in (file, out / onnx_export.file_name(name, "int8")):
        if candidate == file or (candidate.is_file() and sidecar.read(candidate)["weights"] == built.hashes):
            session = sessions.OnnxFile(candidate, provider, threads)
            yield session.runtime, session.run


@torch.no_grad()
def _torch(built: Built, module: Callable[..., torch.Tensor], kind: torch.dtype, inputs: Inputs) -> list[Any]:
    output = module(*(torch.from_numpy(inputs[port.name]).to(_device(), kind) for port in built.graph.inputs))
    return [output.float().cpu().numpy()]


def _timed(calls: dict[Any, Callable[[], Any]], rounds: int) -> dict[Any, float]:
    """The median milliseconds of each of ``calls``, which run in turns."""
    seconds: dict[Any, list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            started = time.perf_counter()
            call()
            seconds[key].append(time.perf_counter() - started)
    return {key: 1000 * statistics.median(values) for key, values in seconds.items()}


def _synchronise(value: torch.Tensor) -> None:
    if value.is_cuda:
        torch.cuda.synchronize()


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _eager_name() -> str:
    return f"torch {_device()} fp32"


# ---- the command ----


def _run(args: argparse.Namespace) -> None:
    rows = [
        row
        for batch in args.batch
        for row in bench(
            args.runtimes, out=args.out, size=args.size, batch=batch, rounds=args.rounds, threads=args.threads
        )
    ]
    floors = [floor(args.size, batch) for batch in args.batch]
    where = torch.cuda.get_device_name() if _device() == "cuda" else machine()
    built = graphs.build("completion", args.size)
    size, trained = built.size, built.trained
    about = {
        "machine": where,
        "threads": torch.get_num_threads(),
        "date": today(),
        "rounds": args.rounds,
        "size": size,
        "trained": trained,
        "versions": sidecar.versions("torch", "onnxruntime", "openvino", "tensorrt", "tensorrt-rtx"),
    }
    if args.json:
        print(json.dumps({**about, "rows": [asdict(row) for row in rows], "floors": [asdict(one) for one in floors]}))
        return
    print(f"{where}, {about['threads']} threads, {about['date']}, median of {args.rounds}, {size} x {size}\n")
    print(table(rows, floors))
    if not trained:
        say("note: the network is untrained because its weights are missing")


def main(argv: Sequence[str] | None = None) -> int:
    parser = shell.parser("bench", "Time the runtimes of the completion network.")
    parser.add_argument("--runtimes", type=lambda text: tuple(text.split(",")), default=RUNTIMES, metavar="A,B")
    parser.add_argument("--size", type=int, default=0, help="side of the pictures (default: 256)")
    parser.add_argument("--batch", type=batches, default=(1,), metavar="N,N", help="batch sizes (default: 1)")
    parser.add_argument("--rounds", type=natural, default=21, help="calls of each, in turns (default: 21)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: all)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("-o", "--out", type=Path, default=onnx_export.OUT, metavar="DIR", help="exported files")
    return shell.main(parser, _run, argv)


if __name__ == "__main__":
    sys.exit(main())
