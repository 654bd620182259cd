"""Responding: what a person asks for, of one alert or of several at once.

It owns the words that entrances use for it. Of several alerts each is taken by itself: what cannot be done
with one is told beside what was done with the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from ingestion.errors import Problem
from serving.store.lifecycle import Responses, Said
from serving.store.store import Store
from warning.lifecycle import STEPS
from warning.routing import Desk
from warning.silences import Silence, make_silence

DEEDS = (*STEPS, "assign", "snooze", "take_up", "comment")
MOST = 500  # alerts that one request may name


@dataclass(frozen=True)
class Ask:
    """What is asked for.

    do: one of DEEDS; owner: of assign; until: of snooze
    """

    do: str
    owner: str = ""
    until: datetime | None = None


class Several(NamedTuple):
    """What became of each alert: the names of those that are done, and why others are not."""

    done: list[str]
    refused: dict[str, Problem]


def respond(responses: Responses, alert_id: str, ask: Ask, said: Said) -> dict[str, Any]:
    """Do what is asked for with one alert; Problem says why it cannot be done."""
    if ask.do in STEPS:
        return responses.step(alert_id, ask.do, said)
    if ask.do == "assign":
        return responses.assign(alert_id, ask.owner, said)
    if ask.do == "comment":
        return responses.comment(alert_id, said)
    if ask.do == "take_up":
        return responses.snooze(alert_id, None, said)
    if ask.do == "snooze" and ask.until is not None:
        return responses.snooze(alert_id, ask.until, said)
    if ask.do == "snooze":
        raise Problem("a snooze needs an end, got none; say until when, or take the alert up again: take_up")
    raise Problem(f"one can {', '.join(DEEDS)} an alert, got {ask.do!r}; choose one of these")


def respond_to_several(responses: Responses, alert_ids: Sequence[str], ask: Ask, said: Said) -> Several:
    """The same with each of several alerts, in a transaction of its own; Problem where none is named."""
    done, refused = [], {}
    for alert_id in _named(alert_ids):
        one = replace(said, key=f"{said.key}:{alert_id}" if said.key else "")
        try:
            respond(responses, alert_id, ask, one)
            done.append(alert_id)
        except Problem as problem:
            refused[alert_id] = problem
    return Several(done, refused)


def silence_several(
    store: Store, desk: Desk, alert_ids: Sequence[str], until: datetime, said: Said
) -> Silence:
    """Quiet about the causes of some alerts until a moment: what returns meanwhile is silenced as well."""
    causes = [str(store.alert(name)[0]["fingerprint"].iloc[0]) for name in _named(alert_ids)]
    silence = make_silence({"fingerprint": causes}, said.reason, said.by, said.at, until)
    kept = store.silences.add(silence, said.at)
    store.attend(said.at, desk)
    return kept


def _named(alert_ids: Sequence[str]) -> list[str]:
    """Each alert once; Problem where there is none, or too many."""
    names = list(dict.fromkeys(alert_ids))
    if not 0 < len(names) <= MOST:
        raise Problem(f"1 to {MOST} alerts can be named at once, got {len(names)}; pick some from the list")
    return names
