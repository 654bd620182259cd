"""Distributions of whole numbers from few and partly censored observations.

It owns the Kaplan–Meier estimate and its shrinkage: each group leans on its parent's distribution as
if the parent were k further observations (the beta-Stacy posterior of Susarla and Van Ryzin 1976),
so that many observations give the group's own Kaplan–Meier and none give the parent.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

MIDDLE = 5.0  # observations that a parent is worth where the data cannot tell
NEAR = 400  # values that every group has room for; only those that start further out get more
BLOCK = 2_000  # groups whose distributions are made at a time
TINY = 1e-9


def tally(values: np.ndarray, weights: np.ndarray, groups: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(groups, width) weight observed at each value.

    values: (n,) whole numbers from 0; groups: (n,) codes
    """
    flat = np.bincount(groups * shape[1] + values, weights, minlength=shape[0] * shape[1])
    return flat.reshape(shape)


def posterior(prior: np.ndarray, strength: float, events: np.ndarray, censored: np.ndarray) -> np.ndarray:
    """(groups, width) probabilities; what stays unknown beyond the last observation is missing mass.

    prior: (groups, width) probabilities of the parent
    strength: observations that the parent counts as
    events: (groups, width) weight that happened at each value
    censored: (groups, width) weight known only to exceed each value

    >>> none = np.zeros((1, 4))
    >>> posterior(none, 0.0, np.array([[0.0, 2, 0, 1]]), np.array([[0.0, 0, 1, 0]])).round(4).tolist()
    [[0.0, 0.5, 0.0, 0.5]]
    >>> posterior(np.array([[1.0, 0, 0, 0]]), 2.0, np.array([[0.0, 2, 0, 0]]), none).round(4).tolist()
    [[0.5, 0.5, 0.0, 0.0]]
    """
    leaving = events + censored
    at_risk = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1] + strength * _reached(prior)
    with np.errstate(invalid="ignore"):
        hazard = np.where(at_risk > 1e-12, (events + strength * prior) / np.maximum(at_risk, 1e-12), 0.0)
    staying = np.cumprod(1.0 - np.clip(hazard, 0.0, 1.0), axis=1)
    before = np.concatenate([np.ones((len(prior), 1)), staying[:, :-1]], axis=1)
    return before - staying


def _reached(pmf: np.ndarray) -> np.ndarray:
    """P(value ≥ l) of each row, where missing mass lies beyond the row."""
    return np.clip(1.0 - np.cumsum(pmf, axis=1) + pmf, 0.0, 1.0)


def strength(logs: np.ndarray, weights: np.ndarray, child: np.ndarray, parent: np.ndarray) -> float:
    """Observations that a parent is worth, σ²/τ²: the spread within groups over the spread between them.

    The weight of a group's own n observations is then n/(n + σ²/τ²) = nτ²/(nτ² + σ²). Moments of a
    one-way random-effects model over all children of all parents; held within [0.5, 20].

    logs: (n,) logarithms of the observations; child, parent: (n,) group codes

    >>> groups, one = np.repeat(np.arange(3), 4), np.zeros(12, dtype=int)
    >>> strength(np.repeat([1.0, 2.0, 3.0], 4) + np.tile([-0.1, 0.1], 6), np.ones(12), groups, one)
    0.5
    """
    total = np.bincount(child, weights)
    mean = np.bincount(child, weights * logs) / np.maximum(total, 1e-12)
    sizes = np.bincount(child)
    within_free = float((sizes - 1)[sizes > 0].sum())
    within = float((weights * (logs - mean[child]) ** 2).sum() / weights.mean())
    centre = np.bincount(parent, weights * logs) / np.maximum(np.bincount(parent, weights), 1e-12)
    between = float((weights * (mean[child] - centre[parent]) ** 2).sum() / weights.mean())
    between_free = float((sizes > 0).sum() - len(np.unique(parent)))
    if within_free < 1 or between_free < 1:
        return MIDDLE
    sigma = within / within_free
    squares = np.bincount(parent, sizes[child].astype(float))[np.unique(parent)].sum() / len(logs)
    per_group = max(len(logs) - squares, 1e-9) / between_free
    tau = (between / between_free - sigma) / per_group
    return float(np.clip(sigma / tau, 0.5, 20.0)) if tau > 0 else 20.0


