"""Robots: the group robots of WeCom, DingTalk and Feishu.

Each answers HTTP 200 whatever happened and says in the body whether the message was taken; who looks at the
status alone loses messages. A code of throttling rests the channel, one of a wrong set-up gives up at once,
any other is tried again.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from warning.channels.outward import accept, post
from warning.channels.secrecy import hidden, secrets_of
from warning.channels.sending import Message, Sender, UndeliveredError, fitted
from warning.routing import Channel

JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class Robot:
    """What a kind of robot expects and answers.

    fill: url, text, secret ("" where none) and the time → the address and the body
    codes: names under which the body may say what happened; 0 is taken
    words: names under which it says why
    rests: code of throttling → seconds to rest
    hopeless: codes of a wrong key, signature, keyword or sender's address
    most: bytes of a text
    """

    fill: Callable[[str, str, str, datetime], tuple[str, dict[str, Any]]]
    codes: tuple[str, ...]
    words: tuple[str, ...]
    rests: dict[int, float]
    hopeless: tuple[int, ...]
    most: int


def _wecom(url: str, text: str, _secret: str, _now: datetime) -> tuple[str, dict[str, Any]]:
    return url, {"msgtype": "markdown", "markdown": {"content": text}}


def _dingtalk(url: str, text: str, secret: str, now: datetime) -> tuple[str, dict[str, Any]]:
    """The signature goes into the query: HMAC-SHA256 over time and secret, with the secret."""
    body = {"msgtype": "text", "text": {"content": text}}
    if not secret:
        return url, body
    stamp = str(round(now.timestamp() * 1000))
    query = urlencode({"timestamp": stamp, "sign": signature(secret, f"{stamp}\n{secret}")})
    return f"{url}{'&' if '?' in url else '?'}{query}", body


def _feishu(url: str, text: str, secret: str, now: datetime) -> tuple[str, dict[str, Any]]:
    """The signature goes into the body: HMAC-SHA256 over nothing, with time and secret as the key."""
    body: dict[str, Any] = {"msg_type": "text", "content": {"text": text}}
    if secret:
        stamp = str(int(now.timestamp()))
        body |= {"timestamp": stamp, "sign": signature(f"{stamp}\n{secret}", "")}
    return url, body


ROBOTS = {
    "wecom": Robot(_wecom, ("errcode",), ("errmsg",), {45009: 60.0}, (93000, 40008, 40058), 4096),
    # More than 20 a minute, and it takes nothing for ten minutes.
    "dingtalk": Robot(
        *(_dingtalk, ("errcode",), ("errmsg",), {130101: 600.0, 90030: 600.0}),
        *((300001, 310000, 400013, 400101, 400102), 16_000),
    ),
    "feishu": Robot(
        *(_feishu, ("code", "StatusCode"), ("msg", "StatusMessage"), {11232: 60.0, 9499: 60.0}),
        *((19001, 19002, 19021, 19022, 19024), 16_000),
    ),
}


def make(channel: Channel, clock: Callable[[], datetime]) -> Sender:
    """The sender of a robot's channel."""
    robot, secrets = ROBOTS[channel.kind], secrets_of(channel)
    url, key = channel.url.get_secret_value(), channel.secret[0].get_secret_value() if channel.secret else ""

    def send(message: Message) -> None:
        address, body = robot.fill(url, fitted(message.text, robot.most), key, clock())
        content = json.dumps(body, ensure_ascii=False).encode()
        reply = post(address, content, JSON, timeout=channel.timeout, allow_private=channel.allow_private)
        check_body(robot, accept(reply), secrets)

    return send


def check_body(robot: Robot, body: bytes, secrets: list[str]) -> None:
    """UndeliveredError unless a robot's answer says that it took the message."""
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    codes = [said[name] for name in robot.codes if name in said] if isinstance(said, dict) else []
    if not codes or not isinstance(said, dict):
        raise UndeliveredError("the answer is none of a robot")
    code = codes[0]
    if code == 0:
        return
    why = next((str(said[name]) for name in robot.words if said.get(name)), "")
    rest = robot.rests.get(code) if isinstance(code, int) else None
    raise UndeliveredError(
        hidden(f"code {code}: {why}", secrets)[:300], final=code in robot.hopeless, rest=rest
    )


def signature(key: str, text: str) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()
