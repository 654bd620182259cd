"""The API: what it answers, in which form, and how it refuses."""

import io
import json
import shutil
import socket
from collections.abc import Iterator
from datetime import date
from typing import Any

import httpx
import pandas as pd
import pyarrow as pa
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import text

from serving.api.app import create_app
from serving.api.schemas import AlertLife, AlertPage, ForecastPage, PlanPage, RiskPage, ThresholdPage
from serving.settings import Settings
from serving.store.database import open_engine
from serving.store.store import Store

DAY = date(2026, 3, 9)
AS_OF = pd.Timestamp("2026-03-08")
LISTS = {
    "/v1/forecasts": ForecastPage,
    "/v1/forecasts?cumulative=true": ForecastPage,
    "/v1/thresholds": ThresholdPage,
    "/v1/risk": RiskPage,
    "/v1/plan": PlanPage,
    "/v1/alerts": AlertPage,
}
WHAT_IF = "/v1/forecasts:what-if"
PLAN = {"sku": "A/B-1000", "start": "2026-03-10", "end": "2026-03-12", "promotion": 0.2}


def app_of(shop: Any, day: date = DAY) -> FastAPI:
    settings = Settings(workspace=shop.folder, currency="CNY")
    return create_app(settings, shop.store, shop.results, today=lambda: day)


def client_of(app: FastAPI, **options: Any) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1:8000", **options)


@pytest.fixture(scope="module")
def api(shop: Any) -> Iterator[TestClient]:
    with client_of(app_of(shop)) as client:
        yield client


def ask(api: TestClient, url: str, **params: Any) -> Any:
    """GET with parameters beside those that stand in the address."""
    return api.get(httpx.URL(url).copy_merge_params(params))


