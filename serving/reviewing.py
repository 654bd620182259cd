"""Reviewing: a month looked back on, with its outcomes, its KPIs, its rules and what to change.

It owns which days belong to a month, which arrays each figure is measured on, and the steps of a review:
judge what opened, let verdicts overrule, measure, keep. Proposals are made and decided on in
`serving.proposing`.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from forecasting.baselines import Baseline
from ingestion.errors import UsageProblem
from serving.histories import Gathered, gather
from serving.store.proposals import Kept
from serving.store.store import Store
from serving.walk import Walk
from warning import kpis
from warning.history import History
from warning.judging import Judgement, judge, overrule
from warning.kinds import SURPLUSES

SLOW = 90.0  # days: stock that lasts longer moves slowly
OLD = 180  # days after which a rule that nobody changed is named
BEYOND = 120.0  # days of history beside the month: slow pace is measured on 90 of them


@dataclass(frozen=True)
class Span:
    """A month: its first and last date, and the columns of a history that lie in it."""

    month: str
    first: date
    last: date
    columns: slice


@dataclass(frozen=True)
class Review:
    """What a month was like.

    figures, before: KPI → value of this month, and of the one before where that was reviewed; NaN = nothing
        to measure
    outcomes: of the alerts that opened, and of stockouts that none spoke of, as `warning.judging` gives them
    stockouts: those that came, and how they were announced
    rules: rule, version, since, age_days, alerts, false, old of each rule in force
    proposals: those that wait, and those in force
    """

    month: str
    made_at: datetime
    figures: dict[str, float]
    before: dict[str, float]
    outcomes: pd.DataFrame
    stockouts: pd.DataFrame
    rules: pd.DataFrame
    proposals: tuple[Kept, ...]

    def summary(self) -> dict[str, Any]:
        """The review as JSON can carry it."""
        counted = self.outcomes[self.outcomes["alert_id"] == self.outcomes["chain"]]
        rules = self.rules.astype(object).where(self.rules.notna(), None)
        days = [None if day is None else day.isoformat() for day in rules["since"]]
        rules["since"] = pd.Series(days, rules.index, dtype=object)  # else None becomes NaN, which is no JSON
        return {
            "month": self.month,
            "kpis": {name: _plain(value) for name, value in self.figures.items()},
            "before": {name: _plain(value) for name, value in self.before.items()},
            "outcomes": {str(k): int(v) for k, v in counted["outcome"].value_counts().items()},
            "prevented": int(counted["prevented"].sum()),
            "stockouts": {str(k): int(v) for k, v in self.stockouts["announced"].value_counts().items()},
            "rules": rules.to_dict("records"),
            "proposals": [one.as_row() for one in self.proposals],
        }


def month_of(text: str | None, walk: Walk) -> str:
    """A month as typed, such as 2026-10; the last one that is complete where none is."""
    if text is None:
        end = walk.period.end(walk.as_of)
        month = pd.Period(end, "M")
        return str(month if end == month.end_time.normalize() else month - 1)
    try:
        found = pd.Period(pd.to_datetime(text, format="%Y-%m"), "M")
    except ValueError:
        raise UsageProblem(f"--month must be a month, got {text!r}; write it as 2026-10") from None
    if found.start_time > walk.period.end(walk.as_of):
        raise UsageProblem(f"--month must have begun by {walk.as_of.date()}, got {text}; name an earlier one")
    return str(found)


def review(walk: Walk, store: Store, month: str, at: datetime) -> Review:
    """Look back on a month, and keep its outcomes and figures."""
    began = pd.Period(month, "M").start_time
    periods = int(((walk.period.end(walk.as_of) - began).days + BEYOND) / walk.period.days) + 1
    walk.stage("gathering what happened")
    gathered = gather(walk, periods)
    span = _span(gathered.history, month)
    alerts = store.outcomes.alerts(span.first, span.last)
    walk.stage("judging alerts")
    found = _judged(alerts, gathered.history, span, walk, store)
    walk.stage("measuring")
    figures = _stock_figures(walk, store, gathered, span, alerts)
    figures |= _alert_figures(found.outcomes, alerts, store, span, at)
    figures["forecast_value_added"] = _value_added(walk, span)
    before = store.outcomes.reviewed(str(pd.Period(month, "M") - 1)) or {}
    store.outcomes.keep(found.outcomes, span.first, span.last, at)
    store.outcomes.review(month, figures, at)
    return Review(
        month=month,
        made_at=at,
        figures=figures,
        before={name: np.nan if value is None else float(value) for name, value in before.items()},
        outcomes=found.outcomes,
        stockouts=found.stockouts,
        rules=_ageing(walk, store, found.outcomes),
        proposals=(*store.proposals.list("proposed"), *store.proposals.list("approved")),
    )


def _span(history: History, month: str) -> Span:
    whole = pd.Period(month, "M")
    first, last = whole.start_time.normalize(), whole.end_time.normalize()
    begin, end = (int(history.period.index(day)[0]) - history.first for day in (first, last))
    return Span(month, first.date(), last.date(), slice(max(begin, 0), min(end + 1, history.periods)))


def _judged(alerts: pd.DataFrame, history: History, span: Span, walk: Walk, store: Store) -> Judgement:
    """Outcomes of the month as computed, then as people judged them.

    What came before anybody watched was not missed: nobody could have been told.
    """
    began = store.outcomes.began()
    watched = pd.Timestamp.max if began is None else pd.Timestamp(began)
    dates = history.period.dates(history.first + np.arange(history.periods))
    found = judge(alerts, replace(history, seen=history.seen & (dates >= watched)))
    first, last = max(pd.Timestamp(span.first), watched), pd.Timestamp(span.last)
    came = found.stockouts[found.stockouts["date"].between(first, last)]
    told = found.outcomes[pd.to_datetime(found.outcomes["opened_on"]).between(first, last)]
    said = pd.concat([walk.tables["feedback"], store.outcomes.verdicts()], ignore_index=True)
    return Judgement(overrule(told.reset_index(drop=True), said), came.reset_index(drop=True))


def _stock_figures(
    walk: Walk, store: Store, gathered: Gathered, span: Span, alerts: pd.DataFrame
) -> dict[str, float]:
    """The figures about stock and money."""
    history, within = gathered.history, span.columns
    last = max(within.stop - 1, 0)
    days = history.period.days
    cost = gathered.supply["unit_cost"].to_numpy(dtype=float)
    stock, sold = history.available[:, within], gathered.sold[:, within]
    pace = gathered.sold[:, max(within.stop - round(SLOW / days), 0) : within.stop]
    components = set(walk.tables["bill_of_materials"]["component"].astype(str))
    material = history.keys["sku"].isin(components).to_numpy()
    return {
        "inventory_turnover": kpis.inventory_turnover(sold, stock, cost, 365.25 / days),
        "stockout_rate": kpis.stockout_rate(history.short[:, within], history.seen[:, within]),
        "slow_moving_share": kpis.slow_moving_share(history.available[:, last], pace, cost, SLOW / days),
        "overstock_rate": kpis.overstock_rate(history.available[:, last], _levels(store, history), cost),
        "material_shortage_rate": kpis.material_shortage_rate(
            history.wanted[material][:, within], history.short[material][:, within]
        ),
        "capital_tied_up": kpis.capital_tied_up(stock, cost),
        "storage_cost": kpis.storage_cost(stock, gathered.policy["holding_cost"].to_numpy(dtype=float)),
        "markdown_and_expiry_loss": _losses(walk, gathered, span, alerts, cost),
        "days_of_cover": kpis.days_of_cover(history.available[:, last], sold, cost, days),
    }


def _levels(store: Store, history: History) -> np.ndarray:
    """(n,) overstock level of each series by the last run; NaN where it is not known."""
    snapshot = store.ready().snapshot
    kept = None if snapshot is None else store.facts_of(pd.Timestamp(snapshot.as_of))
    if kept is None or "overstock_level" not in kept[1]:
        return np.full(len(history.keys), np.nan)
    rows = history.row(kept[1])
    out = np.full(len(history.keys), np.nan)
    out[rows[rows >= 0]] = kept[1]["overstock_level"].to_numpy(dtype=float)[rows >= 0]
    return out


def _losses(walk: Walk, gathered: Gathered, span: Span, alerts: pd.DataFrame, cost: np.ndarray) -> float:
    """Price given up while a surplus was open and the item on promotion, and the cost of lots that
    expired.
    """
    history, demand = gathered.history, walk.tables["demand"]
    surplus = alerts[alerts["kind"].isin(SURPLUSES)]
    first = surplus.groupby(["sku", "location"], as_index=False)["opened_on"].min()
    inside = demand["date"].between(pd.Timestamp(span.first), pd.Timestamp(span.last))
    cleared = demand[inside & (demand["promotion"].fillna(0) > 0)].merge(first, on=["sku", "location"])
    cleared = cleared[cleared["date"] >= cleared["opened_on"]]
    regular = cleared["sku"].map(walk.tables["items"].drop_duplicates("sku").set_index("sku")["unit_price"])
    lots, window = history.lots, span.columns
    gone = lots[(lots["as_of"] > lots["expires"]) & lots["expires"].between(window.start, window.stop - 1)]
    gone = gone.drop_duplicates(["sku", "location", "lot"])
    row = history.row(gone)
    return kpis.markdown_and_expiry_loss(
        cleared["quantity"].to_numpy(dtype=float),
        regular.to_numpy(dtype=float),
        cleared["price"].to_numpy(dtype=float),
        gone["quantity"].to_numpy(dtype=float)[row >= 0],
        cost[row[row >= 0]],
    )


def _alert_figures(
    outcomes: pd.DataFrame, alerts: pd.DataFrame, store: Store, span: Span, at: datetime
) -> dict[str, float]:
    """The figures about alerts and what people did about them."""
    counted = outcomes[outcomes["alert_id"] == outcomes["chain"]]
    labels, avoidable = (counted[name].to_numpy() for name in ("outcome", "avoidable"))
    deadline, acted, answered, opened = (
        pd.to_datetime(alerts[name], utc=True).dt.tz_localize(None).to_numpy(dtype="datetime64[ns]")
        for name in ("deadline", "acted_at", "acknowledged_at", "opened_at")
    )
    states = store.outcomes.suggestions(span.first, span.last)["state"]
    accepted = states.map({"approved": 1.0, "placed": 1.0, "rejected": 0.0}).to_numpy(dtype=float)
    now = np.datetime64(at.replace(tzinfo=None), "ns")
    return {
        "handling_timeliness": kpis.handling_timeliness(deadline, acted, now),
        "response_time": kpis.response_time(opened, answered),
        "hit_rate": kpis.hit_rate(labels),
        "false_rate": kpis.false_rate(labels),
        "missed_rate": kpis.missed_rate(labels, avoidable),
        "accepted_share": kpis.accepted_share(accepted),
    }


def _value_added(walk: Walk, span: Span) -> float:
    """What the model in force before the month added to the naive forecast of each series' month."""
    panel = walk.panel
    number = int(panel.period.index(pd.Timestamp(span.first))[0])
    origin = number - 1 - (int(panel.period.index(panel.as_of)[0]) + 1 - panel.length)
    count = min(span.columns.stop - span.columns.start, panel.length - 1 - origin)
    if origin < panel.period.season or count < 1:
        return float("nan")
    model = walk.kept_at(panel.period.dates(np.array([number - 1]))[0])
    if model is None:
        return float("nan")
    ahead = min(count, int(model.about["horizon"]))
    actual = panel.quantity[:, origin + 1 : origin + 1 + ahead].astype(float).sum(axis=1)
    said = model.predict(panel.until(origin), ahead).mean[:, -1]
    series = np.arange(panel.series)
    naive = Baseline("seasonal_naive").predict(
        panel.until(origin), series, np.full(panel.series, origin), np.array([ahead])
    )
    return kpis.forecast_value_added(actual, said, naive.mean[:, 0])


def _ageing(walk: Walk, store: Store, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Each rule in force, how long it has not been changed, and what came of its alerts in the month."""
    today = walk.period.end(walk.as_of).date()
    book = store.rules(walk.settings.rules)
    since = {one.rule.name: one.rule.valid_from for one in book.versions()}
    began = store.outcomes.first_spoken()
    spoken = outcomes["rule"].value_counts()
    wrong = outcomes.loc[outcomes["outcome"] == "false", "rule"].value_counts()
    rows = []
    for rule in book.in_force(today):
        first = since.get(rule.name) or began.get((rule.name, rule.version))
        age = None if first is None else (today - first).days
        counts = int(spoken.get(rule.name, 0)), int(wrong.get(rule.name, 0))
        rows.append((rule.name, rule.version, first, age, *counts, age is not None and age > OLD))
    return pd.DataFrame(rows, columns=["rule", "version", "since", "age_days", "alerts", "false", "old"])


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
