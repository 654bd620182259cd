"""Webhooks: events for programs, signed by Standard Webhooks, and the check of what comes back signed.

The signature covers id, time and body, so that nothing of it can be changed or sent again later. While a
secret is being replaced there are two, and both sign.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from ingestion.errors import Problem
from warning.channels.outward import accept, post
from warning.channels.sending import Message, Sender
from warning.routing import Channel

CONTENT = "application/cloudevents+json; charset=utf-8"
PREFIX = "whsec_"
SHORTEST = 24  # bytes of a secret, as the specification asks


class UnsignedError(Problem):
    """A message whose signature or time is not right."""


def make(channel: Channel, clock: Callable[[], datetime]) -> Sender:
    """The sender of a webhook's channel; one request per notice, under the notice's own id."""
    keys = [signer(secret, channel.name) for secret in channel.secret]

    def send(message: Message) -> None:
        for event in message.events:
            body = json.dumps(event, ensure_ascii=False)
            headers = signed(keys, event["id"], clock(), body) | {"Content-Type": CONTENT}
            reply = post(
                channel.url.get_secret_value(),
                body.encode(),
                headers,
                timeout=channel.timeout,
                allow_private=channel.allow_private,
            )
            accept(reply)

    return send


def signer(secret: SecretStr, name: str) -> Webhook:
    """A secret that can sign; Problem where it cannot."""
    text = secret.get_secret_value()
    key = text.removeprefix(PREFIX)
    try:
        fine = len(base64.b64decode(key + "=" * (-len(key) % 4), validate=True)) >= SHORTEST
    except ValueError:
        fine = False
    if not fine:
        raise Problem(
            f"channels.{name}.secret must be at least {SHORTEST} random bytes in base64, got something else; "
            f"make one: openssl rand -base64 32"
        )
    return Webhook(text)


def signed(keys: Sequence[Webhook], message_id: str, at: datetime, body: str) -> dict[str, str]:
    """The headers that sign a body."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(key.sign(message_id, at, body) for key in keys),
    }


def verify(secrets: Sequence[SecretStr], headers: Mapping[str, str], body: bytes, name: str) -> str:
    """The id of a message that one of the secrets signed within five minutes; UnsignedError for any other."""
    said = ""
    for secret in secrets:
        try:
            signer(secret, name).verify(body, dict(headers), json_parse=False)
        except WebhookVerificationError as error:
            said = str(error)
        except (ValueError, UnicodeDecodeError):
            said = "Invalid Signature Headers"
        else:
            return headers["webhook-id"]
    raise UnsignedError(
        f"a callback carries webhook-id, a webhook-timestamp of now and webhook-signature: {said.lower()}; "
        f"sign it with the channel's secret, by Standard Webhooks"
    )
