"""The schedule and the solvers against diffusers, and against the exact solution of a Gaussian."""

import itertools

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from itskit import schedule
from itskit.solvers import SOLVERS

# scheduler/scheduler_config.json of Stable Diffusion 1.5
SD15 = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
}
DDIM = {**SD15, "steps_offset": 1, "set_alpha_to_one": False, "clip_sample": False}


def test_alpha_bar_is_stable_diffusions():
    expected = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)  # float64
    np.testing.assert_allclose(schedule.stable_diffusion_alpha_bar(), expected, rtol=1e-5)
    torch.testing.assert_close(
        schedule.stable_diffusion_alpha_bar(), DDIMScheduler(**DDIM).alphas_cumprod, rtol=0, atol=0
    )


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("n", [1, 2, 7, 12, 20, 30, 50, 99, 100, 333, 999])
def test_timesteps_are_diffusers(n, spacing):
    scheduler = DDIMScheduler(**DDIM, timestep_spacing=spacing)
    scheduler.set_timesteps(n)
    # diffusers' float arange may run one over, to t = -1
    expected = scheduler.timesteps[:n]
    steps = schedule.timesteps(n, spacing)
    assert steps.dtype == torch.int64
    assert steps.tolist() == expected.tolist()


@pytest.mark.parametrize("n", [0, -3, 1000, 2.5])
def test_impossible_numbers_of_steps_are_refused(n):
    with pytest.raises(ValueError, match=f"num_inference_steps={n}.*1 to 999.*30"):
        schedule.timesteps(n)


def test_unknown_spacing_is_refused():
    with pytest.raises(ValueError, match=r"unknown spacing 'even'.*leading.*trailing"):
        schedule.timesteps(10, "even")


@pytest.mark.parametrize("t", [0, 1, 500, 999])
def test_noise_and_clean_are_taken_apart_again(t):
    clean, noise = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0)).double()
    a = schedule.stable_diffusion_alpha_bar()[t].double()
    latent = schedule.add_noise(clean, noise, a)
    torch.testing.assert_close(schedule.predict_clean(latent, noise, a), clean)
    torch.testing.assert_close(schedule.noise_from_clean(latent, clean, a), noise)


def test_added_noise_is_diffusers():
    clean, noise = torch.randn(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    expected = DDIMScheduler(**DDIM).add_noise(clean, noise, torch.tensor([700]))
    a = schedule.stable_diffusion_alpha_bar()[700]
    torch.testing.assert_close(schedule.add_noise(clean, noise, a), expected, rtol=0, atol=1e-7)


def _walk(solver, latent, steps, noise_of):
    """The solver's own loop, with a given noise estimate."""
    table, previous = schedule.stable_diffusion_alpha_bar().to(latent.dtype), None
    levels = [table[t] for t in steps] + [SOLVERS[solver].final_alpha_bar(table).to(latent.dtype)]
    for t, a, a_next in zip(steps, levels, levels[1:], strict=False):
        noise = noise_of(latent, int(t))
        clean = schedule.predict_clean(latent, noise, a)
        latent = SOLVERS[solver].step(latent, clean, noise, a, a_next, previous)
        previous = clean, a
    return latent


def _any_noise(latent, t):
    """A smooth, nonlinear stand-in for a network."""
    return torch.tanh(latent * (1 + t / 1000)) + 0.1 * latent.roll(1, -1)


@pytest.mark.parametrize("n", [1, 2, 10, 30, 100])
def test_ddim_is_diffusers(n):
    scheduler = DDIMScheduler(**DDIM)
    scheduler.set_timesteps(n)
    expected = latent = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(1))
    for t in scheduler.timesteps:
        expected = scheduler.step(_any_noise(expected, int(t)), t, expected).prev_sample
    got = _walk("ddim", latent, schedule.timesteps(n), _any_noise)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("n", [1, 2, 3, 10, 20, 50])
def test_dpmpp_2m_is_diffusers(n, spacing):
    steps = schedule.timesteps(n, spacing)
    scheduler = DPMSolverMultistepScheduler(
        **SD15,
        algorithm_type="dpmsolver++",
        solver_order=2,
        solver_type="midpoint",
        final_sigmas_type="zero",
    )
    scheduler.set_timesteps(timesteps=steps.tolist())
    expected = latent = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(1))
    for t in scheduler.timesteps:
        expected = scheduler.step(_any_noise(expected, int(t)), t, expected).prev_sample
    got = _walk("dpmpp_2m", latent, steps, _any_noise)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 10, 30, 100])
