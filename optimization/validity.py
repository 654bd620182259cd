"""Validity: which policies hold on a date. An override that has expired gives way to the rule below it."""

import pandas as pd

DATES = ["valid_from", "valid_until"]


def in_force(policies: pd.DataFrame, on: pd.Timestamp | None) -> pd.DataFrame:
    """The rows that hold on a date, those that began last at the end: of one selector the last one counts.

    Of rows that began together those that will end are overrides of those that will not, and come after them.
    policies: with valid_from and valid_until, first and last day, where given; missing = without limit
    on: None leaves out every row with a limit

    >>> rows = pd.DataFrame({"selector": ["tea", "tea"], "valid_until": pd.to_datetime(["2024-03-31", None])})
    >>> [in_force(rows, pd.Timestamp(day)).index.tolist() for day in ("2024-03-31", "2024-04-01")]
    [[1, 0], [1]]
    """
    first, last = (_dates(policies, name) for name in DATES)
    if on is None:
        return policies[first.isna() & last.isna()]
    holds = ~(first > on) & ~(last < on)
    held = pd.DataFrame({"first": first[holds], "ends": last[holds].notna()})
    order = held.sort_values(["first", "ends"], na_position="first", kind="stable").index
    return policies.loc[order]


def expired(policies: pd.DataFrame, on: pd.Timestamp) -> pd.DataFrame:
    """The rows whose last day has passed on a date."""
    return policies[_dates(policies, "valid_until") < on]


def _dates(policies: pd.DataFrame, name: str) -> pd.Series:
    return pd.to_datetime(policies[name] if name in policies else pd.Series(pd.NaT, index=policies.index))
