"""Silences: who wants quiet about what, until when and why; ended by an earlier end, never forgotten."""

from datetime import datetime

from sqlalchemy import Engine, insert, select, update

from ingestion.errors import Problem
from serving.store.database import reading, writing
from serving.store.lifecycle import KeyReusedError
from serving.store.schema import silences
from serving.store.standing import silence_of
from warning.silences import Silence


class UnknownSilenceError(Problem):
    """There is no such silence."""


class Silences:
    """The silences of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, silence: Silence, at: datetime) -> Silence:
        """Keep a new silence; one of the same name and content is given as it is."""
        row = {**vars(silence), "selector": {k: list(v) for k, v in silence.selector.items()}}
        with writing(self._engine) as connection:
            this = silences.c.silence_id == silence.silence_id
            found = connection.execute(select(silences).where(this)).one_or_none()
            if found is None:
                connection.execute(insert(silences).values(**row, created_at=at))
                return silence
            known = silence_of(found._mapping)
            if (known.selector, known.reason, known.author) != (
                silence.selector,
                silence.reason,
                silence.author,
            ):
                raise KeyReusedError(
                    "this key came with another silence before; choose a new Idempotency-Key"
                )
            return known

    def end(self, silence_id: str, at: datetime) -> Silence:
        """End a silence now; one that is over stays as it is. UnknownSilenceError where there is none."""
        with writing(self._engine) as connection:
            this = silences.c.silence_id == silence_id
            found = connection.execute(select(silences).where(this)).one_or_none()
            if found is None:
                raise UnknownSilenceError(
                    f"there is no silence {silence_id!r}; list them: forestock silences list"
                )
            ends = min(silence_of(found._mapping).ends_at, at)
            connection.execute(update(silences).where(this).values(ends_at=ends))
            return silence_of({**found._mapping, "ends_at": ends})

    def list(self, at: datetime | None = None) -> list[Silence]:
        """All silences, or those that are not over at a moment; the last to end first."""
        query = select(silences).order_by(silences.c.ends_at.desc(), silences.c.silence_id)
        if at is not None:
            query = query.where(silences.c.ends_at > at)
        with reading(self._engine) as connection:
            return [silence_of(row._mapping) for row in connection.execute(query)]
