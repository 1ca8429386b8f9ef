"""Intervals equal tables and scipy's own, and hold the truth as often as they say."""

import numpy as np
import pytest
from scipy import stats

from itskit import metrics
from itskit.intervals import interval, paper_interval, share_interval
from itskit.training.evaluate import summary, validation_loss

# Two-sided 95% points of Student's t, from printed tables.
TABLE = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 11: 2.228, 31: 2.042, 1001: 1.962}


@pytest.mark.parametrize("n", TABLE)
def test_the_interval_is_students_t(n):
    values = np.random.default_rng(n).normal(3, 2, n)
    mean, half = interval(values.tolist())
    assert half == pytest.approx(TABLE[n] * values.std(ddof=1) / n**0.5, rel=1e-3)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean - half, mean + half) == pytest.approx((low, high))


def test_one_value_says_nothing_of_the_next_and_none_is_refused():
    mean, half = interval([0.3])
    assert mean == 0.3 and np.isnan(half)
    for nothing in ([], [[1.0, 2.0]]):
        with pytest.raises(ValueError, match=r"expected \(n,\), n > 0"):
            interval(nothing)


@pytest.mark.parametrize(("hits", "n"), [(0, 3), (1, 3), (3, 3), (35, 40), (40, 40), (5, 8)])
def test_the_share_is_wilsons(hits, n):
    found = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert share_interval(hits, n) == pytest.approx((found.low, found.high), abs=1e-9)
    assert 0 <= found.low < found.high <= 1
    with pytest.raises(ValueError, match="expected 0 <= hits <= n"):
        share_interval(n + 1, n)


def test_the_papers_convention_is_its_formula():
    assert paper_interval([0.0, 1.0, 0.0, 1.0]) == (0.5, pytest.approx(1.96 * 0.5 / 2))


def covered(make_bar, n, times=4000, seed=0):
    """How often the bar of n normal values holds their true mean, 0."""
    draws = np.random.default_rng(seed).standard_normal((times, n))
    return np.mean([abs(mean) <= half for mean, half in map(make_bar, draws)])


@pytest.mark.parametrize("n", [2, 3, 4, 10, 40])
def test_95_of_100_intervals_hold_the_truth_at_any_n(n):
    # A standard deviation of this count is 0.0034; three of them either way.
    assert covered(interval, n) == pytest.approx(0.95, abs=0.0104)


def test_the_papers_bar_is_too_short_for_three_values():
    assert covered(paper_interval, 3) < 0.80
    assert covered(paper_interval, 1000, times=1000) > 0.93


@pytest.mark.parametrize(("share", "n"), [(0.5, 8), (0.9, 40), (0.97, 40), (0.05, 20)])
def test_wilsons_holds_a_share_where_the_plain_bar_fails(share, n):
    """The exact chance: a sum over all counts of hits, weighted by how likely each is."""
    likely = stats.binom.pmf(np.arange(n + 1), n, share)
    bars = [share_interval(hits, n) for hits in range(n + 1)]
    held = sum(p for p, (low, high) in zip(likely, bars, strict=True) if low <= share <= high)
    assert held > 0.92


def test_there_is_one_interval():
    assert metrics.interval is summary.interval is validation_loss.interval is interval
    assert metrics.paper_interval is paper_interval


def test_differences_of_errors_have_the_same_bars():
    import torch

    before = torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(0))
    after = before + torch.rand(2, 3, 5, generator=torch.Generator().manual_seed(1))
    lines = validation_loss.table_of_losses(before, after, [999, 500]).splitlines()
    change = (after - before)[:, 0].numpy()
    halves = [TABLE[5] * c.std(ddof=1) / 5**0.5 for c in change]
    assert lines[-2].split() == [x for half in halves for x in [f"±{half:6.4f}".replace(" ", "")]]
