"""The shapes and types that an exported file accepts, from its metadata (``faceinp.limits``) or sidecar (``limits``).

{"inputs": {"image": {"type": "uint8", "shape": ["batch", "height", "width", 3]}, ...},
 "axes": {"batch": {"least": 1, "most": 16, "multiple": 1}, ...}}

An axis has the same length in all inputs. They are checked here because runtimes report wrong shapes unclearly, or
compute a wrong result.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from faceinp.errors import EngineError
from faceinp.models import json_values

MAX_LENGTH = 2**31 - 1


@dataclass(frozen=True)
class Axis:
    """Lengths from ``least`` to ``most`` that are multiples of ``multiple``."""

    least: int
    most: int
    multiple: int = 1

    def __contains__(self, length: int) -> bool:
        return self.least <= length <= self.most and length % self.multiple == 0

    def __str__(self) -> str:
        if self.least == self.most:
            return str(self.least)
        return f"{'' if self.multiple == 1 else f'a multiple of {self.multiple} from '}{self.least} to {self.most}"


@dataclass(frozen=True)
class Input:
    """type: NumPy's name, such as "float32". shape: fixed lengths and names of axes."""

    type: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.type} ({', '.join(map(str, self.shape))})"


@dataclass(frozen=True)
class Limits:
    """The inputs of a file by name, and its axes by name."""

    inputs: Mapping[str, Input]
    axes: Mapping[str, Axis]

    def check(self, inputs: Mapping[str, Any]) -> None:
        """Raise EngineError for arrays by name that the file does not accept."""
        if inputs.keys() != self.inputs.keys():
            raise EngineError(f"The inputs must be {', '.join(self.inputs)}, got {', '.join(inputs)}.")
        lengths: dict[str, tuple[int, str]] = {}  # axis -> its length, and the first input that has it
        for name, expected in self.inputs.items():
            shape, kind = tuple(inputs[name].shape), str(inputs[name].dtype)
            fits = len(shape) == len(expected.shape) and all(
                length == side for length, side in zip(shape, expected.shape, strict=True) if isinstance(side, int)
            )
            if kind != expected.type or not fits:
                raise EngineError(f"{name} must be {expected}, got {kind} {shape}.")
            for length, axis in zip(shape, expected.shape, strict=True):
                if isinstance(axis, int):
                    continue
                first, other = lengths.setdefault(axis, (length, name))
                if length != first:
                    raise EngineError(
                        f"{axis} must be the same in all inputs, got {first} in {other}, {length} in {name}."
                    )
                if axis in self.axes and length not in self.axes[axis]:
                    raise EngineError(
                        f"{axis} must be {self.axes[axis]}, got {length} in {name} {shape}. Change it, or export "
                        "another file."
                    )

    def as_json(self) -> dict[str, Any]:
        """The form in the module's docstring."""
        return {
            "inputs": {name: {"type": one.type, "shape": list(one.shape)} for name, one in self.inputs.items()},
            "axes": {name: asdict(axis) for name, axis in self.axes.items()},
        }


def of(about: Mapping[str, Any]) -> Limits | None:
    """The limits in a file's metadata; None for a third-party file, which has none."""
    return from_json(about["limits"]) if "limits" in about else None


def check(about: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """Raise EngineError for arrays by name that the file with the metadata ``about`` does not accept."""
    if limits := of(about):
        limits.check(inputs)


def at_once(about: Mapping[str, Any], count: int) -> int:
    """The largest batch up to ``count`` that the file with the metadata ``about`` accepts."""
    limits = of(about)
    return min(count, limits.axes["batch"].most) if limits and "batch" in limits.axes else count


def from_json(value: dict[str, Any]) -> Limits:
    """The inverse of ``Limits.as_json``. Raises ValueError for any other value."""
    inputs, axes = json_values.section(value, "inputs"), json_values.section(value, "axes")
    return Limits(
        {name: _input(json_values.section(inputs, name)) for name in inputs},
        {name: _axis(json_values.section(axes, name)) for name in axes},
    )


def _input(value: dict[str, Any]) -> Input:
    shape = json_values.values_of(value, "shape")
    for number, side in enumerate(shape):
        if isinstance(side, str):
            json_values.text({"shape": side}, "shape")
        else:
            shape[number] = json_values.whole({"shape": side}, "shape", 0, MAX_LENGTH)
    return Input(json_values.text(value, "type"), tuple(shape))


def _axis(value: dict[str, Any]) -> Axis:
    return Axis(**{key: json_values.whole(value, key, 1, MAX_LENGTH) for key in ("least", "most", "multiple")})
