"""One log-linear model of all series (scikit-learn): few parameters, for histories that teach little.

It owns the model whose coefficients can be read: the logarithm of demand over its structural expectation is a
sum of standardised features, each of which may count for more or less as the horizon grows. Kept as JSON.
"""

import json
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from forecasting.alike import YEAR
from forecasting.features import NAMES, build_rows
from forecasting.forecaster import Prediction
from forecasting.panel import Panel
from forecasting.samples import MOST_OFF, training_rows
from ingestion.errors import Problem

# What only ever grows with time: a straight line through it says of next month what no month has shown.
COUNTERS = ("age", "observed")
# What comes once a year: nothing is told of it by a history that has seen it once.
YEARLY = ("holiday", "workday", "occasion", "event", "year")  # words in the names of features
EDGE = 0.005  # share of the training rows beyond which a feature is cut, on either side
FEW, MANY = 0.02, 0.98  # share of rows without a feature between which its absence is a feature of its own
MOST_SALES = 50.0  # a row weighs as the number of sales that it expects, between a tenth and this
RANGE = (
    -4.0,
    float(np.log(MOST_OFF)),
)  # of the logarithm: from 2% of what is expected to where targets are cut
# Which way a promotion of the window may move demand, so that one that is tried out never sells less.
SIGNS = {"promotion": 1, "promotion_change": 1, "promotion_first": 1, "fresh": 1, "until_promotion": -1}
PART = 50_000  # rows predicted at once: memory is bounded by it


@dataclass(frozen=True)
class Linear:
    """Parameters of the log-linear model.

    pairs: most pairs of series and origin that it learns from
    alpha: least penalty on squared coefficients of standardised features
    once: the penalty where history is as long as the horizon, less in proportion where it is longer: windows
        of the same time share their shocks, so that only as many teach as fit one behind the other
    """

    name: str = "linear"
    pairs: int = 20_000
    alpha: float = 0.05
    once: float = 3.0

    def fit(self, panel: Panel, origin: int, horizon: int, seed: int, threads: int) -> "FittedLinear":  # noqa: ARG002
        """Coefficients from windows that ended by `origin`; always one thread."""
        features, target, weight = training_rows(panel, origin, horizon, self.pairs, seed)
        if len(target) < 200 or not target.any():
            raise Problem(
                "the linear model needs at least 200 windows to learn from, some with demand, "
                f"found {len(target)} of which {np.count_nonzero(target)} have; "
                "use a baseline, or load more history"
            )
        scale = scale_of(features, origin + 1 >= 2 * YEAR[panel.period.name])
        columns = scale.columns(features)
        alpha = max(self.alpha, self.once * horizon / (origin + 1))
        mean = _glm((columns, scale.signs), target, weight * _sales(features), alpha)
        off = np.abs(target - np.exp(np.clip(_form(columns, mean), *RANGE)))
        spread = _glm((columns, scale.signs), off, weight, alpha)
        about = asdict(self) | {"rows": len(target), "alpha": alpha}
        return FittedLinear(self.name, scale, mean, spread, about)


@dataclass(frozen=True)
class Scale:
    """How features become columns: logarithm, cut, standardised; where one is missing its mean stands in.

    names: (k,) of the features used
    low, high, centre, width: (k,) of their signed logarithms
    gaps: (k,) bool, whether being missing is a column too
    """

    names: tuple[str, ...]
    low: np.ndarray
    high: np.ndarray
    centre: np.ndarray
    width: np.ndarray
    gaps: np.ndarray

    @property
    def signs(self) -> np.ndarray:
        """(columns,) 1 or -1 where a coefficient must not have the other sign, else 0."""
        own = np.array([SIGNS.get(name, 0) for name in self.names])
        return np.concatenate([own, np.zeros(np.sum(own == 0) + np.sum(self.gaps), dtype=int)])

    def columns(self, features: np.ndarray) -> np.ndarray:
        """Columns of features (rows, len(NAMES)): each; × horizon where its sign is free; is it missing."""
        values = _logarithms(features[:, [NAMES.index(name) for name in self.names]])
        missing = np.isnan(values)
        values = (np.clip(values, self.low, self.high) - self.centre) / self.width
        values[missing] = 0.0
        ahead = values[:, [self.names.index("horizon")]] if "horizon" in self.names else 0.0
        free = [name not in SIGNS for name in self.names]
        return np.concatenate([values, values[:, free] * ahead, missing[:, self.gaps]], axis=1)


def scale_of(features: np.ndarray, yearly: bool) -> Scale:
    """Learned from training rows (rows, len(NAMES)); features that never change are left out.

    yearly: whether the history is long enough for what comes once a year
    """
    values = _logarithms(features)
    share = np.isnan(values).mean(axis=0)
    names, numbers = [], []
    for k, name in enumerate(NAMES):
        known = values[~np.isnan(values[:, k]), k]
        once = not yearly and any(word in name for word in YEARLY)
        if name in COUNTERS or once or len(known) < 100:
            continue
        low, high = np.quantile(known, [EDGE, 1.0 - EDGE])
        cut = np.clip(known, low, high)
        if cut.std() > 1e-6:
            names.append(name)
            numbers.append((low, high, cut.mean(), cut.std(), FEW < share[k] < MANY))
    if not names:
        raise Problem("a linear model needs a feature that changes, found none; use a baseline")
    low, high, centre, width, gaps = np.array(numbers).T
    return Scale(tuple(names), low, high, centre, width, gaps.astype(bool))


