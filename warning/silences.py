"""Silences: alerts that nobody wants to hear of for a while, with the reason and the end of it.

This module owns what a silence says and which alerts it covers. A silenced alert is opened, measured and
ended like any other; it is not notified and not on the worklist.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ingestion.errors import Problem
from warning.selection import nearest, selected

# What a silence may speak of.
COLUMNS = (
    *("rule", "kind", "tier", "sku", "location", "supplier", "about", "owner"),
    *("fingerprint", "alert_id"),
)
LONGEST_DAYS = 366


@dataclass(frozen=True)
class Silence:
    """Quiet about some alerts from one moment to another.

    selector: column of the alerts → values; an alert must meet all of them
    reason, author: why, and who wants it so
    """

    silence_id: str
    selector: Mapping[str, tuple[str, ...]]
    reason: str
    author: str
    starts_at: datetime
    ends_at: datetime

    def is_active(self, at: datetime) -> bool:
        """Whether it holds at a moment."""
        return self.starts_at <= at < self.ends_at

    @property
    def words(self) -> str:
        """Why nobody is told."""
        return f"silenced until {self.ends_at:%Y-%m-%d %H:%M} UTC by {self.author}: {self.reason}"


def make_silence(
    selector: Mapping[str, Any],
    reason: str,
    author: str,
    starts_at: datetime,
    ends_at: datetime,
    name: str | None = None,
) -> Silence:
    """A new silence, under a name of its own where none is given.

    Problem where it has no reason or no end, or speaks of nothing that alerts have.
    """
    if not selector:
        raise Problem(
            'a silence must say of what, got {}; write location = "S1", rule = "overstock" or the like'
        )
    chosen = {}
    for column, value in selector.items():
        if column not in COLUMNS:
            raise Problem(f"a silence cannot select by {column!r}; {nearest(column, COLUMNS)}")
        values = value if isinstance(value, list | tuple) else [value]
        if not values or not all(isinstance(one, str | int) and str(one) for one in values):
            raise Problem(
                f"silence.{column} must be a value or a list of values, got {value!r}; name at least one"
            )
        chosen[column] = tuple(map(str, values))
    if not reason.strip() or not author.strip():
        raise Problem(f"a silence needs a reason and an author, got {reason!r} by {author!r}; give both")
    if not starts_at < ends_at <= starts_at + timedelta(days=LONGEST_DAYS):
        raise Problem(
            f"a silence must end within {LONGEST_DAYS} days after it starts ({starts_at:%Y-%m-%d %H:%M}), "
            f"got {ends_at:%Y-%m-%d %H:%M}; name an end in between"
        )
    return Silence(name or uuid.uuid4().hex, chosen, reason.strip(), author.strip(), starts_at, ends_at)


def covering(alerts: pd.DataFrame, silences: Sequence[Silence], at: datetime) -> np.ndarray:
    """(n,) words of the silence that covers each alert at a moment; None where none does.

    alerts: rows with COLUMNS
    """
    words = np.full(len(alerts), None, dtype=object)
    for silence in silences:
        if silence.is_active(at):
            covered = selected(alerts, silence.selector) & pd.isna(words)
            words[covered] = silence.words
    return words
