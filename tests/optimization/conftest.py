"""Demand and lead times with known laws: what the oracles of this room are compared on."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecasting.cumulative import LEVELS, CumulativeDemand
from ingestion.periods import Period
from optimization.lead_time import LeadTimes

AS_OF = pd.Timestamp("2024-03-31")
EDGE = 1e-9  # half the width of the ramp that stands for a jump


def _keys(n: int) -> pd.DataFrame:
    return pd.DataFrame({"sku": [f"item {i:04d}" for i in range(n)], "location": "shop"})


def _demand(levels: np.ndarray, rows: np.ndarray, mean: np.ndarray, period: Period) -> CumulativeDemand:
    return CumulativeDemand(
        _keys(len(rows)), AS_OF, period, rows.astype(np.float32), mean.astype(np.float32), levels
    )


@pytest.fixture
def discrete_demand() -> Callable[[Sequence[Any]], CumulativeDemand]:
    """One series whose sum over h periods has the h-th frozen scipy law, every jump in the grid of levels."""

    def build(laws: Sequence[Any]) -> CumulativeDemand:
        values = np.arange(int(max(law.ppf(1 - 1e-10) for law in laws)) + 2)
        cdf = np.array([law.cdf(values) for law in laws])
        levels = np.unique(np.concatenate([cdf.ravel() - EDGE, cdf.ravel() + EDGE]))
        levels = levels[(levels > EDGE) & (levels < 1 - EDGE)]
        rows = np.array([np.searchsorted(row, levels) for row in cdf])
        mean = np.array([law.mean() for law in laws])
        return _demand(levels, rows[None], mean[None], Period("day"))

    return build


@pytest.fixture
def continuous_demand() -> Callable[[Sequence[Any]], CumulativeDemand]:
    """One series whose sum over h periods has the h-th frozen scipy law, on a dense grid of levels."""

    def build(laws: Sequence[Any]) -> CumulativeDemand:
        levels = 1 / (1 + np.exp(-np.linspace(-16, 16, 8001)))
        rows = np.maximum([law.ppf(levels) for law in laws], 0)
        return _demand(levels, rows[None], np.array([[law.mean() for law in laws]]), Period("day"))

    return build


@pytest.fixture
def usual_demand() -> Callable[..., CumulativeDemand]:
    """n series on the product's own grid of levels; law(mean of the sum) is a frozen scipy law."""

    def build(
        means: np.ndarray, horizon: int, law: Callable[[np.ndarray], Any], period: Period | None = None
    ) -> CumulativeDemand:
        sums = np.outer(means, np.arange(1, horizon + 1))
        rows = law(sums[:, :, None]).ppf(LEVELS)
        return _demand(LEVELS, rows, sums, period or Period("day"))

    return build


@pytest.fixture
def known_lead_times() -> Callable[..., LeadTimes]:
    """Lead times with the given chances (rows of pmf, one per series, or one for all)."""

    def build(
        pmf: np.ndarray, count: int = 1, period: Period | None = None, overtaking: float = 0.0
    ) -> LeadTimes:
        pmf = np.atleast_2d(np.asarray(pmf, dtype=float))
        which = np.arange(count) if len(pmf) > 1 else np.zeros(count, dtype=np.int64)
        certain = (pmf > 0).sum(axis=1)[which] == 1
        return LeadTimes(
            keys=_keys(count).assign(supplier="maker"),
            period=period or Period("day"),
            distributions=pmf,
            which=which,
            never=np.zeros(count),
            lost_after=np.full(count, 1000.0),
            receipts=np.full(count, 50.0),
            source=np.where(certain, "contract, certain", "receipts of the supplier").astype(object),
            on_time=np.full(count, np.nan),
            lateness=np.zeros((0, 1)),
            late_which=np.full(count, -1),
            earliest=0,
            overtaking=np.full(count, overtaking),
            set_aside={},
        )

    return build


def chances(of: dict[int, float]) -> np.ndarray:
    """(Lmax + 1,) row of chances from {periods: chance}."""
    row = np.zeros(max(of) + 1)
    row[list(of)] = list(of.values())
    return row


@pytest.fixture
def lead_time_of(known_lead_times: Callable[..., LeadTimes]) -> Callable[..., LeadTimes]:
    """Lead times from {periods: chance}, the same for `count` series."""
    return lambda of, count=1, **more: known_lead_times(chances(of), count, **more)
