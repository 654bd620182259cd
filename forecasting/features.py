"""Rows of (series, origin, horizon) for the global model of sums, and their targets.

It owns the features that depend on the window ahead: its composition, promotions, prices, holidays, season
and what like series do. All are free of scale: demand is measured against the structural expectation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from forecasting.alike import YEAR
from forecasting.arrays import Arrays, arrays_of, mean_of, prices_ahead, told_of
from forecasting.covariates import around
from forecasting.history import LAGS, WINDOWS, Summary, summarise
from forecasting.lifts import lift_of, trusted_lift
from forecasting.membership import GROUPINGS, groups_of, members_of
from forecasting.occasions import lifts_at, names_of
from forecasting.panel import Panel
from forecasting.peers import NEAR, others, peers_at, span_of
from forecasting.prices import elasticity_at, worths_ahead
from forecasting.season import Course, course_of, group_ratio, season_of
from forecasting.structure import MEMORY
from ingestion.errors import Problem

STRUCTURE = ("horizon", "composition", "sales_expected", "same_length")
PROMOTED = ("promotion", "promotion_change", "promotion_first", "until_promotion", "fresh")
SEASON = ("season", "season_firm", "season_soft", "season_group")
DAYS = (
    *("holidays", "holidays_after", "holidays_before", "workdays", "until_holiday", "since_holiday"),
    *("occasion_lift", "year_sin", "year_cos", "price", "price_now"),
)
PEERS = tuple(
    f"{grouping}_{what}" for grouping in GROUPINGS for what in ("recent", "season", "promoted", "change")
)
WINDOW = (*STRUCTURE, *PROMOTED, *SEASON, *DAYS, *PEERS)
NAMES = (*LAGS, *WINDOW)
_B1, _B2, _B3 = (len(STRUCTURE), len(STRUCTURE + PROMOTED), len(STRUCTURE + PROMOTED + SEASON))
_B4 = _B3 + len(DAYS)
PEAK = 8.0  # most that the structural expectation takes a season for, and least, its inverse
MOST = 20.0  # ratios are cut here: a series that had all but stopped tells nothing by a ratio of a thousand
FRESH = 3  # first periods of a promotion, when customers hurry


@dataclass(frozen=True)
class Rows:
    """Features of m pairs at g horizons.

    summary: of the m pairs
    horizons: (g,) periods, ascending
    features: (m, g, len(NAMES) + 2 per covariate) float32
    path: (m, H) structural expectation of the sums over 1 … H periods, units; H is the last horizon
    course: (m, H) the same with the whole lift of promotions: how the sums are thought to grow
    plain: (m, g) expectation of the sum without any promotion, at the prices of the level, units
    """

    summary: Summary
    horizons: np.ndarray
    features: np.ndarray
    path: np.ndarray
    course: np.ndarray
    plain: np.ndarray

    @property
    def expected(self) -> np.ndarray:
        """(m, g) structural expectation of the sum over each window, units."""
        return self.path[:, self.horizons - 1]


class Ask(NamedTuple):
    """What rows of one origin are built for: series, row of each pair, horizons, lengths of windows.

    lengths: year, recent past, month and week, periods
    near: periods on either side of one that speak for its season
    memory: of the current level, periods
    elasticity: as `elasticity_at`
    """

    series: np.ndarray
    row: np.ndarray
    origin: int
    horizons: np.ndarray
    lengths: tuple[int, int, int, int]
    near: int
    memory: float
    elasticity: float
    prices_planned: bool


class Base(NamedTuple):
    """The structural expectation of every pair; as in Summary."""

    level: np.ndarray
    profile: np.ndarray
    slope: np.ndarray
    depth: np.ndarray
    size: np.ndarray


class Common(NamedTuple):
    """What series have in common at one origin.

    groups: (groupings, n); country: (groupings, groups) whose holidays a group keeps, its first series'
    size: (groupings, groups) series whose mean a course is
    member: (n,) whether a series is one of them; course: as `peers_at`; span: its periods up to the origin
    lifts: (groups, names + 1) as `lifts_at`; events: how many of the names are of the plan
    """

    groups: np.ndarray
    country: np.ndarray
    size: np.ndarray
    member: np.ndarray
    course: np.ndarray
    span: int
    lifts: np.ndarray
    events: int


class _Out(NamedTuple):
    features: np.ndarray
    path: np.ndarray
    course: np.ndarray
    plain: np.ndarray


def build_rows(
    panel: Panel,
    series: np.ndarray,
    origin: np.ndarray,
    horizons: np.ndarray,
    covariates: tuple[str, ...] = (),
) -> Rows:
    """Rows of the pairs (series[k], origin[k]), (m,) each, at every horizon of (g,).

    covariates: names of those that add columns after NAMES, as `covariates.columns_of`
    """
    summary = summarise(panel, series, origin)
    shape = (len(series), len(horizons))
    features = np.full((*shape, len(NAMES) + 2 * len(covariates)), np.nan, dtype=np.float32)
    features[:, :, : len(LAGS)] = summary.lags[:, None, :]
    path, course = np.zeros((2, len(series), int(horizons[-1])))
    if covariates:
        features[:, :, len(NAMES) :] = around(panel, covariates, (series, origin), horizons, window=True)
    out = _Out(features[:, :, len(LAGS) : len(NAMES)], path, course, np.zeros(shape))
    base = Base(summary.level, summary.profile, summary.slope, summary.depth, summary.size)
    arrays = arrays_of(panel)
    for ask, common in asked(panel, series, origin, horizons):
        _fill(arrays, common, ask, base, out)
    return Rows(summary, horizons, features, path, course, out.plain)


def asked(
    panel: Panel, series: np.ndarray, origin: np.ndarray, horizons: np.ndarray
) -> Iterator[tuple[Ask, Common]]:
    """The pairs by origin, with what all series have in common there; Problem beyond the known future."""
    if int(origin.max(initial=0)) + int(horizons[-1]) >= panel.plan.shape[1]:
        raise Problem(
            f"the panel knows {panel.horizon} periods ahead, got horizon {horizons[-1]}; build it for more"
        )
    groups, name = groups_of(panel), panel.period.name
    member = members_of(panel)
    size = np.stack([np.bincount(g[member & (g >= 0)], minlength=groups.max(initial=0) + 1) for g in groups])
    country, span = _countries(panel, groups), span_of(panel)
    lengths = (YEAR[name], WINDOWS[name][2], WINDOWS[name][3], WINDOWS[name][0])
    for at in np.unique(origin):
        row = np.flatnonzero(origin == at)
        course = peers_at(panel, int(at))
        lifts = lifts_at(panel, int(at))
        near, memory = NEAR[name], MEMORY[name]
        prices = elasticity_at(panel, int(at)), panel.prices_planned
        ask = Ask(series[row], row, int(at), horizons, lengths, near, memory, *prices)
        yield ask, Common(groups, country, size, member, course, span, lifts, len(panel.event_names))


def _countries(panel: Panel, groups: np.ndarray) -> np.ndarray:
    """(groupings, groups) row in the calendar of each group's first series."""
    first = np.zeros((len(groups), int(groups.max(initial=0)) + 1), dtype=np.int64)
    for k, row in enumerate(groups):
        found, at = np.unique(row, return_index=True)
        first[k, found[found >= 0]] = at[found >= 0]
    return panel.calendar.of_series[first]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(arrays: Arrays, common: Common, ask: Ask, base: Base, out: _Out) -> None:
    courses = group_features(arrays, common, ask)
    ratios = group_seasons(arrays, common, ask)
    for k in range(len(ask.series)):
        i, r = ask.series[k], ask.row[k]
        planned = planned_of(arrays, i, ask.origin, ask.horizons[-1])
        course = own_course(arrays, ask, i, base.slope[r])
        season = seasons_ahead(arrays, common, ask, i, course, ratios)[:, 2]
        rows = out.features[r]
        way = ask.elasticity, ask.memory, ask.prices_planned
        worth = worths_ahead(arrays, i, ask.origin, ask.horizons[-1], way)
        _demand_ahead(arrays, ask, base, (i, r), (planned, season, worth), out)
        _promotion_ahead(arrays, ask, i, planned, rows[:, _B1:_B2])
        _season(arrays, course, common, ask, i, courses, rows[:, _B2:_B3])
        _days(arrays, common, ask, i, rows[:, _B3:_B4])
        _peers(common, i, courses, rows)


