"""Targets: service targets that people approved, with their first date, who approved them and why.

Nothing is overwritten: of one segment the version with the latest first date holds.
"""

from datetime import date, datetime
from pathlib import Path

import pandas as pd
from sqlalchemy import Engine, insert, inspect, select

from serving.store.database import open_engine, reading, writing
from serving.store.schema import targets

COLUMNS = ("column", "segment", "target", "valid_from", "author", "reason")


class Targets:
    """The targets of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(
        self, place: tuple[str, str], target: float, day: date, at: datetime, *, author: str, reason: str
    ) -> None:
        """Keep a target of a segment.

        place: column and segment, such as category and dairy; day: first business date on which it holds
        """
        row = {"column": place[0], "segment": place[1], "target": target, "valid_from": day}
        with writing(self._engine) as connection:
            connection.execute(insert(targets).values(**row, author=author, reason=reason, saved_at=at))

    def list(self) -> pd.DataFrame:
        """All of them with COLUMNS, in the order in which they hold."""
        query = select(*(targets.c[name] for name in COLUMNS))
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(targets.c.valid_from, targets.c.target_id)).fetchall()
        found = pd.DataFrame([tuple(row) for row in rows], columns=list(COLUMNS))
        return found.assign(valid_from=pd.to_datetime(found["valid_from"]))


def known_targets(url: str) -> pd.DataFrame:
    """What `Targets.list` gives of a store; nothing where there is none yet, and none is made."""
    engine = open_engine(url)
    try:
        path = engine.url.database if engine.dialect.name == "sqlite" else None
        if (path and not Path(path).exists()) or not inspect(engine).has_table("targets"):
            return pd.DataFrame(columns=list(COLUMNS)).astype({"valid_from": "datetime64[ns]"})
        return Targets(engine).list()
    finally:
        engine.dispose()
