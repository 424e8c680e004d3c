"""What earlier versions allowed and this one still does, with a warning."""

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def options_as_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: keywords that ``function`` does not have go into its ``options``, with a DeprecationWarning.

    Engine options were keywords of ``fill``, ``fill_many`` and ``load_engine`` once. The signature stays that of
    ``function``, so that a type checker reports each of these keywords, and each that is misspelt.
    """
    parameters = frozenset(inspect.signature(function).parameters)

    @functools.wraps(function)
    def accepting(*args: Any, **keywords: Any) -> Any:
        given = {name: keywords.pop(name) for name in [*keywords] if name not in parameters}
        if given:
            warn(
                f"{function.__name__}({', '.join(f'{name}=...' for name in given)}) is deprecated for engine options. "
                f"Write options={given!r}."
            )
            keywords["options"] = {**(keywords.get("options") or {}), **given}
        return function(*args, **keywords)

    return accepting


def warn(message: str) -> None:
    """A DeprecationWarning at the line outside of this package that led here."""
    level = 1
    while sys._getframe(level).f_globals.get("__name__", "").partition(".")[0] == "faceinp":
        level += 1
    warnings.warn(message, DeprecationWarning, stacklevel=level + 1)
