"""What all tests share: where the real data and the browser are."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets; absent, the test skips, or fails where they are required."""
    if DATA.is_dir():
        return DATA
    reason = f"the real data sets are not part of the repository and {DATA} does not exist"
    if os.environ.get("FORESTOCK_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; absent, the test skips, or fails where everything is required."""
    path = os.environ.get("FORESTOCK_TEST_BROWSER", "/usr/bin/chromium")
    if Path(path).exists():
        return path
    reason = f"the page tests need chromium and {path} does not exist; set FORESTOCK_TEST_BROWSER"
    if os.environ.get("FORESTOCK_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tried() -> Callable[..., Any]:
    """Gives a training report whose trials are of the named candidates, judged as training judges."""
    from forecasting.backtest import build_folds, losses, score
    from forecasting.calibration import calibrate
    from forecasting.trials import Trial

    def trials_of(report: Any, panel: Any, candidates: Sequence[Any]) -> Any:
        folds = build_folds(panel, panel.horizon, 8, 0)
        at = np.unique(folds.origin)
        late = folds.origin >= at[len(at) // 2]
        judged, found = folds.take(late), []
        for candidate in candidates:
            began = time.perf_counter()
            fitted = candidate.fit(panel, folds.fitted, panel.horizon, 0, 1)
            said = fitted.predict(panel, folds.series, folds.origin, folds.horizons)
            quantiles = calibrate(said.take(~late), folds.actual[~late]).quantiles(said.take(late))
            mean, loss = said.mean[late], losses(judged, quantiles)
            gain = getattr(fitted, "boosters", {}).get("mean")
            importance = pd.Series(dtype=float)
            if gain is not None:
                importance = pd.Series(gain.feature_importance("gain"), index=gain.feature_name())
                importance = importance.sort_values(ascending=False) / importance.sum()
            found.append(
                Trial(
                    candidate.name,
                    plain=gain is None,
                    mean=mean,
                    quantiles=quantiles,
                    loss=loss,
                    scores=score(panel, judged, mean, quantiles),
                    cost=1.5,
                    seconds=time.perf_counter() - began,
                    parameters={"trees": 10},
                    importance=importance,
                )
            )
        found.sort(key=lambda trial: trial.name != report.champion)
        return replace(report, trials=tuple(found), folds=judged)

    return trials_of
