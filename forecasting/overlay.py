"""What if: other plans laid over a panel's known future, as if they had been announced at the as-of date.

It owns which stored plans give way. What is said of a cell (a series in a period) takes the place of what
was stored of it, column by column; everything else stands, so that no panel need be built anew.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from forecasting.panel import Panel
from forecasting.reach import ALWAYS, Grid, Reach, deepest, mean_stated, paint, reach_of

STATED = ("promotion", "price", "event")  # what a row may say of its cells


@dataclass(frozen=True)
class Reached:
    """How far rows of plans reach into a panel's future.

    series: (n,) bool, whose future some row speaks of
    unnamed: (rows,) bool, which rows name no series of the panel
    outside: (rows,) bool, which rows lie wholly before or after the known future
    """

    series: np.ndarray
    unnamed: np.ndarray
    outside: np.ndarray


def reached(panel: Panel, said: pd.DataFrame) -> Reached:
    """Which series and which of the periods ahead rows of the `plans` contract are about."""
    reach = reach_of(said, _ahead(panel))
    rows = np.arange(len(said))
    outside = reach.low >= reach.high
    series = np.zeros(panel.series, dtype=bool)
    series[reach.series[~outside[reach.row]]] = True
    return Reached(series, ~np.isin(rows, reach.row), outside)


def lay_over(panel: Panel, said: pd.DataFrame, *, instead: bool = False) -> Panel:
    """The panel with what `said`, rows of the `plans` contract, states in force after the as-of date.

    instead: nothing that was stored of promotions, prices and events after the as-of date stands

    A promotion of depth 0 takes a promotion out, and the event that was its kind; a period of which only a
    part is covered keeps the stored depth, taken as spread over all its days, for the rest. Of several rows
    the deepest promotion counts, and of prices and events the most specific. A price ends with its row.
    """
    said = said.reset_index(drop=True).assign(known_from=panel.as_of)
    if instead:
        panel = _without_plans(panel)
    changed = replace(panel, **_promotion(panel, said))
    dropped = (panel.plan > 0) & (changed.plan <= 0)
    changed = replace(changed, **_price(changed, said))
    return replace(changed, **_events(changed, said, dropped[:, panel.length :]))


def _without_plans(panel: Panel) -> Panel:
    """The panel as if no promotion, price or event had been planned after the as-of date."""
    ahead = slice(panel.length, None)
    plan, known, price, event = (getattr(panel, name).copy() for name in ("plan", "known", "price", "event"))
    plan[:, ahead], known[:, ahead], event[:, ahead] = 0.0, ALWAYS, 0
    price[:, ahead] = price[:, panel.length - 1, None]
    return replace(panel, plan=plan, known=known, price=price, prices_planned=False, event=event)


def _promotion(panel: Panel, said: pd.DataFrame) -> dict[str, Any]:
    rows, reach = _stating(panel, said, "promotion")
    if not len(rows):
        return {}
    depth, share, _ = deepest(rows["promotion"].to_numpy(dtype=float), reach, _ahead(panel))
    plan, known = panel.plan.copy(), panel.known.copy()
    plan[:, panel.length :] = (1 - share) * plan[:, panel.length :] + depth
    known[:, panel.length :][share > 0] = panel.length - 1
    return {"plan": plan, "known": known}


def _price(panel: Panel, said: pd.DataFrame) -> dict[str, Any]:
    rows, reach = _stating(panel, said, "price")
    if not len(rows):
        return {}
    price = panel.price.copy()
    ahead = price[:, panel.length :]
    if not panel.prices_planned:
        # Whoever is not spoken of must go on as if no price were planned.
        spoken = np.zeros(panel.series, dtype=bool)
        spoken[reach.series] = True
        ahead[~spoken] = np.nan
    stated, _ = mean_stated(rows["price"].to_numpy(), reach, _ahead(panel))
    np.copyto(ahead, stated, where=np.isfinite(stated))
    return {"price": price, "prices_planned": True}


def _events(panel: Panel, said: pd.DataFrame, dropped: np.ndarray) -> dict[str, Any]:
    """Events as stated; (n, H) bool `dropped`: where the event goes with its promotion."""
    rows, reach = _stating(panel, said, "event")
    touched = np.asarray(dropped.any(axis=1))
    touched[reach.series] = True
    series = np.flatnonzero(touched)
    if not len(series):
        return {}
    words = np.array([str(word).strip() for word in rows.get("event", ())], dtype=object)
    names = np.array(sorted({*panel.event_names, *words}), dtype=object)
    # A series that is spoken of follows a course of its own from now on.
    course = np.concatenate([panel.event, panel.event[panel.event_of[series]]])
    known = np.concatenate([panel.event_known, panel.event_known[panel.event_of[series]]])
    renamed = np.searchsorted(names, np.array(panel.event_names, dtype=object)) + 1
    course = np.concatenate([[0], renamed]).astype(np.int16)[course]
    own = np.zeros((panel.series, panel.horizon), dtype=np.int16)
    paint((np.searchsorted(names, words) + 1).astype(np.int16), reach, own)
    ahead, since = course[-len(series) :, panel.length :], known[-len(series) :, panel.length :]
    ahead[dropped[series]] = 0
    stated = own[series] > 0
    ahead[stated], since[stated] = own[series][stated], panel.length - 1
    event_of = panel.event_of.copy()
    event_of[series] = len(panel.event) + np.arange(len(series))
    return {"event": course, "event_known": known, "event_of": event_of, "event_names": tuple(names)}


def _stating(panel: Panel, said: pd.DataFrame, column: str) -> tuple[pd.DataFrame, Reach]:
    """The rows that state something in `column`, and what of the future each covers."""
    rows = said[said[column].notna()] if column in said else said[:0]
    rows = rows.reset_index(drop=True)
    return rows, reach_of(rows, _ahead(panel))


def _ahead(panel: Panel) -> Grid:
    """The cells of the known future."""
    names = panel.keys.assign(category=panel.attributes.get("category", ""))
    begin = int(panel.period.index(panel.dates[panel.length])[0])
    return Grid(names, panel.period, begin, 0, panel.horizon)
