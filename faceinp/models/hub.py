"""The package's weights on a model hub, by huggingface-hub: ``faceinp weights push`` and ``pull``.

Uploading needs a login (`hf auth login`) or HF_TOKEN. HF_ENDPOINT names another hub.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceinp.errors import MissingPackageError, WeightsError
from faceinp.models import catalogue, weights

DOCUMENTS = ("*.md", "*.png", "*LICENSE*")  # model cards, their pictures, and licences


def push(repo: str, *, private: bool = False) -> str:
    """Upload all weights with model cards and checksums, and return the address of the repository.

    All checksums are verified first. Arguments and errors as for ``upload_folder``.
    """
    for name in catalogue.CATALOGUE:
        weights.verify(name)
    return upload_folder(repo, weights.folder(), private=private, only=_patterns())


def upload_folder(
    repo: str,
    folder: Path,
    *,
    kind: str = "model",
    private: bool = False,
    only: list[str] | None = None,
    replace: list[str] | None = None,
) -> str:
    """Upload the files of ``folder`` in one commit, and return the address of the repository.

    repo: OWNER/NAME, created if it does not exist. kind: "model", or "space" for a Gradio page. private: create it as a
    private repository. only: patterns of the paths to upload. replace: patterns of the paths in the repository that are
    deleted if ``folder`` does not have them.
    Raises WeightsError, and MissingPackageError without huggingface-hub.
    """
    with hub_errors(repo):
        from huggingface_hub import HfApi

        api = HfApi()
        sdk = "gradio" if kind == "space" else None
        address = api.create_repo(repo, repo_type=kind, space_sdk=sdk, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repo, repo_type=kind, folder_path=folder, allow_patterns=only, delete_patterns=replace
        )
    return str(address)


def pull(repo: str, folder: Path | None = None) -> list[Path]:
    """Download the weights of ``repo`` into ``folder`` (default: ``weights.folder()``), and return the files.

    Existing files are not downloaded again, and an interrupted download resumes. A file with a wrong checksum is
    deleted. Raises WeightsError, and MissingPackageError without huggingface-hub.
    """
    folder = folder or weights.folder()
    with hub_errors(repo):
        from huggingface_hub import HfApi, snapshot_download

        commit = HfApi().model_info(repo).sha  # without it, snapshot_download may return an outdated folder
        snapshot_download(repo, revision=commit, local_dir=folder, allow_patterns=_patterns())
    names = [name for entry in catalogue.CATALOGUE.values() for name in entry.files]
    files = [file for name in names if (file := folder / name).is_file()]
    if not files:
        raise WeightsError(f"{repo} has no weights of faceinp. Use a repository of `faceinp weights push`.")
    for file in files:
        try:
            weights.verify_file(file)
        except WeightsError:
            file.unlink()
            raise
    return files


def _patterns() -> list[str]:
    """The names of the files to exchange."""
    return [weights.CHECKSUMS, *DOCUMENTS, *(name for entry in catalogue.CATALOGUE.values() for name in entry.files)]


@contextmanager
def hub_errors(repo: str) -> Iterator[None]:
    """Turn the errors of huggingface-hub into WeightsError and MissingPackageError."""
    try:
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ModuleNotFoundError as error:
        raise MissingPackageError("huggingface-hub", "hub") from error
    # The base class of its HTTP library's errors; the library differs between versions of huggingface-hub.
    transport: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        yield
    except HFValidationError as error:
        raise WeightsError(f"{repo!r} is no valid repository name ({error}). Use OWNER/NAME.") from error
    except (transport, OSError) as error:
        raise WeightsError(
            f"The hub cannot be reached for {repo} ({error}). Check the name, the network and your login (`hf auth "
            "login`), and run the command again: it resumes."
        ) from error
