"""kill −9 while watching and delivering: python benchmarks/killed_deliveries.py [--kills 200] [--server URL].

A shop is watched day by day, with four channels whose receivers on loopback fail in every way
(`unreliable.py`). Watching and delivering run in forks of this process, which has imported everything and
started nothing; each is killed at a random moment, or before a random statement or request. What is dead is
started again, until the kills are done and nothing is queued. Then the store must hold what a shop holds that
nobody disturbed: the same alerts, the same audit, the same notices, each delivered under its own name.

The database is a SQLite file of its own, or a new schema on the PostgreSQL --server; --seed gives another
course.
"""

import argparse
import base64
import hmac
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import urllib3
from sqlalchemy import create_engine, event, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.pool import NullPool

import unreliable
from serving.delivering import Courier
from serving.store.database import open_engine, reading
from serving.store.schema import alert_events, alerts, notices
from serving.store.store import Store
from warning.channels.opening import configured_channels
from warning.engine import evaluate
from warning.owners import configured_owners
from warning.routing import Desk
from warning.rules import default_rules

WARM_UP = 3  # days, to learn how long one takes
PLACES = 8
FIRST = pd.Timestamp("2026-03-02")
SPEED = 900  # the couriers' clock against the wall's: pauses of minutes take less than a second
LEASE = 400.0  # seconds by the couriers' clock
TIMEOUT = 0.3
STATEMENTS, REQUESTS = 60, 12  # of which one is the last
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
WORKS = ("watch", "deliver")
SINCE_LAST = ("previous_tier", "change")
NAME = re.compile(r"[0-9a-f]{32}")
Work = Callable[[], None]


@dataclass
class Course:
    """One store's way through the kills.

    day: the next to be watched
    pace: seconds that a day's watching takes here, so that kills fall into it
    """

    url: str
    desk: Desk
    rng: random.Random
    started: float = field(default_factory=time.time)
    pace: float = 0.3
    day: int = 0
    kills: Counter[str] = field(default_factory=Counter)

    def clock(self) -> datetime:
        """The couriers' time, which is the same in every fork; it begins long after the last day."""
        return datetime(2036, 1, 1, tzinfo=UTC) + timedelta(seconds=(time.time() - self.started) * SPEED)

    def watch(self) -> None:
        """One day's evaluation, with what the time that passes does."""
        store = Store.open(self.url)
        at = (FIRST + pd.Timedelta(days=self.day)).to_pydatetime().replace(hour=7, tzinfo=UTC)
        today = FIRST + pd.Timedelta(days=self.day)
        decision = evaluate(facts(self.day), default_rules(), today, store.open_alerts(), "CNY")
        store.apply(decision, at, self.desk)
        store.responses(self.desk).pass_time(at + timedelta(hours=12))
        store.close()

    def is_waiting(self) -> bool:
        """Whether anything is queued."""
        store = Store.open(self.url)
        found = store.outbox.find(state="queued", limit=1)
        store.close()
        return bool(found)

    def deliver(self) -> None:
        """Deliver until nothing is queued."""
        store = Store.open(self.url)
        courier = Courier(store.outbox, self.desk, clock=self.clock, lease=LEASE)
        while store.outbox.find(state="queued", limit=1):
            courier.deliver()
            time.sleep(0.02)
            store.outbox.redrive(self.clock())  # somebody looks after what was given up
        store.close()


def facts(day: int) -> pd.DataFrame:
    """Shelves that run low and are filled again, at their own pace, with a supplier that is late at times."""
    place = np.arange(PLACES)
    wave = np.sin((day + 3 * place) * (0.25 + 0.02 * place))
    on_hand = np.round(np.maximum(30 + 40 * wave, 0))
    projected = on_hand - 20
    return pd.DataFrame(
        {
            "sku": [f"sku-{number}" for number in place],
            "location": np.where(place % 2, "north", "south"),
            "on_hand": on_hand,
            "projected": projected,
            "inbound": 0.0,
            "safety_stock": 20.0,
            "reorder_point": 35.0,
            "order_up_to": 50.0,
            "overstock_level": 60.0,
            "stockout_probability": np.clip(0.5 - projected / 60, 0, 1),
            "expected_lost_money": np.maximum(20 - projected, 0) * 3.0,
            "expected_lost_units": np.maximum(20 - projected, 0),
            "order_quantity": np.maximum(50 - on_hand, 0),
            "order_cost": np.maximum(50 - on_hand, 0) * 2.0,
            "order_supplier": "acme",
            "unit_cost": 2.0,
            "unit_price": 3.0,
            "data_as_of": FIRST + pd.Timedelta(days=day - 1),
            "data_digest": f"data-{day}",
            "model_version": "model-1",
        }
    )