@dataclass(frozen=True)
class Pools:
    """A tree of groups, each with its distribution: level 0 is everything, the last level the finest.

    names: per level, (groups, columns) frame of what each group stands for
    pmf: per level, blocks of groups in order, each (groups of the block, its own width) probabilities
    events: per level, (groups,) observations that were not censored
    """

    names: list[pd.DataFrame]
    pmf: list[list[np.ndarray]]
    events: list[np.ndarray]

    def find(self, keys: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """(m,) finest level with an uncensored observation and (m,) group there; level -1 if none."""
        level = np.full(len(keys), -1 if not self.pmf else 0)
        group = np.zeros(len(keys), dtype=np.int64)
        for depth, names in enumerate(self.names[1:], 1):
            seen = names[self.events[depth] > 0]
            columns = list(names.columns)
            found = (
                keys[columns].merge(seen.assign(group=seen.index), on=columns, how="left")["group"].to_numpy()
            )
            level[~np.isnan(found)] = depth
            group = np.where(np.isnan(found), group, found).astype(np.int64)
        return level, group


def pool(
    rows: pd.DataFrame,
    values: np.ndarray,
    levels: list[list[str]],
    *,
    beyond: int,
    start: pd.DataFrame | None = None,
    scaled: bool = True,
) -> Pools:
    """Distributions of all groups, each shrunk towards its parent.

    rows: (n,) frame with the levels' columns, `received` (False = censored: above the value) and `weight`
    values: (n,) whole numbers from 0
    levels: columns that make the groups, from none to all; each extends the one before
    beyond: what is open longer than anything was seen to last is taken to end on any of so many next values
    start: indexed by the first level's column, (groups, width) probabilities to shrink towards in place
        of everything's; those far beyond what was seen make only their own groups wider
    scaled: whether values count from a natural zero, so that a group's differ from its parent's by a factor
    """
    received, weight = rows["received"].to_numpy(dtype=bool), rows["weight"].to_numpy(dtype=float)
    if not received.any():
        return Pools([], [], [])
    longest = int(values.max())
    start = pd.DataFrame() if start is None else start
    near = max(longest + 1 + beyond, min(start.shape[1], NEAR))
    told = start.index[start.iloc[:, near:].sum(axis=1) > TINY]
    far = rows[levels[1][0]].isin(told).to_numpy()
    logs = np.log1p(values)
    out = Pools([], [], [])
    parent = np.zeros(len(rows), dtype=np.int64)
    for depth, columns in enumerate(levels):
        code, names = codes(rows, columns)
        wide, above = np.zeros(len(names), dtype=bool), np.zeros(len(names), dtype=np.int64)
        above[code], wide[code] = parent, far & (depth > 0)
        worth, factor = 0.0, np.ones(len(names))
        if depth > 0:
            worth = strength(logs[received], weight[received], code[received], parent[received])
        if depth > 0 and scaled:
            own = weight * received
            factor = _factors(code, parent, above=above, logs=logs, weight=own, worth=worth)
        # Groups of a width beside each other.
        order = np.argsort(wide, kind="stable")
        code, names = np.argsort(order)[code], names.iloc[order].reset_index(drop=True)
        above, factor, wide = above[order], factor[order], wide[order]
        row = np.argsort(code, kind="stable")
        ends = np.searchsorted(code[row], np.arange(len(names) + 1))
        blocks = []
        for first, last in _blocks(wide):
            width = max(near, start.shape[1]) if wide[first] else near
            here, shape = row[ends[first] : ends[last]], (last - first, width)
            seen, hidden = (
                tally(values[here], weight[here] * kind[here], code[here] - first, shape)
                for kind in (received, ~received)
            )
            prior = gather(out.pmf[-1], above[first:last], width) if depth > 0 else np.zeros(shape)
            if depth > 0 and scaled:
                prior = stretch(prior, factor[first:last])
            if depth == 1:
                name = names.iloc[first:last, 0]
                given = name.isin(start.index).to_numpy()
                prior[given] = gather(
                    [start.to_numpy()], start.index.get_indexer(pd.Index(name[given])), width
                )
            blocks.append(posterior(prior, worth, seen, hidden))
        if depth == 0:
            pmf = blocks[0]
            pmf[0, longest + 1 : longest + 1 + beyond] += (1.0 - pmf.sum()) / beyond
        out.names.append(names)
        out.pmf.append(blocks)
        out.events.append(np.bincount(code, received, minlength=len(names)))
        parent = code
    return out


def _blocks(wide: np.ndarray) -> list[tuple[int, int]]:
    """First group and the one after the last of each block; (groups,) `wide` ones come last."""
    parts = ((0, int((~wide).sum())), (int((~wide).sum()), len(wide)))
    return [(at, min(at + BLOCK, last)) for first, last in parts for at in range(first, last, BLOCK)]


def gather(blocks: list[np.ndarray], wanted: np.ndarray, width: int) -> np.ndarray:
    """(k, width) rows of `blocks`, numbered through, cut or filled up with zeros.

    >>> gather([np.array([[0.5, 0.5]]), np.array([[0.0, 0.0, 1.0]])], np.array([1, 0]), 2).tolist()
    [[0.0, 0.0], [0.5, 0.5]]
    """
    out, first = np.zeros((len(wanted), width)), 0
    for block in blocks:
        here, kept = (wanted >= first) & (wanted < first + len(block)), min(width, block.shape[1])
        out[here, :kept] = block[wanted[here] - first, :kept]
        first += len(block)
    return out


def _factors(
    child: np.ndarray,
    parent: np.ndarray,
    *,
    above: np.ndarray,
    logs: np.ndarray,
    weight: np.ndarray,
    worth: float,
) -> np.ndarray:
    """(groups,) by how much each child's observations exceed its parent's, shrunk to n/(n + worth) of it."""
    own = np.bincount(child, weight, minlength=len(above))
    mean = np.bincount(child, weight * logs, minlength=len(above)) / np.maximum(own, 1e-12)
    whole = np.bincount(parent, weight)
    centre = np.bincount(parent, weight * logs) / np.maximum(whole, 1e-12)
    return np.exp(np.where(own > 0, own / (own + worth) * (mean - centre[above]), 0.0))


def stretch(pmf: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """(groups, width) distributions with 1 + value multiplied by (groups,) `factor`, split to whole numbers.

    >>> stretch(np.array([[0.0, 1.0, 0.0, 0.0, 0.0]]), np.array([1.25])).tolist()
    [[0.0, 0.5, 0.5, 0.0, 0.0]]
    """
    groups, width = pmf.shape
    place = np.clip((1.0 + np.arange(width)) * factor[:, None] - 1.0, 0.0, width - 1.0)
    low = np.floor(place + 1e-9).astype(np.int64)
    share = np.clip(place - low, 0.0, 1.0)
    group = np.repeat(np.arange(groups), width)
    out = tally(low.ravel(), (pmf * (1.0 - share)).ravel(), group, pmf.shape)
    return out + tally(np.minimum(low + 1, width - 1).ravel(), (pmf * share).ravel(), group, pmf.shape)


def codes(rows: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """(n,) group code of each row and the (groups,) frame of what each code stands for."""
    if not columns:
        return np.zeros(len(rows), dtype=np.int64), pd.DataFrame(index=range(1))
    code = rows.groupby(columns, sort=True).ngroup().to_numpy()
    return code, rows[columns].drop_duplicates().sort_values(columns, ignore_index=True)
