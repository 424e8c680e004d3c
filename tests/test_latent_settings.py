"""Options of the latent search: each changes what it should and only that; recipes hold the published numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import faceinp
from faceinp import pipeline
from faceinp.engines.settings import ENGINES, FAST, RECIPES, Settings, choose, names
from faceinp.evaluate.engine_tables import tables
from faceinp.evaluate.engine_tables.variants import Name

torch = pytest.importorskip("torch", reason="the extra 'torch' is not installed")

from faceinp.engines import search  # noqa: E402
from faceinp.engines.objectives import Objective  # noqa: E402
from faceinp.formulas import losses  # noqa: E402
from faceinp.models import weights  # noqa: E402

LOSSES = ("realism", "context", "structure")
LIMITS = losses.Limits(ssim_min=-0.4, ssim_max=0.8, l1_min=1000.0, l1_max=6000.0)


@pytest.fixture(scope="module")
def prior() -> search.Prior:
    return search.Prior.load()


@pytest.fixture(scope="module")
def pair(prior: search.Prior) -> tuple[Any, Any]:
    """Two faces of nobody, (2, 3, 64, 64), and M with a hole in the middle, (2, 1, 64, 64)."""
    known = torch.ones(2, 1, 64, 64)
    known[:, :, 16:48, 20:44] = 0
    return prior.generator(prior.latents(2, seed=77)), known


def gradient(prior: search.Prior, pair: tuple[Any, Any], engine: str, **options: Any) -> Any:
    """Of the whole loss in z, (2, 100)."""
    settings = choose(engine, options)
    distance = Objective.make(settings, LIMITS)(*pair)
    z = prior.latents(2, seed=3).requires_grad_()
    search.total_loss(prior, distance, prior.generator(z), settings).sum().backward()
    return z.grad


@pytest.fixture(scope="module")
def unchanged(prior: search.Prior, pair: tuple[Any, Any]) -> list[Any]:
    """The gradient of each of LOSSES by the defaults."""
    return [gradient(prior, pair, "structural", alone=name) for name in LOSSES]


@pytest.mark.parametrize("mode", ["robust", "faithful"])
def test_the_gradient_is_the_sum_of_the_losses_alone(prior: search.Prior, pair: tuple[Any, Any], mode: str) -> None:
    whole = gradient(prior, pair, "structural", mode=mode)
    alone = [gradient(prior, pair, "structural", mode=mode, alone=name) for name in LOSSES]
    assert torch.allclose(sum(alone), whole, rtol=1e-3, atol=1e-7)
    assert all(part.abs().max() > 0 for part in alone)
    only = gradient(prior, pair, "structural", mode=mode, only="context")
    assert torch.allclose(alone[0] + alone[1], only, rtol=1e-3, atol=1e-7)


def test_a_weight_scales_its_loss(prior: search.Prior, pair: tuple[Any, Any]) -> None:
    once = gradient(prior, pair, "structural", alone="structure")
    thrice = gradient(prior, pair, "structural", alone="structure", structure=3 * 0.797)
    assert torch.allclose(thrice, 3 * once, rtol=1e-4)


@pytest.mark.parametrize("option", [{"k": 3}, {"alpha": 5}, {"base": 4}, {"window": 11}, {"window": "8"}])
def test_an_option_of_the_formulas_reaches_them(
    prior: search.Prior, pair: tuple[Any, Any], unchanged: list[Any], option: Any
) -> None:
    changed = {
        name: not torch.equal(before, gradient(prior, pair, "structural", alone=name, **option))
        for name, before in zip(LOSSES, unchanged, strict=True)
        if "window" not in option or name == "structure"  # it belongs to no other
    }
    assert all(reached == (name != "realism") for name, reached in changed.items())


def test_realism_is_log_of_one_minus_d_or_minus_log_d(prior: search.Prior) -> None:
    logits = torch.tensor([-2.0, 0.5])
    d = torch.sigmoid(logits)
    assert torch.allclose(losses.realism(logits), torch.log(1 - d))
    assert torch.allclose(losses.realism(logits, saturating=False), -torch.log(d))


def test_code_of_dip_on_the_web_weighs_known_neighbours(pair: tuple[Any, Any]) -> None:
    _, known = pair
    there = known.bool()[:, 0]
    weighed = {}
    for recipe in ("yeh2017", "yeh2017-code", "bamos"):
        settings = choose("dip", {"recipe": recipe})
        weighed[recipe] = losses.patch_weights(known, settings.k, settings.alpha, settings.base)[:, 0][there]
    assert torch.allclose(weighed["yeh2017"] + weighed["yeh2017-code"], weighed["bamos"])
    assert weighed["bamos"].unique().tolist() == [1.0]


def test_recipes_hold_what_is_published() -> None:
    known = {name: choose(engine, {"recipe": name}) for engine, each in RECIPES.items() for name in each}
    qiang, yeh, code, bamos = (known[name] for name in ("qiang2019", "yeh2017", "yeh2017-code", "bamos"))
    assert (qiang.realism, qiang.context, qiang.structure) == (0.003, 0.2, 0.797)
    assert (qiang.mode, qiang.k, qiang.base, qiang.alpha, qiang.iterations) == ("faithful", 7, 1, 2, 1000)
    assert (yeh.realism, yeh.k, yeh.optimizer, yeh.clip, yeh.iterations) == (0.003, 7, "adam", "box", 1500)
    assert replace(code, recipe="", alpha=0.0, start="uniform") == replace(bamos, recipe="")
    assert (bamos.realism, bamos.momentum, bamos.rate, bamos.iterations) == (0.1, 0.9, 0.01, 1000)
    assert (bamos.optimizer, bamos.clip, bamos.schedule, bamos.prior) == ("sgd", "box", "constant", "non-saturating")
    assert (bamos.context, bamos.base, bamos.alpha, bamos.structure) == (2, 1, 0, 0)


def test_the_recipe_of_the_first_paper_is_the_faithful_mode() -> None:
    assert replace(choose("structural", {"recipe": "qiang2019"}), recipe="") == choose(
        "structural", {"mode": "faithful"}
    )


def test_an_option_goes_before_fast_and_that_before_the_recipe() -> None:
    fast = choose("dip", {"recipe": "bamos", "fast": True, "iterations": "40"})
    assert (fast.optimizer, fast.guesses, fast.iterations, fast.realism) == ("lbfgs", 256, 40, 0.1)
    assert choose("dip", {"recipe": "bamos", "fast": True, "iterations": 0}).iterations == FAST["iterations"]
    adam = choose("structural", {"optimizer": "adam", "rate": ".05", "schedule": "constant"})
    assert (adam.rate, adam.schedule, adam.iterations) == (0.05, "constant", Settings.iterations)


@pytest.mark.parametrize(
    ("engine", "options", "said"),
    [
        ("structural", {"recipe": "bamos"}, "Unknown recipe 'bamos' for structural. Choose qiang2019."),
        ("dip", {"recipe": "x"}, "Choose yeh2017, yeh2017-code, bamos."),
        ("dip", {"mode": "faithful"}, "Unknown option 'mode' for engine 'dip'. Available: recipe, realism"),
        ("structural", {"optimizer": "adagrad"}, "Choose adam, sgd, lbfgs."),
        ("structural", {"window": 9}, "Choose whole, 11, 8."),
        ("structural", {"alone": "style"}, "Choose realism, context, structure, landmarks."),
        ("structural", {"only": "realism"}, "Choose context, structure."),
        ("structural", {"only": "context", "alone": "context"}, "not both"),
        ("structural", {"alone": "realism", "fast": True}, "Choose optimizer=adam."),
        ("structural", {"alone": "landmarks"}, "Give landmarks= a number above 0."),
        ("structural", {"alone": "context", "window": 11}, "window= has no effect where the weight of structure is 0"),
        ("dip", {"realism": 0, "prior": "non-saturating"}, "prior= has no effect"),
        ("structural", {"limits": "prnted"}, "Give limits=shipped, limits=printed or a file"),
        ("dip", {"alone": "structure"}, "Choose realism, context, landmarks."),
        ("dip", {"realism": 0, "context": 0}, "No loss is left"),
        ("structural", {"realism": "much"}, "realism must be a number from 0 to 1e+06, got 'much'"),
        ("structural", {"k": 8}, "k must be odd"),
        ("structural", {"alpha": True}, "alpha must be a number"),
        ("structural", {"fast": "maybe"}, "fast must be true or false"),
        ("structural", {"guesses": 2, "starts": 3}, "guesses must be 0 or at least starts"),
        ("structural", {"k": 2.5}, "k must be a whole number"),
        ("structural", {"alpha": -2}, "base and base + alpha must be 0 or more"),
        ("structural", {"momentum": 0.9}, "momentum= has no effect with optimizer=adam"),
        ("structural", {"fast": True, "rate": 0.1}, "rate= has no effect with optimizer=lbfgs"),
        ("structural", {"optimizer": "sgd", "momentum": 1}, "momentum must be"),
        ("structural", {"file": "own.safetensors"}, "`faceinp train dcgan-limits --weights FILE`"),
        ("structural", {"limits": "nowhere.json"}, "nowhere.json does not contain limits"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(engine: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(faceinp.FaceinpError) as raised:
        faceinp.load_engine(engine, options)
    assert said in str(raised.value)


def test_a_published_recipe_leaves_the_faces_other_half_alone_unless_asked() -> None:
    rest = ({}, 0, "poisson")
    for options, symmetric in (({"recipe": "qiang2019"}, False), ({"mode": "faithful"}, True)):
        engine = faceinp.load_engine("structural", options)
        assert pipeline._settings(engine, *rest, None, True, "auto", 0, False).step.symmetry == symmetric
        assert pipeline._settings(engine, *rest, True, True, "auto", 0, False).step.symmetry


def test_every_column_of_the_first_papers_figures_can_be_drawn() -> None:
    for sheet in tables.SHEETS:
        for column, _ in sheet.columns:
            name = Name.parse(column)
            if name.engine in ENGINES:
                choose(name.engine, dict(name.options))


def test_dip_takes_what_means_something_to_it() -> None:
    assert set(names("structural")) - set(names("dip")) == {"mode", "structure", "window", "only", "limits"}


def test_limits_are_shipped_printed_or_of_a_file(tmp_path: Path) -> None:
    assert search.limits_of(Settings()) == search.limits_of(Settings(limits="shipped")) == search.load_limits()
    assert search.limits_of(Settings(limits="printed")) == losses.Limits(0.1242, 0.8431, 739.0, 4861.0)
    own = tmp_path / "own.json"
    own.write_text('{"limits": {"ssim_min": 0, "ssim_max": 1, "l1_min": 2, "l1_max": 3}}')
    engine = faceinp.load_engine("structural", {"file": weights.path("dcgan"), "limits": own})
    assert engine.objective.limits == losses.Limits(0, 1, 2, 3)


def test_a_generator_of_ones_own_is_opened(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from faceinp.nets.dcgan import Discriminator, Generator

    tensors = {f"generator/{name}": value for name, value in Generator(8, 4).state_dict().items()}
    tensors |= {f"discriminator/{name}": value for name, value in Discriminator(4).state_dict().items()}
    own = tmp_path / "own.safetensors"
    save_file(tensors, own, {"config": '{"latent": 8, "width": 4}', "network": "dcgan"})
    for name, options in (("dip", {}), ("structural", {"limits": "printed"})):
        engine = faceinp.load_engine(name, {"file": str(own), **options})
        assert engine.prior.generator.latent == 8
    with pytest.raises(faceinp.WeightsError, match="does not contain the network 'dcgan'"):
        faceinp.load_engine("dip", {"file": weights.path("landmarks")})


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_nesterovs_step_and_its_box_holds(prior: search.Prior, pair: tuple[Any, Any], momentum: float) -> None:
    """The update of the public code: z += -m v_before + (1 + m) v, where v = m v_before - rate * gradient."""
    settings = choose("dip", {"recipe": "bamos", "momentum": momentum, "rate": 1e-4, "iterations": 4})
    distance = Objective.make(settings, LIMITS)(*pair)
    start = prior.latents(2, seed=3, start="uniform")
    assert start.abs().max() <= 1
    seen = [each.z.clone() for each in search._descend(prior, distance, start, settings)]
    z, v = start.clone(), torch.zeros_like(start)
    for at in seen:
        assert torch.allclose(at, z, atol=1e-5)
        z.requires_grad_()
        slope = torch.autograd.grad(search.total_loss(prior, distance, prior.generator(z), settings).sum(), z)[0]
        before, v = v, settings.momentum * v - settings.rate * slope
        z = (z.detach() - settings.momentum * before + (1 + settings.momentum) * v).clamp(-1, 1)
    assert not torch.equal(seen[0], seen[-1])


@pytest.mark.parametrize(("clip", "reach"), [("ball", 10.0), ("box", 10.0), ("none", None)])
def test_z_stays_where_clip_keeps_it(
    prior: search.Prior, pair: tuple[Any, Any], clip: str, reach: float | None
) -> None:
    settings = choose("dip", {"clip": clip, "rate": 5, "iterations": 4})
    distance = Objective.make(settings, LIMITS)(*pair)
    last = [each.z.clone() for each in search._descend(prior, distance, prior.latents(2, seed=3), settings)][-1]
    assert (last.norm(dim=1).max() <= 10.001) == (reach is not None)
    assert (last.abs().max() <= 1) == (clip == "box")


def test_landmarks_pull_the_face_towards_the_photos(prior: search.Prior, pair: tuple[Any, Any]) -> None:
    pictures, known = pair
    given = torch.where(known > 0, pictures, 0.5)
    settings = choose("structural", {"landmarks": 1, "alone": "landmarks", "iterations": 12, "rate": 0.3})
    objective = Objective.make(settings, LIMITS)
    found = search.search(prior, objective, given, known, settings, seed=5)
    first, last = found.curve[0][1], found.loss
    assert (last < 0.8 * first).all()
    other = torch.where(known > 0, pictures, 1.0)
    assert torch.equal(objective(other, known)(pictures), objective(given, known)(pictures))
    off = Objective.make(Settings(), LIMITS)
    assert off.predictor is None
