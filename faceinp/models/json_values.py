"""Reads untrusted JSON value by value, and raises a ValueError for one of a wrong type or out of bounds.

The caller adds the file's name and what to do. Bounds are finite, so that NaN and infinity, which Python's JSON
accepts, are always out of bounds. A default of None means that the value is required.
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
    """Parse JSON. Raises ValueError where it is malformed or nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_object(text: str) -> dict[str, Any]:
    """Like ``parse``, for an object: {...}."""
    if not isinstance(content := parse(text), dict):
        raise ValueError(f"it must be an object, {{...}}, got {reprlib.repr(content)}")
    return content


def read_object(file: Path) -> dict[str, Any]:
    """Like ``parse_object``, for a UTF-8 file with or without a byte order mark. Also raises OSError."""
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
    items = values_of(values, key)
    if len(items) != count or not all(_is_number(item) and low <= item <= high for item in items):
        raise _wrong(key, f"{count} numbers from {low:g} to {high:g}", items)
    return tuple(map(float, items))


def text(values: Values, key: str, default: str | None = None, *, among: Sequence[str] = ()) -> str:
    """One line of text. among: the allowed values; empty: any."""
    value = _value(values, key, default)
    if not _is_line(value):
        raise _wrong(key, "one line of text", value)
    if among and value not in among:
        raise _wrong(key, f"one of {', '.join(among)}", value)
    return value


def texts(values: Values, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
    """A list of names, or a single name."""
    value = _value(values, key, default)
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(name and _is_line(name) for name in names):
        raise _wrong(key, "a list of names", value)
    return tuple(names)


def flag(values: Values, key: str, default: bool | None = None) -> bool:
    value = _value(values, key, default)
    if not isinstance(value, bool):
        raise _wrong(key, "true or false", value)
    return value


def values_of(values: Values, key: str) -> list[Any]:
    """A list with elements of any type."""
    value = _value(values, key, None)
    if not isinstance(value, list):
        raise _wrong(key, "a list", value)
    return value


def section(values: Values, key: str) -> dict[str, Any]:
    """A nested object."""
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
    """Whether it is text that a terminal shows as one line: no line breaks, control characters or lone surrogates."""
    return isinstance(value, str) and not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(sign) for sign in value}


def _wrong(key: str, wanted: str, value: Any) -> ValueError:
    return ValueError(f"{key!r} must be {wanted}, got {reprlib.repr(value)}")
