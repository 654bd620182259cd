"""Standby: the panel and the model of the last published run, held ready so that what-ifs are quick.

It owns what the service keeps in memory for that and how long callers wait. Nothing is read before the first
question; one snapshot is held at a time, and one question is worked on at a time. Held are the panel's dense
arrays (about 30 bytes per series and period) and the model; while they are read, the tables beside them.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.models import DemandModel
from forecasting.overlay import reached
from forecasting.panel import Panel
from ingestion.errors import DataError, Problem
from serving.settings import Settings
from serving.store.snapshots import Snapshot
from serving.store.store import Missing
from serving.walk import Walk
from serving.what_if import Comparison, Tried, compare, fit_to

MOST_SERIES = 500  # of one answer
PATIENCE = 10.0  # seconds to wait for the question before
WAITING = 4  # questions that may wait; a service must not spend its threads on them

log = logging.getLogger(__name__)


class Busy(Problem):
    """Too many what-ifs at once."""


class Outdated(Problem):
    """The workspace has moved on since the last run, or is not the one that ran."""


@dataclass(frozen=True)
class Held:
    """What answers, and the snapshot that it belongs to."""

    snapshot: Snapshot
    panel: Panel
    model: DemandModel

    @property
    def bytes(self) -> int:
        """Memory of the panel's arrays."""
        values = [*vars(self.panel).values(), *self.panel.covariates.values()]
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))


@dataclass(frozen=True)
class Place:
    """Which series are asked for; what is None is not asked."""

    sku: str | None = None
    location: str | None = None
    category: str | None = None


class Standby:
    """Answers what-ifs about the last published run of a workspace."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._room = threading.BoundedSemaphore(WAITING + 1)
        self._held: Held | None = None

    def compare(
        self,
        snapshot: Snapshot,
        tried: Tried,
        place: Place,
        *,
        longest: int = 1,
        instead: bool = False,
    ) -> Comparison:
        """Demand before and after checked plans, of the series asked for; else of those the plans speak of.

        longest: the longest sum that is wanted, periods; refused where the run looked less far ahead
        Busy where others wait already; Outdated where the workspace is not as the run left it; Missing where
        no such series is forecast; DataError for plans that do not fit and questions that are too large.
        """
        with self._alone():
            held = self._ready(snapshot)
            most = held.panel.horizon
            if longest > most:
                raise DataError(f"horizons must lie in 1–{most}, got {longest}; ask for up to {most} periods")
            tried = fit_to(held.panel, tried)
            series = chosen(held.panel, place, tried.rows)
            return compare(held.model, held.panel, tried, instead=instead, series=series)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One question at a time, few waiting."""
        busy = "what-ifs are answered one at a time, others are waiting; try again in a minute"
        if not self._room.acquire(blocking=False):
            raise Busy(busy)
        try:
            if not self._turn.acquire(timeout=PATIENCE):
                raise Busy(busy)
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._room.release()

    def _ready(self, snapshot: Snapshot) -> Held:
        """The panel and the model of a snapshot, read where another or none is held."""
        if self._held is None or _identity(self._held.snapshot) != _identity(snapshot):
            self._held = None  # so that two are never held
            self._held = hold(self._settings, snapshot)
            log.info("what-ifs of %s: %.0f MiB held", snapshot.as_of, self._held.bytes / 2**20)
        return self._held


def hold(settings: Settings, snapshot: Snapshot) -> Held:
    """The panel and the model that a snapshot was computed from; Outdated where they are not there."""
    remedy = "run: forestock run, and serve the workspace that ran"
    try:
        walk = Walk(settings, pd.Timestamp(snapshot.as_of))
        same = walk.digest == snapshot.data_digest
    except Problem as problem:
        raise Outdated(
            f"the data of the last run cannot be read: {_without_remedy(problem)}; {remedy}"
        ) from None
    if not same:
        raise Outdated(f"the data must be those of the last run, other tables were loaded since; {remedy}")
    model = walk.kept_model
    if model is None or model.version != snapshot.model_version:
        there = model.version if model else "none"
        raise Outdated(
            f"the model in force must be that of the last run ({snapshot.model_version}), "
            f"it is {there}; {remedy}"
        )
    return Held(snapshot, walk.panel, model)


def chosen(panel: Panel, place: Place, plans: pd.DataFrame) -> np.ndarray:
    """Numbers of the series asked for, else of those the plans speak of; at most MOST_SERIES."""
    asked = {name: value for name, value in vars(place).items() if value is not None}
    found = np.ones(panel.series, dtype=bool) if asked else reached(panel, plans).series
    for name, value in asked.items():
        known = panel.keys[name] if name in panel.keys else panel.attributes.get(name)
        found &= np.zeros(panel.series, dtype=bool) if known is None else (known == value).to_numpy()
    if not found.any():
        what = ", ".join(f"{name} {value!r}" for name, value in asked.items())
        raise Missing(f"{what} is not forecast; check the spelling, or see what is: GET /v1/forecasts")
    if found.sum() > MOST_SERIES:
        raise DataError(
            f"a what-if answers for at most {MOST_SERIES} series, got {int(found.sum())}; "
            "narrow it by sku, location or category"
        )
    return np.flatnonzero(found)


def _identity(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.as_of, snapshot.data_digest, snapshot.model_version


def _without_remedy(problem: Problem) -> str:
    return str(problem).rpartition("; ")[0] or str(problem)
