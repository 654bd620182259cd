"""Judging: all alerts of a history against what happened, and the stockouts nobody was warned of.

This module owns the way from frames of alerts to the arrays of `warning.outcomes` and back, the chains of
alerts that speak of one cause in turn, and the verdicts of people, which overrule what was computed.
"""

import hashlib
import json
from typing import NamedTuple

import numpy as np
import pandas as pd

from warning.counterfactual import Untouched, after, expired, known_then, without_action
from warning.history import SERIES, History
from warning.kinds import SHORTAGES, SURPLUSES
from warning.outcomes import (
    OUTCOMES,
    Judged,
    foreseeable,
    judge_expiries,
    judge_shortages,
    judge_surpluses,
    stockouts,
    warned,
)

OUTCOME_COLUMNS = (
    *("alert_id", "chain", "rule", "kind", "sku", "location", "opened_on", "outcome", "avoidable"),
    *("time_left", "needed", "prevented", "judged_by", "reason"),
)
COMPUTED = "forestock"


class Judgement(NamedTuple):
    """What came of alerts and of stockouts.

    outcomes: OUTCOME_COLUMNS, one row per alert, and per stockout that no alert spoke of
    stockouts: sku, location, date, announced (in time, late or missed), possible: every stockout that came
    """

    outcomes: pd.DataFrame
    stockouts: pd.DataFrame


def judge(alerts: pd.DataFrame, history: History) -> Judgement:
    """Outcomes of alerts, and how stockouts were announced.

    alerts: alert_id, rule, kind, sku, location, opened_on, resolved_on, and threshold, units_at_risk and
        bound as they were when it opened; lead and review of then, periods, where they are known
    Alerts of a chain share an outcome; `chain` names its first, and rates count that one. time_left and
    needed are whole periods.
    """
    frame = _placed(alerts, history)
    known = frame["series"].to_numpy() >= 0
    known &= (frame["opened"].to_numpy() >= 0) & (frame["opened"].to_numpy() < history.periods)
    first = frame[known & (frame["alert_id"] == frame["chain"]).to_numpy()]
    short = first[first["kind"].isin(SHORTAGES)]
    came = _stockouts(short, history)
    parts = [
        _of_shortages(short, history),
        _of_surpluses(first[first["kind"].isin(SURPLUSES) & (first["kind"] != "expiry")], history),
        _of_expiries(first[first["kind"] == "expiry"], history),
    ]
    found = pd.concat(parts, ignore_index=True).set_index("chain")
    told = frame[["alert_id", "chain", "rule", "kind", *SERIES, "opened_on"]].join(found, on="chain")
    told["outcome"] = told["outcome"].astype(object).where(told["outcome"].notna(), "unjudged")
    missed = came[came["announced"] == "missed"].rename(columns={"date": "opened_on"})
    missed = (
        missed.rename(columns={"possible": "avoidable"})
        .assign(
            alert_id=[_name(*cells) for cells in missed[[*SERIES, "opened_on"]].itertuples(index=False)],
            rule="",
            kind="",
            outcome="missed",
            time_left=np.nan,
            needed=history.lead[history.row(missed)].astype(float),
            prevented=False,
        )
        .assign(chain=lambda rows: rows["alert_id"])
    )
    whole = pd.concat([told, missed], ignore_index=True).assign(judged_by=COMPUTED, reason="")
    for name in ("avoidable", "prevented"):
        whole[name] = whole[name].astype(object).where(whole[name].notna(), False).astype(bool)
    return Judgement(whole[list(OUTCOME_COLUMNS)], came)


def chains(alerts: pd.DataFrame) -> pd.Series:
    """alert_id of the first of the alerts that speak of one shortage in turn, row by row.

    alerts: alert_id, kind, sku, location, opened, ended (numbers of periods)
    A low stock becomes a risk, a risk a stockout: the next begins in the period in which the one before ends.
    """
    order = alerts.sort_values(["opened", "ended", "alert_id"], kind="stable")
    out = order["alert_id"].to_numpy(dtype=object).copy()
    last: dict[tuple[str, str], tuple[str, int]] = {}
    rows = order[["kind", *SERIES, "opened", "ended"]].itertuples(index=False)
    for k, (kind, sku, location, opened, ended) in enumerate(rows):
        if kind not in SHORTAGES:
            continue
        chain, until = last.get((sku, location), ("", -1))
        if opened <= until:
            out[k] = chain
        last[sku, location] = (out[k], max(ended, until))
    return pd.Series(out, index=order.index).reindex(alerts.index)


