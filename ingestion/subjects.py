"""Subjects: which sku, location and dates a row of feedback is about, and what may be said of them.

It owns the way a subject is written: `sku@location@date` or `sku@location@first..last`, dates as 2024-03-31.
`*` stands for every sku or every location. A verdict names its alert instead.
"""

import numpy as np
import pandas as pd

EVERY = "*"
VERDICTS = ("hit", "late", "false", "missed")  # what a person may say came of an alert
MISSING = "missing"  # the value of a correction that says: what was recorded there is not demand
DATED = r"(?P<start>\d{4}-\d{2}-\d{2})(?:\.\.(?P<end>\d{4}-\d{2}-\d{2}))?"
CELLS = rf"^(?P<sku>.+)@(?P<location>[^@]+)@{DATED}$"


def cells_of(subject: pd.Series) -> pd.DataFrame:
    """What each subject names: sku, location, start and end (the last date, the first where it names one).

    A row that is written otherwise comes out empty.

    >>> cells_of(pd.Series(["tea@shop 1@2024-03-01..2024-03-03", "alert-17"]))
       sku location      start        end
    0  tea   shop 1 2024-03-01 2024-03-03
    1  NaN      NaN        NaT        NaT
    """
    found = subject.astype("str").str.extract(CELLS)
    dates = {
        name: pd.to_datetime(found[name], format="%Y-%m-%d", errors="coerce").astype("datetime64[ns]")
        for name in ("start", "end")
    }
    dates["end"] = dates["end"].where(found["end"].notna(), dates["start"])
    text = {name: found[name].astype("str").str.strip() for name in ("sku", "location")}
    cells = pd.DataFrame(text | dates, columns=["sku", "location", "start", "end"])
    return cells[cells["start"] <= cells["end"]].reindex(subject.index)


def quantities_of(value: pd.Series) -> np.ndarray:
    """(rows,) units stated; NaN where a value is no finite number of at least 0."""
    units = pd.to_numeric(value, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.where(np.isfinite(units) & (units >= 0), units, np.nan)


def names_cells(feedback: pd.DataFrame) -> "pd.Series[bool]":
    """Where a row that must be about cells is; a quantity must be of one sku at one location."""
    cells = cells_of(feedback["subject"])
    every = (cells["sku"] == EVERY) | (cells["location"] == EVERY)
    quantity = np.isfinite(quantities_of(feedback["value"])) & (feedback["kind"] != "event_tag")
    return (feedback["kind"] == "verdict") | (cells["start"].notna() & ~(every & quantity))


def states_outcome(feedback: pd.DataFrame) -> "pd.Series[bool]":
    """Where a verdict says what came of its alert; other kinds pass."""
    return (feedback["kind"] != "verdict") | feedback["value"].isin(VERDICTS)


def states_units(feedback: pd.DataFrame) -> "pd.Series[bool]":
    """Where an override says units; other kinds pass."""
    return (feedback["kind"] != "override") | np.isfinite(quantities_of(feedback["value"]))


def states_correction(feedback: pd.DataFrame) -> "pd.Series[bool]":
    """Where a correction says units of one date, or missing; other kinds pass."""
    cells = cells_of(feedback["subject"])
    masked = feedback["value"].astype("str").str.lower() == MISSING
    units = np.isfinite(quantities_of(feedback["value"])) & ~(cells["start"] < cells["end"])
    return (feedback["kind"] != "demand_correction") | masked | units
