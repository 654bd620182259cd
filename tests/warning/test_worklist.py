"""The worklist: nobody gets more than a day's capacity, the dearest comes first, silences hide and end."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.errors import Problem
from warning.silences import COLUMNS, Silence, covering, make_silence
from warning.worklist import NOW, QUEUED, SILENCED, attend, groups

DAY = date(2024, 5, 1)
AT = datetime(2024, 5, 1, 7, tzinfo=UTC)


def alerts(count: int, **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(dict.fromkeys(COLUMNS, ""), index=range(count))
    frame = frame.assign(
        alert_id=[f"a{k}" for k in range(count)],
        owner="ann",
        rule="r",
        kind="low_stock",
        tier="notice",
        sku=[f"k{k}" for k in range(count)],
        location="s",
        money_at_risk=np.arange(count, dtype=float),
        units_at_risk=1.0,
        attention=None,
        attention_on=None,
    )
    return frame.assign(**columns)


def given_on(
    frame: pd.DataFrame, capacity: dict[str, int], day: date = DAY, silences: tuple[Silence, ...] = ()
):
    return frame.assign(**attend(frame, silences, capacity, day, AT))


def test_the_dearest_come_first_and_the_rest_is_queued_with_a_reason():
    found = given_on(alerts(5), {"ann": 2})
    assert found["attention"].tolist() == [QUEUED, QUEUED, QUEUED, NOW, NOW]
    assert found["attention_on"].tolist() == [None, None, None, DAY, DAY]
    assert found["muted"].tolist()[0] == "queued: beyond the 2 alerts a day that ann takes up"
    assert found["muted"].tolist()[-1] == ""


def test_a_new_day_takes_up_the_next_ones_and_keeps_the_old():
    first = given_on(alerts(5), {"ann": 2})
    assert given_on(first, {"ann": 2})["attention"].tolist() == first["attention"].tolist()
    second = given_on(first, {"ann": 2}, DAY + timedelta(days=1))
    assert second["attention"].tolist() == [QUEUED, NOW, NOW, NOW, NOW]


def test_each_owner_has_a_capacity_and_who_has_none_takes_all():
    frame = alerts(6, owner=["ann", "ann", "bob", "bob", "", None])
    found = given_on(frame, {"ann": 1})
    assert found["attention"].tolist() == [QUEUED, NOW, NOW, NOW, NOW, NOW]


def test_critical_alerts_may_use_up_the_capacity_once_more():
    frame = alerts(10, tier=["critical"] * 4 + ["notice"] * 6)
    found = given_on(frame, {"ann": 3})
    # The three dearest, and three of the four critical ones, the dearest of them.
    assert np.flatnonzero(found["attention"] == NOW).tolist() == [1, 2, 3, 7, 8, 9]


tiers = st.lists(st.sampled_from(["notice", "warning", "critical"]), min_size=1, max_size=12)


@given(st.lists(tiers, min_size=1, max_size=6), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_nobody_is_flooded_and_nothing_waits_while_there_is_room(days, capacity):
    held = alerts(0)
    for number, new in enumerate(days):
        fresh = alerts(len(new), tier=new, sku=[f"d{number}k{k}" for k in range(len(new))])
        held = pd.concat([held, fresh], ignore_index=True) if len(held) else fresh
        today = DAY + timedelta(days=number)
        held = given_on(held, {"ann": capacity}, today)
        brought = held[held["attention_on"] == today]
        assert len(brought) <= 2 * capacity
        assert len(brought[brought["tier"] != "critical"]) <= capacity
        waits = held[held["attention"] == QUEUED]
        if len(waits):
            assert len(brought) >= capacity
    assert set(held["attention"]) <= {NOW, QUEUED}


def silence(selector: dict[str, object], hours: float = 1.0, **change: object) -> Silence:
    values = {"reason": "stock-take", "author": "ann", "starts_at": AT - timedelta(hours=1)} | change
    return make_silence(selector, ends_at=AT + timedelta(hours=hours), **values)


def test_a_silence_covers_what_meets_all_of_it_while_it_lasts():
    frame = alerts(4, location=["s", "s", "t", "t"], tier=["notice", "critical"] * 2)
    quiet = silence({"location": "s", "tier": ["notice", "warning"]})
    words = covering(frame, [quiet], AT)
    assert [word is None for word in words] == [False, True, True, True]
    assert words[0] == "silenced until 2024-05-01 08:00 UTC by ann: stock-take"
    assert all(word is None for word in covering(frame, [quiet], AT + timedelta(hours=1)))


def test_what_is_silenced_uses_no_capacity_and_comes_back_when_it_ends():
    quiet = silence({"sku": ["k3", "k4"]})
    found = given_on(alerts(5), {"ann": 2}, silences=(quiet,))
    assert found["attention"].tolist() == [QUEUED, NOW, NOW, SILENCED, SILENCED]
    assert found["muted"].tolist()[4].startswith("silenced until")
    after = found.assign(
        **attend(found, [quiet], {"ann": 2}, DAY + timedelta(days=1), AT + timedelta(hours=2))
    )
    assert after["attention"].tolist() == [QUEUED, NOW, NOW, NOW, NOW]


def test_what_was_taken_up_can_still_be_silenced():
    first = given_on(alerts(2), {"ann": 2})
    found = given_on(first, {"ann": 2}, silences=(silence({"rule": "r"}),))
    assert found["attention"].tolist() == [SILENCED, SILENCED]


@pytest.mark.parametrize(
    ("selector", "change", "words"),
    [
        ({}, {}, ["of what", "location"]),
        ({"locaton": "s"}, {}, ["'locaton'", "did you mean 'location'"]),
        ({"sku": []}, {}, ["silence.sku", "at least one"]),
        ({"sku": "a"}, {"reason": " "}, ["a reason and an author"]),
        ({"sku": "a"}, {"hours": -2.0}, ["must end within 366 days", "name an end"]),
        ({"sku": "a"}, {"hours": 24 * 400.0}, ["must end within 366 days"]),
    ],
)
def test_a_silence_without_reason_end_or_matter_is_refused(selector, change, words):
    with pytest.raises(Problem) as caught:
        silence(selector, **change)
    for word in words:
        assert word in str(caught.value)


def test_one_supplier_at_one_place_is_one_group():
    frame = alerts(5, location=["s", "s", "t", "t", "t"], supplier=["a", "a", "a", "b", None])
    frame = frame.assign(tier=["notice", "critical", "notice", "warning", "notice"])
    frame.loc[2, "money_at_risk"] = np.nan
    found = groups(frame.sort_values("money_at_risk", ascending=False))
    assert found.to_dict("records") == [
        {"location": "t", "supplier": "", "alerts": 1, "tier": "notice", "money_at_risk": 4.0, "worst": "a4"},
        {
            "location": "t",
            "supplier": "b",
            "alerts": 1,
            "tier": "warning",
            "money_at_risk": 3.0,
            "worst": "a3",
        },
        {
            "location": "s",
            "supplier": "a",
            "alerts": 2,
            "tier": "critical",
            "money_at_risk": 1.0,
            "worst": "a1",
        },
        {
            "location": "t",
            "supplier": "a",
            "alerts": 1,
            "tier": "notice",
            "money_at_risk": 0.0,
            "worst": "a2",
        },
    ]
