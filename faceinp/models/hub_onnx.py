"""Exported ONNX files on a model hub, for users without torch: ``faceinp weights push`` and ``pull`` with ``--onnx``.

The folder ``onnx`` of a repository has the files, their sidecars and a README.md that describes inputs and outputs;
``onnx/terms`` has the licences and model cards of the weights in them.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faceinp.errors import WeightsError
from faceinp.models import catalogue, input_limits, json_values, sidecar, weights
from faceinp.models.hub import hub_errors, upload_folder

FOLDER = Path("onnx")  # of the repository, and the default folder of `pull`
TERMS = "terms"  # a subfolder, so that `pull` overwrites no LICENSE of the user
CARD = """# ONNX files of faceinp

They need onnxruntime only, neither torch nor faceinp. To download one and verify its checksum:

    pip install 'faceinp[hub]'
    faceinp weights pull {repo} --onnx {first}

`FILE.onnx.json` beside each file has the same facts for programs. Parity is the error against torch on seeded pictures
and holes, in units of the output. For 8-bit pictures it is in shares of 255, without one grey level for rounding.
"""


def push(repo: str, folder: Path, *, private: bool = False) -> str:
    """Upload the ONNX files of ``folder`` with sidecars, licences and a README.md; returns the repository's address.

    ONNX files of the repository that ``folder`` does not have are deleted. Arguments as of ``hub.upload_folder``.
    Raises WeightsError, before anything is uploaded, for a file that does not match its sidecar or the package's
    weights, or is untrained; MissingPackageError without huggingface-hub.
    """
    files = sorted(folder.glob("*.onnx"))
    if not files:
        raise WeightsError(f"{folder} has no ONNX files. Run: faceinp export onnx all -o {folder}")
    described = {file: _checked(file) for file in files}
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / FOLDER
        (out / TERMS).mkdir(parents=True)
        for file, about in described.items():
            for source in (file, sidecar.path(file)):
                shutil.copy(source, out)
            for source in _terms(about):
                shutil.copy(source, out / TERMS)
        card = [CARD.format(repo=repo, first=files[0].stem), *(_section(*each) for each in described.items())]
        (out / "README.md").write_text("\n".join(card), encoding="utf-8")
        replace = [f"{FOLDER}/{pattern}" for pattern in ("*.onnx", "*.onnx.json", f"{TERMS}/*")]
        return upload_folder(repo, Path(scratch), private=private, replace=replace)


def pull(repo: str, folder: Path, names: Sequence[str] = ()) -> dict[Path, dict[str, Any]]:
    """Download the ONNX files of ``repo`` into ``folder``: file -> its sidecar.

    names: of the files, with or without ".onnx"; empty: all. Existing files are kept, and an interrupted download
    resumes. Files are moved into ``folder`` once all match their sidecars; else none is kept.
    Raises WeightsError, and MissingPackageError without huggingface-hub.
    """
    scratch = folder / ".faceinp-hub"  # always the same, so that a download can resume
    fetched = scratch / FOLDER
    with hub_errors(repo):
        from huggingface_hub import HfApi, snapshot_download

        about = HfApi().model_info(repo)
    chosen = _chosen(repo, [file.rfilename for file in about.siblings or ()], names)
    folder.mkdir(parents=True, exist_ok=True)
    with hub_errors(repo):

        def fetch(*files: str) -> None:
            paths = [f"{FOLDER}/{name}" for name in files]
            snapshot_download(repo, revision=about.sha, local_dir=scratch, allow_patterns=paths)

        fetch(*(f"{name}.json" for name in chosen), f"{TERMS}/*")
        missing = [name for name in chosen if not _is_current(folder / name, fetched / f"{name}.json")]
        if missing:
            fetch(*missing)
    try:
        _move_verified(repo, fetched, folder, missing)
    finally:
        shutil.rmtree(scratch)
    return {folder / name: sidecar.read(folder / name) for name in chosen}


def _move_verified(repo: str, fetched: Path, folder: Path, names: Sequence[str]) -> None:
    """Move downloaded files to ``folder``. Raises WeightsError, and moves none, if one does not match its sidecar."""
    for name in names:
        try:
            sidecar.read(fetched / name)
        except WeightsError as error:
            raise WeightsError(
                f"{name} from {repo} does not match its sidecar, so all files of this download were deleted. Try again "
                "later, or upload it again."
            ) from error
    for name in names:
        sidecar.move(fetched / name, folder / name)
    if (fetched / TERMS).is_dir():  # weights that a user trained may have none
        shutil.copytree(fetched / TERMS, folder / TERMS, dirs_exist_ok=True)


def _chosen(repo: str, paths: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names of the files to download. paths: all of the repository. Raises WeightsError for unknown names."""
    available = sorted(path.name for path in map(Path, paths) if path.parent == FOLDER and path.suffix == ".onnx")
    if not available:
        raise WeightsError(f"{repo} has no ONNX files. Use a repository of `faceinp weights push --onnx`.")
    chosen = [f"{name.removesuffix('.onnx')}.onnx" for name in names] or available
    if unknown := set(chosen) - set(available):
        raise WeightsError(f"{repo} does not have {', '.join(sorted(unknown))}. Available: {', '.join(available)}.")
    return list(dict.fromkeys(chosen))


