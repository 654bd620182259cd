"""Sources: which are stale, whose figures disagree, and which items rest on them.

It owns what the data rules see. An item is blind where all sources that tell of its demand, or of its stock,
are stale: nothing said of it today would be more than a guess.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ingestion.health import MOVING, freshness
from ingestion.periods import Period
from ingestion.reconciliation import SERIES, disagreeing, reconcile
from ingestion.warehouse import Warehouse

LATELY = pd.Timedelta(days=28)  # contradictions that are older were there to be seen before
WORDS = {
    "en": "The largest: {sku} at {location}, counted {closing:g} on {closed_on:%Y-%m-%d}, "
    "{difference:+g} against opening + in − out.",
    "zh": "最大一处：{location} {sku} 于 {closed_on:%Y-%m-%d} 盘点 {closing:g}，"
    "与期初加进减出相差 {difference:+g}。",
}
SOLD = {
    "en": "Something was sold while the shelf was told to be empty, such as {sku} at {location} "
    "on {date:%Y-%m-%d}.",
    "zh": "货架标为无货时仍有销售，例如 {location} {sku}（{date:%Y-%m-%d}）。",
}


def source_facts(
    warehouse: Warehouse, tables: Mapping[str, pd.DataFrame], period: Period, as_of: pd.Timestamp
) -> pd.DataFrame:
    """One row per source of demand, stock and lots: source, table, last, behind_days, stale, positions,
    contradictions, details, details_zh.

    tables: as the warehouse gives them at `as_of`
    """
    fresh = freshness(warehouse, as_of, period)
    rows = fresh[fresh["table"].isin(MOVING)].reset_index(drop=True)
    told = warehouse.series_of(as_of, MOVING)
    wrong = {"stock": _unreconciled(tables, period, as_of), "demand": _sold_unstocked(tables, as_of)}
    found = []
    for row in rows.itertuples():
        mine = told.loc[told["source"] == row.source, SERIES]
        faults = wrong.get(str(row.table), mine.assign(words="", words_zh="").iloc[:0])
        faults = faults.merge(mine, on=SERIES, how="inner").drop_duplicates(SERIES)
        first = faults.iloc[0] if len(faults) else {"words": "", "words_zh": ""}
        found.append((len(mine), len(faults), first["words"], first["words_zh"]))
    names = ["positions", "contradictions", "details", "details_zh"]
    return rows.assign(**pd.DataFrame(found, columns=names, index=rows.index))


def blind_positions(
    warehouse: Warehouse, sources: pd.DataFrame, keys: pd.DataFrame, as_of: pd.Timestamp
) -> pd.DataFrame:
    """(n,) stale_source and stale_days of each key; None and NaN where it can be told of.

    sources: as `source_facts` gives them
    """
    out = pd.DataFrame({"stale_source": np.full(len(keys), None, dtype=object), "stale_days": np.nan})
    if not sources["stale"].astype(bool).any():
        return out
    told = warehouse.series_of(as_of, ("demand", "stock"))
    told = told.merge(sources[["source", "stale", "behind_days"]], on="source")
    index = pd.MultiIndex.from_frame(keys[SERIES])
    for _, part in told.groupby("table"):
        # What one fresh source tells of is not blind, whatever an old one said before.
        least = part.sort_values(["stale", "behind_days"], kind="stable").drop_duplicates(SERIES)
        dark = least[least["stale"].astype(bool)]
        row = index.get_indexer(pd.MultiIndex.from_frame(dark[SERIES]))
        at = row[row >= 0]
        out.loc[at, "stale_source"] = dark["source"].to_numpy(dtype=object)[row >= 0]
        out.loc[at, "stale_days"] = dark["behind_days"].to_numpy(dtype=float)[row >= 0]
    return out


def _unreconciled(tables: Mapping[str, pd.DataFrame], period: Period, as_of: pd.Timestamp) -> pd.DataFrame:
    """Series whose last counts do not fit what moved between them, the worst first, with words."""
    orders = tables["supply_orders"]
    if orders.empty:  # without a record of receipts every delivery would look like a contradiction
        return pd.DataFrame(columns=[*SERIES, "words", "words_zh"])
    stock = tables["stock"].sort_values("as_of", kind="stable").groupby(SERIES).tail(2)
    pairs = reconcile(stock, tables["demand"], orders, period)
    off = disagreeing(pairs[pairs["closed_on"] > period.end(as_of) - LATELY])
    return _worded(off, WORDS)


def _sold_unstocked(tables: Mapping[str, pd.DataFrame], as_of: pd.Timestamp) -> pd.DataFrame:
    demand = tables["demand"]
    if "in_stock" not in demand:
        return pd.DataFrame(columns=[*SERIES, "words", "words_zh"])
    odd = demand[(demand["in_stock"] == 0) & (demand["quantity"] > 0) & (demand["date"] > as_of - LATELY)]
    return _worded(odd, SOLD)


def _worded(rows: pd.DataFrame, words: Mapping[str, str]) -> pd.DataFrame:
    records = [{str(name): value for name, value in row.items()} for row in rows.to_dict("records")]
    return rows[SERIES].assign(
        words=[words["en"].format_map(record) for record in records],
        words_zh=[words["zh"].format_map(record) for record in records],
    )
