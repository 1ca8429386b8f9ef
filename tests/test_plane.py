"""Points in a plane: the perfect denoiser against a sum over samples, and where rules land."""

import pytest
import torch

from itskit import plane, rules
from itskit.guidance import encode_prompt, estimate_noise
from itskit.schedule import stable_diffusion_alpha_bar

LEFT, RIGHT, TOP = (-1.5, 0.0), (1.5, 0.0), (0.0, 1.5)


def test_the_denoiser_is_the_mean_of_all_noises_that_may_be_there():
    """E[noise | latent], by weighing 200,000 clean points by how well they explain the latent."""
    model, t = plane.bumps({"two": [LEFT, TOP], "one": [RIGHT]}, spread=0.4), 500
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(200_000, 2, generator=generator, dtype=torch.float64) * 0.4
    clean += torch.tensor([LEFT, TOP], dtype=torch.float64).repeat(100_000, 1)
    a, latent = stable_diffusion_alpha_bar()[t].double(), torch.tensor([0.3, -0.2]).double()
    noises = (latent - a**0.5 * clean) / (1 - a) ** 0.5
    likely = torch.softmax(-(noises**2).sum(1) / 2, 0)
    said = estimate_noise(plane.guide({"two": [LEFT, TOP]}, "two"), latent.view(1, 2, 1, 1), t)
    torch.testing.assert_close(said.flatten(), likely @ noises, atol=0.02, rtol=0)
    shares = encode_prompt(model, "two").cond.flatten().exp().tolist()
    assert shares == [1.0, 1.0, 0.0]
    assert encode_prompt(model, "one", "").uncond.flatten().exp().tolist() == [1.0, 1.0, 1.0]


def test_one_voice_lands_where_its_points_are():
    points = plane.land(plane.guide({"a": [LEFT, TOP]}, "a"), num_inference_steps=40)
    near = [(points - torch.tensor(place)).norm(dim=1) < 1.2 for place in (LEFT, TOP)]
    assert (near[0] | near[1]).float().mean() > 0.98
    assert 0.4 < near[0].float().mean() < 0.6
    deviation = (points[near[0]] - torch.tensor(LEFT)).std()
    assert float(deviation) == pytest.approx(0.4, abs=0.06)


def test_two_voices_agree_on_the_place_that_both_know():
    one, other = (plane.guide({"a": [side, TOP]}, "a") for side in (LEFT, RIGHT))
    shares = {}
    for rule in ("mean", "product", "or"):
        top = (plane.land(one, other, rule=rule) - torch.tensor(TOP)).norm(dim=1) < 1
        shares[rule] = float(top.float().mean())
    assert shares["product"] > 0.95 > 0.85 > shares["mean"] > shares["or"]
    assert shares["or"] == pytest.approx(0.5, abs=0.08)  # of the mixture half is there


def test_not_leaves_the_innocent_alone():
    guide = plane.guide({"anything": [LEFT, TOP, RIGHT], "left": [LEFT]}, "anything", "left")
    fair = rules.Not(strength=2.0, prior=1 / 3, temperature=1.0, offset=0.0, most=0.95)
    points = plane.land(guide, rule=fair)
    near = [
        float(((points - torch.tensor(p)).norm(dim=1) < 1).float().mean())
        for p in (LEFT, TOP, RIGHT)
    ]
    assert near[0] < 0.02 and min(near[1:]) > 0.4


def test_a_point_is_no_picture():
    model = plane.bumps({"a": [LEFT]})
    with pytest.raises(ValueError, match=r"expected `itskit\.plane\.scatter`"):
        model.decode(torch.zeros(1, 2, 1, 1))
    axes = plane.clouds({"one": torch.zeros(3, 2), "two": torch.ones(3, 2)})
    assert [ax.get_title() for ax in axes] == ["one", "two"]
    assert axes[1].collections[0].get_offsets().data.tolist() == [[1.0, 1.0]] * 3
