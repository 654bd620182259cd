"""What if: plans that a person tries out, checked as any table is, and the forecast before and after them.

It owns which rows can be tried out, and the comparison. Nothing is stored and no model is trained: the one
in force answers a panel whose known future was changed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting.cumulative import CumulativeDemand
from forecasting.models import DemandModel
from forecasting.overlay import STATED, lay_over, reached
from forecasting.panel import Panel
from ingestion.contracts import PLANS
from ingestion.errors import DataError, Problem
from ingestion.quality import FAULT, find_faults, gather, quarantine
from ingestion.readers import Chunk, read_file
from ingestion.shaping import Shaped, recognise, shape, unused_columns
from ingestion.sources import Source
from serving.walk import Walk

SOURCE = Source("plans", PLANS.name, path="plans.*")
UNREAD = "the model in force ({}) reads no promotions, prices or events: a changed plan changes nothing"
FAULTS = ["file", "row", "column", "rule", "value", "remedy"]
Form = Callable[[CumulativeDemand], pd.DataFrame]


class RejectedError(DataError):
    """Plans that cannot be tried out; `faults` has file, row, column, rule, value and remedy of each row."""

    def __init__(self, faults: pd.DataFrame) -> None:
        first = faults.iloc[0]
        remedy = str(first["remedy"]).replace("; ", ", ")  # in a message it follows the last semicolon
        super().__init__(
            f"{first['file']}, row {first['row']}: {first['column']} {first['rule']}, got "
            f"{first['value'] or 'nothing'!r}; {remedy}"
        )
        self.faults = faults


@dataclass(frozen=True)
class Tried:
    """Plans that were checked.

    rows: of the `plans` contract, typed, with the file and row they came from
    notes: what was passed over
    """

    rows: pd.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """Demand of the same series under the stored plans and under those that were tried out.

    reads_plans: whether the model reads any; where not, the two are the same
    """

    before: CumulativeDemand
    after: CumulativeDemand
    reads_plans: bool
    notes: tuple[str, ...] = ()

    def side_by_side(self, form: Form) -> pd.DataFrame:
        """A forecast's table as `form` gives it, with each number as it was before and the difference.

        Columns after the table's own: mean_before, q0.5_before … and mean_difference, q0.5_difference …
        """
        after, before = form(self.after), form(self.before)
        numbers = [str(name) for name in after if str(name) == "mean" or str(name).startswith("q0")]
        was = {f"{name}_before": before[name] for name in numbers}
        return after.assign(**was, **{f"{name}_difference": after[name] - before[name] for name in numbers})


def read_plans(path: Path) -> Tried:
    """The plans in a file: CSV, Excel, Parquet, or JSON as a list of objects; RejectedError for bad rows."""
    if not path.is_file():
        raise Problem(f"there is no file {path}; name one with rows of plans")
    if path.suffix.lower() == ".json":
        return check([_json_rows(path)])
    return check(list(read_file(path, path.name, SOURCE)))


def given_plans(rows: Sequence[Mapping[str, Any]], name: str) -> Tried:
    """Plans that came as rows; name: how messages call them. Row numbers count from 1."""
    raw = pd.DataFrame([dict(row) for row in rows], dtype=object)
    return check([Chunk(name, raw, np.arange(1, len(raw) + 1))])


def check(chunks: Sequence[Chunk]) -> Tried:
    """The rows of raw chunks as their contract types them; RejectedError where any breaks it."""
    parts, bad, unused = [], [], {}
    for given in chunks:
        chunk = recognise(given, SOURCE, PLANS)
        unused.update(dict.fromkeys(unused_columns(chunk.raw.columns, SOURCE, PLANS, ())))
        shaped = shape(chunk, SOURCE, PLANS, ())
        faults = find_faults(shaped, chunk, PLANS, {})
        own = _untriable(shaped)
        faults = pd.concat([faults, own[~own["position"].isin(faults["position"])]], ignore_index=True)
        bad.append(quarantine(faults, chunk, shaped, PLANS.name, SOURCE.name))
        parts.append(shaped.typed.assign(_file=chunk.file, _row=chunk.rows[shaped.kept]))
    quarantined = gather(bad)
    if len(quarantined):
        raise RejectedError(quarantined[FAULTS])
    rows = pd.concat(parts, ignore_index=True)
    if not len(rows):
        raise DataError("plans to try out must have rows, got none; write one row per promotion or price")
    passed = f"columns that plans do not have were passed over: {', '.join(unused)}" if unused else ""
    return Tried(rows, (passed,) if passed else ())


def _untriable(shaped: Shaped) -> pd.DataFrame:
    """Faults of rows that are plans but say nothing that can be tried out."""
    rows = shaped.typed
    silent = rows[list(STATED)].isna().all(axis=1)
    amount = rows["quantity"].notna()
    found = [
        (amount, "quantity", "cannot be tried out", "leave it out; load planned quantities with the plans"),
        (
            silent,
            "promotion",
            "or a price or an event is needed",
            "say what the plan changes; 0 = no promotion",
        ),
    ]
    faults = [
        pd.DataFrame({"position": np.flatnonzero(wrong), "column": column, "rule": rule}).assign(
            value=rows.loc[wrong, column].astype("str").fillna("").to_numpy(), remedy=remedy
        )
        for wrong, column, rule, remedy in found
    ]
    return pd.concat(faults)[FAULT].drop_duplicates("position")


def fit_to(panel: Panel, tried: Tried) -> Tried:
    """The rows that reach the panel's future; DataError where none does, or one names no series."""
    rows = tried.rows
    found = reached(panel, rows)
    if found.unnamed.any():
        raise RejectedError(_unnamed(rows[found.unnamed]))
    if not found.outside.any():
        return tried
    first, last = panel.dates[panel.length].date(), panel.period.end(panel.dates[-1]).date()
    if found.outside.all():
        raise DataError(
            f"plans to try out must lie in {first} … {last}, none of {len(rows)} rows does; "
            "correct the dates, or ask for a longer horizon"
        )
    note = f"{int(found.outside.sum())} rows lie outside {first} … {last} and change nothing"
    return Tried(rows[~found.outside].reset_index(drop=True), (*tried.notes, note))


