"""Shaping: raw rows into the columns of a contract, as the source's mapping says.

Takes chunks from `readers`; gives typed frames, and says which values could not be read. Nothing is judged
here: `quality` does that.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ingestion import expressions
from ingestion.errors import DataError
from ingestion.fields import Contract, Field
from ingestion.parsing import (
    as_numbers,
    as_text,
    fields_of,
    is_missing,
    parse,
    plain_name,
    readable_as_number,
)
from ingestion.readers import Chunk
from ingestion.sources import Source

READ_AS = {"number": "is not a number", "share": "is not a number", "date": "is not a date"}


@dataclass(frozen=True)
class Shaped:
    """One chunk in the columns of its contract.

    typed: contract columns, then extras; same rows as the chunk less those left out
    unreadable: column → what the file says where it could not be read, by position
    kept: positions in the chunk of the rows of `typed`
    """

    typed: pd.DataFrame
    unreadable: dict[str, pd.Series]
    kept: np.ndarray


def needed_columns(source: Source, contract: Contract) -> list[str] | None:
    """Source columns to read, or None where any may turn out to be an attribute or covariate."""
    if contract.extra is not None and source.extra is None:
        return None
    return [*contract.columns, *_mentioned(source)]


def _mentioned(source: Source) -> list[str]:
    """Names of the file's columns that the mapping speaks of."""
    read = [*source.columns, *(source.extra or ()), *source.keep, *source.drop]
    read += [name for template in source.templates.values() for name in fields_of(template)]
    read += [name for expression in source.expressions.values() for name in expressions.names(expression)]
    return read


def recognise(chunk: Chunk, source: Source, contract: Contract) -> Chunk:
    """The chunk with "SKU" and "On Hand" called sku and on_hand, where the mapping does not speak of them.

    A contract's own name comes first; where two columns of a file could bear it, neither is renamed.
    """
    made = {*source.constants, *source.templates, *source.expressions, *source.columns.values()}
    wanted = {plain_name(name): name for name in contract.columns if name not in {*chunk.raw.columns, *made}}
    like: dict[str, list[str]] = {}
    for column in chunk.raw.columns:
        target = wanted.get(plain_name(str(column)))
        if target is not None and column not in _mentioned(source):
            like.setdefault(target, []).append(column)
    renamed = {columns[0]: target for target, columns in like.items() if len(columns) == 1}
    return replace(chunk, raw=chunk.raw.rename(columns=renamed)) if renamed else chunk


def unused_columns(
    raw: Iterable[str], source: Source, contract: Contract, extras: Sequence[str]
) -> list[str]:
    """Columns of a file that end up nowhere."""
    used = {*(needed_columns(source, contract) or ()), *contract.columns, *source.columns, *extras}
    used |= {name for template in source.templates.values() for name in fields_of(template)}
    for expression in source.expressions.values():
        used |= set(expressions.names(expression))
    return [name for name in raw if name not in used | {*source.keep, *source.drop}]


def choose_extras(chunk: Chunk, source: Source, contract: Contract) -> list[str]:
    """Contract names of the attributes or covariates that this source gives.

    Named ones must be there; unnamed, every further column that fits is taken: text for attributes, numbers
    for covariates. Of names that differ in case alone the first is taken, for a query cannot tell them apart.
    """
    if contract.extra is None:
        return []
    made = [*source.columns.values(), *source.constants, *source.templates, *source.expressions]
    told = [name for name in dict.fromkeys(made) if name not in contract.columns]
    if source.extra is not None:
        for name in source.extra:
            if name not in chunk.raw.columns and name not in told:
                raise _lacks(chunk, source, [name])
        return _apart([*told, *source.extra], contract)
    fits = _is_covariate if contract.extra == "number" else _is_attribute
    free = unused_columns(chunk.raw.columns, source, contract, told)
    fitting = [name for name in free if name.strip() and fits(chunk.raw[name], chunk.decimal)]
    return _apart([*told, *fitting], contract)


def _apart(names: Iterable[str], contract: Contract) -> list[str]:
    taken = {name.lower() for name in contract.columns}
    apart = []
    for name in names:
        if name.lower() not in taken:
            taken.add(name.lower())
            apart.append(name)
    return apart


def _is_covariate(raw: pd.Series, decimal: str) -> bool:
    return readable_as_number(raw, decimal)


def _is_attribute(raw: pd.Series, _decimal: str) -> bool:
    return not (pd.api.types.is_float_dtype(raw.dtype) or pd.api.types.is_datetime64_any_dtype(raw.dtype))


def check_columns(chunk: Chunk, source: Source, contract: Contract) -> None:
    """Refuse a file that lacks what its table cannot be without, or what its mapping names."""
    there = set(chunk.raw.columns)
    for name in [*source.columns, *source.keep, *source.drop]:
        if name not in there:
            raise _lacks(chunk, source, [name])
    made = {*source.constants, *source.templates, *source.expressions, *source.columns.values()}
    lacking = [name for name in contract.required if name not in there | made]
    if lacking:
        raise _lacks(chunk, source, lacking)