def test_ddpm_is_diffusers(n):
    scheduler = DDPMScheduler(**SD15, steps_offset=1, timestep_spacing="leading", clip_sample=False)
    scheduler.set_timesteps(n)
    table, steps = schedule.stable_diffusion_alpha_bar(), schedule.timesteps(n)
    assert scheduler.timesteps.tolist() == steps.tolist()
    latent = torch.randn(1, 4, 8, 16, generator=torch.Generator().manual_seed(1))
    for k, t in enumerate(steps):
        noise, a = _any_noise(latent, int(t)), table[t]
        expected = scheduler.step(
            noise, t, latent, generator=torch.Generator().manual_seed(k)
        ).prev_sample
        fresh = torch.randn(latent.shape, generator=torch.Generator().manual_seed(k))
        a_next = table[steps[k + 1]] if k + 1 < n else SOLVERS["ddpm"].final_alpha_bar(table)
        clean = schedule.predict_clean(latent, noise, a)
        latent = SOLVERS["ddpm"].step(latent, clean, noise, a, a_next, fresh=fresh)
        torch.testing.assert_close(latent, expected, rtol=2e-5, atol=2e-5)


def _ddpm_error(n, mean=0.7, std=0.6):
    """How far the mean and variance are from those of data N(mean, std**2), which `n` steps from
    pure noise come to: a step is linear, so that both go through it by two numbers."""
    table, steps = schedule.stable_diffusion_alpha_bar().double(), schedule.timesteps(n, "trailing")
    levels = [*table[steps], torch.ones((), dtype=torch.float64)]
    first = levels[0]
    at, variance = first**0.5 * mean, first * std**2 + 1 - first
    probe = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)  # the constant, and two slopes
    for a, a_next in itertools.pairwise(levels):
        noise = (1 - a) ** 0.5 * (probe - a**0.5 * mean) / (a * std**2 + 1 - a)
        clean = schedule.predict_clean(probe, noise, a)
        shaken = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
        constant, *moved = SOLVERS["ddpm"].step(probe, clean, noise, a, a_next, fresh=shaken)
        slope, shake = (one - constant for one in moved)
        at, variance = constant + slope * at, slope**2 * variance + shake**2
    return abs(float(at) - mean), abs(float(variance) - std**2)


def test_ddpm_converges_to_the_mean_and_variance_of_a_gaussian_as_one_over_the_steps():
    errors = [_ddpm_error(n) for n in (25, 50, 100, 200)]
    assert max(at for at, _ in errors) < 1e-9 and errors[-1][1] < 0.03, errors
    for before, after in itertools.pairwise(errors):
        assert 0.3 < after[1] / before[1] < 0.7, errors


def _gaussian_error(solver, n, mean=0.7, std=0.6):
    """Distance from the exact solution of the probability flow for data N(mean, std**2): there
    (latent - sqrt(a) mean) / sqrt(a std**2 + 1 - a) never changes."""
    table = schedule.stable_diffusion_alpha_bar().double()
    steps = schedule.timesteps(n, "trailing")
    latent = torch.linspace(-2, 2, 9, dtype=torch.float64)

    def spread(a):
        return (a * std**2 + 1 - a) ** 0.5

    def noise_of(x, t):
        return (1 - table[t]) ** 0.5 * (x - table[t] ** 0.5 * mean) / spread(table[t]) ** 2

    first, last = table[steps[0]], SOLVERS[solver].final_alpha_bar(table).double()
    constant = (latent - first**0.5 * mean) / spread(first)
    exact = last**0.5 * mean + spread(last) * constant
    return float((_walk(solver, latent, steps, noise_of) - exact).abs().max())


def test_solvers_converge_to_the_exact_flow():
    flows = [name for name, solver in SOLVERS.items() if not solver.draws_noise]
    errors = {s: [_gaussian_error(s, n) for n in (10, 20, 40, 80)] for s in flows}
    for solver in errors:
        assert errors[solver][-1] < 0.04, errors
        assert all(b < 0.75 * a for a, b in zip(errors[solver], errors[solver][1:], strict=False))
    assert all(two < one for one, two in zip(errors["ddim"], errors["dpmpp_2m"], strict=True)), (
        errors
    )


def test_dpmpp_2m_ends_on_the_clean_estimate_and_ddim_a_trace_of_noise_above_it():
    table = schedule.stable_diffusion_alpha_bar()
    latent, clean, noise = torch.randn(3, 1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    end = {name: solver.final_alpha_bar(table) for name, solver in SOLVERS.items()}
    solver, previous = SOLVERS["dpmpp_2m"], (noise, table[60])
    got = solver.step(latent, clean, noise, table[30], end["dpmpp_2m"], previous)
    assert torch.equal(got, clean)
    got = SOLVERS["ddim"].step(latent, clean, noise, table[30], end["ddim"])
    torch.testing.assert_close(got, clean * (1 - 0.00085) ** 0.5 + noise * 0.00085**0.5)
