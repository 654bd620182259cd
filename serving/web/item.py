"""The item page: one sku at one location, its past, its prospects and its levels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from serving.results import Results, to_records
from serving.store.store import Item
from serving.web.overview import Line, line
from serving.web.words import Words
from warning.rules import TIERS

PAST = 120  # periods of history that a chart shows
LEVELS = ("safety_stock", "reorder_point", "order_up_to", "overstock_level")
PARTS = ("from_demand", "from_lead_time", "from_review")
TABLE = 14  # periods that the table behind the charts lists
SPANS = 8  # spans of coming levels that are listed


@dataclass(frozen=True)
class Part:
    """One part of the safety stock as a stretch of a bar, in percent of its width."""

    name: str
    units: float
    start: float
    width: float


@dataclass(frozen=True)
class ItemView:
    """What the template shows of an item; a mapping is empty where nothing is known.

    worst: the highest tier of its open alerts; None where all is well
    """

    position: Mapping[str, Any]
    levels: Mapping[str, Any]
    parts: list[Part]
    coming: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    open_alerts: list[Line]
    past_alerts: list[Line]
    worst: str | None
    charts: dict[str, Any]
    table: list[dict[str, Any]]


def item_view(item: Item, results: Results, words: Words) -> ItemView:
    """An item's page from the store and the results."""
    position = to_records(item.position)[0]
    levels = (to_records(item.thresholds) or [{}])[0]
    as_of = pd.Timestamp(item.snapshot.as_of)
    frames = {
        name: results.read(
            name,
            as_of,
            run=item.snapshot.results_digest,
            sku=position["sku"],
            location=position["location"],
        )
        for name in ("history", "forecast", "risk", "inbound", "thresholds")
    }
    found = [line(row, words) for row in to_records(item.alerts)]
    open_alerts = [each for each in found if each.alert["resolved_on"] is None]
    return ItemView(
        position=position,
        levels=levels,
        parts=parts(levels),
        coming=coming(frames["thresholds"]),
        orders=to_records(item.orders),
        open_alerts=open_alerts,
        past_alerts=[each for each in found if each.alert["resolved_on"] is not None],
        worst=max((each.alert["tier"] for each in open_alerts), key=TIERS.index, default=None),
        charts=charts(frames, position, levels, as_of),
        table=table(frames),
    )


def parts(levels: Mapping[str, Any]) -> list[Part]:
    """What the safety stock is made of; what lowers it has a number and no width."""
    units = {name: float(levels.get(name) or 0.0) for name in PARTS}
    total = sum(max(value, 0.0) for value in units.values())
    found, start = [], 0.0
    for name, value in units.items():
        width = round(100 * max(value, 0.0) / total, 2) if total > 0 else 0.0
        found.append(Part(name, value, round(start, 2), width))
        start += width
    return found if total > 0 else []


def coming(thresholds: pd.DataFrame) -> list[dict[str, Any]]:
    """Spans of coming review periods, each with levels of its own; none where they stay as they are.

    >>> days = pd.to_datetime(["2026-03-09", "2026-03-10", "2026-03-11"])
    >>> levels = pd.DataFrame({"valid_from": days, "valid_until": days, "reorder_point": [5.0, 5.0, 8.0]})
    >>> [(row["valid_until"], row["reorder_point"]) for row in coming(levels.assign(order_up_to=9.0))]
    [('2026-03-10', 5.0), ('2026-03-11', 8.0)]
    """
    shown = ["reorder_point", "order_up_to"]
    if len(thresholds) < 2:
        return []
    moved = (thresholds[shown].diff().abs() > 0).any(axis=1).cumsum()
    spans = thresholds.groupby(moved).agg(
        {"valid_from": "first", "valid_until": "last", **dict.fromkeys(shown, "first")}
    )
    return to_records(spans.head(SPANS)) if len(spans) > 1 else []


