"""Targets: what each series is held for, from the policy that fits it most closely.

It owns the choice of the policy row and the money behind it: what holding a unit costs, what missing
one costs, and the service level that balances the two.
"""

import logging
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from ingestion.errors import DataError
from ingestion.periods import Period
from optimization.classes import PREFIX
from optimization.validity import in_force

log = logging.getLogger(__name__)
MEASURES = ("cycle_service", "fill_rate", "cost")
COLUMNS = ["measure", "target", "holding_rate", "holding_cost", "shortage_cost", "unmet", "overstock_factor"]
NUMBERS = ["target", "holding_rate", "holding_cost", "shortage_cost", "overstock_factor"]
WORDS = ["selector", "measure", "unmet"]
DIMENSIONS = ("location", "category", "sku")  # a later one is more specific
NAMED = 5  # selectors that a warning names


@dataclass(frozen=True)
class Defaults:
    """What holds where no policy says otherwise.

    target: cycle service level, in (0, 1)
    holding_rate: share of the unit cost that holding a unit for a year costs
    overstock_factor: stock above this many order-up-to levels is too much
    unmet: what becomes of demand on an empty shelf: "backorder" or "lost"
    """

    target: float = 0.95
    holding_rate: float = 0.25
    overstock_factor: float = 1.2
    unmet: str = "lost"


