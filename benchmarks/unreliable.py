"""Receivers on loopback that fail in every way, each in its own manner, and note what they took.

Any request may be refused, throttled, answered too late or not at all, or answered with 200 and an error
code. A line of JSON in the file of record is one message that was taken.
"""

import json
import os
import random
import signal
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LATE = 0.6  # seconds, longer than any channel of the benchmark waits
TAKEN = {"wecom": {"errcode": 0}, "dingtalk": {"errcode": 0}, "feishu": {"code": 0}, "webhook": {}}
THROTTLED = {"wecom": {"errcode": 45009}, "dingtalk": {"errcode": 130101}, "feishu": {"code": 11232}}
BUSY = {"wecom": {"errcode": -1}, "dingtalk": {"errcode": -1}, "feishu": {"code": 11111}}


class Handler(BaseHTTPRequestHandler):
    """Takes about every second message; the path's first part names the kind of receiver."""

    protocol_version = "HTTP/1.0"

    def do_POST(self) -> None:
        """Take the message, or find a way not to."""
        size = int(self.headers["Content-Length"])
        content = self.rfile.read(size)
        if len(content) < size:  # the sender died while it spoke
            self.close_connection = True
            return
        body = content.decode()
        kind, luck = self.path.split("/")[1].partition("?")[0], random.random()
        if luck < 0.5:
            self._note(kind, body)
            self._answer(200, TAKEN[kind])
        elif luck < 0.58:
            self._answer(500, {})
        elif luck < 0.64:
            self._answer(429, {}, retry="1")
        elif luck < 0.72:  # took it, but nobody learns of that
            self._note(kind, body)
            time.sleep(LATE)
        elif luck < 0.8:
            self.close_connection = True
        elif kind in BUSY:
            self._answer(200, random.choice([BUSY, BUSY, BUSY, THROTTLED])[kind])
        else:
            self._answer(503, {}, retry="1")

    def _note(self, kind: str, body: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        assert isinstance(self.server, Unreliable)
        line = json.dumps({"kind": kind, "headers": headers, "body": body}) + "\n"
        os.write(self.server.record, line.encode())  # one write, so that lines do not mix

    def _answer(self, status: int, body: Any, retry: str = "") -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if retry:
            self.send_header("Retry-After", retry)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Unreliable(ThreadingHTTPServer):
    """The server of all receivers."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, record: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def handle_error(self, *_: Any) -> None:
        """A sender that died is what this is about."""


def start(record: Path) -> tuple[int, int]:
    """Serve in a fork; gives its process and its port. The caller must not have threads."""
    server = Unreliable(record)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        random.seed(os.getpid())
        try:
            server.serve_forever(poll_interval=0.05)
        finally:
            os._exit(0)
    port = server.server_address[1]
    server.socket.close()
    return pid, port


def taken(record: Path) -> list[dict[str, Any]]:
    """Every message that was taken, in order."""
    return [json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()]
