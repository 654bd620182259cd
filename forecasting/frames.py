"""One long frame in, one long frame out: how a data scientist asks a model, with no workspace around it.

It owns what the rows of such a frame mean. A row is a sku, a location and a date. Up to the as-of date it is
history; after it, it is the known future: its promotion, price and covariates are plans, its quantity is not
read. An event names the day, before and after. Text columns describe the item, and country, region and kind
the location; other numbers are covariates.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from forecasting.cells import PAIR
from forecasting.models import DemandModel
from forecasting.panel import build_panel
from ingestion.errors import Problem, UsageProblem
from ingestion.parsing import as_dates
from ingestion.periods import Period

SUMS = {"day": (7, 14, 28), "week": (1, 2, 4), "month": (1, 2, 3)}  # horizons told where none are asked
LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
NEEDED = (*PAIR, "date", "quantity")
NUMBERS = ("quantity", "in_stock", "price", "promotion")
# What a number may be, as the tables' contracts say, and what to write instead.
BOUNDS = {
    "quantity": (np.inf, "net returns at the source"),
    "in_stock": (1.0, "write 95% as 0.95"),
    "price": (np.inf, "leave out what is no price"),
    "promotion": (1.0, "write 30% as 0.3; a flag as 0 or 1"),
}
OF_LOCATION = ("country", "region", "kind")
OF_ITEM = ("category", "subcategory", "brand", "lifecycle", "replaces", "launched_on")


@dataclass(frozen=True)
class Reading:
    """How a frame is read.

    period: what one step of the horizon is
    absent: what no row means after a series' first: "zero", "closed" or "missing"
    country: ISO code for holidays where the frame has no country of its own
    hidden: what becomes of demand that met an empty shelf: "mask", "impute" or "ignore"
    """

    period: Period
    absent: str = "zero"
    country: str | None = None
    hidden: str = "mask"


def answer(
    model: DemandModel,
    frame: pd.DataFrame,
    reading: Reading,
    horizons: Sequence[int] = (),
    levels: Sequence[float] = LEVELS,
    as_of: str = "",
) -> pd.DataFrame:
    """Demand summed over each horizon after the as-of date: sku, location, horizon, mean, q0.5 …, units.

    frame: sku, location, date, quantity; and in_stock, price, promotion, attributes, covariates where known
    horizons: lengths of the sums, periods; by default a few within what the model has learned
    as_of: date up to which is known; "" for the last with a quantity
    Raises UsageProblem for what cannot be meant, Problem beyond what was learned.
    """
    sums, levels = _sums(horizons, model, reading.period), list(levels)
    if not levels or not all(0 < level < 1 for level in levels):
        raise UsageProblem(f"levels must lie in (0, 1), got {levels}; write 95% as 0.95")
    frame, hidden = _typed(frame), reading.hidden
    if hidden == "ignore":  # Sales are demand then, but a missing quantity still is none.
        frame, hidden = frame.drop(columns="in_stock", errors="ignore"), "mask"
    tables, last = split(frame, reading.period, as_of)
    panel = build_panel(tables, reading.period, last, sums[-1], reading.absent, reading.country, hidden)
    demand = model.predict(panel, sums[-1])
    at = np.array(sums) - 1
    out = demand.keys.loc[np.repeat(np.arange(len(demand.keys)), len(at))].reset_index(drop=True)
    out = out.assign(horizon=np.tile(at + 1, len(demand.keys)), mean=demand.mean[:, at].ravel().astype(float))
    quantiles = demand.quantile(levels)[:, at]
    return out.assign(**{f"q{level:g}": quantiles[:, :, k].ravel() for k, level in enumerate(levels)})


def _sums(horizons: Sequence[int], model: DemandModel, period: Period) -> list[int]:
    """The asked horizons in order, each once."""
    longest = int(model.about["horizon"])
    asked = sorted(set(horizons)) or [h for h in SUMS[period.name] if h <= longest] or [longest]
    if asked[0] < 1 or any(h != int(h) for h in asked):
        raise UsageProblem(f"horizons must be whole numbers from 1, got {asked}; such as [7, 14]")
    if asked[-1] > longest:
        raise Problem(
            f"the model has learned sums of up to {longest} {period.name}s, got {asked[-1]}; "
            "ask for fewer, or train for more"
        )
    return [int(h) for h in asked]


def split(frame: pd.DataFrame, period: Period, as_of: str) -> tuple[dict[str, pd.DataFrame], pd.Timestamp]:
    """The tables that a panel is built of, and the first date of the last period that counts."""
    last = _last(frame, period, as_of)
    past = period.index(frame["date"]) <= period.index(last)[0]
    texts = [
        name
        for name in frame.columns.difference([*NEEDED, *NUMBERS, "event"])
        if name in (*OF_ITEM, *OF_LOCATION) or not pd.api.types.is_numeric_dtype(frame[name])
    ]
    demand = frame[past].drop(columns=[*texts, "event"], errors="ignore")
    # A row without a quantity was not observed. An absent row may mean zero, an empty shelf never does.
    blind = demand["quantity"].isna()
    shelf = demand["in_stock"] if "in_stock" in demand else pd.Series(np.nan, index=demand.index)
    demand = demand.assign(
        quantity=demand["quantity"].fillna(0.0), in_stock=shelf.fillna(1.0).where(~blind, 0.0)
    )
    own = [name for name in texts if name in OF_LOCATION]
    tables = {
        "demand": demand.reset_index(drop=True),
        "plans": pd.concat(
            [
                _events(frame[past]),
                frame[~past].drop(columns=["quantity", "in_stock", *texts], errors="ignore"),
            ],
            ignore_index=True,
        ),
        "items": _described(frame, "sku", [name for name in texts if name not in OF_LOCATION]),
        "locations": _described(frame, "location", own),
    }
    return tables, last


def _events(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `plans` for the events that were: what a model knows of them is told from what sold then."""
    if "event" not in rows:
        return pd.DataFrame({name: rows[name].iloc[:0] for name in (*PAIR, "date")})
    named = rows["event"].notna() & (rows["event"].astype("str").str.strip() != "")
    return rows.loc[named, [*PAIR, "date", "event"]]