def desk(port: int) -> Desk:
    """Two owners, told on four channels."""
    base = f"http://127.0.0.1:{port}"
    usual = {"allow_private": True, "timeout": TIMEOUT, "per_minute": 30}
    channels = configured_channels(
        {
            "wecom": {"kind": "wecom", "url": f"{base}/wecom?key=1", **usual},
            "dingtalk": {
                "kind": "dingtalk", "url": f"{base}/dingtalk?access_token=1", "secret": "SEC1",
                **usual, "per_minute": 20, "digest": "30m",
            },
            "feishu": {
                "kind": "feishu", "url": f"{base}/feishu/1", "secret": "SEC2", **usual, "at_least": "warning",
            },
            "webhook": {
                "kind": "webhook", "url": f"{base}/webhook", "secret": KEY, **usual, "everything": True,
            },
        }
    )  # fmt: skip
    owners = {
        "north": {"selector": {"location": "north"}, "channels": ["wecom", "feishu"], "escalate_to": "head"},
        "head": {"channels": ["dingtalk", "feishu"]},
    }
    return Desk(configured_owners(owners, channels), channels)


def forked(work: Work, die: Callable[[int], None]) -> int:
    """Exit code of some work in a fork that may be killed."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    die(pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def undisturbed(_: int) -> None:
    """Let a fork live."""


def after(seconds: float, pid: int) -> None:
    """Kill a fork at a moment, if it lives."""
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)  # a fork that has ended waits to be asked, so that its number is its own


def deadly(work: Work, at: int, *, requests: bool) -> None:
    """Work that dies before its call number `at` to the database, or around one to a receiver."""
    count = 0

    def step(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    if not requests:
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, name, step)
    original = urllib3.HTTPConnectionPool.urlopen

    def urlopen(*args: Any, **kwargs: Any) -> Any:
        if requests:
            step()
        answer = original(*args, **kwargs)
        if requests:
            step()
        return answer

    urllib3.HTTPConnectionPool.urlopen = urlopen  # type: ignore[method-assign]
    work()


def kill_once(course: Course) -> None:
    """Start something, kill it at a random point, and note whether it had come to its end before."""
    rng = course.rng
    counts = [sum(n for point, n in course.kills.items() if point.startswith(each)) for each in WORKS]
    watching = counts[0] <= counts[1] or not course.is_waiting()
    work, name = (course.watch, "watch") if watching else (course.deliver, "deliver")
    how = rng.choice(["moment", "statement"] if watching else ["moment", "statement", "request", "two"])
    if how == "moment":
        code = forked(work, partial(after, rng.uniform(0, 1.2 * course.pace)))
    elif how == "two":  # one of two couriers dies
        other = os.fork()
        if other == 0:
            try:
                work()
            finally:
                os._exit(0)
        code = forked(work, partial(after, rng.uniform(0, 2 * course.pace)))
        os.kill(other, signal.SIGKILL)
        course.kills["deliver two"] += os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) == -signal.SIGKILL
    else:
        last = rng.randrange(1, REQUESTS if how == "request" else STATEMENTS)
        code = forked(partial(deadly, work, last, requests=how == "request"), undisturbed)
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"{name} ended with {code}")
    course.kills[f"{name} {how}"] += code == -signal.SIGKILL
    if watching and code == 0:
        course.day += 1


def kept(url: str) -> dict[str, list[Any]]:
    """What a store holds of alerts, audit and notices, without what tells only how it was delivered.

    What an alert was at the evaluation before is left out: a day that is evaluated twice was its own before.
    """
    engine = open_engine(url)
    lasting = [column for column in alerts.columns if column.name not in SINCE_LAST]
    told = [notices.c[name] for name in ("notice_id", "alert_id", "event", "channel", "owner", "message")]
    with reading(engine) as connection:
        found: dict[str, list[Any]] = {
            "alerts": connection.execute(select(*lasting).order_by(alerts.c.alert_id)).fetchall(),
            "audit": connection.execute(select(alert_events).order_by(alert_events.c.event_id)).fetchall(),
            "notices": connection.execute(select(*told).order_by(notices.c.notice_id)).fetchall(),
            "states": connection.execute(
                select(notices.c.notice_id, notices.c.channel, notices.c.state)
            ).fetchall(),
        }
    engine.dispose()
    for name in ("alerts", "audit", "notices", "states"):
        found[name] = [tuple(_lasting(cell) for cell in row) for row in found[name]]
    return found


def _lasting(cell: Any) -> Any:
    return {k: v for k, v in cell.items() if k not in SINCE_LAST} if isinstance(cell, dict) else cell


def names_in(message: dict[str, Any]) -> list[str]:
    """Names of the notices that a message told; a webhook's must be signed."""
    if message["kind"] != "webhook":
        return NAME.findall(message["body"])
    name, stamp = message["headers"]["webhook-id"], message["headers"]["webhook-timestamp"]
    signed = hmac.digest(b"k" * 32, f"{name}.{stamp}.{message['body']}".encode(), "sha256")
    assert message["headers"]["webhook-signature"] == f"v1,{base64.b64encode(signed).decode()}"
    assert json.loads(message["body"])["id"] == name
    return [name]


