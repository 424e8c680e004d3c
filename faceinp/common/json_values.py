"""JSON that somebody else wrote, read value by value: each is of its type and within its bounds, or a ValueError says
which is not. Whoever reads a file adds its name and what to do.

Bounds are finite, so that NaN and infinity, which Python's JSON knows, are always outside of them. A default of None
means that the value must be there.
"""

import json
import reprlib
import unicodedata
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

Values = Mapping[str, Any]


def parse(text: str) -> Any:
    """What JSON says. Raises ValueError for text that is none, or is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_object(text: str) -> dict[str, Any]:
    """As ``parse``, of an object: {...}."""
    if not isinstance(content := parse(text), dict):
        raise ValueError(f"it must be an object, {{...}}, got {reprlib.repr(content)}")
    return content


def read_object(file: Path) -> dict[str, Any]:
    """As ``parse_object``, of a file in UTF-8, with or without a byte order mark. Raises OSError, too."""
    return parse_object(file.read_text(encoding="utf-8-sig"))


def number(values: Values, key: str, low: float, high: float, default: float | None = None) -> float:
    value = _value(values, key, default)
    if not _is_number(value) or not low <= value <= high:
        raise _wrong(key, f"a number from {low:g} to {high:g}", value)
    return float(value)


def whole(values: Values, key: str, low: int, high: int, default: int | None = None) -> int:
    value = _value(values, key, default)
    if not _is_number(value) or not low <= value <= high or value != int(value):
        raise _wrong(key, f"a whole number from {low} to {high}", value)
    return int(value)


def numbers(values: Values, key: str, count: int, low: float, high: float) -> tuple[float, ...]:
    """A list of ``count`` numbers."""
    found = values_of(values, key)
    if len(found) != count or not all(_is_number(value) and low <= value <= high for value in found):
        raise _wrong(key, f"{count} numbers from {low:g} to {high:g}", found)
    return tuple(map(float, found))


def text(values: Values, key: str, default: str | None = None, *, among: Sequence[str] = ()) -> str:
    """One line. among: those that are known; empty: any."""
    value = _value(values, key, default)
    if not _is_line(value):
        raise _wrong(key, "one line of text", value)
    if among and value not in among:
        raise _wrong(key, f"one of {', '.join(among)}", value)
    return value


def texts(values: Values, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
    """A list of names; one name need not be in a list."""
    value = _value(values, key, default)
    found = (value,) if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(one and _is_line(one) for one in found):
        raise _wrong(key, "a list of names", value)
    return tuple(found)


def flag(values: Values, key: str, default: bool | None = None) -> bool:
    value = _value(values, key, default)
    if not isinstance(value, bool):
        raise _wrong(key, "true or false", value)
    return value


def values_of(values: Values, key: str) -> list[Any]:
    """A list of anything."""
    value = _value(values, key, None)
    if not isinstance(value, list):
        raise _wrong(key, "a list", value)
    return value


def section(values: Values, key: str) -> dict[str, Any]:
    """An object in an object."""
    value = _value(values, key, None)
    if not isinstance(value, dict):
        raise _wrong(key, "an object, {...}", value)
    return value


def _value(values: Values, key: str, default: Any) -> Any:
    if key not in values and default is None:
        raise ValueError(f"{key!r} is missing")
    return values.get(key, default)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_line(value: Any) -> bool:
    """Whether it is text that a terminal shows as one line: no line breaks, control characters or half characters."""
    return isinstance(value, str) and not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(sign) for sign in value}


def _wrong(key: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"{key!r} must be {wanted}, got {reprlib.repr(value)}")
