"""Owners: who answers for an alert, and who is told when nobody did.

This module owns the choice of an owner by the columns of the facts and the way up from one owner to the next.
The end of the time allowed is `warning.hours`' matter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from ingestion.errors import Problem
from warning.configuration import Table, nearest, read_tables

PLANNER = "planner"  # who answers where the workspace names nobody


class Owner(Table):
    """Somebody, or a department, that answers for alerts.

    selector: column of the facts → the values it may have; empty answers for everything
    channels: where it is told; none means every channel
    escalate_to: the owner who is told when the deadline passes
    capacity: alerts a day that it can work
    """

    name: str
    selector: Mapping[str, tuple[str, ...]] = Field(
        default_factory=dict, description='columns and their values, such as { category = ["milk"] }'
    )
    channels: tuple[str, ...] = Field(default=(), description='names of channels, such as ["mail"]')
    escalate_to: str = Field(default="", description="the name of another owner")
    capacity: int | None = Field(default=None, ge=1, description="alerts a day, such as 40")

    @field_validator("selector", mode="before")
    @classmethod
    def _texts(cls, value: object) -> object:
        """One value may be written without a list, a number without quotes."""
        if not isinstance(value, Mapping):
            return value
        return {
            column: tuple(map(str, cells)) if isinstance(cells, list | tuple) else (str(cells),)
            for column, cells in value.items()
        }


def configured_owners(content: object, channels: Iterable[str]) -> dict[str, Owner]:
    """The owners that `[owners.NAME]` describes, in their order; one planner where there are none.

    channels: names of the channels there are
    """
    owners = read_tables(Owner, content, "owners")
    known = set(channels)
    for owner in owners.values():
        for channel in owner.channels:
            if channel not in known:
                raise Problem(f"owners.{owner.name}.channels names {channel!r}; {nearest(channel, known)}")
        if owner.escalate_to and owner.escalate_to not in owners:
            where, who = f"owners.{owner.name}.escalate_to", owner.escalate_to
            raise Problem(f"{where} names {who!r}, who is no owner; {nearest(who, owners)}")
        _check_way(owners, owner.name)
    return owners or {PLANNER: Owner(name=PLANNER)}


def owners_of(facts: pd.DataFrame, owners: Mapping[str, Owner]) -> np.ndarray:
    """(n,) name of the owner of each row of facts: the first whose selector it meets.

    A row that nobody claims goes to the last owner, so that no alert is without one.

    >>> two = {"dairy": Owner(name="dairy", selector={"category": "milk"}), "rest": Owner(name="rest")}
    >>> owners_of(pd.DataFrame({"category": ["milk", "bread"]}), two).tolist()
    ['dairy', 'rest']
    """
    names = list(owners)
    chosen = np.full(len(facts), names[-1], dtype=object)
    for name in reversed(names):
        mine = np.ones(len(facts), dtype=bool)
        for column, values in owners[name].selector.items():
            known = facts[column].astype(str).isin(values).to_numpy() if column in facts else False
            mine &= known
        chosen[mine] = name
    return chosen


def check_columns(owners: Mapping[str, Owner], columns: Iterable[str]) -> None:
    """Problem where an owner is chosen by a column that no facts have."""
    known = list(columns)
    for owner in owners.values():
        for column in owner.selector:
            if column not in known:
                raise Problem(f"owners.{owner.name} selects by {column!r}; {nearest(column, known)}")


def next_owner(owners: Mapping[str, Owner], alert: Mapping[str, Any]) -> str:
    """Who is told when an alert's time has passed; "" where there is nobody above.

    alert: owner, escalated_to (the last one who was told so, or nothing)
    """
    told = alert.get("escalated_to") or alert.get("owner") or ""
    return owners[told].escalate_to if told in owners else ""


def _check_way(owners: Mapping[str, Owner], start: str) -> None:
    way: Sequence[str] = [start]
    while following := owners[way[-1]].escalate_to:
        if following in way:
            raise Problem(
                f"owners.{start} escalates in a circle: {' → '.join([*way, following])}; "
                f"leave the last one out"
            )
        if following not in owners:
            return
        way = [*way, following]
