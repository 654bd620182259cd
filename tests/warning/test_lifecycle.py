"""An alert's life: which step may follow which, and how long it may be put off."""

from datetime import UTC, datetime, timedelta

import pytest

from ingestion.errors import Problem
from warning.lifecycle import MOVES, STATES, STEPS, IllegalStepError, check_live, check_snooze, next_state

NOW = datetime(2026, 3, 9, 7, tzinfo=UTC)
LEGAL = {("open", "acknowledge"), ("acknowledged", "act"), ("acted", "resolve"), ("resolved", "review")}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("step", STEPS)
def test_four_of_twenty_steps_are_legal(state: str, step: str) -> None:
    if (state, step) in LEGAL:
        assert next_state(state, step) == MOVES[step].after  # type: ignore[index]
        return
    with pytest.raises(IllegalStepError, match=rf"this one is {state}; .+"):
        next_state(state, step)


def test_a_refusal_names_the_step_that_comes_first() -> None:
    with pytest.raises(
        IllegalStepError, match="acted after it was acknowledged, this one is open; acknowledge"
    ):
        next_state("open", "act")
    with pytest.raises(IllegalStepError, match="this one is acknowledged; act on it first"):
        next_state("acknowledged", "resolve")
    with pytest.raises(
        IllegalStepError, match="this one is acted; that step was taken, the next one is: res"
    ):
        next_state("acted", "acknowledge")
    with pytest.raises(IllegalStepError, match="reviewed; nothing is left"):
        next_state("reviewed", "acknowledge")
    with pytest.raises(Problem, match="a step is one of acknowledge, act, resolve, review, got 'close'"):
        next_state("open", "close")


def test_what_is_over_is_neither_assigned_nor_snoozed() -> None:
    for state in ("open", "acknowledged", "acted"):
        check_live(state, "snoozed")
    for state in ("resolved", "reviewed"):
        with pytest.raises(IllegalStepError, match=f"an alert that is {state} cannot be snoozed"):
            check_live(state, "snoozed")


def test_a_snooze_ends_in_the_future_and_within_a_quarter() -> None:
    check_snooze(NOW + timedelta(minutes=1), NOW)
    check_snooze(NOW + timedelta(days=90), NOW)
    for wrong in (NOW, NOW - timedelta(days=1), NOW + timedelta(days=90, seconds=1)):
        with pytest.raises(Problem, match="ends within 90 days"):
            check_snooze(wrong, NOW)