def overrule(outcomes: pd.DataFrame, feedback: pd.DataFrame) -> pd.DataFrame:
    """Outcomes as people judged them: the last verdict with a reason stands, for the whole chain.

    feedback: contract table; a verdict's subject is an alert_id (or that of a missed stockout), its value an
        outcome
    """
    verdicts = feedback[(feedback["kind"] == "verdict") & feedback["value"].isin(OUTCOMES)]
    verdicts = verdicts[verdicts["reason"].notna() & (verdicts["reason"].astype(str).str.strip() != "")]
    chain = outcomes.drop_duplicates("alert_id").set_index("alert_id")["chain"]
    said = verdicts.assign(chain=verdicts["subject"].map(chain)).dropna(subset=["chain"])
    said = said.sort_values("at", kind="stable").drop_duplicates("chain", keep="last").set_index("chain")
    out, new = outcomes.copy(), outcomes["chain"].map(said["value"])
    judged = new.notna()
    out.loc[judged, "outcome"] = new[judged]
    for name, source in (("judged_by", "author"), ("reason", "reason")):
        out.loc[judged, name] = outcomes["chain"].map(said[source])[judged]
    return out


def _placed(alerts: pd.DataFrame, history: History) -> pd.DataFrame:
    """Alerts with their series, their periods, the lead time and review that held, and their chain."""
    frame = alerts.reset_index(drop=True)
    series = history.row(frame.fillna({"sku": "", "location": ""}))
    frame = frame.assign(
        series=series,
        opened=history.column(pd.to_datetime(frame["opened_on"])),
        ended=history.column(pd.to_datetime(frame["resolved_on"])),
    )
    for name in ("lead", "review"):
        now = getattr(history, name)[series].astype(float)
        then = frame[name].to_numpy(dtype=float) if name in frame else np.full(len(frame), np.nan)
        frame[name] = np.where(np.isnan(then), now, then).astype(np.int64)
    frame["chain"] = chains(frame)
    # A chain spoke until its last alert ended, and of a stockout once any of it did.
    chain = frame.groupby("chain")
    low = (frame["kind"] == "low_stock").groupby(frame["chain"]).transform("all")
    return frame.assign(ended=chain["ended"].transform("max"), limit=frame["threshold"].where(low))


def _untouched(alerts: pd.DataFrame, history: History, steps: int) -> Untouched:
    row, opened = alerts["series"].to_numpy(), alerts["opened"].to_numpy()
    wanted = after(history.wanted, row, opened, steps)
    inbound = known_then(history.orders, row, opened, steps)
    return without_action(history.available[row, opened], wanted, inbound, history.backorder[row])


def _of_shortages(alerts: pd.DataFrame, history: History) -> pd.DataFrame:
    row, opened, lead, review = (
        alerts[name].to_numpy(dtype=np.int64) for name in ("series", "opened", "lead", "review")
    )
    spoke = np.maximum(alerts["ended"].to_numpy(dtype=np.int64) - 1 - opened, 0)
    steps = int((spoke + lead + review).max(initial=1))
    untouched = _untouched(alerts, history, steps)
    short = np.nan_to_num(after(history.short.astype(float), row, opened, steps)) > 0
    actual_at = np.where(short.any(axis=1), short.argmax(axis=1) + 1, 0)
    judged = judge_shortages(
        untouched,
        actual_at,
        history.available[row, opened],
        limit=alerts["limit"].to_numpy(dtype=float),
        spoke=spoke,
        lead=lead,
        review=review,
    )
    # What opens when the shelf has run out comes with the stockout, not before it.
    already = history.short[row, opened]
    label = np.where(already & (judged.label != "unjudged"), "late", judged.label)
    time_left = np.where(already, 0.0, judged.time_left)
    first = np.where(already, opened, opened + 1 + np.nan_to_num(judged.time_left).astype(np.int64))
    # An order that came too late makes a second alert of a shortage that a first one told of in time.
    told = warned((row, first), _spoken(alerts), history.lead, history.review) == "in time"
    avoidable = (label == "late") & ~told & _possible((row, first), history)
    return _told(alerts, Judged(label, time_left, judged.prevented & ~already), lead, avoidable)


