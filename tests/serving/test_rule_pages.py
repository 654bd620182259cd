"""The pages of rules and silences: see, try out, change with a reason, propose and decide, roll back."""

import html
import re
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient

from ingestion.errors import Problem
from serving.web.forms import Form
from serving.web.rules import entry_in, view_of
from warning.rulebook import changed, spec_of
from warning.rules import Rule, default_rules
from warning.tuning import Proposal

HERE = "http://127.0.0.1:8000"


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


def fields(rule: Rule) -> dict[str, str]:
    """What the page's form would send of a rule that nobody has touched."""
    view = vars(view_of(rule))
    plain = {name: value for name, value in view.items() if isinstance(value, str)}
    tiers = {f"tier_{tier}": text for tier, text in view["tiers"].items()}
    return {**plain, **tiers, **({"notify_only": "on"} if rule.notify_only else {})}


def send(web: TestClient, rule: Rule, path: str = "/rules", **change: str) -> Any:
    form = {**fields(rule), **change}
    return web.post(path, data=form, headers={"Origin": HERE}, follow_redirects=False)


@pytest.mark.parametrize("rule", default_rules(), ids=lambda rule: rule.name)
def test_a_rule_comes_back_from_its_form_as_it_went_in(rule: Rule) -> None:
    (back,) = changed([rule], [entry_in(Form(list(fields(rule).items())))])
    assert back == rule
    assert spec_of(back) == spec_of(rule)


def test_every_field_comes_back_from_a_form() -> None:
    rule = Rule(
        *("odd", "low_stock", {"notice": 0.125, "critical": 0.5}),
        basis="reorder_point",
        stock="position",
        hysteresis=0.05,
        min_money=12.5,
        selector={"category": ['a, "b"', "c=d"], "location": "仓库"},
        sensitivity={"category": {"milk, fresh": 2.0, "tea": 0.5}, "abc": {"A": 1.5}},
        pilot={"location": ["S1"]},
        pending_days=2,
        cooldown_days=5,
        notify_only=True,
        mode="shadow",
        valid_until=date(2027, 1, 1),
    )
    (back,) = changed([rule], [entry_in(Form(list(fields(rule).items())))])
    assert back.selects == rule.selects
    assert (back.sensitivity, back.is_live_at) == (rule.sensitivity, rule.is_live_at)
    for name in ("tiers", "basis", "stock", "hysteresis", "min_money", "pending_days", "cooldown_days"):
        assert getattr(back, name) == getattr(rule, name)
    assert (back.notify_only, back.mode, back.valid_until) == (True, "shadow", date(2027, 1, 1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"tier_notice": "many"}, "must be a number, got 'many'"),
        ({"pending_days": "2.5"}, "whole days, got '2.5'"),
        ({"selector": "milk"}, "lines such as category = milk, got 'milk'"),
        ({"sensitivity": "milk = 2"}, "lines such as category: milk = 2"),
        ({"kind": "weather"}, "a rule's kind is one of"),
    ],
)
def test_what_cannot_be_read_is_refused(change: dict[str, str], said: str) -> None:
    rule = next(rule for rule in default_rules() if rule.name == "overstock")
    with pytest.raises(Problem, match=re.escape(said)):
        entry_in(Form(list({**fields(rule), **change}.items())))


