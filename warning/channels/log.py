"""Log: notices as lines of JSON in the program's log."""

import json
import logging
from collections.abc import Callable
from datetime import datetime

from warning.channels.sending import Message, Sender
from warning.routing import Channel

log = logging.getLogger(__name__)


def make(channel: Channel, _clock: Callable[[], datetime]) -> Sender:
    """The sender of a log's channel."""

    def send(message: Message) -> None:
        line = {"channel": channel.name, "id": message.message_id, **message.text._asdict()}
        log.warning(json.dumps(line, ensure_ascii=False))

    return send
