"""A run's settings in files: the papers' recipes, a user's own, and the copy that every run leaves in its folder.

What a flag says wins over ``--config``, that over ``--recipe``, and that over the defaults. ``--resume`` alone starts
from the copy in the run's folder.
"""

import argparse
import dataclasses
import json
import math
import shlex
import sys
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import faceinp
from faceinp.errors import DataError

FILE = "settings.toml"  # in a run's folder
EARLIER = "settings-{}.toml"  # beside it: those that a resumed run changed, by number
RECIPES = Path(__file__).parent / "recipes"
OPEN, DIFFERS = "open", "differs"  # what a recipe says beside settings
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
PASSING = ("resume",)  # says how a run was started, not what it is
# Settings that a resumed run may change without a note: they say where and how long it runs, and how it is watched.
FREE = (
    *("resume", "out", "init", "minutes", "threads", "decode", "graph"),
    *("log_every", "save_every", "preview_every", "keep_every", "tensorboard"),
)


@dataclass(frozen=True)
class Settings:
    """What files say of a training. values: of its fields. origins: of each value, for people: "recipe lafin".

    about: what the recipe is. open: what its paper does not say, by the setting that stands for it. differs: what stays
    different from the paper. recipe, config, resume, show: those flags, as they were given.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    about: str = ""
    open: dict[str, str] = field(default_factory=dict)
    differs: tuple[str, ...] = ()
    recipe: str = ""
    config: str = ""
    resume: bool = False
    show: bool = False

    @property
    def notes(self) -> list[str]:
        """What a user of the recipe has to know, a line each."""
        lines = [f"recipe {self.recipe}: {self.about}"] if self.recipe else []
        lines += [f"open: {name}: {why}" for name, why in self.open.items()]
        return lines + [f"differs: {line}" for line in self.differs]

    def overridden(self, config: Any) -> list[str]:
        """The flags, with their values, that a run with the settings ``config`` sets otherwise than the recipe."""
        return [
            f"{_flag(name)} {_shown(getattr(config, name))}"
            for name, value in self.values.items()
            if self.origins[name] == f"recipe {self.recipe}" and name not in FREE and getattr(config, name) != value
        ]


def recipes(training: str) -> tuple[str, ...]:
    """The names of those that have settings for ``training``."""
    return tuple(file.stem for file in sorted(RECIPES.glob("*.toml")) if training in _read(file))


def add_flags(parser: argparse.ArgumentParser, names: Sequence[str] = ()) -> None:
    """--recipe, one of ``names``, --config and --show."""
    if names:
        parser.add_argument("--recipe", default="", metavar="NAME", help=f"a paper's settings: {', '.join(names)}")
    parser.add_argument(
        "--config", default="", metavar="FILE", help=f"settings from a TOML or JSON file, such as a run's {FILE}"
    )
    parser.add_argument("--show", action="store_true", help="print the settings and end")


def from_flags(flags: Sequence[str], training: str, config: Any) -> Settings:
    """What the files say that ``flags`` name, or for ``--resume`` alone the run's own. config: of ``training``.

    Raises DataError for an unknown recipe, a file that cannot be read, an unknown setting or a value of another kind.
    """
    parser = argparse.ArgumentParser(prog=f"faceinp train {training}", add_help=False, allow_abbrev=False)
    add_flags(parser, recipes(training) or ("none",))
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("-o", "--out", default="")
    chosen, _ = parser.parse_known_args(flags)
    settings = Settings(recipe=chosen.recipe, config=chosen.config, resume=chosen.resume, show=chosen.show)
    own = Path(chosen.out) / FILE
    if chosen.resume and chosen.out and not chosen.recipe and not chosen.config and own.is_file():
        values = _from_file(own, training, config, lenient=True)
        return dataclasses.replace(settings, values=values, origins=dict.fromkeys(values, f"run {chosen.out}"))
    if chosen.recipe:
        settings = _with_recipe(settings, training, config)
    if chosen.config:
        values = _from_file(Path(chosen.config), training, config)
        origins = settings.origins | dict.fromkeys(values, f"config {chosen.config}")
        settings = dataclasses.replace(settings, values=settings.values | values, origins=origins)
    return settings


def _with_recipe(settings: Settings, training: str, config: Any) -> Settings:
    name, known = settings.recipe, recipes(training)
    if name not in known:
        raise DataError(f"There is no recipe {name!r} for {training}. Available: {', '.join(known) or 'none'}.")
    content = _read(RECIPES / f"{name}.toml")
    section = dict(content[training])
    opened, differs = section.pop(OPEN, {}), section.pop(DIFFERS, ())
    values = checked(section, config, f"recipe {name}")
    origins = dict.fromkeys(values, f"recipe {name}")
    return dataclasses.replace(
        settings, values=values, origins=origins, about=content["about"], open=opened, differs=tuple(differs)
    )


def _from_file(file: Path, training: str, config: Any, *, lenient: bool = False) -> dict[str, Any]:
    """lenient: settings that this version does not know are left out: another version began the run."""
    content = _read(file)
    of = content.get("training", training)
    if of != training:
        raise DataError(f"{file} holds settings of {of!r}, not of {training!r}. Give another --config.")
    if isinstance(content.get(training), dict) and "about" in content:
        raise DataError(
            f"{file} is a recipe, not settings. Give --recipe {file.stem}, or make settings of it: "
            f"`faceinp train {training} --recipe {file.stem} --show > mine.toml`."
        )
    values = content.get("settings", content)
    if not isinstance(values, dict):
        raise DataError(f"{file}: settings must be a table of values by name, got {values!r}.")
    if lenient:
        known = {each.name for each in dataclasses.fields(config)}
        values = {name: value for name, value in values.items() if name in known}
    return checked(values, config, str(file))


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        content = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{file} cannot be read as settings: {error}. Give a TOML file, or JSON in a .json.") from error
    if not isinstance(content, dict):
        raise DataError(f"{file} does not contain settings by name. Give a TOML file, or JSON in a .json.")
    return content


# ---- values ----


def option(default: Any, about: str, **rules: Any) -> Any:
    """A field of a run's settings. about: the help of its flag. rules: of its value, see ``check_values``."""
    return field(default=default, metadata={"help": about, **rules})