def all_pages(api: TestClient, url: str, limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = ask(api, url, limit=limit, **({"cursor": cursor} if cursor else {})).json()
        rows += answer["data"]
        assert answer["total"] >= len(rows)
        cursor = answer["next_cursor"]
        if cursor is None:
            assert answer["total"] == len(rows)
            return rows


@pytest.mark.parametrize("url", LISTS)
def test_answers_have_the_shape_that_is_published(api: TestClient, url: str) -> None:
    answer = api.get(url)
    assert answer.status_code == 200, answer.text[:300]
    page = LISTS[url].model_validate(answer.json())
    assert len(page.data) > 0


def test_thresholds_are_those_that_were_published(api: TestClient, shop: Any) -> None:
    rows = pd.DataFrame(all_pages(api, "/v1/thresholds", 7))
    given = shop.thresholds.sort_values(["sku", "location"], ignore_index=True)
    for name in ("sku", "location", "safety_stock", "reorder_point", "content_hash", "explanation_zh"):
        assert rows[name].tolist() == given[name].tolist()
    assert rows["valid_from"].unique().tolist() == ["2026-03-09"]


def test_thresholds_of_coming_review_periods_are_asked_for(api: TestClient, shop: Any) -> None:
    """Those in force stay the default; a date or `all` asks for what is coming, in pages or at once."""
    row = shop.facts.iloc[21]
    place = {"sku": row["sku"], "location": row["location"]}
    every = api.get("/v1/thresholds", params={**place, "valid_from": "all"})
    days = [line["valid_from"] for line in every.json()["data"]]
    assert days == ["2026-03-09", "2026-03-11", "2026-03-13", "2026-03-15"]
    assert every.json()["degraded"] is False
    third = api.get("/v1/thresholds", params={"valid_from": "2026-03-13", "limit": 7}).json()
    assert third["total"] == len(shop.facts)
    assert {line["valid_from"] for line in third["data"]} == {"2026-03-13"}
    asked = {"valid_from": "2026-03-13", "limit": 1000, "cursor": third["next_cursor"]}
    rest = api.get("/v1/thresholds", params=asked).json()["data"]
    found = pd.DataFrame(third["data"] + rest)
    now = shop.thresholds.sort_values(["sku", "location"])
    assert found["reorder_point"].tolist() == (2 * now["reorder_point"]).tolist()
    assert api.get("/v1/thresholds", params={"valid_from": "2026-03-12"}).json()["data"] == []
    assert api.get("/v1/thresholds", params={"valid_from": "soon"}).status_code == 422
    lines = api.get("/v1/thresholds", params={"valid_from": "all", "format": "csv"}).text.splitlines()
    assert len(lines) == 1 + 4 * len(shop.facts)
    tag = every.headers["etag"]
    assert tag != api.get("/v1/thresholds", params=place).headers["etag"]
    known = {"If-None-Match": tag}
    assert api.get("/v1/thresholds", params={**place, "valid_from": "all"}, headers=known).status_code == 304


def test_one_item(api: TestClient, shop: Any) -> None:
    row = shop.facts.iloc[21]
    place = {"sku": row["sku"], "location": row["location"]}
    assert row["sku"].startswith("A/B")
    (levels,) = api.get("/v1/thresholds", params=place).json()["data"]
    assert levels["safety_stock"] == row["safety_stock"]
    risk = api.get("/v1/risk", params=place).json()
    assert risk["total"] == 28
    assert [line["horizon"] for line in risk["data"]] == list(range(1, 29))
    chance = [line["stockout_probability"] for line in risk["data"]]
    assert chance == sorted(chance)
    forecast = api.get("/v1/forecasts", params=place).json()["data"]
    assert {"date", "mean", "q0.05", "q0.5", "q0.95"} <= set(forecast[0])
    horizons = api.get("/v1/forecasts", params={**place, "cumulative": True}).json()["data"]
    assert [line["horizon"] for line in horizons] == [7, 14, 28]


def test_alerts_run_by_money_and_filter(api: TestClient, shop: Any) -> None:
    rows = all_pages(api, "/v1/alerts", 4)
    assert sorted(row["alert_id"] for row in rows) == sorted(shop.decision.opened["alert_id"])
    money = [-1 if row["money_at_risk"] is None else row["money_at_risk"] for row in rows]
    assert money == sorted(money, reverse=True)
    for name, value in (
        ("tier", "critical"),
        ("rule", "overstock"),
        ("location", "Old Town"),
        ("state", "open"),
    ):
        found = api.get("/v1/alerts", params={name: value, "limit": 1000}).json()["data"]
        assert [row["alert_id"] for row in found] == [row["alert_id"] for row in rows if row[name] == value]
        assert found
    assert api.get("/v1/alerts?state=resolved").json()["data"] == []


def test_an_alert_with_its_life(api: TestClient, shop: Any) -> None:
    worst = shop.decision.opened.iloc[0]
    life = api.get(f"/v1/alerts/{worst['alert_id']}").json()
    AlertLife.model_validate(life)
    assert life["alert"]["reason_zh"] == worst["reason_zh"]
    assert life["alert"]["recommendation"]["quantity"] == worst["recommendation"]["quantity"]
    (event,) = life["events"]
    assert (event["event"], event["at"]) == ("opened", "2026-03-09T07:00:00+00:00")
    assert event["detail"]["data_digest"] == "data-1"


def test_an_etag_answers_304_until_the_content_changes(new_shop: Any) -> None:
    client = client_of(app_of(new_shop))
    first = client.get("/v1/thresholds")
    tag = first.headers["etag"]
    assert tag.startswith('"')
    assert first.json()["valid_until"] == "2026-03-10"
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = client.get("/v1/thresholds", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get("/v1/thresholds", headers={"If-None-Match": '"other"'}).status_code == 200
    others = {
        client.get(f"/v1/thresholds?{end}").headers["etag"]
        for end in ("limit=5", "format=csv", "sku=A/B-1000")
    }
    assert len(others | {tag}) == 4
    # Other facts, the same thresholds: what the asker holds is still true.
    tables = {**new_shop.tables, "positions": new_shop.facts.assign(on_hand=1.0)}
    new_shop.store.publish(AS_OF, "data-1b", "model-1", tables, at=new_shop.at)
    assert client.get("/v1/thresholds", headers={"If-None-Match": tag}).status_code == 304
    changed = {**tables, "thresholds": new_shop.thresholds.assign(safety_stock=9.0)}
    new_shop.store.publish(new_shop.as_of, "data-1c", "model-1", changed, at=new_shop.at)
    after = client.get("/v1/thresholds", headers={"If-None-Match": tag})
    assert after.status_code == 200
    assert after.json()["data"][0]["safety_stock"] == 9.0


def test_thresholds_that_ended_are_degraded(new_shop: Any) -> None:
    last = client_of(app_of(new_shop, date(2026, 3, 10))).get("/v1/thresholds")
    late = client_of(app_of(new_shop, date(2026, 3, 11))).get("/v1/thresholds")
    assert (last.json()["degraded"], last.headers["forestock-degraded"]) == (False, "false")
    assert (late.json()["degraded"], late.headers["forestock-degraded"]) == (True, "true")
    assert last.headers["etag"] != late.headers["etag"]


def test_pages_do_not_mix_two_runs(new_shop: Any) -> None:
    client = client_of(app_of(new_shop))
    first = client.get("/v1/thresholds?limit=10").json()
    zero = {**new_shop.tables, "thresholds": new_shop.thresholds.assign(safety_stock=0.0)}
    risks = client.get("/v1/risk?limit=10").json()
    tag = client.get("/v1/thresholds?limit=10").headers["etag"]
    later = new_shop.as_of + pd.Timedelta(days=1)
    less = {"risk": new_shop.results.read("risk", new_shop.as_of).assign(stockout_probability=0.0)}
    run = new_shop.results.write(later, less)
    new_shop.store.publish(later, "data-2", "model-2", zero, results_digest=run, at=new_shop.at)
    answer = client.get("/v1/thresholds", params={"limit": 10, "cursor": first["next_cursor"]})
    second = answer.json()
    assert all(row["safety_stock"] > 0 for row in second["data"])
    assert (second["as_of"], answer.headers["etag"] == tag) == ("2026-03-08", False)
    assert client.get("/v1/thresholds?limit=1").json()["data"][0]["safety_stock"] == 0.0
    more = client.get("/v1/risk", params={"limit": 10, "cursor": risks["next_cursor"]}).json()
    assert more["as_of"] == "2026-03-08"
    assert all(row["stockout_probability"] > 0 for row in more["data"])
    fresh = client.get("/v1/risk?limit=10").json()
    assert fresh["as_of"] == "2026-03-09"
    assert all(row["stockout_probability"] == 0 for row in fresh["data"])


def test_what_the_run_did_not_write_is_said(new_shop: Any) -> None:
    client = client_of(app_of(new_shop))
    run = new_shop.results.write(new_shop.as_of, {"inbound": new_shop.results.read("inbound", AS_OF)})
    new_shop.store.publish(AS_OF, "data-2", "model-2", new_shop.tables, results_digest=run, at=new_shop.at)
    for form in ("json", "csv", "ndjson", "arrow"):
        body = problem(client.get(f"/v1/risk?format={form}"), 404)
        assert "left no risk" in body["detail"]
        assert "forestock run" in body["remedy"]
    shutil.rmtree(new_shop.folder / "results")
    assert "not among the results" in problem(client.get("/v1/forecasts?format=csv"), 503)["detail"]


def test_a_table_without_rows_has_its_header(new_shop: Any) -> None:
    client = client_of(app_of(new_shop))
    none = new_shop.results.read("risk", AS_OF).iloc[:0]
    run = new_shop.results.write(AS_OF, {"risk": none})
    tables = {**new_shop.tables, "orders": new_shop.orders.iloc[:0]}
    new_shop.store.publish(AS_OF, "data-2", "model-2", tables, results_digest=run, at=new_shop.at)
    assert client.get("/v1/risk?format=csv").text.startswith("sku,location,date,horizon,")
    assert client.get("/v1/risk").json()["total"] == 0
    assert client.get("/v1/plan?format=csv").text.startswith("kind,sku,location,")
    arrow = client.get("/v1/risk?format=arrow")
    assert "stockout_probability" in pa.ipc.open_stream(arrow.content).schema.names


def test_alerts_of_what_is_no_longer_watched_are_found(new_shop: Any) -> None:
    gone = new_shop.decision.opened.iloc[0]
    here = (new_shop.facts["sku"] == gone["sku"]) & (new_shop.facts["location"] == gone["location"])
    tables = {**new_shop.tables, "positions": new_shop.facts[~here]}
    new_shop.store.publish(AS_OF, "data-2", "model-2", tables, at=new_shop.at)
    client = client_of(app_of(new_shop))
    place = {"sku": gone["sku"], "location": gone["location"]}
    (row,) = client.get("/v1/alerts", params=place).json()["data"]
    assert row["alert_id"] == gone["alert_id"]
    problem(client.get("/v1/thresholds", params=place), 404)


def test_why_the_store_is_out_of_reach_is_for_the_log(caplog: Any, new_shop: Any) -> None:
    url = "postgresql+psycopg://127.0.0.1:1/d?user=u&password=secret"
    store = Store(open_engine(url))
    client = client_of(create_app(Settings(workspace=new_shop.folder), store, new_shop.results))
    answers = [client.get("/readyz"), client.get("/v1/thresholds"), client.get("/")]
    for answer in answers:
        assert answer.status_code == 503
        assert "the store is out of reach" in answer.text
        assert "127.0.0.1:1" not in answer.text
        assert "secret" not in answer.text
    assert len([line for line in caplog.messages if "127.0.0.1:1/d cannot be used" in line]) == 3
    assert answers[1].headers["x-request-id"] in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("url", LISTS)
def test_bulk_formats_give_every_row(api: TestClient, url: str) -> None:
    rows = all_pages(api, url, 1000)
    lines = api.get(url, headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in lines.text.splitlines()] == rows
    table = api.get(url, headers={"Accept": "text/csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    csv = pd.read_csv(io.BytesIO(table.content), dtype={"sku": str})
    assert csv["sku"].tolist() == [row["sku"] for row in rows]
    assert list(csv.columns) == list(rows[0])
    arrow = ask(api, url, format="arrow")
    assert pa.ipc.open_stream(arrow.content).read_all().column("sku").to_pylist() == csv["sku"].tolist()


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["remedy"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("/v1/thresholds?sku=nope", 404, "'nope' is not watched"),
        ("/v1/risk?sku=SKU-1001&location=Nowhere", 404, "'SKU-1001' at 'Nowhere' is not watched"),
        ("/v1/forecasts?sku=nope", 404, "'nope' is not watched"),
        ("/v1/plan?location=Nowhere", 404, "'Nowhere' is not watched"),
        ("/v1/alerts?sku=nope", 404, "'nope' is not watched"),
        ("/v1/alerts/nope", 404, "no alert 'nope'"),
        ("/v1/nope", 404, "Not Found"),
        ("/v1/alerts?limit=0", 422, "limit"),
        ("/v1/alerts?limit=1001", 422, "limit"),
        ("/v1/alerts?tier=loud", 422, "tier"),
        ("/v1/alerts?limti=5", 422, "limti"),
        ("/v1/thresholds?format=xml", 422, "format"),
        ("/v1/thresholds?cursor=rubbish", 400, "cursor"),
        ("/v1/risk?cursor=rubbish", 400, "cursor"),
    ],
)
def test_refusals_say_what_helps(api: TestClient, url: str, status: int, words: str) -> None:
    body = problem(api.get(url), status)
    assert words in body["detail"]
    if status == 422:
        assert body["errors"][0]["parameter"] in url


def test_other_refusals(api: TestClient) -> None:
    problem(api.post("/v1/thresholds"), 405)
    problem(api.get("/v1/thresholds", headers={"Accept": "image/png"}), 406)
    assert api.get("/v1/thresholds", headers={"Accept": "image/png, */*;q=0.1"}).status_code == 200


def test_a_what_if_is_refused_in_the_same_form(api: TestClient) -> None:
    body = problem(api.post(WHAT_IF, json={"plans": [PLAN, {**PLAN, "promotion": 9}]}), 422)
    (wrong,) = body["errors"]
    assert (wrong["row"], wrong["column"], wrong["rule"]) == (2, "promotion", "must lie in 0–1")
    assert wrong["remedy"].replace(";", ",") == body["remedy"]
    body = problem(api.post(WHAT_IF, json={"plans": [PLAN], "sky": "blue"}), 422)
    assert body["errors"][0]["parameter"] == "sky"
    problem(api.post(WHAT_IF, content=b"{"), 422)
    problem(api.post(WHAT_IF, json={"plans": [PLAN], "sku": "nope"}), 404)
    problem(api.get(WHAT_IF), 405)
    # This shop was published from nowhere: there are neither data nor a model to answer with.
    body = problem(api.post(WHAT_IF, json={"plans": [PLAN]}), 409)
    assert "forestock run" in body["remedy"]
    large = iter([b'{"plans": [', *[b" " * 65_536] * 5])
    problem(api.post(WHAT_IF, content=large, headers={"Content-Type": "application/json"}), 413)


def test_a_cursor_of_one_list_is_refused_by_another(api: TestClient) -> None:
    cursor = api.get("/v1/alerts?limit=1").json()["next_cursor"]
    for url in ("/v1/thresholds", "/v1/risk", "/v1/alerts?tier=critical"):
        problem(ask(api, url, cursor=cursor), 400)


def test_before_the_first_run(empty_store: Any, shop: Any, tmp_path: Any) -> None:
    app = create_app(Settings(workspace=tmp_path), empty_store, shop.results, today=lambda: DAY)
    client = client_of(app)
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {
        "ready": False,
        "store": True,
        "migrations": True,
        "snapshot": None,
        "remedy": "nothing has been published yet; run: forestock run",
    }
    for url in LISTS:
        answer = client.get(url)
        assert problem(answer, 503)["remedy"] == "run: forestock run"
        assert answer.headers["retry-after"] == "60"
    assert problem(client.post(WHAT_IF, json={"plans": [PLAN]}), 503)["remedy"] == "run: forestock run"
    assert b"forestock_items" not in client.get("/metrics").content


def test_readiness_looks_at_the_schema_and_the_snapshot(new_shop: Any) -> None:
    client = client_of(app_of(new_shop))
    assert client.get("/readyz").json()["snapshot"] == "2026-03-08"
    engine = open_engine(new_shop.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'other'"))
    engine.dispose()
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["migrations"]) == (503, False)


def test_metrics_count_requests_by_route_and_alerts_by_tier(new_shop: Any) -> None:
    client = client_of(app_of(new_shop))
    for alert_id in new_shop.decision.opened["alert_id"].head(3):
        client.get(f"/v1/alerts/{alert_id}")
    client.get("/v1/alerts/nope")
    found = client.get("/metrics").text
    assert 'forestock_requests_total{method="GET",route="/v1/alerts/{alert_id}",status="200"} 3.0' in found
    assert 'forestock_requests_total{method="GET",route="/v1/alerts/{alert_id}",status="404"} 1.0' in found
    critical = (new_shop.decision.opened["tier"] == "critical").sum()
    assert f'forestock_alerts{{tier="critical"}} {critical}.0' in found
    assert "forestock_items 60.0" in found


def test_the_edge(api: TestClient, shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    app_of(shop)  # a second application in the process adds no second line
    answer = api.get("/v1/alerts?q=secret", headers={"X-Request-ID": "from-the-caller.1"})
    assert answer.headers["x-request-id"] == "from-the-caller.1"
    written = capsys.readouterr().err
    line = json.loads(written)
    assert (line["request_id"], line["path"], line["status"]) == ("from-the-caller.1", "/v1/alerts", 200)
    assert line["bytes"] == len(answer.content)
    assert "secret" not in written
    assert api.get("/healthz", headers={"X-Request-ID": "bad id\t"}).headers["x-request-id"] != "bad id\t"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("evil.example", 400), ("", 400)],
)
def test_the_service_answers_by_its_own_names_only(api: TestClient, host: str, status: int) -> None:
    answer = api.get("/healthz", headers={"Host": host})
    assert answer.status_code == status
    if status == 400:
        assert "call it by one of these names" in problem(answer, 400)["remedy"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_service_for_all_interfaces_answers_by_address_and_by_the_names_it_was_told(
    shop: Any, host: str
) -> None:
    settings = Settings(workspace=shop.folder, host=host)
    app = create_app(settings, shop.store, shop.results, today=lambda: DAY, hosts=["Stock.example"])
    answers = {
        name: client_of(app).get("/healthz", headers={"Host": name}).status_code
        for name in ("192.168.1.7:8000", "[fe80::1]:8000", "localhost", "stock.example", "evil.example", "")
    }
    assert list(answers.values()) == [200, 200, 200, 200, 400, 400]
    assert client_of(app).get("/healthz", headers={"Host": socket.gethostname()}).status_code == 200


def test_a_service_of_one_address_answers_by_it(shop: Any) -> None:
    for host, name in (("::1", "[::1]:8000"), ("10.0.0.5", "10.0.0.5"), ("Shop.Example", "shop.example:80")):
        app = create_app(Settings(workspace=shop.folder, host=host), shop.store, shop.results)
        assert client_of(app).get("/healthz", headers={"Host": name}).status_code == 200
        assert client_of(app).get("/healthz", headers={"Host": "10.0.0.6"}).status_code == 400


def test_an_unforeseen_failure_tells_nothing_of_its_inside(new_shop: Any, caplog: Any) -> None:
    client = client_of(app_of(new_shop), raise_server_exceptions=False)
    engine = open_engine(new_shop.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alerts SET opened_on = 'x'"))
    engine.dispose()
    body = problem(client.get("/v1/alerts"), 500)
    assert body["detail"] == "the service failed to answer"
    assert body["request_id"] in caplog.text
    page = client.get("/", headers={"Accept-Language": "en"})
    assert (page.status_code, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "That did not work" in page.text
    assert page.headers["x-request-id"] in page.text  # what to report


def test_the_published_schema_names_every_route_and_refusal(api: TestClient) -> None:
    schema = api.get("/v1/openapi.json").json()
    assert set(schema["paths"]) == {
        *(url for url in LISTS if "?" not in url),
        *("/v1/alerts/{alert_id}", WHAT_IF, "/healthz", "/readyz", "/metrics"),
        *("/v1/positions", "/v1/suppliers", "/v1/sources", "/v1/worklist"),
        *("/v1/rules", "/v1/rules/{name}", "/v1/rules:preview"),
        *("/v1/silences", "/v1/silences/{silence_id}:end"),
        *(f"/v1/alerts/{{alert_id}}:{step}" for step in ("acknowledge", "act", "resolve", "review")),
        *(f"/v1/alerts/{{alert_id}}:{what}" for what in ("assign", "comment", "snooze")),
        *("/v1/alerts/{alert_id}/notices", "/v1/drafts", "/v1/drafts/{draft_id}:decide", "/v1/approvals"),
        *("/v1/alerts:respond", "/v1/alerts/{alert_id}:verdict", "/v1/reviews", "/v1/reviews/{month}"),
        *(
            "/v1/proposals",
            *(f"/v1/proposals/{{proposal_id}}:{d}" for d in ("approve", "decline", "rollback")),
        ),
    }
    for path, methods in schema["paths"].items():
        for route in methods.values():
            assert route["summary"]
            assert route["tags"]
            if path.startswith("/v1"):
                assert {"404", "503"} <= set(route["responses"])
