"""Telling: who was told of an alert, when, and why somebody was not."""

from typing import Any

import pandas as pd

from serving.store.rows import plain
from serving.store.store import Store
from warning.lifecycle import LIVE
from warning.routing import Desk, unheard

SHOWN = ("notice_id", "event", "channel", "owner", "tier", "state", "reason")
WHEN = ("created_at", "due_at", "sent_at")
NO_CHANNEL = "no channel is configured; describe one under [channels.NAME] in forestock.toml"


def why(store: Store, desk: Desk, alert_id: str) -> dict[str, Any]:
    """What was told of an alert on every channel, and the reasons for silence; Missing where there is none.

    notices: the oldest first, each with its attempts; unheard: channels that its owner never hears
    said: the whole in one sentence each
    """
    alert, _ = store.alert(alert_id)
    row = alert.iloc[0]
    owner = str(row["owner"]) if row["owner"] is not None else desk.last_owner
    notices = [
        {**plain({name: each[name] for name in (*SHOWN, *WHEN)}), "attempts": _attempts(store, each)}
        for each in reversed(store.outbox.find(alert_id=alert_id, limit=1000))
    ]
    deaf = unheard(desk, owner)
    muted = row["muted"] if isinstance(row.get("muted"), str) else ""
    said = [muted] if muted else []
    if pd.notna(row["snoozed_until"]) and row["state"] in LIVE:
        said.append(f"snoozed until {row['snoozed_until']:%Y-%m-%d %H:%M} UTC; only what is worse is told")
    said += [_sentence(each) for each in notices]
    said += [f"{channel}: never, as {reason}" for channel, reason in deaf.items()]
    if not desk.channels:
        said.append(NO_CHANNEL)
    return {"alert_id": alert_id, "owner": owner, "notices": notices, "unheard": deaf, "said": said}


def _attempts(store: Store, notice: dict[str, Any]) -> list[dict[str, Any]]:
    return [plain(each) for each in store.outbox.attempts(notice["notice_id"])] if notice["attempts"] else []


def _sentence(notice: dict[str, Any]) -> str:
    """What became of one notice."""
    start = f"{notice['channel']}: {notice['event']}"
    last = f" (attempt {len(notice['attempts'])}: {notice['reason']})" if notice["reason"] else ""
    return {
        "sent": f"{start} arrived {notice['sent_at']}",
        "queued": f"{start} goes out from {notice['due_at']}{last}",
        "dead": f"{start} was given up{last}; send it again: forestock notify redrive {notice['notice_id']}",
        "skipped": f"{start} was not sent, as {notice['reason']}",
    }[notice["state"]]
