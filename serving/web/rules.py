"""Rules as a page shows and changes them: fields in a planner's units, selectors as lines of text.

It owns the way from a rule to the fields of a form and back. What a rule may say is `warning.validity`'s
matter; here is only refused what cannot be read.
"""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ingestion.errors import Problem
from serving.results import to_records
from serving.web.forms import Form
from warning.kinds import KINDS, TIERS
from warning.preview import Preview
from warning.rulebook import Saved, spec_of
from warning.rules import Rule

# What a kind's bounds are counted in; of the rest they say only that there is a limit.
SHARES = (
    "contradictory_data",
    "supplier_late",
    "supplier_shift",
    "stockout_risk",
    "low_stock",
    "expiry",
    "overstock",
)
DAYS = ("stale_data", "late_inbound", "dead_stock", "slow_stock")
WIDE, HIGH = 600, 90  # of the preview's picture
SHOWN = 50  # differences that a preview lists


@dataclass(frozen=True)
class RuleView:
    """A rule as the fields of a form, all as text.

    unit: percent, days, windows or none
    """

    name: str
    kind: str
    unit: str
    tiers: dict[str, str]
    hysteresis: str
    basis: str
    bases: tuple[str, ...]
    stock: str
    stocks: tuple[str, ...]
    min_money: str
    pending_days: str
    cooldown_days: str
    notify_only: bool
    mode: str
    selector: str
    pilot: str
    sensitivity: str
    valid_until: str


@dataclass(frozen=True)
class Line:
    """A rule in the list: its bounds in words, whom it is about, where it comes from."""

    name: str
    kind: str
    version: int
    tiers: list[tuple[str, str]]
    about: str
    mode: str
    since: str
    age_days: int | None
    is_saved: bool


@dataclass(frozen=True)
class Bar:
    """One day of a preview as two bars, in the picture's units; said: the date and both numbers."""

    x: float
    width: float
    height: float
    height_before: float
    said: str


def unit_of(kind: str) -> str:
    """What the bounds of a kind are counted in."""
    if kind in SHARES:
        return "percent"
    if kind in DAYS:
        return "days"
    return "windows" if kind == "abnormal_demand" else "none"


def view_of(rule: Rule) -> RuleView:
    """A rule as a form shows it.

    >>> view = view_of(Rule("low", "low_stock", {"warning": 0.125}, selector={"category": ["a, b", "c"]}))
    >>> view.tiers["warning"], view.selector
    ('12.5', 'category = "a, b", c')
    """
    unit = unit_of(rule.kind)
    return RuleView(
        name=rule.name,
        kind=rule.kind,
        unit=unit,
        tiers={tier: _number(rule.tiers.get(tier), unit) for tier in TIERS},
        hysteresis=_number(rule.hysteresis, unit),
        basis=rule.basis,
        bases=rule.shape.bases,
        stock=rule.stock,
        stocks=rule.shape.stocks,
        min_money=f"{rule.min_money:g}",
        pending_days=str(rule.pending_days),
        cooldown_days=str(rule.cooldown_days),
        notify_only=rule.notify_only,
        mode=rule.mode,
        selector=_lines(rule.selects),
        pilot=_lines(rule.is_live_at),
        sensitivity="\n".join(
            f"{column}: {_cells([value])} = {factor:g}"
            for column, factors in rule.sensitivity.items()
            for value, factor in factors.items()
        ),
        valid_until="" if rule.valid_until is None else rule.valid_until.isoformat(),
    )


def entry_in(form: Form) -> dict[str, Any]:
    """What a form says of a rule, as an entry of the rulebook; Problem where a field cannot be read."""
    name, kind = form["name"], form["kind"]
    if kind not in KINDS:
        raise Problem(f"a rule's kind is one of {', '.join(KINDS)}, got {kind!r}; choose one of these")
    unit = unit_of(kind)
    entry: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "tiers": {
            tier: _read(form[f"tier_{tier}"], f"the bound of {tier}", unit)
            for tier in TIERS
            if form[f"tier_{tier}"]
        },
        "min_money": _read(form["min_money"] or "0", "the least money", "none"),
        "pending_days": _whole(form["pending_days"], "the pending time"),
        "cooldown_days": _whole(form["cooldown_days"], "the cooldown"),
        "notify_only": form["notify_only"] == "on",
        "mode": form["mode"] or "live",
        "selector": _selector(form["selector"], "the selector"),
        "pilot": _selector(form["pilot"], "the pilot"),
        "sensitivity": _sensitivity(form["sensitivity"]),
        "valid_until": form["valid_until"] or None,
    }
    if form["hysteresis"]:
        entry["hysteresis"] = _read(form["hysteresis"], "the hysteresis", unit)
    chosen = {field: form[field] for field in ("basis", "stock") if form[field]}
    return {**entry, **chosen}


