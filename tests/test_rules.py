"""Rules of composition against densities on a grid, closed forms of Gaussians, and each other."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from toys import SHAPE, gaussian, gaussian_pair, pair, tiny_unet

from itskit import recipes, rules
from itskit.composition import compose, composing
from itskit.guidance import Guide, Prompt, encode_prompt, estimate
from itskit.recomposition import recompose
from itskit.sampling import denoise_step, init_latent, sample
from itskit.schedule import stable_diffusion_alpha_bar, timesteps
from itskit.seed_search import hunt
from itskit.trajectory import Trajectory

ALPHA_BAR = stable_diffusion_alpha_bar()
FAST = {"num_inference_steps": 6, "progress": False}


def _guide(modality, text="a", negative="", **settings):
    return Guide(modality, encode_prompt(modality, text, negative), **settings)


def _last(guides, latent, **settings):
    *_, step = sample(guides, latent, **settings)
    return step


# ---- models of which everything is known ---------------------------------------------------------


def mixture(name, known, dims=1):
    """The perfect denoiser of prompts -> (shares, centres, spreads), mixtures of Gaussians whose
    numbers are independent of each other: (C, h, w) = (dims, 1, 1)."""

    def of_one(latent, a, shares, centres, spreads):
        shares, centres, spreads = (torch.tensor(v).double() for v in (shares, centres, spreads))
        variance = a * spreads**2 + 1 - a  # (modes,)
        off = latent[..., None] - a**0.5 * centres  # (N, C, 1, 1, modes)
        parts = torch.softmax(shares.log() - off**2 / 2 / variance - variance.log() / 2, -1)
        return (1 - a) ** 0.5 * (parts * off / variance).sum(-1)

    def predict_noise(latent, t, embeds):
        noise, a = torch.zeros_like(latent), ALPHA_BAR[t].double()
        for number, one in enumerate(known.values()):
            asked = embeds[:, 0, 0] == number
            noise[asked] = of_one(latent[asked].double(), a, *one).to(latent)
        return noise

    toy = gaussian(name)
    return replace(
        toy,
        encode_prompt=lambda text: torch.tensor([[[float(list(known).index(text))]]]),
        predict_noise=predict_noise,
        latent_shape=(dims, 1, 1),
    )


def _density(x, shares, centres, spreads):
    each = np.exp(-((x[:, None] - centres) ** 2) / 2 / np.square(spreads)) / np.array(spreads)
    return (each * shares).sum(1)


def _distance(samples, grid, density):
    """Wasserstein-1 from samples to a density on a grid."""
    cumulative = density.cumsum() / density.sum()
    empirical = np.searchsorted(np.sort(samples), grid, side="right") / len(samples)
    return float(np.abs(cumulative - empirical).sum() * (grid[1] - grid[0]))


@pytest.fixture
def quick_noise(monkeypatch):
    """Noise of the whole batch at once, in place of a generator for each of a thousand seeds."""

    def draw(seeds, index, like, stream=0):
        generator = torch.Generator().manual_seed(7 + 1000 * (index + 1) + stream)
        return torch.randn(like.shape, generator=generator)

    monkeypatch.setattr(rules.estimates, "draw_noise", draw)


GRID = np.linspace(-8, 8, 4001)
ONE = ((0.7, 0.3), (-2.0, 1.5), (0.5, 0.6))
TWO = ((0.3, 0.7), (-1.2, 2.0), (0.7, 0.4))


def _two(dims=1):
    return [
        _guide(mixture(name, {"a": known, "": known}, dims), scale=1)
        for name, known in (("image", ONE), ("sound", TWO))
    ]


def _double(said):
    """The sum of two scores, which is not the score of the noisy product."""
    return 2 * said.mean(said.noises)


@pytest.mark.parametrize(
    ("rule", "power", "plain", "most"),
    [("corrected", 0.5, "mean", 0.045), ("product", 1.0, _double, 0.1)],
)
def test_particles_reach_the_product_that_a_sum_of_scores_misses(
    quick_noise, rule, power, plain, most
):
    target = (_density(GRID, *ONE) * _density(GRID, *TWO)) ** power
    noise = torch.randn(10_000, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    settings = {"num_inference_steps": 100, "spacing": "trailing", "solver": "ddpm"}

    def off(rule):
        found = _last(_two(), noise, **settings, seeds=range(10_000), rule=rule).latent
        return _distance(found.flatten().numpy(), GRID, target)

    crude, corrected = off(plain), off(rule)
    assert corrected < most and corrected < 0.6 * crude, (crude, corrected)


def test_the_mixture_is_what_or_samples(quick_noise):
    first, second = ((1.0,), (-2.0,), (0.5,)), ((1.0,), (2.0,), (0.5,))
    guides = [
        _guide(mixture(name, {"a": known, "": known}), scale=1)
        for name, known in (("image", first), ("sound", second))
    ]
    noise = torch.randn(10_000, 1, 1, 1, generator=torch.Generator().manual_seed(1))
    settings = {"num_inference_steps": 100, "spacing": "trailing", "solver": "ddpm"}
    last = _last(guides, noise, **settings, seeds=range(10_000), rule="or")
    target = _density(GRID, *first) + _density(GRID, *second)
    assert _distance(last.latent.flatten().numpy(), GRID, target) < 0.07
    assert last.memory["kappa"].sum(1).numpy() == pytest.approx(1)


def test_and_ends_where_two_gaussians_are_equally_likely():
    std, apart = 0.8, 0.6
    direction = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1234))
    centres = apart * direction
    guides = [
        _guide(gaussian(name, {"a": centre, "": centre}, std), scale=1)
        for name, centre in zip(("image", "sound"), centres, strict=True)
    ]
    seeds, settings = range(12), {"num_inference_steps": 200, "solver": "ddpm"}

    def gap(latent):
        return sum(
            sign * ((latent - centre) ** 2).sum((1, 2, 3)) / (2 * std**2)
            for sign, centre in zip((-1, 1), centres, strict=True)
        )

    noise = init_latent(guides[0].modality, seeds)
    run = list(sample(guides, noise, **settings, seeds=seeds, rule="and"))
    plain = _last(guides, noise, **settings, seeds=seeds)
    tracked = run[-1].memory["log_q"]  # (B, 2)
    assert (tracked[:, 0] - tracked[:, 1]).abs().max() < 1e-4  # of a thousand and more
    assert gap(run[-1].latent).std() < 0.1 * gap(plain.latent).std()
    lifted = _last(guides, noise, **settings, seeds=seeds, rule={"name": "and", "lift": 40.0})
    tracked = lifted.memory["log_q"]
    torch.testing.assert_close(tracked[:, 0] - tracked[:, 1], torch.full((12,), 40.0).double())
    assert gap(lifted.latent).mean() - gap(run[-1].latent).mean() == pytest.approx(40, rel=0.1)


def test_and_of_three_lets_all_densities_rise_alike():
    centres = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(3))
    guides = [
        _guide(gaussian(f"m{k}", {"a": c, "": c}, 0.5), scale=1, start=0.5 * (k == 2))
        for k, c in enumerate(centres)
    ]
    settings = {"num_inference_steps": 20, "solver": "ddpm", "seeds": [1, 2], "rule": "and"}
    run = list(sample(guides, init_latent(guides[0].modality, [1, 2]), **settings))
    before, after = run[9].memory["log_q"], run[-1].memory["log_q"]
    grown = after - before
    assert (grown[:, 1:] - grown[:, :1]).abs().max() < 1e-4
    assert before[:, 2].abs().max() == 0 and run[9].memory["kappa"][0, 2] == 0


def test_the_tracked_density_is_that_of_a_gaussian():
    """What all guides share falls out of a difference, whose closed form is known."""
    std, centres = 0.8, (torch.zeros(SHAPE), torch.full(SHAPE, 0.1))
    guides = [
        _guide(gaussian(name, {"a": c, "": c}, std), scale=1)
        for name, c in zip(("image", "sound"), centres, strict=True)
    ]
    settings = {"num_inference_steps": 400, "solver": "ddpm", "seeds": [4, 5]}
    rule = rules.Or(temperature=1e9)  # the mean, with densities followed
    noise = init_latent(guides[0].modality, [4, 5])
    last = _last(guides, noise, **settings, rule=rule)

    def gap(latent, a):
        spread = 2 * (a * std**2 + 1 - a)
        off = [((latent - a**0.5 * c) ** 2).sum((1, 2, 3)) / spread for c in centres]
        return (off[1] - off[0]).double()

    grown = gap(last.latent, 1.0) - gap(noise, float(ALPHA_BAR[int(timesteps(400)[0])]))
    told = last.memory["log_q"] @ torch.tensor([1.0, -1.0]).double()
    torch.testing.assert_close(told, grown, atol=0.7, rtol=0)
    assert grown.abs().max() > 3


TRUTH = torch.tensor([0, 3 / 7, 4 / 7])


def test_not_spares_the_innocent_where_a_negative_prompt_tears_them_away(quick_noise):
    """Three kinds, the first forbidden: of the others as many as before are to be left."""
    shares, centres, spreads = (0.3, 0.3, 0.4), (-2.0, 0.0, 2.0), (0.3, 0.3, 0.3)
    whole, first = (shares, centres, spreads), ((1.0,), (-2.0,), (0.3,))
    model = mixture("image", {"a": whole, "": whole, "bad": first})
    guide = _guide(model, negative="bad", scale=1.0)
    noise = torch.randn(1000, 1, 1, 1, generator=torch.Generator().manual_seed(3))
    settings = {"num_inference_steps": 100, "spacing": "trailing", "solver": "ddpm"}

    def kinds(rule, guide):
        last = _last([guide], noise, **settings, seeds=range(1000), rule=rule)
        return torch.histogram(last.latent, torch.tensor([-9.0, -1.0, 1.0, 9.0]))[0] / 1000

    bayes = rules.Not(strength=1.0, prior=0.3, temperature=1.0, offset=0.0, most=0.99)
    torch.testing.assert_close(kinds(bayes, guide), TRUTH, atol=0.05, rtol=0)
    crude = kinds("mean", replace(guide, scale=2.0))
    assert crude[1] < 0.5 * 3 / 7


def test_langevin_steps_mend_the_shape():
    """Of a product: the sum of the scores alone is not its diffusion's score. Each number of a
    latent is a sample of its own here."""
    target = _density(GRID, *ONE) * _density(GRID, *TWO) * (GRID > 0.5)  # shares: another matter
    guides = _two(dims=5000)
    noise = torch.randn(1, 5000, 1, 1, generator=torch.Generator().manual_seed(5)) / 2**0.5
    settings = {"num_inference_steps": 100, "spacing": "trailing", "solver": "ddpm", "seeds": 1}

    def off(rule):
        found = _last(guides, noise, **settings, rule=rule).latent
        return _distance(found[found > 0.5].numpy(), GRID, target)

    crude, mended = off(_double), off(rules.Langevin(_double, corrections=4, size=0.1))
    assert mended < 0.65 * crude and mended < 0.05, (crude, mended)


# ---- laws ----------------------------------------------------------------------------------------


def _said(guides, latent=None, rule="mean", index=5, **settings):
    """The Estimates of one step."""
    kept = []

    def listening(said):
        kept.append(said)
        return said.mean(said.noises)

    listening.branches = getattr(rules.as_rule(rule), "branches", "")
    latent = init_latent(guides[0].modality, [1, 2]) if latent is None else latent
    denoise_step(
        guides, latent, index=index, timesteps=timesteps(20), rule=listening, seeds=[1, 2],
        **settings,
    )  # fmt: skip
    return kept[0]


def _networks(**settings):
    return [
        _guide(tiny_unet("image", seed=1), "a castle", **settings),
        _guide(tiny_unet("sound", seed=2), "bells", **settings),
    ]


def test_low_and_high_frequencies_add_up_and_are_diagonal_in_cosines():
    from scipy.fft import dctn

    x = torch.randn(2, 4, 8, 16, generator=torch.Generator().manual_seed(1))
    low = rules.plain.low_pass(x, 1.5)
    gains = dctn(low.numpy(), axes=(2, 3)) / dctn(x.numpy(), axes=(2, 3))  # one for each frequency
    rows = np.exp(-2 * (np.pi * 1.5 * np.arange(8) / 16) ** 2)
    columns = np.exp(-2 * (np.pi * 1.5 * np.arange(16) / 32) ** 2)
    np.testing.assert_allclose(gains, np.broadcast_to(np.outer(rows, columns), x.shape), atol=2e-3)
    assert torch.allclose(rules.plain.low_pass(torch.ones(1, 1, 8, 16), 3.0), torch.ones(8, 16))


def test_frequency_split_takes_each_guides_part():
    means = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(4))
    guides = [
        _guide(gaussian(name, {"a": mean}), scale=1, start=start)
        for name, mean, start in zip(("image", "sound"), means, (0.25, 0.0), strict=True)
    ]
    last = _last(guides, init_latent(guides[0].modality, 1), rule=rules.FrequencySplit(width=1.0))
    expected = rules.plain.low_pass(means[1], 1.0) + means[0] - rules.plain.low_pass(means[0], 1.0)
    torch.testing.assert_close(last.clean[0], expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match=r"low='noise': expected a guide, one of \['image', 'sou"):
        next(sample(guides, init_latent(guides[0].modality, 1), rule=rules.FrequencySplit("noise")))


def test_projection_takes_out_conflicts_and_nothing_else():
    said = _said(_networks(scale=3.0), rule="projection")
    wants = [one.cond - one.uncond for one in said.spoken]
    against = said.spoken[1]._replace(cond=said.spoken[1].uncond - wants[0] + 0.1 * wants[1])
    for second in (said.spoken[1], against):
        both = replace(said, spoken=(said.spoken[0], second))
        d1, d2 = (one.cond - one.uncond for one in both.spoken)
        first_alone = replace(both, parts=torch.stack([torch.ones(8, 16), torch.zeros(8, 16)]))
        kept = (rules.Projection()(first_alone) - said.spoken[0].uncond) / 3.0
        inner = (kept * d2).sum((1, 2, 3))
        for item in range(2):
            if (d1 * d2).sum((1, 2, 3))[item] >= 0:
                torch.testing.assert_close(kept[item], d1[item], atol=1e-5, rtol=1e-4)
            else:
                assert abs(inner[item]) < 1e-4 * d1[item].norm() * d2[item].norm()
                assert kept[item].norm() < d1[item].norm()


def test_perp_neg_leaves_what_prompt_and_negative_share():
    network = tiny_unet(seed=3)
    guide = _guide(network, "a castle", "fog", scale=2.0)
    said = _said([guide], rule="perp_neg")
    one = said.spoken[0]
    wanted, denied = one.cond - one.empty, one.uncond - one.empty
    push = rules.PerpNeg()(said) - one.empty - 2.0 * wanted
    assert ((push * wanted).sum((1, 2, 3)).abs() < 1e-3 * push.norm() * wanted.norm()).all()
    assert ((push * denied).sum((1, 2, 3)) < 0).all()
    parallel = replace(said, spoken=(one._replace(uncond=one.empty + 3 * wanted),))
    plain = one.empty + 2.0 * wanted
    torch.testing.assert_close(rules.PerpNeg()(parallel), plain, atol=1e-5, rtol=1e-4)
    without = _said([_guide(network, "a castle", scale=2.0)], rule="perp_neg")
    assert torch.equal(rules.PerpNeg()(without), without.noises[0])


def test_alternate_lets_guides_take_turns():
    guides = _networks(scale=2.0)
    for index, turn in ((0, 0), (1, 0), (2, 1), (3, 1), (4, 0)):
        said = _said(guides, index=index)
        assert torch.equal(rules.Alternate(every=2)(said), said.noises[turn])


def test_branches_are_those_of_three_calls():
    network, latent = tiny_unet(), init_latent(tiny_unet(), [1, 2])
    guide = _guide(network, "a castle", "fog", scale=4.0)
    got = estimate(guide, latent, 300, "empty")
    for name, text in (("cond", "a castle"), ("uncond", "fog"), ("empty", "")):
        alone = estimate(_guide(network, "x", scale=1), latent, 300)
        embeds = network.encode_prompt(text).expand(2, -1, -1)
        with torch.no_grad():
            alone = network.predict_noise(latent, 300, embeds)
        torch.testing.assert_close(getattr(got, name), alone, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(got.noise, got.uncond + 4.0 * (got.cond - got.uncond))
    assert estimate(guide, latent, 300).empty is None
    assert estimate(replace(guide, scale=1), latent, 300).uncond is None
    old = replace(guide, prompt=Prompt("a", "fog", guide.prompt.cond, guide.prompt.uncond))
    with pytest.raises(ValueError, match="without its `empty` branch: expected a Prompt of encode"):
        estimate(old, latent, 300, "empty")


def test_systematic_resampling_picks_by_weight():
    weights = torch.tensor([0.5, 0.0, 0.125, 0.375], dtype=torch.float64)
    for uniform in (0.01, 0.5, 0.99):
        picked = rules.densities.systematic(weights, torch.tensor(uniform))
        counts = torch.bincount(picked, minlength=4)
        assert (counts - 4 * weights).abs().max() < 1 and counts.sum() == 4


# ---- in runs -------------------------------------------------------------------------------------


def _same(one, other):
    return all(torch.equal(a.latent, b.latent) for a, b in zip(one.steps, other.steps, strict=True))


SOME = [
    "mean", "and", "or", "not", "perp_neg", "projection", "frequency", "alternate",
    {"name": "langevin", "rule": "or", "corrections": 1, "size": 0.1},
    {"name": "corrected", "limit": 2.0}, "product",
]  # fmt: skip


@pytest.mark.parametrize("rule", SOME, ids=str)
def test_a_run_by_any_rule_is_made_again_resumed_and_kept(rule, tmp_path):
    toys, seeds = pair(), [3, 9]
    words = {"image_negative": "fog", "seeds": seeds, **FAST}
    made = compose(toys, "a castle", "bells", rule=rule, **words)
    assert json.loads(json.dumps(made.recipe)) == made.recipe
    assert made.recipe["rule"] == rules.describe(rules.as_rule(rule))
    assert _same(recompose(toys, made.recipe, progress=False), made)
    made.save(tmp_path / "run.safetensors")
    loaded = Trajectory.load(tmp_path / "run.safetensors", toys)
    for kept, step in zip(loaded.steps, made.steps, strict=True):
        assert kept.memory.keys() == step.memory.keys()
        assert all(torch.equal(kept.memory[name], one) for name, one in step.memory.items())
    from itskit.composition import guides

    rest = sample(
        guides(toys, "a castle", "bells", image_negative="fog", image_start=0.1),
        made.steps[2].latent, num_inference_steps=6, solver=made.recipe["solver"], seeds=seeds,
        rule=rule, first_step=3, previous=made.steps[2],
    )  # fmt: skip
    assert torch.equal(list(rest)[-1].latent, made.latent)
    if rule in ("mean", "product") or "corrected" in str(rule):
        return
    assert not torch.equal(made.latent, compose(toys, "a castle", "bells", **words).latent)
    alone = compose(toys, "a castle", "bells", rule=rule, **{**words, "seeds": [9]})
    torch.testing.assert_close(alone.latent[0], made.latent[1], atol=1e-3, rtol=1e-3)


def test_a_rule_of_ones_own_is_a_function():
    def loudest(said):
        noises = torch.stack([n for n in said.noises if n is not None])  # (guides, B, C, h, w)
        return noises.gather(0, noises.abs().argmax(0, keepdim=True))[0]

    toys = pair()
    made = compose(toys, "a castle", "bells", rule=loudest, **FAST)
    first = made.steps[-1]
    assert made.recipe["rule"] is None and not first.memory
    with pytest.raises(ValueError, match="a rule of one's own: expected rule="):
        recompose(toys, made.recipe)
    assert _same(recompose(toys, made.recipe, rule=loudest, progress=False), made)


def test_rules_bring_their_solver_and_refuse_another():
    toys = pair(defaults={"solver": "dpmpp_2m"})
    assert composing(toys, "a", "b", rule="and").recipe["solver"] == "ddpm"
    assert composing(toys, "a", "b", rule="frequency").recipe["solver"] == "dpmpp_2m"
    with pytest.raises(ValueError, match=r"'and' is one for steps that draw noise.*'ddpm'"):
        compose(toys, "a", "b", rule="and", solver="ddim", **FAST)
    with pytest.raises(ValueError, match=r"picks among the items.*seeds=range\(8\)"):
        compose(toys, "a", "b", rule="corrected", **FAST)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("nand", "unknown rule 'nand': expected one of"),
        ({"name": "and", "lft": 1}, "unknown parameter of rule 'and' 'lft': expected one of"),
        ({"lift": 1}, "unknown rule None"),
    ],
)
def test_unknown_rules_are_refused(rule, message):
    with pytest.raises(ValueError, match=message):
        composing(pair(), "a", "b", rule=rule)


def test_older_recipes_have_the_mean():
    toys = pair()
    made = compose(toys, "a castle", "bells", **FAST)
    old = recipes.read({key: value for key, value in made.recipe.items() if key != "rule"})
    assert made.recipe["rule"] == "mean" and _same(recompose(toys, old, progress=False), made)


def test_a_hunt_keeps_what_rules_remember():
    toys = gaussian_pair(1.0, 2.0, 0.5)
    judge = dict.fromkeys(("image", "sound"), lambda latent, prompt: latent.mean((1, 2, 3)))
    found = hunt(replace(toys, scorers=judge), "a", "a", seeds=3, keep=1, rule="and", **FAST)
    assert found[0][2].steps[-1].memory["kappa"].shape == (1, 2)
