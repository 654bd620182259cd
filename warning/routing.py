"""Routing: which channels hear of an event, when, and why a channel does not.

This module owns what a channel is asked to carry. How it carries is the matter of `warning.channels`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, get_args

from pydantic import BeforeValidator, Field, SecretStr

from ingestion.errors import Problem
from warning.configuration import Table
from warning.hours import Hours, read_clock
from warning.kinds import TIERS
from warning.outbox import due
from warning.owners import PLANNER, Owner
from warning.wording import Language

Kind = Literal["log", "apprise", "wecom", "dingtalk", "feishu", "webhook"]
Event = Literal["opened", "reopened", "raised", "eased", "resolved", "overdue", "woken"]
USUAL: tuple[Event, ...] = ("opened", "reopened", "raised", "resolved", "overdue", "woken")
UNITS = {"m": 60, "h": 3600, "d": 86400}


def _digest(value: object) -> object:
    """A time of day, or a length such as 30m."""
    if not isinstance(value, str):
        return value
    if ":" in value:
        return read_clock(value)
    number, unit = value[:-1], value[-1:]
    if unit not in UNITS or not number.isdigit() or not 0 < int(number) * UNITS[unit] <= UNITS["d"]:
        raise ValueError("a digest waits for a time of day or for at most a day")
    return timedelta(seconds=int(number) * UNITS[unit])


def _listed(value: object) -> object:
    """One secret may stand without a list; while it is replaced there are two."""
    return (value,) if isinstance(value, str | SecretStr) else value


def _quiet(value: object) -> object:
    """Two times of day with a dash between them."""
    if not isinstance(value, str):
        return value
    start, dash, end = value.partition("-")
    if not dash:
        raise ValueError("quiet hours have a beginning and an end")
    return read_clock(start), read_clock(end)


class Channel(Table):
    """A way to tell somebody.

    everything: told of all alerts, whoever owns them
    together: how many may wait before they go out as one; None never joins them
    """

    name: str
    kind: Kind = Field(description=f"one of {', '.join(get_args(Kind))}")
    url: SecretStr = Field(default=SecretStr(""), description='where it sends, such as "env:WECOM_URL"')
    secret: Annotated[tuple[SecretStr, ...], BeforeValidator(_listed)] = Field(
        default=(), description='what it signs with, such as "env:DINGTALK_SECRET"'
    )
    language: Language | None = Field(default=None, description="en or zh")
    at_least: Literal["notice", "warning", "critical"] = Field(
        default="notice", description="notice, warning or critical"
    )
    events: tuple[Event, ...] = Field(default=USUAL, description=f"from {', '.join(get_args(Event))}")
    everything: bool = Field(default=False, description="true or false")
    per_minute: int = Field(default=20, ge=1, le=6000, description="messages a minute, such as 20")
    digest: Annotated[time | timedelta | None, BeforeValidator(_digest)] = Field(
        default=None, description='"07:30" for once a day, or "30m", "1h"'
    )
    together: int | None = Field(default=5, ge=1, le=1000, description="a number of messages, such as 5")
    quiet: Annotated[tuple[time, time] | None, BeforeValidator(_quiet)] = Field(
        default=None, description='two times of day, such as "21:00-07:00"'
    )
    allow_private: bool = Field(default=False, description="true or false")
    timeout: float = Field(default=10.0, gt=0, le=60, description="seconds, such as 10")


@dataclass(frozen=True)
class Desk:
    """Who answers for what, where they are told, and when they work; no address and no secret is used here.

    approvals: the channel that takes drafts for approval; "" where nobody has to approve
    currency: written after money; language: of channels that name none
    capacity: new alerts a day that an owner who says none takes up; None sets no limit
    """

    owners: Mapping[str, Owner] = field(default_factory=lambda: {PLANNER: Owner(name=PLANNER)})
    channels: Mapping[str, Channel] = field(default_factory=dict, repr=False)
    hours: Hours = field(default_factory=Hours)
    approvals: str = ""
    currency: str = ""
    language: Language = "en"
    capacity: int | None = None

    @property
    def capacities(self) -> dict[str, int]:
        """New alerts a day by owner; who takes all is left out."""
        said = {name: owner.capacity or self.capacity for name, owner in self.owners.items()}
        return {name: count for name, count in said.items() if count is not None}

    @cached_property
    def last_owner(self) -> str:
        """Who answers for what nobody claims."""
        return list(self.owners)[-1]

    def language_of(self, channel: Channel) -> Language:
        """What a channel is written in."""
        return channel.language or self.language


class Route(NamedTuple):
    """What becomes of an event on a channel: when it is told, or why never."""

    channel: str
    due_at: datetime
    skipped: str


def route(
    desk: Desk, event: str, alert: Mapping[str, Any], at: datetime, owner: str = "", muted: str = ""
) -> list[Route]:
    """Every channel that could hear of an event, those that will not with the reason.

    alert: tier, owner, snoozed_until
    owner: who is told; empty is the alert's owner
    muted: why nobody is to be told, whatever the channel
    """
    told = owner or alert.get("owner") or desk.last_owner
    urgent = alert["tier"] == "critical" and event not in ("eased", "resolved")
    found = []
    for channel in desk.channels.values():
        if not is_heard_by(desk, channel, told):
            continue
        reason = muted or _against(channel, event, alert, at)
        waits = not reason and not urgent
        when = due(at, desk.hours, digest=channel.digest, quiet=channel.quiet) if waits else at
        found.append(Route(channel.name, when, reason))
    return found


def is_heard_by(desk: Desk, channel: Channel, owner: str) -> bool:
    """Whether an owner is told on a channel; who names none is told on all but that of approvals."""
    if channel.everything:
        return True
    named = desk.owners[owner].channels if owner in desk.owners else ()
    return channel.name in named if named else channel.name != desk.approvals


def unheard(desk: Desk, owner: str) -> dict[str, str]:
    """Channels on which an owner hears nothing at all, each with the reason."""
    named = desk.owners[owner].channels if owner in desk.owners else ()
    usual = f"{owner} is told on {', '.join(named)}; add it to owners.{owner}.channels" if named else ""
    return {
        channel.name: usual or "it takes approvals alone; set everything = true for more"
        for channel in desk.channels.values()
        if not is_heard_by(desk, channel, owner)
    }


def _against(channel: Channel, event: str, alert: Mapping[str, Any], at: datetime) -> str:
    """Why a channel does not carry an event; "" where it does."""
    until = alert.get("snoozed_until")
    if until is not None and until > at and event not in ("raised", "woken"):
        return f"the alert is snoozed until {until:%Y-%m-%d %H:%M} UTC"
    if event not in channel.events:
        return f"the channel carries {', '.join(channel.events)}, this was {event}; see its `events`"
    if TIERS.index(alert["tier"]) < TIERS.index(channel.at_least):
        return f"the channel carries {channel.at_least} and worse, this was {alert['tier']}; see `at_least`"
    return ""


def check_approvals(channels: Mapping[str, Channel], name: str) -> str:
    """The channel of approvals; Problem where it is none that can be signed."""
    if name and name not in channels:
        raise Problem(f"approvals.channel names {name!r}, which is none; add [channels.{name}]")
    if name and channels[name].kind != "webhook":
        raise Problem(
            f"approvals.channel must be a webhook, {name!r} is {channels[name].kind}; drafts go out signed"
        )
    return name
