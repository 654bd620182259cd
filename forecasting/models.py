"""DemandModel: a fitted forecaster with its calibration, which answers for every series there is.

It owns the answer: sums between the asked horizons, items with too little history of their own, and items
that are fading out. It can be kept in a folder and read back.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from forecasting.baselines import Baseline
from forecasting.boosters import read_gbm
from forecasting.calibration import Calibration, read_calibration
from forecasting.cumulative import LEVELS, CumulativeDemand, in_units, monotone
from forecasting.ensemble import SEGMENTS, Ensemble, Member
from forecasting.fallback import pooled_rows
from forecasting.forecaster import LEAST_OBSERVED, Fitted, between, knots
from forecasting.linear import read_linear
from forecasting.panel import Panel
from forecasting.persisted import seal, verify
from forecasting.statistical import read_statistical
from ingestion.errors import Problem

# What reads each kind of fitted model back; a model of one's own adds its line here.
READERS: dict[str, Callable[[Path, dict[str, Any]], Fitted]] = {
    "gbm": read_gbm,
    "linear": read_linear,
    "statistical": read_statistical,
    "baseline": lambda _, parts: Baseline(parts["name"]),
}
CHUNK = 4000  # series predicted at once: memory is bounded by it


@dataclass(frozen=True)
class DemandModel:
    """What predicts demand.

    fitted: the forecaster that was chosen
    calibration: learned from its past errors
    as_of: first date of the last period it has learned from, ISO
    version: content hash of its files; "" before it was saved
    about: how it was trained, for people
    """

    fitted: Fitted
    calibration: Calibration
    as_of: str
    version: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The forecaster's name."""
        return self.fitted.name

    @property
    def reads_plans(self) -> bool:
        """Whether promotions, prices and events ahead change what it says."""
        return self.fitted.reads_plans

    def predict(self, panel: Panel, horizon: int, series: np.ndarray | None = None) -> CumulativeDemand:
        """Sums over the next 1 … `horizon` periods after the as-of date.

        series: (m,) numbers of those that are asked for, None for all; each is told as among all, for what
            one series sells depends on what its category does
        Raises Problem where the panel's known future is shorter than the horizon.
        """
        if horizon > panel.horizon:
            raise Problem(
                f"the panel knows {panel.horizon} periods ahead, got horizon {horizon}; build it for more"
            )
        n = panel.series
        asked = np.arange(n) if series is None else np.asarray(series, dtype=np.int64)
        mean = np.zeros((n, horizon), dtype=np.float32)
        quantiles = np.zeros((n, horizon, len(LEVELS)), dtype=np.float32)
        count = panel.observed.sum(axis=1)
        able = np.flatnonzero(count >= LEAST_OBSERVED[panel.period.name])
        unable = np.setdiff1d(asked, able)
        # Who cannot speak for itself borrows from peers, and any of the able may be one.
        told = able if len(unable) else np.intersect1d(asked, able)
        for part in np.array_split(told, max(-(-len(told) // CHUNK), 1)):
            if len(part):
                mean[part], quantiles[part] = self._sums(panel, part, horizon)
        method = np.where(count >= LEAST_OBSERVED[panel.period.name], self.name, "pooled").astype(object)
        if len(unable):
            mean[unable], quantiles[unable], method[unable] = pooled_rows(
                panel, unable, able, mean, quantiles
            )
        mean, quantiles = _fade(panel, asked, mean[asked], quantiles[asked])
        return CumulativeDemand(
            keys=panel.keys.iloc[asked].reset_index(drop=True),
            as_of=panel.as_of,
            period=panel.period,
            quantiles=in_units(monotone(quantiles), panel.whole[asked, None, None]),
            mean=np.maximum.accumulate(mean, axis=1),
            levels=LEVELS,
            correlation=self.calibration.correlation,
            method=method[asked],
        )

    def _sums(self, panel: Panel, series: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
        """Means (m, H) and quantiles (m, H, LEVELS) of some series."""
        origin = np.full(len(series), panel.length - 1)
        prediction = self.fitted.predict(panel, series, origin, knots(horizon))
        rows = self.calibration.quantiles(prediction)
        every = np.concatenate([prediction.mean[:, :, None], rows], axis=2)
        every = between(prediction, every)
        return every[:, :, 0], every[:, :, 1:]

    def save(self, folder: Path) -> "DemandModel":
        """Write the model's files into `folder`, which is made; the model with its version."""
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        parts = {
            "model": self.fitted.write(folder),
            "as_of": self.as_of,
            "about": self.about,
            "calibration": self.calibration.write(folder, "model"),
        }
        (folder / "model.json").write_text(json.dumps(parts, indent=1, sort_keys=True), encoding="utf-8")
        return DemandModel(self.fitted, self.calibration, self.as_of, seal(folder), self.about)


def load_model(folder: Path) -> DemandModel:
    """The model kept in `folder`; Problem where a file was changed, is foreign, missing or too old."""
    version = verify(folder)
    parts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    try:
        return DemandModel(
            _read_fitted(folder, parts["model"]),
            read_calibration(folder, parts["calibration"]),
            parts["as_of"],
            version,
            parts["about"],
        )
    except KeyError as missing:
        raise Problem(
            f"the model does not state its {missing}: another version of the program wrote it; train again"
        ) from missing


def _read_fitted(folder: Path, parts: dict[str, Any]) -> Fitted:
    """The fitted model that its `write` put down."""
    if parts["kind"] == "ensemble":
        return Ensemble(
            tuple(
                Member(
                    _read_fitted(folder, one["model"]),
                    read_calibration(folder, one["calibration"]),
                    *(np.array([one[key][name] for name in SEGMENTS]) for key in ("weight", "mean_weight")),
                )
                for one in parts["members"]
            )
        )
    return READERS[parts["kind"]](folder, parts)


def _fade(
    panel: Panel, series: np.ndarray, mean: np.ndarray, quantiles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Demand of phased-out items shrinks by a share each period; an item not yet launched has none."""
    step = np.arange(mean.shape[1])
    left = panel.fade[series, None] ** (step + 1)[None, :]
    waiting = panel.length + step[None, :] < panel.start[series, None]
    left = np.where(waiting, 0.0, left)
    if (left == 1.0).all():
        return mean, quantiles
    daily = np.diff(mean, axis=1, prepend=0.0)
    faded = np.cumsum(daily * left, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(mean > 0, faded / mean, np.minimum(left, 1.0))
    return faded, quantiles * share[:, :, None]
