"""Delivering: takes what is due from the outbox to its channels and notes what became of it.

Any number of workers may do so at once, in one process or several. A channel that is slow or down keeps
nobody else waiting: each has a thread of its own.
"""

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from ingestion.errors import Problem
from serving.store.claims import Outbox, Outcome, Parcel
from serving.store.store import Store
from warning.channels.opening import most_together, open_channel
from warning.channels.sending import Message, Sender, UndeliveredError
from warning.configuration import nearest
from warning.notices import Notice, test_message, write_event, write_text
from warning.outbox import MOST_ATTEMPTS, pause
from warning.routing import Channel, Desk

log = logging.getLogger(__name__)
AT_ONCE = 10  # messages that one claim takes
MARGIN = 20.0  # seconds of a claim beyond what its messages may take
SWEEP = 60.0  # seconds between two looks at deadlines and snoozes
LONGEST_WAIT = 5.0  # seconds between two looks at the outbox
PATIENCE = 300.0  # seconds for which a command stays for what a channel's rate holds back
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Delivered:
    """How many messages arrived, are to be tried again, and were given up."""

    sent: int = 0
    retry: int = 0
    dead: int = 0

    def summary(self) -> dict[str, int]:
        """The numbers by name, where there are any."""
        named = {"told": self.sent, "to_tell_again": self.retry, "given_up_telling": self.dead}
        return {name: number for name, number in named.items() if number}

    def __add__(self, other: "Delivered") -> "Delivered":
        return Delivered(self.sent + other.sent, self.retry + other.retry, self.dead + other.dead)


def utc_now() -> datetime:
    """The time, for who does not play with it."""
    return datetime.now(UTC)


