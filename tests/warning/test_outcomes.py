"""Outcomes: a fixture worked by hand, with a prevented stockout; each label at its edge; verdicts."""

import math

import numpy as np
import pandas as pd
import pytest

from ingestion.periods import Period
from warning.counterfactual import Orders, known_then, without_action
from warning.history import History
from warning.judging import judge, overrule
from warning.outcomes import rates

DAY0 = pd.Timestamp("2024-05-01")
DAYS = 20
LEAD, REVIEW = 3, 2  # an order decided on the evening of day t is on the shelf on the morning of day t + 4


def day(number: int | None) -> pd.Timestamp:
    return pd.NaT if number is None else DAY0 + pd.Timedelta(days=number)


def history(
    wanted: dict[str, list[float]],
    opening: dict[str, float],
    orders: list[tuple[str, int, int, float]] = (),
    due: list[int] | None = None,
) -> History:
    """Series by name, each a list of demands; orders as (series, placed, arrived, units). Lost sales."""
    names = list(wanted)
    asked = np.array([wanted[name] for name in names], dtype=float)
    received = np.zeros(asked.shape)
    for name, _, arrived, units in orders:
        if arrived < asked.shape[1]:
            received[names.index(name), arrived] += units
    available, short = np.zeros(asked.shape), np.zeros(asked.shape, dtype=bool)
    for row, name in enumerate(names):
        stock = opening[name]
        for t in range(asked.shape[1]):
            stock += received[row, t]
            short[row, t] = asked[row, t] > stock
            stock = max(stock - asked[row, t], 0.0)
            available[row, t] = stock
    columns = [np.array(column) for column in zip(*orders, strict=True)] if orders else [np.zeros(0)] * 4
    rows = np.array([names.index(name) for name in columns[0]], dtype=np.int64)
    placed, arrived = (np.asarray(column, dtype=np.int64) for column in columns[1:3])
    n = len(names)
    return History(
        pd.DataFrame({"sku": names, "location": "shop"}),
        Period("day"),
        int(Period("day").index(DAY0)[0]),
        asked,
        asked,
        available,
        short,
        np.ones(asked.shape, dtype=bool),
        Orders(rows, placed, arrived, np.asarray(columns[3], dtype=float)),
        arrived if due is None else np.array(due),
        np.full(n, LEAD),
        np.full(n, REVIEW),
        np.zeros(n, dtype=bool),
        pd.DataFrame(columns=["sku", "location", "as_of", "lot", "quantity", "expires"]),
    )


def alert(sku: str, opened: int, ended: int | None, kind: str = "stockout_risk", **more):
    row = {"alert_id": f"{sku}{opened}{kind[0]}", "rule": kind, "kind": kind, "sku": sku, "location": "shop"}
    row |= {"opened_on": day(opened), "resolved_on": day(ended)}
    return row | {"threshold": math.nan, "units_at_risk": 5.0, "bound": 0.3} | more


def outcomes(alerts: list[dict[str, object]], past: History) -> pd.DataFrame:
    """Of the alerts alone."""
    found = judge(pd.DataFrame(alerts), past).outcomes
    return found[found["kind"] != ""]


