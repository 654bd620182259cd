"""Items without a history of their own: successors, predecessors, and what is borrowed from like items."""

import numpy as np
import pandas as pd
import pytest

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
