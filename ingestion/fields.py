"""Fields: how one column, one row and one table must look, and how a user mends what does not.

Owns the kinds of columns and the pandera schema made from them; `contracts` says which tables exist.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pandas as pd
import pandera.pandas as pa

Kind = Literal["text", "number", "share", "date", "choice"]

DTYPES = {"text": "str", "choice": "str", "number": "float64", "share": "float64", "date": "datetime64[ns]"}
FIRST, LAST = pd.Timestamp("1970-01-01"), pd.Timestamp("2100-12-31")
MISSING = "is missing"
MOST = 1e12  # of any number; beyond it are bar codes and telephone numbers in the wrong column


@dataclass(frozen=True)
class Rule:
    """What must hold, in the words a user reads when it does not, and the remedy."""

    name: str
    remedy: str


@dataclass(frozen=True)
class RowRule(Rule):
    """A rule over several columns of one row; `column` is the one to look at first."""

    column: str
    holds: Callable[[pd.DataFrame], "pd.Series[bool]"]


@dataclass(frozen=True)
class Field:
    """One column of a contract.

    kind: text, number, share (0–1, flags and percent allowed), date or choice (one of `choices`)
    required: the column must exist and no row may lack it
    minimum, above, below: bounds of a number; `above` and `below` exclude the bound
    zero_missing: 0 stands for "not known", as in price lists
    remedy: what to do about a row that is out of bounds
    """

    name: str
    kind: Kind
    required: bool = False
    minimum: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    zero_missing: bool = False
    remedy: str = ""

    @property
    def dtype(self) -> str:
        """Dtype of the column once it is read."""
        return DTYPES[self.kind]

    def checks(self) -> list[tuple[Rule, pa.Check]]:
        """The rules about present values, each with its pandera check."""
        found: list[tuple[Rule, pa.Check]] = []

        def add(name: str, remedy: str, check: Callable[..., pa.Check], *bounds: object) -> None:
            found.append((Rule(name, self.remedy or remedy), check(*bounds, error=name)))

        if self.kind == "date":
            remedy = "write the year with four digits, or set date_format for the source"
            add(f"must lie in {FIRST.year}–{LAST.year}", remedy, pa.Check.in_range, FIRST, LAST)
        if self.kind == "choice":
            name = f"must be one of {', '.join(self.choices)}"
            remedy = f"write it so, or map the value with words = {{ {self.name} = {{ … }} }} in the source"
            add(name, remedy, pa.Check.isin, list(self.choices))
        if self.kind == "share":
            remedy = "write 95% as 0.95; a flag as 0 or 1"
            add("must lie in 0–1", remedy, pa.Check.in_range, 0, 1)
        if self.kind == "number":
            rule = Rule(f"must be below {MOST:,.0f}", "look whether a code stands in the wrong column")
            found.append((rule, pa.Check.lt(MOST, error=rule.name)))
        if self.minimum is not None:
            add(f"must be at least {self.minimum:g}", "correct the number", pa.Check.ge, self.minimum)
        if self.above is not None:
            add(f"must be above {self.above:g}", "correct the number", pa.Check.gt, self.above)
        if self.below is not None:
            add(f"must be below {self.below:g}", "correct the number", pa.Check.lt, self.below)
        return found


@dataclass(frozen=True)
class Contract:
    """One table: its columns, its keys, and what they refer to.

    keys: columns that name a row; rows come sorted by them
    unique: no two rows may share their keys
    master: identical repeats are one fact said twice, and are collapsed
    extra: what further columns may be: "text" attributes, "number" covariates, or None
    recorded: date after which a row is not known as of an earlier date; an empty one is always known
    partition: date by whose year the stored rows are split; equal keys must have it equal
    references: column → (table, column) that must know the value, where that table exists
    """

    name: str
    fields: tuple[Field, ...]
    keys: tuple[str, ...]
    unique: bool = True
    master: bool = False
    extra: Literal["text", "number"] | None = None
    recorded: str | None = None
    partition: str | None = None
    references: tuple[tuple[str, str, str], ...] = ()
    row_rules: tuple[RowRule, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns, in order."""
        return tuple(field.name for field in self.fields)

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that every file must bring."""
        return tuple(field.name for field in self.fields if field.required)

    @property
    def dates(self) -> tuple[str, ...]:
        """Names of the date columns."""
        return tuple(field.name for field in self.fields if field.kind == "date")

    @property
    def dtypes(self) -> dict[str, str]:
        """Column → dtype once it is read."""
        return {field.name: field.dtype for field in self.fields}

    @cached_property
    def schema(self) -> pa.DataFrameSchema:
        """The pandera schema; a failed check is named by the rule that it breaks."""
        columns = {
            field.name: pa.Column(
                field.dtype, [check for _, check in field.checks()], nullable=not field.required
            )
            for field in self.fields
        }
        return pa.DataFrameSchema(
            columns, checks=[pa.Check(rule.holds, error=rule.name) for rule in self.row_rules]
        )

    @cached_property
    def rules(self) -> dict[tuple[str, str], Rule]:
        """(column, rule name) → the rule, for everything that the schema checks."""
        found: dict[tuple[str, str], Rule] = {}
        for field in self.fields:
            remedy = f"fill in {field.name}, or leave the row out"
            found[field.name, MISSING] = Rule(MISSING, remedy)
            found.update({(field.name, rule.name): rule for rule, _ in field.checks()})
        found.update({(rule.column, rule.name): rule for rule in self.row_rules})
        return found
