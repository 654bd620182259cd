"""One global LightGBM for all series: a mean, a spread and quantiles of the sums, horizon a feature.

The target is demand over its structural expectation, so that one model serves a screw and a pallet. It is
trained on a bounded sample of (series, origin, horizon) rows: its time does not grow with the series.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from forecasting.features import NAMES, Rows, build_rows
from forecasting.forecaster import Prediction, knots
from forecasting.history import WINDOWS
from forecasting.panel import Panel
from ingestion.errors import Problem

MOST_OFF = 12.0  # a target is cut at this multiple of its expectation: one such row must not steer a mean
LEAST_SEEN = 0.75  # share of a window that must be observed for it to teach


@dataclass(frozen=True)
class Gbm:
    """Parameters of the global model.

    rows: most training rows
    trees, leaves, rate: size of each booster
    levels: of the raw quantiles
    """

    name: str = "lightgbm"
    rows: int = 60_000
    trees: int = 100
    leaves: int = 16
    rate: float = 0.09
    levels: tuple[float, ...] = (0.1, 0.5, 0.95)

    def fit(self, panel: Panel, origin: int, horizon: int, seed: int, threads: int) -> "FittedGbm":
        """Boosters fitted on windows that ended by `origin`."""
        features, target, weight = training_rows(panel, origin, horizon, self.rows, seed)
        if len(target) < 200:
            raise Problem(
                f"the global model needs at least 200 windows to learn from, found {len(target)}; "
                "use a baseline, or load more history"
            )
        data = lightgbm.Dataset(
            features, target, weight=weight, feature_name=list(NAMES), params={"max_bin": 127, "verbose": -1}
        )
        objectives: dict[str, dict[str, Any]] = {
            "mean": {"objective": "tweedie", "tweedie_variance_power": 1.2}
        }
        objectives |= {f"q{level}": {"objective": "quantile", "alpha": level} for level in self.levels}
        common = self._common(len(target), seed, threads)
        boosters = {key: lightgbm.train(common | more, data, self.trees) for key, more in objectives.items()}
        off = np.abs(target - boosters["mean"].predict(features, num_threads=threads))
        boosters["spread"] = lightgbm.train(
            common | {"objective": "tweedie", "tweedie_variance_power": 1.5, "num_leaves": 15},
            lightgbm.Dataset(features, off, weight=weight, feature_name=list(NAMES), params={"verbose": -1}),
            self.trees * 2 // 3,
        )
        return FittedGbm(self.name, boosters, np.array(self.levels), asdict(self) | {"rows": len(target)})

    def _common(self, rows: int, seed: int, threads: int) -> dict[str, Any]:
        return {
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": int(np.clip(rows // 500, 20, 100)),
            "feature_fraction": 0.7,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "max_bin": 127,
            "deterministic": True,
            "force_row_wise": True,
            "seed": seed,
            "num_threads": threads,
            "verbose": -1,
        }


@dataclass(frozen=True)
class FittedGbm:
    """The boosters: "mean", "spread" and one per raw quantile."""

    name: str
    boosters: dict[str, lightgbm.Booster]
    levels: np.ndarray
    parameters: dict[str, Any] = field(default_factory=dict)

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums at every horizon; one thread, for a few rows are quicker without a pool of them."""
        rows = build_rows(panel, series, origin, horizons)
        flat = rows.features.reshape(-1, len(NAMES))
        shape = rows.expected.shape
        answer = {
            key: np.maximum(booster.predict(flat, num_threads=1), 0.0).reshape(shape) * rows.expected
            for key, booster in self.boosters.items()
        }
        quantiles = np.stack([answer[f"q{level}"] for level in self.levels], axis=2)
        size = np.where(rows.summary.size > 0, rows.summary.size, 1.0)[:, None]
        return Prediction(
            horizons=horizons,
            mean=answer["mean"],
            spread=_spread(answer["spread"], rows),
            sales=answer["mean"] / size,
            levels=self.levels,
            quantiles=np.sort(quantiles, axis=2),
            path=rows.path,
        )

    def write(self, folder: Path) -> dict[str, Any]:
        """Each booster as LightGBM text."""
        for key, booster in self.boosters.items():
            booster.save_model(folder / f"{key}.lightgbm.txt")
        return {
            "kind": "gbm",
            "name": self.name,
            "boosters": list(self.boosters),
            "levels": self.levels.tolist(),
            "features": list(NAMES),
            "parameters": self.parameters,
        }


def read_gbm(folder: Path, parts: dict[str, Any]) -> FittedGbm:
    """The model that `FittedGbm.write` put down."""
    if parts["features"] != list(NAMES):
        raise Problem("the model was trained with other features than this version builds; train again")
    boosters = {key: lightgbm.Booster(model_file=folder / f"{key}.lightgbm.txt") for key in parts["boosters"]}
    return FittedGbm(parts["name"], boosters, np.array(parts["levels"]), parts["parameters"])


def _spread(learned: np.ndarray, rows: Rows) -> np.ndarray:
    """Geometric mean of the learned absolute error and the series' own deviation.

    The learned one knows the window, the own one what the sample never showed; each tames the other.
    """
    own = rows.summary.sd[:, None] * np.sqrt(rows.horizons)[None, :]
    return np.maximum(np.sqrt(np.maximum(learned, 1e-9) * np.maximum(own, 1e-9)), 1e-9)


def training_rows(
    panel: Panel, origin: int, horizon: int, most: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (rows, names), targets and weights (rows,) of windows that ended by period `origin`.

    Three horizons are drawn of each of some `most` / 3 pairs; at most 100 distinct origins, for what all
    series do together is summed up once per origin.
    """
    rng = np.random.default_rng(seed)
    grid = knots(horizon)
    grid = grid[grid <= max(origin // 2, 1)]
    panel = panel.until(origin)
    shortest = WINDOWS[panel.period.name][1]
    low = min(max(origin // 5, shortest), max(origin - 2, 0))
    low = max(low, origin - 3 * WINDOWS[panel.period.name][-1])
    origins = np.unique(np.linspace(low, max(origin - 1, low), 100).astype(int))
    per_pair = min(3, len(grid))
    pairs = most // per_pair
    series, at = rng.integers(0, panel.series, pairs), rng.choice(origins, pairs)
    young = panel.first[series] > at - shortest // 3
    series, at = series[~young], at[~young]
    rows = build_rows(panel, series, at, grid)
    usable = (rows.complete >= LEAST_SEEN) & (rows.expected > 0)
    usable &= rng.random(usable.shape) < per_pair / len(grid)
    target = rows.actual[usable] / (rows.expected * rows.complete)[usable]
    return rows.features[usable], np.minimum(target, MOST_OFF), rows.complete[usable]