def _lacks(chunk: Chunk, source: Source, lacking: Sequence[str]) -> DataError:
    has = ", ".join(map(str, chunk.raw.columns)) or "none"
    name = source.name if source.path and source.path != f"{source.table}.*" else source.table
    if lacking[0] == "location":
        remedy = (
            f'constants = {{ location = "all" }} under [sources.{name}], or name the column that holds it'
        )
    elif name == source.table and not source.columns:
        remedy = (
            f'[sources.{name}] path = "{chunk.file}", columns = {{ "its name there" = "{lacking[0]}" }} '
            "in forestock.toml, of which forestock init writes a first one"
        )
    else:
        remedy = f'columns = {{ "its name there" = "{lacking[0]}" }} under [sources.{name}]'
    plural = "columns" if len(lacking) > 1 else "column"
    return DataError(
        f"{chunk.file}: {source.table} needs the {plural} {', '.join(lacking)}; the file has {has}. "
        f"Name it so, or say {remedy}. Nothing was loaded"
    )


def shape(chunk: Chunk, source: Source, contract: Contract, extras: Sequence[str]) -> Shaped:
    """Apply the mapping to one chunk."""
    kept = np.flatnonzero(_wanted(chunk.raw, source))
    raw = chunk.raw if len(kept) == len(chunk.raw) else chunk.raw.iloc[kept].reset_index(drop=True)
    named = _named(raw, source, contract, extras, chunk.decimal)
    kinds = {field.name: field for field in contract.fields}
    typed: dict[str, pd.Series] = {}
    unreadable: dict[str, pd.Series] = {}
    for name in [*contract.columns, *extras]:
        field = kinds.get(name) or Field(name, "text" if contract.extra == "text" else "number")
        if name not in named:
            typed[name] = pd.Series(None, index=raw.index, dtype=field.dtype)
            continue
        formats = source.formats(name) if field.kind == "date" else ()
        typed[name], mask = parse(named[name], field, formats, chunk.decimal, source.missing)
        if name in source.units:
            typed[name] = typed[name] * float(source.units[name])
        if mask.any():
            unreadable[name] = named[name].set_axis(np.arange(len(raw)))[mask]
    return Shaped(pd.DataFrame(typed), unreadable, kept)


def _wanted(raw: pd.DataFrame, source: Source) -> np.ndarray:
    wanted = np.ones(len(raw), dtype=bool)
    for column, values in source.keep.items():
        wanted &= as_text(raw[column]).isin([str(v) for v in values]).to_numpy()
    for column, values in source.drop.items():
        wanted &= ~as_text(raw[column]).isin([str(v) for v in values]).to_numpy()
    return wanted


def _named(
    raw: pd.DataFrame, source: Source, contract: Contract, extras: Sequence[str], decimal: str
) -> dict[str, pd.Series]:
    """Contract name → raw values, from every way in which a mapping can give a column."""
    named = {name: raw[name] for name in [*contract.columns, *extras] if name in raw.columns}
    named.update({target: raw[name] for name, target in source.columns.items()})
    for target, value in source.constants.items():
        named[target] = pd.Series([value] * len(raw), index=raw.index, dtype=None if len(raw) else "str")
    for target, template in source.templates.items():
        named[target] = _filled(template, raw, named, source)
    for target, expression in source.expressions.items():
        read = {name: _column(name, raw, named, source) for name in expressions.names(expression)}
        missing = {name: is_missing(column, source.missing) for name, column in read.items()}
        numbers = {n: as_numbers(c.mask(missing[n]), decimal).to_numpy() for n, c in read.items()}
        value = expressions.evaluate(expression, numbers or {"": np.zeros(len(raw))})
        named[target] = pd.Series(value, index=raw.index)
    for target, words in source.words.items():
        if target in named:
            text = as_text(named[target])
            told = text.map({str(word): str(value) for word, value in words.items()})
            named[target] = told.where(told.notna(), text)
    return named


def _filled(template: str, raw: pd.DataFrame, named: dict[str, pd.Series], source: Source) -> pd.Series:
    """The template with each row's values; a row that lacks one of them lacks the whole."""
    parts = fields_of(template)
    filled, lacks = pd.Series("", index=raw.index, dtype="str"), pd.Series(False, index=raw.index)
    rest = template
    for part in parts:
        literal, _, rest = rest.partition("{" + part + "}")
        column = _column(part, raw, named, source)
        missing = is_missing(column, source.missing)
        filled = filled + literal + as_text(column).where(~missing, "")
        lacks |= missing
    return (filled + rest).mask(lacks)


def _column(name: str, raw: pd.DataFrame, named: dict[str, pd.Series], source: Source) -> pd.Series:
    if name in raw.columns:
        return raw[name]
    if name in named:
        return named[name]
    has = ", ".join(map(str, raw.columns))
    raise DataError(f"[sources.{source.name}] reads a column {name!r} that is not there; the file has {has}")
