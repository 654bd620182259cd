"""The overview: what needs attention now, as the template shows it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from serving.results import to_records
from serving.store.alerts import AlertFilter
from serving.store.store import Overview, Store
from serving.web.words import Words
from warning.rules import TIERS
from warning.worklist import NOW, QUEUED, SILENCED

ROWS, GROUPS = 25, 8
SHARES = (
    "stockout_risk",
    "low_stock",
    "overstock",
    "contradictory_data",
    "supplier_late",
    "supplier_shift",
    "expiry",
)
DAYS = ("stale_data", "late_inbound", "dead_stock", "slow_stock")
WORST_FIRST = tuple(reversed(TIERS))
# Filters of the worklist, as addresses name them.
FILTERS = ("q", "tier", "location", "rule", "owner", "supplier", "attention")


@dataclass(frozen=True)
class Tier:
    """One tier's tile: how many alerts, how much money, and its share of all money at risk."""

    name: str
    alerts: int
    money: float
    share: float


@dataclass(frozen=True)
class Line:
    """One alert in the worklist, in words and numbers; limit is the level its bar shows, in units.

    name, place: of the item, or of the supplier or source; url: of the item's page, "" where there is none
    """

    alert: Mapping[str, Any]
    name: str
    place: str
    url: str
    headline: str
    because: str
    remedy: str
    order_by: date | None
    limit: float | None
    gauge: "Gauge | None"


@dataclass(frozen=True)
class Gauge:
    """Stock against its threshold as a bar, each end in percent of the bar's width."""

    on_hand: float
    inbound: float
    threshold: float


@dataclass(frozen=True)
class Freshness:
    """How old what is shown is: the data's date, and whether its thresholds are still valid."""

    as_of: date
    valid_until: date | None
    stale: bool


def tiers(overview: Overview) -> list[Tier]:
    """Tiles of the tiers, the worst first, of what is brought to its owners."""
    shown = overview.distribution[overview.distribution["attention"] == NOW]
    total = float(shown["money"].sum())
    found = []
    for name in WORST_FIRST:
        rows = shown[shown["tier"] == name]
        money = float(rows["money"].sum())
        found.append(Tier(name, int(rows["alerts"].sum()), money, money / total if total > 0 else 0.0))
    return found


def waiting(overview: Overview) -> dict[str, int]:
    """How many alerts are queued beyond their owners' capacity, and how many are silenced."""
    counts = overview.distribution.groupby("attention")["alerts"].sum()
    return {name: int(counts.get(name, 0)) for name in (QUEUED, SILENCED)}


def lines(
    store: Store, chosen: AlertFilter, cursor: str | None, words: Words
) -> tuple[list[Line], str | None, int]:
    """A page of the worklist, what asks for the next page, and how many alerts there are in all."""
    page = store.alerts(chosen, ROWS, cursor)
    return [line(row, words) for row in to_records(page.rows)], page.next_cursor, page.total


def together(store: Store) -> list[dict[str, Any]]:
    """What one call or order settles, the most money first; each with the address of its list."""
    return [
        {**row, "url": "/?" + urlencode({name: row[name] for name in ("location", "supplier")})}
        for row in to_records(store.together(GROUPS))
    ]


def line(row: Mapping[str, Any], words: Words) -> Line:
    """One alert as the worklist shows it."""
    about, subject = row.get("about"), row.get("subject")
    return Line(
        alert=row,
        name=about or row.get("name") or row["sku"],
        place=words(f"subject.{subject}") if about else f"{row['sku']} · {row['location']}",
        url="" if about else item_url(row["sku"], row["location"]),
        headline=headline(row, words),
        because=words.of(row, "reason"),
        remedy=words.of(row, "remedy"),
        order_by=order_by(row.get("recommendation")),
        limit=limit(row),
        gauge=gauge(row),
    )


def headline(row: Mapping[str, Any], words: Words) -> str:
    """What is wrong, in a few words; the item and its place are said beside it."""
    kind, measure = row.get("kind"), row.get("measure")
    if kind in ("out_of_stock", "no_position", "abnormal_demand"):
        return words(f"headline.{kind}")
    if kind == "low_stock" and measure is not None and measure > 1:
        return words("headline.gone")  # projected stock alone can fall below nothing
    if kind in SHARES and measure is not None:
        return words(f"headline.{kind}", share=words.percent(measure))
    if kind in DAYS and measure is not None:
        return words(f"headline.{kind}", days=words.units(round(measure)))
    return words("headline.unneeded") if kind == "overstock" else words.of(row, "title")


def order_by(recommendation: Mapping[str, Any] | None) -> date | None:
    """Date by which to act, of the first thing to do or the one after it."""
    while recommendation:
        if recommendation.get("order_by"):
            return date.fromisoformat(recommendation["order_by"])
        recommendation = recommendation.get("then")
    return None


def limit(row: Mapping[str, Any]) -> float | None:
    """The level to hold the stock against: the threshold, or where that is nothing the reorder point."""
    threshold = row.get("threshold")
    return threshold or row.get("reorder_point") or threshold


def gauge(row: Mapping[str, Any]) -> Gauge | None:
    """Stock against its level; none where the stock is unknown."""
    on_hand, inbound = row.get("on_hand"), row.get("inbound") or 0.0
    threshold = limit(row) or 0.0
    if on_hand is None:
        return None
    full = max(on_hand + inbound, threshold * 1.25)
    if not math.isfinite(full) or full <= 0:
        return None
    held = max(on_hand, 0.0) / full * 100
    return Gauge(round(held, 1), round(inbound / full * 100, 1), round(threshold / full * 100, 1))


def freshness(overview: Overview, today: date) -> Freshness | None:
    """How old the snapshot is; None before the first."""
    if overview.snapshot is None:
        return None
    stale = overview.valid_until is not None and overview.valid_until < today
    return Freshness(overview.snapshot.as_of, overview.valid_until, stale)


def item_url(sku: str, location: str) -> str:
    """Address of an item's page.

    >>> item_url("A/B 1", "北京")
    '/items/A%2FB%201/%E5%8C%97%E4%BA%AC'
    """
    return f"/items/{quote(sku, safe='')}/{quote(location, safe='')}"


def list_url(chosen: AlertFilter, **change: str | None) -> str:
    """Address of the worklist under other filters; a new filter starts at the first page."""
    text = urlencode({name: value for name, value in (asked(chosen) | change).items() if value})
    return f"/?{text}" if text else "/"


def asked(chosen: AlertFilter) -> dict[str, str | None]:
    """The filters of the worklist as addresses name them; None is left open."""
    attention = None if chosen.attention == NOW else chosen.attention
    rest = {name: getattr(chosen, name) for name in FILTERS if name not in ("q", "attention")}
    return {"q": chosen.text, **rest, "attention": attention}