def worker_name() -> str:
    """A name for a worker: no two share one, and a person finds the process."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"


class Courier:
    """Delivers the notices of one store, over channels that it opens when they are first needed.

    lease: seconds for which a claim holds; None is long enough for its messages to time out
    chance: gives numbers in [0, 1), for pauses that do not all end at once
    """

    def __init__(
        self,
        outbox: Outbox,
        desk: Desk,
        *,
        clock: Clock = utc_now,
        lease: float | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._outbox, self._desk, self._clock = outbox, desk, clock
        self._lease, self._chance = lease, chance
        self._worker = worker_name()
        self._senders: dict[str, Sender] = {}

    def deliver(self) -> Delivered:
        """Deliver what is due now, until nothing is or the channels need a rest."""
        due = self._outbox.next_due(self._desk.channels)
        if due is None or due > self._clock():
            return Delivered()
        channels = list(self._desk.channels.values())
        with ThreadPoolExecutor(len(channels), "courier") as threads:
            return sum(threads.map(self._serve, channels), Delivered())

    def wait(self) -> float:
        """Seconds until the next look at the outbox."""
        due = self._outbox.next_due(self._desk.channels)
        if due is None:
            return LONGEST_WAIT
        return min(max((due - self._clock()).total_seconds(), 0.2), LONGEST_WAIT)

    def is_held_back(self) -> bool:
        """Whether something is due that only the rate of its channel keeps here."""
        due = self._outbox.next_due(self._desk.channels)
        return due is not None and due <= self._clock()

    def _serve(self, channel: Channel) -> Delivered:
        """Deliver what is due on one channel."""
        lease = timedelta(seconds=self._lease or AT_ONCE * channel.timeout + MARGIN)
        total = Delivered()
        while parcels := self._outbox.claim(
            channel, self._worker, self._clock(), lease, most=most_together(channel), at_once=AT_ONCE
        ):
            for parcel in parcels:
                if self._lease is None and self._clock() + timedelta(seconds=channel.timeout) > parcel.until:
                    break  # another worker may take the rest before we are through with it
                total += self._carry(channel, parcel)
        return total

    def _carry(self, channel: Channel, parcel: Parcel) -> Delivered:
        """One attempt to deliver one message."""
        language, zone = self._desk.language_of(channel), self._desk.hours.zone
        message = Message(
            parcel.parcel_id,
            write_text(parcel.notices, language, zone),
            tuple(write_event(notice) for notice in parcel.notices),
        )
        try:
            self._sender(channel)(message)
        except UndeliveredError as error:
            outcome = self._failed(error, parcel)
        except Exception as error:
            # Its words may hold what it was given, secrets among them.
            log.error("sending on %s failed unforeseen: %s", channel.name, type(error).__name__)
            outcome = self._failed(UndeliveredError(f"unforeseen {type(error).__name__}"), parcel)
        else:
            outcome = Outcome("sent", "")
        self._outbox.settle(parcel, self._worker, outcome, self._clock())
        if outcome.state == "dead":
            log.warning("a notice on %s was given up: %s", channel.name, outcome.detail)
        return Delivered(
            sent=outcome.state == "sent", retry=outcome.state == "queued", dead=outcome.state == "dead"
        )

    def _failed(self, error: UndeliveredError, parcel: Parcel) -> Outcome:
        now = self._clock()
        # A receiver that throttles is alive: its refusals are no reason to give up.
        if error.final or (parcel.attempts >= MOST_ATTEMPTS and error.rest is None):
            return Outcome("dead", error.detail)
        wait = max(pause(parcel.attempts, self._chance()), error.rest or 0.0)
        blocked = now + timedelta(seconds=error.rest) if error.rest is not None else None
        return Outcome("queued", error.detail, now + timedelta(seconds=wait), blocked)

    def _sender(self, channel: Channel) -> Sender:
        if channel.name not in self._senders:
            self._senders[channel.name] = open_channel(channel, self._clock)
        return self._senders[channel.name]


def send_test(desk: Desk, name: str, clock: Clock = utc_now) -> None:
    """Send a test message on a channel now, past the outbox; Problem says why it did not arrive."""
    if name not in desk.channels:
        raise Problem(f"there is no channel {name!r}; {nearest(name, desk.channels)}")
    channel, now = desk.channels[name], clock()
    notice = Notice(f"test-{uuid4().hex}", "test", test_message(), now)
    text = write_text([notice], desk.language_of(channel), desk.hours.zone)
    try:
        open_channel(channel, clock)(Message(notice.notice_id, text, (write_event(notice),)))
    except UndeliveredError as error:
        raise Problem(
            f"the test message did not arrive on {name}: {error.detail}; check the channel's url, secret and "
            f"what the receiver allows"
        ) from None


def deliver_once(url: str, desk: Desk, clock: Clock = utc_now, *, patience: float = PATIENCE) -> Delivered:
    """End snoozes, escalate, and deliver what is due now; what fails waits for the next time.

    url: of the store's database
    patience: seconds to stay for what a channel's rate holds back; the next time may be tomorrow
    """
    store = Store.open(url)
    try:
        store.responses(desk).pass_time(clock())
        courier = Courier(store.outbox, desk, clock=clock)
        total, until = courier.deliver(), time.monotonic() + patience
        while courier.is_held_back() and time.monotonic() < until:
            time.sleep(1.0)
            total += courier.deliver()
        return total
    finally:
        store.close()


@contextmanager
def deliver_while(url: str, desk: Desk, clock: Clock = utc_now) -> Iterator[None]:
    """Deliver, end snoozes and escalate in a thread while the block lasts."""
    store, stop = Store.open(url), threading.Event()
    thread = threading.Thread(target=_keep_delivering, args=(store, desk, stop, clock), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)
        store.close()


def _keep_delivering(store: Store, desk: Desk, stop: threading.Event, clock: Clock = utc_now) -> None:
    """Deliver, end snoozes and escalate until `stop` is set; a store out of reach is tried again."""
    courier, responses = Courier(store.outbox, desk, clock=clock), store.responses(desk)
    wait, passed = 0.0, float("-inf")
    while not stop.wait(wait):
        try:
            if time.monotonic() - passed >= SWEEP:
                responses.pass_time(clock())
                passed = time.monotonic()
            courier.deliver()
            wait = courier.wait()
        except Problem as problem:
            log.error("notices cannot be delivered: %s", problem)
            wait = LONGEST_WAIT