def complaints(course: Course, calm: dict[str, list[Any]], record: Path) -> list[str]:
    """What is lost, doubled or undelivered after all kills."""
    found, said = kept(course.url), []
    for name in ("alerts", "audit", "notices"):
        if found[name] != calm[name]:
            said.append(f"{name} differ: {len(found[name])} kept, {len(calm[name])} of an undisturbed shop")
    store = Store.open(course.url)
    said += [store.responses(course.desk).verify()] if store.responses(course.desk).verify() else []
    store.close()
    messages = unreliable.taken(record)
    arrived = Counter((message["kind"], name) for message in messages for name in names_in(message))
    sent = {(channel, name) for name, channel, state in found["states"] if state == "sent"}
    waiting = Counter(state for _, _, state in found["states"] if state not in ("sent", "skipped"))
    said += [f"{len(lost)} notices never arrived"] if (lost := sent - set(arrived)) else []
    said += [f"{len(extra)} unknown notices arrived"] if (extra := set(arrived) - sent) else []
    said += [f"not delivered: {dict(waiting)}"] if waiting else []
    bodies: dict[str, set[str]] = {}
    for message in messages:
        if message["kind"] == "webhook":
            bodies.setdefault(message["headers"]["webhook-id"], set()).add(message["body"])
    said += ["a webhook changed between attempts"] if any(len(each) > 1 for each in bodies.values()) else []
    return said


def summary(course: Course, record: Path, seconds: float) -> dict[str, Any]:
    """The course in figures."""
    found = kept(course.url)
    arrived = Counter(name for message in unreliable.taken(record) for name in names_in(message))
    return {
        "database": course.url.partition(":")[0].partition("+")[0],
        "kills": sum(course.kills.values()),
        "by_point": dict(sorted(course.kills.items())),
        "days": course.day,
        "alerts": len(found["alerts"]),
        "events": len(found["audit"]),
        "notices_sent": sum(state == "sent" for _, _, state in found["states"]),
        "arrived_more_than_once": sum(count > 1 for count in arrived.values()),
        "seconds": round(seconds, 1),
    }


def watch_on(course: Course, days: int) -> None:
    """Watch up to a day, undisturbed."""
    while course.day < days:
        if forked(course.watch, undisturbed) != 0:
            raise SystemExit("watching failed undisturbed")
        course.day += 1


def run(url: str, kills: int, seed: int, folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Kill so often, then let everything come to its end; figures and complaints."""
    record, started = folder / f"taken-{uuid.uuid4().hex[:8]}.ndjson", time.monotonic()
    receiver, port = unreliable.start(record)
    try:
        calm = Course(f"sqlite:///{folder / f'calm-{uuid.uuid4().hex[:8]}.db'}", desk(port), random.Random(0))
        course = Course(url, desk(port), random.Random(seed))
        watch_on(calm, WARM_UP)
        course.pace = (time.monotonic() - started) / WARM_UP
        while sum(course.kills.values()) < kills:
            kill_once(course)
        # The day that a kill may have left half done, and as far as the calm one has come already.
        watch_on(course, max(course.day + 1, WARM_UP))
        watch_on(calm, course.day)
        if forked(course.deliver, undisturbed) != 0:
            raise SystemExit("delivering failed undisturbed")
        said = complaints(course, kept(calm.url), record)
        return summary(course, record, time.monotonic() - started), said
    finally:
        os.kill(receiver, signal.SIGKILL)
        os.waitpid(receiver, 0)


@contextmanager
def schema_of(server: str) -> Iterator[str]:
    """URL of an empty schema of its own on a PostgreSQL server."""
    schema = f"forestock_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{schema}"
    with engine.connect() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


def main() -> None:
    """Run the course and say what came of it; exit code 1 where anything was lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--server", default="", help="a PostgreSQL server to make a schema on")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        schema_of(asked.server) if asked.server else nullcontext(f"sqlite:///{folder}/killed.db") as url,
    ):
        told, said = run(url, asked.kills, asked.seed, Path(folder))
    sys.stdout.write(json.dumps(told | {"complaints": said}) + "\n")
    raise SystemExit(1 if said else 0)


if __name__ == "__main__":
    main()
