"""The page as a Hugging Face Space: ``python -m faceinp.demo.space build DIR`` writes it, ``push NAME`` uploads it.

The folder holds the package as the wheel has it, page and weights inside, so that the Space installs what
``requirements.txt`` lists, starts ``app.py``, and fetches nothing more.
"""

import argparse
import re
import shutil
import sys
import tempfile
from importlib.metadata import requires, version
from pathlib import Path

import faceinp

EXTRAS = ("demo", "torch")
README = """---
title: Restore a photo
emoji: 🩹
colorFrom: green
colorTo: gray
sdk: gradio
sdk_version: {gradio}
python_version: "3.11"
app_file: app.py
pinned: false
license: other
license_name: research-only-weights
---

# Restore a photo

Load a photo, mark what you want to remove, such as scratches or glasses, and press Fill. The code is Apache-2.0; the
weights are for research only. Photos are deleted when their visitor leaves.
"""
APP = '''"""The start script of the Space: serves the page."""

import os

from faceinp.demo.__main__ import main

# Requests come through the hub's proxies, which name the visitor: limits hold for each visitor.
os.environ.setdefault("FORWARDED_ALLOW_IPS", "10.0.0.0/8,172.16.0.0/12,192.168.0.0/16")
main(["--host", "0.0.0.0", "--frame-ancestors", "https:"])
'''


def build(folder: Path) -> Path:
    """Write the Space into ``folder``, which must be new or empty. Raises FaceinpError where it is not."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise faceinp.FaceinpError(f"{folder} is not empty. Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    package, ignored = folder / "faceinp", shutil.ignore_patterns("__pycache__", "_weights", "node_modules")
    shutil.copytree(Path(faceinp.__file__).parent, package, ignore=ignored)
    for name in ("demo", "export"):  # side by side in the wheel and in a checkout
        source = Path(__file__).parent.parent / name
        shutil.copytree(source, package / name, ignore=ignored, dirs_exist_ok=True)
    shutil.copytree(faceinp.weights_folder(), package / "_weights")
    (folder / "README.md").write_text(README.format(gradio=version("gradio")))
    (folder / "requirements.txt").write_text("\n".join(requirements()) + "\n")
    (folder / "app.py").write_text(APP)
    return folder


def requirements() -> list[str]:
    """The requirements of faceinp with EXTRAS, for pip."""
    needed = []
    for line in requires("faceinp") or ():
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
        if extra is None or extra[1] in EXTRAS:
            needed.append(requirement.strip())
    return needed


def push(repo: str, *, private: bool = False) -> str:
    """Build the Space and upload it to ``repo``, OWNER/NAME, which is created if needed. Returns its URL.

    Raises what ``faceinp.upload_folder`` raises.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return faceinp.upload_folder(repo, build(Path(scratch) / "space"), kind="space", private=private)


def main(argv: list[str] | None = None) -> int:
    """Run ``build`` or ``push`` and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m faceinp.demo.space", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("build", help="write the folder of the Space").add_argument("folder", type=Path)
    pushing = commands.add_parser("push", help="build the Space and upload it")
    pushing.add_argument("repository", metavar="OWNER/NAME")
    pushing.add_argument("--private", action="store_true", help="make a new Space private")
    options = parser.parse_args(argv)
    try:
        print(
            build(options.folder) if options.command == "build" else push(options.repository, private=options.private)
        )
    except faceinp.FaceinpError as error:
        print(f"demo.space: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
