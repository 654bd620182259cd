"""Upstream: what an engine that runs as its own process knows of the service it watches for.

It fetches over HTTP only what has changed, keeps the last good answer on disk, whole or not at all, and goes
on with that while the service cannot be reached. It says so, and when the figures have become too old to tell
anything, it says that as stale data, so that no stock alert comes from them.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import urllib3

from ingestion.errors import Problem
from ingestion.periods import Period
from serving.results import write_bytes
from serving.watching import Seen

# What is fetched, and how it is asked for: of thresholds those of coming review periods too.
TABLES = {
    "thresholds": "?valid_from=all&format=arrow",
    "positions": "?format=arrow",
    "suppliers": "",
    "sources": "",
}
LEVELS = ("safety_stock", "reorder_point", "order_up_to", "overstock_level")
TOLERATED = 2  # days beyond one period for which figures may be old before they are too old
TIMEOUT = urllib3.Timeout(connect=10.0, read=120.0)
MOST_BYTES = 2**30  # of one answer
STATE = "state.json"
EXPECTED = (
    "ETag",
    *(f"Forestock-{name}" for name in ("Snapshot", "As-Of", "Business-Date", "Period", "Today")),
)


class UnreachableError(Problem):
    """The service gives no answer that could be used."""


@dataclass(frozen=True)
class Held:
    """The last good answer: which run it is of, when it was fetched, and where its tables lie.

    snapshot: names the run; business_date: its last; today: the day it was at the service
    degraded: whether the service itself says that its thresholds have run out
    tags, files: by table
    """

    url: str
    snapshot: str
    as_of: str
    business_date: str
    period: str
    today: str
    degraded: bool
    fetched_at: str
    tags: dict[str, str]
    files: dict[str, str]

    def now(self, at: datetime) -> date:
        """The day it is at the service, by the days that have passed since."""
        return date.fromisoformat(self.today) + timedelta(
            days=(at - datetime.fromisoformat(self.fetched_at)).days
        )

    @property
    def days(self) -> float:
        """Length of a period, days."""
        return Period(self.period).days  # type: ignore[arg-type]


class Upstream:
    """The service at an address, as seen from here.

    url: http://host:port, without a path
    folder: where the last good answer is kept
    """

    def __init__(self, url: str, folder: Path) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            shown = f"{parts.scheme}://{parts.hostname}" if parts.hostname else repr(url)
            raise Problem(f"--api must be an address of a service, got {shown}; write http://127.0.0.1:8000")
        self._url = f"{parts.scheme}://{parts.netloc}"
        self._folder = folder
        self._pool = urllib3.PoolManager(timeout=TIMEOUT, retries=False)

    def see(self, at: datetime) -> Seen:
        """What the rules see now: what the service says, else what it said last.

        UnreachableError where it never said anything.
        """
        held, wrong = self._held(), ""
        try:
            held = self._fetch(held, at)
        except UnreachableError as problem:
            if held is None:
                raise
            wrong = f"{problem}; going on with what was fetched at {held.fetched_at[:16]}"
        return self._seen(held, at, wrong)

    def _held(self) -> Held | None:
        """The last good answer of this service; None where there is none that is whole."""
        try:
            held = Held(**json.loads((self._folder / STATE).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        whole = all((self._folder / name).exists() for name in held.files.values())
        return held if held.url == self._url and whole else None

    def _fetch(self, held: Held | None, at: datetime) -> Held:
        """Ask for every table, and keep what has changed once all are of one run."""
        for _ in range(3):  # a run may be published between two questions
            answers = {name: self._ask(name, held) for name in TABLES}
            if len({headers["Forestock-Snapshot"] for headers, _ in answers.values()}) == 1:
                return self._keep(held, answers, at)
        raise UnreachableError(f"{self._url} publishes faster than it can be asked")

    def _ask(self, name: str, held: Held | None) -> tuple[Mapping[str, str], bytes | None]:
        """One table's headers and body; None where it has not changed."""
        known = {"If-None-Match": held.tags[name]} if held else {}
        address = f"{self._url}/v1/{name}{TABLES[name]}"
        try:
            answer = self._pool.request(
                "GET", address, headers=known, redirect=False, preload_content=False, decode_content=True
            )
            body = answer.read(MOST_BYTES + 1)
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(f"{self._url} cannot be reached ({type(error).__name__})") from None
        if answer.status == 304 and held:
            return answer.headers, None
        if answer.status != 200:
            raise UnreachableError(f"{self._url} answered {answer.status} for {name}")
        if not all(header in answer.headers for header in EXPECTED) or len(body) > MOST_BYTES:
            raise UnreachableError(f"{self._url} gave no usable {name}: is it a forestock service?")
        return answer.headers, body

    def _keep(
        self, held: Held | None, answers: Mapping[str, tuple[Mapping[str, str], bytes | None]], at: datetime
    ) -> Held:
        """Write what has changed, then the state that names it; what no state names any more goes."""
        self._folder.mkdir(parents=True, exist_ok=True)
        files = dict(held.files) if held else {}
        for name, (_, body) in answers.items():
            if body is not None:
                _read(name, body)  # what cannot be read must not take the place of what can
                files[name] = f"{name}-{hashlib.sha256(body).hexdigest()[:32]}"
                write_bytes(self._folder / files[name], body)
        headers = answers["thresholds"][0]
        now = Held(
            url=self._url,
            snapshot=headers["Forestock-Snapshot"],
            as_of=headers["Forestock-As-Of"],
            business_date=headers["Forestock-Business-Date"],
            period=headers["Forestock-Period"],
            today=headers["Forestock-Today"],
            degraded=headers.get("Forestock-Degraded") == "true",
            fetched_at=at.astimezone(UTC).isoformat(),
            tags={name: answer[0]["ETag"] for name, answer in answers.items()},
            files=files,
        )
        write_bytes(self._folder / STATE, json.dumps(asdict(now), indent=1).encode())
        for path in self._folder.iterdir():
            if path.name not in (STATE, *files.values()):
                path.unlink(missing_ok=True)
        return now

    def _seen(self, held: Held, at: datetime, wrong: str) -> Seen:
        """The tables as the rules take them."""
        tables = {name: _read(name, (self._folder / held.files[name]).read_bytes()) for name in TABLES}
        today, end = held.now(at), date.fromisoformat(held.business_date)
        lag = (today - end).days
        facts = _with_levels(tables["positions"], tables["thresholds"], pd.Timestamp(today))
        known = {
            name: facts[name].iloc[0] for name in ("data_as_of", "data_digest", "model_version") if len(facts)
        }
        suppliers, sources, degraded = tables["suppliers"].assign(**known), tables["sources"], wrong
        if held.degraded and not wrong:
            degraded = f"the thresholds of {self._url} have run out: its last business date is {end}"
        if lag > held.days + TOLERATED:
            # Whatever the figures say, they say it of a day that is gone.
            facts = facts.assign(stale_source=self._url, stale_days=float(lag))
            suppliers = suppliers.assign(stale_source=self._url)
            late = {"source": self._url, "table": "service", "last": pd.Timestamp(end), "behind_days": lag}
            row = pd.DataFrame([{**late, "stale": True, "positions": len(facts)}])
            sources = pd.concat([sources, row], ignore_index=True)
            degraded = degraded or f"{self._url} has brought nothing since {end}"
        return Seen(
            pd.Timestamp(held.as_of),
            pd.Timestamp(end),
            facts,
            suppliers,
            sources.assign(**known),
            degraded,
        )