@njit(cache=True, nogil=True, error_model="numpy")
def _peers(common: Common, i: int, courses: np.ndarray, rows: np.ndarray) -> None:
    """What each group of the series does; of promotions, what the others in it do."""
    for k in range(common.groups.shape[0]):
        g = common.groups[k, i]
        if g < 0:
            continue
        size = float(common.size[k, g])
        for j in range(len(rows)):
            own, change = rows[j, _B1], rows[j, _B1 + 1]
            f = rows[j, _B4 + 4 * k : _B4 + 4 * k + 4]
            f[:] = courses[k, g, j]
            if common.member[i]:
                before = others(f[2] - f[3], own - change, size)
                f[2] = others(f[2], own, size)
                f[3] = np.floor(1e4 * (f[2] - before) + 0.5) / 1e4


@njit(cache=True, nogil=True, error_model="numpy")
def planned_of(arrays: Arrays, i: int, at: int, last: int) -> np.ndarray:
    """(last,) promotion planned for the periods after the origin, as far as it was known then."""
    planned = np.zeros(last)
    for h in range(last):
        if arrays.known[i, at + 1 + h] <= at:
            planned[h] = arrays.plan[i, at + 1 + h]
    return planned


@njit(cache=True, nogil=True, error_model="numpy")
def group_features(arrays: Arrays, common: Common, ask: Ask) -> np.ndarray:
    """(groupings, groups, g, 4) of each group: movement, season, share promoted in the window, its change."""
    year, recent, _, _ = ask.lengths
    course, span = common.course, common.span
    end = (ask.origin + 1, ask.origin + 1 - span)
    out = np.full((course.shape[1], course.shape[2], len(ask.horizons), 4), np.nan)
    for k in range(course.shape[1]):
        for g in range(course.shape[2]):
            moved, promoted, like = course[0, k, g], course[1, k, g], arrays.like[common.country[k, g]]
            now = mean_of(moved, span - recent, span) / mean_of(moved, span - year, span)
            before = mean_of(promoted, span - recent, span)
            for j in range(len(ask.horizons)):
                h = ask.horizons[j]
                share = mean_of(promoted, span, span + h)
                out[k, g, j, 0] = now
                out[k, g, j, 1] = group_ratio((moved, course[2, k, g]), end, (0, h), like, ask.memory)
                out[k, g, j, 2], out[k, g, j, 3] = share, share - before
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def group_seasons(arrays: Arrays, common: Common, ask: Ask) -> np.ndarray:
    """(2, groups, H) seasonal ratio of all series and of each category around each single period ahead."""
    course, last = common.course, ask.horizons[-1]
    end = (ask.origin + 1, ask.origin + 1 - common.span)
    out = np.full((2, course.shape[2], last), np.nan)
    for k in range(2):
        for g in range(course.shape[2]):
            courses, like = (course[0, k, g], course[2, k, g]), arrays.like[common.country[k, g]]
            for h in range(last):
                window = (h - ask.near, h + ask.near + 1)
                out[k, g, h] = group_ratio(courses, end, window, like, ask.memory)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def own_course(arrays: Arrays, ask: Ask, i: int, slope: float) -> Course:
    """What the seasons of a series are told from."""
    like, week = arrays.like[arrays.country[i]], ask.lengths[3]
    demand, promotion = told_of(arrays, i, 0, ask.origin + 1), arrays.promotion[i, : ask.origin + 1]
    usual = np.ones(len(promotion))
    for t in range(len(promotion)):
        usual[t] = lift_of(slope, promotion[t])
    return course_of(demand, usual, like, ask.memory, week)