def _unnamed(rows: pd.DataFrame) -> pd.DataFrame:
    places = rows[["sku", "location", "category"]]
    named = places.notna()
    return pd.DataFrame(
        {
            "file": rows["_file"],
            "row": rows["_row"],
            "column": named.idxmax(axis=1),
            "rule": "must name what is forecast",
            "value": [" · ".join(row.dropna().astype(str)) for _, row in places.iterrows()],
            "remedy": "correct the names; see forestock forecast, or GET /v1/thresholds",
        }
    )


def compare(
    model: DemandModel,
    panel: Panel,
    tried: Tried,
    *,
    instead: bool = False,
    series: np.ndarray | None = None,
) -> Comparison:
    """Demand before and after checked plans that fit the panel.

    instead: the plans take the place of all that is stored ahead, not only of the cells they cover
    series: (m,) numbers of those that are asked for; None for all

    Both look as far ahead as the panel: a model that looks less far sees other features.
    """
    changed = lay_over(panel, tried.rows, instead=instead)
    before, after = (model.predict(one, panel.horizon, series) for one in (panel, changed))
    unheard = _unheard(panel, tried.rows) if model.reads_plans else [UNREAD.format(model.name)]
    return Comparison(before, after, model.reads_plans, (*tried.notes, *unheard))


def _unheard(panel: Panel, rows: pd.DataFrame) -> list[str]:
    """What of the rows no model can have learned: equal forecasts read as a price that moves nothing."""
    notes = []
    events = {str(word).strip() for word in rows["event"].dropna()} - {"", *panel.event_names}
    if events:
        notes.append(f"events that no stored plan names change nothing: {', '.join(sorted(events))}")
    priced = rows[rows["price"].notna()]
    if len(priced) and not panel.prices_planned:
        notes.append(
            "prices change nothing: no stored plan states any ahead, so that no model has learned what they "
            "do; load plans with prices and train"
        )
    elif len(priced):
        unknown = np.isnan(panel.price[reached(panel, priced).series, panel.length - 1]).sum()
        if unknown:
            notes.append(f"prices change nothing for {unknown} series of which no price is known so far")
    return notes


def try_out(walk: Walk, path: Path, *, instead: bool = False) -> Comparison:
    """The comparison of all series of a walk, by the model in force; Problem where there is none."""
    tried = read_plans(path)  # before anything is computed
    model = walk.kept_model
    if model is None:
        raise Problem(
            f"a what-if needs a model in force that knows {walk.horizon} periods ahead, there is none as of "
            f"{walk.as_of.date()}; {_how_to_train(walk)}"
        )
    tried = fit_to(walk.panel, tried)
    walk.stage("forecasting before and after")
    return compare(model, walk.panel, tried, instead=instead)


def _how_to_train(walk: Walk) -> str:
    if walk.looks_ahead:
        return f"ask for fewer periods, or run: forestock forecast --horizon {walk.horizon}, which trains one"
    return "run: forestock train"


def _json_rows(path: Path) -> Chunk:
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise DataError(f"{path.name} is not JSON ({error}); write a list of objects") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f'{path.name} must be a list of objects; such as [{{"sku": "A", "promotion": 0.2}}]')
    raw = pd.DataFrame(rows, dtype=object)
    return Chunk(path.name, raw, np.arange(1, len(raw) + 1))
