"""When a message goes out, and when it is tried again."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warning.hours import Hours
from warning.outbox import due, full_bucket, is_quiet, parcels, pause, refill, take

NOW = datetime(2026, 3, 9, 7, tzinfo=UTC)
HOURS = Hours("Asia/Shanghai")


@settings(deadline=None)  # a busy machine is no failure
@given(
    per_minute=st.integers(1, 120),
    steps=st.lists(st.tuples(st.floats(0, 30), st.integers(0, 40)), max_size=80),
)
def test_no_sixty_seconds_see_more_than_a_channel_may_send(
    per_minute: int, steps: list[tuple[float, int]]
) -> None:
    bucket, now, sent = full_bucket(per_minute, NOW), NOW, []
    for wait, wanted in steps:
        now += timedelta(seconds=wait)
        bucket, granted = take(refill(bucket, per_minute, now), wanted)
        assert 0 <= granted <= wanted
        sent += [now] * granted
    for start in sent:
        assert sum(start <= at < start + timedelta(seconds=60) for at in sent) <= per_minute


@settings(deadline=None)  # a busy machine is no failure
@given(per_minute=st.integers(1, 600))
def test_over_an_hour_a_channel_sends_what_it_may(per_minute: int) -> None:
    bucket, total = full_bucket(per_minute, NOW), 0
    for second in range(3600):
        bucket, granted = take(refill(bucket, per_minute, NOW + timedelta(seconds=second)), 10**6)
        total += granted
    flow = 1 if per_minute == 1 else per_minute - max(1, per_minute // 4)
    assert 60 * flow - 1 <= total <= 60 * flow + per_minute


@settings(deadline=None)  # a busy machine is no failure
@given(attempts=st.integers(1, 200), chance=st.floats(0, 1, exclude_max=True))
def test_pauses_double_up_to_an_hour_and_never_meet_at_one_moment(attempts: int, chance: float) -> None:
    whole = min(30 * 2.0 ** (attempts - 1), 3600)
    assert whole / 2 <= pause(attempts, chance) <= whole
    assert pause(attempts, 0.0) < pause(attempts, 0.9)


@settings(deadline=None)  # a busy machine is no failure
@given(at=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)))
def test_what_is_due_is_never_early_and_never_in_quiet_hours(at: datetime) -> None:
    quiet = (time(21), time(7))
    found = due(at, HOURS, digest=None, quiet=quiet)
    assert at <= found < at + timedelta(hours=10, seconds=1)
    assert not is_quiet(found.astimezone(HOURS.zone).time(), quiet)
    window = due(at, HOURS, digest=timedelta(minutes=30), quiet=None)
    assert at < window <= at + timedelta(minutes=30)
    local = window.astimezone(HOURS.zone)
    assert (local.minute % 30, local.second, local.microsecond) == (0, 0, 0)


def test_a_daily_digest_waits_for_its_time_and_for_the_end_of_quiet_hours() -> None:
    # 15:00 in Shanghai
    assert due(NOW, HOURS, digest=time(7, 30), quiet=None) == datetime(2026, 3, 9, 23, 30, tzinfo=UTC)
    assert due(NOW, HOURS, digest=time(7, 30), quiet=(time(22), time(9))) == datetime(
        2026, 3, 10, 1, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("waiting", "together", "most", "sizes"),
    [
        (0, 5, 20, []),
        (5, 5, 20, [1] * 5),
        (6, 5, 20, [6]),
        (45, 5, 20, [20, 20, 5]),
        (45, None, 20, [1] * 45),
        (2, 1, 20, [2]),
    ],
)
def test_a_flood_becomes_a_few_messages(waiting: int, together: int, most: int, sizes: list[int]) -> None:
    ids = [str(number) for number in range(waiting)]
    found = parcels(ids, together, most)
    assert [len(parcel) for parcel in found] == sizes
    assert [each for parcel in found for each in parcel] == ids
