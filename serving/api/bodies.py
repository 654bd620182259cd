"""Bodies: what comes in is bounded in size, and what changes something must say that it is JSON.

A page elsewhere can make a browser post a form or plain text to this address, but not JSON without being
allowed to; so nothing it sends can change anything.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive

MOST_BYTES = 2**18  # of a question


class Bounded(APIRoute):
    """A route that reads no more than MOST_BYTES of a question."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual handler behind a counted body."""
        handle = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            return await handle(Request(request.scope, _counted(request.receive)))

        return bounded


class Written(Bounded):
    """A route that changes something: bounded, and JSON alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The bounded handler behind a look at the media type."""
        handle = super().get_route_handler()

        async def written(request: Request) -> Response:
            media = request.headers.get("content-type", "").split(";")[0].strip().lower()
            if request.method not in ("GET", "HEAD") and media != "application/json":
                raise HTTPException(415, f"a change is sent as application/json, got {media or 'nothing'!r}")
            return await handle(request)

        return written


def _counted(receive: Receive) -> Receive:
    """The same messages; 413 once their bodies together are too large."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            raise HTTPException(413, f"a question must have at most {MOST_BYTES // 1024} KiB")
        return message

    return counted