def test_a_change_is_tried_saved_with_a_reason_and_rolled_back(web: TestClient, new_shop: Any) -> None:
    rule = next(rule for rule in default_rules() if rule.name == "overstock")
    assert 'href="/rules/overstock"' in web.get("/rules").text
    assert 'name="tier_warning" value="50"' in web.get("/rules/overstock").text
    tried = send(web, rule, do="preview", tier_notice="", tier_warning="1000", days="7")
    page = text_of(tried.text)
    assert tried.status_code == 200
    assert "What it would have done on 1 days" in page
    assert "falls away" in page
    assert 'value="1000"' in tried.text  # what was typed stays
    assert web.get("/v1/rules/overstock").json()["versions"] == []
    # Without a name or a reason nothing is saved, and what was typed stays.
    for missing in ({"by": "", "reason": "why"}, {"by": "ann", "reason": " "}):
        refused = send(web, rule, do="save", tier_notice="70", tier_warning="", **missing)
        assert refused.status_code == 400
        assert 'value="70"' in refused.text
    assert send(web, rule, do="save", valid_from="soon", by="ann", reason="r").status_code == 400
    saved = send(web, rule, do="save", tier_notice="70", tier_warning="", by="ann", reason="too many")
    assert (saved.status_code, saved.headers["location"]) == (303, "/rules/overstock")
    told = web.get("/v1/rules/overstock").json()
    assert told["in_force"]["tiers"] == {"notice": 0.7}
    assert [(one["author"], one["reason"]) for one in told["versions"]] == [("ann", "too many")]
    assert send(web, rule, do="withdraw", by="ann", reason="no use").status_code == 303
    assert "withdrawn" in text_of(web.get("/rules/overstock").text)
    back = send(web, rule, do="restore", version="2", by="bo", reason="it was of use")
    assert back.status_code == 303
    told = web.get("/v1/rules/overstock").json()
    assert (told["in_force"]["tiers"], told["in_force"]["version"]) == ({"notice": 0.7}, 4)
    elsewhere = web.post("/rules", data={**fields(rule), "do": "withdraw", "by": "m", "reason": "r"})
    assert elsewhere.status_code == 403


def test_a_column_that_nobody_has_is_refused_on_the_page(web: TestClient) -> None:
    rule = next(rule for rule in default_rules() if rule.name == "overstock")
    for do in ("preview", "save", "propose"):
        answer = send(web, rule, do=do, selector="categry = Dairy", by="ann", reason="r")
        assert answer.status_code == 400
        assert "selects by 'categry', which no position has" in text_of(answer.text)
        assert "did you mean 'category'" in text_of(answer.text)
    assert web.get("/v1/rules/overstock").json()["versions"] == []


