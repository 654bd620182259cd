"""Formats: in which form an answer goes out, and when it need not go out at all.

JSON comes in pages; NDJSON, CSV and Arrow give everything that the filters choose. `?format=` decides, else
the Accept header.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal, get_args

import pandas as pd
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from serving.results import to_arrow, to_csv, to_ndjson, to_records
from serving.store.paging import Page

Format = Literal["json", "ndjson", "csv", "arrow"]
MEDIA: dict[Format, str] = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
}
FORMATS: tuple[Format, ...] = get_args(Format)


def chosen_format(request: Request, wanted: Format | None) -> Format:
    """The format that was asked for; 406 where none of those accepted can be given."""
    if wanted:
        return wanted
    accepted = [part.split(";")[0].strip() for part in request.headers.get("accept", "*/*").split(",")]
    for media in accepted:
        if media in ("*/*", "application/*", ""):
            return "json"
        for name in FORMATS:
            if media == MEDIA[name].split(";")[0]:
                return name
    raise HTTPException(406, f"the formats are {', '.join(MEDIA.values())}, the request accepts {accepted}")


def page_response(page: Page, headers: dict[str, str], **about: Any) -> Response:
    """One page as JSON, with what else is to be said beside the rows."""
    return json_response(
        {**about, "total": page.total, "next_cursor": page.next_cursor, "data": to_records(page.rows)},
        headers,
    )


def json_response(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """A JSON object without NaN."""
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=str)
    return Response(text, media_type=MEDIA["json"], headers=headers)


def stream_response(chunks: Iterator[pd.DataFrame], form: Format, headers: dict[str, str]) -> Response:
    """All rows, some at a time; Arrow, whose columns must be known before the first row, at once."""
    if form == "arrow":
        frames = list(chunks)
        body = to_arrow(pd.concat(frames, ignore_index=True) if frames else pd.DataFrame())
        return Response(body, media_type=MEDIA[form], headers=headers)
    encoded = _csv(chunks) if form == "csv" else map(to_ndjson, chunks)
    return StreamingResponse(encoded, media_type=MEDIA[form], headers=headers)


def every_page(read: Callable[[str | None], Page]) -> Iterator[pd.DataFrame]:
    """The rows of all pages, a page at a time; the first even if it is empty, for its columns."""
    cursor = None
    while True:
        page = read(cursor)
        yield page.rows
        cursor = page.next_cursor
        if cursor is None:
            return


def entity_tag(*parts: object) -> str:
    """A strong ETag: equal for answers of equal content, other for any other.

    >>> entity_tag("digest", "json") == entity_tag("digest", "csv")
    False
    """
    return f'"{hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the asker holds this content already (If-None-Match)."""
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or tag in {part.strip().removeprefix("W/") for part in given.split(",")}


def not_modified(headers: dict[str, str]) -> Response:
    """304: what the asker holds is still true."""
    return Response(status_code=304, headers=headers)


def _csv(chunks: Iterable[pd.DataFrame]) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks):
        yield to_csv(chunk, header=number == 0)
