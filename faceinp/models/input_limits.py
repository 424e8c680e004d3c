"""What an exported file takes, as its metadata (``faceinp.limits``) and its sidecar (``limits``) say it.

{"inputs": {"image": {"type": "uint8", "shape": ["batch", "height", "width", 3]}, ...},
 "axes": {"batch": {"least": 1, "most": 16, "multiple": 1}, ...}}

An axis has one length in all inputs. A runtime given anything else answers from deep inside, or computes something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from faceinp.common import json_values
from faceinp.errors import EngineError

LARGEST = 2**31 - 1


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
    """type: NumPy's name of it. shape: numbers, and names of axes."""

    type: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.type} ({', '.join(map(str, self.shape))})"


@dataclass(frozen=True)
class Limits:
    inputs: Mapping[str, Input]
    axes: Mapping[str, Axis]

    def check(self, inputs: Mapping[str, Any]) -> None:
        """Raise EngineError for arrays by name that the file was not made for."""
        if inputs.keys() != self.inputs.keys():
            raise EngineError(f"The file takes {', '.join(self.inputs)}, not {', '.join(inputs)}. Give it these.")
        lengths: dict[str, tuple[int, str]] = {}  # of an axis, and the input that has it
        for name, wanted in self.inputs.items():
            shape, kind = tuple(inputs[name].shape), str(inputs[name].dtype)
            of_its_form = len(shape) == len(wanted.shape) and all(
                length == side for length, side in zip(shape, wanted.shape, strict=True) if isinstance(side, int)
            )
            if kind != wanted.type or not of_its_form:
                raise EngineError(f"{name} must be {wanted}, got {kind} {shape}. Give it what the file was made for.")
            for length, axis in zip(shape, wanted.shape, strict=True):
                if isinstance(axis, int):
                    continue
                first, other = lengths.setdefault(axis, (length, name))
                if length != first:
                    raise EngineError(
                        f"The {axis} of {other} is {first}, and that of {name} {length}. Give them the same {axis}."
                    )
                if axis in self.axes and length not in self.axes[axis]:
                    raise EngineError(
                        f"{axis} must be {self.axes[axis]}, got {length} in {name} {shape}. Give that, or export "
                        "another file."
                    )

    def as_json(self) -> dict[str, Any]:
        return {
            "inputs": {name: {"type": one.type, "shape": list(one.shape)} for name, one in self.inputs.items()},
            "axes": {
                name: {"least": axis.least, "most": axis.most, "multiple": axis.multiple}
                for name, axis in self.axes.items()
            },
        }


def of(about: Mapping[str, Any]) -> Limits | None:
    """The limits in what an exporter noted; None where it noted none, as in somebody else's file."""
    return from_json(about["limits"]) if "limits" in about else None


def check(about: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    """Raise EngineError for arrays by name that the file with this ``about`` was not made for."""
    if known := of(about):
        known.check(inputs)


def at_once(about: Mapping[str, Any], wanted: int) -> int:
    """How many pictures may be given at once where ``wanted`` would be."""
    known = of(about)
    return min(wanted, known.axes["batch"].most) if known and "batch" in known.axes else wanted


def from_json(value: dict[str, Any]) -> Limits:
    """``Limits.as_json`` read back. Raises ValueError for anything else."""
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
            shape[number] = json_values.whole({"shape": side}, "shape", 0, LARGEST)
    return Input(json_values.text(value, "type"), tuple(shape))


def _axis(value: dict[str, Any]) -> Axis:
    return Axis(*(json_values.whole(value, key, 1, LARGEST) for key in ("least", "most", "multiple")))
