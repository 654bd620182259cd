"""Rules and silences by command and over HTTP: the same book, refused and saved alike."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from serving.api.app import create_app
from serving.hindsight import all_days
from serving.settings import Settings
from serving.store.store import Store
from warning.rules import default_rules

DAY = date(2026, 3, 9)


@pytest.fixture
def web(new_shop: Any) -> TestClient:
    settings = Settings(workspace=new_shop.folder)
    app = create_app(settings, new_shop.store, new_shop.results, today=lambda: DAY)
    return TestClient(app, base_url="http://127.0.0.1:8000")


def body(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def test_what_is_in_force_is_listed_changed_and_rolled_back(web: TestClient) -> None:
    found = body(web.get("/v1/rules"))
    assert found["as_of"] == "2026-03-08"
    assert {rule["name"] for rule in found["data"]} == {rule.name for rule in default_rules()}
    change = {
        "rules": [{"name": "overstock", "tiers": {"notice": 0.7}}],
        "author": "ann",
        "reason": "too many",
    }
    (saved,) = body(web.post("/v1/rules", json=change))["data"]
    assert (saved["version"], saved["valid_from"], saved["author"]) == (2, "2026-03-08", "ann")
    assert body(web.post("/v1/rules", json=change))["data"] == []
    rule = body(web.get("/v1/rules/overstock"))
    assert rule["in_force"]["tiers"] == {"notice": 0.7}
    assert [one["reason"] for one in rule["versions"]] == ["too many"]
    assert "overstock" in body(web.get("/v1/rules/overstok"), 404)["remedy"]
    change["rules"] = [{"name": "overstock", "enabled": False}]
    body(web.post("/v1/rules", json=change))
    assert body(web.get("/v1/rules/overstock"))["in_force"] is None


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([{"name": "overstock", "tier": {}}], ["has no 'tier'", "'tiers'"]),
        (
            [{"name": "x", "kind": "overstock", "tiers": {"notice": 0.1}, "selector": {"categry": "a"}}],
            ["'x' selects by 'categry'", "'category'"],
        ),
        ([{"name": "overstock", "tiers": {"notice": -1}}], ["bound must be a number from 0", "-1"]),
        ([{"name": "over stock"}], ["'over stock' is new"]),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_and_not_saved(
    web: TestClient, rules: list[Any], words: list[str]
) -> None:
    told = body(web.post("/v1/rules", json={"rules": rules, "author": "ann", "reason": "why"}), 400)
    for word in words:
        assert word in f"{told['detail']}; {told['remedy']}"
    assert body(web.get("/v1/rules/overstock"))["versions"] == []


def test_a_preview_tells_what_would_differ_and_saves_nothing(web: TestClient, new_shop: Any) -> None:
    tried = body(
        web.post("/v1/rules:preview", json={"rules": [{"name": "overstock", "enabled": False}], "days": 7})
    )
    surplus = int((new_shop.decision.opened["rule"] == "overstock").sum())
    assert surplus > 0
    assert tried["summary"]["gone"] == surplus
    assert tried["summary"]["days"] == 1
    assert "facts of 1 of the last 7 days were kept" in tried["summary"]["notes"][0]
    assert {row["change"] for row in tried["differences"]} == {"gone"}
    assert body(web.get("/v1/rules/overstock"))["versions"] == []
    body(web.post("/v1/rules:preview", json={"rules": [{"name": "overstock"}], "days": 1000}), 422)


def test_silences_hide_alerts_until_they_end(web: TestClient) -> None:
    before = body(web.get("/v1/alerts?attention=now"))["total"]
    ends = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    ask = {"selector": {"location": "Old Town"}, "reason": "stock-take", "author": "ann", "ends_at": ends}
    keyed = {"Idempotency-Key": "one"}
    made = body(web.post("/v1/silences", json=ask, headers=keyed))
    assert body(web.post("/v1/silences", json=ask, headers=keyed)) == made
    hidden = body(web.get("/v1/alerts?attention=silenced"))
    assert hidden["total"] > 0
    assert {row["location"] for row in hidden["data"]} == {"Old Town"}
    assert body(web.get("/v1/alerts?attention=now"))["total"] == before - hidden["total"]
    assert [one["silence_id"] for one in body(web.get("/v1/silences"))["data"]] == [made["silence_id"]]
    body(web.post("/v1/silences", json=ask | {"reason": "another"}, headers=keyed), 422)
    body(web.post(f"/v1/silences/{made['silence_id']}:end", json={}))
    assert body(web.get("/v1/alerts?attention=now"))["total"] == before
    body(web.post("/v1/silences/nobody:end", json={}), 404)
    bad = ask | {"selector": {"locaton": "x"}}
    assert "'location'" in body(web.post("/v1/silences", json=bad), 400)["remedy"]


def test_the_worklist_puts_together_what_one_order_settles(web: TestClient, new_shop: Any) -> None:
    groups = body(web.get("/v1/worklist"))["data"]
    assert sum(group["alerts"] for group in groups) == len(new_shop.decision.opened)
    places = [(group["location"], group["supplier"]) for group in groups]
    assert len(set(places)) == len(places)
    money = [group["money_at_risk"] for group in groups]
    assert money == sorted(money, reverse=True)
    assert sum(money) == pytest.approx(new_shop.decision.opened["money_at_risk"].sum())


def test_a_form_of_another_page_changes_nothing(web: TestClient) -> None:
    text = json.dumps({"rules": [{"name": "overstock", "enabled": False}], "author": "a", "reason": "b"})
    for media in ("text/plain", "application/x-www-form-urlencoded"):
        body(web.post("/v1/rules", content=text, headers={"Content-Type": media}), 415)
    assert body(web.get("/v1/rules/overstock"))["in_force"]
    body(web.post("/v1/rules", json={"rules": [{"name": "x", "reason": "y" * 2**18}]}), 413)


def test_what_the_engine_fetches_names_its_run_and_is_not_sent_twice(web: TestClient, new_shop: Any) -> None:
    answer = web.get("/v1/positions?limit=1000")
    assert body(answer)["total"] == len(new_shop.facts)
    again = web.get("/v1/positions?limit=1000", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["Forestock-Snapshot"] == answer.headers["Forestock-Snapshot"]
    assert answer.headers["Forestock-Business-Date"] == "2026-03-08"
    assert answer.headers["Forestock-Today"] == "2026-03-09"
    body(web.get("/v1/suppliers"), 404)  # this run left none


@pytest.fixture
def forestock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    from serving.cli.app import main

    monkeypatch.chdir(tmp_path)

    def run(*words: object, expect: int = 0) -> tuple[str, str]:
        monkeypatch.setattr("sys.argv", ["forestock", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        assert code == expect, told.err
        return told.out, told.err

    return run


def test_the_commands_show_save_and_silence(forestock: Any, new_shop: Any, tmp_path: Path) -> None:
    there = ("--workspace", new_shop.folder)
    listed = json.loads(forestock("rules", "list", "--json", *there)[0])
    assert len(listed["rules"]) == len(default_rules())
    forestock("rules", "list", "--out", tmp_path / "all.toml", *there)
    said = ("--author", "ann", "--reason", "why")
    unchanged = forestock("rules", "save", tmp_path / "all.toml", *said, "--json", *there)[0]
    assert json.loads(unchanged) == {"saved": 0, "rules": []}
    (tmp_path / "r.toml").write_text('[[rules]]\nname = "overstock"\npending_days = 2\n', encoding="utf-8")
    saved = json.loads(forestock("rules", "save", tmp_path / "r.toml", *said, "--json", *there)[0])
    assert saved == {"saved": 1, "rules": ["overstock version 2 from 2026-03-08"]}
    shown = json.loads(forestock("rules", "show", "overstock", "--json", *there)[0])
    assert shown["in_force"]["pending_days"] == 2
    tried = forestock("rules", "preview", tmp_path / "r.toml", "--stored", "--days", 5, "--json", *there)[0]
    assert json.loads(tried)["differences"] == []
    wrong = forestock("rules", "show", "overstok", *there, expect=1)[1]
    assert "did you mean 'overstock'" in wrong
    added = forestock(
        *("silences", "add", "location=Old Town", "tier=notice", "tier=warning", "--until"),
        *((datetime.now(UTC) + timedelta(days=2)).date().isoformat(), *said, "--json", *there),
    )[0]
    (one,) = json.loads(forestock("silences", "list", "--json", *there)[0])["silences"]
    assert one["silence_id"] == json.loads(added)["silence_id"]
    assert one["of"] == "location=Old Town, tier=notice/warning"
    forestock("silences", "end", one["silence_id"], *there)
    assert json.loads(forestock("silences", "list", "--json", *there)[0]) == {"silences": []}
    assert (
        "write location=S1"
        in forestock("silences", "add", "S1", "--until", "2027-01-01", *said, *there, expect=2)[1]
    )


def test_days_without_facts_are_computed_as_of_then(workspace: Path, tmp_path: Path) -> None:
    """The stored day is taken, the day before is walked again, with a model that is said to be newer."""
    settings = Settings(workspace=workspace, threads=1)
    store = Store.open(settings.database_url.get_secret_value())
    stages: list[str] = []
    found = all_days(settings, store, 2, stages.append)
    last = store.snapshot().as_of
    store.close()
    assert [day.today.date() for day in found.days] == [last - timedelta(days=1), last]
    assert stages == [f"computing {last - timedelta(days=1)} again"]
    before, now = found.days
    assert len(before.facts) == len(now.facts) == 6
    # A day's walk knows no count of the day after it.
    assert before.facts["on_hand"].isna().all()
    assert pd.to_numeric(now.facts["on_hand"]).notna().all()
    assert "1 days are older than any model" in found.notes[0]
