"""Kinds: what a rule can measure, larger being worse, and about whom.

This module owns the list of kinds. Their order is the order in which they speak: of one cause the first
silences the rest (`warning.inhibition`), and what is wrong with data or a supplier comes before what it
makes doubtful.

| kind | about | measure | tier is reached |
|---|---|---|---|
| stale_data | source | days by which a source lags, where that is too long | days ≥ bound |
| contradictory_data | source | share of the source's series whose figures disagree | share ≥ bound |
| no_position | item | 0 where the stock on hand is unknown | at the bound 0 |
| supplier_late | supplier | share of the open order lines overdue, of at least three | share ≥ bound |
| supplier_shift | supplier | share by which lead times are longer, by more than luck | share ≥ bound |
| out_of_stock | item | −available ÷ safety stock | at the bound 0: nothing is available |
| stockout_risk | item | chance of a stockout within lead time + review | chance ≥ bound |
| low_stock | item | (basis − stock) ÷ basis: share below the basis | share ≥ bound; .1 = 10 % below |
| late_inbound | item | days the most overdue order is behind its promise | days ≥ bound |
| expiry | item | chance that something expires before it is sold; 1 where something has | chance ≥ bound |
| dead_stock | item | days since something was sold, where there is stock | days ≥ bound |
| slow_stock | item | days until what is on hand is sold, more likely than not | days ≥ bound |
| overstock | item | (stock − basis) ÷ basis: share above the basis | share ≥ bound; .2 = 20 % above |
| abnormal_demand | item | one window in how many has demand so far out, by the forecast | windows ≥ bound |
"""

import math
from typing import Literal, NamedTuple

Subject = Literal["item", "supplier", "source"]
TIERS = ("notice", "warning", "critical")  # yellow, orange, red: ascending


class Shape(NamedTuple):
    """What a kind of rule may say: its levels, its stocks (the defaults first), its range of bounds.

    hysteresis: the default, in the measure's unit
    """

    bases: tuple[str, ...]
    stocks: tuple[str, ...]
    bounds: tuple[float, float]
    hysteresis: float
    subject: Subject = "item"


def _plain(low: float, high: float, hysteresis: float, subject: Subject = "item") -> Shape:
    return Shape(("none",), ("available",), (low, high), hysteresis, subject)


KINDS: dict[str, Shape] = {
    "stale_data": _plain(0.0, math.inf, 0.0, "source"),
    "contradictory_data": _plain(0.0, 1.0, 0.01, "source"),
    "no_position": _plain(0.0, 0.0, 0.0),
    "supplier_late": _plain(1e-6, 1.0, 0.1, "supplier"),
    "supplier_shift": _plain(1e-6, math.inf, 0.05, "supplier"),
    "out_of_stock": Shape(("safety_stock",), ("available",), (0.0, 0.0), 0.1),
    "stockout_risk": Shape(("none",), ("projected",), (1e-6, 1.0), 0.1),
    "low_stock": Shape(
        ("safety_stock", "reorder_point"), ("projected", "available", "position"), (0.0, math.inf), 0.1
    ),
    "late_inbound": _plain(1e-6, math.inf, 0.0),
    "expiry": _plain(1e-6, 1.0, 0.1),
    "dead_stock": _plain(1.0, math.inf, 0.0),
    "slow_stock": _plain(1.0, math.inf, 14.0),
    "overstock": Shape(
        ("overstock_level", "order_up_to", "reorder_point", "safety_stock"),
        ("available", "position"),
        (0.0, math.inf),
        0.1,
    ),
    "abnormal_demand": _plain(2.0, math.inf, 0.0),
}
SHORTAGES = ("out_of_stock", "stockout_risk", "low_stock")
SURPLUSES = ("expiry", "dead_stock", "slow_stock", "overstock")  # they hold for what is discontinued too
