"""Values out of JSON that somebody else wrote: each of its type and within its bounds, or a sentence."""

from collections.abc import Callable
from typing import Any

import pytest

from faceinp.models import json_values

NAN, INFINITY = float("nan"), float("inf")


def whole(about: dict[str, Any]) -> int:
    return json_values.whole(about, "key", 0, 9)


def number(about: dict[str, Any]) -> float:
    return json_values.number(about, "key", -1, 1)


def pair(about: dict[str, Any]) -> tuple[float, ...]:
    return json_values.numbers(about, "key", 2, 0, 1)


def line(about: dict[str, Any]) -> str:
    return json_values.text(about, "key")


def choice(about: dict[str, Any]) -> str:
    return json_values.text(about, "key", among=("one", "two"))


def names(about: dict[str, Any]) -> tuple[str, ...]:
    return json_values.texts(about, "key")


def flag(about: dict[str, Any]) -> bool:
    return json_values.flag(about, "key")


def part(about: dict[str, Any]) -> dict[str, Any]:
    return json_values.section(about, "key")


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (whole, 9, 9),
        (whole, 3.0, 3),
        (number, 0.5, 0.5),
        (pair, [0, 1], (0.0, 1.0)),
        (line, "Größe 1, für alle", "Größe 1, für alle"),
        (choice, "two", "two"),
        (names, ["a", "b"], ("a", "b")),
        (names, "facenet", ("facenet",)),
        (names, [], ()),
        (flag, False, False),
        (part, {"a": 1}, {"a": 1}),
    ],
)
def test_what_is_as_it_should_be_is_read(read: Callable[..., Any], value: Any, expected: Any) -> None:
    assert read({"key": value}) == expected


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (whole, [-1, 10, 10**400, 1.5, NAN, INFINITY, "3", True, None, [3], {}]),
        (number, [2, 10**400, NAN, -INFINITY, "0", False, None, [0]]),
        (pair, [[0], [0, 1, 1], [0, NAN], [0, "1"], [0, 2], "01", {"a": 0, "b": 1}, None]),
        (line, [3, None, ["a"], "two\nlines", "\x1b[2J", "\ud800"]),
        (choice, ["three", ["one"], {}]),
        (names, [5, None, [5], [["a"]], [""], "", {"a": 1}, ["a\nb"]]),
        (flag, [0, 1, "true", None, []]),
        (part, [[], "a", None, 1]),
    ],
)
def test_what_is_not_is_a_sentence(read: Callable[..., Any], wrong: list[Any]) -> None:
    for value in wrong:
        with pytest.raises(ValueError, match=r"^'key' must be .*, got ") as raised:
            read({"key": value})
        assert len(str(raised.value)) < 200 and str(raised.value).isprintable()
    with pytest.raises(ValueError, match=r"^'key' is missing"):
        read({})


def test_defaults_are_taken_where_nothing_is_said() -> None:
    assert json_values.whole({}, "key", 1, 9, 3) == 3 and json_values.number({}, "key", 1, 9, 1.5) == 1.5
    assert (
        json_values.text({}, "key", "") == ""
        and json_values.texts({}, "key", ()) == ()
        and json_values.flag({}, "key", False) is False
    )


def test_what_is_no_object_is_a_sentence() -> None:
    for text in ("", "nothing", "[1]", "null", "{", "[" * 100_000, '{"a":' * 100_000, "9" * 5000):
        with pytest.raises(ValueError, match=r"."):
            json_values.parse_object(text)
