"""Make ``demo/naturalness.json`` of the table ``sketched``: how natural each engine's fills look, by hole."""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES = ROOT / "docs" / "measurements" / "sketched.jsonl"
SET = "celeba-val"
NO_SHAPE = "eye-scratch"  # no two are alike enough to be recognised


def made() -> str:
    """The file's text."""
    figures: dict[str, dict[str, float]] = {}
    for line in map(json.loads, LINES.read_text(encoding="utf-8").splitlines()):
        if line["set"] == SET and line["mask"] not in ("", NO_SHAPE) and "naturalness" in line["measures"]:
            engine = line["engine"].removesuffix("+pipeline")
            figures.setdefault(line["mask"], {})[engine] = round(line["measures"]["naturalness"]["mean"], 2)
    return json.dumps(figures, indent=1) + "\n"


if __name__ == "__main__":
    (ROOT / "demo" / "naturalness.json").write_text(made(), encoding="utf-8")
