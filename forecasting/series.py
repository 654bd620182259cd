"""Which series there are and what describes each: keys, attributes, country, launch and fading out.

It reads the items and locations; `panel` lays the numbers of the series it finds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.cells import PAIR
from ingestion.periods import Period

DEMAND_COLUMNS = ["sku", "location", "date", "quantity", "in_stock", "price", "promotion"]
ITEM_COLUMNS = ["sku", "name", "lifecycle", "replaces", "launched_on"]
LOCATION_COLUMNS = ["location", "name", "country"]
FADES = {"phase_out": 28.0, "discontinued": 3.5}  # days in which half of what demand is left goes


@dataclass(frozen=True)
class Series:
    """The series of a workspace, n of them.

    keys: (n,) frame of sku and location, sorted
    attributes: (n, …) frame of text that describes them, "" where unknown
    countries: (n,) ISO codes, "" where unknown
    launched: (n,) dates, NaT where not stated
    fade: (n,) share of demand that is left after one more period
    """

    keys: pd.DataFrame
    attributes: pd.DataFrame
    countries: list[str]
    launched: pd.Series
    fade: np.ndarray


def find_series(
    tables: Mapping[str, pd.DataFrame], selling: pd.DataFrame, period: Period, country: str | None
) -> Series:
    """Every series with demand or a plan of its own, and new items and successors where they are
    sourced or stocked.

    selling: frame of the pairs of sku and location with demand
    country: ISO code where `locations.country` says none
    """
    items, locations = _indexed(tables, "items", "sku"), _indexed(tables, "locations", "location")
    keys = _keys(tables, selling, items)
    countries = [country or ""] * len(keys)
    if "country" in locations:
        named = locations["country"].reindex(keys["location"])
        countries = [own if isinstance(own, str) and own else (country or "") for own in named]
    launched = pd.Series(pd.NaT, index=keys.index, dtype="datetime64[ns]")
    if "launched_on" in items:
        launched = pd.to_datetime(items["launched_on"]).reindex(keys["sku"]).reset_index(drop=True)
    fade = np.ones(len(keys))
    if "lifecycle" in items:
        half = items["lifecycle"].reindex(keys["sku"]).map(FADES).to_numpy(dtype=float, na_value=np.nan)
        fade = np.where(np.isfinite(half), 0.5 ** (period.days / half), 1.0)
    return Series(keys, _attributes(keys, items, locations), countries, launched, fade)


def covariates_of(demand: pd.DataFrame) -> list[str]:
    """Numeric columns of demand beyond the contract's own that hold anything."""
    return [
        name
        for name in demand.columns.difference(DEMAND_COLUMNS)
        if pd.api.types.is_numeric_dtype(demand[name]) and demand[name].notna().any()
    ]


def _indexed(tables: Mapping[str, pd.DataFrame], name: str, key: str) -> pd.DataFrame:
    table = tables.get(name)
    if table is None or not len(table):
        return pd.DataFrame(index=pd.Index([], dtype="str", name=key))
    return table.drop_duplicates(key, keep="last").set_index(key)


def _keys(tables: Mapping[str, pd.DataFrame], selling: pd.DataFrame, items: pd.DataFrame) -> pd.DataFrame:
    plans = tables.get("plans")
    found = [selling]
    if plans is not None and len(plans) and set(PAIR) <= set(plans):
        found.append(plans[PAIR].dropna())
    new = items.index[:0]
    for name, is_new in (("lifecycle", lambda said: said == "new"), ("replaces", pd.Series.notna)):
        if name in items:
            new = new.union(items.index[is_new(items[name])])
    places = selling["location"].unique()
    for name in ("sourcing", "stock"):
        table = tables.get(name)
        # A depot holds items that it never sells: only places with demand of their own get a new item's.
        if table is not None and len(table):
            found.append(table.loc[table["sku"].isin(new) & table["location"].isin(places), PAIR])
    keys = pd.concat(found).astype("str").drop_duplicates().sort_values(PAIR)
    return keys.reset_index(drop=True)


def _attributes(keys: pd.DataFrame, items: pd.DataFrame, locations: pd.DataFrame) -> pd.DataFrame:
    """Text columns of items and locations; columns of numbers or dates are no attributes."""
    columns = {"location": keys["location"]}
    for table, key, known in ((items, "sku", ITEM_COLUMNS), (locations, "location", LOCATION_COLUMNS)):
        for name in table.columns.difference(known):
            values = table[name]
            if pd.api.types.is_string_dtype(values.dtype) and values.notna().any():
                columns[name] = values.reindex(keys[key]).reset_index(drop=True)
    return pd.DataFrame(columns).astype("str").fillna("")
