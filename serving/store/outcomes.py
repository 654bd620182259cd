"""Outcomes: what came of alerts, what people say of it, and the figures of each month that was reviewed."""

from collections import Counter
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Engine, delete, func, insert, select, update

from ingestion.errors import Problem
from ingestion.subjects import VERDICTS
from serving.store.database import reading, writing
from serving.store.rows import add, fetch, plain, to_rows
from serving.store.schema import alert_events, alerts, drafts, outcomes, reviews, snapshots, verdicts

AT_FIRST = ("threshold", "bound", "units_at_risk")  # of an alert when it opened


class Outcomes:
    """Outcomes, verdicts and reviews of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def alerts(self, first: date, last: date) -> pd.DataFrame:
        """All alerts that opened from `first` to `last`, with their limits as they were then, and
        opened_at.
        """
        columns = list(alerts.columns)
        opened = select(*columns).where(alerts.c.opened_on >= first, alerts.c.opened_on <= last)
        event = alert_events.c
        told = select(event.alert_id, event.detail, event.at).where(event.event == "opened")
        with reading(self._engine) as connection:
            found = fetch(connection, opened.order_by(alerts.c.alert_id), columns)
            events = connection.execute(told).fetchall()
        first_said = {row.alert_id: row.detail for row in events}
        known = found["alert_id"].isin(first_said).to_numpy()
        for name in AT_FIRST:
            then = [first_said.get(alert, {}).get(name) for alert in found["alert_id"]]
            found[name] = np.where(known, np.array(then, dtype=float), found[name].astype(float))
        opened_at = {row.alert_id: row.at for row in events}
        return found.assign(opened_at=pd.to_datetime(found["alert_id"].map(opened_at), utc=True))

    def first_spoken(self) -> dict[tuple[str, int], date]:
        """The first date on which each version of a rule opened an alert."""
        version = alerts.c.rule, alerts.c.rule_version
        query = select(*version, func.min(alerts.c.opened_on)).group_by(*version)
        with reading(self._engine) as connection:
            return {(name, number): first for name, number, first in connection.execute(query)}

    def began(self) -> date | None:
        """The first date that was evaluated, by what was published or told of it; None before the first."""
        firsts = select(func.min(snapshots.c.as_of)), select(func.min(alerts.c.opened_on))
        with reading(self._engine) as connection:
            known = [connection.execute(query).scalar_one_or_none() for query in firsts]
        return min((day for day in known if day is not None), default=None)

    def suggestions(self, first: date, last: date) -> pd.DataFrame:
        """Drafts made from `first` to `last`: draft_id, alert_id, kind, state."""
        columns = [drafts.c.draft_id, drafts.c.alert_id, drafts.c.kind, drafts.c.state, drafts.c.created_at]
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).order_by(drafts.c.draft_id)).fetchall()
        kept = [tuple(row)[:4] for row in rows if first <= row.created_at.date() <= last]
        return pd.DataFrame(kept, columns=["draft_id", "alert_id", "kind", "state"])

    def keep(self, judged: pd.DataFrame, first: date, last: date, at: datetime) -> None:
        """Keep the outcomes of what opened from `first` to `last`, in place of those kept before."""
        rows = to_rows(judged, outcomes, filled=["judged_at", "avoidable", "prevented"])
        for row, avoidable, prevented in zip(rows, judged["avoidable"], judged["prevented"], strict=True):
            row |= {"judged_at": at, "avoidable": bool(avoidable), "prevented": bool(prevented)}
        with writing(self._engine) as connection:
            period = (outcomes.c.opened_on >= first, outcomes.c.opened_on <= last)
            connection.execute(delete(outcomes).where(*period))
            add(connection, outcomes, rows)

    def of(self, alert_id: str) -> dict[str, Any] | None:
        """What came of one alert; None where it was not judged yet."""
        with reading(self._engine) as connection:
            found = connection.execute(select(outcomes).where(outcomes.c.alert_id == alert_id)).one_or_none()
        return None if found is None else {str(name): plain(value) for name, value in found._mapping.items()}

    def say(self, alert_id: str, outcome: str, *, author: str, reason: str, at: datetime) -> None:
        """Keep a person's verdict on an alert, or on a stockout that was missed; said again it stays one."""
        if outcome not in VERDICTS:
            raise Problem(f"a verdict is one of {', '.join(VERDICTS)}, got {outcome!r}; choose one of these")
        if not reason.strip() or not author.strip():
            raise Problem("a verdict overrules what was computed, so it needs a name and a reason; give both")
        with writing(self._engine) as connection:
            known = select(func.count()).select_from(alerts).where(alerts.c.alert_id == alert_id)
            missed = select(func.count()).select_from(outcomes).where(outcomes.c.alert_id == alert_id)
            if not connection.execute(known).scalar_one() and not connection.execute(missed).scalar_one():
                raise Problem(f"there is no alert {alert_id!r}; take its id from the review or the alerts")
            same = (verdicts.c.alert_id == alert_id, verdicts.c.author == author)
            query = select(verdicts.c.outcome, verdicts.c.reason).where(*same)
            last = connection.execute(query.order_by(verdicts.c.verdict_id.desc()).limit(1)).first()
            if last is not None and tuple(last) == (outcome, reason):
                return
            row = {"alert_id": alert_id, "outcome": outcome, "author": author, "reason": reason, "at": at}
            connection.execute(insert(verdicts).values(**row))

    def verdicts(self) -> pd.DataFrame:
        """All verdicts as rows of the feedback table: kind, subject, value, reason, author, at."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(verdicts).order_by(verdicts.c.verdict_id)).fetchall()
        said = [
            ("verdict", r.alert_id, r.outcome, r.reason, r.author, r.at.replace(tzinfo=None)) for r in rows
        ]
        return pd.DataFrame(said, columns=["kind", "subject", "value", "reason", "author", "at"])

    def verdict_on(self, alert_id: str) -> dict[str, Any] | None:
        """What a person said last of an alert: outcome, author, reason, at; None where nobody did."""
        query = select(verdicts).where(verdicts.c.alert_id == alert_id).order_by(verdicts.c.verdict_id.desc())
        with reading(self._engine) as connection:
            found = connection.execute(query.limit(1)).first()
        if found is None:
            return None
        return {name: getattr(found, name) for name in ("outcome", "author", "reason", "at")}

    def review(self, month: str, figures: dict[str, Any], at: datetime) -> None:
        """Keep the figures of a month, in place of those kept before."""
        row = {"figures": plain(figures), "made_at": at}
        with writing(self._engine) as connection:
            this = reviews.c.month == month
            if connection.execute(select(reviews.c.month).where(this)).first() is None:
                connection.execute(insert(reviews).values(month=month, **row))
            else:
                connection.execute(update(reviews).where(this).values(**row))

    def months(self) -> list[str]:
        """The months that were reviewed, the latest first."""
        with reading(self._engine) as connection:
            return list(
                connection.execute(select(reviews.c.month).order_by(reviews.c.month.desc())).scalars()
            )

    def counts(self, first: date, last: date) -> tuple[dict[str, int], int]:
        """How many warnings that opened from `first` to `last` came to which outcome, and how many of them
        prevented what they warned of. Alerts that follow each other are one warning.
        """
        own = outcomes.c.alert_id == outcomes.c.chain
        span = outcomes.c.opened_on.between(first, last)
        query = select(outcomes.c.outcome, outcomes.c.prevented).where(own, span)
        with reading(self._engine) as connection:
            rows = connection.execute(query).fetchall()
        return dict(Counter(row.outcome for row in rows)), sum(bool(row.prevented) for row in rows)

    def reviewed(self, month: str) -> dict[str, Any] | None:
        """The figures of a month; None where it was not reviewed."""
        with reading(self._engine) as connection:
            found = connection.execute(select(reviews.c.figures).where(reviews.c.month == month)).first()
        return None if found is None else found.figures

    def last_review(self) -> datetime | None:
        """When a review was made last; None where none was."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(reviews.c.made_at))).scalar_one_or_none()