def checked(values: Mapping[str, Any], config: Any, source: str) -> dict[str, Any]:
    """``values`` for the fields of the dataclass ``config``, each as its kind; raises DataError. source: for errors."""
    kinds = typing.get_type_hints(config)
    names = {each.name for each in dataclasses.fields(config)}
    if unknown := [name for name in values if name not in names]:
        raise DataError(f"Unknown settings in {source}: {', '.join(unknown)}. `--show` prints the known ones.")
    return {name: _value(value, kinds[name], f"{source}: {name}") for name, value in values.items()}


def _value(value: Any, kind: Any, of: str) -> Any:
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise DataError(f"{of} must be a list, got {value!r}.")
        return tuple(_value(each, typing.get_args(kind)[0], of) for each in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # True is an int to isinstance
        raise DataError(f"{of} must be {KINDS[kind]}, got {value!r}.")
    return value


def check_values(config: Any) -> None:
    """Raise DataError where a field of ``config`` breaks a rule in its metadata, or is a number that is not finite.

    The rules: choices; least, most (inclusive); above, below (exclusive); multiple (and at least that).
    """
    for each in dataclasses.fields(config):
        value = getattr(config, each.name)
        choices = each.metadata.get("choices")
        if choices and value not in choices:
            raise DataError(f"{_flag(each.name)} must be one of {', '.join(choices)}, got {value!r}.")
        numbers = [number for number in (value if isinstance(value, tuple) else (value,)) if _is_number(number)]
        for number in numbers:
            if not _within(number, each.metadata):
                raise DataError(f"{_flag(each.name)} must {_bounds(each.metadata)}, got {number!r}.")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _within(number: float, rules: Mapping[str, Any]) -> bool:
    return (
        math.isfinite(number)
        and rules.get("least", number) <= number <= rules.get("most", number)
        and ("above" not in rules or number > rules["above"])
        and ("below" not in rules or number < rules["below"])
        and ("multiple" not in rules or (number >= rules["multiple"] and number % rules["multiple"] == 0))
    )


def _bounds(rules: Mapping[str, Any]) -> str:
    """The rules of a number in words, to follow "must"."""
    if "multiple" in rules:
        return f"be a multiple of {rules['multiple']}"
    if "least" in rules and "most" in rules:
        return f"lie between {rules['least']} and {rules['most']}"
    words = {"least": "at least", "most": "at most", "above": "above", "below": "below"}
    parts = [f"{word} {rules[rule]}" for rule, word in words.items() if rule in rules]
    return f"be {' and '.join(parts) or 'a finite number'}"


def changed(begun: Mapping[str, Any], config: Any) -> list[str]:
    """Flags of the settings that a run was ``begun`` with, where ``config`` has others: "--rate 0.1 (now 0.2)"."""
    now = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(config).items()}
    return [
        f"{_flag(name)} {_shown(value)} (now {_shown(now[name])})"
        for name, value in begun.items()
        if name in now and name not in FREE and value != now[name]
    ]


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value) or "nothing"


# ---- as text ----


def text(training: str, config: Any, settings: Settings | None = None, command: str = "") -> str:
    """All settings as TOML that ``--config`` takes, with comments on where values come from. config: the run's."""
    settings = settings or Settings()
    head = {"training": training, "version": faceinp.__version__, **({"command": command} if command else {})}
    lines = [f"# {line}" for line in settings.notes]
    lines += [f"{name} = {_toml(value)}" for name, value in head.items()] + ["", "[settings]"]
    for each in dataclasses.fields(config):
        if each.name in PASSING:
            continue
        value = getattr(config, each.name)
        planned = settings.values.get(each.name, each.default)
        origin = settings.origins.get(each.name, "") if value == planned else "command line"
        lines.append(f"{each.name} = {_toml(value)}" + (f"  # {origin}" if origin and settings.show else ""))
    return "\n".join(lines) + "\n"


def write(folder: Path, training: str, config: Any) -> None:
    """Leave a copy of all settings in a run's folder, with this version and the command that ran.

    A copy of other settings, of before a ``--resume``, stays as ``settings-1.toml`` and so on.
    """
    program = Path(sys.argv[0])
    called = ["python", "-m", program.parent.name] if program.stem == "__main__" else [program.name]
    command = shlex.join([*called, *sys.argv[1:]])
    file, content = folder / FILE, text(training, config, command=command)
    if file.is_file() and _values(file.read_text(encoding="utf-8")) != _values(content):
        file.rename(next(path for number in count(1) if not (path := folder / EARLIER.format(number)).exists()))
    file.write_text(content, encoding="utf-8")


def _values(content: str) -> Any:
    """The settings in the text of a file; the text itself where it is not TOML."""
    try:
        return tomllib.loads(content).get("settings")
    except tomllib.TOMLDecodeError:
        return content


def _toml(value: Any) -> str:
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)  # text, whole numbers, true and false are as in JSON
