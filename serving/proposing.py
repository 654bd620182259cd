"""Proposing: changes of rules that past days or people speak for, made, approved and taken back.

It owns which days the tuner looks back on, what is at stake there, and how an approved change becomes a new
version of its rule, or of a segment's target. Whatever is approved can be rolled back; both leave a version
behind.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from serving.hindsight import all_days, kept_days
from serving.histories import gather
from serving.results import Results
from serving.settings import Settings
from serving.store.proposals import Kept, State
from serving.store.store import Store
from serving.walk import Walk
from serving.watching import business_date
from warning.history import SERIES
from warning.rerun import Day
from warning.rulebook import changed, spec_of
from warning.rules import Rule
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
            gathered.policy["holding_cost"].to_numpy(dtype=float),
            _service_targets(gathered.policy),
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


def propose_change(
    store: Store, rule: Rule | None, entry: Mapping[str, Any], *, by: str, reason: str, at: datetime
) -> Proposal:
    """Keep a person's proposal to change a rule, for somebody else to approve.

    rule: as it is in force; None where it is new. entry: what would change of it, as the rulebook reads it
    Problem where nothing would.
    """
    name = str(entry["name"])
    values = {field: value for field, value in entry.items() if field != "name"}
    if rule is None:
        change, undo = values, {"enabled": False}
    else:
        after = next((one for one in changed([rule], [entry]) if one.name == name), None)
        before = spec_of(rule)
        then = {"enabled": False} if after is None else spec_of(after)
        change = {field: value for field, value in then.items() if before.get(field) != value}
        undo = {field: before[field] for field in (before if after is None else change)}
        undo = {field: value for field, value in undo.items() if field not in ("name", "version")}
    if not change:
        raise Problem(f"the rule {name!r} says so already; change something of it before proposing it")
    said = f"{by}: {reason}"
    proposal = Proposal("rule", "", "", name, change, undo, {}, {}, {"en": said, "zh": said})
    store.proposals.add(proposal, at)
    return proposal


def decide(
    settings: Settings,
    store: Store,
    proposal_id: str,
    state: State,
    *,
    by: str,
    reason: str,
    at: datetime,
) -> Kept:
    """Approve a proposal, or roll back one that was approved, by a new version of its rule; or decline it.

    It holds from the business date that was evaluated last.
    """
    proposal = store.proposals.get(proposal_id).proposal
    if state == "declined":
        return store.proposals.decide(proposal_id, state, by=by, reason=reason, at=at)
    if proposal.kind == "retrain":
        raise Problem("the forecast is the problem here, not the rule; run: forestock retrain --force")
    back = state == "rolled_back"
    day, book = business_date(settings, store), store.rules(settings.rules)
    said = f"{'rollback of proposal' if back else 'proposal'} {proposal_id}: {reason or _why(proposal)}"
    if proposal.kind == "target":
        done = store.proposals.decide(proposal_id, state, by=by, reason=reason, at=at)
        target = (proposal.undo if back else proposal.change)["target"]
        place = proposal.column, proposal.segment
        store.targets.save(place, target, day, at, author=by, reason=said)
        return done
    rules = {rule.name: rule for rule in book.in_force(day)}
    if proposal.kind != "rule" and proposal.rule not in rules:
        raise Problem(f"the rule {proposal.rule!r} is not in force any more; propose again")
    entry = entry_of(proposal, rules.get(proposal.rule), back=back)
    changed(tuple(rules.values()), [entry])  # refused before anything is decided
    done = store.proposals.decide(proposal_id, state, by=by, reason=reason, at=at)
    book.save([entry], day, at, author=by, reason=said)
    return done


def _service_targets(policy: pd.DataFrame) -> np.ndarray:
    """(n,) cycle service that each series is held for; NaN where it is held for something else."""
    served = (policy["measure"] == "cycle_service").to_numpy()
    return np.where(served, policy["target"].to_numpy(dtype=float), np.nan)


def _why(proposal: Proposal) -> str:
    return str(proposal.why["en"])
