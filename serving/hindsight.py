"""Hindsight: what the rules could see on past dates, to try changed rules on.

It owns where each date's facts come from: those that its run published, else the walk as of then. A model
that knew nothing later is taken where one was kept; else the one in force now, which is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ingestion.errors import Problem
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


def look_back_over(
    settings: Settings, store: Store, days: int, stage: Stage, *, compute: bool = True
) -> Hindsight:
    """The last periods that make up `days` days, up to the last that is known.

    compute: whether dates whose facts were not kept are computed again, each of which takes about as long as
        a run
    Problem where there is nothing to look back on.
    """
    if not 1 <= days <= MOST_DAYS:
        raise Problem(f"a preview looks back 1 to {MOST_DAYS} days, got {days}; ask for fewer")
    last = Walk(settings)
    period = last.period
    count = max(round(days / period.days), 1)
    earliest = int(period.index(last.warehouse.first_date())[0]) + 1
    numbers = [n for n in int(period.index(last.as_of)[0]) - np.arange(count)[::-1] if n >= earliest]
    results = Results(settings.workspace / "results")
    found, missing, borrowed = [], [], []
    for date in period.dates(np.array(numbers, dtype=np.int64)):
        kept = store.facts_of(date)
        if kept is not None:
            snapshot, facts = kept
            tables = (
                results.read(name, date, run=snapshot.results_digest) for name in ("suppliers", "sources")
            )
            found.append(Day(period.end(date), facts, *tables))
        elif compute:
            stage(f"computing {date.date()} again")
            walk = Walk(settings, date)
            if walk.kept_model is None:
                borrowed.append(date)
                walk.use(last.kept_model or last.model)
            seen = seen_by(walk)
            found.append(Day(seen.today, seen.facts, seen.suppliers, seen.sources))
        else:
            missing.append(date)
    if not found:
        raise Problem(f"no facts of the last {days} days were kept; run: forestock rules preview")
    return Hindsight(tuple(found), tuple(_notes(missing, borrowed)))


def _notes(missing: Sequence[pd.Timestamp], borrowed: Sequence[pd.Timestamp]) -> list[str]:
    notes = []
    if missing:
        notes.append(
            f"{len(missing)} of these days left no facts and are left out, the first {missing[0].date()}"
        )
    if borrowed:
        notes.append(
            f"{len(borrowed)} days are older than any model that was kept, the first {borrowed[0].date()}: "
            "the model in force now was used, which has seen what came later"
        )
    return notes