@njit(cache=True, nogil=True, error_model="numpy")
def seasons_ahead(
    arrays: Arrays, common: Common, ask: Ask, i: int, course: Course, ratios: np.ndarray
) -> np.ndarray:
    """(H, 4) seasonal ratios of a series around each single period ahead: as in `season.Season`, cut.

    ratios: as `group_seasons`
    """
    kind = 1 if common.groups[1, i] >= 0 else 0
    out, like = np.empty((ask.horizons[-1], 4)), arrays.like[arrays.country[i]]
    for h in range(len(out)):
        t = ask.origin + 1 + h
        group = ratios[kind, common.groups[kind, i], h]
        found = season_of(course, (t - ask.near, t + ask.near + 1), like, group)
        out[h, 0], out[h, 1] = min(found.own, MOST), found.firm
        out[h, 2], out[h, 3] = min(max(found.soft, 1.0 / PEAK), PEAK), found.group
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _demand_ahead(
    arrays: Arrays,
    ask: Ask,
    base: Base,
    pair: tuple[int, int],
    ahead: tuple[np.ndarray, np.ndarray, np.ndarray],
    out: _Out,
) -> None:
    """The expected path, and what sold in the same number of periods just passed.

    ahead: (H,) promotion planned, the seasonal ratio, and what the price sells
    """
    (i, r), at = pair, ask.origin
    planned, season, worth = ahead
    demand, week, slope = arrays.quantity[i], base.profile[r], base.slope[r]
    level, size = base.level[r], base.size[r]
    plain, path, course, back_total, back_weight, j = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for h in range(1, ask.horizons[-1] + 1):
        back = at + 1 - h
        usual = week[arrays.phase[at + h]] * season[h - 1]
        plain += usual
        path += usual * worth[h - 1] * trusted_lift(slope, planned[h - 1], base.depth[r])
        course += usual * worth[h - 1] * lift_of(slope, planned[h - 1])
        out.path[r, h - 1], out.course[r, h - 1] = level * path, level * course
        if back >= 0 and np.isfinite(demand[back]):
            back_total += demand[back]
            back_weight += week[arrays.phase[back]] * lift_of(slope, arrays.promotion[i, back])
        if h == ask.horizons[j]:
            f = out.features[r, j]
            f[0], f[1], f[2] = h, plain / h, level * plain / size if size > 0.0 else np.nan
            known = back_weight > 0.0 and level > 0.0
            f[3] = min(back_total / back_weight / level, MOST) if known else np.nan
            out.plain[r, j] = level * plain
            j += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _promotion_ahead(arrays: Arrays, ask: Ask, i: int, planned: np.ndarray, features: np.ndarray) -> None:
    """How much of the window is promoted, against before, how soon and how freshly.

    Promoted or not, never how deeply: the depth moves the expectation that these features correct, so that a
    deeper promotion can only be expected to sell more.
    """
    at, last = ask.origin, ask.horizons[-1]
    recent, before = ask.lengths[1], 0.0
    for t in range(max(at + 1 - recent, 0), at + 1):
        before += 1.0 / recent if arrays.promotion[i, t] > 0.0 else 0.0
    promoted, fresh, until, j, run = 0.0, 0.0, last + 1, 0, 0
    while run < FRESH and at - run >= 0 and arrays.promotion[i, at - run] > 0.0:
        run += 1
    for h in range(1, last + 1):
        promoted += 1.0 if planned[h - 1] > 0.0 else 0.0
        run = run + 1 if planned[h - 1] > 0.0 else 0
        fresh += 1.0 if 0 < run <= FRESH else 0.0
        until = min(until, h) if planned[h - 1] > 0.0 else until
        if h == ask.horizons[j]:
            f = features[j]
            f[0], f[1], f[2] = promoted / h, promoted / h - before, 1.0 if planned[0] > 0.0 else 0.0
            f[3], f[4] = until, fresh / h
            j += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _season(
    arrays: Arrays,
    course: Course,
    common: Common,
    ask: Ask,
    i: int,
    courses: np.ndarray,
    features: np.ndarray,
) -> None:
    """The same window in earlier years over the weeks that led up to it, of the series and of its group."""
    kind, like = 1 if common.groups[1, i] >= 0 else 0, arrays.like[arrays.country[i]]
    for j in range(len(ask.horizons)):
        window = (ask.origin + 1, ask.origin + 1 + ask.horizons[j])
        found = season_of(course, window, like, courses[kind, common.groups[kind, i], j, 1])
        f = features[j]
        f[0], f[1], f[2], f[3] = min(found.own, MOST), found.firm, found.soft, found.group


