"""The package's weights on a model hub: ``faceinp weights push`` and ``pull``, by huggingface-hub.

Who may write there is huggingface-hub's business: its login, or HF_TOKEN. HF_ENDPOINT names another hub.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faceinp.errors import MissingPackageError, WeightsError
from faceinp.models import catalogue, weights

ABOUT = ("*.md", "*.png", "*LICENSE*")  # model cards, their pictures, and terms


def push(repo: str, *, private: bool = False) -> str:
    """Upload every file of weights with its model card and the checksums; the address it has then.

    Nothing is uploaded unless every checksum is right. Arguments and errors as for ``upload_folder``.
    """
    for name in catalogue.CATALOGUE:
        weights.verify(name)
    return upload_folder(repo, weights.folder(), private=private, only=_wanted())


def upload_folder(
    repo: str,
    folder: Path,
    *,
    kind: str = "model",
    private: bool = False,
    only: list[str] | None = None,
    replace: list[str] | None = None,
) -> str:
    """Upload what lies in ``folder`` in one commit; the address it has then.

    repo: OWNER/NAME, made where there is none. kind: "model" or "space", which is one for Gradio. private: nobody else
    sees a repository that is made. only: patterns of the paths to upload. replace: patterns of paths in the
    repository: what ``folder`` does not have of these is removed.
    Raises WeightsError, and MissingPackageError without huggingface-hub.
    """
    with talking_to_the_hub(repo):
        from huggingface_hub import HfApi

        api = HfApi()
        sdk = "gradio" if kind == "space" else None
        address = api.create_repo(repo, repo_type=kind, space_sdk=sdk, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=repo, repo_type=kind, folder_path=folder, allow_patterns=only, delete_patterns=replace
        )
    return str(address)


def pull(repo: str, folder: Path | None = None) -> list[Path]:
    """Fetch the weights of ``repo`` into ``folder``, the package's own when None; the files.

    What is there already is not fetched again, and a download that broke off goes on where it was. A file whose
    checksum is not the recorded one is deleted. Raises WeightsError, and MissingPackageError without huggingface-hub.
    """
    folder = folder or weights.folder()
    with talking_to_the_hub(repo):
        from huggingface_hub import HfApi, snapshot_download

        commit = HfApi().model_info(repo).sha  # snapshot_download alone takes an old folder for an answer
        snapshot_download(repo, revision=commit, local_dir=folder, allow_patterns=_wanted())
    named = [name for kind in catalogue.CATALOGUE.values() for name in kind.files]
    files = [file for name in named if (file := folder / name).is_file()]
    if not files:
        raise WeightsError(f"There are no weights of ours in {repo}. Name the repository that `push` wrote to.")
    for file in files:
        try:
            weights.verify_file(file)
        except WeightsError:
            file.unlink()
            raise
    return files


def _wanted() -> list[str]:
    return [weights.CHECKSUMS, *ABOUT, *(name for kind in catalogue.CATALOGUE.values() for name in kind.files)]


@contextmanager
def talking_to_the_hub(repo: str) -> Iterator[None]:
    """What huggingface-hub raises, in our words."""
    try:
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ModuleNotFoundError as error:
        raise MissingPackageError("huggingface-hub", "hub") from error
    # The base of all that its HTTP library raises; which library that is differs between its versions.
    transport: type[Exception] = HfHubHTTPError.__bases__[0]
    try:
        yield
    except HFValidationError as error:
        raise WeightsError(f"{repo!r} is no repository ({error}). Name it as OWNER/NAME.") from error
    except (transport, OSError) as error:
        raise WeightsError(
            f"The hub and this machine did not come together over {repo} ({error}). Look at the name, the network and "
            "your login (`hf auth login`), and run it again: it goes on where it broke off."
        ) from error
