"""What can be said of two piles of things, each a point (D,): how wide a pile is, whether the other
lies in it, and whether anybody could tell the two apart.

Distances mean what the points mean: give latents, features, or numbers brought to one scale.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import cdist
from scipy.stats import chi2, norm

from ..intervals import LEVEL


class Dimension(NamedTuple):
    """An estimate, and both ends of its 95% interval."""

    value: float
    low: float
    high: float


def dimension(points) -> Dimension:
    """In how many directions points (N, D) really vary: their intrinsic dimension.

    "TwoNN" (Facco et al. 2017, doi 10.1038/s41598-017-11873-y): for each point, the distance to its
    second neighbour over that to its first follows a Pareto law, whose exponent is the dimension d.
    So 2 d sum(log ratios) is chi-squared with 2 N degrees of freedom, which gives the estimate,
    (N - 1) / sum, and its interval. Few points cannot show many directions: above about 10 it is
    too low.

    Raises ValueError for fewer than 3 points, or if hardly any has two different neighbours.
    """
    points = _points(points, "points", 3)
    near = np.sort(cdist(points, points), axis=1)[:, 1:3]  # column 0 is the point itself
    near = near[near[:, 0] > 0]  # a copy has no ratio
    total = float(np.log(near[:, 1] / near[:, 0]).sum()) if len(near) else 0.0
    if len(near) < 3 or total == 0:
        raise ValueError(
            f"{len(near)} of {len(points)} points have two different neighbours: expected 3 or "
            "more; take out the copies"
        )
    count = len(near)
    low, high = chi2.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], 2 * count) / (2 * total)
    return Dimension((count - 1) / total, float(low), float(high))


class Nearness(NamedTuple):
    """precision  of the made, how many lie within the real
    recall     of the real, how many lie within the made
    density    how many real neighbourhoods a made one lies in, over k; 1 for piles that are alike
    coverage   of the real, how many have a made one in their neighbourhood
    """

    precision: float
    recall: float
    density: float
    coverage: float


def nearness(made, real, k: int = 5) -> Nearness:
    """How much of one pile (N, D) lies among the other (M, D), from 0 to 1 (density: and above).

    A point's neighbourhood reaches to its k-th nearest in its own pile. Precision and recall are
    those of Kynkäänniemi et al. 2019 (arXiv 1904.06991), density and coverage, which outliers do
    not puff up, of Naeem et al. 2020 (arXiv 2002.09797). Two piles of n from one source have a
    coverage near 1 - 1 / 2**k, so compare with two halves of one pile. Raises ValueError unless
    each has more than k points of the same D.
    """
    made, real = _points(made, "made", k + 1), _points(real, "real", k + 1)
    _check_width(made, real)
    reach_made, reach_real = (np.sort(cdist(p, p), axis=1)[:, k] for p in (made, real))
    apart = cdist(real, made)  # (M, N)
    in_real, in_made = apart <= reach_real[:, None], apart <= reach_made[None, :]
    return Nearness(
        precision=float(in_real.any(0).mean()),
        recall=float(in_made.any(1).mean()),
        density=float(in_real.sum(0).mean() / k),
        coverage=float(in_real.any(1).mean()),
    )


class Separability(NamedTuple):
    """The AUC, both ends of its 95% interval, and what the classifier said of each point, held out:
    the probability that it is of the second pile, (N + M,)."""

    auc: float
    low: float
    high: float
    said: np.ndarray


def separability(one, other, *, groups=None, folds: int = 5, seed: int = 0) -> Separability:
    """How well a classifier tells two piles (N, D) and (M, D) apart, on points held out.

    The area under the ROC curve is how often, of a point from each, it takes the right one for the
    second pile's: 1/2 is guessing, 1 is certain (a "classifier two-sample test", Lopez-Paz & Oquab
    2017, arXiv 1610.06545). The classifier is scikit-learn's logistic regression on numbers brought
    to one scale; it asks for a plane between the piles, so 1/2 means that no plane does it. The
    interval is Newcombe's (2006, method 5), which holds for few points and at 1, too.

    Parameters
    ----------
    one, other : array
    groups : sequence, optional
        For all points of `one`, then of `other`: those of one group (one prompt, one recording) are
        held out together.
    folds : int
    seed : int
        Of the shuffling.

    Raises
    ------
    ValueError
        For points of different D, and for fewer points, or groups, of a pile than folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    one, other = _points(one, "one", folds), _points(other, "other", folds)
    _check_width(one, other)
    points = np.concatenate([one, other])
    label = np.repeat([0, 1], [len(one), len(other)])
    groups = np.arange(len(points)) if groups is None else np.asarray(groups)
    _check_groups(groups, label, folds)
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    said = cross_val_predict(
        model, points, label, groups=groups, cv=split, method="predict_proba"
    )[:, 1]  # fmt: skip
    auc = float(roc_auc_score(label, said))
    return Separability(auc, *_auc_interval(auc, len(one), len(other)), said)


def _auc_interval(auc: float, n: int, m: int) -> tuple[float, float]:
    """Where the AUC may lie: all a with |a - auc| <= z s(a), s by Hanley & McNeil."""
    z = norm.ppf((1 + LEVEL) / 2)
    more = (n + m) / 2 - 1

    def over(a: float) -> float:
        spread = a * (1 - a) * (1 + more * ((1 - a) / (2 - a) + a / (1 + a))) / (n * m)
        return (a - auc) ** 2 - z**2 * spread

    tiny = 1e-9  # at 0 and 1 the AUC is a root itself; the end is the other one
    low = 0.0 if auc < 2 * tiny else brentq(over, 0.0, auc - tiny)
    high = 1.0 if auc > 1 - 2 * tiny else brentq(over, auc + tiny, 1.0)
    return float(low), float(high)


def _points(points, name: str, least: int) -> np.ndarray:
    points = np.asarray(points, dtype=float)
    if points.ndim != 2 or len(points) < least or not np.isfinite(points).all():
        raise ValueError(
            f"{name} has shape {points.shape}: expected (N, D), finite, N at least {least}; a "
            "latent is laid flat by latents.flatten(1)"
        )
    return points


def _check_width(one: np.ndarray, other: np.ndarray) -> None:
    if one.shape[1] != other.shape[1]:
        raise ValueError(
            f"points of {one.shape[1]} and of {other.shape[1]} numbers: expected the same of both"
        )


def _check_groups(groups: np.ndarray, label: np.ndarray, folds: int) -> None:
    if groups.shape != label.shape:
        raise ValueError(f"{groups.shape} groups for {len(label)} points: expected one for each")
    least = min(len(set(groups[label == k].tolist())) for k in (0, 1))
    if least < folds:
        raise ValueError(
            f"one of the piles has {least} groups: expected at least folds={folds} of each; take "
            "fewer folds or more groups"
        )
