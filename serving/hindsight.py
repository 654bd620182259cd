"""Hindsight: what the rules could see on past dates, to try changed rules on.

It owns where each date's facts come from: those that its run published, else the walk as of then. A model
that knew nothing later is taken where one was kept; else the one in force now, which is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from ingestion.periods import Period
from ingestion.warehouse import Warehouse
from serving.results import Results
from serving.settings import Settings
from serving.store.store import Store
from serving.walk import Stage, Walk
from serving.watching import seen_by
from warning.rerun import Day

MOST_DAYS = 400


@dataclass(frozen=True)
class Hindsight:
    """Past dates as the rules would have seen them, the oldest first, and what to know about them."""

    days: tuple[Day, ...]
    notes: tuple[str, ...]


def kept_days(settings: Settings, store: Store, results: Results, days: int) -> Hindsight:
    """Those of the last days whose facts were kept; Problem where there are none."""
    latest = store.snapshot().as_of
    period = Warehouse(settings.workspace / "warehouse").period
    dates = store.dates_since(latest - timedelta(days=days - 1))
    found = [_kept(pd.Timestamp(date), period, store, results) for date in dates]
    seen = tuple(day for day in found if day is not None)
    short = days / period.days - len(seen)
    note = (
        f"facts of {len(seen)} of the last {days} days were kept; `forestock rules preview` computes the rest"
    )
    return Hindsight(seen, (note,) if short >= 1 else ())


def all_days(settings: Settings, store: Store, days: int, stage: Stage) -> Hindsight:
    """The last periods that make up `days` days, up to the last that is known.

    A date whose facts were not kept is computed again, which takes about as long as a run. Problem where
    there is nothing to look back on.
    """
    if not 1 <= days <= MOST_DAYS:
        raise Problem(f"a preview looks back 1 to {MOST_DAYS} days, got {days}; ask for fewer")
    last, results = Walk(settings), Results(settings.workspace / "results")
    period = last.period
    count = max(round(days / period.days), 1)
    earliest = int(period.index(last.warehouse.first_date())[0]) + 1
    numbers = [n for n in int(period.index(last.as_of)[0]) - np.arange(count)[::-1] if n >= earliest]
    found, borrowed = [], []
    for date in period.dates(np.array(numbers, dtype=np.int64)):
        day = _kept(date, period, store, results)
        if day is None:
            stage(f"computing {date.date()} again")
            walk = Walk(settings, date)
            if walk.kept_model is None:
                borrowed.append(date)
                walk.use(last.kept_model or last.model)
            seen = seen_by(walk)
            day = Day(seen.today, seen.facts, seen.suppliers, seen.sources)
        found.append(day)
    return Hindsight(tuple(found), tuple(_notes(borrowed)))


def _kept(date: pd.Timestamp, period: Period, store: Store, results: Results) -> Day | None:
    """What the last run of a date left; None where there was none."""
    kept = store.facts_of(date)
    if kept is None:
        return None
    snapshot, facts = kept
    tables = [results.read(name, date, run=snapshot.results_digest) for name in ("suppliers", "sources")]
    return Day(period.end(date), facts, *tables)


def _notes(borrowed: Sequence[pd.Timestamp]) -> list[str]:
    if not borrowed:
        return []
    older = f"{len(borrowed)} days are older than any model that was kept, the first {borrowed[0].date()}: "
    return [older + "the model in force now was used, which has seen what came later"]