def charts(
    frames: Mapping[str, pd.DataFrame],
    position: Mapping[str, Any],
    levels: Mapping[str, Any],
    as_of: pd.Timestamp,
) -> dict[str, Any]:
    """The numbers of both charts: demand (past and fan), and stock (projection, levels and risk)."""
    history = frames["history"].tail(PAST)
    forecast, risk, inbound = frames["forecast"], frames["risk"], frames["inbound"]
    return {
        "as_of": as_of.date().isoformat(),
        "history": _columns(history, ("date", "quantity", "in_stock", "promotion")),
        "forecast": _columns(forecast, ("date", "mean")) | {"bands": bands(forecast)},
        "stock": _columns(risk, ("date", "expected_on_hand", "stockout_probability")),
        "inbound": arrivals(inbound, risk["date"]),
        "on_hand": position.get("on_hand"),
        "levels": {name: levels[name] for name in LEVELS if levels.get(name) is not None},
    }


def bands(forecast: pd.DataFrame) -> list[dict[str, Any]]:
    """Bands of the fan, the widest first: quantiles in pairs around the median.

    Where a run left none in pairs, one band from the lowest to the highest that it left.

    >>> bands(pd.DataFrame({"q0.1": [1.0], "q0.5": [2.0], "q0.9": [4.0], "q0.99": [9.0]}))
    [{'low': [1.0], 'high': [4.0], 'share': 0.8}]
    >>> bands(pd.DataFrame({"q0.5": [2.0], "q0.9": [4.0], "q0.95": [5.0]}))
    [{'low': [2.0], 'high': [5.0], 'share': 0.45}]
    """
    levels = {float(name[1:]): name for name in forecast.columns if _is_quantile(name)}
    pairs = [
        (low, high) for low in sorted(levels) for high in levels if low < 0.5 and math.isclose(low + high, 1)
    ]
    if not pairs and len(levels) > 1:
        pairs = [(min(levels), max(levels))]
    found = []
    for low, high in pairs:
        ends = _columns(forecast, (levels[low], levels[high]))
        found.append({"low": ends[levels[low]], "high": ends[levels[high]], "share": round(high - low, 4)})
    return found


def arrivals(inbound: pd.DataFrame, dates: pd.Series) -> dict[str, list[Any]]:
    """What is on order, by the first period ahead that starts on or after its date; later ones are left out.

    >>> weeks = pd.Series(pd.to_datetime(["2026-03-09", "2026-03-16"]))
    >>> days = pd.to_datetime(["2026-03-01", "2026-03-10", "2026-03-16", "2026-03-17"])
    >>> arrivals(pd.DataFrame({"date": days, "quantity": [5.0, 7.0, 1.0, 9.0]}), weeks)
    {'date': ['2026-03-09', '2026-03-16'], 'quantity': [5.0, 8.0]}
    """
    if inbound.empty or dates.empty:
        return {"date": [], "quantity": []}
    starts = pd.DatetimeIndex(dates)
    place = starts.searchsorted(pd.DatetimeIndex(inbound["date"]))
    coming = (
        inbound.assign(place=place)[place < len(starts)].groupby("place", as_index=False)["quantity"].sum()
    )
    return _columns(coming.assign(date=starts[coming["place"]]), ("date", "quantity"))


def table(frames: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The next periods in numbers: demand with its widest band, expected stock, chance of a stockout."""
    forecast, risk = frames["forecast"], frames["risk"]
    if forecast.empty or risk.empty:
        return []
    wide = (bands(forecast) or [{"low": [None] * len(forecast), "high": [None] * len(forecast)}])[0]
    demand = forecast[["date", "mean"]].assign(low=wide["low"], high=wide["high"])
    both = demand.merge(risk[["date", "expected_on_hand", "stockout_probability"]], on="date", how="inner")
    return to_records(both.head(TABLE))


def _is_quantile(name: object) -> bool:
    text = str(name)
    return text.startswith("q") and text[1:].replace(".", "", 1).isdigit()


def _columns(frame: pd.DataFrame, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Columns as lists; none of a column that the run did not write."""
    rows = to_records(frame[[name for name in names if name in frame]])
    return {name: [row[name] for row in rows] if name in frame else [] for name in names}
