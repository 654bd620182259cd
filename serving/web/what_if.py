"""The what-if on the item page: what a planner tries out, and the forecast as it would then be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingestion.errors import Problem
from serving.pipeline import BANDS, SUMS, daily_forecast
from serving.results import to_records
from serving.standby import Place, Standby
from serving.store.store import Item
from serving.web.item import bands
from serving.web.overview import item_url
from serving.what_if import Comparison, given_plans

LEVEL = 0.95  # of the amount that a sum stays within
USUAL = {"promotion": "20", "price": ""}
FIELDS = {"promotion", "price", "start", "end"}
DAYS = 7  # periods that the form proposes at first


@dataclass(frozen=True)
class TriedView:
    """What the template shows.

    url: the item's page; form: the fields' values as typed; first, last: dates between which a plan can lie
    problem, remedy: why there is no answer; "" where there is one, or nothing was asked
    reads_plans: whether the model reads any; where not, nothing can change
    sums: per horizon: before, after, change (share), within_before, within_after; units
    chart: date, mean and bands of each single period; start and end of the plan
    """

    url: str
    form: dict[str, str]
    first: str
    last: str
    period: str = "day"
    level: float = LEVEL
    problem: str = ""
    remedy: str = ""
    reads_plans: bool = True
    sums: tuple[dict[str, Any], ...] = ()
    chart: dict[str, Any] | None = None


def try_out(item: Item, dates: Sequence[str], asked: Mapping[str, str], standby: Standby) -> TriedView | None:
    """The form, and the answer where one was asked for; None where nothing is forecast.

    dates: of the periods that are forecast
    """
    if not dates:
        return None
    usual = {**USUAL, "start": dates[0], "end": dates[min(DAYS, len(dates)) - 1]}
    form = {name: asked.get(name, "" if FIELDS & set(asked) else value) for name, value in usual.items()}
    place = to_records(item.position)[0]
    view = TriedView(item_url(place["sku"], place["location"]), form, dates[0], dates[-1])
    if not FIELDS & set(asked):
        return view
    row = {name: value.strip() or None for name, value in form.items()}
    if row["promotion"]:
        row["promotion"] = row["promotion"].removesuffix("%") + "%"
    named = {"sku": place["sku"], "location": place["location"]}
    try:
        found = standby.compare(item.snapshot, given_plans([{**row, **named}], "what-if"), Place(**named))
    except Problem as problem:
        detail, _, remedy = str(problem).rpartition("; ")
        return TriedView(view.url, form, view.first, view.last, problem=detail or remedy, remedy=remedy)
    return TriedView(
        view.url,
        form,
        view.first,
        view.last,
        period=found.after.period.name,
        reads_plans=found.reads_plans,
        sums=tuple(sums(found)),
        chart=_chart(found, form),
    )


def sums(found: Comparison) -> list[dict[str, Any]]:
    """Per length of the sum, of one series: what was expected and is, and what it stays within."""
    horizons = [h for h in SUMS[found.after.period.name] if h <= found.after.horizon]
    at = np.array(horizons) - 1
    (before, after), (was, now) = (
        [one.mean[0, at].astype(float) for one in (found.before, found.after)],
        [one.quantile([LEVEL])[0, at, 0] for one in (found.before, found.after)],
    )
    return [
        {
            "horizon": h,
            "before": before[k],
            "after": after[k],
            "change": after[k] / before[k] - 1 if before[k] > 0 else None,
            "within_before": was[k],
            "within_after": now[k],
        }
        for k, h in enumerate(horizons)
    ]


def _chart(found: Comparison, form: Mapping[str, str]) -> dict[str, Any]:
    days = daily_forecast(found.after, None, BANDS)
    rows = to_records(days[["date", "mean"]])
    columns = {name: [row[name] for row in rows] for name in ("date", "mean")}
    return {**columns, "bands": bands(days), "start": form["start"], "end": form["end"]}