def test_the_fixture_worked_by_hand():
    """Five shelves, two units a day unless said; lead time 3, review 2, so an alert looks 5 days ahead.

    prevented  10 on day 4, nothing on order. Untouched: 8, 6, 4, 2, 0 left on days 5–9, short on day 10, the
               sixth day after. The alert spoke until day 5, so its claim reaches day 4 + 1 + 5 = 10: a hit,
               with 5 full days left where 3 are needed. Really, 20 ordered on day 5 came on day 9.
    too_late   5 on day 4: 3, 1 left, short on day 7, the third day. An order on the evening of day 4 comes on
               day 8: late, with 2 days left.
    needless   30 on day 4: never short before day 19, and the claim ends on day 4 + 1 + 5 = 10: false.
    inbound    4 on day 4 and 6 on order since day 3 for day 7: 2, 0, 4, 2, 0 left, short on day 10 as above:
               a hit. The order of day 5 for day 8 must not count, or nothing would have been short.
    unseen     no alert; the 10 of the first morning last until day 4, so the shelf is short on day 5: missed.
    """
    two = [2.0] * DAYS
    start = {"prevented": 20.0, "too_late": 15.0, "needless": 40.0, "inbound": 14.0, "unseen": 10.0}
    past = history(
        dict.fromkeys(start, two),
        start,
        [
            ("prevented", 5, 9, 20.0),
            ("too_late", 5, 9, 40.0),
            ("inbound", 3, 7, 6.0),
            ("inbound", 5, 8, 30.0),
            ("unseen", 6, 10, 40.0),
        ],
    )
    found = judge(
        pd.DataFrame(
            [
                alert("prevented", 4, 6),
                alert("too_late", 4, 6),
                alert("needless", 4, 6),
                alert("inbound", 4, 6),
            ]
        ),
        past,
    )
    rows = found.outcomes.set_index("sku")
    assert rows["outcome"].to_dict() == {
        "prevented": "hit",
        "too_late": "late",
        "needless": "false",
        "inbound": "hit",
        "unseen": "missed",
    }
    assert rows.loc["prevented", ["time_left", "needed", "prevented"]].tolist() == [5.0, 3.0, True]
    assert rows.loc["too_late", ["time_left", "prevented"]].tolist() == [2.0, False]
    assert math.isnan(rows.loc["needless", "time_left"])
    assert rows.loc["inbound", ["time_left", "prevented"]].tolist() == [5.0, True]
    assert rows.loc["unseen", "opened_on"] == day(5)
    # too_late and unseen really ran out. On day 3, the last to order for too_late, 7 were left for 5 days.
    told = found.stockouts.set_index("sku")
    assert told["announced"].to_dict() == {"too_late": "late", "unseen": "missed"}
    assert told["possible"].all()
    # Of four alerts two were right; of four shortages two were announced in time.
    shares = rates(rows["outcome"].to_numpy(), rows["avoidable"].to_numpy())
    assert shares == {"hit_rate": 0.5, "false_rate": 0.25, "missed_rate": 0.5}


def one(wanted: list[float], opening: float, orders=(), due=None, *, alerts=None, **more) -> pd.DataFrame:
    past = history({"a": wanted}, {"a": opening}, list(orders), due)
    return outcomes(alerts or [alert("a", 4, 6, **more)], past)


@pytest.mark.parametrize(("left", "label"), [(2.0, "late"), (3.0, "hit")])
def test_a_hit_leaves_at_least_the_lead_time(left, label):
    """One unit a day: with 3 on day 4 the shelf is short on day 8; an order of day 4 comes that morning."""
    found = one([1.0] * DAYS, left + 5, [("a", 5, 9, 50.0)])
    assert found["outcome"].tolist() == [label]
    assert found["time_left"].tolist() == [left]


def test_every_day_that_an_alert_stays_open_it_claims_anew():
    """7 left on day 4 are gone on day 12: beyond the 5 days of one day's claim, within those of three."""
    brief = one([1.0] * DAYS, 12.0, alerts=[alert("a", 4, 5)])
    longer = one([1.0] * DAYS, 12.0, alerts=[alert("a", 4, 8)])
    assert brief["outcome"].tolist() == ["false"]
    assert longer["outcome"].tolist() == ["hit"]


def test_what_lies_ahead_is_pending_and_what_nobody_counted_unjudged():
    known = [1.0] * 8
    assert one(known, 25.0)["outcome"].tolist() == ["pending"]
    assert one(known, 25.0, alerts=[alert("a", 4, None)])["outcome"].tolist() == ["pending"]
    past = history({"a": known}, {"a": 25.0})
    past.available[0, 4] = math.nan
    assert outcomes([alert("a", 4, 6)], past)["outcome"].tolist() == ["unjudged"]
    supplier = alert("a", 4, 6, kind="supplier_late") | {"sku": "", "location": ""}
    assert one(known, 25.0, alerts=[supplier])["outcome"].tolist() == ["unjudged"]


