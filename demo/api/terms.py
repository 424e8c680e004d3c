"""What the library says, in the terms of those who call the endpoints."""

import re

import gradio as gr

import faceinp

from ..server.uploads import without_folders

LONGEST = 500  # characters of a message: some repeat what was sent
# What the library says of the shell and of Python, and what a program calls it. Any other flag is an argument of an
# endpoint once its dashes are gone; commands stay what they are, since whoever runs the server has a shell.
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
    """What the library says, in the terms of the endpoints, and without the server's folders."""
    said, *rest = re.split("(`[^`]*`)", without_folders(text), maxsplit=1)
    for shells, ours in TERMS:
        said = said.replace(shells, ours)
    said = _FLAG.sub(_argument, _PYTHONS.sub("", said)).replace(",;", ";").replace(",.", ".")
    return said + (rest[0] + for_programs(rest[1]) if rest else "")


def _argument(flag: re.Match[str]) -> str:
    name, value = flag[1].replace("-", "_"), flag[2]
    return f"{name}={value if value.isdigit() else repr(value)}" if value else name


def refusal(error: faceinp.FaceinpError) -> gr.Error:
    """What a program is told of an error, to be raised."""
    said = for_programs(str(error))
    return gr.Error(said if len(said) <= LONGEST else f"{said[:LONGEST]} …", print_exception=False)
