"""Proposing: changes of rules that past days speak for, made, approved and taken back.

It owns which days the tuner looks back on, what is at stake there, and how an approved change becomes a new
version of its rule. Whatever is approved can be rolled back; both leave a version behind.
"""

from datetime import datetime

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from serving.hindsight import all_days, kept_days
from serving.histories import gather
from serving.results import Results
from serving.store.proposals import Kept, State
from serving.store.store import Store
from serving.walk import Walk
from serving.watching import business_date
from warning.history import SERIES
from warning.rerun import Day
from warning.sweep import read
from warning.trial import Past, Stakes
from warning.tuning import Proposal, entry_of, propose

DAYS = 90  # that the tuner looks back on
BESIDE = 60.0  # days of history before them, to tell the pace of demand
PER_ALERT = 5.0  # money that looking into a false alert takes


def make_proposals(
    walk: Walk,
    store: Store,
    at: datetime,
    *,
    column: str = "category",
    days: int = DAYS,
    compute: bool = False,
) -> list[Kept]:
    """Propose changes from the last days, and keep them.

    column: of the facts, by whose values positions are told apart
    compute: whether days whose facts were not kept are computed again
    """
    settings = walk.settings
    if compute:
        seen = all_days(settings, store, days, walk.stage).days
    else:
        seen = kept_days(settings, store, Results(settings.workspace / "results"), days).days
    walk.stage("trying settings of the rules")
    gathered = gather(walk, int((days + BESIDE) / walk.period.days))
    history = gathered.history
    rules = store.rules(walk.settings.rules).in_force(walk.period.end(walk.as_of).date())
    past = Past(
        read(rules, seen, history.keys),
        history,
        segments_of(seen[-1], history.keys, column),
        Stakes(
            np.nan_to_num(np.nanmean(history.wanted, axis=1)),
            gathered.policy["shortage_cost"].to_numpy(dtype=float),
            PER_ALERT,
        ),
    )
    store.proposals.offer(propose(past, column), at)
    return store.proposals.list("proposed")


def segments_of(day: Day, keys: pd.DataFrame, column: str) -> np.ndarray:
    """(n,) value of a column of the facts for each series; "" where there is none."""
    if column not in day.facts:
        known = ", ".join(map(str, day.facts.columns))
        raise Problem(f"no position has a column {column!r}; segment by one of {known}")
    facts = day.facts.drop_duplicates(SERIES).set_index(SERIES)[column]
    found = facts.reindex(pd.MultiIndex.from_frame(keys[SERIES])).astype(object)
    return found.where(found.notna(), "").astype(str).to_numpy(dtype=object)


def decide(
    walk: Walk, store: Store, proposal_id: str, *, back: bool, by: str, reason: str, at: datetime
) -> Kept:
    """Approve a proposal, or roll back one that was approved, by a new version of its rule.

    It holds from the business date that was evaluated last.
    """
    proposal = store.proposals.get(proposal_id).proposal
    if proposal.kind == "retrain":
        raise Problem("the forecast is the problem here, not the rule; run: forestock retrain --force")
    day, book = business_date(walk.settings, store), store.rules(walk.settings.rules)
    rules = {rule.name: rule for rule in book.in_force(day)}
    if proposal.rule not in rules:
        raise Problem(f"the rule {proposal.rule!r} is not in force any more; propose again")
    state: State = "rolled_back" if back else "approved"
    done = store.proposals.decide(proposal_id, state, by=by, reason=reason, at=at)
    entry = entry_of(proposal, rules[proposal.rule], back=back)
    said = f"{'rollback of proposal' if back else 'proposal'} {proposal_id}: {reason or _why(proposal)}"
    book.save([entry], day, at, author=by, reason=said)
    return done


def _why(proposal: Proposal) -> str:
    return str(proposal.why["en"])
