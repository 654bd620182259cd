"""Candidates side by side: how far each is from the champion of its training, and whether that is luck.

It owns the table that run lists show. The comparison itself is made when a training is recorded, from the
losses on its judged windows, and kept as measures of the run; listing only reads them.
"""

import numpy as np
import pandas as pd

from forecasting.backtest import Folds
from forecasting.significance import paired_difference
from forecasting.trials import Trial

COVERED = (0.9, 0.95)  # levels whose coverage the table shows
TEXTS = ("training", "started", "as_of", "candidate", "champion", "gate")
COLUMNS = (
    *TEXTS[:5],
    "pinball",
    *(f"coverage_{level}" for level in COVERED),
    "bias",
    "cost",
    "seconds",
    "difference",
    "low",
    "high",
    "p",
    "significance",
    "gate",
)


def against_champion(trial: Trial, champion: Trial, folds: Folds, seed: int = 0) -> dict[str, float]:
    """Loss of a trial less that of the champion's, with its limits and chance; finite measures alone.

    difference: mean scaled pinball per window, below zero where the trial loses less
    difference_low, difference_high: limits that are each passed with a chance of 5 %
    difference_p: chance of a difference this low or lower if the trial were no better
    """
    if trial is champion:
        return {}
    found = paired_difference(trial.loss, champion.loss, folds.origin, folds.series, seed)
    values = {
        "difference": found.mean,
        "difference_low": found.low,
        "difference_high": found.high,
        "difference_p": found.p,
    }
    return {name: value for name, value in values.items() if np.isfinite(value)}


def compare(runs: pd.DataFrame) -> pd.DataFrame:
    """Recorded candidates as COLUMNS, the newest training first and its best candidate on top.

    runs: one row per candidate, with TEXTS and measures as `evidence.measures` and `against_champion` name
        them; a measure that was not recorded is missing
    coverage_0.9 is the share of windows within the quantile, ties counted in its favour: the level itself
    where P(Y < q) ≤ level ≤ P(Y ≤ q), else the nearer of the two.
    """
    table = runs[list(TEXTS)].copy()
    for name in ("pinball", "bias", "cost", "seconds"):
        table[name] = _measure(runs, name)
    for level in COVERED:
        below, within = _measure(runs, f"below_{level}"), _measure(runs, f"within_{level}")
        table[f"coverage_{level}"] = np.maximum(below, np.minimum(within, level))
    for name in ("difference", "low", "high", "p"):
        table[name] = _measure(runs, name if name == "difference" else f"difference_{name}")
    table["significance"] = [
        _word(*row) for row in table[["champion", "low", "high"]].itertuples(index=False)
    ]
    newest_first = table.sort_values(["started", "training"], ascending=False, kind="stable")
    order = newest_first["training"].drop_duplicates().reset_index(drop=True)
    place = table["training"].map(pd.Series(order.index, index=order))
    table = table.assign(place=place).sort_values(["place", "pinball"], kind="stable", na_position="last")
    return table[list(COLUMNS)].reset_index(drop=True)


def _measure(runs: pd.DataFrame, name: str) -> pd.Series:
    return runs[name].astype(float) if name in runs else pd.Series(np.nan, index=runs.index)


def _word(champion: bool, low: float, high: float) -> str:
    """What the interval says of a candidate beside the champion; unclear where it holds zero.

    >>> _word(False, 0.01, 0.03), _word(False, -0.02, 0.01), _word(True, float("nan"), float("nan"))
    ('worse', 'unclear', 'champion')
    """
    if champion:
        return "champion"
    if not (np.isfinite(low) and np.isfinite(high)):
        return "unknown"
    return "better" if high < 0 else "worse" if low > 0 else "unclear"
