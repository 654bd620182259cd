"""Are deep promotions expected to sell what they sell? Bias against the true mean, by depth of the promotion.

    python benchmarks/promotions.py [--seeds 3] [--items 200]

The simulated retailer knows what every day had to be expected to bring, its price cuts of 10 to 40 percent
included; demand answers them with a constant elasticity and a display effect. Per seed, one model is trained
twelve weeks before the end and forecasts the four weeks after each of twelve evenings; only promotions that
were announced by then count. Shelves run empty in promotions above all, so that a history of them shows the
calm ones: "known" is the history of a shop whose shelves never were, and what is off there is the model's.
"""

import argparse
from itertools import pairwise

import numpy as np
import pandas as pd

from forecasting.panel import Panel, build_panel
from forecasting.training import train
from hidden_demand import AHEAD, DAY, PAIR, told
from ingestion.retailer import Retailer, simulate

WEEKS = 12
EDGES = (0.0, 0.01, 0.125, 0.175, 0.25, 0.35, 1.0)  # between the depths that the retailer knows


def expected_and_true(retailer: Retailer, known: bool, threads: int) -> pd.DataFrame:
    """One row per series, evening and day ahead: depth, expected by the forecast, true mean."""
    tables = {**retailer.tables, "demand": told(retailer)} if known else retailer.tables
    evenings = pd.date_range(end=retailer.last_day - pd.Timedelta(days=6), periods=WEEKS, freq="7D")
    first = build_panel(tables, DAY, evenings[0], AHEAD)
    model = train(first, AHEAD, threads=threads).model
    rows = []
    for evening in evenings:
        panel = build_panel(tables, DAY, evening, AHEAD)
        daily = np.diff(model.predict(panel, AHEAD).mean.astype(float), axis=1, prepend=0.0)
        rows.append(_days(retailer, panel, evening, daily))
    return pd.concat(rows, ignore_index=True)


def _days(retailer: Retailer, panel: Panel, evening: pd.Timestamp, daily: np.ndarray) -> pd.DataFrame:
    truth, keys = retailer.truth, pd.MultiIndex.from_frame(panel.keys[PAIR])
    series = pd.MultiIndex.from_frame(truth.keys[PAIR]).get_indexer(keys)
    begin = truth.dates.get_loc(evening) + 1
    true = truth.expected[series, begin : begin + AHEAD]
    ahead = slice(panel.length, panel.length + AHEAD)
    announced = panel.known[:, ahead] < panel.length
    # A promotion that was not announced could not be expected.
    counted = (true > 0) & (announced | (panel.plan[:, ahead] == 0))
    columns = {"depth": panel.plan[:, ahead], "forecast": daily, "true": true}
    return pd.DataFrame({name: part[counted] for name, part in columns.items()})


def by_depth(days: pd.DataFrame) -> pd.DataFrame:
    """Days, bias in percent, and root mean squared error over the mean, per band of depth."""
    rows = []
    for low, high in pairwise(EDGES):
        cell = days[(days["depth"] >= low) & (days["depth"] < high)]
        off = cell["forecast"] - cell["true"]
        rows.append(
            {
                "depth": f"{cell['depth'].mean():.2f}",
                "days": len(cell),
                "bias %": 100 * off.sum() / cell["true"].sum(),
                "rmse": np.sqrt((off**2).mean()) / cell["true"].mean(),
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    """Reads the arguments, prints the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("seeds", 3), ("items", 200), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    for known in (False, True):
        days = []
        for seed in range(given.seeds):
            days.append(expected_and_true(simulate(seed, items=given.items), known, given.threads))
        print("known" if known else "as it was recorded")
        print(by_depth(pd.concat(days)).round(2).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