def _of_surpluses(alerts: pd.DataFrame, history: History) -> pd.DataFrame:
    lead, review = (alerts[name].to_numpy(dtype=np.int64) for name in ("lead", "review"))
    # A slow shelf is one that takes longer than its bound; any other must outlast lead time and review.
    slow = (alerts["kind"] == "slow_stock").to_numpy()
    bound = history.period.from_days(alerts["bound"].fillna(0.0).to_numpy(dtype=float))
    interval = np.maximum(np.where(slow, bound, lead + review), 1)
    at_risk = alerts["units_at_risk"].to_numpy(dtype=float)
    untouched = _untouched(alerts, history, int(interval.max(initial=1)))
    return _told(alerts, judge_surpluses(untouched, at_risk, interval), np.zeros(len(alerts)))


def _of_expiries(alerts: pd.DataFrame, history: History) -> pd.DataFrame:
    lots = history.lots.assign(series=history.row(history.lots))
    found = np.zeros((4, len(alerts)))
    for k, (row, opened) in enumerate(zip(alerts["series"], alerts["opened"], strict=True)):
        there = lots[(lots["series"] == row) & (lots["as_of"] <= opened)]
        there = there[there["as_of"] == there["as_of"].max()]
        expires = there["expires"].to_numpy(dtype=np.int64) - opened
        wanted = history.wanted[row, opened + 1 :]
        left, first = expired(there["quantity"].to_numpy(dtype=float), expires, wanted)
        last = lots[(lots["series"] == row) & lots["expires"].isin(there["expires"])]
        really = last[last["as_of"] > last["expires"]].drop_duplicates(["lot"])["quantity"].sum()
        found[:, k] = np.nansum(left), first or max(expires.max(initial=0), 0), really, len(wanted)
    lost, first_at, really_lost, known = found
    needed = alerts["review"].to_numpy(dtype=float)
    return _told(alerts, judge_expiries(lost, first_at, really_lost, known, needed), needed)


def _told(
    alerts: pd.DataFrame, judged: Judged, needed: np.ndarray, avoidable: np.ndarray | bool = False
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "chain": alerts["chain"].to_numpy(),
            "outcome": judged.label,
            "time_left": judged.time_left,
            "needed": needed.astype(float),
            "prevented": judged.prevented,
            "avoidable": np.broadcast_to(avoidable, len(alerts)),
        }
    )


def _stockouts(alerts: pd.DataFrame, history: History) -> pd.DataFrame:
    """Every stockout, how it was announced, and whether it could have been."""
    row, first = stockouts(history.short, history.lead)
    keys = history.keys.iloc[row][SERIES].reset_index(drop=True)
    return keys.assign(
        date=history.period.dates(history.first + first),
        announced=warned((row, first), _spoken(alerts), history.lead, history.review),
        possible=_possible((row, first), history),
    )


def _spoken(alerts: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series, first and last period of each alert."""
    series, opened, ended = (alerts[name].to_numpy(dtype=np.int64) for name in ("series", "opened", "ended"))
    return series, opened, ended


def _possible(stockout: tuple[np.ndarray, np.ndarray], history: History) -> np.ndarray:
    """(k,) whether a warning was possible one lead time before each."""
    row, first = stockout
    deadline = np.maximum(first - 1 - history.lead[row], 0)
    steps = int((history.lead + history.review).max(initial=1))
    expected = without_action(
        history.available[row, deadline],
        after(history.expected, row, deadline, steps),
        known_then(history.orders, row, deadline, steps, expected=history.due),
        history.backorder[row],
    )
    return foreseeable(stockout, history.seen, history.short, expected, history.lead, history.review)


def _name(sku: str, location: str, date: pd.Timestamp) -> str:
    """Names a stockout that no alert spoke of, so that a verdict can be about it."""
    said = json.dumps(["missed", sku, location, date.date().isoformat()], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:32]
