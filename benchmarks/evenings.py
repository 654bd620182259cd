"""The simulated retailer walked evening by evening, and what came true of the thresholds of each.

It owns the walk, and the worlds that levels are replayed in; `service.py` judges them. `walk` first, then
`serve` for what was published, and `trade` for stock against service at other targets and by other rules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand, in_units
from forecasting.models import DemandModel
from forecasting.panel import Panel, build_panel
from forecasting.training import train
from ingestion.loading import load
from ingestion.retailer import Retailer, Truth
from ingestion.warehouse import Warehouse
from known_truth import known_levels
from optimization.classic import Facts, fixed_cover, king, past_demand, root_of_time
from optimization.exchange import Curve
from optimization.lead_time import LeadTimes, learn_lead_times
from optimization.protection import protection_demand
from optimization.replay import Replay, covered, replay_thresholds, sample_lead_times
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds, round_up

HORIZON = 35  # days: beyond the longest likely lead time and review of the simulated suppliers
# Days played unmeasured: before the test weeks with the first thresholds, and into them until what those
# ordered has come: the longest usual lead time and review.
BEFORE, INTO = 35, 28
READ = ("items", "locations", "demand", "plans", "supply_orders", "sourcing", "policies")
KEY = ["sku", "location"]
RETRAIN = 28  # days between trainings
DAY = pd.Timedelta(days=1)
LEVELS = [0.5, 0.8, 0.9, 0.95, 0.99]
FILLS = np.array([0.9, 0.95, 0.98])
SETTINGS = np.array([0.6, 0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99, 0.995])
WIDER = np.array([0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999, 0.99999, 0.9999999])
COVERS = np.array([3, 5, 7, 9, 11, 13, 15, 18, 21, 25, 30, 40, 60, 90, 150], dtype=float)  # days
PAST = 91  # days of demand that the classic rules look back on


@dataclass(frozen=True)
class Service:
    """What was derived at the end of each of T days for n series, and what came true.

    keys: (n,) sku, location, kind, supplier, supplier kind, volume
    covered: (n, T) chance that true demand over the protection interval stayed within the reorder point
    replay: ordering every unit up to the reorder point, unmet demand waits
    in_store: ordering in lots and minimums up to the order-up-to level, unmet demand is lost
    forecast: volume, horizon, level, within: share of true sums within the forecast's quantile
    bias: forecast over true mean of the next 28 days, less one
    lead_times: supplier, largest distance between the learned and the true distribution function
    """

    keys: pd.DataFrame
    covered: np.ndarray
    replay: Replay
    in_store: Replay
    forecast: pd.DataFrame
    bias: float
    lead_times: pd.DataFrame


@dataclass(frozen=True)
class Exchange:
    """Stock for service at several settings, in the world of `Service.replay`.

    curves: by ours and the classic rules
    fills: the levels of fill-rate targets
    less: both at FILLS with a unit less everywhere: whole units cannot hit what lies between
    known: both kinds for one who knew the true distributions of demand and lead time
    """

    curves: list[Curve]
    fills: Curve
    less: list[Curve]
    known: list[Curve]


@dataclass(frozen=True)
class Day:
    """What one evening derives of N series; facts: what classic rules know, (N, 1) each."""

    thresholds: pd.DataFrame
    demand: CumulativeDemand
    supply: pd.DataFrame
    lead_times: LeadTimes
    facts: Facts


@dataclass(frozen=True)
class Walked:
    """The T evenings, and the n series of them that are judged.

    keys: (n,) as of `Service`; rows: their places in each evening's tables
    pmfs, review: true lead times (n, L) in days, and days from review to review (n,)
    """

    retailer: Retailer
    seed: int
    dates: pd.DatetimeIndex
    evenings: list[Day]
    keys: pd.DataFrame
    rows: list[np.ndarray]
    worlds: "_Worlds"
    pmfs: np.ndarray
    review: np.ndarray

    def judged(self, what: Callable[[Day], np.ndarray]) -> np.ndarray:
        """(n, T, …) of the judged series."""
        found = [what(day)[row] for day, row in zip(self.evenings, self.rows, strict=True)]
        return np.stack(found, axis=1)


def walk(
    retailer: Retailer,
    folder: Path,
    weeks: int = 12,
    seed: int = 0,
    threads: int = 2,
    retrain: int = RETRAIN,
) -> Walked:
    """Derive thresholds on every evening of the last `weeks` of the history.

    weeks: at least 5, as a replay measures from the fifth on; retrain: days between trainings
    """
    retailer.write(folder / "tables")
    warehouse = Warehouse(folder / "warehouse")
    load(folder / "tables", {}, warehouse)
    dates = pd.date_range(end=retailer.last_day, periods=7 * weeks)
    evenings = []
    for k, date in enumerate(dates):
        if k % retrain == 0:
            model = train(_panel(warehouse, date), threads=threads, seed=seed).model
        evenings.append(_evening(warehouse, model, date))
    keys = _keys(retailer.truth, dates)
    return Walked(
        retailer,
        seed,
        dates,
        evenings,
        keys,
        rows=[_rows(evening.thresholds, keys) for evening in evenings],
        worlds=_worlds(retailer, keys, dates, seed),
        pmfs=_true_lead_times(retailer.truth, keys),
        review=_terms(retailer, keys, "review_periods").astype(int),
    )


def serve(walked: Walked) -> Service:
    """What came true of the thresholds that each evening published."""
    truth, keys = walked.retailer.truth, walked.keys
    reorder_point, order_up_to = (
        walked.judged(lambda day, c=c: day.thresholds[c].to_numpy()) for c in ("reorder_point", "order_up_to")
    )
    ahead = [_matrix(truth, keys, date + DAY, date + 60 * DAY) for date in walked.dates]
    inside = [covered(a, reorder_point[:, t], walked.pmfs, walked.review) for t, a in enumerate(ahead)]
    replay, in_store = _replays(walked.worlds, reorder_point, order_up_to)
    return Service(
        keys,
        covered=np.stack(inside, axis=1),
        replay=replay,
        in_store=in_store,
        forecast=_forecast_coverage(walked, ahead),
        bias=_bias(walked, ahead),
        lead_times=_lead_time_distance(truth, walked.evenings[0].lead_times),
    )


def trade(walked: Walked) -> Exchange:
    """Stock against service: ours at several targets, the classic rules, and one who knows the truth."""
    truth, worlds = walked.retailer.truth, walked.worlds
    ours, filled = np.split(walked.judged(_levels), [len(SETTINGS)], axis=2)
    facts = Facts(*(walked.judged(lambda day, k=k: day.facts[k][:, 0]) for k in range(4)))
    rules = (("King", king, WIDER), ("z·σ·√L", root_of_time, WIDER), ("fixed cover", fixed_cover, COVERS))
    curves = [_curve("forestock", worlds, SETTINGS, ours)]
    curves += [_curve(n, worlds, at, np.stack([rule(facts, x) for x in at], axis=2)) for n, rule, at in rules]
    less = ours[:, :, np.searchsorted(SETTINGS, FILLS)] - 1.0, filled - 1.0
    known = known_levels(
        truth,
        (_rows(truth.keys, walked.keys), walked.dates),
        (walked.pmfs, walked.review),
        (SETTINGS, FILLS),
        walked.seed,
    )
    return Exchange(
        curves,
        fills=_curve("forestock", worlds, FILLS, filled, round_up),
        less=[
            _curve("a unit less", worlds, FILLS, less[0]),
            _curve("a unit less", worlds, FILLS, less[1], round_up),
        ],
        known=[
            _curve("the truth known", worlds, x, y) for x, y in zip((SETTINGS, FILLS), known, strict=True)
        ],
    )


def _levels(day: Day) -> np.ndarray:
    """(N, SETTINGS and FILLS) units that cover the protection interval with each chance, and fill rate."""
    review, unit = (day.supply[c].to_numpy() for c in ("review_periods", "whole"))
    over = protection_demand(day.demand, day.lead_times, review.astype(np.int64))
    filled = [over.fill_level(np.full(len(unit), target), unit.astype(float)) for target in FILLS]
    return np.column_stack([over.quantile(SETTINGS), *filled])


@dataclass(frozen=True)
class _Worlds:
    """True demand, (n, T) from `BEFORE` the test weeks on, and the arguments of a replay in each world."""

    demand: np.ndarray
    plain: dict[str, Any]
    store: dict[str, Any]


def _worlds(retailer: Retailer, keys: pd.DataFrame, dates: pd.DatetimeIndex, seed: int) -> _Worlds:
    true = _matrix(retailer.truth, keys, dates[0] - BEFORE * DAY, dates[-1])
    lead = sample_lead_times(
        _true_lead_times(retailer.truth, keys), true.shape[1], np.random.default_rng(seed)
    )
    common: dict[str, Any] = {
        "lead_time": lead,
        "review": _terms(retailer, keys, "review_periods"),
        "warm_up": BEFORE + INTO,
    }
    lots = {"lot_size": _terms(retailer, keys, "lot_size"), "moq": _terms(retailer, keys, "moq")}
    return _Worlds(true, common | {"backorder": True}, common | lots)


def _replays(worlds: _Worlds, reorder_point: np.ndarray, order_up_to: np.ndarray) -> tuple[Replay, Replay]:
    """The two worlds; on the days before the test weeks the first thresholds hold."""
    point, up_to = _from_before(reorder_point), _from_before(order_up_to)
    plain = replay_thresholds(worlds.demand, point, point, **worlds.plain)
    return plain, replay_thresholds(worlds.demand, point, up_to, **worlds.store)


def _from_before(levels: np.ndarray) -> np.ndarray:
    return np.hstack([np.repeat(levels[:, :1], BEFORE, axis=1), levels])


def _curve(
    name: str,
    worlds: _Worlds,
    settings: np.ndarray,
    levels: np.ndarray,
    rounded: Callable[[np.ndarray, bool], np.ndarray] = in_units,
) -> Curve:
    """Levels (n, T, settings) played in the world of single units."""
    replays = []
    for k in range(len(settings)):
        whole = rounded(np.maximum(_from_before(levels[:, :, k]), 0.0), True)
        replays.append(replay_thresholds(worlds.demand, whole, whole, **worlds.plain))
    return Curve(name, settings, tuple(replays))


def _panel(warehouse: Warehouse, date: pd.Timestamp) -> Panel:
    return build_panel(_tables(warehouse, date), warehouse.period, date, HORIZON)


def _tables(warehouse: Warehouse, date: pd.Timestamp) -> dict[str, pd.DataFrame]:
    return {name: warehouse.read(name, date) for name in READ}


def _evening(warehouse: Warehouse, model: DemandModel, date: pd.Timestamp) -> Day:
    tables = _tables(warehouse, date)
    panel = build_panel(tables, warehouse.period, date, HORIZON)
    demand = model.predict(panel, HORIZON)
    supply = supply_terms(demand.keys, tables, warehouse.period, date)
    lead_times = learn_lead_times(tables["supply_orders"], supply, warehouse.period, date)
    targets = set_targets(supply, tables["policies"], warehouse.period)
    mean, sd = past_demand(panel.quantity, panel.observed, PAST)
    protected = lead_times.mean + supply["review_periods"].to_numpy(dtype=np.int64)
    facts = Facts(*(x[:, None] for x in (mean, sd, protected, lead_times.sd)))
    thresholds = derive_thresholds(demand, supply, lead_times, targets)
    return Day(thresholds, demand, supply, lead_times, facts)


def _keys(truth: Truth, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Series that are sold all through the test weeks and known from their first evening."""
    test = (truth.dates >= dates[0]) & (truth.dates <= dates[-1] + 60 * DAY)
    before = truth.expected[:, (truth.dates < dates[0]) & (truth.dates >= dates[0] - 90 * DAY)]
    sold = (truth.expected[:, test] > 0).all(axis=1) & (before[:, -1] > 0)
    kinds = truth.lead_times.drop_duplicates("supplier").set_index("supplier")["kind"]
    keys = truth.keys.assign(supplier_kind=truth.keys["supplier"].map(kinds))[sold].reset_index(drop=True)
    volume = pd.qcut(before[sold].mean(axis=1), 3, labels=["low", "middle", "high"])
    return keys.assign(volume=np.asarray(volume, dtype=object))


