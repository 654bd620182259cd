"""Silences: who wants quiet about what, until when and why; ended by an earlier end, never forgotten."""

from datetime import datetime

from sqlalchemy import Connection, Engine, insert, select, update

from ingestion.errors import Problem
from serving.store.database import reading, writing
from serving.store.schema import silences
from warning.silences import Silence


class UnknownSilenceError(Problem):
    """There is no such silence."""


class Silences:
    """The silences of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, silence: Silence, at: datetime) -> Silence:
        """Keep a new silence."""
        row = {**vars(silence), "selector": {k: list(v) for k, v in silence.selector.items()}}
        with writing(self._engine) as connection:
            connection.execute(insert(silences).values(**row, created_at=at))
        return silence

    def end(self, silence_id: str, at: datetime) -> Silence:
        """End a silence now; one that is over stays as it is. UnknownSilenceError where there is none."""
        with writing(self._engine) as connection:
            this = silences.c.silence_id == silence_id
            found = connection.execute(select(silences).where(this)).one_or_none()
            if found is None:
                raise UnknownSilenceError(
                    f"there is no silence {silence_id!r}; list them: forestock silences list"
                )
            ends = min(_silence(found._mapping).ends_at, at)
            connection.execute(update(silences).where(this).values(ends_at=ends))
            return _silence({**found._mapping, "ends_at": ends})

    def list(self, at: datetime | None = None) -> list[Silence]:
        """All silences, or those that are not over at a moment; the last to end first."""
        query = select(silences).order_by(silences.c.ends_at.desc(), silences.c.silence_id)
        if at is not None:
            query = query.where(silences.c.ends_at > at)
        with reading(self._engine) as connection:
            return [_silence(row._mapping) for row in connection.execute(query)]


def active(connection: Connection, at: datetime) -> list[Silence]:
    """The silences that hold at a moment, oldest first: of several the first is named."""
    query = select(silences).where(silences.c.starts_at <= at, silences.c.ends_at > at)
    rows = connection.execute(query.order_by(silences.c.created_at, silences.c.silence_id))
    return [_silence(row._mapping) for row in rows]


def _silence(row: object) -> Silence:
    values = dict(row)  # type: ignore[call-overload]
    values.pop("created_at")
    return Silence(**{**values, "selector": {k: tuple(v) for k, v in values["selector"].items()}})
