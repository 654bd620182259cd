"""Secrecy: no text that is kept, shown or logged carries what a channel must not tell.

An address often is the secret itself: its path, its query and its password go unsaid as well.
"""

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from warning.routing import Channel

STARS = "***"
SHORTEST = 4  # characters; what is shorter would star half of every text
ORDINARY = 8  # parts of a path that are shorter are words like "send"


def secrets_of(channel: Channel) -> list[str]:
    """Everything about a channel that must not be said, the longest first."""
    url = channel.url.get_secret_value()
    found = {url, *(secret.get_secret_value() for secret in channel.secret)}
    if channel.kind != "webhook":  # whose address is no secret, but what it signs with
        found |= _parts(url)
    found |= {spelled for secret in found for spelled in (unquote(secret), quote(secret), quote_plus(secret))}
    found |= {secret.removeprefix("whsec_") for secret in found}
    return sorted(
        (secret for secret in found if len(secret) >= SHORTEST), key=lambda text: (-len(text), text)
    )


def hidden(text: str, secrets: Iterable[str]) -> str:
    """A text in which every secret is starred; the longest must come first.

    >>> hidden("no such key: 93d2f1", ["93d2f1"])
    'no such key: ***'
    """
    for secret in secrets:
        text = text.replace(secret, STARS)
    return text


class _Hush(logging.Filter):
    """Keeps a library's log of requests, which has whole addresses, from being written."""

    def filter(self, _record: logging.LogRecord) -> bool:
        """Whether a line may pass."""
        return not getattr(_sending, "hushed", False)


_sending = threading.local()
logging.getLogger("urllib3.connectionpool").addFilter(_Hush())


@contextmanager
def hushed() -> Iterator[None]:
    """No request of this thread is logged meanwhile."""
    _sending.hushed = True
    try:
        yield
    finally:
        _sending.hushed = False


def _parts(url: str) -> set[str]:
    parts = urlsplit(url)
    found = {part for part in parts.path.split("/") if len(part) >= ORDINARY}
    found |= {value for _, value in parse_qsl(parts.query)} | {parts.query, parts.fragment}
    found |= {text for text in (parts.username, parts.password) if text}
    # Of apprise's addresses the place of a host may hold a token.
    return found | {
        part for part in (parts.netloc, parts.hostname or "") if "." not in part and len(part) >= ORDINARY
    }
