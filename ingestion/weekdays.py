"""Weekdays: how a source of supply says on which days of the week it takes orders.

It owns the ways that such days may be written in. What is written otherwise is refused: of "Mon-Fri" Monday
alone would be an order a week in place of one a day.
"""

import re

import pandas as pd

from ingestion.errors import DataError

NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
HOW = "write them as 'Mon, Thu', 'Mon-Fri' or '1, 4' (1 = Monday)"
SHORTEST = 3  # letters that tell one weekday from another
DASHES = r"[-–—]"


def read_weekdays(weekdays: str) -> list[int]:
    """Days of the week in order, 0 = Monday … 6 = Sunday.

    >>> read_weekdays("thu, Monday"), read_weekdays("1 4"), read_weekdays("Mon/Thu")
    ([0, 3], [0, 3], [0, 3])
    >>> read_weekdays("Mon-Fri"), read_weekdays("sat - mon")
    ([0, 1, 2, 3, 4], [0, 5, 6])
    """
    text = re.sub(rf"\s*{DASHES}\s*", "-", str(weekdays))
    days: set[int] = set()
    for part in re.split(r"[\s,;/+&、，；]+", text.strip(" ,;")):
        ends = [_day(word) for word in part.split("-")]
        if len(ends) > 2 or -1 in ends:
            raise DataError(f"order_weekdays must name weekdays, got {weekdays!r}; {HOW}")
        days.update((ends[0] + k) % 7 for k in range((ends[-1] - ends[0]) % 7 + 1))
    return sorted(days)


def names_weekdays(text: pd.Series) -> "pd.Series[bool]":
    """Whether each value can be read; one that is missing says nothing and can."""
    readable = {value: _can_read(value) for value in text.dropna().unique()}
    return text.map(readable).astype("boolean").fillna(value=True).astype(bool)


def _can_read(text: str) -> bool:
    try:
        return bool(read_weekdays(text))
    except DataError:
        return False


def _day(word: str) -> int:
    """0 … 6, or -1 for a word that names no weekday."""
    if word in ("1", "2", "3", "4", "5", "6", "7"):
        return int(word) - 1
    word = word.lower().rstrip(".").removesuffix("s")  # Mondays, Tues
    found = [day for day, name in enumerate(NAMES) if len(word) >= SHORTEST and name.startswith(word)]
    return found[0] if found else -1
