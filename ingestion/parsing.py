"""Parsing: raw columns, as files hold them, into text, numbers and dates.

Each parser returns the typed column and a mask of the values it could not read; it never guesses a value.
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ingestion.fields import Field

# What programs write for "nothing". "NA" is not among them: it is Namibia.
NOTHING = ("", "nan", "NaN", "NAN", "null", "NULL", "None", "N/A", "n/a", "#N/A", "NaT", "<NA>")
YES_NO = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "y": 1.0, "n": 0.0, "是": 1.0, "否": 0.0}

# Ways to write a date that mean one day only. 03/04/2024 is not among them: say date_format.
PLAIN_DATES = (
    (r"\d{4}-\d{1,2}-\d{1,2}", "%Y-%m-%d"),
    (r"\d{4}/\d{1,2}/\d{1,2}", "%Y/%m/%d"),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", "%Y.%m.%d"),
    (r"\d{8}", "%Y%m%d"),
    (r"\d{4}年\d{1,2}月\d{1,2}日", "%Y年%m月%d日"),
    (r"\d{4}-\d{1,2}", "%Y-%m"),
    (r"\d{4}/\d{1,2}", "%Y/%m"),
    (r"\d{4}年\d{1,2}月", "%Y年%m月"),
)
WEEKS = r"\d{4}-?W\d{2}(-?[1-7])?"  # ISO 8601
TIMES = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*"
EXCEL_EPOCH, EXCEL_SERIALS = pd.Timestamp("1899-12-30"), (20000.0, 80000.0)  # 1954 … 2119


def is_missing(raw: pd.Series, words: Sequence[str] = ()) -> "pd.Series[bool]":
    """Where the file says nothing, in its own words or in those every program uses."""
    if pd.api.types.is_numeric_dtype(raw.dtype) or pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return raw.isna()
    text = raw.astype("str").str.strip()
    return raw.isna() | text.isin([*NOTHING, *words])


def parse(
    raw: pd.Series,
    field: Field,
    formats: Sequence[str] = (),
    decimal: str = ".",
    words: Sequence[str] = (),
) -> tuple[pd.Series, np.ndarray]:
    """The column as `field` wants it, and a mask of the values that cannot be read as such.

    formats: strptime formats to try for dates, instead of the plain ones
    decimal: "." or ","
    words: further texts that mean nothing
    """
    missing = is_missing(raw, words)
    if field.kind in ("text", "choice"):
        typed = as_text(raw).mask(missing)
        if field.kind == "choice":
            typed = typed.str.lower()
    elif field.kind == "date":
        typed = as_dates(raw.mask(missing), formats)
    else:
        typed = as_numbers(raw.mask(missing), decimal)
    unreadable = (typed.isna() & ~missing).to_numpy()
    if field.zero_missing:
        typed = typed.mask(typed == 0)
    return typed.astype(pd.api.types.pandas_dtype(field.dtype)), unreadable


def as_text(raw: pd.Series) -> pd.Series:
    """Text without surrounding space; a number that is whole loses its ".0".

    >>> as_text(pd.Series([1001.0, 2.5])).tolist(), as_text(pd.Series([" 007 "])).tolist()
    (['1001', '2.5'], ['007'])
    """
    if pd.api.types.is_bool_dtype(raw.dtype) or pd.api.types.is_integer_dtype(raw.dtype):
        return raw.astype("str")
    if pd.api.types.is_float_dtype(raw.dtype):
        # Through Int64: an identifier that passed through a float must come out as it went in.
        whole = (raw % 1 == 0) & (raw.abs() < 2**53)
        text = raw.astype("str")
        return text.mask(whole, raw.where(whole).astype("Int64").astype("str"))
    if pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return raw.dt.strftime("%Y-%m-%d").astype("str")
    if raw.dtype == object:
        raw = raw.map(_cell, na_action="ignore")
    return raw.astype("str").str.strip()


def _cell(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def as_numbers(raw: pd.Series, decimal: str = ".") -> pd.Series:
    """Numbers: "1,234.5", "¥12", "85%" and yes/no are understood; what is not a number becomes NaN.

    >>> as_numbers(pd.Series(["1,234.5", "¥12", "85%", "yes", "ten"])).tolist()
    [1234.5, 12.0, 0.85, 1.0, nan]
    """
    if pd.api.types.is_numeric_dtype(raw.dtype):
        numbers = raw.astype("float64")
        return numbers.mask(np.isinf(numbers))
    text = raw.astype("str").str.strip()
    if decimal == ",":
        text = text.str.replace(".", "").str.replace(",", ".")
    numbers = pd.to_numeric(text, errors="coerce").astype("float64")
    odd = numbers.isna() & text.notna()
    if odd.any():
        rest = text[odd].str.lower().str.replace(r"[\s¥￥$€£元]", "", regex=True)
        grouped = rest.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?%?")
        rest = rest.mask(grouped, rest.str.replace(",", ""))
        percent = rest.str.endswith("%")
        values = pd.to_numeric(rest.str.removesuffix("%"), errors="coerce").astype("float64")
        values = values.where(~percent, values / 100)
        numbers[odd] = values.fillna(rest.map(YES_NO).astype("float64"))
    return numbers.mask(np.isinf(numbers))


def as_dates(raw: pd.Series, formats: Sequence[str] = ()) -> pd.Series:
    """Midnights: ISO dates and their kin, months, weeks (Mondays), Excel serials, or the formats given.

    >>> as_dates(pd.Series(["2024-02-29", "45352", "2024年3月", "03/04/2024"])).dt.strftime("%F").tolist()
    ['2024-02-29', '2024-03-01', '2024-03-01', nan]
    >>> as_dates(pd.Series(["2025-W01", "2024W53", "2024-W52-7"])).dt.strftime("%F").tolist()
    ['2024-12-30', nan, '2024-12-29']
    >>> as_dates(pd.Series(["3/4/24"]), ["%m/%d/%y"]).dt.strftime("%F").tolist()
    ['2024-03-04']
    """
    if pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return _midnight(raw)
    # A column of dates repeats few values: read each of them once.
    codes, values = pd.factorize(as_text(raw) if raw.dtype != "str" else raw.str.strip())
    text = pd.Series(values, dtype="str")
    dates = _by_format(text, formats) if formats else _plain(text)
    return pd.Series(dates.reindex(codes).to_numpy(), index=raw.index)  # code -1, no value, has no date


def _midnight(raw: pd.Series) -> pd.Series:
    local = raw.dt.tz_localize(None) if raw.dt.tz is not None else raw
    local = local.mask((local < pd.Timestamp.min) | (local > pd.Timestamp.max))
    return local.astype("datetime64[ns]").dt.normalize()


def _by_format(text: pd.Series, formats: Sequence[str]) -> pd.Series:
    dates = pd.Series(pd.NaT, index=text.index, dtype="datetime64[ns]")
    for form in formats:
        left = dates.isna()
        read = pd.to_datetime(text[left], format=form, errors="coerce")
        dates[left] = _midnight(read)
    return dates


def _plain(text: pd.Series) -> pd.Series:
    dates = pd.Series(pd.NaT, index=text.index, dtype="datetime64[ns]")
    for pattern, form in PLAIN_DATES:
        fits = text.str.fullmatch(pattern)
        if fits.any():
            dates[fits] = _midnight(pd.to_datetime(text[fits], format=form, errors="coerce"))
    weeks = text.str.fullmatch(WEEKS)
    if weeks.any():
        days = text[weeks].str.replace("-", "").str.ljust(8, "1")
        dates[weeks] = _midnight(pd.to_datetime(days, format="%GW%V%u", errors="coerce"))
    timed = text.str.fullmatch(TIMES)
    if timed.any():
        # A time of day is dropped, and so is its zone: dates are local business dates.
        days = text[timed].str.slice(0, 10)
        dates[timed] = _midnight(pd.to_datetime(days, format="%Y-%m-%d", errors="coerce"))
    serials = pd.to_numeric(text.where(text.str.fullmatch(r"\d{5}(\.\d+)?")), errors="coerce")
    low, high = EXCEL_SERIALS
    serial = (serials >= low) & (serials <= high)
    if serial.any():
        days = pd.to_timedelta(np.floor(serials[serial]), unit="D")
        dates[serial] = (EXCEL_EPOCH + days).astype("datetime64[ns]")
    return dates


def guess_decimal(sample: pd.DataFrame) -> str:
    """Whether a sample of text columns writes 1,5 or 1.5.

    >>> guess_decimal(pd.DataFrame({"a": ["1,5", "2,25"]})), guess_decimal(pd.DataFrame({"a": ["1,234.5"]}))
    (',', '.')
    """
    values = sample.melt()["value"].astype("str")
    comma = values.str.fullmatch(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+").sum()
    point = values.str.fullmatch(r"[+-]?[\d,]*\.\d+").sum()
    thousands = values.str.fullmatch(r"[+-]?\d{1,3}(,\d{3})+").sum()
    return "," if comma - thousands > point else "."


def readable_as_number(raw: pd.Series, decimal: str = ".", share: float = 0.95) -> bool:
    """Whether nearly all values that a column has are numbers; an empty column is none."""
    if pd.api.types.is_numeric_dtype(raw.dtype):
        return True
    if pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return False
    present = raw[~is_missing(raw)]
    return len(present) > 0 and bool(as_numbers(present, decimal).notna().mean() >= share)


def plain_name(name: str) -> str:
    """A column's name without case, blanks and signs.

    >>> plain_name(" On Hand "), plain_name("on_hand"), plain_name("商品编码")
    ('onhand', 'onhand', '商品编码')
    """
    return re.sub(r"[\W_]+", "", name.lower())


def fields_of(template: str) -> list[str]:
    """Names in the braces of a template.

    >>> fields_of("{brand}-{product}")
    ['brand', 'product']
    """
    return re.findall(r"{([^{}]+)}", template)
