"""Deprecated calls, which still work, with a DeprecationWarning."""

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def options_as_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: moves keywords that ``function`` does not have into its ``options``, with a DeprecationWarning.

    Engine options were keywords of ``fill``, ``fill_many`` and ``load_engine`` in earlier versions. The signature stays
    that of ``function``, so that type checkers report these keywords, and misspelt ones.
    """
    parameters = frozenset(inspect.signature(function).parameters)

    @functools.wraps(function)
    def wrapper(*args: Any, **keywords: Any) -> Any:
        options = {name: keywords.pop(name) for name in [*keywords] if name not in parameters}
        if options:
            warn(
                f"{function.__name__}({', '.join(f'{name}=...' for name in options)}) is deprecated for engine "
                f"options. Write options={options!r}."
            )
            keywords["options"] = {**(keywords.get("options") or {}), **options}
        return function(*args, **keywords)

    return wrapper


def warn(message: str) -> None:
    """Issue a DeprecationWarning for the innermost line outside of this package."""
    level = 1
    while sys._getframe(level).f_globals.get("__name__", "").partition(".")[0] == "faceinp":
        level += 1
    warnings.warn(message, DeprecationWarning, stacklevel=level + 1)
