"""The proof: the last periods of the history ordered again, by our thresholds and by the classic rules.

Every review derives thresholds from what was known then, with the model that was in force before the first of
them. What was sold is then met from the shelf that those thresholds would have kept. Lead times are drawn
from the distributions learned by the end, and orders overtake each other as often as the supplier's do; what
an empty shelf hid of demand is taken to be the mean of the periods before.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from forecasting.cumulative import in_units
from forecasting.panel import Panel
from ingestion.errors import Problem
from ingestion.periods import Period
from optimization.classic import Facts, fixed_cover, king, past_demand, root_of_time
from optimization.exchange import MEASURES, Curve, compare
from optimization.order_days import on_calendar, order_days
from optimization.pictures import exchange_picture
from optimization.replay import Replay, replay_thresholds, sample_lead_times
from optimization.supply import orders_of
from optimization.thresholds import to_cover
from optimization.undershoot import cycle_levels
from serving.settings import Settings
from serving.walk import Stage, Walk

PERIODS = {"day": 56, "week": 16, "month": 9}  # that are replayed unless said
EVERY = {"day": 7, "week": 1, "month": 1}  # periods after which thresholds are derived anew
PAST = {"day": 91, "week": 26, "month": 12}  # periods that the classic rules look back on
SETTINGS = np.array([0.5, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995])
WIDER = np.array([0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 0.9999, 0.999999])
COVERS = np.array(
    [0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0]
)  # protection intervals
LEAST = 3  # reviews after the warm-up, without which there is nothing to count


@dataclass(frozen=True)
class Proof:
    """What was replayed.

    first, last: first dates of the first and last period that count
    keys: (n,) sku and location
    published: by the thresholds as `forestock thresholds` would have published them
    curves: ours first, then the classic rules, at several settings each
    worth, unit: (n,) of a unit of stock, and what it is counted in
    holding, shortage: (n,) money per unit left at a period's end, and per unit short
    hidden: share of the demand that an empty shelf hid and that is estimated
    """

    first: pd.Timestamp
    last: pd.Timestamp
    keys: pd.DataFrame
    published: Replay
    curves: tuple[Curve, ...]
    worth: np.ndarray
    unit: str
    holding: np.ndarray
    shortage: np.ndarray
    hidden: float

    @property
    def comparison(self) -> pd.DataFrame:
        """Each setting of ours against each classic rule, at equal service and at equal stock, by measure."""
        ours, *classic = self.curves
        parts = [
            compare(ours, classic, measure, self.worth).assign(measure=measure, counted_in=self.unit)
            for measure in MEASURES
        ]
        return pd.concat(parts, ignore_index=True)

    def summary(self) -> dict[str, Any]:
        """What the published thresholds achieved, with 95 % intervals over series, and the saving at 95 %."""
        measures = {
            str(row["measure"]): f"{row['value']:.4g} ({row['low']:.4g} … {row['high']:.4g})"
            for row in self.published.summary().to_dict("records")
        }
        lost = self.published.lost / self.published.periods
        cost = float(np.nansum(self.holding * self.published.stock + self.shortage * lost))
        table = self.comparison
        at = table[(table["measure"] == "cycle_service") & np.isclose(table["setting"], 0.95)]
        savings: dict[str, Any] = {
            f"stock saved against {policy}": "beyond its reach"
            if np.isnan(saving)
            else f"{saving:.1%} ({low:.1%} … {high:.1%})"
            for policy, saving, low, high in zip(
                *(at[name].tolist() for name in ("policy", "saving", "low", "high")), strict=True
            )
        }
        return {
            "first": self.first.date().isoformat(),
            "last": self.last.date().isoformat(),
            "series": len(self.keys),
            **measures,
            "cost_a_period": round(cost, 2),
            "demand_estimated": f"{self.hidden:.1%}",
            **savings,
            "stock_counted_in": self.unit,
        }

    def picture(self) -> Figure:
        """Stock against cycle service."""
        return exchange_picture(self.curves, "cycle_service", self.worth, self.unit)


@dataclass(frozen=True)
class _Derived:
    """What one review derives for its N series: the published levels, (N,), ours at SETTINGS, (N, settings),
    and the four facts that classic rules know, (N, 4).
    """

    keys: pd.DataFrame
    reorder_point: np.ndarray
    order_up_to: np.ndarray
    levels: np.ndarray
    facts: np.ndarray


def prove(
    settings: Settings,
    as_of: pd.Timestamp | None,
    stage: Stage,
    periods: int | None = None,
    every: int | None = None,
    seed: int = 0,
) -> Proof:
    """Replay the last `periods` of the history up to `as_of`.

    every: periods after which thresholds are derived anew
    The first protection interval (its median over series) fills the shelves and is not counted.
    """
    end = Walk(settings, as_of, stage)
    clock, last = end.period, int(end.period.index(end.as_of)[0])
    count, step = periods or PERIODS[clock.name], every or EVERY[clock.name]
    begin = Walk(settings, clock.dates(np.array([last - count]))[0], stage)
    model, reviews = begin.model, []
    for index in range(last - count, last, step):
        walk = Walk(settings, clock.dates(np.array([index]))[0], stage)
        walk.model = model
        reviews.append(_derive(walk))
    keys = _common(reviews)
    rows = [_rows(review.keys, keys) for review in reviews]
    panel = end.panel
    at = _rows(panel.keys, keys)
    demand, hidden = _demand(panel, at, count)
    supply, lead_times = end.lead_times_of(keys)
    review_periods = supply["review_periods"].to_numpy(dtype=np.int64)
    warm_up = int(np.median(lead_times.typical + review_periods))
    if count < warm_up + LEAST * int(np.median(review_periods)):
        raise Problem(
            f"a replay needs more periods than the {warm_up} that fill the shelves and {LEAST} reviews, got "
            f"{count}; ask for more --periods"
        )
    stage("playing policies")
    targets = _targets(end, keys)
    world: dict[str, Any] = {
        "lead_time": sample_lead_times(
            lead_times.pmf,
            count,
            np.random.default_rng(seed),
            overtaking=lead_times.overtaking,
            review=review_periods,
        ),
        "review": _reviews(supply, clock, clock.dates(np.array([last - count]))[0], count),
        "lot_size": supply["lot_size"].to_numpy(dtype=float),
        "moq": supply["moq"].to_numpy(dtype=float),
        "backorder": (targets["unmet"] == "backorder").to_numpy(),
        "warm_up": warm_up,
        "period": clock,
    }

    def over_time(name: str) -> np.ndarray:
        """What was derived last by the end of the period before the first one, of the first one, …."""
        found = [getattr(review, name)[row] for review, row in zip(reviews, rows, strict=True)]
        known = np.repeat(np.stack(found, axis=1), step, axis=1)
        return np.concatenate([known, known[:, -1:]], axis=1)[:, : count + 1]

    def order(point: np.ndarray, up_to: np.ndarray) -> Replay:
        # The shelves are filled on the eve; the first period is decided on at its own end.
        return replay_thresholds(demand, point[:, 1:], up_to[:, 1:], opening=up_to[:, 0], **world)

    point, up_to, ours = (over_time(name) for name in ("reorder_point", "order_up_to", "levels"))
    facts = Facts(*np.moveaxis(over_time("facts"), 2, 0))
    whole, more = supply["whole"].to_numpy(dtype=bool)[:, None], up_to - point

    def play(level: np.ndarray) -> Replay:
        level = in_units(np.maximum(level, 0.0), whole)
        return order(level, level + more)

    rules = (("King", king, WIDER), ("z·σ·√L", root_of_time, WIDER))
    curves = [Curve("forestock", SETTINGS, tuple(play(ours[:, :, k]) for k in range(len(SETTINGS))))]
    curves += [Curve(name, wide, tuple(play(rule(facts, z)) for z in wide)) for name, rule, wide in rules]
    cover = tuple(play(fixed_cover(facts, 1.0) * times * facts.interval[:, :1]) for times in COVERS)
    worth, unit = _worth(supply, settings.currency)
    return Proof(
        first=clock.dates(np.array([last - count + warm_up + 1]))[0],
        last=end.as_of,
        keys=keys,
        published=order(point, up_to),
        curves=(*curves, Curve("fixed min/max", COVERS, cover)),
        worth=worth,
        unit=unit,
        holding=targets["holding_cost"].to_numpy(dtype=float),
        shortage=targets["shortage_cost"].to_numpy(dtype=float),
        hidden=hidden,
    )


def _derive(walk: Walk) -> _Derived:
    review = walk.supply["review_periods"].to_numpy(dtype=np.int64)
    over, cycle = to_cover(walk.demand, walk.supply, walk.lead_times, walk.targets)
    settings = np.broadcast_to(SETTINGS, (len(cycle), len(SETTINGS)))
    levels, _ = cycle_levels(over, orders_of(walk.supply, cycle), settings)
    mean, sd = past_demand(walk.panel.quantity, walk.panel.observed, PAST[walk.period.name])
    point, up_to = (walk.thresholds[name].to_numpy(dtype=float) for name in ("reorder_point", "order_up_to"))
    facts = np.stack([mean, sd, walk.lead_times.mean + review, walk.lead_times.sd], axis=1)
    return _Derived(walk.demand.keys, point, up_to, levels, facts)


def _reviews(supply: pd.DataFrame, period: Period, before: pd.Timestamp, count: int) -> np.ndarray:
    """(n, count) bool: the periods after `before` at whose end orders are decided on.

    What is decided at the end of a period goes out at the start of the next, which order days must allow.
    """
    weekdays = supply["order_weekdays"]
    apart = supply["review_periods"].to_numpy(dtype=np.int64)[:, None]
    allowed = order_days(weekdays, period, before, count + 1)[:, 1:]
    return np.where(on_calendar(weekdays, period)[:, None], allowed, np.arange(count) % apart == 0)


def _common(reviews: list[_Derived]) -> pd.DataFrame:
    """Series that every review knew."""
    keys = reviews[0].keys[["sku", "location"]]
    for review in reviews[1:]:
        keys = keys.merge(review.keys[["sku", "location"]], on=["sku", "location"])
    if keys.empty:
        raise Problem("no series was sold all through the replayed periods; ask for fewer --periods")
    return keys.reset_index(drop=True)


def _rows(frame: pd.DataFrame, keys: pd.DataFrame) -> np.ndarray:
    found = pd.MultiIndex.from_frame(frame[["sku", "location"]])
    return found.get_indexer(pd.MultiIndex.from_frame(keys[["sku", "location"]]))


def _demand(panel: Panel, rows: np.ndarray, count: int) -> tuple[np.ndarray, float]:
    """(n, count) units wanted, and the share of them that is estimated.

    Not observed: what was sold all the same, or the mean of the observed periods before, whichever is more;
    of a place that was shut nothing.
    """
    quantity, seen = panel.quantity[rows].astype(float), panel.observed[rows]
    before, _ = past_demand(quantity[:, :-count], seen[:, :-count], PAST[panel.period.name])
    sold = np.nan_to_num(panel.sold[rows][:, -count:].astype(float))
    late = seen[:, -count:]
    usual = np.where(panel.closed[rows][:, -count:], 0.0, before[:, None])
    wanted = np.where(late, quantity[:, -count:], np.maximum(sold, usual))
    return np.maximum(wanted, 0.0), float(wanted[~late].sum() / max(wanted.sum(), 1e-9))


def _targets(walk: Walk, keys: pd.DataFrame) -> pd.DataFrame:
    return walk.targets.iloc[_rows(walk.demand.keys, keys)].reset_index(drop=True)


def _worth(supply: pd.DataFrame, currency: str) -> tuple[np.ndarray, str]:
    """(n,) money a unit where all costs are known; else 1."""
    cost = supply["unit_cost"].to_numpy(dtype=float)
    return (cost, currency or "money") if (cost > 0).all() else (np.ones(len(cost)), "units")
