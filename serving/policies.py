"""Policies: the rows that were loaded, with the service targets that people approved since.

An approved target takes the place of the one that its segment had; what else that policy says stays.
"""

from typing import Any

import pandas as pd

from optimization.validity import in_force


def with_targets(policies: pd.DataFrame, targets: pd.DataFrame, known: pd.Timestamp) -> pd.DataFrame:
    """The policies with a row for each target that was approved.

    policies: as loaded; targets: column, segment, target, valid_from, in the order in which they hold
    known: date; what holds only later was not approved by then

    >>> told = pd.DataFrame({"selector": ["*"], "measure": "fill_rate", "target": 0.95, "unmet": "lost"})
    >>> one = pd.DataFrame({"column": ["category"], "segment": ["tea"], "target": [0.9]})
    >>> one["valid_from"] = pd.Timestamp("2026-03-01")
    >>> both = with_targets(told, one, pd.Timestamp("2026-03-02"))
    >>> both[["selector", "target", "unmet"]].to_numpy().tolist()
    [['*', 0.95, 'lost'], ['category:tea', 0.9, 'lost']]
    """
    told = targets[targets["valid_from"] <= known]
    if not len(told):
        return policies
    rows: list[dict[str, Any]] = []
    for one in told.to_dict("records"):
        holds = in_force(policies, one["valid_from"])
        selector = f"{one['column']}:{one['segment']}"
        fitting = [holds[holds["selector"] == name] for name in (selector, one["segment"], "*")]
        last = next((part.iloc[-1] for part in fitting if len(part)), pd.Series(dtype=object))
        base = {str(name): value for name, value in last.items()}
        base |= {"selector": selector, "measure": "cycle_service", "target": one["target"]}
        rows.append(base | {"valid_from": one["valid_from"], "valid_until": pd.NaT})
    more = pd.DataFrame(rows)
    return pd.concat([policies, more], ignore_index=True) if len(policies) else more
