"""Connections: how a database is opened, locked for writing and brought to the present schema.

SQLite runs in WAL mode, so that readers never wait for the one writer; a writer takes its lock when its
transaction begins, because a read that turns into a write cannot wait. On PostgreSQL an advisory lock keeps
the same order: publishing and deciding on alerts happen one at a time, whoever does it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError

from ingestion.errors import Problem

BUSY_SECONDS = 30
WRITER_LOCK = 0x666F7265  # "fore": the advisory lock that writers on PostgreSQL queue for


class Unavailable(Problem):
    """The store cannot be reached or is not what this version expects."""


def open_engine(url: str) -> Engine:
    """An engine for a SQLite file or PostgreSQL; a SQLite file's folder is made.

    url: sqlite:///path or postgresql://user:password@host:port/database; Problem where it is neither
    """
    address = _address(url)
    if address.get_backend_name() == "postgresql":
        try:
            return create_engine(address, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise Unavailable(
                f"PostgreSQL needs the package {error.name}; run: pip install 'forestock[postgres]'"
            ) from None
    if address.database and address.database != ":memory:":
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database; Unavailable where it cannot be reached."""
    try:
        with engine.begin() as connection:
            yield connection
    except DatabaseError as error:
        if _is_ours(error):
            raise
        raise _unavailable(engine, error) from error


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that is the only writer until it ends; all of it is kept, or nothing."""
    try:
        with engine.connect().execution_options(forestock_writes=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})
            yield connection
    except DatabaseError as error:
        if _is_ours(error):
            raise
        raise _unavailable(engine, error) from error


@contextmanager
def stepping_over(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes beside other writers, for those who lock the rows they take (SKIP LOCKED).

    SQLite has one writer whatever the rows; there it is `writing`.
    """
    try:
        with engine.connect().execution_options(forestock_writes=True) as connection, connection.begin():
            yield connection
    except DatabaseError as error:
        if _is_ours(error):
            raise
        raise _unavailable(engine, error) from error


def migrate(engine: Engine) -> None:
    """Bring the schema to the present; safe while others do the same."""
    with reading(engine) as connection:
        present = revision(connection)
    script = ScriptDirectory.from_config(_config())
    if present == script.get_current_head():
        return
    if present and present not in {step.revision for step in script.walk_revisions()}:
        raise Unavailable(
            f"the store {_shown(engine.url)} is at revision {present!r}, which this forestock does not know; "
            f"use the newer forestock that wrote it, or another store"
        )
    with writing(engine) as connection:
        command.upgrade(_config(connection), "head")


def revision(connection: Connection) -> str | None:
    """The schema revision a database is at; None before the first."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """The schema revision this version of forestock works with."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config(connection: Connection | None = None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return config


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise Problem(
            f"the store's URL is not one: {url.partition(':')[0]!r}; write sqlite:///path/to/store.db or "
            f"postgresql://user@host:5432/database"
        ) from None
    if address.drivername in ("postgresql", "postgres"):
        return address.set(drivername="postgresql+psycopg")
    if address.drivername not in ("sqlite", "sqlite+pysqlite", "postgresql+psycopg"):
        raise Problem(
            f"the store is SQLite or PostgreSQL, got {address.drivername!r}; "
            f"write sqlite:///path/to/store.db or postgresql://user@host:5432/database"
        )
    return address


def _shown(url: URL) -> str:
    """A URL without secrets: its query may hold a password as well."""
    return url.set(query={}).render_as_string(hide_password=True)


def _is_ours(error: DatabaseError) -> bool:
    """Whether we are to blame (a broken constraint, wrong SQL), not the database or the way to it."""
    return type(error) not in (OperationalError, DatabaseError)


def _unavailable(engine: Engine, error: DatabaseError) -> Unavailable:
    words = str(error.orig).strip().splitlines()
    return Unavailable(
        f"the store {_shown(engine.url)} cannot be used: {words[0] if words else 'no reason given'}; "
        f"check that it runs, that the path or host is right and that it may be written"
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun by us (below); the driver's own way would begin them too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    for setting in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_SECONDS}000",
    ):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("forestock_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
