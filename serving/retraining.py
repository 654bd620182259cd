"""Retraining: whether the model in force should learn again, why, and what planners' overrides were worth.

It owns the steps of `retrain`: look for drift, compare feedback, hear what reviews and people say of alerts,
train where there is a reason, and score the overrides whose periods are over. The daily job takes the part
that is cheap: new feedback.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from forecasting.drift import DriftReport, detect_drift, reasons_to_retrain
from forecasting.feedback import known_feedback
from forecasting.training import TrainingReport
from forecasting.value_added import OVERALL, count_unscored, score_overrides
from serving.store.proposals import Kept
from serving.store.store import Store
from serving.walk import Walk

FEWEST, WRONG = 10, 0.5  # verdicts since the model learned, and the share of them that is too much
YEAR = pd.Timedelta(days=365)  # lead times older than this say nothing about today's


@dataclass(frozen=True)
class Retraining:
    """What was found and done.

    because: why the model was trained again; empty where it stays
    drift: what was checked; None where no model was in force
    feedback_rows: rows of feedback that a model trained now learns from
    verdicts: what people said of alerts, by outcome
    value_added: of overrides, as `value_added.forecast_value_added`
    unscored: how many overrides can never be scored, by why
    report: of the training; None where the model stays
    """

    as_of: pd.Timestamp
    because: tuple[str, ...]
    drift: DriftReport | None
    feedback_rows: int
    verdicts: dict[str, int]
    value_added: pd.DataFrame
    unscored: dict[str, int]
    report: TrainingReport | None

    def summary(self) -> dict[str, Any]:
        """The result in a few words, for people and programs."""
        return {
            "as_of": self.as_of.date().isoformat(),
            "retrained": self.report is not None,
            "because": list(self.because) or ["nothing: the model is recent, and nothing has changed"],
            "learned_until": None if self.drift is None else self.drift.learned.date().isoformat(),
            "feedback_rows": self.feedback_rows,
            "verdicts": self.verdicts,
            "drift": [] if self.drift is None else self.drift.checks.round(4).to_dict("records"),
            "value_added": self.value_added.astype(object)
            .where(self.value_added.notna(), None)
            .to_dict("records"),
            "overrides_added": self._added(),
            "overrides_unscored": self.unscored,
        }

    def _added(self) -> float | None:
        """Units of absolute error that overrides saved over the model; None where none could be scored."""
        rows = self.value_added
        return float(rows.loc[rows["sku"] == OVERALL, "override_added"].sum()) if len(rows) else None


def retrain(walk: Walk, *, force: bool = False) -> Retraining:
    """Train again where the model is due, has drifted or has not seen the feedback; say which.

    force: train whatever was found
    A proposal of a review to train again is a reason, and is settled by the training.
    """
    store = Store.open(walk.settings.database_url.get_secret_value())
    try:
        return _retrain(walk, store, force=force)
    finally:
        store.close()


def _retrain(walk: Walk, store: Store, *, force: bool) -> Retraining:
    asked = [one for one in store.proposals.list("proposed") if one.proposal.kind == "retrain"]
    verdicts = verdicts_known(walk, store)
    kept = walk.kept_model
    drift: DriftReport | None = None
    because: tuple[str, ...] = ("first: no model is in force yet",)
    if kept is not None:
        panel = walk.panel
        walk.stage("looking for drift")
        learned, now = pd.Timestamp(kept.as_of), walk.period.end(walk.as_of)
        drift = detect_drift(panel, kept, lead_times_around(walk.tables["supply_orders"], learned, now))
        because = (
            *reasons_to_retrain(drift, kept.about.get("feedback", ""), walk.feedback.digest),
            *(
                f"review: {one.proposal.column} {one.proposal.segment}: {one.proposal.why['en']}"
                for one in asked
            ),
            *reasons_of_verdicts(verdicts, learned),
        )
    if force and not because:
        because = ("asked: trained by force",)
    overrides = known_feedback(walk.tables["feedback"], walk.period, walk.as_of)
    kept_at = lru_cache(walk.kept_at)
    added = score_overrides(walk.panel, overrides, kept_at)
    unscored = count_unscored(walk.panel, overrides, kept_at)
    report = walk.train(said_of(verdicts, asked)) if because else None
    if report is not None:
        at, why = datetime.now(UTC), f"trained again as of {walk.as_of.date()}"
        for one in asked:
            store.proposals.decide(one.proposal.proposal_id, "approved", by="retrain", reason=why, at=at)
    counts = {str(name): int(count) for name, count in verdicts["value"].value_counts().items()}
    return Retraining(walk.as_of, because, drift, walk.feedback.rows, counts, added, unscored, report)


def verdicts_known(walk: Walk, store: Store) -> pd.DataFrame:
    """The last verdict on each alert, as feedback rows: the table's by the as-of date, the store's until now.

    They change no data that a model learns from; they may be a reason to train, and the run names them.
    """
    table = walk.tables["feedback"]
    known = table[(table["kind"] == "verdict") & (table["at"] <= walk.period.end(walk.as_of))]
    rows = pd.concat([known, store.outcomes.verdicts()], ignore_index=True)
    rows = rows.assign(at=pd.to_datetime(rows["at"])).sort_values("at", kind="stable")
    return rows.drop_duplicates("subject", keep="last").reset_index(drop=True)


def reasons_of_verdicts(verdicts: pd.DataFrame, learned: pd.Timestamp) -> tuple[str, ...]:
    """Why what people said of alerts speaks for training again; nothing where it does not.

    >>> said = pd.DataFrame({"value": ["false"] * 7 + ["hit"] * 3, "at": pd.Timestamp("2026-03-02")})
    >>> reasons_of_verdicts(said, pd.Timestamp("2026-03-01"))
    ('verdicts: of 10 alerts since it learned, 7 were false or missed by what people say',)
    >>> reasons_of_verdicts(said, pd.Timestamp("2026-03-03"))
    ()
    """
    since = verdicts[verdicts["at"] > learned]
    wrong = int(since["value"].isin(["false", "missed"]).sum())
    if len(since) < FEWEST or wrong <= WRONG * len(since):
        return ()
    said = f"of {len(since)} alerts since it learned, {wrong} were false or missed by what people say"
    return (f"verdicts: {said}",)


def said_of(verdicts: pd.DataFrame, asked: Sequence[Kept]) -> pd.DataFrame:
    """Verdicts and proposals to train again as rows that the run names."""
    rows = [
        ("retrain_proposal", one.proposal.proposal_id, one.proposal.segment, one.proposal.why["en"], "review")
        for one in asked
    ]
    told = pd.DataFrame(rows, columns=["kind", "subject", "value", "reason", "author"])
    moments = [one.made_at.replace(tzinfo=None) for one in asked]
    parts = [part for part in (verdicts, told.assign(at=pd.to_datetime(moments))) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else told


def heed_feedback(walk: Walk) -> None:
    """Train again where the model in force has not learned from the feedback that is known."""
    kept = walk.kept_model
    if kept is not None and kept.about.get("feedback", "") != walk.feedback.digest:
        walk.train()


def lead_times_around(
    supply_orders: pd.DataFrame, learned: pd.Timestamp, now: pd.Timestamp
) -> tuple[np.ndarray, np.ndarray]:
    """Days from order to receipt of what arrived in the year before a date, and of what arrived since."""
    came = supply_orders[supply_orders["received_on"].notna() & (supply_orders["received_on"] <= now)]
    days = (came["received_on"] - came["ordered_on"]).dt.days.to_numpy(dtype=float)
    since = (came["received_on"] > learned).to_numpy()
    recent = (came["received_on"] > learned - YEAR).to_numpy()
    told = np.isfinite(days) & (days >= 0)
    return days[told & recent & ~since], days[told & since]
