"""Trial: one candidate on the judged windows of the backtest, with everything that is compared and logged.

It owns the record that the gate decides on and that tracking keeps; training makes it.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Trial:
    """What one candidate said about the judged folds (m pairs, g horizons), and how it fared.

    name: of the candidate
    plain: whether it is one of the plain forecasts that others must beat
    mean: (m, g) units
    quantiles: (m, g, LEVELS) units, calibrated on the earlier origins
    loss: (m, g) scaled cumulative pinball on clean windows, NaN where a window is not scored
    scores: per segment, columns as `backtest.score`
    cost: inventory cost of ordering up to its quantiles, in units of demand; NaN where nothing can be scored
    seconds: to fit and to predict
    parameters: what it was fitted with
    importance: share of the gain by feature, the largest first; empty for a model without features
    """

    name: str
    plain: bool
    mean: np.ndarray
    quantiles: np.ndarray
    loss: np.ndarray
    scores: pd.DataFrame
    cost: float = float("nan")
    seconds: float = 0.0
    parameters: dict[str, Any] = field(default_factory=dict)
    importance: pd.Series = field(default_factory=lambda: pd.Series(dtype=float))
