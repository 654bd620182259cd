"""Lifecycle: the steps of an alert's life, and which may follow which.

An alert goes open → acknowledged → acted → resolved → reviewed, one step at a time. Only the engine leaves
steps out: what is over is resolved, whatever anybody did about it.
"""

from datetime import datetime
from typing import Literal, NamedTuple, get_args

from ingestion.errors import Problem

State = Literal["open", "acknowledged", "acted", "resolved", "reviewed"]
Step = Literal["acknowledge", "act", "resolve", "review"]
STATES: tuple[State, ...] = get_args(State)
STEPS: tuple[Step, ...] = get_args(Step)
LIVE: tuple[State, ...] = ("open", "acknowledged", "acted")  # what is not over yet
WAITING: tuple[State, ...] = ("open", "acknowledged")  # what nobody has acted upon


class IllegalStepError(Problem):
    """A step that an alert in its state cannot take."""


class Move(NamedTuple):
    """One step of life: from a state to the next one."""

    before: State
    after: State


MOVES: dict[Step, Move] = {
    step: Move(before, after) for step, before, after in zip(STEPS, STATES[:-1], STATES[1:], strict=True)
}


def next_state(state: str, step: str) -> State:
    """The state after a step; IllegalStepError where it does not follow.

    >>> next_state("open", "acknowledge"), next_state("acted", "resolve")
    ('acknowledged', 'resolved')
    >>> next_state("open", "review")
    Traceback (most recent call last):
    ...
    warning.lifecycle.IllegalStepError: an alert is reviewed after it was resolved, this one is open; \
acknowledge it first
    """
    if step not in STEPS:
        raise Problem(f"a step is one of {', '.join(STEPS)}, got {step!r}; choose one of these")
    move = MOVES[step]
    if state == move.before:
        return move.after
    passive = {"open": "opened"}.get(move.before, move.before)
    raise IllegalStepError(
        f"an alert is {move.after} after it was {passive}, this one is {state}; {_remedy(state, move)}"
    )


def check_live(state: str, doing: str) -> None:
    """IllegalStepError where an alert is over and nothing is left to be done about it.

    doing: what was asked for, as in "snoozed"
    """
    if state not in LIVE:
        raise IllegalStepError(f"an alert that is {state} cannot be {doing}; choose one that is not over")


def check_snooze(until: datetime, now: datetime, longest_days: float = 90) -> None:
    """Problem where a snooze would end in the past, or hide an alert for good."""
    days = (until - now).total_seconds() / 86400
    if not 0 < days <= longest_days:
        raise Problem(
            f"a snooze ends within {longest_days:g} days from now, got {until.isoformat()}; name a later or "
            f"nearer time, or silence the rule"
        )


def _remedy(state: str, move: Move) -> str:
    following = next((step for step, other in MOVES.items() if other.before == state), None)
    if following is None:
        return "nothing is left to be done about it"
    names: list[str] = list(STATES)
    if names.index(state) >= names.index(move.after):
        return f"that step was taken, the next one is: {following}"
    return f"{'act on' if following == 'act' else following} it first"