def _rows(frame: pd.DataFrame, keys: pd.DataFrame) -> np.ndarray:
    where = pd.MultiIndex.from_frame(frame[KEY]).get_indexer(pd.MultiIndex.from_frame(keys[KEY]))
    if (where < 0).any():
        raise SystemExit(f"no thresholds for {keys.loc[where < 0, KEY].iloc[0].to_list()}")
    return where


def _matrix(truth: Truth, keys: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> np.ndarray:
    rows = _rows(truth.keys, keys)
    return truth.quantity[rows][:, (truth.dates >= first) & (truth.dates <= last)].astype(float)


def _true_lead_times(truth: Truth, keys: pd.DataFrame) -> np.ndarray:
    width = int(truth.lead_times["days"].max()) + 1
    pmfs = {s: np.pad(truth.pmf(s), (0, width - len(truth.pmf(s)))) for s in keys["supplier"].unique()}
    return np.stack([pmfs[s] for s in keys["supplier"]])


def _terms(retailer: Retailer, keys: pd.DataFrame, column: str) -> np.ndarray:
    sourcing = retailer.tables["sourcing"]
    return sourcing[column].to_numpy()[_rows(sourcing, keys)]


def _forecast_coverage(walked: Walked, ahead: list[np.ndarray]) -> pd.DataFrame:
    """Share of true sums within the quantile; of a tie, the share that makes a right forecast right."""
    parts, volume = [], walked.keys["volume"]
    for evening, row, future in zip(walked.evenings[::7], walked.rows[::7], ahead[::7], strict=True):
        quantiles = evening.demand.quantile(LEVELS)[row]
        sums = np.cumsum(future, axis=1)
        for h in (7, 14, 28):
            for k, level in enumerate(LEVELS):
                within = sums[:, h - 1] <= np.ceil(quantiles[:, h - 1, k] - 1e-4)
                parts.append(pd.DataFrame({"volume": volume, "horizon": h, "level": level, "w": within}))
    table = pd.concat(parts)
    return table.pivot_table(
        index=["volume", "horizon"], columns="level", values="w", aggfunc="mean"
    ).reset_index()


def _bias(walked: Walked, ahead: list[np.ndarray]) -> float:
    weekly = zip(walked.evenings[::7], walked.rows[::7], strict=True)
    predicted = sum(day.demand.mean[row, 27].sum() for day, row in weekly)
    return float(predicted / sum(a[:, :28].sum() for a in ahead[::7]) - 1)


def _lead_time_distance(truth: Truth, learned: LeadTimes) -> pd.DataFrame:
    rows = []
    for supplier, members in learned.keys.groupby("supplier").indices.items():
        true, known = truth.pmf(str(supplier)), learned.pmf[members].mean(axis=0)
        width = max(len(true), len(known))
        gap = [np.cumsum(np.pad(p, (0, width - len(p)))) for p in (true, known)]
        rows.append((supplier, len(members), np.abs(gap[0] - gap[1]).max()))
    return pd.DataFrame(rows, columns=["supplier", "series", "largest distance"])
