"""Messages of the library in the terms of the endpoints."""

import re

import gradio as gr

import faceinp

from ..server.uploads import without_folders

MAX_LENGTH = 500  # characters of a message: some repeat what was sent
# Options of the command line and of Python, and the arguments of the endpoints. Any other flag without its dashes is an
# argument of an endpoint. Commands stay, since the operator of the server has a shell.
TERMS = (
    (" Choose another one with --page (page= of read_photo).", ""),
    ("(references=, --reference)", "(references)"),
    (" (--no-reference-check)", ""),
    ("--box X,Y,W,H", "--box"),
    ("--box", 'location={"box": [x, y, width, height]}'),
    ("--points", 'points, location={"points": [[x, y], ...]},'),
)
_PYTHONS = re.compile(r" \((?:[a-z_]+=|FaceLocation)[^()]*\)|(?<=points) in Python")
_FLAG = re.compile(r"(?<!install )--([a-z]+(?:-[a-z]+)*)(?: (\d+|white|black)\b)?")


def for_programs(text: str) -> str:
    """A message of the library in the terms of the endpoints, without the server's folders."""
    start, *rest = re.split("(`[^`]*`)", without_folders(text), maxsplit=1)
    for option, argument in TERMS:
        start = start.replace(option, argument)
    start = _FLAG.sub(_argument, _PYTHONS.sub("", start)).replace(",;", ";").replace(",.", ".")
    return start + (rest[0] + for_programs(rest[1]) if rest else "")


def _argument(flag: re.Match[str]) -> str:
    name, value = flag[1].replace("-", "_"), flag[2]
    return f"{name}={value if value.isdigit() else repr(value)}" if value else name


def refusal(error: faceinp.FaceinpError) -> gr.Error:
    """An error of the library as one of the endpoint, to be raised."""
    text = for_programs(str(error))
    return gr.Error(text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]} …", print_exception=False)
