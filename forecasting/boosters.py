"""What the global model has fitted: its boosters, which answer for series and origins and can be kept.

It owns how an answer is put together: the base, the mean of the sums as a multiple of it, spread and
quantiles as multiples of both, averaged over the fits.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np

from forecasting import features, steps
from forecasting.covariates import columns_of
from forecasting.features import Rows, build_rows
from forecasting.forecaster import Prediction
from forecasting.panel import Panel
from forecasting.steps import build_steps
from ingestion.errors import Problem

BLOCK = 4000  # pairs whose steps are laid out at once: memory is bounded by it


class Boosters(NamedTuple):
    """Of one fit: of single periods where they are the base, and of the sums.

    sums: "mean", "spread" and one per raw quantile
    """

    step: lightgbm.Booster | None
    sums: dict[str, lightgbm.Booster]


@dataclass(frozen=True)
class FittedGbm:
    """The boosters of each fit, and what they are asked with."""

    name: str
    bags: tuple[Boosters, ...]
    levels: np.ndarray
    covariates: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)
    reads_plans = True

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums at every horizon, the average of the fits."""
        rows = build_rows(panel, series, origin, horizons, self.covariates)
        said = [self._said(bag, panel, (series, origin), rows) for bag in self.bags]
        mean, spread, quantiles, path = (np.mean(part, axis=0) for part in zip(*said, strict=True))
        size = np.where(rows.summary.size > 0, rows.summary.size, 1.0)[:, None]
        return Prediction(
            horizons=horizons,
            mean=mean,
            spread=_spread(spread, rows.summary.deviation(mean, horizons)),
            sales=rows.plain / size,
            levels=self.levels,
            quantiles=np.sort(quantiles, axis=2),
            path=path,
        )

    def _said(
        self, bag: Boosters, panel: Panel, pairs: tuple[np.ndarray, np.ndarray], rows: Rows
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Mean and absolute error (m, g), quantiles (m, g, levels) and path (m, H) of one fit, units.

        One thread: a few rows are quicker without a pool of them.
        """
        path = path_of(bag.step, panel, pairs, rows, self.covariates)
        base = path[:, rows.horizons - 1]
        flat = rows.features.reshape(-1, rows.features.shape[2])
        narrow = flat[:, unplanned((*features.NAMES, *columns_of(self.covariates)))]
        said, lift = (part.reshape(base.shape) * base for part in mean_said(bag.sums["mean"], flat))
        answer = {
            key: np.maximum(booster.predict(narrow, num_threads=1), 0.0).reshape(base.shape) * lift
            for key, booster in bag.sums.items()
            if key != "mean"
        }
        return said, answer["spread"], np.stack([answer[f"q{level}"] for level in self.levels], axis=2), path

    @property
    def importance(self) -> dict[str, float]:
        """Share of the gain of each feature in the mean of the sums, and of the single periods."""
        found: dict[str, float] = {}
        for prefix, boosters in (
            ("", [bag.sums["mean"] for bag in self.bags]),
            ("step: ", [bag.step for bag in self.bags if bag.step is not None]),
        ):
            if boosters:
                gain = np.sum([booster.feature_importance("gain") for booster in boosters], axis=0)
                share = gain / max(gain.sum(), 1e-12)
                found |= {
                    prefix + name: float(part)
                    for name, part in zip(boosters[0].feature_name(), share, strict=True)
                }
        return found

    def write(self, folder: Path) -> dict[str, Any]:
        """Each booster as LightGBM text."""
        for k, bag in enumerate(self.bags):
            every = bag.sums | ({"step": bag.step} if bag.step is not None else {})
            for key, booster in every.items():
                booster.save_model(folder / f"{self.name}-{k}-{key}.lightgbm.txt")
        return {
            "kind": "gbm",
            "name": self.name,
            "bags": len(self.bags),
            "boosters": list(self.bags[0].sums),
            "steps": self.bags[0].step is not None,
            "levels": self.levels.tolist(),
            "features": [*features.NAMES, *steps.NAMES],
            "covariates": list(self.covariates),
            "parameters": self.parameters,
        }


def path_of(
    step: lightgbm.Booster | None,
    panel: Panel,
    pairs: tuple[np.ndarray, np.ndarray],
    rows: Rows,
    covariates: tuple[str, ...],
) -> np.ndarray:
    """(m, H) base of the sums over 1 … H periods after the pairs (series, origin), units.

    step: of single periods; None for the structural base, which is that of `rows`
    """
    if step is None:
        return rows.path
    series, origin = pairs
    path = np.empty_like(rows.path)
    for part in np.array_split(np.argsort(origin, kind="stable"), max(-(-len(series) // BLOCK), 1)):
        built = build_steps(panel, series[part], origin[part], path.shape[1], covariates)
        flat = built.features.reshape(-1, built.features.shape[2])
        multiple = np.maximum(step.predict(flat, num_threads=1), 0.0)
        path[part] = np.cumsum(multiple.reshape(built.expected.shape) * built.expected, axis=1)
    return path


def read_gbm(folder: Path, parts: dict[str, Any]) -> FittedGbm:
    """The model that `FittedGbm.write` put down."""
    if parts["features"] != [*features.NAMES, *steps.NAMES]:
        raise Problem("the model was trained with other features than this version builds; train again")

    def booster(k: int, key: str) -> lightgbm.Booster:
        return lightgbm.Booster(model_file=folder / f"{parts['name']}-{k}-{key}.lightgbm.txt")

    return FittedGbm(
        parts["name"],
        tuple(
            Boosters(
                booster(k, "step") if parts["steps"] else None,
                {key: booster(k, key) for key in parts["boosters"]},
            )
            for k in range(parts["bags"])
        ),
        np.array(parts["levels"]),
        tuple(parts["covariates"]),
        parts["parameters"],
    )


def _spread(learned: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Geometric mean of the learned absolute error and the series' own deviation.

    The learned one knows the window, the own one what the sample never showed; each tames the other.
    """
    return np.maximum(np.sqrt(np.maximum(learned, 1e-9) * np.maximum(own, 1e-9)), 1e-9)


def mean_said(booster: lightgbm.Booster, table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows,) what the mean says, and what of it is owed to the series' own promotions: a multiple from 1."""
    at = {name: features.NAMES.index(name) for name in features.PROMOTED}
    planned = table[:, at["promotion"]] > 0
    said = np.maximum(booster.predict(table, num_threads=1), 1e-6)
    lift = np.ones(len(said))
    if planned.any():
        without = table[planned]
        without[:, at["promotion_change"]] -= without[:, at["promotion"]]
        without[:, at["until_promotion"]] = table[:, features.NAMES.index("horizon")].max() + 1.0  # never
        without[:, [at["promotion"], at["promotion_first"], at["fresh"]]] = 0.0
        plain = np.maximum(booster.predict(without, num_threads=1), 1e-6)
        lift[planned] = np.maximum(said[planned] / plain, 1.0)
    return said, lift


def unplanned(names: tuple[str, ...]) -> np.ndarray:
    """Positions of the features that the series' own promotions do not touch."""
    return np.array([k for k, name in enumerate(names) if name not in features.PROMOTED])
