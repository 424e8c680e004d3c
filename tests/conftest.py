"""What several tests need: the served page, with every engine that runs here."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import ROOT, Server, serving


@pytest.fixture(scope="session")
def whole_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our weights; where the completion's are not there yet, those of an untrained network stand in."""
    folder = tmp_path_factory.mktemp("weights") / "weights"
    shutil.copytree(ROOT / "weights", folder)
    if not (folder / "completion.safetensors").exists():
        import torch
        from safetensors.torch import save_file

        from faceinp.nets import completion

        torch.manual_seed(0)
        tensors = {f"generator/{name}": value for name, value in completion.Small(8).state_dict().items()}
        about = {"config": json.dumps({"network": "small", "width": 8, "landmarks": True})}
        save_file(tensors, folder / "completion.safetensors", about)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, whole_weights: Path) -> Iterator[Server]:
    """``python -m demo`` with every engine that runs here."""
    pytest.importorskip("gradio", reason="the extra 'demo' is not installed")
    with serving(tmp_path_factory.mktemp("server"), FACEINP_WEIGHTS=str(whole_weights)) as served:
        yield served