@njit(cache=True, nogil=True, error_model="numpy")
def _days(arrays: Arrays, common: Common, ask: Ask, i: int, features: np.ndarray) -> None:
    """Holidays, make-up workdays and named days in and around the window, place in the year, prices."""
    at, c, week = ask.origin, arrays.country[i], ask.lengths[3]
    price, off, work = arrays.price[i], arrays.holiday[c], arrays.workday[c]
    usual = mean_of(price, at + 1 - ask.lengths[2], at + 1)
    planned = prices_ahead(arrays, i, at, ask.horizons[-1])
    before = off[max(at + 1 - week, 0) : at + 1].sum()
    lifts = common.lifts[max(common.groups[1, i], 0)]
    lift, h = 0.0, 0
    for j in range(len(ask.horizons)):
        while h < ask.horizons[j]:
            h += 1
            event, occasion = names_of(arrays, i, at + h, at, common.events)
            lift += lifts[event] + lifts[occasion] - 1.0
        f, end = features[j], at + 1 + h
        f[0], f[1], f[2] = off[at + 1 : end].sum(), off[end : end + week].sum(), before
        f[3], f[4], f[5] = work[at + 1 : end].sum(), arrays.until[c, at + h], arrays.since[c, at + h]
        middle = 2.0 * np.pi * arrays.year[at + 1 + h // 2]
        f[6], f[7], f[8] = lift / h, np.sin(middle), np.cos(middle)
        f[9] = mean_of(planned, 0, h) / usual if ask.prices_planned else np.nan
        f[10] = price[at] / usual
