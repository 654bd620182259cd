"""Proposals: changes that past days speak for, who approved them, and what was rolled back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, insert, select, update

from ingestion.errors import Problem
from serving.store.database import reading, writing
from serving.store.rows import plain
from serving.store.schema import proposals
from warning.tuning import Proposal

State = Literal["proposed", "approved", "declined", "rolled_back", "outdated"]
# From which states a decision can be taken.
BEFORE: dict[State, tuple[State, ...]] = {
    "approved": ("proposed", "rolled_back", "declined"),
    "declined": ("proposed",),
    "rolled_back": ("approved",),
}
FIELDS = ("kind", "column", "segment", "rule", "change", "undo", "now", "then", "why")


class Kept(NamedTuple):
    """A proposal as it is kept: its state, when it was made, and who decided when and why."""

    proposal: Proposal
    state: State
    made_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None

    def as_row(self) -> dict[str, Any]:
        """All of it as JSON can carry it."""
        said = {name: getattr(self.proposal, name) for name in FIELDS}
        rest = {name: value for name, value in self._asdict().items() if name != "proposal"}
        return plain({"proposal_id": self.proposal.proposal_id, **said, **rest})


class Proposals:
    """The proposals of one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def offer(self, made: Sequence[Proposal], at: datetime) -> None:
        """Keep new proposals; those that nobody decided on and that are not made again are outdated."""
        names = {one.proposal_id for one in made}
        with writing(self._engine) as connection:
            known = {row.proposal_id: row.state for row in connection.execute(select(proposals))}
            ours = select(proposals).where(proposals.c.kind != "rule")  # what people propose waits for people
            open_ = [row.proposal_id for row in connection.execute(ours) if row.state == "proposed"]
            _set(connection, [one for one in open_ if one not in names], state="outdated", decided_at=at)
            for one in made:
                _offer(connection, one, known.get(one.proposal_id), at)

    def add(self, proposal: Proposal, at: datetime) -> None:
        """Keep one more proposal; one that was declined or rolled back before is proposed anew."""
        with writing(self._engine) as connection:
            this = proposals.c.proposal_id == proposal.proposal_id
            known = connection.execute(select(proposals.c.state).where(this)).scalar_one_or_none()
            _offer(connection, proposal, None if known is None else "outdated", at)

    def get(self, proposal_id: str) -> Kept:
        """One proposal; Problem where there is none."""
        with reading(self._engine) as connection:
            return _one(connection, proposal_id)

    def list(self, state: State | None = None) -> list[Kept]:
        """All proposals, or those of a state, the newest first."""
        query = select(proposals).order_by(proposals.c.made_at.desc(), proposals.c.proposal_id)
        if state is not None:
            query = query.where(proposals.c.state == state)
        with reading(self._engine) as connection:
            return [_kept(row._mapping) for row in connection.execute(query)]

    def decide(self, proposal_id: str, state: State, *, by: str, reason: str, at: datetime) -> Kept:
        """Approve or decline what is proposed, or roll back what was approved; else Problem."""
        before = BEFORE[state]
        if not by.strip():
            raise Problem("a decision needs a name; say who decides with --by NAME")
        with writing(self._engine) as connection:
            kept = _one(connection, proposal_id)
            if kept.state not in before:
                raise Problem(
                    f"only what is {before[0]} can be {state.replace('_', ' ')}, "
                    f"{proposal_id} is {kept.state}; list them: forestock review --proposals"
                )
            _set(connection, [proposal_id], state=state, decided_at=at, decided_by=by, reason=reason)
            return _one(connection, proposal_id)


def _offer(connection: Connection, one: Proposal, known: str | None, at: datetime) -> None:
    """Keep a proposal; one that was declined or rolled back is not offered again.

    known: the state it is kept in; None where it is new
    """
    row = {name: plain(getattr(one, name)) for name in FIELDS} | {"made_at": at}
    if known is None:
        row |= {"proposal_id": one.proposal_id, "state": "proposed"}
        connection.execute(insert(proposals).values(**row))
    elif known in ("proposed", "outdated"):
        _set(connection, [one.proposal_id], state="proposed", decided_at=None, **row)


def _one(connection: Connection, proposal_id: str) -> Kept:
    this = proposals.c.proposal_id == proposal_id
    found = connection.execute(select(proposals).where(this)).one_or_none()
    if found is None:
        raise Problem(f"there is no proposal {proposal_id!r}; list them: forestock review --proposals")
    return _kept(found._mapping)


def _kept(row: Any) -> Kept:
    proposal = Proposal(**{name: row[name] for name in FIELDS})
    return Kept(proposal, row["state"], row["made_at"], row["decided_at"], row["decided_by"], row["reason"])


def _set(connection: Connection, names: Sequence[str], **values: Any) -> None:
    connection.execute(update(proposals).where(proposals.c.proposal_id.in_(names)).values(**values))
