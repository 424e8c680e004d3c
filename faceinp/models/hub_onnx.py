"""Exported ONNX files on a model hub, for who has no torch: ``faceinp weights push`` and ``pull`` with ``--onnx``.

They lie in the folder ``onnx`` of a repository, each with its sidecar, beside a README.md that says what each takes and
gives; ``onnx/terms`` has licences and model cards of the weights that they were made of.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faceinp.common import json_values
from faceinp.errors import WeightsError
from faceinp.models import catalogue, input_limits, sidecar, weights
from faceinp.models.hub import talking_to_the_hub, upload_folder

FOLDER = Path("onnx")  # of the repository, and where `pull` puts files when nobody says another
TERMS = "terms"  # a folder of its own: nobody's LICENSE is overwritten where files are fetched to
CARD = """# ONNX files of faceinp

They need onnxruntime, and neither torch nor faceinp. To fetch one and compare its checksum:

    pip install 'faceinp[hub]'
    faceinp weights pull {repo} --onnx {first}

`FILE.onnx.json` beside each has all of this for programs. Parity is the error against torch on seeded pictures and
holes, in units of the output; of pictures in 8 bits in shares of 255, beyond the one grey level that rounding takes.
"""


def push(repo: str, folder: Path, *, private: bool = False) -> str:
    """Upload every ONNX file of ``folder`` with sidecar, terms and a README.md; the address it has then.

    ONNX files of the repository that ``folder`` does not have are removed. Arguments as of ``hub.upload_folder``.
    Raises WeightsError, before anything is uploaded, for a file that differs from its sidecar, is not of the weights
    that are here, or is untrained; MissingPackageError without huggingface-hub.
    """
    files = sorted(folder.glob("*.onnx"))
    if not files:
        raise WeightsError(f"There are no ONNX files in {folder}. Write some: faceinp export onnx all -o {folder}")
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
    """Fetch the ONNX files of ``repo``, all or those called ``names``, into ``folder``: file -> its sidecar.

    A name may lack its ".onnx". What is there already is not fetched again, and a download that broke off goes on where
    it was. Files get their places when all have the checksums of their sidecars; else none is kept. Raises
    WeightsError, and MissingPackageError without huggingface-hub.
    """
    scratch = folder / ".faceinp-hub"  # always the same, so that a download can go on
    fetched = scratch / FOLDER
    with talking_to_the_hub(repo):
        from huggingface_hub import HfApi, snapshot_download

        about = HfApi().model_info(repo)
    chosen = _chosen(repo, [file.rfilename for file in about.siblings or ()], names)
    folder.mkdir(parents=True, exist_ok=True)
    with talking_to_the_hub(repo):

        def fetch(*wanted: str) -> None:
            paths = [f"{FOLDER}/{name}" for name in wanted]
            snapshot_download(repo, revision=about.sha, local_dir=scratch, allow_patterns=paths)

        fetch(*(f"{name}.json" for name in chosen), f"{TERMS}/*")
        missing = [name for name in chosen if not _is_here(folder / name, fetched / f"{name}.json")]
        if missing:
            fetch(*missing)
    try:
        for name in missing:
            try:
                sidecar.read(fetched / name)
            except WeightsError as error:
                raise WeightsError(
                    f"What came from {repo} is not as it was pushed, and nothing was kept: {name} is damaged, or not "
                    "the file that its sidecar describes. Try again later, or have it pushed again."
                ) from error
        for name in missing:
            sidecar.move(fetched / name, folder / name)
        if (fetched / TERMS).is_dir():  # weights of one's own may have none
            shutil.copytree(fetched / TERMS, folder / TERMS, dirs_exist_ok=True)
    finally:
        shutil.rmtree(scratch)
    return {folder / name: sidecar.read(folder / name) for name in chosen}


def _chosen(repo: str, paths: Sequence[str], names: Sequence[str]) -> list[str]:
    """The names of the files to fetch. paths: all of the repository. Raises WeightsError for what is not there."""
    there = sorted(path.name for path in map(Path, paths) if path.parent == FOLDER and path.suffix == ".onnx")
    if not there:
        raise WeightsError(
            f"There are no ONNX files in {repo}. Name the repository that `faceinp weights push --onnx` wrote to."
        )
    wanted = [f"{name.removesuffix('.onnx')}.onnx" for name in names] or there
    if unknown := set(wanted) - set(there):
        raise WeightsError(f"There is no {', '.join(sorted(unknown))} in {repo}. There are: {', '.join(there)}.")
    return list(dict.fromkeys(wanted))


def _is_here(file: Path, described: Path) -> bool:
    """Whether ``file`` and its sidecar are the ones that the sidecar ``described`` belongs to."""
    try:
        return sidecar.read(file)["sha256"] == sidecar.load(file, described).get("sha256")
    except WeightsError:
        return False


def _checked(file: Path) -> dict[str, Any]:
    """The sidecar of ``file``, whose weights are those that are here. Raises WeightsError."""
    about = sidecar.read(file)
    if not about["trained"]:
        raise WeightsError(f"{file} holds an untrained network. Put its weights in place and export it again.")
    for name, digest in about["weights"].items():
        if digest != weights.sha256(_weights_file(name)):
            raise WeightsError(f"{file} was made of another {name} than the one that is here. Export it again.")
    return about


def _weights_file(name: str) -> Path:
    """Where the weights lie whose file is called ``name``. Raises WeightsError."""
    for kind in catalogue.CATALOGUE.values():
        if kind.file == name:
            return weights.path(kind.name)
    raise WeightsError(f"There are no weights of ours called {name}. Export the file again with this version.")


def _terms(about: dict[str, Any]) -> Iterator[Path]:
    """Licence files and model cards, with their pictures, of the weights that a file was made of."""
    for place in map(_weights_file, about["weights"]):
        family = place.stem.partition("-")[0]  # the three networks of mtcnn have one card and one licence
        found = [file for kind in (".md", ".LICENSE", "*.png") for file in place.parent.glob(f"{family}{kind}")]
        yield from found
        if not any("LICENSE" in file.name for file in found):
            yield from place.parent.glob("LICENSE")


def _section(file: Path, about: dict[str, Any]) -> str:
    """What the README.md says of a file. Raises WeightsError where its sidecar lacks something."""
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
        raise WeightsError(f"{sidecar.path(file)} is of an earlier version ({error}). Export it again.") from error
    return "\n".join([*lines, ""])


def _errors(about: dict[str, Any]) -> dict[str, str]:
    """Output -> its largest and its mean error in words, the worst of all cases."""
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
        raise ValueError("'errors' lacks an output")
    return {name: f"at most {largest:.1e}, {mean:.1e} on average" for name, (largest, mean) in worst.items()}
