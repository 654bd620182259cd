"""What the store remembers between evaluations: waits, shadows, silences, attention and rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from ingestion.errors import Problem
from serving.store.alerts import AlertFilter
from serving.store.lifecycle import KeyReusedError
from serving.store.silences import UnknownSilenceError
from serving.store.store import Store
from warning.engine import evaluate
from warning.owners import Owner
from warning.routing import Channel, Desk
from warning.rules import Rule
from warning.silences import make_silence

DAY = pd.Timestamp("2026-03-09")
AT = datetime(2026, 3, 9, 7, tzinfo=UTC)
RISK = Rule("risk", "stockout_risk", {"notice": 0.3, "critical": 0.8}, cooldown_days=2)
LOG = Channel(name="log", kind="log", events=("opened", "reopened", "raised", "resolved"))


@pytest.fixture
def store(database: str) -> Any:
    opened = Store.open(database)
    yield opened
    opened.close()


def items(*chances: float) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sku": [f"k{k}" for k in range(len(chances))],
            "location": "s",
            "on_hand": 5.0,
            "stockout_probability": chances,
            "expected_lost_money": [10.0 * (k + 1) for k in range(len(chances))],
        }
    )


def watch(
    store: Store, facts: pd.DataFrame, rules: list[Rule], days: int = 0, desk: Desk | None = None
) -> None:
    today = DAY + pd.Timedelta(days=days)
    before = store.standing(rules, today.date())
    decision = evaluate(facts, rules, today, before.open_alerts, past=before.past, shadow=before.shadow)
    store.apply(decision, AT + timedelta(days=days), desk or Desk())


def open_now(store: Store) -> list[tuple[str, str]]:
    found = store.open_alerts()
    return list(zip(found["sku"], found["tier"], strict=True))


def test_a_breach_waits_across_runs(store: Store) -> None:
    rules = [replace(RISK, pending_days=2)]
    for days, expected in ((0, []), (0, []), (1, []), (2, [("k0", "notice")])):
        watch(store, items(0.4), rules, days)
        assert open_now(store) == expected
    assert store.standing(rules, DAY.date()).past.pending.empty


def test_a_cause_that_returns_reopens_its_alert(store: Store) -> None:
    watch(store, items(0.4), [RISK])
    first = store.open_alerts().iloc[0]
    watch(store, items(0.0), [RISK], 1)
    assert open_now(store) == []
    watch(store, items(0.9), [RISK], 3)
    back = store.open_alerts().iloc[0]
    assert (back["alert_id"], back["tier"], back["state"]) == (first["alert_id"], "critical", "open")
    _, life = store.alert(first["alert_id"])
    assert life["event"].tolist() == ["opened", "resolved", "reopened"]
    watch(store, items(0.0), [RISK], 4)
    watch(store, items(0.4), [RISK], 7)
    assert store.open_alerts()["alert_id"].tolist() != [first["alert_id"]]


def test_shadows_are_kept_apart_and_only_once(store: Store) -> None:
    trial = replace(RISK, name="trial", mode="shadow")
    for days in (0, 0, 1):
        watch(store, items(0.4), [trial], days)
        assert open_now(store) == []
        assert len(store.standing([trial], DAY.date()).shadow.open_alerts) == 1
    watch(store, items(0.0), [trial], 2)
    assert store.standing([trial], DAY.date()).shadow.open_alerts.empty


def attention(store: Store) -> dict[str, str]:
    found = store.open_alerts()
    return dict(zip(found["sku"], found["attention"], strict=True))


def notices(store: Store, sku: str) -> list[tuple[str, str, str]]:
    alert = store.open_alerts().set_index("sku").loc[sku, "alert_id"]
    return [(row["event"], row["state"], row["reason"]) for row in store.outbox.find(alert_id=alert)]


def test_beyond_the_capacity_alerts_wait_and_are_told_when_they_are_taken_up(store: Store) -> None:
    desk = Desk(owners={"ann": Owner(name="ann", capacity=2)}, channels={"log": LOG})
    watch(store, items(0.4, 0.4, 0.4), [RISK], desk=desk)
    assert attention(store) == {"k0": "queued", "k1": "now", "k2": "now"}
    (event, state, reason), *_ = notices(store, "k0")
    assert (event, state) == ("opened", "skipped")
    assert reason == "queued: beyond the 2 alerts a day that ann takes up"
    assert notices(store, "k2") == [("opened", "queued", "")]
    watch(store, items(0.4, 0.4, 0.4), [RISK], 1, desk)
    assert set(attention(store).values()) == {"now"}
    assert ("opened", "queued", "") in notices(store, "k0")
    listed = store.alerts(AlertFilter(attention="queued"), 10)
    assert listed.total == 0


def test_a_silence_mutes_and_its_end_tells(store: Store) -> None:
    desk = Desk(channels={"log": LOG})
    quiet = make_silence({"sku": "k0"}, "stock-take", "ann", AT - timedelta(hours=1), AT + timedelta(days=5))
    store.silences.add(quiet, AT)
    watch(store, items(0.4, 0.4), [RISK], desk=desk)
    assert attention(store) == {"k0": "silenced", "k1": "now"}
    assert notices(store, "k0")[0][1:] == ("skipped", quiet.words)
    ended = store.silences.end(quiet.silence_id, AT + timedelta(hours=1))
    assert ended.ends_at == AT + timedelta(hours=1)
    store.attend(AT + timedelta(hours=1), desk)
    assert attention(store) == {"k0": "now", "k1": "now"}
    assert ("opened", "queued", "") in notices(store, "k0")
    assert store.silences.list(AT + timedelta(hours=2)) == []
    assert [one.silence_id for one in store.silences.list()] == [quiet.silence_id]


def test_a_silence_of_one_key_is_made_once(store: Store) -> None:
    def make(sku: str) -> Any:
        return make_silence({"sku": sku}, "why", "ann", AT, AT + timedelta(days=1), name="one")

    assert store.silences.add(make("a"), AT) == store.silences.add(make("a"), AT + timedelta(minutes=1))
    with pytest.raises(KeyReusedError, match="choose a new Idempotency-Key"):
        store.silences.add(make("b"), AT)
    with pytest.raises(UnknownSilenceError, match="no silence 'two'"):
        store.silences.end("two", AT)


def test_versions_of_rules_are_kept_dated_and_rolled_back(store: Store) -> None:
    book = store.rules([RISK])
    first = date(2026, 3, 10)

    def save(bound: float, day: date = first) -> int:
        entries = [{"name": "risk", "tiers": {"notice": bound}}]
        return len(book.save(entries, day, AT, author="ann", reason="why"))

    assert (save(0.5), save(0.5), save(0.6, date(2026, 3, 12))) == (1, 0, 1)
    bounds = {day: book.in_force(date(2026, 3, day))[0].tiers["notice"] for day in (9, 10, 11, 12)}
    assert bounds == {9: 0.3, 10: 0.5, 11: 0.5, 12: 0.6}
    assert save(0.3, date(2026, 3, 13)) == 1
    assert [(one.rule.version, one.author, one.reason) for one in book.versions("risk")] == [
        (2, "ann", "why"),
        (3, "ann", "why"),
        (4, "ann", "why"),
    ]
    assert book.versions("other") == []


def test_a_rule_with_a_column_that_no_fact_has_is_refused_before_it_is_saved(any_shop: Any) -> None:
    rule = Rule("low", "low_stock", {"notice": 0.1}, selector={"categry": "Dairy"})
    with pytest.raises(Problem, match=r"'low' selects by 'categry', which no position has; .*'category'"):
        any_shop.store.check_rules([rule])
    any_shop.store.check_rules([replace(rule, selector={"category": "Dairy"})])


def test_facts_come_back_as_they_were_published(any_shop: Any) -> None:
    snapshot, facts = any_shop.store.facts_of(any_shop.as_of)
    assert snapshot.as_of == any_shop.as_of.date()
    assert len(facts) == len(any_shop.facts)
    assert any_shop.store.facts_of(any_shop.as_of - pd.Timedelta(days=1)) is None
    assert any_shop.store.dates_since(date(2000, 1, 1)) == [any_shop.as_of.date()]
    rules = [RISK, Rule("low", "low_stock", {"notice": 0.1})]
    first, again = (
        evaluate(frame, rules, DAY, pd.DataFrame()).opened.drop(columns=["data_as_of"])
        for frame in (any_shop.facts, facts)
    )
    pd.testing.assert_frame_equal(first, again, check_dtype=False)
