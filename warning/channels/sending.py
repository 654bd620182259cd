"""Sending: what a channel is given, and how it says that something did not arrive."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from warning.notices import Text


@dataclass(frozen=True)
class Message:
    """One message, for people and for programs.

    message_id: the same in every attempt
    text: for people
    events: for programs, one per notice, as CloudEvents
    """

    message_id: str
    text: Text
    events: tuple[dict[str, Any], ...]


class UndeliveredError(Exception):
    """A message that did not arrive, as far as one can tell.

    detail: what the receiver said, without any secret
    final: trying again is hopeless
    rest: seconds for which the channel must not be used; None leaves that to the policy
    """

    def __init__(self, detail: str, *, final: bool = False, rest: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.final = final
        self.rest = rest


Sender = Callable[[Message], None]
"""Returns once the receiver has accepted the message; raises UndeliveredError where it has not."""


def fitted(text: Text, most: int) -> str:
    """Subject and body in at most so many bytes of UTF-8; the last line, which names the notice, stays.

    >>> fitted(Text("s", "a long reason\\nNo. 7"), 14)
    's\\na l…\\nNo. 7'
    """
    whole = f"{text.subject}\n{text.body}"
    if len(whole.encode()) <= most:
        return whole
    start, _, last = whole.rpartition("\n")
    room = most - len(f"…\n{last}".encode())
    return start.encode()[: max(room, 0)].decode(errors="ignore") + f"…\n{last}"
