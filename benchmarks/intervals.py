"""Quantiles of sums as the usual libraries' users make them from a mean and errors of single periods.

It owns the three ways: normal with √h, and conformal intervals of single periods combined as if independent
or as if they all fell together.
"""

import numpy as np
from scipy.stats import norm

from forecasting.backtest import pinball
from histories import Case
from peers import Arrays
from scoring import LEVEL, Said

NORMAL, INDEPENDENT, TOGETHER = "normal √h", "conformal √Σ²", "conformal Σ"


def normal(mean: np.ndarray, sigma: np.ndarray, horizons: np.ndarray) -> np.ndarray:
    """(m, g, levels) units: sums of means (m, H), spread by σ (m,) × √h, not negative.

    >>> normal(np.full((1, 4), 2.0), np.array([1.0]), np.array([4]))[0, 0, :2].round(2).tolist()
    [8.0, 9.68]
    """
    total = np.cumsum(mean, axis=1)[:, horizons - 1]
    spread = sigma[:, None] * np.sqrt(horizons)
    return np.maximum(total[:, :, None] + norm.ppf(LEVEL) * spread[:, :, None], 0.0)


def conformal(errors: np.ndarray) -> np.ndarray:
    """(m, H, levels) units above the mean of single periods, from errors (m, windows, H) or NaN.

    As in the libraries: quantiles of mean ± |error| over the windows.

    >>> conformal(np.array([[[1.0], [3.0]]]))[0, 0].tolist()
    [0.0, 1.8000000000000003, 2.4000000000000004, 2.7, 2.94]
    """
    size = np.abs(errors)
    rows = np.concatenate([-size, size], axis=1)
    with np.errstate(invalid="ignore"):
        return np.moveaxis(np.nan_to_num(np.nanquantile(rows, LEVEL, axis=1)), 0, 2)


def summed(mean: np.ndarray, above: np.ndarray, horizons: np.ndarray, together: bool) -> np.ndarray:
    """(m, g, levels) units: sums of means (m, H) and of half-widths `above` (m, H, levels).

    together: add half-widths up; else add their squares
    """
    total = np.cumsum(mean, axis=1)[:, horizons - 1]
    power = 1 if together else 2
    width = np.cumsum(np.maximum(above, 0.0) ** power, axis=1)[:, horizons - 1] ** (1 / power)
    return np.maximum(total[:, :, None] + width, 0.0)


def learned(case: Case, fitted: Arrays) -> dict[str, Said]:
    """The global model with conformal intervals summed in two ways, and with its daily quantiles summed."""
    mean, above = fitted["mean"], fitted["above"]
    once, again = fitted["seconds"]
    steps = np.cumsum(fitted["steps"], axis=1)[:, case.horizons - 1]
    return {
        f"LightGBM {INDEPENDENT}": Said(mean, summed(mean, above, case.horizons, together=False), once),
        f"LightGBM {TOGETHER}": Said(mean, summed(mean, above, case.horizons, together=True), once),
        "LightGBM quantiles Σ": Said(mean, steps, once + again),
    }


def errors_of(case: Case, fitted: Arrays) -> np.ndarray:
    """(m, K - 1, H) units, errors of the earlier forecasts as far as known at the origin, else NaN."""
    folds, back = case.folds, fitted["offsets"][1:]
    start = folds.origin[:, None] + 1 - back[None, :]
    at = start[:, :, None] + np.arange(case.ahead)
    known = (at <= folds.origin[:, None, None]) & (at >= 0)
    actual = case.panel.quantity[folds.series[:, None, None], np.where(known, at, 0)]
    return np.where(known, actual - fitted["mean"][:, 1:], np.nan)


def classics(case: Case, fits: dict[str, Arrays]) -> dict[str, Said]:
    """Every model of statsforecast with its three spreads, and per series the best on the last window."""
    found = {name: _three(case, fitted) for name, fitted in fits.items()}
    out = {f"{name} {way}": said for name, ways in found.items() for way, said in ways.items()}
    if len(fits) > 1:
        best = np.argmin(np.stack([_last_window(case, fitted) for fitted in fits.values()]), axis=0)
        out |= {f"best of {way}": _pick(best, [ways[way] for ways in found.values()]) for way in
                (NORMAL, INDEPENDENT, TOGETHER)}  # fmt: skip
    return out


def _three(case: Case, fitted: Arrays) -> dict[str, Said]:
    mean = fitted["mean"][:, 0]
    above = conformal(errors_of(case, fitted))
    once, all_fits = float(fitted["seconds"][0]), float(fitted["seconds"].sum())
    return {
        NORMAL: Said(mean, normal(mean, fitted["sigma"][:, 0], case.horizons), once),
        INDEPENDENT: Said(mean, summed(mean, above, case.horizons, together=False), all_fits),
        TOGETHER: Said(mean, summed(mean, above, case.horizons, together=True), all_fits),
    }


def _last_window(case: Case, fitted: Arrays) -> np.ndarray:
    """(m,) units, pinball on the longest window that ended at the origin, as said before it."""
    back = int(fitted["offsets"][fitted["offsets"] <= case.ahead].max())
    k = int(np.flatnonzero(fitted["offsets"] == back)[0])
    mean = fitted["mean"][:, k, :back]
    errors = errors_of(case, fitted)[:, k - 1, :back]
    actual = np.where(np.isfinite(errors), errors + mean, mean).sum(axis=1)
    given = normal(mean, fitted["sigma"][:, k], np.array([back]))[:, 0]
    return pinball(actual, given, LEVEL).mean(axis=1)


def _pick(best: np.ndarray, ways: list[Said]) -> Said:
    rows = np.arange(len(best))
    return Said(
        np.stack([said.mean_daily for said in ways])[best, rows],
        np.stack([said.quantiles for said in ways])[best, rows],
        sum(said.seconds for said in ways),
    )
