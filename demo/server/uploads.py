"""Uploads that are deleted as soon as they have been read.

Gradio names uploads by their content, so that two visitors with the same photo share a file, and keeps them for an
hour. Here each upload gets a folder of its own.
"""

import inspect
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gradio as gr
import gradio.processing_utils
import gradio.routes
from fastapi import HTTPException
from gradio.components.base import server
from gradio.data_classes import FileData
from gradio.processing_utils import async_ssrf_protected_download
from gradio.route_utils import secure_url_stream_response, upload_fn
from gradio.utils import get_upload_folder
from starlette.requests import ClientDisconnect

import faceinp

MAX_UNREAD_PICTURES = 64  # of the editor, for all visitors
MAX_LAYERS = 4
MAX_PICTURE = 32 << 20  # bytes of a picture of the editor
EDITOR_FILE = re.compile(r"(?:background|composite|layer_\d+)\.png")
NO_DOWNLOADS = "This server downloads no files. Upload the file and pass the path that the upload returns."
_UPLOAD = "upload-"
# The folders of an absolute path; not those in a URL, and no single slash.
_FOLDERS = re.compile(r"(?<![\w/:.~-])/(?:[^/\s'\"`<>]+/)+")
# The functions of Gradio that are replaced, and their parameters. Methods are replaced on the class, since Gradio
# copies components for each visitor.
_preprocess, _accept_blobs = gr.ImageEditor.preprocess, gr.ImageEditor.accept_blobs
_REPLACED: dict[Any, str] = {
    upload_fn: "request upload_dir max_file_size upload_id force_move upload_progress",
    secure_url_stream_response: "url request",
    async_ssrf_protected_download: "url cache_dir",
    gr.File._process_single_file: "self f",
    gr.UploadButton._process_single_file: "self f",
    _preprocess: "self payload",
    _accept_blobs: "self data",
}


def discard(file: str | os.PathLike[str]) -> None:
    """Delete an uploaded file, and its folder if that is empty then. Ignores files that are no upload."""
    above = Path(os.path.abspath(file)).parents
    folder_of_all = root()
    folder = next((path for path in above if path.parent == folder_of_all and path.name.startswith(_UPLOAD)), None)
    if folder is None:
        return
    Path(os.path.abspath(file)).unlink(missing_ok=True)
    if not any(entry.is_file() for entry in folder.rglob("*")):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def read_once(*files: str | None) -> Iterator[None]:
    """Delete uploaded files at the end of the block, even after an error."""
    try:
        yield
    finally:
        for file in filter(None, files):
            discard(file)


def touch(*files: str | os.PathLike[str] | None) -> None:
    """Mark files as used, so that they are not swept while somebody waits for a result."""
    for file in files:
        if file:
            with suppress(FileNotFoundError):
                os.utime(file)


def replace_gradio_uploads() -> None:
    """Replace Gradio's handling of uploads.

    Each upload gets a folder of its own. Files of any type are accepted, since the library's errors are clearer. The
    editor's pictures are deleted once they are read, limited in number and size, and dropped if nobody reads them. URLs
    that Gradio would download are refused.

    Raises FaceinpError if this version of Gradio has other functions than the replaced ones.
    """
    check_gradio()

    async def upload_to_own_folder(request: Any, upload_dir: Any, *rest: Any, **more: Any) -> Any:
        folder = tempfile.mkdtemp(prefix=_UPLOAD, dir=upload_dir)
        try:
            return await upload_fn(request, folder, *rest, **more)
        except BaseException as end:  # a visitor who leaves cancels the upload
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(end, ClientDisconnect):  # not an error of the server: keep it out of the log
                raise HTTPException(400, "The upload was interrupted.") from end
            raise

    def file_path(_: Any, file: FileData) -> str:  # Gradio's makes an empty file for each, which nobody deletes
        return str(file.path)

    def read(editor: gr.ImageEditor, payload: Any) -> Any:
        sent = (payload.background, payload.composite, *(payload.layers or ())) if payload else ()
        with read_once(*(str(picture.path) for picture in sent if picture is not None)):
            value = _preprocess(editor, payload)
        return {"layers": value["layers"]} if value else value  # the page uses nothing else

    @server  # type: ignore[untyped-decorator]
    def accept_blobs(editor: gr.ImageEditor, data: Any) -> None:
        index = data.data.get("index")
        if index not in (None, "", "null") and not 0 <= int(index) < MAX_LAYERS:
            raise ValueError(f"An editor sends at most {MAX_LAYERS} layers.")
        if not data.files or len(data.files[0][1]) > MAX_PICTURE:
            raise ValueError(f"A picture of the editor is limited to {MAX_PICTURE >> 20} MB.")
        while len(editor.blob_storage) >= MAX_UNREAD_PICTURES:
            editor.blob_storage.pop(next(iter(editor.blob_storage)), None)
        _accept_blobs(editor, data)

    async def refuse_proxy(url: str, request: Any) -> Any:
        raise HTTPException(403, NO_DOWNLOADS)

    async def refuse_download(url: str, cache_dir: str) -> str:
        raise gr.Error(NO_DOWNLOADS, print_exception=False)

    classes: Any = gr  # mypy allows no assignment to methods and imported names
    routes: Any = gradio.routes
    routes.upload_fn = upload_to_own_folder
    routes.secure_url_stream_response = refuse_proxy
    gradio.processing_utils.async_ssrf_protected_download = refuse_download
    classes.File._process_single_file = classes.UploadButton._process_single_file = file_path
    classes.ImageEditor.preprocess = read
    classes.ImageEditor.accept_blobs = accept_blobs


def check_gradio() -> None:
    """Raise FaceinpError unless the replaced functions have the expected parameters.

    Gradio offers no other way: with ``preprocess=False`` an event gets paths that nobody compared with the folder of
    uploads, and for a component of our own Gradio writes a stub beside our source.
    """
    for replaced, takes in _REPLACED.items():
        parameters = " ".join(inspect.signature(replaced).parameters)
        if parameters != takes:
            raise faceinp.FaceinpError(
                f"Gradio {gr.__version__} is not supported: "
                f"{replaced.__qualname__} takes ({parameters}) instead of ({takes}). "
                "Install the version in constraints.txt."
            )


def of_editor(folder: Path) -> bool:
    """Whether an upload comes from the editor, which sends its pictures after every stroke, most of them never read."""
    names = [file.name for file in folder.rglob("*.png")]
    return bool(names) and all(map(EDITOR_FILE.fullmatch, names))


def without_folders(text: str) -> str:
    """``text`` with files of this server by name only, without their folders."""
    return _FOLDERS.sub("", text.replace(f"{root()}/", "/_/"))


def root() -> Path:
    """The folder for all files of this server."""
    folder = Path(os.path.abspath(get_upload_folder()))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
