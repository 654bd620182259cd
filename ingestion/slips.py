"""Slips: what people mistype and every contract lets pass, told before anything is computed from it.

A year in the wrong century, a name in two spellings, months that are counted as days. Takes what `health`
gathers from the warehouse; gives findings in words.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ingestion.periods import Period, guess

APART, FEW = 120, 0.01  # days without a row of anything; share of the rows that lie beyond them
NAMED = 3  # spellings that one finding names
Finding = tuple[str, str, str, str]  # kind, subject, message, remedy


def slips(
    dated: Mapping[str, pd.Series], names: Mapping[str, Sequence[str]], period: Period
) -> list[Finding]:
    """All that was found.

    dated: table → rows on each date, dates ascending
    names: column → the names that demand uses in it
    """
    found = [finding for table, rows in dated.items() for finding in _strays(table, rows)]
    if not found and "demand" in dated:
        found += _spacing(dated["demand"], period)
    return found + [finding for column, values in names.items() for finding in _alike(column, values)]


def _strays(table: str, rows: pd.Series) -> Iterator[Finding]:
    """A few rows long before or long after all others.

    >>> days = pd.to_datetime(["2004-01-02", *pd.date_range("2024-01-01", periods=120).astype(str)])
    >>> [finding[2] for finding in _strays("demand", pd.Series(1, index=days))]
    ['1 rows lie long before all others, from 2004-01-02 to 2004-01-02; the others begin on 2024-01-01']
    """
    dates = pd.DatetimeIndex(rows.index)
    if len(dates) < 2:
        return
    share = rows.to_numpy().cumsum() / rows.sum()
    far = np.flatnonzero(np.diff(dates.to_numpy()) > np.timedelta64(APART, "D"))
    early, late = far[share[far] < FEW], far[share[far] > 1 - FEW]
    remedy = (
        "correct the year if it is mistyped: figures are as of the last date of demand, unless in the future"
    )
    if len(early):
        last = int(early[-1])
        count = int(rows.iloc[: last + 1].sum())
        message = (
            f"{count} rows lie long before all others, from {dates[0]:%Y-%m-%d} to {dates[last]:%Y-%m-%d}; "
            f"the others begin on {dates[last + 1]:%Y-%m-%d}"
        )
        yield "stray_dates", table, message, remedy
    if len(late):
        first = int(late[0]) + 1
        count = int(rows.iloc[first:].sum())
        message = (
            f"{count} rows lie long after all others, from {dates[first]:%Y-%m-%d} to {dates[-1]:%Y-%m-%d}; "
            f"the others end on {dates[first - 1]:%Y-%m-%d}"
        )
        yield "stray_dates", table, message, remedy


def _spacing(rows: pd.Series, period: Period) -> Iterator[Finding]:
    """Dates that lie further apart than the periods in which they are counted.

    >>> months = pd.date_range("2022-01-01", periods=24, freq="MS")
    >>> [finding[3] for finding in _spacing(pd.Series(1, index=months), Period("day"))]
    ['say period = "month" under [workspace]']
    """
    told = guess(pd.Series(rows.index))
    if told.days <= period.days:
        return
    message = f"its dates lie a {told.name} apart, but every {period.name} is counted: most count as zero"
    yield "spacing", "demand", message, f'say period = "{told.name}" under [workspace]'


def _alike(column: str, values: Sequence[str]) -> Iterator[Finding]:
    """Names that differ in case or width alone: one thing, counted as two.

    >>> [finding[2] for finding in _alike("sku", ["A-1", "a-1", "Ａ-1", "b"])]
    ['1 names come in several spellings, such as A-1 = a-1 = Ａ-1']
    """
    names = pd.Series(sorted(set(values)), dtype="str")
    same = names.groupby(names.str.normalize("NFKC").str.casefold()).agg(list)
    several = [spellings for spellings in same if len(spellings) > 1]
    if several:
        told = ", ".join(" = ".join(spellings) for spellings in several[:NAMED])
        message = f"{len(several)} names come in several spellings, such as {told}"
        remedy = f"spell each {column} one way in every table, or map it with words in the source"
        yield "alike", column, message, remedy