def _read(name: str, body: bytes) -> pd.DataFrame:
    """A table from the body of an answer; UnreachableError where it is none."""
    try:
        if TABLES[name].endswith("arrow"):
            return pa.ipc.open_stream(io.BytesIO(body)).read_pandas()
        return pd.DataFrame(json.loads(body)["data"])
    except (pa.ArrowInvalid, ValueError, KeyError, TypeError):
        raise UnreachableError(f"the answer for {name} cannot be read: is it a forestock service?") from None


def _with_levels(positions: pd.DataFrame, thresholds: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    """Positions with the levels that hold on a day, or did last before it."""
    keys = ["sku", "location"]
    dated = thresholds.assign(valid_from=pd.to_datetime(thresholds["valid_from"]))
    dated = dated.sort_values("valid_from", kind="stable")
    begun = dated[dated["valid_from"] <= day].drop_duplicates(keys, keep="last")
    ahead = dated[~dated.set_index(keys).index.isin(begun.set_index(keys).index)].drop_duplicates(keys)
    holds = pd.concat([begun, ahead]).set_index(keys)
    row = holds.index.get_indexer(pd.MultiIndex.from_frame(positions[keys]))
    found = {
        name: np.where(
            row >= 0, holds[name].to_numpy(dtype=float)[row], positions[name].to_numpy(dtype=float)
        )
        for name in LEVELS
        if len(holds)
    }
    return positions.assign(**found)
