"""What the measure of hidden demand rests on: the known history is the truth, and what is owed to shelves."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd
import pytest

from hidden_demand import AHEAD, KNOWN, summary, told
from ingestion.retailer import simulate


def test_the_known_history_is_what_customers_wanted_of_whom_some_met_an_empty_shelf():
    retailer = simulate(0, items=12, stores=2, days=90, future_days=AHEAD, cover=2.0)
    known, seen = told(retailer), retailer.tables["demand"]
    truth = retailer.truth.demand.rename(columns={"quantity": "wanted"})
    both = known.merge(truth, on=["sku", "location", "date"], validate="one_to_one")
    np.testing.assert_array_equal(both["quantity"], both["wanted"])
    assert (known["quantity"] >= seen["quantity"]).all()
    assert (known["quantity"] > seen["quantity"]).any()
    full = (seen["in_stock"] >= 1).to_numpy()
    np.testing.assert_array_equal(known["quantity"][full], seen["quantity"][full])
    assert (known["in_stock"] == 1).all()


def test_what_is_owed_to_shelves_is_the_rest_beyond_what_the_weeks_brought():
    def rows() -> Iterator[dict[str, object]]:
        for seed, back in product((0, 1), (0, 28)):
            weeks = 0.04 * seed - 0.01 * (back > 0)
            for treatment, more in ((KNOWN, 0.0), ("mask", -0.01), ("ignore", -0.05)):
                yield {
                    "seed": seed,
                    "back": back,
                    "treatment": treatment,
                    "history": 0.0,
                    "ahead": weeks + more,
                }

    table = summary(pd.DataFrame(rows()))
    assert table["owed to shelves", "mean"].to_dict() == pytest.approx({KNOWN: 0.0, "mask": -1, "ignore": -5})
    np.testing.assert_allclose(table["owed to shelves", "sem"], 0.0, atol=1e-12)
    assert table["ahead", "mean"].to_dict() == pytest.approx({KNOWN: 1.5, "mask": 0.5, "ignore": -3.5})
    # Four cells: 0, 4, -1 and 3 percent.
    assert table.loc[KNOWN, ("ahead", "sem")] == pytest.approx(np.std([0, 4, -1, 3], ddof=1) / 2)