def _described(frame: pd.DataFrame, key: str, names: list[str]) -> pd.DataFrame:
    """One row per key, each column's last known value."""
    return frame.groupby(key, sort=True)[names].last().reset_index()


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with keys as text, dates as dates and numbers as numbers."""
    missing = [name for name in NEEDED if name not in frame]
    if missing or not len(frame):
        raise UsageProblem(
            f"a frame of demand has rows of {', '.join(NEEDED)}, got {len(frame)} rows without "
            f"{', '.join(missing) or 'any'}; give history up to the as-of date and plans after it"
        )
    if "event" in frame and pd.api.types.is_numeric_dtype(frame["event"]):
        raise UsageProblem(
            "column 'event' names events in words, such as fair, got numbers; a number of each day is a "
            "covariate: give its column another name"
        )
    given = {name: frame[name].astype("str") for name in PAIR}
    for names, parse, what in (
        (("date", "launched_on"), _dates, "dates"),
        (NUMBERS, _numbers, "numbers"),
        ((*OF_ITEM[:-1], *OF_LOCATION, "event"), _texts, "text"),
    ):
        given |= {name: _parsed(frame[name], parse, what) for name in names if name in frame}
    for name, (most, remedy) in BOUNDS.items():
        if name in given:
            _check_bounds(given[name], most, remedy)
    return frame.assign(**given)


def _check_bounds(numbers: pd.Series, most: float, remedy: str) -> None:
    odd = numbers[numbers.notna() & ~(numbers.between(0.0, most) & np.isfinite(numbers))]
    if len(odd):
        limit = "must be a number from 0" if most == np.inf else f"must lie in 0–{most:g}"
        raise UsageProblem(f"column {numbers.name!r} {limit}, got {odd.iloc[0]:g}; {remedy}")


def _texts(column: pd.Series) -> pd.Series:
    return column.astype("str").where(column.notna())


def _dates(column: pd.Series) -> pd.Series:
    dates = as_dates(column)
    odd = column[dates.isna() & column.notna()]
    if len(odd):
        raise ValueError(f"got {odd.iloc[0]!r}, which is none for certain: write it as 2024-12-31")
    return dates


def _numbers(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column).astype("float64")


def _parsed(column: pd.Series, parse: Callable[[pd.Series], pd.Series], what: str) -> pd.Series:
    try:
        return parse(column)
    except (ValueError, TypeError) as error:
        raise UsageProblem(f"column {column.name!r} must hold {what}, {error}; mend such rows") from None


def _last(frame: pd.DataFrame, period: Period, as_of: str) -> pd.Timestamp:
    """First date of the last complete period: one named by its first or last date counts."""
    known = frame.loc[frame["quantity"].notna(), "date"]
    if not len(known):
        raise UsageProblem("a frame of demand needs history, every quantity in it is missing; give some")
    try:
        date = pd.Timestamp(as_of).normalize() if as_of else known.max()
    except ValueError:
        raise UsageProblem(f"as_of must be a date, got {as_of!r}; write it as 2024-12-31") from None
    start = period.start(pd.DatetimeIndex([date]))[0]
    named = date == start and (bool(as_of) or bool((period.start(known) == known).all()))
    if not named and date != period.end(date):
        start = period.dates(period.index(date) - 1)[0]
    if start < period.start(pd.DatetimeIndex([known.min()]))[0]:
        raise UsageProblem(
            f"the as-of date must not lie before the first complete {period.name} of demand "
            f"({known.min().date()}), got {date.date()}; name a later one"
        )
    return start
