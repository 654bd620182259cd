"""Quality: which rows break their contract, by which rule, and what to do about each.

Takes shaped frames; splits them into rows that are kept and rows that are quarantined. A quarantined row
carries its file, row, column, rule, value and remedy, and its whole raw record, so that nothing is lost.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pandera.errors

from ingestion.fields import MISSING, Contract
from ingestion.readers import BROKEN, Chunk
from ingestion.shaping import READ_AS, Shaped

QUARANTINE = ["file", "row", "column", "rule", "value", "remedy", "table", "source", "record"]
FAULT = ["position", "column", "rule", "value", "remedy"]
REPEATED = "repeats the keys of row"

Known = Mapping[str, pd.Index]  # column → the values that master data know


def find_faults(shaped: Shaped, chunk: Chunk, contract: Contract, known: Known) -> pd.DataFrame:
    """The first fault of each bad row of a chunk: position, column, rule, value, remedy.

    First come bytes that are no text, then unreadable values, broken rules, names no master data know.
    """
    frames = [_undecodable(shaped, chunk), _unread(shaped), *_broken_rules(shaped.typed, contract)]
    frames += [_unknown(shaped.typed, column, known[column]) for column in known]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=FAULT)
    faults = pd.concat(frames, ignore_index=True)
    return faults.drop_duplicates("position").sort_values("position", ignore_index=True)


def _faults(positions: np.ndarray, column: str, rule: str, values: pd.Series, remedy: str) -> pd.DataFrame:
    said = values.astype("str").where(values.notna(), "").to_numpy()
    frame = pd.DataFrame({"position": positions, "column": column, "rule": rule, "value": said})
    return frame.assign(remedy=remedy)


def _undecodable(shaped: Shaped, chunk: Chunk) -> pd.DataFrame:
    remedy = "save the file as UTF-8, or set encoding for the source, such as gb18030"
    found = []
    for column in chunk.raw.columns:
        raw = chunk.raw[column]
        if raw.dtype == "str":
            odd = raw.str.contains(f"[{BROKEN}\\x00]")  # NUL is what a damaged export holds in place of text
            hit = odd.fillna(False).to_numpy(dtype=bool)[shaped.kept]
            if hit.any():
                at = np.flatnonzero(hit)
                values = raw.iloc[shaped.kept[at]]
                found.append(_faults(at, str(column), "holds bytes that are not text", values, remedy))
    return pd.concat(found) if found else pd.DataFrame(columns=FAULT)


def _unread(shaped: Shaped) -> pd.DataFrame:
    found = []
    for column, said in shaped.unreadable.items():
        dated = shaped.typed[column].dtype.kind == "M"
        remedy = (
            "write it as 2024-01-31, or set date_format for the source"
            if dated
            else "correct the number, such as 1234.5; set decimal where the file writes 1234,5; list the "
            "word under missing if it means nothing"
        )
        rule = READ_AS["date" if dated else "number"]
        found.append(_faults(said.index.to_numpy(), column, rule, said, remedy))
    return pd.concat(found) if found else pd.DataFrame(columns=FAULT)


def _broken_rules(typed: pd.DataFrame, contract: Contract) -> list[pd.DataFrame]:
    try:
        contract.schema.validate(typed, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
    else:
        return []
    cases = cases[cases["index"].notna()]
    columns_of = {rule.name: rule.column for rule in contract.row_rules}
    found = []
    for (column, check), group in cases.groupby(["column", "check"], sort=False, dropna=False):
        name = MISSING if check == "not_nullable" else str(check)
        at = np.unique(group["index"].to_numpy(dtype=np.int64))
        of_row = columns_of.get(name) if name in columns_of else None
        field = of_row or str(column)
        rule = contract.rules.get((field, name))
        if rule is None:
            raise AssertionError(f"{contract.name}.{field}: pandera reports {name!r}, which is no rule")
        found.append(_faults(at, field, rule.name, typed[field].iloc[at], rule.remedy))
    order = {name: i for i, name in enumerate(typed.columns)}
    return sorted(found, key=lambda frame: order[frame["column"].iloc[0]])


def _unknown(typed: pd.DataFrame, column: str, values: pd.Index) -> pd.DataFrame:
    at = np.flatnonzero((typed[column].notna() & ~typed[column].isin(values)).to_numpy())
    table = "locations" if column == "location" else "items"
    remedy = f"add it to {table}, where its own row may be in quarantine, or correct the name"
    return _faults(at, column, f"is not in {table}", typed[column].iloc[at], remedy)


def quarantine(faults: pd.DataFrame, chunk: Chunk, shaped: Shaped, table: str, source: str) -> pd.DataFrame:
    """The faulty rows of one chunk and its broken lines, with their raw records."""
    raw = chunk.raw.iloc[shaped.kept[faults["position"].to_numpy(dtype=np.int64)]]
    rows = faults.drop(columns="position").assign(
        row=chunk.rows[shaped.kept[faults["position"].to_numpy(dtype=np.int64)]], record=records(raw)
    )
    if chunk.broken is not None:
        lines = chunk.broken.assign(column="", record=chunk.broken["value"])
        rows = pd.concat([rows, lines], ignore_index=True)
    return rows.assign(file=chunk.file, table=table, source=source)[QUARANTINE].astype({"row": "int64"})


def records(raw: pd.DataFrame) -> list[str]:
    """Each row as one line of JSON."""
    if raw.empty:
        return []
    text = raw.to_json(orient="records", lines=True, force_ascii=False, date_format="iso") or ""
    return text.splitlines()


def repeated(frame: pd.DataFrame, contract: Contract, distinct: bool) -> tuple[np.ndarray, pd.DataFrame]:
    """Which rows repeat keys: a mask of rows to keep, and the faults of those that say something else.

    frame: contract columns with _file and _row, in the order in which they were given

    The first row of a key stands. Identical rows of master data, or of a `distinct` source, are one fact said
    twice; other repeats are quarantined, since which of them is right cannot be known from here.
    """
    values = frame.drop(columns=["_file", "_row"])
    keep = np.ones(len(frame), dtype=bool)
    if contract.master or distinct:
        keep &= ~values.duplicated().to_numpy()
    if not contract.unique:
        return keep, pd.DataFrame(columns=FAULT)
    keys = list(contract.keys)
    again = values.duplicated(keys).to_numpy()
    bad = np.flatnonzero(again & keep)
    if not len(bad):
        return keep, pd.DataFrame(columns=FAULT)
    group = values.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    first_at = np.full(group.max() + 1, -1)
    fresh = np.flatnonzero(~again)
    first_at[group[fresh]] = fresh
    first = frame.iloc[first_at[group[bad]]]
    rule = REPEATED + " " + first["_row"].astype("str") + " of " + first["_file"].astype("str")
    remedy = "keep one of the rows"
    if contract.name == "demand":
        remedy = "keep one of the rows; if each is a sale of its own, set add_up = true for the source"
    if contract.master:
        remedy = f"keep one row per {', '.join(keys)}"
    said = values.iloc[bad][keys].astype("str").fillna("–").agg(" · ".join, axis=1)
    faults = _faults(bad, keys[-1], "", said, remedy).assign(rule=rule.to_numpy())
    keep[bad] = False
    return keep, faults


def quarantine_repeats(frame: pd.DataFrame, faults: pd.DataFrame, table: str, source: str) -> pd.DataFrame:
    """Repeated rows as quarantine rows."""
    bad = frame.iloc[faults["position"].to_numpy(dtype=np.int64)]
    rows = faults.drop(columns="position").assign(
        file=bad["_file"].to_numpy(),
        row=bad["_row"].to_numpy(),
        record=records(bad.drop(columns=["_file", "_row"])),
        table=table,
        source=source,
    )
    return rows[QUARANTINE]


def gather(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Quarantine rows of a source in one frame, by file and row."""
    filled = [part for part in parts if len(part)]
    if not filled:
        return pd.DataFrame(columns=QUARANTINE).astype(dict.fromkeys(QUARANTINE, "str") | {"row": "int64"})
    frame = pd.concat(filled, ignore_index=True)
    text = dict.fromkeys([c for c in QUARANTINE if c != "row"], "str")
    return frame.astype(text).sort_values(["file", "row"], kind="stable", ignore_index=True)