@dataclass(frozen=True)
class FittedLinear:
    """The coefficients.

    mean, spread: (1 + columns,) of the logarithms of the mean and of the absolute error, constant first
    """

    name: str
    scale: Scale
    mean: np.ndarray
    spread: np.ndarray
    parameters: dict[str, Any]
    reads_plans = True

    def predict(
        self, panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
    ) -> Prediction:
        """Sums at every horizon; the spread is the geometric mean of learned error and own deviation."""
        rows = build_rows(panel, series, origin, horizons)
        flat = rows.features.reshape(-1, len(NAMES))
        ratio = np.empty((2, len(flat)))
        for low in range(0, len(flat), PART):
            columns = self.scale.columns(flat[low : low + PART])
            for k, coefficients in enumerate((self.mean, self.spread)):
                ratio[k, low : low + PART] = np.exp(np.clip(_form(columns, coefficients), *RANGE))
        mean, error = ratio.reshape(2, *rows.expected.shape) * rows.expected
        own = rows.summary.deviation(mean, horizons)
        size = np.where(rows.summary.size > 0, rows.summary.size, 1.0)[:, None]
        return Prediction(
            horizons=horizons,
            mean=mean,
            spread=np.maximum(np.sqrt(error * own), 1e-9),
            sales=rows.plain / size,
            levels=np.empty(0),
            quantiles=np.empty((*mean.shape, 0)),
            path=rows.path,
        )

    def write(self, folder: Path) -> dict[str, Any]:
        """Everything as one JSON file."""
        arrays = {key: value.tolist() for key, value in vars(self.scale).items() if key != "names"}
        parts = {"names": self.scale.names, "scale": arrays}
        parts |= {"mean": self.mean.tolist(), "spread": self.spread.tolist()}
        (folder / "linear.json").write_text(json.dumps(parts, indent=1), encoding="utf-8")
        return {"kind": "linear", "name": self.name, "parameters": self.parameters}


def read_linear(folder: Path, parts: dict[str, Any]) -> FittedLinear:
    """The model that `FittedLinear.write` put down; Problem where it needs features no longer built."""
    kept = json.loads((folder / "linear.json").read_text(encoding="utf-8"))
    lacking = sorted(set(kept["names"]) - set(NAMES))
    if lacking:
        raise Problem(
            f"a model's features must be built by this version, {', '.join(lacking)} are not; train again"
        )
    arrays = {key: np.array(value) for key, value in kept["scale"].items()}
    scale = Scale(tuple(kept["names"]), **arrays)
    return FittedLinear(
        parts["name"], scale, np.array(kept["mean"]), np.array(kept["spread"]), parts["parameters"]
    )


def _logarithms(features: np.ndarray) -> np.ndarray:
    """Signed log(1 + |x|) as float64, NaN where not finite: ratios become differences, peaks become small."""
    values = features.astype(float)
    values[~np.isfinite(values)] = np.nan
    return np.sign(values) * np.log1p(np.abs(values))


def _sales(features: np.ndarray) -> np.ndarray:
    """(rows,) sales that the windows expect: the weight of a row, for a ratio of many sales is less noisy."""
    expected = features[:, NAMES.index("sales_expected")].astype(float)
    return np.clip(np.nan_to_num(expected, nan=1.0), 0.1, MOST_SALES)


def _glm(
    columns: tuple[np.ndarray, np.ndarray], target: np.ndarray, weight: np.ndarray, alpha: float
) -> np.ndarray:
    """(1 + columns,) coefficients of a Poisson regression, constant first: right on average.

    columns: (rows, columns) and their signs; one whose coefficient would have the wrong sign is left out
    """
    # Loaded when used: a command that predicts needs the coefficients alone.
    library = import_module("sklearn.linear_model")
    table, signs = columns
    found = np.zeros(1 + table.shape[1])
    used = np.ones(table.shape[1], dtype=bool)
    wrong = used
    while wrong.any():
        model = library.PoissonRegressor(alpha=alpha, solver="newton-cholesky", max_iter=50)
        # More threads would add up in another order, and wait for each other where cores are not free.
        with threadpool_limits(1):
            model.fit(table[:, used], target, sample_weight=weight / weight.mean())
        found[0], found[1:][used], found[1:][~used] = model.intercept_, model.coef_, 0.0
        wrong = found[1:] * signs < 0
        used &= ~wrong
    return found


def _form(columns: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """(rows,) linear form; summed row by row, so that a row's answer does not depend on those beside it."""
    out: np.ndarray = (columns * coefficients[1:]).sum(axis=1) + coefficients[0]
    return out
