"""Opening: the sender of a channel, by its kind, and what is checked before anything is sent.

A kind's module is imported when a channel needs it: most workspaces use one or two.
"""

from collections.abc import Callable
from datetime import datetime
from importlib import import_module

from ingestion.errors import Problem
from warning.channels.outward import check_url
from warning.channels.sending import Sender
from warning.configuration import read_tables
from warning.routing import Channel, Kind

MODULES: dict[Kind, str] = {
    "log": "log",
    "apprise": "others",
    "wecom": "robots",
    "dingtalk": "robots",
    "feishu": "robots",
    "webhook": "webhooks",
}
# Notices in one message, so that each is still named in what the receiver takes.
MOST: dict[Kind, int] = {"wecom": 5, "webhook": 1, "log": 1}
USUAL_MOST = 20


def configured_channels(content: object) -> dict[str, Channel]:
    """The channels that `[channels.NAME]` describes, each checked without sending anything."""
    channels = read_tables(Channel, content, "channels")
    return {name: _checked(channel) for name, channel in channels.items()}


def open_channel(channel: Channel, clock: Callable[[], datetime]) -> Sender:
    """What sends on a channel.

    clock: gives the time that signatures carry
    """
    return import_module(f"warning.channels.{MODULES[channel.kind]}").make(channel, clock)


def most_together(channel: Channel) -> int:
    """Notices in one message."""
    return MOST.get(channel.kind, USUAL_MOST)


def _checked(channel: Channel) -> Channel:
    where = f"channels.{channel.name}"
    if channel.kind == "log":
        return channel.model_copy(update={"together": None})
    if not channel.url.get_secret_value():
        raise Problem(f'{where} needs url; add it, such as url = "env:{_variable(channel.name)}_URL"')
    if channel.kind == "apprise":
        import_module("warning.channels.others").find_target(channel)
        return channel
    check_url(channel.url.get_secret_value(), channel.allow_private, f"{where}.url")
    if channel.kind != "webhook":
        return channel
    if not channel.secret:
        raise Problem(f'{where} needs secret; add secret = "env:{_variable(channel.name)}_SECRET"')
    signer = import_module("warning.channels.webhooks").signer
    for secret in channel.secret:
        signer(secret, channel.name)
    return channel.model_copy(update={"together": None})


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")
