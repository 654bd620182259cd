"""Databases: the rows of a query, through any SQLAlchemy URL.

Owns the promise that no message shows the password of a URL.
"""

from collections.abc import Iterator
from urllib.parse import quote

import numpy as np
import pandas as pd
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ingestion.errors import Problem
from ingestion.readers import Chunk
from ingestion.sources import Source

ROWS = 200_000  # held at once


def read_query(source: Source) -> Iterator[Chunk]:
    """The rows of the source's query, in chunks that count from row 1."""
    name, url = f"[sources.{source.name}]", address(source)
    first = 1
    try:
        engine = create_engine(url)
        try:
            with engine.connect().execution_options(stream_results=True) as connection:
                for raw in pd.read_sql_query(text(source.query or ""), connection, chunksize=ROWS):
                    yield Chunk(name, raw, np.arange(first, first + len(raw)))
                    first += len(raw)
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        # `from None`: the driver's own words may repeat the password.
        raise Problem(f"{name}: {_told(error, url)}; check the address, the driver and the query") from None


def address(source: Source) -> URL:
    """The parsed URL of a database source."""
    try:
        return make_url(source.url or "")
    except (ArgumentError, ValueError):
        raise Problem(
            f"[sources.{source.name}]: url is not a database address; write it as "
            "postgresql+psycopg://user:password@host/database, or as env:NAME of a variable that holds it"
        ) from None


def _told(error: Exception, url: URL) -> str:
    if isinstance(error, NoSuchModuleError | ImportError):
        return f"there is no driver for {url.drivername!r} here"
    said = str(getattr(error, "orig", None) or error).splitlines()[0]
    secrets = [str(url.password or ""), quote(str(url.password or ""), safe="")]
    secrets += [str(value) for value in url.query.values()]  # some drivers take the password there
    for secret in filter(None, secrets):
        said = said.replace(secret, "***")
    return said
