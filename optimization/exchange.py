"""Exchange curves: how much stock buys how much service, and what one policy saves against another.

A policy is replayed at several settings; two policies are compared where they give the same service, and
where they hold the same stock. One point of each would compare settings, not policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from optimization.replay import Replay

MEASURES = ("cycle_service", "fill_rate")
DRAWS = 300


@dataclass(frozen=True)
class Curve:
    """A policy at k settings over the same n series and periods.

    policy: its name; settings: (k,) targets or periods of cover, ascending; replays: one per setting
    """

    policy: str
    settings: np.ndarray
    replays: tuple[Replay, ...]

    def points(self, measure: str, weight: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(d, k) service and stock under each of d weightings of the series.

        weight: (d, n) how often each series counts; value: (n,) of a unit of stock
        """
        share, whole = ("served", "cycles") if measure == "cycle_service" else ("met", "demand")
        part, total = (np.stack([getattr(r, name) for r in self.replays], axis=1) for name in (share, whole))
        stock = np.stack([r.stock * value for r in self.replays], axis=1)
        service = (weight @ part) / np.maximum(weight @ total, 1e-12)
        return service, (weight @ stock) / weight.sum(axis=1, keepdims=True)


def compare(
    ours: Curve,
    others: Sequence[Curve],
    measure: str = "cycle_service",
    value: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Each setting of ours against each other policy, at equal service and at equal stock.

    measure: cycle_service or fill_rate
    value: (n,) worth of a unit of stock; default 1
    groups: (n,) label of each series; a group's stock at equal service is set so that each group alone has
        the same service as ours in it, and summed: nobody pays for the service of another group
    Columns: setting, service and stock of ours; policy; stock_at_service (of the other); saving, the share of
    the other's stock that ours does without, with its 95 % interval low … high (bootstrap over series);
    service_at_stock (of the other, over all series). NaN where the other's curve does not reach.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    n = len(ours.replays[0].demand)
    worth = np.ones(n) if value is None else np.asarray(value, dtype=float)
    labels = np.zeros(n, dtype=int) if groups is None else pd.factorize(np.asarray(groups))[0]
    rng = np.random.default_rng(seed)
    weight = np.concatenate([np.ones((1, n)), rng.multinomial(n, np.full(n, 1 / n), size=DRAWS)])
    service, stock = ours.points(measure, weight, worth)
    rows = []
    for other in others:
        needed = _stock_at(ours, other, measure, weight=weight, worth=worth, labels=labels)
        saving = 1.0 - stock / needed
        theirs, held = other.points(measure, weight[:1], worth)
        reached = norm.cdf(_read(held, _probit(theirs), stock[:1]))
        for k, setting in enumerate(ours.settings):
            known = np.isfinite(saving[1:, k])
            low, high = np.quantile(saving[1:, k][known], [0.025, 0.975]) if known.any() else (np.nan, np.nan)
            rows.append(
                (
                    setting, service[0, k], stock[0, k], other.policy, needed[0, k],
                    saving[0, k], low, high, reached[0, k],
                )
            )  # fmt: skip
    columns = ["setting", "service", "stock", "policy", "stock_at_service", "saving", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "service_at_stock"])


def _stock_at(
    ours: Curve, other: Curve, measure: str, *, weight: np.ndarray, worth: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """(d, k) stock of `other` where it serves as well as each setting of ours, group by group."""
    total = np.zeros((len(weight), len(ours.settings)))
    for label in np.unique(labels):
        part = weight * (labels == label)
        share = part.sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        wanted, _ = ours.points(measure, part, worth)
        service, stock = other.points(measure, part, worth)
        total += share * _read(_probit(service), stock, _probit(wanted), least=True)
    return total


def _probit(share: np.ndarray) -> np.ndarray:
    """Shares on the normal scale, on which service grows evenly with stock."""
    return np.asarray(norm.ppf(np.clip(share, 1e-6, 1 - 1e-6)))


def _read(x: np.ndarray, y: np.ndarray, at: np.ndarray, least: bool = False) -> np.ndarray:
    """(d, k) y of each of d curves, (d, points), at x = `at`, (d, k); NaN beyond a curve's ends.

    least: of the points that share an x the least y is read, else the largest: stock that serves no better is
        not needed, service that takes no more stock is had
    """
    out = np.full(at.shape, np.nan)
    for row, wanted in enumerate(at):
        rising = np.maximum.accumulate(x[row])
        inside = (wanted >= rising[0]) & (wanted <= rising[-1])
        step = np.diff(rising) > 0
        kept = np.append(True, step) if least else np.append(step, True)
        values = np.maximum.accumulate(y[row])
        out[row, inside] = np.interp(wanted[inside], rising[kept], values[kept])
    return out
