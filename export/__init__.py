"""Exports the networks as ONNX, LiteRT and TensorRT files, and checks and times them.

Commands, as ``faceinp export NAME`` or ``python -m export.NAME``: ``onnx``, ``core``, ``litert``, ``trt``, ``parity``,
``cost``, ``bench``, ``mtcnn``, ``triton``. ``graphs`` lists what can be exported and ``modules`` has its torch modules.
``conversion``, ``half_precision`` and ``quantisation`` make ONNX models of them; ``assembled`` builds the graphs of
whole photos from ``photo_graph`` and ``detector_graph``; ``references`` is what these are compared with.
"""

import importlib.util
import sys

from faceinp.errors import MissingPackageError


def _exit_without_torch() -> None:
    """Without torch, which all commands import first, end ``python -m export.NAME`` with one sentence."""
    if sys.argv[:1] == ["-m"] and importlib.util.find_spec("torch") is None:  # Python replaces "-m" after this import
        error = MissingPackageError("torch", "export")
        print(f"{__name__}: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code)


_exit_without_torch()
