"""King's formula: the classic safety stock, kept as the baseline that replays compare with."""

import numpy as np
from scipy.stats import norm


def king_safety_stock(
    mean: np.ndarray | float,
    sd: np.ndarray | float,
    interval: np.ndarray | float,
    interval_sd: np.ndarray | float,
    target: np.ndarray | float,
) -> np.ndarray:
    """Units held against demand and lead time, taken as independent and normal: z·√(L·σ² + d²·σ_L²).

    mean, sd: units of demand in one period; interval, interval_sd: periods to be covered
    target: cycle service level in (0, 1). King 2011, Crack the code, APICS.

    >>> king_safety_stock(2500.0, 500.0, 7.0, np.array([0.0, 1.0, 7.0]), 0.90).round().tolist()
    [1695.0, 3625.0, 22491.0]
    """
    level = np.asarray(target, dtype=float)
    if not ((level > 0) & (level < 1)).all():
        raise ValueError(f"target must lie in (0, 1), got {target!r}; write 95% as 0.95")
    variance = (
        np.asarray(interval) * np.asarray(sd) ** 2 + np.asarray(mean) ** 2 * np.asarray(interval_sd) ** 2
    )
    return np.asarray(norm.ppf(level) * np.sqrt(variance))
