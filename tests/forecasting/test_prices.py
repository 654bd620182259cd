"""Prices: the elasticity is found again, is none where it may be chance, and moves what is expected."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecasting.features import build_rows
from forecasting.panel import Panel, build_panel
from forecasting.prices import MOST_WORTH, elasticity_at
from forecasting.steps import build_steps
from ingestion.periods import Period

N, T, AHEAD = 20, 200, 14
HORIZONS = np.array([1, 3, 7, 14])


def priced(elasticity: float, *, promoted: bool = False, ahead: float = 1.0) -> Panel:
    """Series about 20 a day whose prices of about 1 to 100 change every 25 days; then `ahead` times the last.

    promoted: every price but a series' own usual one is a promotion's
    """
    rng = np.random.default_rng(3)
    usual = np.exp(rng.uniform(0.0, 4.6, (N, 1)))
    change = np.repeat(np.exp(rng.normal(0.0, 0.2, (N, T // 25 + 1))), 25, axis=1)[:, :T]
    change[:, T - 25 :] = 1.0
    lowered = promoted & (change != 1.0)
    demand = pd.DataFrame(
        {
            "sku": np.repeat([f"s{i:02d}" for i in range(N)], T),
            "location": "A",
            "date": np.tile(pd.date_range("2024-01-01", periods=T), N),
            "quantity": rng.poisson(20.0 * change**-elasticity).ravel().astype(float),
            "price": (usual * change).ravel(),
            "promotion": np.where(lowered, 0.2, 0.0).ravel(),
        }
    )
    plans = pd.DataFrame(
        {
            "sku": np.repeat(demand["sku"].unique(), AHEAD),
            "location": "A",
            "date": np.tile(pd.date_range("2024-01-01", periods=T + AHEAD)[T:], N),
            "price": np.repeat(usual[:, 0] * ahead, AHEAD),
        }
    )
    as_of = demand["date"].max()
    return build_panel({"demand": demand, "plans": plans}, Period("day"), as_of, AHEAD)


@pytest.mark.parametrize("elasticity", [0.5, 2.0])
def test_the_elasticity_is_found_again(elasticity: float) -> None:
    assert elasticity_at(priced(elasticity), T - 1) == pytest.approx(elasticity, abs=0.1)


def test_prices_that_sell_nothing_or_belong_to_promotions_have_none() -> None:
    assert elasticity_at(priced(0.0), T - 1) == 0.0
    assert elasticity_at(priced(-1.0), T - 1) == 0.0, "what sells more when dearer is not its price's"
    assert elasticity_at(priced(2.0, promoted=True), T - 1) == 0.0


def test_what_is_expected_follows_the_price_ahead() -> None:
    series, origin = np.arange(N), np.full(N, T - 1)
    at = {ahead: priced(2.0, ahead=ahead) for ahead in (1.0, 0.8, 1.25, 0.01)}
    sums = {ahead: build_rows(panel, series, origin, HORIZONS).expected for ahead, panel in at.items()}
    steps = {ahead: build_steps(panel, series, origin, AHEAD).expected for ahead, panel in at.items()}
    found = elasticity_at(at[1.0], T - 1)
    for parts in (sums, steps):
        for ahead in (0.8, 1.25):
            assert parts[ahead] / parts[1.0] == pytest.approx(ahead**-found, rel=1e-6)
        assert (parts[0.01] <= MOST_WORTH * parts[1.0] * 2.0).all(), "a slip of the pen is not believed"
    mean = sums[1.0][:, -1] / AHEAD
    assert mean.mean() == pytest.approx(20.0, rel=0.05)


def test_a_price_that_has_just_changed_is_not_yet_in_the_level() -> None:
    panel = priced(2.0)
    at = T - 25  # its first day at 1
    rows = build_rows(panel.until(at), np.arange(N), np.full(N, at), HORIZONS)
    level, said = rows.summary.level, rows.expected[:, 0]
    assert np.abs(said / 20.0 - 1.0).mean() < 0.5 * np.abs(level / 20.0 - 1.0).mean()


def test_a_promotion_that_is_tried_out_never_lowers_what_is_expected() -> None:
    panel = priced(2.0, ahead=0.8)
    series, origin = np.arange(N), np.full(N, T - 1)
    before = build_rows(panel, series, origin, HORIZONS)
    plan = panel.plan.copy()
    plan[:, T + 1 : T + 4] = 0.2
    known = np.where(plan > 0, T - 1, panel.known).astype(panel.known.dtype)
    after = build_rows(replace(panel, plan=plan, known=known), series, origin, HORIZONS)
    assert (after.expected >= before.expected * (1 - 1e-9)).all()
    assert after.plain == pytest.approx(before.plain)
