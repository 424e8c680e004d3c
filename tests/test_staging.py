"""Files appear whole and judged or not at all, and a file and its sidecar never disagree."""

import errno
from pathlib import Path

import pytest

from faceinp.errors import FaceinpError, WeightsError
from faceinp.models import sidecar
from faceinp.photo import staging


def test_what_is_moved_out_stays_and_all_else_goes(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    with staging.folder(out) as scratch:
        (scratch / "kept").write_text("whole")
        (scratch / "left").mkdir()
        assert not (out / "kept").exists() and scratch.parent == out
        (scratch / "kept").replace(out / "kept")
    assert [file.name for file in out.iterdir()] == ["kept"]


def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    path, link = tmp_path / "file", tmp_path / "link"
    staging.write_atomically(path, b"earlier")
    link.symlink_to(path)
    with staging.replacing(link) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"earlier" and temporary.parent == tmp_path
    assert link.is_symlink() and path.read_bytes() == b"new" and sorted(tmp_path.iterdir()) == [path, link]
    staging.write(tmp_path / "new" / "folder" / "file", b"in a new folder")
    assert [file.name for file in (tmp_path / "new" / "folder").iterdir()] == ["file"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_file_stays_as_it_was_after_an_error(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"earlier")
    with pytest.raises(type(error)), staging.replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise error

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="broken disk"):
        staging.write_atomically(path, b"new")
    with pytest.raises(FaceinpError, match=r"Cannot write to .* \(broken disk\)"):
        staging.write(path, b"new")
    assert path.read_bytes() == b"earlier" and [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(number: int, tmp_path: Path) -> None:
    def fill() -> None:
        with staging.folder(tmp_path) as scratch:
            (scratch / "half").write_bytes(b"half")
            raise OSError(number, "full")

    with pytest.raises(FaceinpError, match=r"The disk of .* is full \(full\)\. Free space"):
        fill()
    assert not list(tmp_path.iterdir())


def test_other_errors_and_a_stop_pass_and_leave_nothing(tmp_path: Path) -> None:
    for error in (KeyboardInterrupt(), FileNotFoundError(errno.ENOENT, "none", "mine.tar")):
        with pytest.raises(type(error)), staging.folder(tmp_path) as scratch:
            (scratch / "half").write_bytes(b"half")
            raise error
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_none_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FaceinpError, match=r"Cannot write to .*file \("), staging.folder(tmp_path / "file"):
        pytest.fail("the work was begun")


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_whenever_the_process_dies_no_file_has_the_sidecar_of_another(
    dies_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, scratch = tmp_path / "a.onnx", tmp_path / "scratch"
    scratch.mkdir()
    for folder, content in ((tmp_path, b"earlier"), (scratch, b"new")):
        (folder / "a.onnx").write_bytes(content)
        sidecar.write(folder / "a.onnx", {})
    steps = 0

    def dying(real):
        def step(*args, **options):
            nonlocal steps
            steps += 1
            if steps == dies_at:
                raise SystemExit
            return real(*args, **options)

        return step

    monkeypatch.setattr(Path, "replace", dying(Path.replace))
    monkeypatch.setattr(Path, "unlink", dying(Path.unlink))
    with pytest.raises(SystemExit):
        sidecar.move(scratch / "a.onnx", file)
    monkeypatch.undo()
    if sidecar.path(file).exists():
        assert sidecar.load(file)["sha256"] == sidecar.weights.sha256(file)
    else:
        with pytest.raises(WeightsError, match="Export"):
            sidecar.read(file)
