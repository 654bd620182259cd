"""Others: e-mail, Slack, Teams and a hundred more, through apprise.

apprise says only whether it worked; why not is in what it logs, which is taken from there, starred, and kept
out of the log. What this project carries itself is refused here: apprise looks at the HTTP status alone,
follows redirects, and goes into private networks.
"""

import difflib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import apprise

from ingestion.errors import Problem
from warning.channels.secrecy import hidden, hushed, secrets_of
from warning.channels.sending import Message, Sender, UndeliveredError
from warning.routing import Channel

log = logging.getLogger("apprise")
OURS = {
    **dict.fromkeys(("dingtalk",), "dingtalk"),
    **dict.fromkeys(("wecombot",), "wecom"),
    **dict.fromkeys(("feishu", "lark"), "feishu"),
    **dict.fromkeys(("json", "jsons", "xml", "xmls", "form", "forms"), "webhook"),
}


def make(channel: Channel, _clock: Callable[[], datetime]) -> Sender:
    """The sender of an apprise channel."""
    target, secrets = find_target(channel), secrets_of(channel)
    target.socket_connect_timeout = target.socket_read_timeout = channel.timeout

    def send(message: Message) -> None:
        with hushed(), _overheard() as said:
            sent = target.notify(
                body=message.text.body, title=message.text.subject, body_format=apprise.NotifyFormat.TEXT
            )
        if not sent:
            why = hidden("; ".join(said[-2:]) or "apprise gave no reason", secrets)
            raise UndeliveredError(why[:300])

    return send


def find_target(channel: Channel) -> apprise.NotifyBase:
    """What apprise makes of an address; Problem where it makes nothing of it."""
    url, where = channel.url.get_secret_value(), f"channels.{channel.name}.url"
    scheme, mark, _ = url.partition("://")
    known = sorted(map(str, apprise.plugins.N_MGR.schemas()))  # type: ignore[no-untyped-call]
    if not mark or not scheme.replace("+", "").isalnum():
        raise Problem(
            f"{where} must be an address of apprise, got one without a scheme; write mailto://… or slack://…"
        )
    if scheme in OURS:
        raise Problem(
            f'{where} must be what apprise carries well, {scheme}:// is not; use kind = "{OURS[scheme]}"'
        )
    if scheme not in known:
        close = difflib.get_close_matches(scheme, known, 1)
        remedy = f"did you mean {close[0]}://?" if close else "see apprise's list of services"
        raise Problem(f"{where} begins with {scheme}://, which apprise does not know; {remedy}")
    with _overheard():
        asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY)
        target = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if not isinstance(target, apprise.NotifyBase):
        raise Problem(
            f"{where} is no complete {scheme}:// address; apprise's page about {scheme} shows its parts"
        )
    return target


class _Listener(logging.Filter):
    """Hands what apprise logs to the thread that caused it, and lets none of it through to the log."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep a line that says what went wrong, where somebody listens."""
        said = record.getMessage()
        if record.levelno >= logging.WARNING or "Exception" in said:
            getattr(self.heard, "lines", []).append(said)
        return False


LISTENER = _Listener()
log.addFilter(LISTENER)
log.setLevel(logging.DEBUG)  # why a connection failed is said there


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """What apprise logs in this thread meanwhile."""
    lines: list[str] = []
    LISTENER.heard.lines = lines
    try:
        yield lines
    finally:
        del LISTENER.heard.lines