def test_a_real_shortage_is_one_in_the_replay_too():
    """Shrinkage the records do not show: the replay would last, the shelf did not."""
    past = history({"a": [1.0] * DAYS}, {"a": 15.0})
    past.short[0, 8] = True
    found = outcomes([alert("a", 4, 6)], past)
    assert found["outcome"].tolist() == ["hit"]
    assert found["time_left"].tolist() == [3.0]
    assert not found["prevented"].any()


def test_low_stock_is_judged_by_its_own_limit():
    """10 on day 4 fall to 7 by the end of the lead time, day 7: below 8, not below 7.

    A chain that spoke of a stockout must see one.
    """
    for limit, label in ((8.0, "hit"), (7.0, "false")):
        low = alert("a", 4, 5, kind="low_stock", threshold=limit)
        assert one([1.0] * DAYS, 15.0, alerts=[low])["outcome"].tolist() == [label]
    raised = [
        alert("a", 4, 5, kind="low_stock", threshold=8.0),
        alert("a", 5, 6, kind="stockout_risk"),
    ]
    found = one([1.0] * DAYS, 15.0, alerts=raised)
    assert found["outcome"].tolist() == ["false", "false"]
    assert set(found["chain"]) == {"a4l"}


def test_alerts_that_follow_each_other_are_one_warning():
    """Low on day 2, a risk from day 4, out on day 8: told since day 2, six days ahead."""
    story = [
        alert("a", 2, 4, kind="low_stock", threshold=4.0),
        alert("a", 4, 8),
        alert("a", 8, 12, kind="out_of_stock"),
    ]
    found = one([1.0] * DAYS, 8.0, [("a", 10, 12, 30.0)], alerts=story)
    assert found["outcome"].tolist() == ["hit"] * 3
    assert found["time_left"].tolist() == [5.0] * 3
    assert set(found["chain"]) == {"a2l"}


def test_what_opens_with_the_stockout_comes_late():
    found = one([1.0] * DAYS, 5.0, alerts=[alert("a", 5, 9, kind="out_of_stock")])
    assert found["outcome"].tolist() == ["late"]
    assert found["time_left"].tolist() == [0.0]


def test_a_late_delivery_could_not_be_foreseen():
    """8 units due on day 7, when 3 are left, come on day 12: on day 5, the deadline, all was well."""
    orders = [("a", 2, 12, 8.0)]
    for due, possible in ((7, False), (12, True)):
        past = history({"a": [1.0] * DAYS}, {"a": 9.0}, orders, [due])
        first = judge(pd.DataFrame([alert("a", 15, None)]), past).outcomes.iloc[1]
        assert (first["outcome"], first["opened_on"], first["avoidable"]) == ("missed", day(9), possible)
    shares = rates(np.array(["hit", "missed"]), np.array([False, False]))
    assert shares["missed_rate"] == 0.0


def test_what_an_earlier_alert_told_in_time_is_not_missed_by_a_later_one():
    """Told on day 3 that day 9 is short, ordered on day 5, due on day 8, not come: that of day 7 is late."""
    story = [alert("a", 3, 5), alert("a", 7, 12)]
    found = one([1.0] * DAYS, 9.0, [("a", 5, 12, 20.0)], due=[8], alerts=story)
    assert found["outcome"].tolist() == ["hit", "late"]
    assert found["avoidable"].tolist() == [False, False]
    alone = one([1.0] * DAYS, 9.0, alerts=story[1:])
    assert alone["outcome"].tolist() == ["late"]
    assert alone["avoidable"].tolist() == [True]


def test_a_surplus_is_judged_by_what_is_left_of_it():
    """30 on day 4 with 10 too many; five days later 25 or 4 are left: most of the ten, or little."""
    for daily, label in ((1.0, "hit"), (5.2, "false")):
        past = history({"a": [daily] * DAYS}, {"a": 30.0 + 5 * daily})
        over = alert("a", 4, 9, kind="overstock", units_at_risk=10.0)
        assert outcomes([over], past)["outcome"].tolist() == [label]


