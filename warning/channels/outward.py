"""Outward: HTTP to a configured address, and to nothing else.

The name is resolved once; every address it has must be public, unless private ones are allowed; the
connection goes to the address that was checked, under the name that was meant. Redirects are not followed,
answers are read up to a limit and a deadline.
"""

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

import urllib3

from ingestion.errors import Problem
from warning.channels.secrecy import hushed
from warning.channels.sending import UndeliveredError

PORTS = {"http": 80, "https": 443}
MOST_BYTES = 65_536  # of an answer that are read
NAT64 = IPv6Network("64:ff9b::/96")  # carries any IPv4 address
LONGEST_REST = 3600.0  # seconds for which a receiver may ask
Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Reply:
    """A receiver's answer."""

    status: int
    body: bytes
    rest: float | None


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def check_url(url: str, allow_private: bool, where: str) -> SplitResult:
    """The parts of an address that may be sent to; Problem names `where` it stands, never the address."""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in PORTS and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine:
        raise Problem(f"{where} must be an address, got something else; write https://host/path")
    if parts.scheme == "http" and not allow_private:
        raise Problem(f"{where} must be https, got http; only where allow_private = true may it be in clear")
    address = _address(parts.hostname or "")
    if address is not None and not allow_private and not is_public(address):
        raise Problem(
            f"{where} lies in a private range ({address}); set allow_private = true if that is meant"
        )
    return parts


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the open network, not ours, and not another one in disguise.

    >>> [is_public(ip_address(text)) for text in ("93.184.215.14", "10.0.0.1", "169.254.169.254", "::1")]
    [True, False, False, False]
    >>> is_public(ip_address("::ffff:127.0.0.1")), is_public(ip_address("64:ff9b::7f00:1"))
    (False, False)
    """
    inner: IPv4Address | None = None
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address.teredo is not None or address in NAT64:
            return False
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    allow_private: bool,
    lookup: Resolve = resolve,
) -> Reply:
    """Send a body and give the answer, whatever it says; UndeliveredError where there is none.

    timeout: seconds for the connection, and for the answer
    lookup: gives the addresses of a host
    """
    parts = check_url(url, allow_private, "the address")
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    address = _chosen(host, port, allow_private, lookup)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    named = f"[{host}]" if ":" in host else host
    sent = {**headers, "Host": named if parts.port is None else f"{named}:{port}", "User-Agent": "forestock"}
    limits = urllib3.Timeout(connect=timeout, read=timeout)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, timeout=limits, server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port, timeout=limits)
    try:
        with hushed():
            answer = pool.urlopen(
                *("POST", path, body, sent),
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
            )
        return Reply(answer.status, _read(answer, timeout), _rest(answer.headers.get("Retry-After")))
    except urllib3.exceptions.HTTPError as error:
        # Its words repeat the address, which may be the secret itself.
        raise UndeliveredError(f"no answer ({type(error).__name__})") from None
    finally:
        pool.close()


def accept(reply: Reply) -> bytes:
    """The body of an answer that accepts the message; UndeliveredError for any other."""
    if 200 <= reply.status < 300:
        return reply.body
    if reply.status == 429:
        raise UndeliveredError("HTTP 429: too many messages", rest=reply.rest or 60.0)
    if 300 <= reply.status < 400:
        raise UndeliveredError(f"HTTP {reply.status}: redirects are not followed", final=True)
    again = reply.status >= 500 or reply.status in (408, 425)
    raise UndeliveredError(f"HTTP {reply.status}", final=not again, rest=reply.rest)


def _chosen(host: str, port: int, allow_private: bool, lookup: Resolve) -> str:
    """The address to connect to; all that the name has must be fine, as the next look-up may give another."""
    try:
        found = [host] if _address(host) is not None else lookup(host, port)
    except OSError:
        raise UndeliveredError(f"the host {host} has no address") from None
    if not found:
        raise UndeliveredError(f"the host {host} has no address")
    for text in found:
        address = _address(text)
        if address is None or not (allow_private or is_public(address)):
            raise UndeliveredError(
                f"the host {host} leads to a private range ({text}); "
                f"set allow_private = true if that is meant",
                final=True,
            )
    return found[0]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _read(answer: urllib3.BaseHTTPResponse, timeout: float) -> bytes:
    """The beginning of a body; a receiver that drips it out is not waited for."""
    until, parts, size = time.monotonic() + timeout, [], 0
    while size < MOST_BYTES and time.monotonic() < until:
        part = answer.read1(4096)
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _rest(said: str | None) -> float | None:
    """Seconds that a Retry-After asks for, as a number or a date.

    >>> _rest("7"), _rest("soon"), _rest(None), _rest("999999")
    (7.0, None, None, 3600.0)
    """
    if not said:
        return None
    if said.strip().isdigit():
        return min(float(said), LONGEST_REST)
    try:
        seconds = parsedate_to_datetime(said).timestamp() - time.time()
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_REST)
