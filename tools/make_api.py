"""Make the reference of the Python interface from its docstrings: python tools/make_api.py [FOLDER]"""

import sys
from pathlib import Path

import pdoc
import pdoc.render

import faceinp

ROOT = Path(__file__).resolve().parents[1]


def make(folder: Path) -> None:
    """Write index.html and one page with every name of ``faceinp.__all__`` into ``folder``."""
    for name in faceinp.__all__:  # pdoc looks into the module's dictionary, where a name stands once it was used
        setattr(faceinp, name, getattr(faceinp, name))
    pdoc.render.configure(docformat="markdown", show_source=False)
    pdoc.pdoc("faceinp", output_directory=folder)


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "api")
