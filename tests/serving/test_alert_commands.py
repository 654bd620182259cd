"""The commands about alerts and notices, as a person types them."""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from serving.cli.app import main

CANARY = "canary93d2f1c0"
TOML = """
[workspace]
folder = "{folder}"
country = "CN"
[service]
database_url = "env:STORE"
[owners.buyer]
channels = ["chat", "mail"]
[channels.chat]
kind = "dingtalk"
url = "env:CHAT"
secret = "env:CHAT_KEY"
allow_private = true
timeout = 1
[channels.mail]
kind = "log"
at_least = "critical"
[channels.far]
kind = "feishu"
url = "env:FAR"
"""
Run = Callable[..., tuple[int, Any, str]]


class Robot(BaseHTTPRequestHandler):
    """Takes every message, or says no in the body."""

    answer: ClassVar[dict[str, Any]] = {"errcode": 0}
    got: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(json.loads(body)["text"]["content"])
        content = json.dumps(self.answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def robot() -> Iterator[int]:
    Robot.answer, Robot.got = {"errcode": 0}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Robot)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(
    new_shop: Any, robot: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any, caplog: Any
) -> Run:
    """Run a command; exit code, what it says as JSON (None without), and all that was said and logged."""
    monkeypatch.setenv("STORE", new_shop.url)
    monkeypatch.setenv("CHAT", f"http://127.0.0.1:{robot}/send?access_token={CANARY}")
    monkeypatch.setenv("CHAT_KEY", f"SEC{CANARY}")
    monkeypatch.setenv("FAR", f"https://localhost/{CANARY}")
    config = tmp_path / "desk.toml"
    config.write_text(TOML.format(folder=new_shop.folder))

    def go(*words: str) -> tuple[int, Any, str]:
        monkeypatch.setattr(sys, "argv", ["forestock", *words, "--config", str(config)])
        caplog.set_level(logging.DEBUG)
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capfd.readouterr()
        told = json.loads(said.out) if "--json" in words and said.out else None
        return code, told, said.out + said.err + caplog.text

    return go


def first(run: Run) -> str:
    _, told, _ = run("alerts", "list", "--json")
    assert told["total"] > 20
    return next(row["alert_id"] for row in told["alerts"] if row["recommendation"]["type"] == "order")


def test_an_alert_is_worked_from_its_opening_to_its_review(run: Run) -> None:
    alert = first(run)
    assert run("alerts", "assign", alert, "buyer", "--by", "li.na")[0] == 0
    code, told, said = run("alerts", "act", alert, "--by", "li.na", "--json")
    assert code == 1
    assert "this one is open; acknowledge it first" in " ".join(said.split())
    assert run("alerts", "ack", alert[:8], "--by", "li.na", "--reason", "looking")[0] == 0
    code, told, _ = run("alerts", "act", alert, "--by", "li.na", "--json")
    assert (code, len(told["drafts"])) == (0, 1)
    assert run("alerts", "decide", told["drafts"][0]["draft_id"], "placed", "--by", "li.na")[0] == 0
    code, told, _ = run("alerts", "drafts", "--json")
    assert [each["state"] for each in told["drafts"]] == ["placed"]
    assert run("alerts", "comment", alert, "they deliver on Friday", "--by", "li.na")[0] == 0
    assert run("alerts", "resolve", alert, "--by", "li.na")[0] == 0
    assert run("alerts", "review", alert, "--by", "wang")[0] == 0
    code, told, _ = run("alerts", "show", alert, "--json")
    assert [each["event"] for each in told["events"]] == [
        *("opened", "assigned", "acknowledged", "acted", "draft_decided", "commented", "resolved"),
        "reviewed",
    ]
    assert run("alerts", "list", "--state", "reviewed", "--json")[1]["total"] == 1


def test_what_cannot_be_meant_is_a_usage_error(run: Run) -> None:
    assert run("alerts", "list", "--state", "closed")[0] == 2
    assert run("alerts", "ack", "abc", "--by", "x")[0] == 2
    assert run("alerts", "snooze", first(run), "--by", "x", "--until", "soon")[0] == 2
    code, _, said = run("alerts", "ack", "zzzzzz", "--by", "x")
    assert (code, "no alert begins" in said) == (1, True)
    code, _, said = run("notify", "test", "chart")
    assert (code, "did you mean 'chat'?" in said) == (1, True)


