"""Orders for the VN2 inventory planning challenge: python benchmarks/vn2.py REFEREE [--seed 0].

REFEREE is the folder of an independent referee (folds.py, policies_simple.py) that plays any policy in five
windows of eight weeks inside the history, beside the organiser's benchmark. The policy here is what the
product does on tables of that shape: a model trained on what was known before the window, its forecast from
each week on, and the recommended orders. Nothing is set for these data: the terms of the challenge (weekly,
0.2 a unit left, 1 a unit short, sales lost, two whole weeks of certain lead time) are rows of `policies` and
`sourcing`.
"""

import argparse
import sys
import time
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand
from forecasting.models import DemandModel
from forecasting.panel import build_panel
from forecasting.training import train
from ingestion.periods import Period
from optimization.lead_time import learn_lead_times
from optimization.lost_sales import settle_targets
from optimization.planning import recommend_orders
from optimization.position import expect_arrivals, on_shelf
from optimization.supply import supply_terms
from optimization.targets import set_targets
from optimization.thresholds import derive_thresholds

WEEK = Period("week")
HORIZON = 8  # weeks forecast: what the commands forecast at least
SERIES = ["sku", "location"]
POLICIES = pd.DataFrame(
    {"selector": ["*"], "measure": "cost", "holding_cost": 0.2, "shortage_cost": 1.0, "unmet": "lost"}
)


@dataclass
class Policy:
    """The referee's policy(round, sales, in_stock, master, state) → whole orders, by the product.

    models: trained so far, by the first date of the last week known
    """

    seed: int = 0
    threads: int = 1
    models: dict[pd.Timestamp, DemandModel] = field(default_factory=dict)

    def __call__(
        self,
        number: int,
        sales: pd.DataFrame,
        in_stock: pd.DataFrame,
        master: pd.DataFrame,
        state: pd.DataFrame,
    ) -> np.ndarray:
        """(n,) units ordered at the end of the last week of `sales`, in its order."""
        tables = tables_of(sales, in_stock, master, state)
        orders = decide(self.forecast(number, tables, sales.columns[-1]), tables)
        at = pd.MultiIndex.from_frame(names_of(sales.index))
        placed = orders.set_index(SERIES)["quantity"].reindex(at, fill_value=0.0)
        return placed.to_numpy().round().astype(int)

    def forecast(self, number: int, tables: dict[str, pd.DataFrame], as_of: pd.Timestamp) -> CumulativeDemand:
        """Trained before the window, asked with what is known by now."""
        panel = build_panel(tables, WEEK, as_of, HORIZON)
        trained_on = as_of - pd.Timedelta(weeks=number - 1)
        if trained_on not in self.models:
            self.models[trained_on] = train(panel, seed=self.seed, threads=self.threads).model
        return self.models[trained_on].predict(panel, HORIZON)


def names_of(index: pd.MultiIndex) -> pd.DataFrame:
    """sku and location of the referee's (store, product)."""
    store, product = (index.get_level_values(k).astype(str) for k in (0, 1))
    return pd.DataFrame({"sku": product, "location": store})


def tables_of(
    sales: pd.DataFrame, in_stock: pd.DataFrame, master: pd.DataFrame, state: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The week's tables as the contracts have them."""
    keys = names_of(sales.index)
    as_of, (n, weeks) = sales.columns[-1], sales.shape
    demand = keys.loc[np.repeat(np.arange(n), weeks)].reset_index(drop=True)
    demand["date"] = np.tile(sales.columns, n)
    demand["quantity"], demand["in_stock"] = sales.to_numpy().ravel(), in_stock.to_numpy().ravel()
    about = master.reset_index(drop=True).astype("str")
    items = about[["ProductGroup", "Division"]].assign(
        sku=keys["sku"], category=about["DepartmentGroup"], subcategory=about["Department"]
    )
    places = about[["Format"]].assign(location=keys["location"], kind=about["StoreFormat"])
    inbound = [
        keys.assign(quantity=state[column].to_numpy(), promised_on=as_of + pd.Timedelta(weeks=ahead))
        for ahead, column in ((1, "in_transit_w1"), (2, "in_transit_w2"))
    ]
    orders = pd.concat(inbound, ignore_index=True)
    orders = orders[orders["quantity"] > 0].assign(supplier="maker", kind="purchase")
    orders["ordered_on"] = orders["promised_on"] - pd.Timedelta(weeks=2)
    orders["order_id"] = np.arange(len(orders)).astype(str)
    return {
        "demand": demand,
        "items": items.drop_duplicates("sku"),
        "locations": places.drop_duplicates("location"),
        "stock": keys.assign(on_hand=state["end_inventory"].to_numpy(dtype=float), as_of=as_of),
        "supply_orders": orders.reset_index(drop=True),
        "sourcing": keys.assign(
            supplier="maker", lead_time_days=14.0, lead_time_sd_days=0.0, review_periods=1
        ),
        "policies": POLICIES,
    }


def decide(demand: CumulativeDemand, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Recommended orders on a forecast: what `forestock plan` does after it."""
    as_of, orders, sourcing = demand.as_of, tables["supply_orders"], tables["sourcing"]
    supply = supply_terms(demand.keys, tables, WEEK, as_of)
    lead_times = learn_lead_times(orders, supply, WEEK, as_of)
    targets = set_targets(supply, tables["policies"], WEEK)
    targets = settle_targets(demand, supply, lead_times, targets)
    return recommend_orders(
        demand,
        supply,
        lead_times,
        targets,
        thresholds=derive_thresholds(demand, supply, lead_times, targets),
        position=on_shelf(demand.keys, tables["stock"], tables["demand"], orders, WEEK, as_of),
        inbound=expect_arrivals(orders, sourcing, WEEK, as_of, demand.horizon),
    )


def play(referee: Path, policy: Any, windows: slice = slice(None)) -> pd.DataFrame:
    """Cost of weeks 3 to 8 of each of the referee's `windows`, ours and the organiser's benchmark's."""
    sys.path.insert(0, str(referee))
    folds, simple = import_module("folds"), import_module("policies_simple")
    rows = []
    for first in [*folds.DEV, *folds.SEASON][windows]:
        game = folds.history_game(first)
        began = time.perf_counter()
        ours, organiser = game.play(policy), game.play(simple.official_benchmark)
        week = game.demand.columns[0].date()
        scored = ours.log[ours.log["week"] >= 3]
        rows.append((week, ours.score, scored["holding"].sum(), scored["shortage"].sum(), organiser.score))
        print(f"{week}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return pd.DataFrame(rows, columns=["window", "cost", "holding", "shortage", "organiser"])


def main() -> None:
    """Play all windows and print their cost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("referee", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    table = play(options.referee, Policy(options.seed, options.threads))
    table["ratio"] = table["cost"] / table["organiser"]
    print(table.round(3).to_string(index=False))
    print(f"mean {table['cost'].mean():.0f}, organiser {table['organiser'].mean():.0f}")


if __name__ == "__main__":
    main()
