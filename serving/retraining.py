"""Retraining: whether the model in force should learn again, why, and what planners' overrides were worth.

It owns the steps of `retrain`: look for drift, compare feedback, train where there is a reason, and score the
overrides whose periods are over. The daily job takes the part that is cheap: new feedback.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from forecasting.drift import DriftReport, detect_drift, reasons_to_retrain
from forecasting.feedback import known_feedback
from forecasting.training import TrainingReport
from forecasting.value_added import OVERALL, score_overrides
from serving.walk import Walk

YEAR = pd.Timedelta(days=365)  # lead times older than this say nothing about today's


@dataclass(frozen=True)
class Retraining:
    """What was found and done.

    because: why the model was trained again; empty where it stays
    drift: what was checked; None where no model was in force
    feedback_rows: rows of feedback that a model trained now learns from
    value_added: of overrides, as `value_added.forecast_value_added`
    report: of the training; None where the model stays
    """

    as_of: pd.Timestamp
    because: tuple[str, ...]
    drift: DriftReport | None
    feedback_rows: int
    value_added: pd.DataFrame
    report: TrainingReport | None

    def summary(self) -> dict[str, Any]:
        """The result in a few words, for people and programs."""
        return {
            "as_of": self.as_of.date().isoformat(),
            "retrained": self.report is not None,
            "because": list(self.because) or ["nothing: the model is recent, and nothing has changed"],
            "learned_until": None if self.drift is None else self.drift.learned.date().isoformat(),
            "feedback_rows": self.feedback_rows,
            "drift": [] if self.drift is None else self.drift.checks.round(4).to_dict("records"),
            "value_added": self.value_added.astype(object)
            .where(self.value_added.notna(), None)
            .to_dict("records"),
            "overrides_added": self._added(),
        }

    def _added(self) -> float | None:
        """Units of absolute error that overrides saved over the model; None where none could be scored."""
        rows = self.value_added
        return float(rows.loc[rows["sku"] == OVERALL, "override_added"].sum()) if len(rows) else None


def retrain(walk: Walk, *, force: bool = False) -> Retraining:
    """Train again where the model is due, has drifted or has not seen the feedback; say which.

    force: train whatever was found
    """
    kept = walk.kept_model
    drift: DriftReport | None = None
    because: tuple[str, ...] = ("first: no model is in force yet",)
    if kept is not None:
        panel = walk.panel
        walk.stage("looking for drift")
        learned, now = pd.Timestamp(kept.as_of), walk.period.end(walk.as_of)
        drift = detect_drift(panel, kept, lead_times_around(walk.tables["supply_orders"], learned, now))
        because = reasons_to_retrain(drift, kept.about.get("feedback", ""), walk.feedback.digest)
    if force and not because:
        because = ("asked: trained by force",)
    added = _value_added(walk)
    report = walk.train() if because else None
    return Retraining(walk.as_of, because, drift, walk.feedback.rows, added, report)


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


def _value_added(walk: Walk) -> pd.DataFrame:
    rows = known_feedback(walk.tables["feedback"], walk.period, walk.as_of)
    return score_overrides(walk.panel, rows, lru_cache(walk.kept_at))
