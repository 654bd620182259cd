"""Owners, hours and channels in forestock.toml, with their secrets elsewhere."""

from datetime import time
from pathlib import Path

import pytest

from ingestion.errors import Problem
from serving.settings import Settings, read_settings

CANARY = "canary93d2f1c0"
KEY = "whsec_" + "A" * 43 + "="
WHOLE = """
[workspace]
country = "CN"
currency = "CNY"
[response]
closes = "17:30"
workdays = ["monday", "saturday"]
[owners.dairy]
selector = { category = "Dairy" }
channels = ["chat"]
escalate_to = "head"
[owners.head]
capacity = 7
[channels.chat]
kind = "wecom"
url = "env:CHAT"
quiet = "21:00-07:00"
[channels.oa]
kind = "webhook"
url = "https://oa.example/hook"
secret = ["env:KEY", "file:KEY_FILE"]
[approvals]
channel = "oa"
"""


def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Settings:
    monkeypatch.setenv("CHAT", f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={CANARY}")
    monkeypatch.setenv("KEY", KEY)
    monkeypatch.setenv("TYPO", f"mailtoo://{CANARY}@example.org")
    (tmp_path / "key").write_text(KEY.replace("A", "B") + "\n")
    (tmp_path / "forestock.toml").write_text(text.replace("KEY_FILE", str(tmp_path / "key")))
    return read_settings(tmp_path / "forestock.toml")


def test_a_desk_is_what_the_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(tmp_path, monkeypatch, WHOLE)
    desk = settings.desk
    assert (desk.hours.timezone, desk.hours.closes) == ("Asia/Shanghai", time(17, 30))
    assert desk.hours.workdays == ("monday", "saturday")
    assert list(desk.owners) == ["dairy", "head"]
    assert desk.capacities == {"dairy": 50, "head": 7}
    assert desk.channels["chat"].quiet == (time(21), time(7))
    assert [secret.get_secret_value()[6] for secret in desk.channels["oa"].secret] == ["A", "B"]
    assert (desk.approvals, desk.currency) == ("oa", "CNY")
    assert CANARY not in repr(settings) + repr(desk) + str(settings.desk.channels["chat"])
    assert CANARY not in settings.model_dump_json() + str(settings.model_dump())


def test_a_workspace_that_says_nothing_has_a_planner_and_no_channel() -> None:
    desk = Settings().desk
    assert (list(desk.owners), dict(desk.channels), desk.hours.timezone) == (["planner"], {}, "UTC")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"env:CHAT"', f'"https://qyapi.weixin.qq.com/{CANARY}"', r"channels.chat.url must not stand in the"),
        ('"env:KEY"', f'"{CANARY}"', "channels.oa.secret must not stand in the file"),
        ('"env:CHAT"', '"env:NOT_SET"', "reads env:NOT_SET, which is not set"),
        (
            '"file:KEY_FILE"',
            '"file:/nowhere/key"',
            "reads file:/nowhere/key, which cannot be read: No such file",
        ),
        (
            'kind = "wecom"\nurl = "env:CHAT"',
            'kind = "apprise"\nurl = "env:TYPO"',
            r"did you mean mailto://\?",
        ),
        ('channel = "oa"', 'channel = "chat"', "approvals.channel must be a webhook"),
        ('channels = ["chat"]', 'channels = ["chart"]', r"names 'chart'; did you mean 'chat'\?"),
        ('closes = "17:30"', 'closes = "late"', r"\[response\] closes must be the end of a business day"),
        ('country = "CN"', 'timezone = "Asia/Beijing"', "timezone must be an IANA time zone.*no such zone"),
        ('["monday", "saturday"]', '["mon"]', "workdays must be English weekdays"),
        ("[channels.chat]", "[chanels.chat]", r"has an unknown key 'chanels'; did you mean channels"),
        ("[channels.oa]\n", "[channels]\noa2 = 3\n[channels.oa]\n", "channels.oa2 must be a table"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_load_without_its_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    assert old in WHOLE
    with pytest.raises(Problem, match=said) as caught:
        read(tmp_path, monkeypatch, WHOLE.replace(old, new, 1))
    assert CANARY not in str(caught.value)
