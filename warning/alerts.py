"""Alerts: the frame they travel in, each one's identity, and their order of work.

This module owns the columns of an alert, the hash that names it, and how its row is made from a grade, the
facts and the words.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from warning import messages, wording
from warning.facts import COLUMNS
from warning.grading import Grade
from warning.remedies import recommend
from warning.rules import TIERS, Rule

ALERT_COLUMNS = (
    *("alert_id", "fingerprint", "rule", "rule_version", "sku", "location", "tier", "state"),
    *("money_at_risk", "opened_on", "updated_on", "resolved_on", "title", "reason", "recommendation"),
    *("on_hand", "inbound", "projected", "threshold", "stockout_probability", "days_to_stockout"),
    *("data_as_of", "data_digest", "model_version"),
    *("kind", "previous_tier", "change", "resolution", "remedy", "title_zh", "reason_zh", "remedy_zh"),
    *(
        "units_at_risk",
        "measure",
        "bound",
        "stock",
        "reserved",
        "safety_stock",
        "reorder_point",
        "order_up_to",
    ),
    # item, supplier or source; `about` names the latter two; supplier: who delivers, or is waited for;
    # data_state: known, or why it could not be measured: unknown (nothing counted) or stale
    *("subject", "about", "supplier", "data_state"),
)
# What the words and remedies of any subject read beside the alert's own columns.
CARRIED = tuple(
    dict.fromkeys(
        name
        for columns in COLUMNS.values()
        for name in (*columns.numbers, *columns.dates, *columns.words)
        if name not in ALERT_COLUMNS
    )
)
WRITTEN = ("recommendation", "title", "reason", "remedy", "title_zh", "reason_zh", "remedy_zh")


def fingerprint(rule: str, sku: str, location: str, about: str = "") -> str:
    """Name of what an alert is about: the same in every evaluation, on every machine.

    about: the supplier or source, where it is about one; no item lies at a place without a name

    >>> fingerprint("overstock", "a", "s") == fingerprint("overstock", "as", "")
    False
    """
    return _digest(rule, sku, location) if not about else _digest(rule, sku, location, about)


def alert_id(identity: str, opened_on: pd.Timestamp) -> str:
    """Name of one alert: its fingerprint and the business date it opened.

    An alert that returns on the day it ended is the same alert, opened again.
    """
    return _digest(identity, opened_on.date().isoformat())


def rank(alerts: pd.DataFrame) -> pd.DataFrame:
    """Alerts in the order they deserve work: money at risk, then tier, then units; unknown money last."""
    severity = alerts["tier"].map({tier: i for i, tier in enumerate(TIERS)})
    by = ["money_at_risk", "severity", "units_at_risk", "sku", "location", "about", "rule"]
    down = [False, False, False, True, True, True, True]
    return (
        alerts.assign(severity=severity)
        .sort_values(by, ascending=down, na_position="last", kind="stable")
        .drop(columns="severity")
        .reset_index(drop=True)
    )


def describe(
    rule: Rule, found: Grade, facts: pd.DataFrame, rows: np.ndarray, today: pd.Timestamp
) -> pd.DataFrame:
    """Rows for alerts of one rule at some positions, still without words: the facts and what they mean."""
    carried = [name for name in dict.fromkeys([*CARRIED, *ALERT_COLUMNS]) if name in facts]
    values: dict[str, Any] = {name: facts[name].to_numpy()[rows] for name in carried}
    return pd.DataFrame(
        values
        | {
            "rule": rule.name,
            "rule_version": rule.version,
            "notify_only": rule.notify_only,
            "kind": rule.kind,
            "basis": rule.basis,
            "compared": rule.stock,
            "tier": np.array(("", *TIERS), dtype=object)[found.tier[rows]],
            "state": "open",
            "opened_on": today,
            "updated_on": today,
            "resolved_on": np.datetime64("NaT", "ns"),
            "previous_tier": None,
            "change": "opened",
            "resolution": None,
            "data_state": "known",
            "supplier": _supplier(values, len(rows)),
            "measure": found.measure[rows],
            "bound": found.bound[rows],
            "threshold": found.threshold[rows],
            "stock": found.stock[rows],
            "units_at_risk": found.units[rows],
            "money_at_risk": found.money[rows],
        },
        index=range(len(rows)),
    )


def _supplier(seen: Mapping[str, np.ndarray], count: int) -> np.ndarray:
    """(n,) who is waited for, else who is ordered from, else who delivers; None where nobody is known."""
    found = np.full(count, None, dtype=object)
    for name in ("supplier", "order_supplier", "late_supplier"):
        if name in seen:
            found = np.where(pd.notna(seen[name]), seen[name].astype(object), found)
    return found


def blank(parts: list[pd.DataFrame], _currency: str) -> pd.DataFrame:
    """Described rows with identity but without words, for alerts that nobody is shown; ALERT_COLUMNS."""
    if not parts:
        return pd.DataFrame(columns=list(ALERT_COLUMNS))
    alerts = _ranked(parts)
    return _identified(alerts)[list(ALERT_COLUMNS)]


def finish(parts: list[pd.DataFrame], currency: str) -> pd.DataFrame:
    """Described rows with identity, recommendation and words, ranked; ALERT_COLUMNS.

    A row that carries an alert_id keeps it. An infinite measure (stock of what nobody needs) becomes missing
    once the words are written, so that the frame travels as JSON.
    """
    if not parts:
        return pd.DataFrame(columns=list(ALERT_COLUMNS))
    alerts = _ranked(parts)
    written: dict[str, list[object]] = {name: [] for name in WRITTEN}
    names = list(alerts.columns)
    for values in zip(*(alerts[name].tolist() for name in names), strict=True):
        row = dict(zip(names, values, strict=True))
        what = recommend(row)
        written["recommendation"].append(what)
        for language in wording.LANGUAGES:
            suffix = "" if language == "en" else f"_{language}"
            message = messages.write(row, what, language, currency)
            for name, text in message._asdict().items():
                written[name + suffix].append(text)
    alerts = alerts.assign(**{name: pd.Series(values, dtype=object) for name, values in written.items()})
    return _identified(alerts)[list(ALERT_COLUMNS)]


def _ranked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    alerts = pd.concat(parts, ignore_index=True)
    return rank(alerts.reindex(columns=list(dict.fromkeys([*alerts.columns, *ALERT_COLUMNS]))))


def _identified(alerts: pd.DataFrame) -> pd.DataFrame:
    """The same with fingerprint and alert_id; an infinite measure becomes missing, to travel as JSON."""
    keys = [alerts[name].tolist() for name in ("rule", "sku", "location", "about")]
    prints = [fingerprint(*key) for key in zip(*keys, strict=True)]
    opened, given = alerts["opened_on"].tolist(), alerts["alert_id"].tolist()
    named = [
        known if isinstance(known, str) else alert_id(identity, day)
        for known, identity, day in zip(given, prints, opened, strict=True)
    ]
    alerts = alerts.assign(
        fingerprint=pd.Series(prints, dtype=object), alert_id=pd.Series(named, dtype=object)
    )
    alerts["measure"] = alerts["measure"].where(np.isfinite(alerts["measure"]))
    return alerts


def _digest(*parts: str) -> str:
    """128 bits of SHA-256 over the parts, kept apart by JSON's quoting."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:32]
