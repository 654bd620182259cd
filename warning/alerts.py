"""Alerts: the frame they travel in, each one's identity, and their order of work.

This module owns the columns of an alert, the hash that names it, and how its row is made from a grade, the
facts and the words.
"""

import hashlib
import json

import numpy as np
import pandas as pd

from warning import messages, wording
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
)
WRITTEN = (
    *("alert_id", "fingerprint", "recommendation", "title", "reason", "remedy"),
    *("title_zh", "reason_zh", "remedy_zh"),
)


def fingerprint(rule: str, sku: str, location: str) -> str:
    """Name of what an alert is about: the same in every evaluation, on every machine.

    >>> fingerprint("overstock", "a", "s") == fingerprint("overstock", "as", "")
    False
    """
    return _digest(rule, sku, location)


def alert_id(identity: str, opened_on: pd.Timestamp) -> str:
    """Name of one alert: its fingerprint and the business date it opened.

    An alert that returns on the day it ended is the same alert, opened again.
    """
    return _digest(identity, opened_on.date().isoformat())


def rank(alerts: pd.DataFrame) -> pd.DataFrame:
    """Alerts in the order they deserve work: money at risk, then tier, then units; unknown money last."""
    severity = alerts["tier"].map({tier: i for i, tier in enumerate(TIERS)})
    by = ["money_at_risk", "severity", "units_at_risk", "sku", "location", "rule"]
    down = [False, False, False, True, True, True]
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
    return facts.iloc[rows].assign(
        rule=rule.name,
        rule_version=rule.version,
        kind=rule.kind,
        basis=rule.basis,
        compared=rule.stock,
        tier=np.array(("", *TIERS), dtype=object)[found.tier[rows]],
        state="open",
        opened_on=today,
        updated_on=today,
        resolved_on=np.datetime64("NaT", "ns"),
        previous_tier=None,
        change="opened",
        resolution=None,
        measure=found.measure[rows],
        bound=found.bound[rows],
        threshold=found.threshold[rows],
        stock=found.stock[rows],
        units_at_risk=found.units[rows],
        money_at_risk=found.money[rows],
    )


def finish(parts: list[pd.DataFrame], currency: str) -> pd.DataFrame:
    """Described rows with identity, recommendation and words, ranked; ALERT_COLUMNS.

    A row that carries an alert_id keeps it. An infinite measure (stock of what nobody needs) becomes missing
    once the words are written, so that the frame travels as JSON.
    """
    if not parts:
        return pd.DataFrame(columns=list(ALERT_COLUMNS))
    alerts = rank(pd.concat(parts, ignore_index=True).reindex(columns=_wide(parts[0])))
    written: dict[str, list[object]] = {name: [] for name in WRITTEN}
    for record in alerts.to_dict("records"):
        row = {str(key): value for key, value in record.items()}
        what = recommend(row)
        identity = fingerprint(row["rule"], row["sku"], row["location"])
        known = isinstance(row["alert_id"], str)
        written["fingerprint"].append(identity)
        written["alert_id"].append(row["alert_id"] if known else alert_id(identity, row["opened_on"]))
        written["recommendation"].append(what)
        for language in wording.LANGUAGES:
            suffix = "" if language == "en" else f"_{language}"
            message = messages.write(row, what, language, currency)
            for name, text in message._asdict().items():
                written[name + suffix].append(text)
    alerts = alerts.assign(**{name: pd.Series(values, dtype=object) for name, values in written.items()})
    alerts["measure"] = alerts["measure"].where(np.isfinite(alerts["measure"]))
    return alerts[list(ALERT_COLUMNS)]


def _wide(part: pd.DataFrame) -> pd.Index:
    return part.columns.union(["alert_id"], sort=False)


def _digest(*parts: str) -> str:
    """128 bits of SHA-256 over the parts, kept apart by JSON's quoting."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:32]
