"""The report on suppliers, against figures by hand."""

import numpy as np
import pandas as pd
import pytest

from ingestion.periods import Period
from optimization.suppliers import COLUMNS, rate_suppliers

DAY = Period("day")
AS_OF = pd.Timestamp("2024-06-30")
DAY_AFTER = pd.Timedelta(days=1)


def orders(
    supplier: str, days: list[float], ago: list[int], promised: float | None = None, **more
) -> pd.DataFrame:
    """Orders received `ago` days before the as-of date after `days`; NaN: placed `ago` days before, open."""
    taken, ago_days = pd.to_timedelta(pd.Series(days), unit="D"), pd.to_timedelta(pd.Series(ago), unit="D")
    came = (AS_OF - ago_days).where(taken.notna())
    placed = came - taken
    placed = placed.fillna(AS_OF - ago_days)
    table = pd.DataFrame({"supplier": supplier, "ordered_on": placed, "received_on": came, "quantity": 10.0})
    table = table.assign(
        sku="a", location="x", order_id=[f"{supplier} {k}" for k in range(len(days))], **more
    )
    if promised is not None:
        table["promised_on"] = placed + pd.Timedelta(days=promised)
    return table


def rated(*parts: pd.DataFrame) -> pd.DataFrame:
    return rate_suppliers(pd.concat(parts, ignore_index=True), DAY, AS_OF).set_index("supplier")


def test_shares_and_days_by_hand():
    """Ten deliveries promised in 5 days: seven in time, three 2, 4 and 6 days late; one open and overdue."""
    table = rated(orders("s", [5] * 7 + [7, 9, 11, np.nan], [30] * 10 + [8], promised=5))
    row = table.loc["s"]
    assert table.reset_index().columns.tolist() == COLUMNS
    assert [row["receipts"], row["open_orders"], row["overdue"]] == [10, 1, 1]
    assert row["on_time"] == pytest.approx(7 / 11)  # what is overdue did not come as promised
    assert row["days_late"] == pytest.approx(4)
    assert row["lead_time_q50"] == 5
    assert row["lead_time_q90"] == 9
    assert row["lead_time_mean"] == pytest.approx(6.2, abs=0.05)  # the slower ones are a little older
    assert row["lead_time_sd"] == pytest.approx(np.std([5] * 7 + [7, 9, 11]), abs=0.05)
    assert row["words"].startswith("10 deliveries, usually within 5 days, 9 of 10 within 9; 63.6% as")
    assert "Overdue: 1." in row["words"]
    assert "按期率63.6%" in row["words_zh"]


def test_a_supplier_that_has_slowed_down_comes_first():
    rng = np.random.default_rng(0)
    old, new = list(rng.integers(95, 400, 60)), list(rng.integers(1, 90, 20))
    slower = orders("slower", list(rng.integers(9, 12, 60)) + list(rng.integers(13, 17, 20)), old + new)
    steady = orders("steady", list(rng.integers(9, 12, 80)), old + new)
    barely = orders("barely", [10] * 60 + [11] * 20, old + new)  # surely, but by nothing that matters
    table = rated(steady, slower, barely)
    assert table.index[0] == "slower"
    assert table["shifted"].tolist() == [True, False, False]
    assert table.loc["slower", "trend"] == pytest.approx(0.45, abs=0.1)
    assert "longer than the year before" in table.loc["slower", "words"]
    assert "变长" in table.loc["slower", "words_zh"]
    assert np.isnan(rated(orders("new", [5, 6], [10, 20])).loc["new", "trend"])


def test_the_day_that_thresholds_go_by_is_said():
    """10 days, since 50 days ago 20 or more: no trend is sure yet, the shift is."""
    weekly = list(range(3, 400, 7))
    placed_ago = [ago + (20 if ago + 20 <= 50 else 10) for ago in weekly]
    days = [placed - ago for placed, ago in zip(placed_ago, weekly, strict=True)]
    waiting = [1, 8, 15]
    table = rated(orders("s", days + [np.nan] * 3, weekly + waiting), orders("steady", [10] * 57, weekly))
    assert table["shifted"].to_dict() == {"s": True, "steady": False}
    assert "Orders after 2024-04-30" in table.loc["s", "words"]
    assert "2024-04-30之后" in table.loc["s", "words_zh"]
    assert "Orders after" not in table.loc["steady", "words"]


def test_luck_is_rarely_taken_for_a_shift():
    rng = np.random.default_rng(2)
    parts = [
        orders(f"s{k:03d}", list(rng.gamma(9, 1.5, 60).round() + 1), list(rng.integers(0, 450, 60)))
        for k in range(150)
    ]
    assert rated(*parts)["shifted"].mean() <= 0.03


def test_dirty_rows_are_counted_and_no_receipt_is_said():
    dirty = orders("s", [5, 5, -4], [10, 20, 30])
    nothing = orders("idle", [np.nan, np.nan], [3, 4])
    table = rated(dirty, nothing)
    assert table.loc["s", ["receipts", "set_aside"]].tolist() == [2, 1]
    assert "1 order rows with impossible dates are left out" in table.loc["s", "words"]
    assert table.loc["idle", "words"] == "Nothing received yet; 2 open."
    assert np.isnan(table.loc["idle", "on_time"])


def test_transfers_and_production_are_rated_too():
    moved = orders("depot", [2, 3], [10, 20], kind="transfer")
    made = orders("", [7, 8], [10, 20], kind="production")
    table = rated(moved, made, orders("s", [4], [9]))
    assert table["kind"].to_dict() == {"depot": "transfer", "": "production", "s": "purchase"}


def test_nothing_is_rated_from_nothing_and_nothing_after_the_date():
    empty = orders("s", [5], [10]).iloc[:0]
    assert rate_suppliers(empty, DAY, AS_OF).empty
    known = orders("s", [5, 6, 9], [10, 20, 30])
    later = pd.concat([known, orders("s", [50], [-5]).assign(order_id="later")], ignore_index=True)
    placed_later = later.assign(
        ordered_on=later["ordered_on"].mask(later["order_id"] == "later", AS_OF + DAY_AFTER)
    )
    pd.testing.assert_frame_equal(rated(known), rated(placed_later))


def test_one_period_is_said_in_the_singular():
    table = rate_suppliers(orders("s", [30] * 9, [30] * 9), Period("month"), AS_OF)
    assert table["words"].tolist() == ["9 deliveries, usually within 1 month, 9 of 10 within 1."]
