"""A canary as every channel's secret, through every way of failing: nothing kept or said has it."""

import json
import logging
import socket
import sqlite3
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

import pandas as pd
import pytest

from serving.delivering import Courier
from serving.settings import Settings
from serving.telling import why
from warning.engine import evaluate
from warning.rules import default_rules

CANARY = "canary93d2f1c0/+="
SPELLINGS = (CANARY, quote(CANARY), quote(CANARY, safe=""), CANARY[:14])
KEY = "whsec_" + "CANARYcanary" * 3 + "AAAAAAA="


class Parrot(BaseHTTPRequestHandler):
    """Says back all that it was told, with a refusal of the kind that the address names."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        said = f"no: {self.path} {dict(self.headers)} {body}"
        status, code = {"/code": (200, 310000), "/busy": (200, -1)}.get(self.path.split("?")[0], (500, 1))
        if self.path.startswith("/gone"):
            status = 404
        content = json.dumps({"errcode": code, "errmsg": said, "code": code, "msg": said}).encode()
        self.send_response(status, said[:50].replace("\n", " "))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def parrot() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Parrot)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def channels(url: str) -> dict[str, Any]:
    with socket.create_server(("127.0.0.1", 0)) as place:
        closed = place.getsockname()[1]
    secret, usual = quote(CANARY, safe=""), {"allow_private": True, "timeout": 1}
    query = f"key={secret}"
    return {
        **{
            f"{kind}-{way}": {"kind": kind, "url": f"{url}/{way}?{query}", "secret": CANARY, **usual}
            for kind in ("wecom", "dingtalk", "feishu")
            for way in ("code", "busy", "fail", "gone")
        },
        "nobody": {"kind": "wecom", "url": f"http://127.0.0.1:{closed}/{secret}", **usual},
        "private": {"kind": "feishu", "url": f"https://localhost/hook/{secret}"},
        "unknown": {"kind": "dingtalk", "url": f"https://nowhere.invalid/send?{query}"},
        "mail": {
            "kind": "apprise",
            "url": f"mailto://me:{secret}@127.0.0.1:{closed}?from=a@b.example",
            **usual,
        },
        "events": {"kind": "webhook", "url": f"{url}/fail", "secret": KEY, **usual},
    }


def test_no_failing_path_says_a_secret(
    new_shop: Any, parrot: str, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    desk = Settings(workspace=new_shop.folder, channels=channels(parrot)).desk
    facts = new_shop.facts.assign(on_hand=new_shop.facts["on_hand"].where(new_shop.facts.index % 3 > 0, 0.0))
    decision = evaluate(
        facts, default_rules(), new_shop.today + pd.Timedelta(days=1), new_shop.store.open_alerts()
    )
    new_shop.store.apply(decision, new_shop.at, desk)
    now: datetime = new_shop.at
    courier = Courier(new_shop.store.outbox, desk, clock=lambda: now, chance=lambda: 0.0)
    courier.deliver()
    now += timedelta(hours=1)
    courier.deliver()
    found = new_shop.store.outbox.find(limit=10_000)
    tried = {each["channel"] for each in found if each["attempts"]}
    assert tried == set(desk.channels)
    assert not any(each["state"] == "sent" for each in found)
    texts = [caplog.text, *capfd.readouterr()]
    texts += [str(why(new_shop.store, desk, found[0]["alert_id"]))]
    with sqlite3.connect(new_shop.url.removeprefix("sqlite:///")) as database:
        texts += ["\n".join(database.iterdump())]
    assert "310000" in texts[-1]  # what the receivers said is there, starred
    assert "***" in texts[-1]
    for text in texts:
        for spelling in (*SPELLINGS, KEY, KEY.removeprefix("whsec_")):
            assert spelling not in text