def test_a_colleagues_proposal_is_approved_and_rolled_back(web: TestClient, new_shop: Any) -> None:
    rule = next(rule for rule in default_rules() if rule.name == "overstock")
    proposed = send(web, rule, do="propose", min_money="50", by="ann", reason="pennies")
    assert (proposed.status_code, proposed.headers["location"]) == (303, "/review")
    (kept,) = new_shop.store.proposals.list()
    assert (kept.proposal.change, kept.proposal.undo) == ({"min_money": 50.0}, {"min_money": 0.0})
    page = web.get("/review").text
    assert "ann: pennies" in page
    where = f"/proposals/{kept.proposal.proposal_id}"
    said = {"by": "boss", "reason": "agreed"}
    new_shop.store.proposals.offer([], new_shop.at)  # the tuner does not outdate what a person proposed
    for do, money in (("approved", 50.0), ("rolled_back", 0.0)):
        answer = web.post(where, data={"do": do, **said}, headers={"Origin": HERE}, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        assert web.get("/v1/rules/overstock").json()["in_force"]["min_money"] == money
    assert web.post(where, data={"do": "rolled_back", **said}, headers={"Origin": HERE}).status_code == 400
    assert web.post(where, data={"do": "approved", **said}).status_code == 403
    declined = send(web, rule, do="propose", min_money="60", by="ann", reason="pennies")
    assert declined.status_code == 303
    other = next(one for one in new_shop.store.proposals.list("proposed"))
    where = f"/proposals/{other.proposal.proposal_id}"
    web.post(where, data={"do": "declined", **said}, headers={"Origin": HERE})
    assert new_shop.store.proposals.get(other.proposal.proposal_id).state == "declined"


def test_a_month_and_its_proposals_are_told_on_the_page_and_over_http(web: TestClient, new_shop: Any) -> None:
    outcomes = new_shop.store.outcomes
    assert "No month has been reviewed yet." in web.get("/review").text
    outcomes.review("2026-01", {"false_rate": 0.30, "days_of_cover": 20.0}, new_shop.at)
    outcomes.review("2026-02", {"false_rate": 0.18, "days_of_cover": None}, new_shop.at)
    page = text_of(web.get("/review").text)
    assert "Monthly review 2026-02" in page
    assert "18.0% 30.0% better" in page
    assert "Monthly review 2026-01" in text_of(web.get("/review?month=2026-01").text)
    assert web.get("/v1/reviews").json()["data"] == ["2026-02", "2026-01"]
    told = web.get("/v1/reviews/2026-02").json()
    assert (told["kpis"]["false_rate"], told["before"]["false_rate"]) == (0.18, 0.30)
    assert web.get("/v1/reviews/2026-03").status_code == 404
    change, undo, why = {"target": 0.9}, {"target": 0.95}, {"en": "too much was left", "zh": "剩余过多"}
    one = Proposal("target", "category", "Dairy", "", change, undo, {"cost": 9.0}, {"cost": 3.0}, why)
    new_shop.store.proposals.offer([one], new_shop.at)
    assert "target 0.95 → target 0.9" in text_of(web.get("/review").text)
    (row,) = web.get("/v1/proposals?state=proposed").json()["data"]
    assert (row["proposal_id"], row["now"], row["then"]) == (one.proposal_id, {"cost": 9.0}, {"cost": 3.0})
    where, said = f"/v1/proposals/{one.proposal_id}", {"by": "boss", "reason": "agreed"}
    assert web.post(f"{where}:approve", json=said).json()["state"] == "approved"
    assert web.post(f"{where}:decline", json=said).status_code == 400
    assert web.post(f"{where}:rollback", json={"by": ""}).status_code == 422
    assert web.post(f"{where}:rollback", json=said).json()["state"] == "rolled_back"
    assert new_shop.store.targets.list()["target"].tolist() == [0.9, 0.95]


def test_a_new_rule_begins_in_shadow(web: TestClient) -> None:
    page = web.get("/new-rule?kind=stockout_risk").text
    assert '<option value="shadow" selected>' in page
    new = Rule("fresh", "stockout_risk", {"warning": 0.2}, mode="shadow", selector={"category": "Dairy"})
    saved = send(web, new, do="save", by="ann", reason="fresh goods")
    assert saved.headers["location"] == "/rules/fresh"
    assert web.get("/v1/rules/fresh").json()["in_force"]["selector"] == {"category": ["Dairy"]}
    assert web.get("/new-rule?kind=weather").status_code == 400
    assert web.get("/rules/nothing").status_code == 404


def test_a_silence_is_made_on_the_page(web: TestClient) -> None:
    form = {
        "do": "add",
        "column": "location",
        "values": "Old Town",
        "until": "2099-01-01",
        "by": "ann",
        "reason": "x",
    }
    post = {"headers": {"Origin": HERE}, "follow_redirects": False}
    assert web.post("/silences", data=form, **post).status_code == 400  # longer than a year
    form["until"] = date.fromordinal(date.today().toordinal() + 9).isoformat()
    assert web.post("/silences", data=form, **post).status_code == 303
    assert web.get("/v1/alerts?attention=silenced&location=Old+Town").json()["total"] > 0
    assert web.post("/silences", data={**form, "until": "soon"}, **post).status_code == 400


def test_the_pages_speak_chinese(web: TestClient) -> None:
    chinese = {"Accept-Language": "zh"}
    for path, said in (
        ("/rules", "预警规则"),
        ("/rules/overstock", "触发界限（百分比）"),
        ("/review", "月度复盘"),
    ):
        page = web.get(path, headers=chinese).text
        assert said in page
        assert not re.search(r">\s*(Save|Rules|Review|Silence|Version)\b", page)
