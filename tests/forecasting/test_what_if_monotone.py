"""A deeper promotion never sells less: what a planner who tries depths out must be able to trust."""

import numpy as np
import pandas as pd
import pytest

from forecasting.backtest import build_folds
from forecasting.calibration import calibrate
from forecasting.gbm import Gbm
from forecasting.models import DemandModel
from forecasting.overlay import lay_over
from forecasting.panel import Panel

DEPTHS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)


@pytest.fixture(scope="module")
def model(panel: Panel) -> DemandModel:
    """The global model, calibrated on windows that it did not learn from."""
    folds, gbm = build_folds(panel, 28, 6, 0), Gbm(trees=60)
    early = gbm.fit(panel, folds.fitted, 28, 0, 1)
    learned = calibrate(early.predict(panel, folds.series, folds.origin, folds.horizons), folds.actual)
    return DemandModel(gbm.fit(panel, panel.length - 1, 28, 0, 1), learned, panel.as_of.date().isoformat())


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 6), (4, 8), (10, 23)])
@pytest.mark.parametrize("sku", ["s02", "s05", "s09", "s11"])
def test_no_sum_that_contains_a_window_falls_with_its_depth(
    model: DemandModel, panel: Panel, first: int, last: int, sku: str
) -> None:
    dates, at = panel.dates[panel.length :], panel.keys["sku"].tolist().index(sku)
    said = pd.DataFrame([{"start": dates[first], "end": dates[last], "sku": sku}])
    answers = [
        model.predict(lay_over(panel, said.assign(promotion=depth)), panel.horizon, np.array([at]))
        for depth in DEPTHS
    ]
    mean = np.stack([one.mean[0, last:] for one in answers])
    quantiles = np.stack([one.quantiles[0, last:] for one in answers])
    slack = 1e-5 * np.maximum(mean[0], 1.0)  # single precision
    assert (np.diff(mean, axis=0) >= -slack).all()
    assert (np.diff(quantiles, axis=0) >= -slack[:, None]).all()
    assert (mean[-1] > mean[0]).all()
