"""What Gradio does with uploads, and should not: each is deleted as soon as it has been read.

Gradio keeps uploads by their content, so that two visitors with the same photo share a file, and it forgets none of
them before an hour. Here each upload gets a folder of its own, which nobody else needs.
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

# Of pictures that the editor sent and nothing has read yet: more are nobody's strokes.
WAITING, LAYERS, LARGEST = 64, 4, 32 << 20
EDITORS = re.compile(r"(?:background|composite|layer_\d+)\.png")  # their names
NOTHING_FETCHED = "This server downloads no files. Upload the file and pass the path that the upload returns."
_UPLOAD = "upload-"
# The folders of a path from the root on; not what stands in an address, and no single slash.
_FOLDERS = re.compile(r"(?<![\w/:.~-])/(?:[^/\s'\"`<>]+/)+")
# What of Gradio is replaced, by what it takes: on the classes, since Gradio makes components anew for each visitor.
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
    """Delete an uploaded file, and the folder it came in once that holds no other; anything else is left alone."""
    above = Path(os.path.abspath(file)).parents
    folder_of_all = root()
    folder = next((place for place in above if place.parent == folder_of_all and place.name.startswith(_UPLOAD)), None)
    if folder is None:
        return
    Path(os.path.abspath(file)).unlink(missing_ok=True)
    if not any(entry.is_file() for entry in folder.rglob("*")):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def read_once(*files: str | None) -> Iterator[None]:
    """Uploaded files that are gone afterwards, whatever happens."""
    try:
        yield
    finally:
        for file in filter(None, files):
            discard(file)


def touch(*files: str | os.PathLike[str] | None) -> None:
    """Keep files from being swept while somebody waits for what is made of them."""
    for file in files:
        if file:
            with suppress(FileNotFoundError):
                os.utime(file)


def take_over() -> None:
    """Have Gradio handle uploads as this module says: each in a folder of its own, so that deleting it takes nobody
    else's; handed on whatever it is, since the library says better what is wrong with it; the editor's pictures deleted
    once they are read, refused where no editor sends them, and forgotten where nobody reads them. Addresses elsewhere,
    which Gradio takes for uploads and fetches, are refused.

    Raises FaceinpError where Gradio's own way is another than the one that is replaced here.
    """
    check_gradio()

    async def apart(request: Any, upload_dir: Any, *rest: Any, **more: Any) -> Any:
        folder = tempfile.mkdtemp(prefix=_UPLOAD, dir=upload_dir)
        try:
            return await upload_fn(request, folder, *rest, **more)
        except BaseException as end:  # whoever leaves while it is being sent cancels it
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(end, ClientDisconnect):  # no fault of the server: nothing for its log
                raise HTTPException(400, "The upload was interrupted.") from end
            raise

    def path(_: Any, file: FileData) -> str:  # Gradio's own makes an empty file beside each, which nobody deletes
        return str(file.path)

    def read(editor: gr.ImageEditor, payload: Any) -> Any:
        sent = (payload.background, payload.composite, *(payload.layers or ())) if payload else ()
        with read_once(*(str(picture.path) for picture in sent if picture is not None)):
            value = _preprocess(editor, payload)
        return {"layers": value["layers"]} if value else value  # what is painted: no more is looked at

    @server
    def accept_blobs(editor: gr.ImageEditor, data: Any) -> None:
        index = data.data.get("index")
        if index not in (None, "", "null") and not 0 <= int(index) < LAYERS:
            raise ValueError(f"An editor sends at most {LAYERS} layers.")
        if not data.files or len(data.files[0][1]) > LARGEST:
            raise ValueError(f"A picture of the editor is limited to {LARGEST >> 20} MB.")
        while len(editor.blob_storage) >= WAITING:
            editor.blob_storage.pop(next(iter(editor.blob_storage)), None)
        _accept_blobs(editor, data)

    async def hand_on_nothing(url: str, request: Any) -> Any:
        raise HTTPException(403, NOTHING_FETCHED)

    async def fetch_nothing(url: str, cache_dir: str) -> str:
        raise gr.Error(NOTHING_FETCHED, print_exception=False)

    classes: Any = gr  # to mypy a method is nothing to assign to
    gradio.routes.upload_fn = apart
    gradio.routes.secure_url_stream_response = hand_on_nothing
    gradio.processing_utils.async_ssrf_protected_download = fetch_nothing
    classes.File._process_single_file = classes.UploadButton._process_single_file = path
    classes.ImageEditor.preprocess = read
    classes.ImageEditor.accept_blobs = accept_blobs


def check_gradio() -> None:
    """Raise FaceinpError unless what is replaced takes what it took when this was written.

    Gradio offers no other way: a listener with ``preprocess=False`` is handed paths that nobody compared with the
    folder of uploads, and a component of our own makes Gradio write a stub beside our source.
    """
    for replaced, takes in _REPLACED.items():
        found = " ".join(inspect.signature(replaced).parameters)
        if found != takes:
            raise faceinp.FaceinpError(
                f"Gradio {gr.__version__} is not supported: "
                f"{replaced.__qualname__} takes ({found}) instead of ({takes}). "
                "Install the version in constraints.txt."
            )


def of_editor(folder: Path) -> bool:
    """Whether an upload is one that the editor made: it sends its pictures at every turn, and few are ever read."""
    names = [file.name for file in folder.rglob("*.png")]
    return bool(names) and all(map(EDITORS.fullmatch, names))


def without_folders(text: str) -> str:
    """``text`` without the folders that lead to files of this server: their names alone are people's business."""
    return _FOLDERS.sub("", text.replace(f"{root()}/", "/_/"))


def root() -> Path:
    """The folder that every file of this server lies in."""
    folder = Path(os.path.abspath(get_upload_folder()))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
