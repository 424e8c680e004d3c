"""The bounds of every number of every training: what lies at them is taken, what lies beyond them is refused."""

import dataclasses
import importlib
import math
import typing
from typing import Any

import pytest

from faceinp.cli.commands import TRAININGS
from faceinp.cli.main import main
from faceinp.errors import DataError

pytest.importorskip("webdataset")

CONFIGS = {
    name: getattr(importlib.import_module(f"faceinp.train.{module}"), kind)
    for name, (module, kind, _, _) in TRAININGS.items()
}


def numbers(config: Any) -> list[tuple[dataclasses.Field, type, bool]]:
    """The fields that hold numbers, their type, and whether they hold several."""
    kinds = typing.get_type_hints(config)
    fields = []
    for field in dataclasses.fields(config):
        several = typing.get_origin(kinds[field.name]) is tuple
        kind = typing.get_args(kinds[field.name])[0] if several else kinds[field.name]
        if kind in (int, float):
            fields.append((field, kind, several))
    return fields


def beyond(rules: Any, kind: type) -> list[float]:
    step = 1 if kind is int else 0.001
    values = [kind(rules["least"] - step)] if "least" in rules else []
    values += [kind(rules["most"] + step)] if "most" in rules else []
    values += [kind(rules[name]) for name in ("above", "below") if name in rules]
    values += [0, -rules["multiple"], rules["multiple"] + 1] if "multiple" in rules else []
    return values + ([math.nan, math.inf, -math.inf] if kind is float else [])


@pytest.mark.parametrize("training", CONFIGS)
def test_every_number_of_a_training_has_bounds_and_keeps_to_them(training: str) -> None:
    config = CONFIGS[training]
    for field, kind, several in numbers(config):
        assert {"least", "above", "multiple"} & field.metadata.keys(), f"{training}: {field.name} has no lower bound"
        for value in beyond(field.metadata, kind):
            flag = f"--{field.name.replace('_', '-')} must "
            with pytest.raises(DataError, match=flag):
                config(**{field.name: (value,) if several else value})
        lower = field.metadata.get("least", field.metadata.get("multiple"))
        if lower is not None and field.name != "samples":  # --pictures goes before
            config(**{field.name: (lower,) if several else lower})


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--log-every", "0"), "--log-every must be at least 1, got 0."),
        (("--rate", "nan"), "--rate must be at least 0, got nan."),
        (("--beta1", "1.5"), "--beta1 must be at least 0 and below 1, got 1.5."),
        (("--average", "2"), "--average must lie between 0 and 1, got 2.0."),
        (("--side", "60"), "--side must be a multiple of 32, got 60."),
        (("--precision", "fp16"), "invalid choice: 'fp16'"),
    ],
)
def test_the_shell_says_what_a_number_must_be(
    flags: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["train", "completion", "--data", "x.tar", "--out", "x", *flags])
    except SystemExit as stopped:  # argparse
        code = int(stopped.code or 0)
    assert code and sentence in capsys.readouterr().err