def _is_current(file: Path, newest: Path) -> bool:
    """Whether ``file`` is intact and is the file that the sidecar ``newest`` describes."""
    try:
        return sidecar.read(file)["sha256"] == sidecar.load(file, newest).get("sha256")
    except WeightsError:
        return False


def _checked(file: Path) -> dict[str, Any]:
    """The sidecar of ``file``. Raises WeightsError if its weights are not the package's."""
    about = sidecar.read(file)
    if not about["trained"]:
        raise WeightsError(f"{file} contains an untrained network. Add its weights and export it again.")
    for name, digest in about["weights"].items():
        if digest != weights.sha256(_weights_file(name)):
            raise WeightsError(f"{file} was exported from another version of {name}. Export it again.")
    return about


def _weights_file(name: str) -> Path:
    """The path of the weights whose file is called ``name``. Raises WeightsError if they are unknown."""
    for entry in catalogue.CATALOGUE.values():
        if entry.file == name:
            return weights.path(entry.name)
    raise WeightsError(f"Unknown weights {name}. Export the file again with this version.")


def _terms(about: dict[str, Any]) -> Iterator[Path]:
    """Licence files, model cards and their pictures, of the weights that a file was exported from."""
    for file in map(_weights_file, about["weights"]):
        family = file.stem.partition("-")[0]  # the three networks of mtcnn share one card and one licence
        documents = [path for suffix in (".md", ".LICENSE", "*.png") for path in file.parent.glob(f"{family}{suffix}")]
        yield from documents
        if not any("LICENSE" in path.name for path in documents):
            yield from file.parent.glob("LICENSE")


def _section(file: Path, about: dict[str, Any]) -> str:
    """The section of README.md on a file. Raises WeightsError if its sidecar lacks a value."""
    try:
        lines = [
            f"## {file.name}",
            "",
            f"{about['about']}.",
            "",
            *(f"- **In**: `{name}`, {json_values.text(about['inputs'], name)}" for name in about["inputs"]),
            *(f"- **Out**: `{name}`, {json_values.text(about['outputs'], name)}" for name in about["outputs"]),
            *(f"- **{name}**: {axis}" for name, axis in input_limits.from_json(about["limits"]).axes.items()),
            f"- **Size**: {file.stat().st_size / 1e6:.1f} MB, {about['precision']}",
            f"- **SHA-256**: `{about['sha256']}`",
            f"- **onnxruntime**: {json_values.text(json_values.section(about, 'runtime'), 'onnxruntime')} or newer",
            *(f"- **Parity** of `{name}`: {error}" for name, error in _errors(about).items()),
            f"- **Made of**: {', '.join(about['weights'])}",
            f"- **Licence**: {about['licence']} (`{TERMS}/`)",
        ]
    except ValueError as error:
        raise WeightsError(
            f"{sidecar.path(file)} was written by an earlier version ({error}). Export {file.name} again."
        ) from error
    return "\n".join([*lines, ""])


def _errors(about: dict[str, Any]) -> dict[str, str]:
    """Output -> its largest and its mean error over all cases, as text."""
    worst: dict[str, tuple[float, float]] = {}
    for entry in json_values.values_of(about, "errors"):
        error = json_values.section({"errors": entry}, "errors")
        name = json_values.text(error, "output")
        largest, mean = worst.get(name, (0.0, 0.0))
        worst[name] = (
            max(largest, json_values.number(error, "max", 0, 1e9)),
            max(mean, json_values.number(error, "mean", 0, 1e9)),
        )
    if worst.keys() != about["outputs"].keys():
        raise ValueError("'errors' does not cover every output")
    return {name: f"at most {largest:.1e}, {mean:.1e} on average" for name, (largest, mean) in worst.items()}
