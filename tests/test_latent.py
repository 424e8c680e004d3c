"""The latent engines on the shipped DCGAN, with few iterations."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import faceinp
from faceinp.engines import objectives, search
from faceinp.engines.settings import Settings
from faceinp.formulas import losses
from faceinp.models import weights
from faceinp.nets.dcgan import Discriminator, Generator


@pytest.fixture(scope="module")
def prior():
    return search.Prior.load()


@pytest.fixture(scope="module")
def faces(prior):
    """Eight samples of the generator itself: faces of nobody, which it can reach."""
    return prior.generator(prior.latents(8, seed=77)).numpy()


@pytest.fixture(scope="module")
def holes():
    return np.random.default_rng(0).random((8, 1, 64, 64)) < 0.5


def error(filled, faces):
    return ((filled - faces) ** 2).mean(axis=(1, 2, 3))


def test_folded_networks_are_the_trained_ones(prior):
    _, tensors = weights.read_tensors(weights.path("dcgan"))
    z = prior.latents(4, seed=1)
    generator, discriminator = Generator().eval(), Discriminator().eval()
    generator.load_state_dict(weights.with_prefix(tensors, "generator/"))
    discriminator.load_state_dict(weights.with_prefix(tensors, "discriminator/"))
    with torch.no_grad():
        assert torch.allclose(prior.generator(z), generator(z), atol=1e-5)
        assert torch.allclose(prior.discriminator(generator(z)), discriminator(generator(z)), atol=1e-3)


@pytest.mark.parametrize(("name", "options"), [("structural", {}), ("structural", {"fast": True}), ("dip", {})])
def test_the_search_comes_closer_to_the_face(faces, holes, name, options):
    engine = faceinp.load_engine(name, {"iterations": 1} | options)
    at_first = error(engine.fill(faces[:1], holes[:1]), faces[:1])
    engine = faceinp.load_engine(name, {"iterations": 40} | options)
    assert error(engine.fill(faces[:1], holes[:1]), faces[:1]) < 0.6 * at_first


@pytest.mark.parametrize(("name", "options"), [("structural", {}), ("dip", {}), ("dip", {"fast": True})])
def test_a_picture_gets_the_same_answer_alone_and_among_others(faces, holes, name, options):
    engine = faceinp.load_engine(name, {"iterations": 10} | options)
    together = engine.fill(faces[:3], holes[:3], seed=3)
    alone = engine.fill(faces[1:2], holes[1:2], seed=3)
    assert np.abs(together[1] - alone[0]).max() <= 1e-4


def test_the_seed_decides(faces, holes):
    engine = faceinp.load_engine("structural", {"iterations": 5})
    one = engine.fill(faces[:1], holes[:1], seed=1)
    assert np.array_equal(one, engine.fill(faces[:1], holes[:1], seed=1))
    assert not np.array_equal(one, engine.fill(faces[:1], holes[:1], seed=2))


@pytest.mark.parametrize("name", ["structural", "dip"])
def test_what_lies_under_the_hole_is_not_looked_at(faces, holes, name):
    engine = faceinp.load_engine(name, {"iterations": 5})
    spoiled = np.where(holes, 1 - faces, faces)
    assert np.array_equal(engine.fill(faces[:2], holes[:2]), engine.fill(spoiled[:2], holes[:2]))


def test_stopping_gives_the_best_so_far_and_says_where(faces, holes):
    def stop_at_ten(done, total, preview=None):
        assert total == 1000
        if done == 10:
            raise faceinp.Cancelled("Enough.")

    engine = faceinp.load_engine("structural")
    stopped = engine.fill(faces[:1], holes[:1], progress=stop_at_ten)
    known = torch.from_numpy(~holes[:1]).float()
    ten = search.search(
        engine.prior, engine.objective, torch.from_numpy(faces[:1]), known, engine.settings, progress=stop_at_ten
    )
    assert len(ten.curve) == 11
    assert ten.loss == min(loss for _, loss in ten.curve)
    assert np.array_equal(stopped, ten.pictures.numpy())


@pytest.mark.parametrize(
    ("name", "options"),
    [("structural", {}), ("structural", {"mode": "faithful", "starts": 2}), ("dip", {}), ("dip", {"fast": True})],
)
def test_the_loss_that_is_reported_is_that_of_the_preview(prior, faces, holes, name, options, monkeypatch):
    monkeypatch.setattr(search, "PREVIEW_EVERY", 5)
    engine = faceinp.load_engine(name, {"iterations": 11} | options)
    pictures, known = torch.from_numpy(faces[:1]), torch.from_numpy(~holes[:1]).float()
    distance = engine.objective(torch.where(known > 0, pictures, 0.5), known)
    reported = {}

    def watch(done, total, preview=None, loss=None):
        assert (preview is None) == (loss is None)
        if preview is not None:
            with torch.no_grad():
                right = search.total_loss(prior, distance, torch.from_numpy(preview[None]), engine.settings)
            assert loss == pytest.approx(float(right[0]), abs=1e-3, rel=1e-3)
            reported[done] = loss

    engine.fill(faces[:1], holes[:1], progress=watch)
    assert sorted(reported) == [0, 5, 10, 11]
    assert reported[11] < reported[0]


def test_previews_are_pictures(faces, holes, monkeypatch):
    monkeypatch.setattr(search, "PREVIEW_EVERY", 3)
    seen = []
    engine = faceinp.load_engine("structural", {"iterations": 7})
    engine.fill(faces[:1], holes[:1], progress=lambda done, total, preview=None: seen.append((done, total, preview)))
    assert [done for done, _, _ in seen] == list(range(8))
    pictures = [preview for _, _, preview in seen if preview is not None]
    assert len(pictures) >= 2
    assert all(p.shape == (3, 64, 64) and p.min() >= 0 and p.max() <= 1 for p in pictures)


def test_more_starts_are_never_worse(prior, faces, holes):
    one = faceinp.load_engine("structural", {"iterations": 5})
    three = replace(one.settings, starts=3)
    known = torch.from_numpy(~holes[:1]).float()
    one, three = (
        search.search(prior, one.objective, torch.from_numpy(faces[:1]), known, settings, seed=5)
        for settings in (one.settings, three)
    )
    assert (three.loss <= one.loss + 1e-6).all()


def test_beyond_its_limits_faithful_stands_still_where_robust_moves(faces, holes):
    """Formulas (5) and (6) as printed are cut off, and the gradient is zero there."""
    limits = losses.Limits(ssim_min=0.99, ssim_max=0.999, l1_min=0.1, l1_max=0.2)
    known = torch.from_numpy(~holes[:1]).float()
    gradients = {}
    for name, formula in objectives.FORMULAS.items():
        generated = torch.from_numpy(faces[1:2]).requires_grad_()
        formula(torch.from_numpy(faces[:1]), known, limits, Settings())(generated).sum().backward()
        gradients[name] = float(generated.grad.abs().max())
    assert gradients["faithful"] == 0
    assert gradients["robust"] > 0


@pytest.mark.parametrize("options", [{"mode": "other"}, {"iterations": -1}, {"starts": 0}, {"nonsense": 1}])
def test_wrong_options_are_named(options):
    with pytest.raises(faceinp.EngineError, match=next(iter(options))):
        faceinp.load_engine("structural", options)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["structural", "dip"])
def test_a_fast_search_gets_as_far_in_half_of_the_iterations(prior, faces, holes, name):
    """With noise, so that G cannot reach the pictures, as it cannot reach photographs."""
    noise = np.random.default_rng(4).normal(scale=0.05, size=(4, 3, 64, 64))
    pictures = torch.from_numpy((faces[:4] + noise).clip(0, 1).astype(np.float32))
    known = torch.from_numpy(~holes[:4]).float()
    whole, fast = (
        search.search(prior, engine.objective, pictures, known, engine.settings)
        for engine in (
            faceinp.load_engine(name, {"iterations": 200}),
            faceinp.load_engine(name, {"iterations": 100, "fast": True}),
        )
    )
    assert fast.loss.mean() <= whole.loss.mean()
