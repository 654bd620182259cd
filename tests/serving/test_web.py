"""The pages without a browser: words, addresses, states."""

import hashlib
import html
import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from string import Formatter
from typing import Any

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from serving.api.app import create_app
from serving.settings import Settings
from serving.store.store import Store
from serving.web import pages
from serving.web.item import charts, parts
from serving.web.overview import item_url, order_by
from serving.web.words import LANGUAGES, Words, phrases
from warning.engine import Decision, evaluate
from warning.owners import Owner
from warning.routing import Desk
from warning.rules import default_rules

DAY = date(2026, 3, 9)
TEMPLATES = Path(pages.__file__).parent / "templates"


def client_of(shop: Any, day: date = DAY) -> TestClient:
    app = create_app(
        Settings(workspace=shop.folder, currency="CNY"), shop.store, shop.results, today=lambda: day
    )
    return TestClient(app, base_url="http://127.0.0.1:8000", headers={"Accept-Language": "en"})


@pytest.fixture(scope="module")
def web(shop: Any) -> TestClient:
    return client_of(shop)


def text_of(page: str) -> str:
    body = re.sub(r"<(script|svg|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    body = re.sub(r"</?time>", "", body)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def test_both_languages_say_everything_with_the_same_values() -> None:
    english, chinese = (phrases(language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, phrase in english.items():
        fields = [
            {name for _, name, _, _ in Formatter().parse(each) if name} for each in (phrase, chinese[key])
        ]
        assert fields[0] == fields[1], key
        assert chinese[key] != phrase, key


def test_every_phrase_a_template_asks_for_is_there() -> None:
    known = phrases("en")
    for path in TEMPLATES.glob("*.html"):
        for key in re.findall(r"\bt\([\"']([\w.]+)[\"'][,)]", path.read_text("utf-8")):
            assert key in known, (path.name, key)
        for key in re.findall(r"t\.count\([\"']([\w.]+)[\"']", path.read_text("utf-8")):
            assert f"{key}.one" in known, (path.name, key)


def test_the_overview_shows_the_worst_with_its_numbers(web: TestClient, shop: Any) -> None:
    answer = web.get("/")
    assert answer.status_code == 200
    shown = text_of(answer.text)
    worst = shop.decision.opened.iloc[0]
    for number in (worst["money_at_risk"], worst["inbound"], worst["reorder_point"]):
        assert f"{number:,.0f}" in shown
    assert worst["remedy"] in shown
    assert worst["reason"] in shown
    assert f"{len(shop.decision.opened)} alerts need attention" in shown
    assert f"{(shop.decision.opened['tier'] == 'critical').sum()} of them cannot wait." in shown
    assert "Data as of 8 Mar current" in shown


def test_nothing_is_said_to_lie_more_than_all_of_it_below_its_level(web: TestClient, shop: Any) -> None:
    opened = shop.decision.opened
    low = opened.loc[opened["kind"] == "low_stock", "measure"]
    assert (low > 1).any()  # what is projected for an order's arrival can be less than nothing
    shown = text_of(web.get("/").text)
    assert shown.count("Gone before an order arrives") == (low > 1).sum()
    assert not re.search(r"\b1\d\d ?% below its level", shown)


def test_the_overview_in_chinese(web: TestClient, shop: Any) -> None:
    for ask in ({"params": {"lang": "zh"}}, {"headers": {"Accept-Language": "zh-CN,en;q=0.5"}}):
        answer = web.get("/", **ask)
        assert answer.headers["content-language"] == "zh-CN"
        shown = text_of(answer.text)
        assert shop.decision.opened.iloc[0]["reason_zh"] in shown
        assert "数据截至 3月8日 最新" in shown
        english = {phrase for phrase in phrases("en").values() if "{" not in phrase and len(phrase) > 8}
        assert not [phrase for phrase in english if phrase in shown]
    web.cookies.clear()


def test_a_chosen_language_is_kept(shop: Any) -> None:
    client = client_of(shop)
    assert 'lang="en"' in client.get("/").text
    first = client.get("/?lang=zh")
    assert "httponly" in first.headers["set-cookie"].lower()
    assert 'lang="zh-CN"' in client.get("/").text
    assert 'lang="en"' in client.get("/?lang=en").text
    assert "set-cookie" not in client.get("/?lang=xx").headers


@pytest.mark.parametrize("path", ["//evil.example/x", "/items/A%2FB-1000/Old%20Town", "/?tier=notice"])
def test_the_language_switch_stays_on_the_page(web: TestClient, path: str) -> None:
    page = web.get(f"http://127.0.0.1:8000{path}").text
    links = [html.unescape(link) for link in re.findall(r'<a href="([^"]*)" lang=', page)]
    asked = "tier=notice&" if "tier" in path else ""
    assert links == [f"?{asked}lang={language}" for language in LANGUAGES]


def test_an_item_wears_its_worst_tier(new_shop: Any) -> None:
    worst = new_shop.decision.opened.iloc[0]
    mild = worst.to_frame().T.assign(alert_id="m", fingerprint="m", rule="other", tier="notice")
    rich = mild.assign(money_at_risk=float(worst["money_at_risk"]) * 2).infer_objects()
    assert worst["tier"] == "critical"
    nothing = rich.iloc[:0]
    new_shop.store.apply(Decision(opened=rich, updated=nothing, resolved=nothing), new_shop.at)
    page = client_of(new_shop).get(item_url(worst["sku"], worst["location"])).text
    tiers = re.findall(r'<span class="severity is-(\w+)"', page)
    assert tiers == ["critical", "notice", "critical"]  # the header, then the alerts by money


def test_filters_and_pages(web: TestClient, shop: Any) -> None:
    opened = shop.decision.opened
    first = web.get("/?tier=critical&location=Old+Town").text
    assert (
        first.count("data-row") == ((opened["tier"] == "critical") & (opened["location"] == "Old Town")).sum()
    )
    assert web.get("/?q=oat").text.count("data-row") == opened["sku"].str.endswith("-1001").sum()
    assert "No alert matches." in web.get("/?q=nothing-like-it").text
    assert web.get("/?tier=loud").text.count("data-row") == 0


def test_the_list_alone_for_htmx(web: TestClient) -> None:
    answer = web.get("/?tier=notice", headers={"HX-Request": "true"})
    assert answer.text.lstrip().startswith('<section id="worklist"')
    assert "<html" not in answer.text
    assert "HX-Request" in answer.headers["vary"]


def test_the_next_page_goes_on_where_the_first_ends(new_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.web.overview.ROWS", 8)
    client, seen, url = client_of(new_shop), [], "/"
    while url:
        page = client.get(url).text
        seen += re.findall(r'<a href="(/items/[^"]+)" data-row', page)
        following = re.findall(r'<a href="([^"]+)"[^>]*>Next page', page)
        url = html.unescape(following[0]) if following else ""
        assert len(seen) <= len(new_shop.decision.opened)
    assert sorted(seen) == sorted(
        item_url(row.sku, row.location) for row in new_shop.decision.opened.itertuples()
    )


def test_an_item_page(web: TestClient, shop: Any) -> None:
    worst = shop.decision.opened.iloc[0]
    answer = web.get(item_url(worst["sku"], worst["location"]))
    assert answer.status_code == 200
    shown = text_of(answer.text)
    levels = shop.thresholds.set_index(["sku", "location"]).loc[(worst["sku"], worst["location"])]
    for value in (worst["reason"], worst["remedy"], levels["explanation"], f"{levels['order_up_to']:,.0f}"):
        assert value in shown
    data = json.loads(re.search(r'id="chart-data">(.*?)</script>', answer.text, re.DOTALL)[1])
    assert len(data["history"]["date"]) == 90
    assert len(data["stock"]["expected_on_hand"]) == 28
    assert [band["share"] for band in data["forecast"]["bands"]] == [0.9, 0.5]
    assert data["levels"]["reorder_point"] == levels["reorder_point"]
    coming = answer.text[answer.text.index("How the levels move ahead") :]
    assert coming[: coming.index("</table>")].count("<tr>") == 1 + 3  # as now, twice as high, as now
    assert f"{2 * levels['reorder_point']:,.0f}" in coming


def test_every_item_has_a_page_whatever_its_name(web: TestClient, shop: Any) -> None:
    for row in shop.facts.iloc[[0, 17, 21, 23, 59]].itertuples():
        answer = web.get(item_url(row.sku, row.location))
        assert answer.status_code == 200, (row.sku, row.location)
        assert html.escape(row.sku) in answer.text


def test_names_cannot_smuggle_code(new_shop: Any) -> None:
    evil = "</script><script>alert(1)</script>"
    facts = new_shop.facts.assign(name=evil)
    facts.loc[0, "sku"] = evil
    tables = {**new_shop.tables, "positions": facts}
    new_shop.store.publish(new_shop.as_of, "data-x", "model-1", tables, at=new_shop.at)
    client = client_of(new_shop)
    for url in ("/", item_url(evil, facts["location"][0]), item_url(facts["sku"][5], facts["location"][5])):
        answer = client.get(url)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "style=" not in answer.text
        assert not re.search(r"<script(?![^>]*(src=|application/json))", answer.text)
        assert not re.search(r"\son\w+=", answer.text)


@pytest.mark.parametrize(
    "url", ["/items/nope/Old%20Town", "/items/onlyone", "/items/a/b/c", "/items//x", "/nowhere"]
)
def test_what_is_not_there_is_a_page_with_a_way_out(web: TestClient, url: str) -> None:
    answer = web.get(url)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "Not found" in answer.text
    assert 'href="/"' in answer.text
    assert "look for it in the overview" in answer.text
    assert "/v1/" not in answer.text.partition("<main")[2].partition("</main>")[0]  # planners ask no API
    chinese = web.get(url, headers={"Accept-Language": "zh"}).text
    assert "未找到" in chinese
    assert "请在总览中查找" in chinese


def test_a_cursor_that_is_none_is_a_page_too(web: TestClient) -> None:
    answer = web.get("/?cursor=rubbish")
    assert answer.status_code == 400
    assert "What helps: start without a cursor" in text_of(answer.text)


def test_empty_and_stale_and_quiet(empty_store: Any, new_shop: Any, tmp_path: Path) -> None:
    settings = Settings(workspace=tmp_path, language="zh")
    nothing = TestClient(
        create_app(settings, empty_store, new_shop.results, today=lambda: DAY), base_url="http://localhost"
    )
    assert "尚无计算结果" in nothing.get("/").text  # the workspace's language, where the browser has no wish
    assert "forestock demo" in nothing.get("/?lang=en").text
    late = client_of(new_shop, date(2026, 3, 20)).get("/").text
    assert "out of date" in late
    assert "valid until 10 Mar" in late
    ended = new_shop.store.open_alerts().assign(resolved_on=new_shop.today)
    new_shop.store.apply(type(new_shop.decision)(ended.iloc[:0], ended.iloc[:0], ended), new_shop.at)
    assert "All quiet" in client_of(new_shop).get("/").text
    gone = client_of(new_shop).get(item_url(ended["sku"][0], ended["location"][0])).text
    assert "Healthy" in gone
    assert "Earlier alerts" in gone


def test_an_item_of_which_little_is_known(empty_store: Any, new_shop: Any, tmp_path: Path) -> None:
    bare = pd.DataFrame({"sku": ["x"], "location": ["y"]})
    tables = {
        "thresholds": new_shop.thresholds.iloc[:0],
        "positions": bare,
        "orders": new_shop.orders.iloc[:0],
    }
    empty_store.publish(new_shop.as_of, "d", "m", tables, at=new_shop.at)
    app = create_app(Settings(workspace=tmp_path), empty_store, new_shop.results, today=lambda: DAY)
    shown = text_of(TestClient(app, base_url="http://localhost").get("/items/x/y").text)
    assert "No threshold is known for this item." in shown
    assert "No run has left numbers for this chart yet." in shown


def test_static_files_are_named_by_their_content(web: TestClient) -> None:
    found = re.findall(r'(?:src|href)="(/static/[^"]+)"', web.get("/").text)
    assert {Path(url.partition("?")[0]).name for url in found} == {
        "icon.svg",
        "app.css",
        "app.js",
        "htmx.min.js",
    }
    for url in found:
        assert "?v=" in url
        assert web.get(url).status_code == 200


def test_vendored_files_are_those_that_the_notice_names() -> None:
    vendor = Path(pages.__file__).parent / "static" / "vendor"
    notice = (vendor / "NOTICE").read_text("utf-8")
    for path in vendor.glob("*.js"):
        line = next(line for line in notice.splitlines() if path.name in line)
        assert hashlib.sha256(path.read_bytes()).hexdigest() in line
        assert (vendor / f"{path.name.split('.')[0]}.LICENSE").exists()


def test_parts_share_a_bar() -> None:
    found = parts({"from_demand": 6.0, "from_lead_time": 3.0, "from_review": -1.0})
    assert [(part.start, part.width) for part in found] == [(0.0, 66.67), (66.67, 33.33), (100.0, 0.0)]
    assert parts({"from_demand": 0.0, "from_lead_time": None, "from_review": -2.0}) == []


def test_charts_carry_no_nan() -> None:
    empty = pd.DataFrame(columns=["sku", "location", "date"])
    history = pd.DataFrame({"date": pd.to_datetime(["2026-03-08"]), "quantity": [float("nan")]})
    frames = {"history": history, "forecast": empty, "risk": empty, "inbound": empty}
    text = json.dumps(charts(frames, {"on_hand": None}, {}, pd.Timestamp("2026-03-08")), allow_nan=False)
    assert '"quantity": [null]' in text


def test_the_date_to_act_by_is_that_of_the_first_step_that_has_one() -> None:
    assert order_by({"order_by": None, "then": {"order_by": "2026-03-12", "then": None}}) == date(2026, 3, 12)
    assert order_by(None) is None


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (0.0, "now", "现在"),
        (0.3, "under a day", "不足 1 天"),
        (1.2, "1 day", "1 天"),
        (1.8, "2 days", "2 天"),
        (None, "–", "–"),
    ],
)
def test_days(value: float | None, english: str, chinese: str) -> None:
    assert (Words("en").days(value), Words("zh").days(value)) == (english, chinese)


def test_dates_and_amounts() -> None:
    en, zh = Words("en", "CNY"), Words("zh")
    assert en.day(date(2025, 12, 31), DAY) == "31 Dec 2025"
    assert zh.day(date(2026, 3, 9)) == "2026年3月9日"
    assert [en.relative(date(2026, 3, day), DAY) for day in (8, 9, 10, 12)] == [
        "yesterday",
        "today",
        "tomorrow",
        "in 3 days",
    ]
    assert (en.money(1234.5), zh.money(float("nan"))) == ("1,234 CNY", "–")
    assert [en.units(value) for value in (0.04, 3.0, 3.14, 12345.6, -5.0)] == [
        "0",
        "3",
        "3.1",
        "12,346",
        "−5",
    ]
    assert [en.percent(value) for value in (0.0, 0.001, 0.5, 0.9999, 1.0)] == [
        "0%",
        "<1%",
        "50%",
        ">99%",
        "100%",
    ]


def test_what_waits_is_counted_and_one_click_away(new_shop: Any) -> None:
    """Beyond a capacity of three, alerts wait in the queue; the page says so, and shows them when asked."""
    opened = len(new_shop.decision.opened)
    url = f"sqlite:///{new_shop.folder}/small.db"
    store = Store.open(url)
    store.publish(new_shop.as_of, "d", "m", new_shop.tables, at=new_shop.at)
    owner = Owner(name="planner", capacity=3)
    store.apply(new_shop.decision, new_shop.at, Desk(owners={"planner": owner}))
    web = client_of(replace(new_shop, store=store))
    shown = text_of(web.get("/").text)
    urgent = 3 + min(3, int((new_shop.decision.opened["tier"].iloc[3:] == "critical").sum()))
    assert f"{urgent} alerts need attention" in shown
    assert f"{opened - urgent} more wait for their owners' capacity" in shown
    queue = text_of(web.get("/?attention=queued").text)
    assert f"{opened - urgent} alerts" in queue
    assert new_shop.decision.opened.iloc[0]["remedy"] not in queue
    store.close()


def test_an_alert_about_a_supplier_leads_to_no_item(new_shop: Any) -> None:
    suppliers = pd.DataFrame({"supplier": ["Acme"], "open_orders": [10.0], "overdue": [7.0], "late": [70.0]})
    no_facts = new_shop.facts.head(0)
    decision = evaluate(no_facts, default_rules(), new_shop.today, pd.DataFrame(), suppliers=suppliers)
    store = Store.open(f"sqlite:///{new_shop.folder}/late.db")
    store.publish(new_shop.as_of, "d", "m", new_shop.tables, at=new_shop.at)
    store.apply(decision, new_shop.at)
    answer = client_of(replace(new_shop, store=store)).get("/")
    assert "Acme Supplier" in text_of(answer.text)
    assert "70% of its open orders are overdue" in text_of(answer.text)
    assert "/items//" not in answer.text
    store.close()
