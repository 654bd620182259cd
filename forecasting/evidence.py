"""What a run keeps of a trial: measures, the table of its folds, its calibration, and pictures of them.

It owns the files that are logged beside a run, so that a comparison can be checked or made anew without
training again. Takes trials and folds from training; knows no tracking library.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting.backtest import SCORED, Folds
from forecasting.calibration import places
from forecasting.cumulative import LEVELS
from forecasting.panel import Panel
from forecasting.pictures import calibration_picture, importance_picture, residual_picture
from forecasting.trials import Trial

MEASURES = (
    "pinball",
    "pinball_partial",
    "bias",
    *(f"{side}_{level}" for level in SCORED for side in ("below", "within")),
)
MOST_ROWS = 20_000  # of the kept table of folds: enough to look at, and half a megabyte
BINS = 20


def measures(trial: Trial) -> dict[str, float]:
    """Every finite measure: overall under its own name, others as segment/measure."""
    found = {"cost": trial.cost, "seconds": trial.seconds}
    for row in trial.scores.to_dict("records"):
        prefix = "" if row["segment"] == "all" else f"{row['segment']}/"
        found |= {prefix + name: float(row[name]) for name in (*MEASURES, "windows")}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def fold_table(panel: Panel, folds: Folds, trial: Trial, most: int = MOST_ROWS) -> pd.DataFrame:
    """One row per judged window: what was said, what happened and what it cost.

    most: rows kept; of more, whole pairs of series and origin are left out evenly, the same for every trial
    Columns: sku, location, origin (date of the last known period), horizon, clean, actual, mean and
    q0.5 … q0.99 (units), loss (scaled pinball, empty where the window was not scored).
    """
    length = len(folds.horizons)
    count = min(len(folds.series), max(most // length, 1))
    rows = np.unique(np.linspace(0, len(folds.series) - 1, count).astype(int)) if count else np.arange(0)
    kept = folds.take(rows)
    keys = panel.keys.iloc[np.repeat(kept.series, length)].reset_index(drop=True)
    quantiles = trial.quantiles[rows][:, :, np.searchsorted(LEVELS, SCORED)]
    columns = {"actual": kept.actual, "mean": trial.mean[rows]}
    columns |= {f"q{level:g}": quantiles[:, :, k] for k, level in enumerate(SCORED)}
    columns["loss"] = trial.loss[rows]
    return keys.assign(
        origin=np.repeat(panel.dates[kept.origin], length),
        horizon=np.tile(kept.horizons, len(rows)),
        clean=kept.clean.ravel(),
        **{name: values.ravel().astype(np.float32) for name, values in columns.items()},
    )


def demand_places(folds: Folds, trial: Trial) -> np.ndarray:
    """(k,) level that demand had in its distribution, of clean windows (PIT)."""
    clean = folds.clean & np.isfinite(folds.actual)
    return places(trial.quantiles, np.nan_to_num(folds.actual))[clean]


def calibration(folds: Folds, trial: Trial) -> dict[str, Any]:
    """The histogram of demand's places, and coverage by segment and level, fit for JSON."""
    found = demand_places(folds, trial)
    count, edges = np.histogram(found, bins=BINS, range=(0, 1))
    coverage = [
        {
            "segment": row["segment"],
            "level": level,
            "below": _plain(row[f"below_{level}"]),
            "within": _plain(row[f"within_{level}"]),
            "windows": int(row["windows"]),
        }
        for row in trial.scores.to_dict("records")
        for level in SCORED
    ]
    pit = {"edges": edges.round(4).tolist(), "windows": count.tolist()}
    return {"pit": pit, "coverage": coverage}


def write_evidence(folder: Path, panel: Panel, folds: Folds, trial: Trial) -> None:
    """Write a trial's tables and pictures into `folder`, which is made."""
    folder.mkdir(parents=True)
    trial.scores.to_csv(folder / "scores.csv", index=False)
    fold_table(panel, folds, trial).to_parquet(folder / "folds.parquet", index=False)
    text = json.dumps(calibration(folds, trial), indent=1)
    (folder / "calibration.json").write_text(text, encoding="utf-8")
    pictures = {
        "calibration.png": calibration_picture(trial, demand_places(folds, trial)),
        "residuals.png": residual_picture(trial, folds),
    }
    if len(trial.importance):
        pictures["importance.png"] = importance_picture(trial.importance)
        trial.importance.rename_axis("feature").rename("share").to_csv(folder / "importance.csv")
    for name, figure in pictures.items():
        figure.savefig(folder / name)


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