def test_a_test_message_arrives_or_says_why_not(run: Run) -> None:
    assert run("notify", "test", "chat", "--json")[1] == {"channel": "chat", "arrived": True}
    assert "This channel works." in Robot.got[0]
    Robot.answer = {"errcode": 310000, "errmsg": f"sign not match, token {CANARY}"}
    code, _, said = run("notify", "test", "chat")
    assert code == 1
    assert "code 310000: sign not match, token ***" in " ".join(said.split())
    assert CANARY not in said
    code, _, said = run("notify", "test", "far")  # a name that leads to loopback, and nobody allowed that
    assert code == 1
    assert "leads to a private range" in " ".join(said.split())
    assert CANARY not in said


def test_why_was_i_not_notified(run: Run) -> None:
    alert = first(run)
    code, told, said = run("notify", "why", alert, "--json")
    assert code == 0
    assert told["notices"] == []
    run("alerts", "assign", alert, "buyer", "--by", "li.na")
    _, told, _ = run("notify", "why", alert, "--json")
    assert told["said"] == ["far: never, as buyer is told on chat, mail; add it to owners.buyer.channels"]
    code, _, said = run("notify", "why", alert)
    assert "The alert belongs to buyer." in said
    until = datetime.now(UTC) + timedelta(days=2)
    run("alerts", "snooze", alert, "--by", "li.na", "--until", until.isoformat())
    _, told, _ = run("notify", "why", alert, "--json")
    assert told["said"][0] == f"snoozed until {until:%Y-%m-%d %H:%M} UTC; only what is worse is told"
    run("alerts", "snooze", alert, "--by", "li.na", "--until", "now")
    assert "snoozed" not in run("notify", "why", alert, "--json")[1]["said"][0]


def test_what_was_given_up_is_listed_and_sent_again(run: Run, new_shop: Any) -> None:
    from serving.delivering import deliver_once
    from serving.settings import read_settings

    alert = first(run)
    run("alerts", "assign", alert, "buyer", "--by", "li.na")
    Robot.answer = {"errcode": 310000, "errmsg": f"keywords not in content {CANARY}"}
    desk = read_settings(new_shop.folder / "desk.toml").desk
    later = datetime.now(UTC) + timedelta(days=8)
    assert deliver_once(new_shop.url, desk, lambda: later, patience=0.0).dead > 0
    _, told, said = run("notify", "list", "--state", "dead", "--json")
    given_up = [each for each in told["notices"] if each["channel"] == "chat"]
    dead = [each["notice_id"] for each in given_up]
    assert dead
    assert all("code 310000: keywords not in content ***" in each["reason"] for each in given_up)
    _, _, said = run("notify", "list", "--state", "dead", "--channel", "chat")
    first_line, second = said.splitlines()[:2]
    assert first_line.startswith("dead ")
    assert " chat → " in first_line
    assert second.strip().startswith(f"{dead[0]}: code 310000")
    _, _, said = run("notify", "why", alert)
    assert "was given up" in said
    assert "notify redrive" in " ".join(said.split())
    assert CANARY not in said
    Robot.answer = {"errcode": 0}
    code, told, _ = run("notify", "redrive", "--channel", "chat", "--json")
    assert (code, told["queued"]) == (0, len(dead))
    assert told["told"] >= 1
    assert any(dead[0] in text for text in Robot.got)
    assert run("notify", "list", "--state", "dead", "--channel", "chat", "--json")[1] == {"notices": []}


def test_deadlines_are_listed_in_local_time(run: Run) -> None:
    run("alerts", "assign", first(run), "buyer", "--by", "li.na")
    said = run("alerts", "list", "--limit", "1000")[2]
    assert "18:00" in said  # the end of a business day in Shanghai, 10:00 in UTC
    assert "10:00" not in said


def test_a_silence_says_how_much_it_covers_now(run: Run) -> None:
    alert, end = first(run), (datetime.now(UTC) + timedelta(days=2)).isoformat()
    said = ("--until", end, "--author", "li.na", "--reason", "stock-take", "--json")
    assert run("silences", "add", f"alert_id={alert}", *said)[1]["covers_now"] == 1
    assert run("silences", "add", "location=nowhere", *said)[1]["covers_now"] == 0


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (("alerts", "assign"), "One of [owners]."),
        (("notify", "test"), "A name from [channels]."),
        (("rules", "preview"), "TOML with [[rules]],"),
    ],
)
def test_help_names_the_blocks_of_the_file(
    command: tuple[str, str],
    word: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["forestock", *command, "--help"])
    with pytest.raises(SystemExit):
        main()
    assert word in " ".join(capsys.readouterr().out.split())
