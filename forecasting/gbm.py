"""One global LightGBM for all series: quantiles and the spread of the sums, on a base that is learned too.

It owns two candidates that differ in their base. On the structural expectation the sums are learned
directly; on steps a first model learns single periods, which know on which day a promotion starts, and the
sums correct what those add up to. Either is the average of a few fits (Breiman 1996), each on a bounded
sample of rows of its own: what one sample happens to teach is not repeated, and time does not grow with the
series. Where a tree may split a feature is drawn and not sought (Geurts, Ernst and Wehenkel 2006), so that no
split rests on where a few rows happened to fall. Promotion depth moves the base alone, which never falls in
it; the mean of the sums only sees whether periods are promoted, and never falls in that; spread and quantiles
are multiples of the mean that do not see the series' own promotions at all. So more promotion is never
expected to sell less.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import lightgbm
import numpy as np

from forecasting import features, steps
from forecasting.boosters import BLOCK, Boosters, FittedGbm, mean_said, path_of, unplanned
from forecasting.covariates import columns_of, covariates_for
from forecasting.features import build_rows
from forecasting.forecaster import knots
from forecasting.panel import Panel
from forecasting.samples import MOST_OFF, ahead_of, targets_of, training_pairs
from forecasting.steps import build_steps
from ingestion.errors import Problem

LEAST = 200  # rows to learn from
BINS = 255
# A period is the target of many origins. Of few series more repeats than this cost time and are learned by
# heart: on thirty series of 430 days this takes a third of the time and loses 1 % less, as on FreshRetail.
AGAIN = 2.5
# Trees of a quantile take twice the time of those of a mean: fewer, each by so much the longer a step.
FEWER = 2 / 3
STEP_SIGNS = {"planned": 1, "lift": 1}
SUM_SIGNS = dict.fromkeys(features.PROMOTED, 1) | {"until_promotion": -1}
Base = Literal["structure", "steps"]


class StepFit(NamedTuple):
    """How the model of single periods is fitted, beside the boosters of the sums.

    cells: most periods that it learns from; each of a history is among them AGAIN times at most on average
    worth: a period counts for this power of what is expected of it, over the average of its window: 1 were
        right for the noise of counts, 2 for squared errors in units
    leaves, trees, rate: multiples of the boosters' own
    """

    cells: int
    worth: float
    leaves: int
    trees: float
    rate: float


# Days hold weekdays and runs of promotions to tell apart: fits twice as fine make promoted days 1 % more
# accurate. On weeks they follow noise: sums come out 2 % too low.
FINER, PLAIN = StepFit(240_000, 2.0, 4, 2.25, 2 / 3), StepFit(120_000, 1.5, 2, 1.5, 1.0)
STEP_FITS = {"day": FINER, "week": PLAIN, "month": PLAIN}


@dataclass(frozen=True)
class Gbm:
    """Parameters of the global model.

    base: what the sums are learned against, the structural expectation or a model of single periods
    bags: fits that are averaged
    pairs: most pairs of series and origin that each of them learns from
    trees, leaves, rate: size of each booster
    levels: of the raw quantiles
    """

    name: str = "lightgbm"
    base: Base = "structure"
    bags: int = 3
    pairs: int = 30_000
    trees: int = 100
    leaves: int = 16
    rate: float = 0.09
    levels: tuple[float, ...] = (0.5, 0.95)

    def fit(self, panel: Panel, origin: int, horizon: int, seed: int, threads: int) -> "FittedGbm":
        """Boosters fitted on windows that ended by `origin`, one a thread; results do not depend on it."""
        panel = panel.until(origin)
        covariates = covariates_for(panel)
        about = asdict(self) | {"seed": seed}

        def begin(k: int) -> _Begun:
            return self._begin(panel, horizon, covariates, seed * self.bags + k)

        with ThreadPoolExecutor(max(threads, 1)) as pool:
            begun = pool.map(begin, range(self.bags))
            # What follows from a mean joins the queue as soon as that is there: no core waits for another.
            queued = [
                (one, {key: pool.submit(*job) for key, job in self._rest(one).items()}) for one in begun
            ]
            bags = [
                Boosters(one.step, {"mean": one.mean} | {key: job.result() for key, job in jobs.items()})
                for one, jobs in queued
            ]
        return FittedGbm(self.name, tuple(bags), np.array(self.levels), covariates, about)

    def _begin(self, panel: Panel, horizon: int, covariates: tuple[str, ...], seed: int) -> "_Begun":
        """A sample of its own, the base where it is learned, and the mean of the sums as a multiple of it."""
        rng = np.random.default_rng(seed)
        origin = panel.length - 1
        grid = knots(horizon)
        grid = grid[grid <= max(origin // 2, 1)]
        series, at = training_pairs(panel, min(self.pairs, 2_000_000 // int(grid[-1])), rng)
        step = None
        if self.base == "steps":
            step = self._fit_steps(panel, (series, at), int(grid[-1]), rng, seed)
        rows = build_rows(panel, series, at, grid, covariates)
        path = path_of(step, panel, (series, at), rows, covariates)
        paths = path, rows.course if step is None else path
        table, target, weight = targets_of(paths, panel, (at, rows), rng)
        if len(target) < LEAST:
            raise Problem(
                f"the global model needs at least {LEAST} windows to learn from, found {len(target)}; "
                "use a baseline, or load more history"
            )
        names = (*features.NAMES, *columns_of(covariates))
        more = {
            "objective": "tweedie",
            "tweedie_variance_power": 1.2,
            "monotone_constraints": [SUM_SIGNS.get(name, 0) for name in names],
        }
        data = _dataset(table, target, weight, names)
        mean = lightgbm.train(self._common(len(target), seed) | more, data, self.trees)
        said, lift = mean_said(mean, table)
        kept = unplanned(names)
        fewer = tuple(names[k] for k in kept)
        narrow = _dataset(table[:, kept], target, weight, fewer).construct()
        return _Begun(step, mean, narrow, (target / lift, np.abs(target - said) / lift), seed)

    def _rest(self, begun: "_Begun") -> dict[str, tuple[Any, ...]]:
        """Quantiles and spread as multiples of the base with what the mean expects of the series' own
        promotions, which they do not see: of each the function that fits it and its arguments.
        """
        ratio, off = begun.targets
        spread = {"objective": "tweedie", "tweedie_variance_power": 1.5}
        jobs: dict[str, tuple[Any, ...]] = {
            f"q{level}": (
                self._fit_narrow,
                begun,
                {"objective": "quantile", "alpha": level, "learning_rate": self.rate / FEWER},
                ratio,
                round(FEWER * self.trees),
            )
            for level in self.levels
        }
        return jobs | {"spread": (self._fit_narrow, begun, spread, off, self.trees // 2)}

    def _fit_narrow(
        self, begun: "_Begun", more: dict[str, Any], target: np.ndarray, trees: int
    ) -> lightgbm.Booster:
        # What of the features has been cut into bins is shared; the target is each fit's own.
        data = begun.narrow.subset(np.arange(len(target))).construct().set_label(target)
        return lightgbm.train(self._common(len(target), begun.seed) | more, data, trees)

    def _fit_steps(
        self,
        panel: Panel,
        pairs: tuple[np.ndarray, np.ndarray],
        horizon: int,
        rng: np.random.Generator,
        seed: int,
    ) -> lightgbm.Booster:
        """Demand of a single period as a multiple of its structural expectation."""
        covariates, way = covariates_for(panel), STEP_FITS[panel.period.name]
        tables, targets, worths = [], [], []
        cells = min(way.cells, AGAIN * int(panel.observed.sum()))
        share = cells / max(len(pairs[0]) * horizon, 1)
        for part in np.array_split(np.argsort(pairs[1], kind="stable"), max(-(-len(pairs[0]) // BLOCK), 1)):
            series, at = pairs[0][part], pairs[1][part]
            built = build_steps(panel, series, at, horizon, covariates)
            actual = ahead_of(panel.quantity, series, at, horizon)
            used = np.isfinite(actual) & (built.expected > 0) & (rng.random(actual.shape) < share)
            tables.append(built.features[used])
            targets.append(actual[used] / built.expected[used])
            usual = built.expected.mean(axis=1, keepdims=True)
            worths.append(((built.expected / np.maximum(usual, 1e-9)) ** way.worth)[used])
        names = (*steps.NAMES, *columns_of(covariates))
        target = np.minimum(np.concatenate([np.empty(0), *targets]), MOST_OFF)
        if len(target) < LEAST:
            raise Problem(
                f"the model of single periods needs at least {LEAST} of them, found {len(target)}; "
                "use a baseline, or load more history"
            )
        more = {
            "objective": "tweedie",
            "tweedie_variance_power": 1.5,  # a wild day must not outvote the others of its kind
            "num_leaves": way.leaves * self.leaves - 1,
            "learning_rate": way.rate * self.rate,
            "feature_fraction": 0.5,
            "monotone_constraints": [STEP_SIGNS.get(name, 0) for name in names],
        }
        data = _dataset(np.concatenate(tables), target, np.concatenate(worths), names)
        return lightgbm.train(self._common(len(target), seed) | more, data, int(way.trees * self.trees))

    def _common(self, rows: int, seed: int) -> dict[str, Any]:
        return {
            "learning_rate": self.rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": int(np.clip(rows // 500, 20, 100)),
            "feature_fraction": 0.7,
            "bagging_fraction": 0.8,
            "bagging_freq": 1,
            "lambda_l2": 1.0,
            "extra_trees": True,  # one border a feature, drawn
            "max_bin": BINS,
            "deterministic": True,
            "force_col_wise": True,
            "seed": seed,
            "num_threads": 1,
            "verbose": -1,
        }


class _Begun(NamedTuple):
    """A fit that has its mean, and what the rest of it learns from.

    narrow: the rows without the series' own promotions, in bins
    targets: (rows,) demand, and how far the mean is off it, as multiples of the base with promotions
    """

    step: lightgbm.Booster | None
    mean: lightgbm.Booster
    narrow: lightgbm.Dataset
    targets: tuple[np.ndarray, np.ndarray]
    seed: int


def _dataset(
    table: np.ndarray, target: np.ndarray, weight: np.ndarray, names: tuple[str, ...]
) -> lightgbm.Dataset:
    # A covariate may be called anything, a feature of LightGBM may not.
    columns = ["".join(c if c.isalnum() or c == "_" else "_" for c in name) for name in names]
    return lightgbm.Dataset(
        table,
        target,
        weight=weight,
        feature_name=columns,
        params={"max_bin": BINS, "num_threads": 1, "verbose": -1},
    )
