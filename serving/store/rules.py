"""Rules: every version that was saved, with its first date, who saved it and why. Nothing is overwritten."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select

from serving.store.database import reading, writing
from serving.store.schema import rules
from warning.rulebook import Saved, changed, in_force, rule_of, spec_of, versions_to_save
from warning.rules import Rule


class Rules:
    """The rules of one database, over those that are configured.

    configured: what forestock.toml asks for; a rule saved here takes the place of the one of its name
    """

    def __init__(self, engine: Engine, configured: Sequence[Rule]) -> None:
        self._engine = engine
        self._configured = configured

    def in_force(self, day: date) -> tuple[Rule, ...]:
        """The rules of a business date, in the order in which they speak."""
        with reading(self._engine) as connection:
            return in_force(self._configured, _saved(connection), day)

    def versions(self, name: str | None = None) -> list[Saved]:
        """All versions that were saved, of one rule or of all, the oldest first."""
        with reading(self._engine) as connection:
            return [one for one in _saved(connection) if name in (None, one.rule.name)]

    def would_be(self, entries: Sequence[Mapping[str, Any]], day: date) -> tuple[Rule, ...]:
        """The rules of a date if a file of rules were saved."""
        return changed(self.in_force(day), entries)

    def save(
        self, entries: Sequence[Mapping[str, Any]], day: date, at: datetime, *, author: str, reason: str
    ) -> list[Saved]:
        """Save what a file of rules changes as new versions; the same file again changes nothing.

        day: from which they hold, where an entry does not say
        """
        with writing(self._engine) as connection:
            saved = _saved(connection)
            now = in_force(self._configured, saved, day)
            added = versions_to_save(now, saved, entries, day, author=author, reason=reason)
            for one in added:
                connection.execute(
                    insert(rules).values(
                        name=one.rule.name,
                        version=one.rule.version,
                        enabled=one.enabled,
                        valid_from=one.rule.valid_from,
                        spec=spec_of(one.rule),
                        author=one.author,
                        reason=one.reason,
                        saved_at=at,
                    )
                )
        return added


def _saved(connection: Connection) -> list[Saved]:
    query = select(rules).order_by(rules.c.name, rules.c.version)
    return [
        Saved(rule_of(row.spec), row.enabled, row.author, row.reason) for row in connection.execute(query)
    ]