def set_targets(
    supply: pd.DataFrame,
    policies: pd.DataFrame | None,
    period: Period,
    defaults: Defaults | None = None,
    on: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """The policy of each row of `supply`, with its costs filled in.

    Columns: selector, measure, target, holding_cost, shortage_cost, unmet, overstock_factor.
    supply: as supply.supply_terms gives it (sku, location, category, unit_cost, unit_price, review_periods)
    policies: selector is a sku, a category, a location, a class or *; the most specific one wins, in this
        order; "sku:…", "category:…" and "location:…" name the dimension where a word is used in two. A
        class is always written as "class:AX", "class:A" or "class:X" (`classes`), the pair before one letter
    on: date on which the policies must hold (`validity`); None takes only those without dates
    holding_cost: money per unit and period; from the rate and unit cost where not given
    shortage_cost: money per unit short; else the margin, the price or the unit cost; 0 if all are unknown
    measure: cycle_service, and unmet as the defaults say, where a policy does not name them
    target: for `cost` the newsvendor level, where both costs are known; else the default cycle service
    A selector that fits no row, and rows whose costs are unknown, are logged: neither stops the others.
    """
    defaults = defaults or Defaults()
    chosen = _chosen(supply, None if policies is None else in_force(policies, on))
    out = pd.DataFrame({"selector": chosen["selector"].fillna("default")})
    rate = chosen["holding_rate"].fillna(defaults.holding_rate)
    holding = chosen["holding_cost"].fillna(rate * supply["unit_cost"].to_numpy() * period.days / 365.25)
    margin = (supply["unit_price"] - supply["unit_cost"]).where(lambda m: m > 0)
    loss = margin.fillna(supply["unit_price"]).fillna(supply["unit_cost"]).to_numpy(dtype=float)
    shortage = chosen["shortage_cost"].fillna(pd.Series(loss))
    balance = cost_target(holding, shortage, supply["review_periods"])
    asked = chosen["measure"] == "cost"
    by_cost = asked & np.isfinite(balance)
    _tell_of_unknown_costs(int((asked & ~by_cost).sum()), defaults.target)
    out["measure"] = chosen["measure"].mask(asked & ~by_cost).fillna("cycle_service")
    told = chosen["target"].mask(asked).fillna(defaults.target)
    out["target"] = np.where(by_cost, balance, told)
    out["holding_cost"], out["shortage_cost"] = holding, shortage.fillna(0.0)
    out["unmet"] = chosen["unmet"].fillna(defaults.unmet)
    out["overstock_factor"] = chosen["overstock_factor"].fillna(defaults.overstock_factor)
    wrong = out[~((out["target"] > 0) & (out["target"] < 1))]
    if len(wrong):
        first = wrong.iloc[0]
        raise DataError(
            f"policy {first['selector']!r}: target must lie in (0, 1), got {first['target']:g}; "
            "write 95% as 0.95, and for no stock at all take the item out of the policy"
        )
    return out


def cost_target(holding: pd.Series, shortage: pd.Series, review: pd.Series) -> np.ndarray:
    """(n,) newsvendor level p / (p + h·R): a unit too many is held until the next order can be smaller.

    holding: money per unit and period, h; shortage: money per unit short, p; review: periods, R

    >>> cost_target(pd.Series([0.2]), pd.Series([1.0]), pd.Series([1])).round(4).tolist()
    [0.8333]
    """
    held = holding.to_numpy(dtype=float) * np.maximum(review.to_numpy(dtype=float), 1.0)
    missed = shortage.to_numpy(dtype=float)
    known = (held > 0) & (missed > 0)
    return np.divide(missed, missed + held, where=known, out=np.full(len(missed), np.nan))


def _chosen(supply: pd.DataFrame, policies: pd.DataFrame | None) -> pd.DataFrame:
    """(n,) rows of `policies`, NaN where none fits."""
    table = pd.DataFrame() if policies is None else policies
    table = table.reindex(columns=["selector", *COLUMNS]).reset_index(drop=True)
    table = table.astype(dict.fromkeys(NUMBERS, "float64") | dict.fromkeys(WORDS, "object"))
    _check(table)
    _tell_of_strangers(table["selector"].dropna().astype("str"), supply)
    row = pd.Series(np.nan, index=range(len(supply)))
    selector = table["selector"].astype("str")
    for words in _whole_selectors(supply):
        row = words.map({name: at for at, name in enumerate(selector)}).astype(float).fillna(row)
    for dimension in DIMENSIONS:
        names = selector.str.removeprefix(f"{dimension}:")
        words = supply[dimension].reset_index(drop=True)
        row = words.map({name: at for at, name in enumerate(names)}).astype(float).fillna(row)
    return table.reindex(row.to_numpy()).reset_index(drop=True)


def _whole_selectors(supply: pd.DataFrame) -> list[pd.Series]:
    """Selectors that are written out in full, the least specific first: all, then each row's classes."""
    everything = pd.Series("*", index=range(len(supply)))
    if "abc" not in supply:
        return [everything]
    abc, xyz = (supply[name].astype("str").reset_index(drop=True) for name in ("abc", "xyz"))
    return [everything, PREFIX + xyz, PREFIX + abc, PREFIX + abc + xyz]


def _tell_of_strangers(selectors: pd.Series, supply: pd.DataFrame) -> None:
    """Log the selectors that fit no row; often a slip of the pen, or an item without series today."""
    words = {name: set(supply[name].dropna().astype("str")) for name in DIMENSIONS}
    whole = {word for selector in _whole_selectors(supply) for word in selector.unique()}
    fitting = {"*", *whole}.union(
        *words.values(), *({f"{n}:{word}" for word in words[n]} for n in DIMENSIONS)
    )
    strangers = [name for name in selectors if name not in fitting]
    if not strangers or supply.empty:
        return
    known, shown = sorted(fitting), []
    for name in strangers[:NAMED]:
        close = get_close_matches(name, known, n=2)
        shown.append(repr(name) + (f" (did you mean {' or '.join(map(repr, close))}?)" if close else ""))
    log.warning(
        "%d policy selectors fit no series and hold for nothing: %s%s; write a sku, category or location of "
        "today's data, class:A … class:CZ, or *",
        len(strangers),
        ", ".join(shown),
        ", …" if len(strangers) > NAMED else "",
    )


def _tell_of_unknown_costs(count: int, target: float) -> None:
    if count:
        log.warning(
            "measure cost falls back to cycle service %g for %d series whose costs are unknown; give "
            "unit_cost and unit_price of their items, or holding_cost and shortage_cost in the policy",
            target,
            count,
        )


def _check(table: pd.DataFrame) -> None:
    known = table["measure"].isna() | table["measure"].isin(MEASURES)
    if not known.all():
        raise DataError(
            f"measure must be one of {', '.join(MEASURES)}, got {table['measure'][~known].iloc[0]!r}"
        )
    given = table["target"].notna() & (table["measure"] != "cost")
    wrong = table[given & ~((table["target"] > 0) & (table["target"] < 1))]
    if len(wrong):
        first = wrong.iloc[0]
        raise DataError(
            f"policy {first['selector']!r}: target must lie in (0, 1), got {first['target']:g}; "
            "write 95% as 0.95"
        )
