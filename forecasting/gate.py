"""The gate: a challenger must be better by more than luck, and off no farther than is usual here.

It owns the four rules and the verdict in words. All are measured on the same judged windows of the backtest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from forecasting.alike import YEAR
from forecasting.backtest import Folds, score, segments
from forecasting.cumulative import LEVELS
from forecasting.panel import Panel
from forecasting.significance import Difference, luck, paired_difference
from forecasting.trials import Trial

COVERED = (0.8, 0.9, 0.95, 0.99)
SLACK = 0.02  # share of windows that a level may be off
CHANCE = 1.645  # standard errors of a share that luck is granted
MORE_BIAS = 0.05  # of demand, beyond the incumbent's largest bias
MOST_BIAS = 0.1  # share of demand
SAME = 0.01  # of the incumbent's loss; what loses no more than this above it ties with it
MORE_COST = 0.05  # share of the incumbent's cost, beyond which luck is no excuse
HOLDING, SHORTAGE = 1.0, 9.0  # cost of a unit left at a review, and of a unit of demand lost
_Scores = dict[str, dict[str, float]]  # per segment, the measures of `backtest.score`
MEASURES = ["rule", "value", "limit", "passed"]


@dataclass(frozen=True)
class Verdict:
    """What the gate decided.

    promoted: whether the challenger serves from now on
    reasons: why, or why not, in words with numbers
    measures: rule, value, limit, passed; one row per rule, level and volume band
    """

    promoted: bool
    reasons: tuple[str, ...]
    measures: pd.DataFrame


@dataclass(frozen=True)
class _Measure:
    rule: str
    value: float
    limit: float
    passed: bool
    words: str


class Stocked(NamedTuple):
    """What stocking by quantiles would have cost.

    paid, wanted: (n, k) money and units of demand of each series between one origin and the next, NaN where
        that was not played
    """

    paid: np.ndarray
    wanted: np.ndarray

    @property
    def per_unit(self) -> float:
        """Cost per unit of demand, over all series: large ones weigh as in the books; NaN where nothing was
        asked for."""
        wanted = float(np.nansum(self.wanted))
        return float(np.nansum(self.paid)) / wanted if wanted > 0 else float("nan")


def judge(panel: Panel, folds: Folds, challenger: Trial, incumbent: Trial, *, seed: int) -> Verdict:
    """Whether the challenger may take the incumbent's place; a tie keeps the incumbent but where it `yields`.

    folds: the judged windows, (m, g), that both trials are about
    seed: of the bootstrap

    1. Pinball: the upper 95 % limit of its loss less the incumbent's is below zero (paired block bootstrap);
       or, where the incumbent yields, it loses at most 1 % more.
    2. Coverage, per volume band and level: the level is at most 2 points and luck outside
       [P(Y < q), P(Y ≤ q)]; or no farther outside than the incumbent in its worst band.
    3. Bias over all scored windows: at most 10 % of demand and luck either way, or 5 points more than the
       incumbent's: windows with full shelves are the calm ones, so that an honest mean lies above them.
    4. Cost of stocking by its quantiles (`decision_cost`): no more than the incumbent's; or, where a paired
       bootstrap cannot tell the two apart with 95 % confidence, at most 5 % more.

    Luck is `significance.luck`: a market that moved is no fault of a model. For a share it is at least 1.645
    standard errors of the level among the band's pairs of series and origin; windows of one pair overlap, so
    they count as one.
    """
    found = paired_difference(challenger.loss, incumbent.loss, folds.origin, folds.series, seed)
    if not np.isfinite(found.mean):
        why = f"no window was scored for both {challenger.name} and {incumbent.name}; load more history"
        return Verdict(False, (why,), pd.DataFrame(columns=MEASURES))
    tables = [_scores(panel, folds, trial) for trial in (challenger, incumbent)]
    why = yields(panel, folds, challenger, incumbent, seed=seed)
    measures = [_pinball(found, challenger, incumbent, why)]
    measures += _coverage(panel, folds, challenger, tables, seed)
    measures.append(_bias(folds, challenger, tables, seed))
    costs = [stocked(panel, folds, trial.quantiles) for trial in (challenger, incumbent)]
    measures.append(_cost(costs[0], costs[1], seed))
    failed = [measure for measure in measures if not measure.passed]
    reasons = tuple(measure.words for measure in failed or measures[:1])
    frame = pd.DataFrame([vars(measure) for measure in measures])[MEASURES]
    return Verdict(not failed, reasons, frame)


def yields(panel: Panel, folds: Folds, challenger: Trial, incumbent: Trial, *, seed: int) -> str:
    """Why a tie does not keep the incumbent, in words; "" where it does.

    A plain forecast does not stay beside a learned one while less than a year was judged of a history of two:
    a peak that comes once a year is not among these windows, and the plain one will miss it. Nor does one
    whose mean is off by more than is allowed beside one whose mean is not: its quantiles may have been
    brought to where demand is, but its mean stays where it was.
    """
    if incumbent.plain and not challenger.plain and year_unjudged(panel, folds):
        return "knows no season, of which less than a year was judged"
    scored = np.isfinite(challenger.loss) & np.isfinite(incumbent.loss)
    demand = float(folds.actual[scored].sum())
    if not demand > 0:
        return ""
    before, value = (
        float((one.mean - folds.actual)[scored].sum()) / demand for one in (incumbent, challenger)
    )
    # Luck is never negative: most incumbents are told without it.
    if abs(before) <= MOST_BIAS or abs(before) <= MOST_BIAS + _bias_luck(folds, incumbent, seed):
        return ""
    right = abs(value) <= MOST_BIAS + _bias_luck(folds, challenger, seed)
    return f"is off by {_percent(before)} of demand in its mean" if right else ""


def year_unjudged(panel: Panel, folds: Folds) -> bool:
    """Whether there are two years of history and the judged windows span less than one."""
    year = YEAR[panel.period.name]
    told = panel.length - int(panel.first.min(initial=panel.length))
    end = min(int(folds.origin.max()) + int(folds.horizons[-1]), panel.length - 1)
    return told >= 2 * year and end - int(folds.origin.min()) < year


def _scores(panel: Panel, folds: Folds, trial: Trial) -> _Scores:
    table = score(panel, folds, trial.mean, trial.quantiles).set_index("segment")
    return {
        str(name): {str(key): float(value) for key, value in row.items()} for name, row in table.iterrows()
    }


def _pinball(found: Difference, challenger: Trial, incumbent: Trial, why: str) -> _Measure:
    """why: a tie does not keep the incumbent, "" where it does."""
    both = np.isfinite(challenger.loss) & np.isfinite(incumbent.loss)
    base = float(incumbent.loss[both].mean())
    change, limit = (value / base if base > 0 else 0.0 for value in (found.mean, found.high))
    better = found.high < 0
    words = f"{challenger.name} loses {abs(change):.1%} {'less' if change < 0 else 'more'} per window than "
    words += f"{incumbent.name}; with 95 % confidence "
    words += f"{-limit:.1%} less or better" if better else f"up to {limit:.1%} more, where it must be less"
    if why and not better:
        words += f"; or at most {SAME:.0%} more, for {incumbent.name} {why}"
        return _Measure("pinball", found.mean, SAME * base, found.mean <= SAME * base, words)
    return _Measure("pinball", found.high, 0.0, better, words)


def _coverage(
    panel: Panel, folds: Folds, trial: Trial, tables: list[_Scores], seed: int
) -> Iterator[_Measure]:
    challenger, incumbent = tables
    scored = folds.clean & np.isfinite(folds.actual) & (folds.scale > 0)
    masks = segments(panel, folds)
    for band in _bands(challenger):
        counted = np.where(masks[band] & scored, 1.0, np.nan)
        pairs = max(int(np.isfinite(counted).any(axis=1).sum()), 1)
        for level in COVERED:
            row = trial.quantiles[:, :, np.searchsorted(LEVELS, level)]
            met = (folds.actual <= row + 1e-6) * counted
            # Where hardly any or nearly all windows are covered, they show less luck than the level has.
            noise = CHANCE * np.sqrt(level * (1 - level) / pairs)
            noise = max(noise, luck(met, counted, folds.origin, folds.series, seed))
            value = _miss(challenger[band], level)
            # Where the incumbent happens to be right in one band, that must not hold back a better forecast.
            limit = max(SLACK + noise, *(_miss(incumbent[name], level) for name in _bands(incumbent)))
            share = _shares(challenger[band], level)
            words = f"{band}: demand is within the {level:g} quantile in {share} of the windows, "
            words += f"{value:.1%} off; {limit:.1%} is allowed, {noise:.1%} of it as luck"
            yield _Measure(f"coverage {level:g}, {band}", value, limit, value <= limit + 1e-9, words)


def _bias(folds: Folds, trial: Trial, tables: list[_Scores], seed: int) -> _Measure:
    value, before = (table["all"]["bias"] for table in tables)
    noise = _bias_luck(folds, trial, seed)
    limit = max(MOST_BIAS + noise, abs(before) + MORE_BIAS if np.isfinite(before) else 0.0)
    words = f"the mean is off by {_percent(value)} of demand; {limit:.1%} either way is allowed"
    return _Measure("bias", abs(value), limit, not abs(value) > limit + 1e-9, words)


def _bias_luck(folds: Folds, trial: Trial, seed: int) -> float:
    """How far the mean of a trial is off by luck at most, share of demand."""
    known = np.where(np.isfinite(trial.loss), 1.0, np.nan)
    return luck(trial.mean * known, folds.actual * known, folds.origin, folds.series, seed)


def _cost(challenger: Stocked, incumbent: Stocked, seed: int) -> _Measure:
    value, limit = challenger.per_unit, incumbent.per_unit
    series, origin = np.nonzero(np.isfinite(challenger.paid) & np.isfinite(incumbent.paid))
    paid, before = (stock.paid[series, origin][:, None] for stock in (challenger, incumbent))
    # The few large series that make most of a cost differ by chance alone.
    if not paired_difference(paid, before, origin, series, seed).low > 0:
        limit *= 1 + MORE_COST
    words = (
        f"stocking by its quantiles costs {value:.3f} per unit of demand; no more than {limit:.3f} is allowed"
    )
    return _Measure("cost", value, limit, not value > limit * (1 + 1e-9), words)


def _bands(table: _Scores) -> list[str]:
    """The volume bands in which any window was scored."""
    return [name for name, row in table.items() if name.startswith("volume") and row["windows"] > 0]


def _miss(row: dict[str, float], level: float) -> float:
    """How far a level lies outside [P(Y < q), P(Y ≤ q)]; demand equal to the quantile counts either way.

    >>> round(_miss({"below_0.9": 0.95, "within_0.9": 0.97}, 0.9), 2)
    0.05
    """
    return max(row[f"below_{level}"] - level, level - row[f"within_{level}"], 0.0)


def _shares(row: dict[str, float], level: float) -> str:
    below, within = row[f"below_{level}"], row[f"within_{level}"]
    return f"{within:.1%}" if within - below < 0.001 else f"{below:.1%} to {within:.1%}"


def _percent(share: float) -> str:
    return f"{share:+.1%}"


def decision_cost(panel: Panel, folds: Folds, quantiles: np.ndarray) -> float:
    """What stocking by the quantiles, (m, g, LEVELS) units, would have cost per unit of demand; NaN where
    nothing can be replayed."""
    return stocked(panel, folds, quantiles).per_unit


def stocked(panel: Panel, folds: Folds, quantiles: np.ndarray) -> Stocked:
    """A replay of each series over the folds' origins, stocked by the quantiles, (m, g, LEVELS) units.

    Each origin is a review: stock is raised to the quantile of demand until the next review, the protection
    interval of a shop that is served overnight, at the level that SHORTAGE / (SHORTAGE + HOLDING) makes the
    cheapest. What is there sells; demand beyond it is lost and costs SHORTAGE a unit, what is left costs
    HOLDING a unit and is carried on. A stretch that was not wholly observed is skipped with the stock as it
    was.
    """
    at, of_origin = np.unique(folds.origin, return_inverse=True)
    names, of_series = np.unique(folds.series, return_inverse=True)
    steps = _steps(at, panel.length, int(folds.horizons[-1]))
    target = np.full((len(names), len(at)), np.nan)
    target[of_series, of_origin] = _between(folds.horizons, quantiles, steps[of_origin])
    demand = _demand(panel.quantity[names], at, steps)
    demand[np.isnan(target)] = np.nan
    left, paid = np.zeros(len(names)), np.full(demand.shape, np.nan)
    for k in range(len(at)):
        told = np.isfinite(demand[:, k])
        stock, asked = np.maximum(left, target[:, k])[told], demand[told, k]
        left[told] = np.maximum(stock - asked, 0.0)
        paid[told, k] = SHORTAGE * np.maximum(asked - stock, 0.0) + HOLDING * left[told]
    return Stocked(paid, demand)


def _steps(at: np.ndarray, length: int, longest: int) -> np.ndarray:
    """(k,) periods from each origin to the next; after the last as many as usual, while there is history."""
    between = np.diff(at)
    last = int(np.median(between)) if len(between) else longest
    return np.minimum(np.append(between, min(last, length - 1 - at[-1])), longest)


def _between(horizons: np.ndarray, quantiles: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(m,) units: the quantile that costs least, over steps[k] periods, between the two nearest horizons."""
    level = int(np.abs(LEVELS - SHORTAGE / (SHORTAGE + HOLDING)).argmin())
    rows, row = quantiles[:, :, level], np.arange(len(steps))
    right = np.clip(np.searchsorted(horizons, steps), 1 if len(horizons) > 1 else 0, len(horizons) - 1)
    left = np.maximum(right - 1, 0)
    share = (steps - horizons[left]) / np.maximum(horizons[right] - horizons[left], 1)
    return rows[row, left] * (1 - share) + rows[row, right] * share


def _demand(quantity: np.ndarray, at: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(n, k) units asked for in steps[k] periods after at[k]; NaN where not every one was observed."""
    running = np.zeros((2, quantity.shape[0], quantity.shape[1] + 1))
    np.cumsum(np.nan_to_num(quantity.astype(float)), axis=1, out=running[0, :, 1:])
    np.cumsum(np.isfinite(quantity), axis=1, out=running[1, :, 1:])
    total, seen = running[:, :, at + 1 + steps] - running[:, :, at + 1]
    return np.where((seen == steps) & (steps > 0), total, np.nan)
