"""Tracking signals: whether a run of forecast errors leans to one side by more than luck.

It owns the two signals and their limits. Errors are demand less forecast of consecutive periods.
"""

import numpy as np

SURE = 2.576  # standard deviations that luck passes once in a hundred
SIGMA = 1.25  # standard deviations in a mean absolute deviation of normal errors
SMOOTHING = 0.1


def tracking_signal(errors: np.ndarray) -> tuple[float, float]:
    """The sum of errors over their mean absolute deviation, and its limit either way.

    errors: (k,) demand less forecast of consecutive periods, units; not all zero

    Brown (1963, Smoothing, Forecasting and Prediction) proposed the ratio. The sum of k independent normal
    errors of mean zero has a standard deviation of 1.25 MAD √k; autocorrelation ρ widens it by
    √((1 + ρ) / (1 - ρ)). The limit is what luck passes once in a hundred.

    >>> signal, limit = tracking_signal(np.array([2.0, 2, 3, 2, 1, 2, 2, 2, 3, 1, 2, 2, 2, 2]))
    >>> round(signal, 1), round(limit, 1)
    (14.0, 12.0)
    """
    deviation = float(np.abs(errors).mean())
    rho = _autocorrelation(errors)
    limit = SURE * SIGMA * np.sqrt(len(errors) * (1 + rho) / (1 - rho))
    return float(errors.sum() / deviation), float(limit)


def smoothed_signal(errors: np.ndarray) -> tuple[float, float]:
    """Trigg's signal, the smoothed error over the smoothed absolute error, in [-1, 1]; and its limit.

    Trigg (1964, Operational Research Quarterly 15, 271-274). With smoothing a the smoothed error varies with
    a / (2 - a) times the variance of independent errors; autocorrelation ρ widens it by
    (1 + (1 - a) ρ) / (1 - (1 - a) ρ). It forgets, so that it shows a late break sooner than the plain sum.
    """
    error, deviation = 0.0, float(np.abs(errors).mean())
    for one in errors:
        error += SMOOTHING * (one - error)
        deviation += SMOOTHING * (abs(one) - deviation)
    kept = (1 - SMOOTHING) * _autocorrelation(errors)
    spread = SMOOTHING / (2 - SMOOTHING) * (1 + kept) / (1 - kept)
    return float(error / deviation), float(SURE * SIGMA * np.sqrt(spread))


def _autocorrelation(errors: np.ndarray) -> float:
    """Of successive errors about their mean; what is negative or cannot be told counts as none."""
    off = errors - errors.mean()
    power = float((off * off).sum())
    return float(np.clip((off[1:] * off[:-1]).sum() / power, 0.0, 0.8)) if power > 0 else 0.0
