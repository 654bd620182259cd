"""The store: everything the service remembers between runs, by what it is asked.

Writers queue, readers never wait. Every method is one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd
from sqlalchemy import Engine, Table, select, text

from ingestion.errors import Problem
from serving.store import alerts as alert_rows
from serving.store import audit, snapshots, standing
from serving.store.alerts import AlertFilter, Applied
from serving.store.claims import Outbox
from serving.store.database import Unavailable, head, migrate, open_engine, reading, revision, writing
from serving.store.lifecycle import Responses
from serving.store.outcomes import Outcomes
from serving.store.paging import Page
from serving.store.proposals import Proposals
from serving.store.rows import to_frame
from serving.store.rules import Rules
from serving.store.schema import alerts, orders, positions, thresholds
from serving.store.silences import Silences
from serving.store.snapshots import Snapshot
from serving.store.standing import Standing
from serving.store.targets import Targets
from warning.engine import Decision
from warning.facts import complete_all
from warning.routing import Desk
from warning.rules import Rule
from warning.selection import check_columns

CHUNK = 5_000
NOBODY = Desk()  # one planner answers for everything and is told nowhere


class Missing(Problem):
    """What was asked for is not there."""


class Empty(Problem):
    """Nothing has been published yet."""


@dataclass(frozen=True)
class Readiness:
    """Whether the store can serve, and what is in the way."""

    reachable: bool
    migrated: bool
    snapshot: Snapshot | None
    remedy: str

    @property
    def ready(self) -> bool:
        """Whether answers can be given."""
        return self.reachable and self.migrated and self.snapshot is not None


@dataclass(frozen=True)
class Item:
    """What is known of one sku at one location: frames of no, one or more rows."""

    snapshot: Snapshot
    position: pd.DataFrame
    thresholds: pd.DataFrame
    orders: pd.DataFrame
    alerts: pd.DataFrame


@dataclass(frozen=True)
class Overview:
    """What needs attention now.

    items: skus at locations watched
    distribution: tier, rule, location, attention, alerts, money of what is unresolved
    valid_until: last date on which all thresholds are valid
    """

    snapshot: Snapshot | None
    items: int
    locations: list[str]
    distribution: pd.DataFrame
    valid_until: date | None


class Store:
    """The service's memory in one database.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store.open(f"sqlite:///{folder}/store.db")
    ...     print(store.ready().remedy)
    ...     store.close()
    nothing has been published yet; run: forestock run
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> "Store":
        """The store at `url` (sqlite:///path or postgresql://…), made or brought up to date as needed."""
        engine = open_engine(url)
        migrate(engine)
        return cls(engine)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def ready(self) -> Readiness:
        """Whether the store is reachable, at the present schema, and has a snapshot."""
        try:
            with reading(self._engine) as connection:
                connection.execute(text("SELECT 1"))
                if revision(connection) != head():
                    return Readiness(
                        True, False, None, "the store's schema is not the present one; restart the service"
                    )
                snapshot = snapshots.current(connection)
        except Unavailable as problem:
            return Readiness(False, False, None, str(problem))
        remedy = "" if snapshot else "nothing has been published yet; run: forestock run"
        return Readiness(True, True, snapshot, remedy)

    def publish(
        self,
        as_of: pd.Timestamp,
        data_digest: str,
        model_version: str,
        tables: dict[str, pd.DataFrame],
        *,
        results_digest: str = "",
        at: datetime,
    ) -> Snapshot:
        """Keep what a run computed, atomically; the same content again changes nothing.

        tables: thresholds, positions (the facts that the alert arithmetic uses) and orders
        results_digest: what `Results.write` named the same run's larger tables, so that readers find those;
            empty is whichever were written last for as_of
        at: the time of publication, with its time zone
        """
        publication = snapshots.prepare(tables)
        with writing(self._engine) as connection:
            return snapshots.publish(
                *(connection, as_of.date(), data_digest, model_version, publication),
                results_digest=results_digest,
                at=at,
            )

    def snapshot(self) -> Snapshot:
        """The snapshot in force; Empty before the first."""
        with reading(self._engine) as connection:
            found = snapshots.current(connection)
        if found is None:
            raise Empty("nothing has been published yet; run: forestock run")
        return found

    def dates_since(self, first: date) -> list[date]:
        """as_of of the runs that published facts, from a date on, the oldest first."""
        with reading(self._engine) as connection:
            return snapshots.dates_since(connection, first)

    def facts_of(self, as_of: pd.Timestamp) -> tuple[Snapshot, pd.DataFrame] | None:
        """The facts that the last run of a date published, with its snapshot; None where none did."""
        with reading(self._engine) as connection:
            snapshot = snapshots.of_date(connection, as_of.date())
            if snapshot is None:
                return None
            return snapshot, snapshots.all_rows(connection, positions, snapshot)

    def apply(self, decision: Decision, at: datetime, desk: Desk = NOBODY) -> Applied:
        """Keep an evaluation's outcome with its audit events and notices, atomically; again, it does nothing.

        An evaluation of earlier data than the store knows changes nothing either; `stale` says so.
        """
        with writing(self._engine) as connection:
            return alert_rows.apply(connection, decision, at, desk)

    def responses(self, desk: Desk = NOBODY) -> Responses:
        """What people do about alerts, under the desk's owners and hours."""
        return Responses(self._engine, desk)

    @property
    def outbox(self) -> Outbox:
        """What is to be told."""
        return Outbox(self._engine)

    def rules(self, configured: Sequence[Rule] = ()) -> Rules:
        """The versions of rules that were saved, over those that are configured."""
        return Rules(self._engine, configured)

    def check_rules(self, rules: Sequence[Rule]) -> None:
        """Problem where a rule names a column that the facts in force do not have; nothing before a run."""
        if known := self.watched_columns():
            check_columns(rules, known)

    def watched_columns(self) -> dict[str, list[str]]:
        """Columns of the facts in force by subject (item, supplier, source); empty before a run."""
        with reading(self._engine) as connection:
            snapshot = snapshots.current(connection)
            if snapshot is None:
                return {}
            facts = snapshots.all_rows(connection, positions, snapshot, limit=1)
        if not len(facts):
            return {}
        return {str(k): list(frame.columns) for k, frame in complete_all(facts, None, None).items()}

    @property
    def outcomes(self) -> Outcomes:
        """What came of alerts, and what people say of it."""
        return Outcomes(self._engine)

    @property
    def proposals(self) -> Proposals:
        """Changes that past days speak for."""
        return Proposals(self._engine)

    @property
    def targets(self) -> Targets:
        """Service targets that were approved."""
        return Targets(self._engine)

    @property
    def silences(self) -> Silences:
        """Who wants quiet about what."""
        return Silences(self._engine)

    def standing(self, rules: Sequence[Rule], today: date) -> Standing:
        """What an evaluation by these rules must know of the ones before."""
        with reading(self._engine) as connection:
            return standing.read(connection, rules, today)

    def attend(self, at: datetime, desk: Desk = NOBODY) -> None:
        """Weigh anew who is brought what, such as after a silence began or ended."""
        with writing(self._engine) as connection:
            alert_rows.attend(connection, at, desk)

    def open_alerts(self) -> pd.DataFrame:
        """All unresolved alerts, in the engine's columns."""
        with reading(self._engine) as connection:
            return alert_rows.unresolved(connection)

    def alerts(self, chosen: AlertFilter, limit: int, cursor: str | None = None) -> Page:
        """Alerts, the most money at risk first, in the order of `warning.alerts.rank`."""
        with reading(self._engine) as connection:
            found = snapshots.current(connection)
            return alert_rows.page(connection, found.snapshot_id if found else None, chosen, limit, cursor)

    def together(self, limit: int) -> pd.DataFrame:
        """The groups of several alerts at one place from one supplier, the most money at risk first."""
        with reading(self._engine) as connection:
            return alert_rows.together(connection, limit)

    def alert(self, alert_id: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        """One alert (a frame of one row) and its events, oldest first; Missing where there is none."""
        with reading(self._engine) as connection:
            columns = list(alerts.columns)
            found = connection.execute(select(*columns).where(alerts.c.alert_id == alert_id)).fetchall()
            if not found:
                raise Missing(f"there is no alert {alert_id!r}; list them with GET /v1/alerts?state=all")
            return to_frame(found, columns), audit.events(connection, alert_id)

    def alert_named(self, start: str) -> str:
        """Name of the one alert that begins like this; Missing where there is none or more than one."""
        with reading(self._engine) as connection:
            query = select(alerts.c.alert_id).where(alerts.c.alert_id.startswith(start, autoescape=True))
            found = connection.execute(query.order_by(alerts.c.alert_id).limit(2)).scalars().all()
        if len(found) != 1:
            several = "no alert begins" if not found else "several alerts begin"
            raise Missing(f"{several} with {start!r}; list them: forestock alerts list --state all")
        return found[0]

    def thresholds(
        self,
        sku: str | None = None,
        location: str | None = None,
        *,
        limit: int,
        cursor: str | None = None,
        of: Snapshot | None = None,
    ) -> Page:
        """Thresholds by sku, location and date.

        of: the snapshot as `watched` gave it; None is the one in force or the cursor's
        """
        snapshot = of or self.watched(sku, location, cursor)
        return self._page(thresholds, snapshot, {"sku": sku, "location": location}, limit, cursor)

    def positions(
        self,
        sku: str | None = None,
        location: str | None = None,
        *,
        limit: int,
        cursor: str | None = None,
        of: Snapshot | None = None,
    ) -> Page:
        """What the rules saw; `of` as for thresholds."""
        snapshot = of or self.watched(sku, location, cursor)
        return self._page(positions, snapshot, {"sku": sku, "location": location}, limit, cursor)

    def orders(
        self,
        sku: str | None = None,
        location: str | None = None,
        supplier: str | None = None,
        *,
        limit: int,
        cursor: str | None = None,
        of: Snapshot | None = None,
    ) -> Page:
        """Recommended orders; `of` as for thresholds."""
        snapshot = of or self.watched(sku, location, cursor)
        filters = {"sku": sku, "location": location, "supplier": supplier}
        return self._page(orders, snapshot, filters, limit, cursor)

    def item(self, sku: str, location: str) -> Item:
        """Everything about one sku at one location; Missing where it is not watched."""
        snapshot = self.watched(sku, location)
        with reading(self._engine) as connection:
            position, levels, plan = (
                snapshots.rows_of(connection, table, snapshot, sku, location)
                for table in (positions, thresholds, orders)
            )
            chosen = AlertFilter(sku=sku, location=location, state="all")
            found = alert_rows.page(connection, snapshot.snapshot_id, chosen, CHUNK, None)
        return Item(snapshot, position, levels, plan, found.rows)

    def watched(self, sku: str | None, location: str | None, cursor: str | None = None) -> Snapshot:
        """The snapshot in force, or the one whose pages `cursor` turns; Missing where it lacks the place."""
        snapshot = self.snapshot()
        with reading(self._engine) as connection:
            snapshot = snapshots.of_cursor(connection, snapshot, cursor)
            known = snapshots.is_watched(connection, snapshot, sku, location)
        if not known and (sku, location) != (None, None):
            raise _missing(snapshot, sku, location)
        return snapshot

    def check_known(self, sku: str | None, location: str | None) -> None:
        """Missing where the place is neither watched now nor was ever the matter of an alert."""
        snapshot = self.snapshot()
        with reading(self._engine) as connection:
            if (sku, location) != (None, None) and not (
                snapshots.is_watched(connection, snapshot, sku, location)
                or alert_rows.is_known(connection, sku, location)
            ):
                raise _missing(snapshot, sku, location)

    def valid_until(self, snapshot: Snapshot) -> date | None:
        """Last date on which all of a snapshot's thresholds are valid; None where it has none."""
        with reading(self._engine) as connection:
            return snapshots.earliest_expiry(connection, snapshot)

    def overview(self) -> Overview:
        """What the first page tells: how much is watched, what is unresolved, how fresh it is."""
        with reading(self._engine) as connection:
            found = snapshots.current(connection)
            distribution = alert_rows.distribution(connection)
            if found is None:
                return Overview(None, 0, [], distribution, None)
            expiry = snapshots.earliest_expiry(connection, found)
            return Overview(
                found,
                snapshots.count(connection, found),
                snapshots.locations(connection, found),
                distribution,
                expiry,
            )

    def _page(
        self,
        table: Table,
        snapshot: Snapshot,
        filters: dict[str, str | None],
        limit: int,
        cursor: str | None,
    ) -> Page:
        with reading(self._engine) as connection:
            return snapshots.page(connection, table, snapshot, filters, limit=limit, cursor=cursor)


def _missing(snapshot: Snapshot, sku: str | None, location: str | None) -> Missing:
    what = " at ".join(f"{value!r}" for value in (sku, location) if value is not None)
    return Missing(
        f"{what} is not watched as of {snapshot.as_of}; "
        f"check the spelling, or see what is: GET /v1/thresholds"
    )
