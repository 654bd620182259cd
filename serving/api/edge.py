"""The edge: what every request passes, whatever answers it.

The host check (a page elsewhere cannot reach a service on loopback under its own name), the request id, the
security headers, the access log as JSON, the counters, and the last resort where an answer failed.
"""

import json
import logging
import re
import socket
import sys
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingestion.errors import Problem
from serving.api.metrics import Metrics

log = logging.getLogger(__name__)
access = logging.getLogger("serving.access")

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "font", "connect")),
        *("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"),
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
Answer = Callable[[Request, Exception], Response]
GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class Names:
    """The names under which the service may be called.

    addresses: any IP address will do as well; a page elsewhere can point a name here, but not an address
    """

    known: frozenset[str]
    addresses: bool

    def allow(self, name: str) -> bool:
        """Whether a Host header, without its port, is one of them."""
        return name in self.known or (self.addresses and _address(name) is not None)


def names_of(host: str, further: Collection[str] = ()) -> Names:
    """Names of a service that listens on `host`, beside loopback's and `further` ones.

    Who listens on all interfaces answers to every address and to the machine's own name.

    >>> names_of("0.0.0.0").allow("192.168.1.7"), names_of("127.0.0.1").allow("192.168.1.7")
    (True, False)
    >>> names_of("0.0.0.0").allow("evil.example"), names_of("0.0.0.0", ["ours.example"]).allow("ours.example")
    (False, True)
    """
    address = _address(host)
    everywhere = address is not None and address.is_unspecified
    own = {socket.gethostname()} if everywhere else {f"[{address}]" if ":" in host else host}
    return Names(frozenset(name.lower() for name in {*LOOPBACK, *own, *further}), everywhere)


class AccessLog(logging.Handler):
    """One line per request on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; what cannot be written must not fail the request."""
        try:
            sys.stderr.write(self.format(record) + "\n")
        except (OSError, ValueError):
            self.handleError(record)


def log_requests() -> None:
    """Write the access log, whatever the rest of the process logs; asked again, it changes nothing."""
    access.setLevel(logging.INFO)
    access.propagate = False  # else a handler of the root would write each line a second time
    if not any(isinstance(handler, AccessLog) for handler in access.handlers):
        access.addHandler(AccessLog())


class Edge:
    """ASGI middleware around the application.

    answer: what an error says to the one who asked
    names: under which the service may be called
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, answer: Answer, names: Names) -> None:
        self._app = app
        self._told = answer
        self._metrics = metrics
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        answer: dict[str, Any] = {"status": 500, "bytes": 0, "started": False}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.update(status=message["status"], started=True)
                out = MutableHeaders(scope=message)
                out["X-Request-ID"] = request_id
                for name, value in HEADERS.items():
                    out.setdefault(name, value)
            elif message["type"] == "http.response.body":
                answer["bytes"] += len(message.get("body", b""))
            await send(message)

        started = time.perf_counter()
        try:
            await self._answer(scope, receive, sending, headers)
        except Exception as error:
            log.exception("request %s failed", request_id)
            if not answer["started"]:
                await self._told(Request(scope), error)(scope, receive, sending)
        finally:
            self._account(scope, answer, time.perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        host = _name(headers.get("host", ""))
        if not self._names.allow(host):
            wrong = Problem(
                f"the service answers as {', '.join(sorted(self._names.known))}, it was called as {host!r}; "
                f"call it by one of these names"
            )
            await self._told(Request(scope), wrong)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _account(self, scope: Scope, answer: dict[str, Any], seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.observe(scope["method"], route, answer["status"], seconds)
        line = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request_id": scope["state"]["request_id"],
            "client": (scope.get("client") or [None])[0],
            "method": scope["method"],
            "path": scope["path"],
            "status": answer["status"],
            "bytes": answer["bytes"],
            "ms": round(seconds * 1000, 1),
        }
        access.info(json.dumps(line, ensure_ascii=False))


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name.strip("[]"))
    except ValueError:
        return None


def _name(host: str) -> str:
    """A Host header without its port.

    >>> _name("LOCALHOST:8000"), _name("[::1]:8000"), _name("127.0.0.1")
    ('localhost', '[::1]', '127.0.0.1')
    """
    return re.sub(r":\d*$", "", host).lower()
