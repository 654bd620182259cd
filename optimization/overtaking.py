"""Overtaking: whether a supplier's orders arrive in the order they were placed in, as past orders show.

It owns one share per supplier: how often a later order was there before an earlier one of the same item and
place, of how often that would be if every order took its own time.
"""

import numpy as np
import pandas as pd

SERIES = ["supplier", "location", "sku"]
DOUBT = 2.0  # overtakings that are expected, of a supplier, before any is believed to be the rule


def overtaking_share(rows: pd.DataFrame) -> pd.Series:
    """Share of each supplier's orders that take their own time, in [0, 1], by supplier.

    rows: of receipts.observe: supplier, location, sku, ordered_on, received_on, periods (survived so far
        where not received), received
    An order that is still open when one placed later is there has been overtaken. Suppliers whose orders are
    so far apart that none could be overtaken have 0: nothing depends on it there.
    """
    # Of several receipts of one order the last counts, an open rest after all: until then it is under way.
    lines = rows.sort_values([*SERIES, "ordered_on", "received_on"], kind="stable", na_position="last")
    lines = lines.drop_duplicates([*SERIES, "ordered_on"], keep="last")
    came = lines["received_on"].where(lines["received"], pd.Timestamp.max)
    apart = lines.groupby(SERIES, sort=False)["ordered_on"].diff(-1).abs().dt.days
    known = apart.notna().to_numpy()
    next_came = came.shift(-1).to_numpy()[known]
    pairs = pd.DataFrame(
        {
            "supplier": lines["supplier"].to_numpy()[known],
            "apart": apart.to_numpy()[known],
            "was": (came.to_numpy()[known] > next_came) & (next_came < np.datetime64(pd.Timestamp.max)),
        }
    )
    days = (lines["received_on"] - lines["ordered_on"]).dt.days[lines["received"]]
    taken = {str(name): np.sort(part.to_numpy()) for name, part in days.groupby(lines["supplier"])}
    out = {}
    for supplier, part in pairs.groupby("supplier"):
        expected = _expected(taken.get(str(supplier), np.zeros(0)), part["apart"].to_numpy())
        out[supplier] = min(part["was"].sum() / (expected + DOUBT), 1.0)
    return pd.Series(out, dtype=float)


def _expected(taken: np.ndarray, apart: np.ndarray) -> float:
    """Overtakings among pairs of orders so many days `apart`, were lead times `taken` drawn freely."""
    if len(taken) < 2:
        return 0.0
    total = 0.0
    for days, count in zip(*np.unique(apart, return_counts=True), strict=True):
        total += count * (len(taken) - np.searchsorted(taken, taken + days, side="right")).mean() / len(taken)
    return float(total)
