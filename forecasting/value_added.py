"""Forecast value added: whether planners who overrode the forecast came closer to demand than it did.

It owns the comparison of naive forecast, model and override on the same periods (Gilliland 2010, The Business
Forecasting Deal): each step has to pay for itself by a smaller error than the one before.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from forecasting.baselines import Baseline
from forecasting.models import DemandModel
from forecasting.panel import Panel

COLUMNS = ["sku", "location", "start", "end", "author", "override", "model", "naive", "actual"]
ADDED = ["model_added", "override_added"]
OVERALL = "overall"


def forecast_value_added(overrides: pd.DataFrame) -> pd.DataFrame:
    """What the model added to the naive forecast, and the override to the model, in units of absolute error.

    overrides: as COLUMNS; override, model, naive and actual in units, summed over the periods of the row

    Adds model_added, |naive - actual| - |model - actual|, and override_added, |model - actual| - |override -
    actual|: above zero where the step brought the forecast closer. The last row, "overall", sums them all.

    >>> row = pd.DataFrame([["tea", "x", "2024-03-01", "2024-03-07", "ann", 30.0, 20.0, 14.0, 27.0]],
    ...                    columns=COLUMNS)
    >>> forecast_value_added(row)[ADDED].to_numpy().tolist()
    [[6.0, 4.0], [6.0, 4.0]]
    """
    off = {name: (overrides[name] - overrides["actual"]).abs() for name in ("naive", "model", "override")}
    rows = overrides[COLUMNS].assign(
        model_added=off["naive"] - off["model"], override_added=off["model"] - off["override"]
    )
    if rows.empty:
        return rows
    sums = rows[["override", "model", "naive", "actual", *ADDED]].sum()
    return pd.concat([rows, pd.DataFrame([{"sku": OVERALL, **sums}])], ignore_index=True)[rows.columns]


def score_overrides(
    panel: Panel, rows: pd.DataFrame, model_at: Callable[[pd.Timestamp], DemandModel | None]
) -> pd.DataFrame:
    """The value that overrides added, of those whose periods are over and were observed throughout.

    rows: of feedback as `feedback.known_feedback` gives them
    model_at: the model that was in force at a date; None where there was none

    Model and naive forecast (the same weekday or month of the last season) say what they would have said at
    the end of the period in which the override was written, or of the last before those it is about. An
    override that was written after its periods had begun is no forecast and is left out.
    """
    rows = rows[(rows["kind"] == "override") & (rows["at"] <= rows["start"])]
    low, high, origin = _spans_of(panel, rows)
    series = _series_of(panel, rows)
    found = []
    over = (series >= 0) & (origin >= 0) & (high < panel.length)
    for k in np.flatnonzero(over):
        actual = panel.quantity[series[k], low[k] : high[k] + 1]
        model = model_at(panel.dates[origin[k]])
        if model is None or not np.isfinite(actual).all():
            continue
        after, until = low[k] - origin[k] - 1, high[k] - origin[k]
        sums = _said(panel, model, int(series[k]), int(origin[k]), np.array([after, until]))
        found.append(sums | {"row": k, "actual": float(actual.sum())})
    scored = pd.DataFrame(found, columns=["row", "model", "naive", "actual"])
    told = rows.iloc[scored["row"].to_numpy(dtype=int)].reset_index(drop=True)
    told = told.assign(override=pd.to_numeric(told["value"]))
    return forecast_value_added(pd.concat([told, scored.drop(columns="row")], axis=1))


def count_unscored(
    panel: Panel, rows: pd.DataFrame, model_at: Callable[[pd.Timestamp], DemandModel | None]
) -> dict[str, int]:
    """How many overrides are not scored although their periods are over, or never can be, by why.

    rows, model_at: as for `score_overrides`; nothing where all are
    """
    told = rows[rows["kind"] == "override"]
    late = (told["at"] > told["start"]).to_numpy()
    series = _series_of(panel, told)
    low, high, origin = _spans_of(panel, told)
    over = (series >= 0) & ~late & (high < panel.length)
    blind, early = np.zeros(len(told), dtype=bool), np.zeros(len(told), dtype=bool)
    for k in np.flatnonzero(over):
        early[k] = origin[k] < 0 or model_at(panel.dates[origin[k]]) is None
        blind[k] = not np.isfinite(panel.quantity[series[k], max(low[k], 0) : high[k] + 1]).all()
    counts = {
        "about no known series": (series < 0).sum(),
        "written after their first date": (late & (series >= 0)).sum(),
        "written before a model was in force": early.sum(),
        "about periods in which demand was not fully observed": (blind & ~early).sum(),
    }
    return {why: int(count) for why, count in counts.items() if count}


def _spans_of(panel: Panel, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(rows,) numbers of the first and last period of each override, and of the one it is judged from."""
    begin = int(panel.period.index(panel.as_of)[0]) + 1 - panel.length
    low, high = (panel.period.index(rows[name]) - begin for name in ("start", "end"))
    return low, high, np.minimum(panel.period.index(rows["at"]) - begin, low - 1)


def _series_of(panel: Panel, rows: pd.DataFrame) -> np.ndarray:
    """(rows,) number of the series that each row names, -1 where the panel has none such."""
    keys = pd.MultiIndex.from_frame(panel.keys[["sku", "location"]])
    return keys.get_indexer(pd.MultiIndex.from_frame(rows[["sku", "location"]]))


def _said(panel: Panel, model: DemandModel, series: int, origin: int, ends: np.ndarray) -> dict[str, float]:
    """Units that model and naive forecast expected between two numbers of periods after the origin."""
    one = np.array([series])
    past = panel.until(origin)
    mean = model.predict(past, int(ends[1]), one).mean[0]
    grid = np.unique(np.maximum(ends, 1))
    naive = Baseline("seasonal_naive").predict(past, one, np.array([origin]), grid).mean[0]
    sums = {"model": mean[ends - 1], "naive": naive[np.searchsorted(grid, ends)]}
    return {name: float(total[1] - (total[0] if ends[0] > 0 else 0.0)) for name, total in sums.items()}
