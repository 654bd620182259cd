"""Items that take another's place: the successor inherits a history, the predecessor fades out.

It owns the chains of `items.replaces` (C for B for A) and what is handed down along them, place by place.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.series import FADES
from forecasting.shelves import Shelves
from ingestion.errors import DataError
from ingestion.periods import Period

FEW_DAYS = 14.0  # days sold side by side that weigh as much as the guess that both sell alike


@dataclass(frozen=True)
class Heirs:
    """Series that take another's place, the earlier of a chain first.

    series, predecessor: (k,) numbers of series at one location
    stocked: (k,) bool, the successor has been counted on the shelf
    """

    series: np.ndarray
    predecessor: np.ndarray
    stocked: np.ndarray


def find_heirs(
    keys: pd.DataFrame, items: pd.DataFrame | None, stock: pd.DataFrame | None, as_of_end: pd.Timestamp
) -> Heirs:
    """Pairs of successor and predecessor sold at the same location.

    keys: (n,) frame of sku and location
    stock: counts, of which those up to the end of the as-of period are heard
    Raises DataError where items replace each other in a circle.
    """
    replaced = _replaced(items)
    order = {sku: k for k, sku in enumerate(_oldest_first(replaced))}
    number = pd.MultiIndex.from_frame(keys[["sku", "location"]])
    mine = keys[keys["sku"].isin(list(replaced))]
    before = pd.DataFrame({"sku": mine["sku"].map(replaced), "location": mine["location"]})
    predecessor = number.get_indexer(pd.MultiIndex.from_frame(before))
    pairs = pd.DataFrame({"series": mine.index, "predecessor": predecessor, "rank": mine["sku"].map(order)})
    pairs = pairs[pairs["predecessor"] >= 0].sort_values(["rank", "series"])
    stocked = number.isin(pd.MultiIndex.from_frame(_on_shelf(stock, as_of_end)))
    series = pairs["series"].to_numpy(dtype=np.int64)
    return Heirs(series, pairs["predecessor"].to_numpy(dtype=np.int64), stocked[series])


def _on_shelf(stock: pd.DataFrame | None, as_of_end: pd.Timestamp) -> pd.DataFrame:
    """sku and location where the latest count found something."""
    if stock is None or not len(stock):
        return pd.DataFrame({"sku": [], "location": []}, dtype="str")
    counted = stock[pd.to_datetime(stock["as_of"]) <= as_of_end].sort_values("as_of", kind="stable")
    latest = counted.drop_duplicates(["sku", "location"], keep="last")
    return latest.loc[latest["on_hand"] > 0, ["sku", "location"]].astype("str")


def _replaced(items: pd.DataFrame | None) -> dict[str, str]:
    """Sku → the sku that it replaces."""
    if items is None or "replaces" not in items:
        return {}
    stated = items.dropna(subset=["replaces"]).astype({"sku": "str", "replaces": "str"})
    return dict(zip(stated["sku"], stated["replaces"], strict=True))


def _oldest_first(replaced: dict[str, str]) -> list[str]:
    """Successors in an order in which each comes after what it replaces.

    >>> _oldest_first({"c": "b", "b": "a"})
    ['b', 'c']
    """
    found: dict[str, None] = {}
    for sku in replaced:
        chain = [sku]
        while (before := replaced.get(chain[-1])) is not None and before not in found:
            if before in chain:
                circle = " replaces ".join([*chain[chain.index(before) :], before])
                raise DataError(
                    f"items must not replace each other in a circle, got {circle}; empty items.replaces of "
                    "the oldest of them"
                )
            chain.append(before)
        found |= dict.fromkeys(one for one in reversed(chain) if one in replaced)
    return list(found)


def inherit(shelves: Shelves, promotion: dict[str, np.ndarray], heirs: Heirs, days: float) -> Shelves:
    """Each successor's periods before its first row are its predecessor's, scaled; arrays change in place.

    promotion: promotion, plan and known as in `Panel`, which are handed down as they are
    days: length of a period

    The scale is what the two sold while they were side by side, and 1 as far as that was short.
    """
    length = shelves.quantity.shape[1]
    first = shelves.first.copy()
    for i, before in zip(heirs.series, heirs.predecessor, strict=True):
        begun, past = int(shelves.first[i]), slice(int(first[before]), int(shelves.first[i]))
        if past.start >= past.stop:
            continue
        scale = _scale(shelves.quantity[i, begun:], shelves.quantity[before, begun:], days)
        if begun == length or not np.isfinite(scale):
            scale = 1.0
        for name in ("quantity", "sold"):
            values = getattr(shelves, name)
            values[i, past] = values[before, past] * np.float32(scale)
        for values in (shelves.in_stock, shelves.closed, *promotion.values()):
            values[i, past] = values[before, past]
        first[i] = first[before]
    return shelves._replace(first=first)


def _scale(own: np.ndarray, before: np.ndarray, days: float) -> float:
    """Demand of the successor over the predecessor's, in periods where both were observed and sold.

    What the predecessor did not sell after its last sale says that it is gone, not that nobody wants it.

    >>> round(_scale(np.full(14, 6.0), np.full(14, 4.0), 1.0), 2)
    1.25
    """
    sales = np.flatnonzero(before > 0)
    both = np.isfinite(own) & np.isfinite(before) & (np.arange(len(before)) <= sales.max(initial=-1))
    if not both.any() or before[both].mean() <= 0:
        return 1.0
    alike = FEW_DAYS / days * before[both].mean()
    return float((own[both].sum() + alike) / (before[both].sum() + alike))


def fade_replaced(fade: np.ndarray, heirs: Heirs, begun: np.ndarray, period: Period) -> np.ndarray:
    """(n,) share left per period, with predecessors phased out where the successor sells or is stocked.

    begun: (n,) bool, the series has demand of its own
    """
    out = fade.copy()
    going = heirs.predecessor[heirs.stocked | begun[heirs.series]]
    out[going] = np.minimum(out[going], 0.5 ** (period.days / FADES["phase_out"]))
    return out
