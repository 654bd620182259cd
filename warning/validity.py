"""Validity: what a rule may say, and how it is told that it may not.

This module owns the refusals: each states the rule, the value and what to write instead.
"""

import datetime as dt
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ingestion.errors import Problem


def check_name(name: object) -> None:
    """Problem where a rule's name could not stand in a file, an address and an alert."""
    if not isinstance(name, str) or not name or not name.replace("_", "").replace("-", "").isalnum():
        raise Problem(f"rule name must be letters, digits, _ and -, got {name!r}; rename the rule")


class Claims:
    """The claims of one rule, each checked on its own; Problem where one cannot be meant.

    >>> Claims("low").number("min_money", 5.0)
    """

    def __init__(self, rule: str) -> None:
        self._rule = rule

    def refuse(self, what: str, value: object, allowed: str, remedy: str) -> None:
        """Always a Problem."""
        raise Problem(f"rule {self._rule!r}: {what} must be {allowed}, got {value!r}; {remedy}")

    def one_of(self, what: str, value: object, allowed: Sequence[str]) -> None:
        """A word of a list."""
        if value not in allowed:
            self.refuse(what, value, f"one of {', '.join(allowed)}", "choose one of these")

    def number(self, what: str, value: object) -> None:
        """A finite number from 0."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            self.refuse(what, value, "a number from 0", "write 10 % as 0.1")

    def whole(self, what: str, value: object, least: int | None, remedy: str) -> None:
        """A whole number, from `least` where there is one."""
        if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
            allowed = "a whole number" if least is None else f"a whole number from {least}"
            self.refuse(what, value, allowed, remedy)

    def flag(self, what: str, value: object) -> None:
        """True or false."""
        if not isinstance(value, bool):
            self.refuse(what, value, "true or false", "write it so")

    def tiers(self, tiers: object, known: Sequence[str], bounds: tuple[float, float]) -> None:
        """Bounds by tier, within the kind's range, rising with severity."""
        if not isinstance(tiers, Mapping) or not tiers or not set(tiers) <= set(known):
            named = list(tiers) if isinstance(tiers, Mapping) else tiers
            self.refuse("tiers", named, f"from {', '.join(known)}", "give at least one with its bound")
            return
        ascending = [tiers[tier] for tier in known if tier in tiers]
        for bound in ascending:
            self.number("bound", bound)
            if not bounds[0] <= bound <= bounds[1]:
                allowed = f"from {bounds[0]:g} to {bounds[1]:g}"
                self.refuse("bound", bound, allowed, "write 80 % as 0.8" if bounds[1] else "write 0")
        if any(low >= high for low, high in itertools.pairwise(ascending)):
            text = "rising from notice to critical"
            self.refuse("tiers", dict(tiers), text, "give the more severe tier the larger bound")

    def selector(self, what: str, selector: object) -> None:
        """Columns with the values they may have."""
        if not isinstance(selector, Mapping):
            self.refuse(what, selector, "a table", f'write {what} = {{ category = "milk" }}')
            return
        for column, value in selector.items():
            if not isinstance(value, str | int | float | list | tuple) or value in ([], ()):
                self.refuse(f"{what}.{column}", value, "a value or a list of values", "name at least one")

    def sensitivity(self, sensitivity: object) -> None:
        """Columns with a factor above 0 by value."""
        example = "write sensitivity = { category = { milk = 2.0 } }"
        if not isinstance(sensitivity, Mapping):
            self.refuse("sensitivity", sensitivity, "a table", example)
            return
        for column, factors in sensitivity.items():
            if not isinstance(factors, Mapping) or not factors:
                self.refuse(f"sensitivity.{column}", factors, "a table of factors by value", example)
                return
            for value, factor in factors.items():
                if not _is_factor(factor):
                    text = "a number above 0"
                    self.refuse(f"sensitivity.{column}.{value}", factor, text, "2 fires at half the bounds")

    def dates(self, first: Any, last: Any) -> None:
        """Dates in order, either left out."""
        for what, value in (("valid_from", first), ("valid_until", last)):
            if value is not None and (not isinstance(value, dt.date) or isinstance(value, dt.datetime)):
                self.refuse(what, value, "a date", "write it as 2024-12-31")
        if first is not None and last is not None and first > last:
            self.refuse("valid_until", last.isoformat(), f"on or after {first}", "swap the two dates")


def _is_factor(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
