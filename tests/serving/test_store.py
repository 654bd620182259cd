"""The store: atomic, idempotent, append-only where it says so, and its pages."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, StatementError

from ingestion.errors import Problem
from serving.store.alerts import AlertFilter, Applied
from serving.store.database import Unavailable, migrate, open_engine
from serving.store.paging import BadCursor, open_cursor, write_cursor
from serving.store.schema import metadata
from serving.store.store import Empty, Missing, Store
from warning.alerts import rank
from warning.engine import Decision, evaluate
from warning.rules import TIERS, default_rules

ALL = AlertFilter(state="all")


def everything(url: str) -> dict[str, list[tuple[Any, ...]]]:
    engine = open_engine(url)
    with engine.connect() as connection:
        found = {
            name: sorted(map(repr, connection.execute(table.select())))
            for name, table in metadata.tables.items()
        }
    engine.dispose()
    return found


def again(shop: Any, facts: pd.DataFrame, days: int = 1) -> Decision:
    return evaluate(facts, default_rules(), shop.today + pd.Timedelta(days=days), shop.store.open_alerts())


def test_migrations_make_the_tables_that_the_code_reads(database: str) -> None:
    Store.open(database).close()
    engine = open_engine(database)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_opening_again_changes_nothing_and_a_newer_store_is_refused(database: str) -> None:
    Store.open(database).close()
    before = everything(database)
    Store.open(database).close()
    assert everything(database) == before
    engine = open_engine(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match=r"'9999'.*newer forestock"):
        migrate(engine)
    engine.dispose()


def test_publishing_the_same_again_changes_nothing(any_shop: Any) -> None:
    before = everything(any_shop.url)
    later = any_shop.at + timedelta(hours=1)
    run = any_shop.store.snapshot().results_digest
    same = any_shop.store.publish(
        any_shop.as_of, "data-1", "model-1", any_shop.tables, results_digest=run, at=later
    )
    assert same == any_shop.store.snapshot()
    assert everything(any_shop.url) == before


def test_other_content_is_another_snapshot_and_the_old_one_is_kept(any_shop: Any) -> None:
    first = any_shop.store.snapshot()
    raised = {**any_shop.tables, "thresholds": any_shop.thresholds.assign(safety_stock=1.0, content_hash="x")}
    second = any_shop.store.publish(any_shop.as_of, "data-1", "model-1", raised, at=any_shop.at)
    assert second.snapshot_id != first.snapshot_id
    assert second.thresholds_digest != first.thresholds_digest
    assert any_shop.store.thresholds(limit=1).rows["safety_stock"].tolist() == [1.0]
    rows = everything(any_shop.url)
    assert len(rows["thresholds"]) == 2 * len(any_shop.thresholds)


def test_what_is_published_again_is_in_force_again(any_shop: Any) -> None:
    first = any_shop.store.snapshot()
    raised = {**any_shop.tables, "thresholds": any_shop.thresholds.assign(safety_stock=1.0)}
    publish = partial(any_shop.store.publish, any_shop.as_of, "data-1", "model-1", at=any_shop.at)
    publish(raised, results_digest=first.results_digest)
    back = publish(any_shop.tables, results_digest=first.results_digest)
    assert back == any_shop.store.snapshot()
    assert back.snapshot_id == first.snapshot_id
    # Other results of the same rows are another publication.
    assert publish(any_shop.tables, results_digest="other").snapshot_id != first.snapshot_id
    assert any_shop.store.snapshot().results_digest == "other"


def test_a_run_on_older_data_does_not_displace_the_present(any_shop: Any) -> None:
    present = any_shop.store.snapshot()
    past = any_shop.as_of - pd.Timedelta(days=30)
    any_shop.store.publish(past, "data-0", "model-0", any_shop.tables, at=any_shop.at + timedelta(days=1))
    assert any_shop.store.snapshot() == present


def test_frames_come_back_as_they_went(any_shop: Any) -> None:
    page = any_shop.store.thresholds(limit=1000)
    given = any_shop.thresholds.sort_values(["sku", "location"], ignore_index=True)
    pd.testing.assert_frame_equal(page.rows, given, check_dtype=False)
    item = any_shop.store.item(given["sku"][3], given["location"][3])
    facts = any_shop.facts.set_index(["sku", "location"]).loc[(given["sku"][3], given["location"][3])]
    assert item.position["unit_price"][0] == facts["unit_price"]  # a column that only `more` keeps
    assert item.position["on_hand"][0] == facts["on_hand"]


def test_a_decision_is_kept_whole_and_applying_it_again_changes_nothing(any_shop: Any) -> None:
    kept = any_shop.store.open_alerts()
    given = any_shop.decision.opened.sort_values("alert_id", ignore_index=True)
    same = [
        "alert_id",
        "tier",
        "money_at_risk",
        "opened_on",
        "title",
        "reason_zh",
        "recommendation",
        "measure",
    ]
    pd.testing.assert_frame_equal(kept[same], given[same], check_dtype=False)
    before = everything(any_shop.url)
    assert any_shop.store.apply(any_shop.decision, any_shop.at + timedelta(hours=1)) == Applied(0, 0, 0)
    assert everything(any_shop.url) == before


def test_a_cause_has_one_unresolved_alert_whoever_opens_it(any_shop: Any) -> None:
    other = any_shop.decision.opened.assign(alert_id=lambda frame: "x" + frame["alert_id"])
    rival = replace(any_shop.decision, opened=other)
    assert any_shop.store.apply(rival, any_shop.at) == Applied(0, 0, 0)
    engine = open_engine(any_shop.url)
    columns = [column.name for column in metadata.tables["alerts"].columns]
    copied = ", ".join("'copy'" if name == "alert_id" else f'"{name}"' for name in columns)
    with pytest.raises(DBAPIError, match=r"(?i)unique"), engine.begin() as connection:
        connection.execute(text(f"INSERT INTO alerts SELECT {copied} FROM alerts LIMIT 1"))
    engine.dispose()


def test_life_of_an_alert_is_told_by_its_events(any_shop: Any) -> None:
    worst = any_shop.decision.opened[any_shop.decision.opened["kind"] == "stockout_risk"].iloc[-1]
    here = (any_shop.facts["sku"] == worst["sku"]) & (any_shop.facts["location"] == worst["location"])
    risk, days = any_shop.facts["stockout_probability"], any_shop.facts["days_to_stockout"]
    worse = any_shop.facts.assign(
        stockout_probability=risk.where(~here, 0.97), days_to_stockout=days.where(~here, 1.0)
    )
    any_shop.store.apply(again(any_shop, worse), any_shop.at + timedelta(days=1))
    well = any_shop.facts.assign(
        stockout_probability=risk.where(~here, 0.0),
        projected=any_shop.facts["projected"].where(~here, any_shop.facts["safety_stock"] + 1),
    )
    any_shop.store.apply(again(any_shop, well, days=2), any_shop.at + timedelta(days=2))
    alert, events = any_shop.store.alert(worst["alert_id"])
    assert events["event"].tolist() == ["opened", "tier_changed", "resolved"]
    assert events["detail"][0]["rule_version"] == 1
    assert events["detail"][1]["tier"] == [worst["tier"], "critical"]
    assert events["at"].tolist() == [any_shop.at + timedelta(days=day) for day in range(3)]
    assert alert["state"][0] == "resolved"
    assert alert["resolved_on"][0] == any_shop.today + pd.Timedelta(days=2)
    assert worst["alert_id"] not in set(any_shop.store.open_alerts()["alert_id"])


def test_a_decision_that_comes_late_takes_nothing_back(any_shop: Any) -> None:
    monday = again(any_shop, any_shop.facts.assign(on_hand=0.0, projected=-5.0), days=1)
    tuesday = again(any_shop, any_shop.facts, days=2)
    any_shop.store.apply(tuesday, any_shop.at + timedelta(days=2))
    before = everything(any_shop.url)
    late = replace(monday, opened=monday.opened.iloc[:0])
    assert any_shop.store.apply(late, any_shop.at + timedelta(days=3)) == Applied(0, 0, 0, stale=True)
    assert everything(any_shop.url) == before


def test_an_evaluation_of_earlier_data_opens_nothing(any_shop: Any) -> None:
    healthy = any_shop.facts.assign(
        stockout_probability=0.0,
        on_hand=any_shop.facts["order_up_to"],
        projected=any_shop.facts["order_up_to"],
    )
    any_shop.store.apply(again(any_shop, healthy), any_shop.at)
    past = any_shop.facts.assign(data_as_of=any_shop.as_of - pd.Timedelta(days=10))
    for day, facts in ((-10, past), (5, past), (-10, any_shop.facts)):
        before = everything(any_shop.url)
        decision = again(any_shop, facts, days=day)
        assert len(decision.opened) > 0
        assert any_shop.store.apply(decision, any_shop.at) == Applied(0, 0, 0, stale=True)
        assert everything(any_shop.url) == before


def test_what_was_published_without_an_alert_makes_earlier_evaluations_late(
    empty_store: Store, shop: Any
) -> None:
    empty_store.publish(shop.as_of + pd.Timedelta(days=20), "d", "m", shop.tables, at=shop.at)
    assert empty_store.apply(shop.decision, shop.at) == Applied(0, 0, 0, stale=True)
    assert empty_store.open_alerts().empty


def test_an_alert_that_returns_on_the_day_it_began_opens_again_but_an_old_one_does_not(any_shop: Any) -> None:
    healthy = any_shop.facts.assign(
        stockout_probability=0.0,
        on_hand=any_shop.facts["order_up_to"],
        projected=any_shop.facts["order_up_to"],
    )
    any_shop.store.apply(again(any_shop, healthy, days=0), any_shop.at)
    assert any_shop.store.open_alerts().empty
    back = any_shop.store.apply(again(any_shop, any_shop.facts, days=0), any_shop.at)
    assert back.opened == len(any_shop.decision.opened)
    any_shop.store.apply(again(any_shop, healthy, days=1), any_shop.at + timedelta(days=1))
    late = any_shop.store.apply(any_shop.decision, any_shop.at + timedelta(days=1))
    assert late == Applied(0, 0, 0, stale=True)
    assert any_shop.store.open_alerts().empty


def test_a_decision_that_fails_half_way_leaves_nothing(
    any_shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(any_shop.url)
    facts = any_shop.facts.assign(on_hand=0.0, stockout_probability=1.0)
    decision = again(any_shop, facts)

    def stop(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "INSERT INTO alert_events" in statement:
            raise KeyboardInterrupt

    event.listen(any_shop.store._engine, "before_cursor_execute", stop)
    with pytest.raises(KeyboardInterrupt):
        any_shop.store.apply(decision, any_shop.at)
    event.remove(any_shop.store._engine, "before_cursor_execute", stop)
    assert everything(any_shop.url) == before
    assert any_shop.store.apply(decision, any_shop.at).updated > 0


@pytest.mark.parametrize("change", ["UPDATE alert_events SET event = 'x'", "DELETE FROM alert_events"])
def test_the_audit_only_grows(any_shop: Any, change: str) -> None:
    engine = open_engine(any_shop.url)
    with pytest.raises(DBAPIError, match="only grows"), engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()


def test_pages_of_alerts_run_from_most_to_least_money_without_gap_or_repeat(any_shop: Any) -> None:
    seen: list[str] = []
    money: list[float] = []
    cursor = None
    while True:
        page = any_shop.store.alerts(ALL, 7, cursor)
        seen += page.rows["alert_id"].tolist()
        money += page.rows["money_at_risk"].fillna(-1.0).tolist()
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(any_shop.decision.opened["alert_id"])
    assert money == sorted(money, reverse=True)
    assert money[-1] == -1.0  # what was never counted has unknown money, and comes last


def test_the_worklist_has_the_order_of_the_warning_room(any_shop: Any) -> None:
    opened = any_shop.decision.opened
    rng = np.random.default_rng(3)
    units, tiers = rng.choice([np.nan, 0.0, 5.0, 7.5], len(opened)), rng.choice(TIERS, len(opened))
    money = rng.choice([np.nan, np.nan, 0.0, 10.1], len(opened))
    changed = opened.assign(units_at_risk=units, tier=tiers, money_at_risk=money, change="same")
    nothing = opened.iloc[:0]
    any_shop.store.apply(Decision(opened=nothing, updated=changed, resolved=nothing), any_shop.at)
    expected = rank(any_shop.store.open_alerts())["alert_id"].tolist()
    assert any_shop.store.alerts(ALL, 1000).rows["alert_id"].tolist() == expected
    page = any_shop.store.alerts(ALL, 4)
    seen = page.rows["alert_id"].tolist()
    while page.next_cursor:
        page = any_shop.store.alerts(ALL, 4, page.next_cursor)
        seen += page.rows["alert_id"].tolist()
    assert seen == expected


def test_pages_stay_put_while_alerts_come_and_go(any_shop: Any) -> None:
    order = any_shop.store.alerts(ALL, 1000).rows["alert_id"].tolist()
    first = any_shop.store.alerts(AlertFilter(), 5)
    ended = any_shop.store.open_alerts().set_index("alert_id").loc[order[1:3]].reset_index()
    ended = ended.assign(resolved_on=any_shop.today, state="resolved")
    nothing = ended.iloc[:0]
    any_shop.store.apply(Decision(opened=nothing, updated=nothing, resolved=ended), any_shop.at)
    second = any_shop.store.alerts(AlertFilter(), 5, first.next_cursor)
    assert second.rows["alert_id"].tolist() == order[5:10]


def test_pages_of_thresholds_stay_with_their_snapshot(any_shop: Any) -> None:
    first = any_shop.store.thresholds(limit=10)
    newer = any_shop.thresholds.assign(safety_stock=0.0, content_hash="y")
    any_shop.store.publish(
        any_shop.as_of, "data-2", "model-1", {**any_shop.tables, "thresholds": newer}, at=any_shop.at
    )
    second = any_shop.store.thresholds(limit=10, cursor=first.next_cursor)
    assert (second.rows["safety_stock"] > 0).all()
    keys = pd.concat([first.rows, second.rows])[["sku", "location"]]
    assert not keys.duplicated().any()
    assert second.total == len(any_shop.thresholds)


def test_a_cursor_answers_its_own_question_only(shop: Any) -> None:
    cursor = shop.store.alerts(AlertFilter(tier="notice"), 1).next_cursor
    with pytest.raises(BadCursor, match="other filters"):
        shop.store.alerts(AlertFilter(tier="critical"), 1, cursor)
    for broken in ("", "%%%", "bm90IGpzb24", "W10", "WzEsMl0"):
        with pytest.raises(BadCursor, match="next_cursor of the page before"):
            shop.store.alerts(AlertFilter(), 1, broken)
    with pytest.raises(BadCursor):
        shop.store.thresholds(limit=1, cursor=cursor)
    for number in (True, 2**70, -1):
        with pytest.raises(BadCursor):
            shop.store.thresholds(limit=1, cursor=write_cursor([number], ["a"]))
    asked, after = open_cursor(shop.store.thresholds(limit=1).next_cursor)
    for changed in (after[:1], [*after[:2], "tomorrow"], [None, *after[1:]]):
        with pytest.raises(BadCursor, match="was changed"):
            shop.store.thresholds(limit=1, cursor=write_cursor(asked, changed))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (AlertFilter(tier="critical"), lambda frame: frame["tier"] == "critical"),
        (AlertFilter(location="Old Town"), lambda frame: frame["location"] == "Old Town"),
        (AlertFilter(rule="overstock"), lambda frame: frame["rule"] == "overstock"),
        (AlertFilter(text="纯牛奶"), lambda frame: frame["sku"].str.endswith("-1007")),
        (AlertFilter(text="WHOLE milk"), lambda frame: frame["sku"].str.endswith("-1000")),
        (AlertFilter(text="%"), lambda frame: frame["sku"].str.endswith("-1012")),  # "Dark chocolate 70 %"
        (AlertFilter(state="resolved"), lambda frame: frame["tier"] == "none of these"),
    ],
)
def test_filters(shop: Any, chosen: AlertFilter, expected: Any) -> None:
    opened = shop.decision.opened
    opened = opened[~opened["title"].str.contains("%", regex=False)] if chosen.text == "%" else opened
    page = shop.store.alerts(chosen, 1000)
    found = page.rows
    if chosen.text == "%":
        found = found[~found["title"].str.contains("%", regex=False)]
    assert sorted(found["alert_id"]) == sorted(opened.loc[expected(opened), "alert_id"])


def test_overview_adds_up(shop: Any) -> None:
    overview = shop.store.overview()
    opened = shop.decision.opened
    assert overview.items == len(shop.facts)
    assert overview.distribution["alerts"].sum() == len(opened)
    assert overview.distribution["money"].sum() == pytest.approx(opened["money_at_risk"].sum())
    assert overview.locations == sorted(shop.facts["location"].unique())
    assert pd.Timestamp(overview.valid_until) == shop.thresholds["valid_until"].min()


def test_what_is_not_there_is_said_with_a_remedy(shop: Any, empty_store: Store, tmp_path: Path) -> None:
    with pytest.raises(Missing, match=r"'nope' at 'Old Town' is not watched.*GET /v1/thresholds"):
        shop.store.item("nope", "Old Town")
    with pytest.raises(Missing, match="no alert 'x'"):
        shop.store.alert("x")
    with pytest.raises(Empty, match="forestock run"):
        empty_store.thresholds(limit=1)
    assert not empty_store.ready().ready
    with pytest.raises(Problem, match="not one: 'nonsense'"):
        Store.open("nonsense")
    with pytest.raises(Problem, match="SQLite or PostgreSQL, got 'mysql'"):
        Store.open("mysql://u:secret@h/d")
    with pytest.raises(Unavailable, match="cannot be used") as refused:
        Store.open("postgresql://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(refused.value)
    with pytest.raises(Unavailable, match="cannot be used") as refused:
        Store.open("postgresql://127.0.0.1:1/d?user=u&password=secret")
    assert "secret" not in str(refused.value)
    (tmp_path / "text.db").write_text("this is no database, it is a text of some length" * 30)
    with pytest.raises(Problem, match="cannot be used"):
        Store.open(f"sqlite:///{tmp_path}/text.db")


def test_a_missing_column_is_named(shop: Any, empty_store: Store) -> None:
    tables = {**shop.tables, "thresholds": shop.thresholds.drop(columns="valid_until")}
    with pytest.raises(Problem, match="thresholds need the columns valid_until"):
        empty_store.publish(shop.as_of, "d", "m", tables, at=shop.at)
    with pytest.raises(StatementError, match="time zone"):
        empty_store.publish(shop.as_of, "d", "m", shop.tables, at=datetime(2026, 1, 1))
