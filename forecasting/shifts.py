"""Shifts: whether what is seen now is spread otherwise than what was seen before.

It owns the comparison of two samples: of a model's features, and of lead times. It says by how much, and
what of it luck or the season may explain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, ks_2samp

SHIFTED = 0.25  # stability index from which a shift matters
BINS = 10
SLOWER = 1.25  # ratio of typical lead times, either way
CHANCE = 0.01
LEAST = 10  # orders on either side


@dataclass(frozen=True)
class LeadTimeShift:
    """Typical lead time now over that before, and the chance of such a difference by luck."""

    ratio: float
    p: float

    @property
    def alarm(self) -> bool:
        """Whether the change is both large and no luck."""
        return self.p < CHANCE and max(self.ratio, 1 / self.ratio) > SLOWER


@dataclass(frozen=True)
class FeatureShift:
    """Stability index of one feature now against training, and the limit beyond which it has shifted."""

    feature: str
    index: float
    limit: float

    @property
    def alarm(self) -> bool:
        """Whether the feature has shifted."""
        return self.index > self.limit


def stability(before: np.ndarray, now: np.ndarray) -> float:
    """Population stability index, Σ (q - p) ln(q / p) over tenths of the first sample, NaN a bin of its own.

    before, now: (rows,), (other rows,)

    Half an observation is added to each bin, so that an empty one does not make it infinite.

    >>> ramp = np.arange(1000.0)
    >>> round(stability(ramp, ramp[::2]), 3), round(stability(ramp, ramp + 200), 2)
    (0.0, 1.27)
    """
    known = before[np.isfinite(before)]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
    shares = []
    for values in (before, now):
        bin_of = np.where(np.isfinite(values), np.searchsorted(edges, values), len(edges) + 1)
        count = np.bincount(bin_of, minlength=len(edges) + 2) + 0.5
        shares.append(count / count.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def feature_shift(
    before: np.ndarray, stretch: np.ndarray, now: np.ndarray, names: Sequence[str], series: int
) -> list[FeatureShift]:
    """How far each feature is spread otherwise now than in training, nearest to its limit or beyond first.

    before, now: (rows, names); stretch: (rows,) numbers of the stretches of time that `before` fell in
    series: how many the rows are about; rows of one series in one stretch are alike and count as one

    0.25 is the usual bound of a shift that matters (Siddiqi 2006, Credit Risk Scorecards). But luck alone
    makes the index of n against m rows χ² (1/n + 1/m), with a degree of freedom less than bins (Yurdakul
    2018, Statistical properties of the population stability index), and seasons and promotions come and go:
    so it must be beyond the 99 % point of the first too, and twice what any stretch was off in training.
    """
    found = []
    luck = float(chi2.ppf(1 - CHANCE, BINS - 1)) * (1 + 1 / len(np.unique(stretch))) / series
    for k, name in enumerate(names):
        parts = [stretch == one for one in np.unique(stretch)]
        usual = max(stability(before[~part, k], before[part, k]) for part in parts)
        found.append(FeatureShift(name, stability(before[:, k], now[:, k]), max(SHIFTED, luck, 2 * usual)))
    return sorted(found, key=lambda shift: shift.limit / max(shift.index, 1e-9))


def lead_time_shift(before: np.ndarray, since: np.ndarray) -> LeadTimeShift | None:
    """How lead times changed, by the two-sample Kolmogorov-Smirnov test; None with fewer than ten on a side.

    before, since: days from order to receipt

    The ratio is of geometric means, a day at least, as lead times are skewed.

    >>> lead_time_shift(np.tile([7.0, 8, 9], 10), np.tile([14.0, 16, 18], 10)).ratio
    2.0
    """
    if min(len(before), len(since)) < LEAST:
        return None
    ratio = np.exp(np.log(np.maximum(since, 1.0)).mean() - np.log(np.maximum(before, 1.0)).mean())
    return LeadTimeShift(float(np.round(ratio, 4)), float(ks_2samp(before, since).pvalue))
