"""Pages: where the next one starts.

A cursor is opaque to its holder. It holds the ordering values of the last row given (keyset paging: rows that
come or go do not shift the rest) and the question it belongs to, so that it cannot be used with another.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ingestion.errors import Problem


class BadCursor(Problem):
    """A cursor that was not given by this store for this question."""


@dataclass(frozen=True)
class Page:
    """Some rows of an answer.

    rows: the rows, in the answer's order
    next_cursor: what to ask for next; None at the end
    total: rows of the whole answer
    """

    rows: pd.DataFrame
    next_cursor: str | None
    total: int


def write_cursor(question: Iterable[Any], after: Iterable[Any]) -> str:
    """A cursor for `question` that goes on after the row ordered by `after`.

    >>> read_cursor(write_cursor(["open"], [12.5, "a"]), ["open"], [float, str])
    [12.5, 'a']
    """
    text = json.dumps([list(question), list(after)], separators=(",", ":"), default=str)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, question: Iterable[Any], kinds: Sequence[type]) -> list[Any]:
    """The ordering values of the last row given, of these kinds; BadCursor where the question is another."""
    asked, after = open_cursor(cursor)
    if asked != json.loads(json.dumps(list(question), default=str)):
        raise BadCursor(
            "the cursor belongs to other filters; repeat those of the first page, or start without a cursor"
        )
    if [type(value) for value in after] != list(kinds):
        raise BadCursor("the cursor was changed; pass next_cursor as it was given, or start without a cursor")
    return after


def open_cursor(cursor: str) -> tuple[list[Any], list[Any]]:
    """The question and the ordering values that a cursor holds."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        asked, after = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error):
        asked = after = None
    if not isinstance(asked, list) or not isinstance(after, list):
        raise BadCursor(
            f"a cursor is the next_cursor of the page before, got {cursor[:40]!r}; start without a cursor"
        )
    return asked, after