def restored(version: Saved) -> dict[str, Any]:
    """The entry that makes an earlier version hold again."""
    if not version.enabled:
        return {"name": version.rule.name, "enabled": False}
    spec = spec_of(version.rule)
    return {name: value for name, value in spec.items() if name not in ("version", "valid_from")}


def line_of(rule: Rule, is_saved: bool, since: Any, age_days: int | None) -> Line:
    """A rule in the list."""
    unit = unit_of(rule.kind)
    sign = {"percent": " %", "days": "", "windows": "", "none": ""}[unit]
    bounds = [(tier, _number(rule.tiers[tier], unit) + sign) for tier in TIERS if tier in rule.tiers]
    return Line(
        name=rule.name,
        kind=rule.kind,
        version=rule.version,
        tiers=[(tier, "" if unit == "none" else text) for tier, text in bounds],
        about="; ".join(f"{column} {', '.join(values)}" for column, values in rule.selects.items()),
        mode="pilot" if rule.pilot else rule.mode,
        since="" if since is None else since.isoformat(),
        age_days=age_days,
        is_saved=is_saved,
    )


def picture(preview: Preview) -> list[Bar]:
    """The days of a preview as bars; the first day, which opens all that stood already, is left out."""
    daily = preview.daily.iloc[1:] if len(preview.daily) > 1 else preview.daily
    most = max(float(daily[["opened", "opened_before"]].to_numpy().max(initial=0)), 1.0)
    wide = WIDE / max(len(daily), 1)
    return [
        Bar(
            round(number * wide, 2),
            round(wide * 0.4, 2),
            round(HIGH * row["opened"] / most, 1),
            round(HIGH * row["opened_before"] / most, 1),
            f"{pd.Timestamp(row['date']).date()}: {row['opened_before']} → {row['opened']}",
        )
        for number, row in enumerate(daily.to_dict("records"))
    ]


def differences(preview: Preview) -> list[dict[str, Any]]:
    """The first differences of a preview, the most money first."""
    return to_records(preview.differences.head(SHOWN))


def _number(value: float | None, unit: str) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{round(value * 100, 6):g}" if unit == "percent" else f"{value:g}"


def _read(text: str, what: str, unit: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise Problem(f"{what} must be a number, got {text!r}; write 12.5 for instance") from None
    return round(value / 100, 8) if unit == "percent" else value


def _whole(text: str, what: str) -> int:
    if not (text or "0").isdigit():
        raise Problem(f"{what} must be whole days, got {text!r}; write 3 for instance")
    return int(text or "0")


def _lines(selector: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(f"{column} = {_cells(values)}" for column, values in selector.items())


def _cells(values: Sequence[str]) -> str:
    """Values with commas between them; one that holds a comma, a quote or an equals sign is quoted."""
    quoted = ['"' + value.replace('"', '""') + '"' if set(value) & set(',"=') else value for value in values]
    return ", ".join(quoted)


def _split(text: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([text], skipinitialspace=True), []) if cell.strip()]


def _selector(text: str, what: str) -> dict[str, list[str]]:
    """Lines such as `category = milk, cheese`."""
    found: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        column, equals, values = line.partition("=")
        if not equals or not _split(values):
            raise Problem(f"{what} has lines such as category = milk, got {line!r}; write it so")
        found.setdefault(column.strip(), []).extend(_split(values))
    return found


def _sensitivity(text: str) -> dict[str, dict[str, float]]:
    """Lines such as `category: milk = 2`."""
    found: dict[str, dict[str, float]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        column, colon, rest = line.partition(":")
        value, equals, factor = rest.rpartition("=")
        cells = _split(value)
        if not colon or not equals or len(cells) != 1:
            raise Problem(f"the sensitivity has lines such as category: milk = 2, got {line!r}; write it so")
        found.setdefault(column.strip(), {})[cells[0]] = _read(factor.strip(), "a sensitivity", "none")
    return found
