"""Delivery policy: when a message may go out, when it is tried again, and when it is given up.

Everything here is arithmetic on moments; who sends and who remembers is elsewhere. Delivery is at least once:
a message is tried until somebody says that it arrived, or until trying is hopeless.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from warning.hours import Hours

FIRST_PAUSE = 30.0  # seconds before the second attempt
LONGEST_PAUSE = 3600.0
MOST_ATTEMPTS = 12  # about eight hours of trying


def pause(attempts: int, chance: float) -> float:
    """Seconds until the next attempt: doubling up to an hour, the latter half of it by chance.

    attempts: made so far, from 1; chance: in [0, 1), so that many do not come back at the same moment

    >>> pause(1, 0.0), pause(1, 0.5), pause(4, 0.0), pause(50, 0.0)
    (15.0, 22.5, 120.0, 1800.0)
    """
    whole = min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 32), LONGEST_PAUSE)
    return whole / 2 + chance * whole / 2


@dataclass(frozen=True)
class Bucket:
    """What a channel may send now: tokens, as of a moment."""

    tokens: float
    filled_at: datetime


def full_bucket(per_minute: int, now: datetime) -> Bucket:
    """A channel that has rested."""
    return Bucket(float(_burst(per_minute)), now)


def refill(bucket: Bucket, per_minute: int, now: datetime) -> Bucket:
    """The bucket at a later moment.

    A quarter of the minute's messages may go at once and the rest flows in over the minute, so that no sixty
    seconds ever see more than `per_minute`: receivers count in windows of their own.
    """
    burst = _burst(per_minute)
    flow = (per_minute - burst) / 60 if per_minute > 1 else 1 / 60
    passed = max((now - bucket.filled_at).total_seconds(), 0.0)
    return Bucket(min(burst, bucket.tokens + passed * flow), max(now, bucket.filled_at))


def take(bucket: Bucket, wanted: int) -> tuple[Bucket, int]:
    """The bucket after as many messages as it allows, and how many these are."""
    granted = min(wanted, int(bucket.tokens + 1e-9))
    return Bucket(bucket.tokens - granted, bucket.filled_at), granted


def due(
    at: datetime, hours: Hours, *, digest: time | timedelta | None, quiet: tuple[time, time] | None
) -> datetime:
    """When a message that came up at `at` goes out.

    digest: a clock time, or the length of a window; messages wait for its end and go out together
    quiet: local times between which nothing goes out

    >>> from datetime import UTC
    >>> night = datetime(2026, 3, 9, 23, tzinfo=UTC)
    >>> due(night, Hours(), digest=None, quiet=(time(22), time(7))).isoformat()
    '2026-03-10T07:00:00+00:00'
    >>> due(night, Hours(), digest=timedelta(hours=2), quiet=None).isoformat()
    '2026-03-10T00:00:00+00:00'
    """
    if isinstance(digest, time):
        at = hours.next_time(at, digest)
    elif digest is not None:
        # Windows are counted from local midnight, so that 1h ends at full hours everywhere.
        midnight = at.astimezone(hours.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        at += digest - (at - midnight) % digest
    if quiet is not None and is_quiet(at.astimezone(hours.zone).time(), quiet):
        at = hours.next_time(at, quiet[1])
    return at


def is_quiet(clock: time, quiet: tuple[time, time]) -> bool:
    """Whether a local time lies in quiet hours; these may pass midnight.

    >>> is_quiet(time(23), (time(22), time(7))), is_quiet(time(7), (time(22), time(7)))
    (True, False)
    """
    start, end = quiet
    return start <= clock < end if start <= end else clock >= start or clock < end


def parcels(notices: Sequence[str], together: int | None, most: int) -> list[list[str]]:
    """Which messages go out as one: all, where more than `together` wait; at most `most` in each.

    together: None sends each by itself

    >>> parcels(["a", "b", "c"], 2, 2), parcels(["a", "b"], 2, 2)
    ([['a', 'b'], ['c']], [['a'], ['b']])
    """
    if together is None or len(notices) <= together:
        return [[notice] for notice in notices]
    return [list(notices[start : start + most]) for start in range(0, len(notices), most)]


def name_of(*parts: object) -> str:
    """A stable name: 128 bits of SHA-256 over what is named.

    >>> name_of("a", 1) == name_of("a", 1) != name_of("a1")
    True
    """
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, default=str).encode()).hexdigest()[:32]


def _burst(per_minute: int) -> int:
    return max(1, per_minute // 4)
