"""Items without a history of their own: successors, predecessors, and what is borrowed from like items."""

import numpy as np
import pandas as pd
import pytest

from forecasting.cumulative import LEVELS
from forecasting.fallback import pooled_rows
from forecasting.launches import launch_profile
from forecasting.panel import Panel, build_panel
from ingestion.errors import DataError
from ingestion.periods import Period

DAY = Period("day")
DAYS = pd.date_range("2024-01-01", periods=60)
HALF = 0.5 ** (1 / 28)


def sold(sku: str, first: int, last: int, quantity: float, place: str = "x") -> pd.DataFrame:
    return pd.DataFrame({"sku": sku, "location": place, "date": DAYS[first:last], "quantity": quantity,
                         "promotion": (np.arange(first, last) % 10 == 0) * 0.5})  # fmt: skip


def items(**replaces: str | None) -> pd.DataFrame:
    return pd.DataFrame({"sku": list(replaces), "replaces": list(replaces.values())})


def build(demand: list[pd.DataFrame], table: pd.DataFrame, **tables) -> Panel:
    return build_panel({"demand": pd.concat(demand), "items": table, **tables}, DAY, DAYS[-1], 14)


def row(panel: Panel, sku: str) -> int:
    return panel.keys["sku"].tolist().index(sku)


def test_a_successor_has_the_history_of_the_whole_chain_before_its_own():
    panel = build([sold("a", 0, 20, 3), sold("b", 20, 40, 5), sold("c", 40, 60, 7)],
                  items(c="b", b="a", a=None))  # fmt: skip
    assert panel.quantity[row(panel, "c")].tolist() == [3] * 20 + [5] * 20 + [7] * 20
    assert panel.quantity[row(panel, "b")].tolist()[:40] == [3] * 20 + [5] * 20
    assert panel.promotion[row(panel, "c")].tolist() == ([0.5] + [0] * 9) * 6
    assert (panel.first == 0).all()


def test_side_by_side_sales_scale_what_is_handed_down():
    panel = build([sold("a", 0, 44, 4), sold("b", 30, 60, 6)], items(b="a"))
    scale = (14 * 6 + 14 * 4) / (14 * 4 + 14 * 4)  # 14 days together, as heavy as 14 days alike
    np.testing.assert_allclose(panel.quantity[row(panel, "b")], [4 * scale] * 30 + [6] * 30, rtol=1e-6)
    assert panel.whole.all()  # what is handed down in parts was not sold in parts


def test_a_successor_that_has_not_begun_waits_for_its_launch_and_then_sells_as_its_predecessor():
    table = items(a=None, b="a").assign(launched_on=[pd.NaT, DAYS[-1] + pd.Timedelta(days=5)])
    sourcing = pd.DataFrame({"sku": ["b"], "location": ["x"]})
    panel = build([sold("a", 0, 60, 4)], table, sourcing=sourcing)
    assert panel.quantity[row(panel, "b")].tolist() == [4] * 60
    assert panel.start[row(panel, "b")] == 64
    assert panel.fade.tolist() == [1, 1]  # nothing of the successor is there yet


def test_a_predecessor_fades_once_its_successor_sells_or_is_on_the_shelf():
    table = items(a=None, b="a")
    selling = build([sold("a", 0, 60, 4), sold("b", 50, 60, 4)], table)
    assert selling.fade.tolist() == [pytest.approx(HALF), 1]
    counts = pd.DataFrame({"sku": "b", "location": ["x", "y"], "as_of": DAYS[-2], "on_hand": 8.0})
    both = [sold("a", 0, 60, 4), sold("a", 0, 60, 4, "y"), sold("a", 0, 60, 4, "z")]
    stocked = build(both, table, stock=counts)
    assert stocked.fade[[row(stocked, "a"), row(stocked, "a") + 1]].tolist() == [pytest.approx(HALF)] * 2
    assert stocked.fade[row(stocked, "a") + 2] == 1  # at z there is none of it
    gone = pd.concat([counts, counts.assign(as_of=DAYS[-1], on_hand=0.0)])
    assert (build(both, table, stock=gone).fade == 1).all()
    later = counts.assign(as_of=DAYS[-1] + pd.Timedelta(days=1))
    assert (build(both, table, stock=later).fade == 1).all()


def test_where_the_predecessor_never_sold_nothing_is_handed_down():
    panel = build([sold("a", 0, 60, 4), sold("b", 50, 60, 4, "y")], items(b="a"))
    assert panel.first.tolist() == [0, 50]


def test_a_circle_of_successors_is_refused():
    with pytest.raises(DataError, match="b replaces c replaces a replaces b"):
        build([sold("a", 0, 60, 4)], items(b="c", c="a", a="b", d="a"))


