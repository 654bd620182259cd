"""Selection: which positions a rule, a silence or a pilot speaks of.

This module owns how a selector meets the columns of the facts. Every dimension is a column: sku, location,
category, supplier, class (abc, xyz), and any attribute of an item or a location.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from warning.rules import Rule


def selected(facts: pd.DataFrame, selector: Mapping[str, Sequence[str]]) -> np.ndarray:
    """(n,) whether each position has one of the values that a selector gives for every column.

    >>> shops = pd.DataFrame({"location": ["s", "t"], "floor": [1, 2]})
    >>> selected(shops, {"floor": ("2",)}).tolist()
    [False, True]
    """
    chosen = np.ones(len(facts), dtype=bool)
    for column, values in selector.items():
        chosen &= facts[column].astype(str).isin(values).to_numpy()
    return chosen


def factors(facts: pd.DataFrame, sensitivity: Mapping[str, Mapping[str, float]]) -> np.ndarray:
    """(n,) product of the factors that each position's values are given; 1 where none is."""
    product = np.ones(len(facts))
    for column, by_value in sensitivity.items():
        given = facts[column].astype(str).map({str(value): factor for value, factor in by_value.items()})
        product *= given.astype(float).fillna(1.0).to_numpy()
    return product


def check_columns(rules: Iterable[Rule], columns: Mapping[str, Sequence[str]]) -> None:
    """Problem where a rule names a column that what it watches does not have.

    columns: subject (item, supplier, source) → the columns of its facts
    """
    for rule in rules:
        known = list(columns[rule.shape.subject])
        for column in rule.columns:
            if column not in known:
                raise Problem(
                    f"rule {rule.name!r} selects by {column!r}, which no {_named(rule)} has; "
                    f"{nearest(column, known)}"
                )


def nearest(name: str, known: Sequence[str]) -> str:
    """The remedy for a name that is not known: the nearest ones, else all.

    >>> nearest("categry", ["sku", "category"])
    "did you mean 'category'?"
    """
    close = difflib.get_close_matches(name, known, 3)
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    return f"use one of {', '.join(map(str, known))}"


def _named(rule: Rule) -> str:
    return {"item": "position", "supplier": "supplier", "source": "source"}[rule.shape.subject]
