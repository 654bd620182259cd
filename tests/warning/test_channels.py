"""Channels against real receivers on loopback: what counts as delivered, what is never said or reached."""

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message as Mailbox
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr
from standardwebhooks import Webhook

from ingestion.errors import Problem
from warning.channels.opening import configured_channels, open_channel
from warning.channels.outward import Reply, post
from warning.channels.robots import signature
from warning.channels.sending import Message, UndeliveredError
from warning.channels.webhooks import UnsignedError, verify
from warning.notices import Notice, Text, write_event

NOW = datetime(2026, 3, 9, 7, tzinfo=UTC)
CANARY = "canary93d2f1c0"
KEYS = ["whsec_" + letter * 43 + "=" for letter in "AB"]
NOTICE = Notice("id-1", "opened", {"title": "milk is out", "tier": "critical"}, NOW)
MESSAGE = Message("id-1", Text("milk is out", "Why: sold\nNo. id-1"), (write_event(NOTICE),))
Answer = Callable[[BaseHTTPRequestHandler], None]


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent and answers as the test says."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.got: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert isinstance(self.server, Receiver)
        self.server.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.server.answer(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def saying(status: int, body: Any = b"", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


@contextmanager
def receiving(answer: Answer) -> Iterator[Receiver]:
    server = Receiver(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def sent(kind: str, url: str, **more: Any) -> None:
    """Send MESSAGE on a channel of this kind."""
    content = {"kind": kind, "url": url, "allow_private": True, "timeout": 10, **more}
    open_channel(configured_channels({"c": content})["c"], lambda: NOW)(MESSAGE)


def failing(kind: str, answer: Answer, **more: Any) -> UndeliveredError:
    with receiving(answer) as server, pytest.raises(UndeliveredError) as caught:
        sent(kind, f"{server.url}/send?key={CANARY}", **more)
    return caught.value


TAKEN = {"wecom": {"errcode": 0, "errmsg": "ok"}, "dingtalk": {"errcode": 0}, "feishu": {"code": 0}}


@pytest.mark.parametrize("kind", TAKEN)
def test_a_robot_is_told_in_its_own_form(kind: str) -> None:
    with receiving(saying(200, TAKEN[kind])) as server:
        sent(kind, f"{server.url}/send?key={CANARY}")
        path, headers, body = server.got[0]
    said = json.loads(body)
    text = "milk is out\nWhy: sold\nNo. id-1"
    assert path == f"/send?key={CANARY}"
    assert headers["content-type"].startswith("application/json")
    assert (
        said
        == {
            "wecom": {"msgtype": "markdown", "markdown": {"content": text}},
            "dingtalk": {"msgtype": "text", "text": {"content": text}},
            "feishu": {"msg_type": "text", "content": {"text": text}},
        }[kind]
    )


def test_dingtalk_signs_the_address_and_feishu_the_body() -> None:
    # The published scheme, with numbers worked out by another implementation of HMAC-SHA256 (openssl).
    assert signature("this is secret", "1577262236757\nthis is secret") == (
        "hmPWwU+7lVdm3ZZz0r9tSfx0L4Q26jWOZr9+Gs6EZQM="
    )
    with receiving(saying(200, {"errcode": 0})) as server:
        sent("dingtalk", f"{server.url}/send?access_token=t", secret="SECabcdef")
        query = parse_qs(urlsplit(server.got[0][0]).query)
    stamp = str(int(NOW.timestamp()) * 1000)
    assert query["access_token"] == ["t"]
    assert query["timestamp"] == [stamp]
    assert query["sign"] == [signature("SECabcdef", f"{stamp}\nSECabcdef")]
    with receiving(saying(200, {"code": 0})) as server:
        sent("feishu", f"{server.url}/hook", secret="SECabcdef")
        said = json.loads(server.got[0][2])
    stamp = str(int(NOW.timestamp()))
    assert said["timestamp"] == stamp
    assert said["sign"] == signature(f"{stamp}\nSECabcdef", "")


@pytest.mark.parametrize(
    ("kind", "body", "final", "rest"),
    [
        ("dingtalk", {"errcode": 130101, "errmsg": "send too fast"}, False, 600),
        ("dingtalk", {"errcode": 310000, "errmsg": f"sign not match {CANARY}"}, True, None),
        ("dingtalk", {"errcode": -1, "errmsg": "system busy"}, False, None),
        ("wecom", {"errcode": 45009, "errmsg": "api freq out of limit"}, False, 60),
        ("wecom", {"errcode": 93000, "errmsg": f"invalid webhook url {CANARY}"}, True, None),
        ("feishu", {"code": 11232, "msg": "frequency limited"}, False, 60),
        ("feishu", {"code": 19021, "msg": "sign match fail"}, True, None),
        ("feishu", {"StatusCode": 19024, "StatusMessage": "Key Words Not Found"}, True, None),
        ("wecom", {"fine": True}, False, None),
        ("wecom", b"<html>welcome</html>", False, None),
        ("feishu", [], False, None),
    ],
)
def test_an_answer_of_200_with_an_error_code_is_no_delivery(
    kind: str, body: Any, final: bool, rest: float | None
) -> None:
    error = failing(kind, saying(200, body))
    assert (error.final, error.rest) == (final, rest)
    assert CANARY not in error.detail


@pytest.mark.parametrize(
    ("status", "headers", "final", "rest"),
    [
        (500, {}, False, None),
        (503, {"Retry_After": "7"}, False, 7),
        (429, {"Retry_After": "30"}, False, 30),
        (429, {}, False, 60),
        (404, {}, True, None),
        (401, {}, True, None),
        (302, {"Location": "http://127.0.0.1:1/"}, True, None),
    ],
)
def test_a_status_says_whether_trying_again_may_help(
    status: int, headers: dict[str, str], final: bool, rest: float | None
) -> None:
    for kind in ("wecom", "webhook"):
        error = failing(
            kind, saying(status, b"", **headers), **({"secret": KEYS[0]} if kind == "webhook" else {})
        )
        assert (error.final, error.rest) == (final, rest)


def test_redirects_are_not_followed() -> None:
    with receiving(saying(200, {"errcode": 0})) as other:
        failing("wecom", saying(307, b"", Location=f"{other.url}/inside"))
        assert other.got == []


def test_who_does_not_answer_is_not_waited_for() -> None:
    def sleeping(_: BaseHTTPRequestHandler) -> None:
        time.sleep(1.5)

    def dripping(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for _ in range(40):
            try:
                request.wfile.write(b" ")
                request.wfile.flush()
            except OSError:
                return
            time.sleep(0.1)

    for answer in (sleeping, dripping):
        started = time.monotonic()
        assert not failing("wecom", answer, timeout=0.3).final
        assert time.monotonic() - started < 2.5
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    with pytest.raises(UndeliveredError, match=r"no answer \(NewConnectionError\)"):
        sent("wecom", f"http://127.0.0.1:{port}/send?key={CANARY}")


def test_a_webhook_is_signed_by_every_secret_and_keeps_its_id() -> None:
    with receiving(saying(204)) as server:
        sent("webhook", f"{server.url}/in", secret=KEYS)
        path, headers, body = server.got[0]
    assert (path, headers["webhook-id"]) == ("/in", "id-1")
    assert json.loads(body) == MESSAGE.events[0]
    for key in KEYS:  # who still knows the old secret can check it as well as who has the new one
        signed = Webhook(key).sign("id-1", NOW, body.decode())
        assert signed in headers["webhook-signature"].split(" ")


def fresh(body: bytes, at: datetime, key: str = KEYS[0]) -> dict[str, str]:
    return {
        "webhook-id": "m-1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(key).sign("m-1", at, body.decode()),
    }


def test_what_comes_back_must_be_signed_now_and_unchanged() -> None:
    now, secrets = datetime.now(UTC), [SecretStr(key) for key in KEYS]
    body = b'{"decision": "approved"}'
    assert verify(secrets, fresh(body, now), body, "oa") == "m-1"
    assert verify(secrets, fresh(body, now, KEYS[1]), body, "oa") == "m-1"
    wrong = [
        (fresh(body, now - timedelta(minutes=6)), body, "too old"),
        (fresh(body, now + timedelta(minutes=6)), body, "too new"),
        (fresh(body, now, "whsec_" + "C" * 43 + "="), body, "no matching signature"),
        (fresh(body, now), b'{"decision": "rejected"}', "no matching signature"),
        ({**fresh(body, now), "webhook-id": "m-2"}, body, "no matching signature"),
        ({**fresh(body, now), "webhook-timestamp": "soon"}, body, "invalid"),
        ({**fresh(body, now), "webhook-signature": "nonsense"}, body, "invalid"),
        ({**fresh(body, now), "webhook-signature": "v1,***"}, body, "no matching|invalid"),
        ({}, body, "missing"),
        (fresh(body, now), b"\xff", "invalid"),
    ]
    for headers, content, said in wrong:
        with pytest.raises(UnsignedError, match=said):
            verify(secrets, headers, content, "oa")


PRIVATE = ["127.0.0.1", "10.0.0.5", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0"]
DISGUISED = ["::1", "fe80::1", "fd00::1", "::ffff:10.0.0.5", "64:ff9b::a00:5", "2002:a00:5::", "224.0.0.1"]


@pytest.mark.parametrize("address", PRIVATE + DISGUISED)
def test_a_name_that_leads_to_a_private_range_is_not_followed(address: str) -> None:
    asked = []

    def lookup(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["93.184.215.14", address]  # one of several is enough

    with pytest.raises(UndeliveredError, match="leads to a private range") as caught:
        post("https://hooks.example/x", b"", {}, timeout=1, allow_private=False, lookup=lookup)
    assert caught.value.final
    assert asked == [("hooks.example", 443)]


def test_the_connection_goes_to_the_address_that_was_checked_under_the_name_that_was_meant() -> None:
    asked = []

    def lookup(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with receiving(saying(200, b"fine")) as server:
        port = server.server_address[1]
        found = post(
            f"http://hooks.example:{port}/x", b"body", {}, timeout=1, allow_private=True, lookup=lookup
        )
        assert found == Reply(200, b"fine", None)
        assert server.got[0][1]["host"] == f"hooks.example:{port}"
    assert asked == ["hooks.example"]  # once: a second answer could be another address


def test_a_certificate_must_be_of_the_name_and_of_somebody_known(tmp_path: Any) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _certificate(tmp_path)
    context.load_cert_chain(tmp_path / "own.pem")
    with receiving(saying(200, b"fine")) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        port = server.server_address[1]
        with pytest.raises(UndeliveredError, match="no answer"):
            post(
                f"https://hooks.example:{port}/",
                b"",
                {},
                timeout=2,
                allow_private=True,
                lookup=lambda *_: ["127.0.0.1"],
            )
        assert server.got == []


def _certificate(folder: Any) -> None:
    """One that the server signed itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), False)
    made = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "own.pem").write_bytes(private + made.public_bytes(serialization.Encoding.PEM))


class Box(Mailbox):
    """A mailbox that keeps what arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[Any] = []

    def handle_message(self, message: Any) -> None:
        self.got.append(message)


@contextmanager
def mail_server(box: Box, **more: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port, **more)
    controller.start()
    yield port
    controller.stop()


def test_mail_arrives_at_a_real_server() -> None:
    box = Box()
    with mail_server(box) as port:
        sent("apprise", f"mailto://127.0.0.1:{port}?from=stock@a.example&to=buyer@b.example&mode=insecure")
    assert len(box.got) == 1
    mail = box.got[0]
    assert mail["Subject"] == "milk is out"
    assert mail["X-RcptTo"] == "buyer@b.example"
    assert "No. id-1" in mail.get_payload(decode=True).decode()


@pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")
def test_mail_that_is_refused_is_said_without_the_password(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def refuse(*_: Any) -> AuthResult:
        return AuthResult(success=False, handled=False, message=f"535 no {CANARY}")

    box = Box()
    with (
        mail_server(box, authenticator=refuse, auth_required=True, auth_require_tls=False) as port,
        pytest.raises(UndeliveredError) as caught,
    ):
        sent(
            "apprise",
            f"mailto://stock:{CANARY}@127.0.0.1:{port}?from=stock@a.example&to=b@b.example&mode=insecure",
        )
    assert box.got == []
    assert "535, b'no ***'" in caught.value.detail
    ours = "".join(record.getMessage() for record in caplog.records if record.name != "mail.log")
    assert CANARY not in caught.value.detail + ours


def test_a_log_has_a_line_for_each_notice(caplog: pytest.LogCaptureFixture) -> None:
    open_channel(configured_channels({"here": {"kind": "log"}})["here"], lambda: NOW)(MESSAGE)
    assert json.loads(caplog.records[0].getMessage()) == {
        "channel": "here",
        "id": "id-1",
        "subject": "milk is out",
        "body": "Why: sold\nNo. id-1",
    }


@pytest.mark.parametrize(
    "channel",
    [
        {"kind": "wecom", "url": f"ftp://{CANARY}.example/{CANARY}"},
        {"kind": "wecom", "url": f"http://qyapi.example/{CANARY}"},
        {"kind": "apprise", "url": f"mailtoo://{CANARY}:{CANARY}@b.example"},
        {"kind": "apprise", "url": CANARY},
        {"kind": "apprise", "url": f"slack://{CANARY}"},
        {"kind": "webhook", "url": "https://a.example/", "secret": CANARY},
        {"kind": "webhook", "url": "https://a.example/", "secret": [CANARY, 7]},
        {"kind": "wecom", "url": [CANARY]},
        {"kind": "wecom", "url": {"a": CANARY}},
    ],
)
def test_a_refusal_at_load_never_says_the_secret(channel: dict[str, Any]) -> None:
    with pytest.raises(Problem) as caught:
        configured_channels({"c": channel})
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