def test_an_expiry_is_judged_by_what_would_have_expired():
    """Lots of 4 until day 8 and 9 until day 12, one a day from day 5: 0 and 5 would expire; 2 really did."""
    past = history({"a": [1.0] * DAYS}, {"a": 100.0})
    lots = pd.DataFrame(
        [("a", "shop", 4, "l1", 4.0, 8), ("a", "shop", 4, "l2", 9.0, 12), ("a", "shop", 13, "l2", 2.0, 12)],
        columns=["sku", "location", "as_of", "lot", "quantity", "expires"],
    )
    past = History(**{**vars(past), "lots": lots})
    found = outcomes([alert("a", 4, 9, kind="expiry")], past)
    assert found["outcome"].tolist() == ["hit"]
    assert found["time_left"].tolist() == [7.0]
    assert found["prevented"].tolist() == [True]
    busy = History(**{**vars(past), "wanted": np.full((1, DAYS), 3.0)})
    assert outcomes([alert("a", 4, 9, kind="expiry")], busy)["outcome"].tolist() == ["false"]


def test_a_verdict_with_a_reason_overrules_the_whole_chain():
    story = [alert("a", 2, 4, kind="low_stock", threshold=4.0), alert("a", 4, 8)]
    past = history({"a": [1.0] * DAYS}, {"a": 8.0})
    computed = judge(pd.DataFrame(story), past).outcomes
    rows = [
        ("verdict", "a4s", "false", "the count was wrong", "mei", day(10)),
        ("verdict", "a4s", "late", "", "tom", day(12)),
        ("verdict", "a2l", "nonsense", "typed so", "tom", day(13)),
        ("override", "a4s", "hit", "another kind", "tom", day(13)),
    ]
    said = pd.DataFrame(rows, columns=["kind", "subject", "value", "reason", "author", "at"])
    found = overrule(computed, said)
    assert set(computed["outcome"]) == {"hit"}
    assert found["outcome"].tolist() == ["false", "false"]
    assert found["judged_by"].tolist() == ["mei", "mei"]
    assert found["reason"].tolist() == ["the count was wrong"] * 2


def test_what_was_promised_is_owed_until_it_is_there_also_where_demand_is_lost():
    """Five more promised than there are, 2 a day lost meanwhile: of 20 on day 3, 5 are gone at once."""
    found = without_action(np.array([-5.0]), np.full((1, 5), 2.0), np.array([[0, 0, 20.0, 0, 0]]))
    assert found.left[0].tolist() == [0, 0, 13, 11, 9]
    assert found.short_at[0] == 1


def test_the_replay_agrees_with_a_plain_loop():
    rng = np.random.default_rng(3)
    for backorder in (False, True):
        start = rng.integers(0, 15, 40).astype(float)
        wanted = rng.poisson(2.0, (40, 12)).astype(float)
        inbound = rng.poisson(0.3, (40, 12)) * 5.0
        found = without_action(start, wanted, inbound, backorder)
        for k in range(40):
            stock, first = start[k], 0
            for t in range(12):
                stock += inbound[k, t]
                if wanted[k, t] > stock and not first:
                    first = t + 1
                stock = stock - wanted[k, t] if backorder else max(stock - wanted[k, t], 0.0)
                assert found.left[k, t] == max(stock, 0.0)
            assert found.short_at[k] == first


def test_orders_after_the_alert_never_help():
    """Whatever is ordered once the alert is open, the replay stays the same; orders of before count."""
    orders = Orders(*map(np.array, ([0, 0, 0], [3, 4, 5], [6, 7, 6], [1.0, 2.0, 99.0])))
    rows, opened = np.array([0]), np.array([4])
    assert known_then(orders, rows, opened, 4).tolist() == [[0.0, 1.0, 2.0, 0.0]]
    came = known_then(orders, rows, opened, 4, expected=np.array([8, 4, 6]))
    assert came.tolist() == [[0.0, 0.0, 0.0, 1.0]]  # the second is overdue, so nothing is expected of it
