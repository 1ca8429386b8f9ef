"""The laws of a view: it is undone by its inverse, and it keeps Gaussian noise Gaussian."""

import numpy as np
import pytest
import torch
from toys import gaussian, tiny_unet

from itskit import views
from itskit.guidance import Guide, encode_prompt, estimate_noise

# Each with the same thing said in numpy.
VIEWS = {
    views.Identity(): lambda x: x,
    views.FlipTime(): lambda x: x[..., :, ::-1],
    views.FlipFrequency(): lambda x: x[..., ::-1, :],
    views.Rotate180(): lambda x: np.rot90(x, 2, axes=(-2, -1)),
    views.Negate(): lambda x: 0 - x,
}
each_view = pytest.mark.parametrize("view", VIEWS, ids=lambda view: type(view).__name__)


@each_view
def test_does_what_it_says(view):
    x = torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(view(x), VIEWS[view](x.numpy()))


@each_view
def test_inverse_undoes_it(view):
    x = torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(view.inverse(view(x)), x)
    assert torch.equal(view(view.inverse(x)), x)


@each_view
def test_gaussian_noise_stays_gaussian_noise(view):
    """As a matrix on the 4 x 6 latent it is orthogonal, so that the covariance stays the unit
    matrix, and linear, so that the mean stays zero; a large sample agrees."""
    unit = torch.eye(24).reshape(24, 1, 4, 6)
    matrix = view(unit).reshape(24, 24)
    assert torch.equal(matrix @ matrix.T, torch.eye(24))
    x, y = torch.randn(2, 5, 1, 4, 6, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(view(2 * x - 3 * y), 2 * view(x) - 3 * view(y))

    noise = torch.randn(40_000, 1, 4, 6, generator=torch.Generator().manual_seed(2))
    seen = view(noise).flatten(1)
    assert seen.mean(0).abs().max() < 0.025  # 5 standard errors of 1 / 200
    assert (torch.cov(seen.T) - torch.eye(24)).abs().max() < 0.04
    kurtosis = (seen**4).mean() / (seen**2).mean() ** 2
    assert abs(kurtosis - 3) < 0.03


@each_view
def test_guide_turns_the_latent_and_turns_its_noise_back(view):
    """A perfect denoiser of a picture seen through a view is the perfect one of the turned-back
    picture: wrong if only the latents, or only the noises, are turned."""
    picture = torch.randn(4, 8, 16, generator=torch.Generator().manual_seed(3))
    turned = gaussian("image", {"p": picture}, std=0.5)
    upright = gaussian("image", {"p": view.inverse(picture)}, std=0.5)
    latent = torch.randn(2, 4, 8, 16, generator=torch.Generator().manual_seed(4))
    got = estimate_noise(Guide(turned, encode_prompt(turned, "p"), 3.0, view=view), latent, 500)
    expected = estimate_noise(Guide(upright, encode_prompt(upright, "p"), 3.0), latent, 500)
    torch.testing.assert_close(got, expected)


def test_views_are_not_all_the_same_to_a_network():
    network = tiny_unet()
    prompt = encode_prompt(network, "a bell")
    latent = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(5))
    noises = [estimate_noise(Guide(network, prompt, view=view), latent, 500) for view in VIEWS]
    for i, noise in enumerate(noises):
        assert all((noise - other).abs().max() > 1e-3 for other in noises[:i])