def launches(n: int = 8, days: int = 300) -> dict[str, pd.DataFrame]:
    """Items that sell a steady number a day after a first fortnight at half of it; the last two are new."""
    dates = pd.date_range("2024-01-01", periods=days)
    parts = []
    for k in range(n):
        first, rate = (0 if k < 2 else 30 + 5 * k), 10.0 if k % 2 == 0 else 2.0
        age = np.arange(days - first)
        quantity = np.where((age < 14) & (k >= 2), rate / 2, rate)
        parts.append(
            pd.DataFrame({"sku": f"s{k}", "location": "x", "date": dates[first:], "quantity": quantity})
        )
    table = pd.DataFrame({"sku": [f"s{k}" for k in range(n)] + ["new"], "launched_on": pd.NaT})
    table["category"] = ["even" if k % 2 == 0 else "odd" for k in range(n)] + ["even"]
    table["lifecycle"] = ["active"] * n + ["new"]
    sourcing = pd.DataFrame({"sku": ["new"], "location": ["x"]})
    return {"demand": pd.concat(parts, ignore_index=True), "items": table, "sourcing": sourcing}


def borrowed(tables: dict[str, pd.DataFrame], horizon: int = 28) -> tuple[Panel, np.ndarray, np.ndarray]:
    """Mean and quantiles of the new item, where its peers are forecast to go on as they sell, for certain."""
    panel = build_panel(tables, DAY, tables["demand"]["date"].max(), horizon)
    able = np.flatnonzero(panel.observed.sum(axis=1) >= 7)
    rate = np.nan_to_num(panel.quantity[:, -1])[:, None] * np.arange(1, horizon + 1)
    quantiles = np.repeat(rate[:, :, None], len(LEVELS), axis=2)
    unable = np.setdiff1d(np.arange(panel.series), able)
    means, rows, _ = pooled_rows(panel, unable, able, rate, quantiles)
    return panel, means[0], rows[0]


def test_growth_after_a_launch_is_learned_from_earlier_launches():
    panel = build_panel(launches(), DAY, pd.Timestamp("2024-10-26"), 28)
    profile = launch_profile(panel, np.arange(8))
    np.testing.assert_allclose(profile.share, [0.5, 0.5] + [1.0] * 10, rtol=1e-6)
    few = launch_profile(panel, np.arange(4))  # two launches tell nothing
    assert (few.share == 1).all()


def test_a_new_item_starts_as_like_items_did():
    _, mean, quantiles = borrowed(launches())
    daily = np.diff(mean, prepend=0.0)
    np.testing.assert_allclose(daily[13] / daily[-1], 0.5, rtol=0.01)
    # Peers of its category sell 10, the others 2: three times the weight for one more attribute in common.
    np.testing.assert_allclose(daily[-1], (3 * 10 + 2) / 4, rtol=0.05)
    assert quantiles[-1, 0] < mean[-1] < quantiles[-1, -1]


def test_first_sales_tell_which_peers_an_item_is_like():
    tables = launches()
    dates = tables["demand"]["date"].max() - pd.to_timedelta(np.arange(4), unit="D")
    first = pd.DataFrame({"sku": "new", "location": "x", "date": dates, "quantity": 1.0})
    slow, unknown = (borrowed({**tables, "demand": pd.concat([tables["demand"], more])})[1][-1]
                     for more in (first, first[:0]))  # fmt: skip
    # Four sold in four days at half of a rate: negative binomial of shape 2 about 4 or about 20 expected.
    chance = {rate: (2 * rate) ** 4 / (2 + 2 * rate) ** 6 for rate in (2, 10)}
    weight = 3 * chance[10] / (3 * chance[10] + chance[2])
    rate = 10 * weight + 2 * (1 - weight)
    np.testing.assert_allclose([slow, unknown], [rate * (28 - 5), 8 * (28 - 7)], rtol=1e-5)
    grams = {
        **tables,
        "demand": pd.concat([tables["demand"], first]).assign(quantity=lambda t: 50 * t["quantity"]),
    }
    np.testing.assert_allclose(borrowed(grams)[1][-1], 50 * slow, rtol=1e-5)


def test_a_peer_of_the_same_price_weighs_more():
    tables = launches()
    prices = np.where(tables["demand"]["sku"].isin([f"s{k}" for k in range(0, 8, 2)]), 9.0, 1.0)
    tables["demand"] = tables["demand"].assign(price=prices)
    last = tables["demand"]["date"].max()
    cheap, dear = (
        pd.DataFrame({"sku": ["new"], "location": "x", "start": last - pd.Timedelta(days=3),
                      "end": last + pd.Timedelta(days=40), "price": price}) for price in (1.0, 9.0)
    )  # fmt: skip
    assert borrowed({**tables, "plans": cheap})[1][-1] < 0.8 * borrowed({**tables, "plans": dear})[1][-1]
