"""Which series are alike, and which of them speak for all: enough of each group, so that time is bounded.

It owns the groupings (all series, and those that share an attribute) and the draw of their members. What
series do together is told from the members, however many there are.
"""

import numpy as np

from forecasting.panel import Panel

GROUPINGS = ("all", "category", "subcategory", "brand", "location")
MOST = 3000  # series that speak for all: more do not change what they say
LEAST = 30  # of them in each group, where it has so many


def groups_of(panel: Panel) -> np.ndarray:
    """(groupings, n) number of each series' group; -1 where a grouping puts all into one, or each alone."""
    return panel.memo.once("groups", lambda: _groups(panel))


def _groups(panel: Panel) -> np.ndarray:
    out = np.full((len(GROUPINGS), panel.series), -1, dtype=np.int64)
    out[0] = 0
    for k, name in enumerate(GROUPINGS[1:], start=1):
        if name in panel.attributes:
            words = panel.attributes[name].to_numpy(dtype=str)
            found, group = np.unique(words, return_inverse=True)
            if 1 < len(found) <= panel.series // 2:
                out[k] = np.where(words == "", -1, group)
    return out


def members_of(panel: Panel) -> np.ndarray:
    """(n,) bool, the series whose mean is their groups' course: enough of each group, the same every time."""
    return panel.memo.once("members", lambda: draw_members(groups_of(panel)))


def draw_members(groups: np.ndarray) -> np.ndarray:
    """(n,) bool, MOST series of all, and LEAST of each group where it has so many."""
    n = groups.shape[1]
    order = np.random.default_rng(0).permutation(n)
    chosen = np.zeros(n, dtype=bool)
    chosen[order[:MOST]] = True
    if n > MOST:
        for row in groups[:, order]:
            by_group = np.argsort(row, kind="stable")
            begins = np.searchsorted(row[by_group], row[by_group])
            chosen[order[by_group[np.arange(n) - begins < LEAST]]] = True
    return chosen
