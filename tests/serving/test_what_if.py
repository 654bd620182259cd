"""Plans that are tried out: from a file, over HTTP and on the page; they change nothing and train nothing."""

import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient

from forecasting.baselines import Baseline
from forecasting.boosters import FittedGbm
from forecasting.ensemble import SEGMENTS, Ensemble, Member
from forecasting.models import DemandModel
from forecasting.panel import Panel
from ingestion.errors import DataError, Problem
from serving import standby as standing
from serving.api.app import create_app
from serving.api.what_if import WhatIfOut
from serving.cli.app import main
from serving.results import Results
from serving.settings import Settings
from serving.standby import Busy, Outdated, Place, Standby
from serving.store.store import Store
from serving.web.words import Words
from serving.what_if import RejectedError, compare, fit_to, given_plans, read_plans

FIRST, WEEK = "2024-08-08", "2024-08-14"  # the first seven days after the data
PLAN = {"sku": "s3", "start": FIRST, "end": WEEK, "promotion": 0.8}
URL = "/v1/forecasts:what-if"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def forestock(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command; its exit code, output and words."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["forestock", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def write(path: Path, *rows: dict[str, Any]) -> Path:
    frame = pd.DataFrame(list(rows))
    kinds: dict[str, Callable[[], object]] = {
        ".csv": lambda: frame.to_csv(path, index=False),
        ".parquet": lambda: frame.to_parquet(path, index=False),
        ".xlsx": lambda: frame.to_excel(path, index=False),
        ".json": lambda: path.write_text(json.dumps(list(rows)), encoding="utf-8"),
    }
    kinds[path.suffix]()
    return path


def contents(folder: Path) -> dict[str, bytes]:
    """All that a workspace keeps; the databases by what they hold."""
    kept = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.match("store.db-*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept if path.suffix != ".lock"}


def test_one_table_in_every_format_is_one_trial(tmp_path: Path) -> None:
    rows = [PLAN, {"sku": "s1", "start": FIRST, "end": FIRST, "promotion": 0}]
    read = [
        read_plans(write(tmp_path / f"any{end}", *rows)).rows
        for end in (".csv", ".parquet", ".xlsx", ".json")
    ]
    for one in [*read[1:], given_plans(rows, "rows").rows]:
        pd.testing.assert_frame_equal(
            one.drop(columns=["_file", "_row"]), read[0].drop(columns=["_file", "_row"])
        )
    assert read[0]["promotion"].tolist() == [0.8, 0.0]
    assert read[0]["_row"].tolist() == [2, 3]  # as a spreadsheet counts
    assert read[3]["_row"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        ({"promotion": 1.5}, "promotion", "must lie in 0–1"),
        ({"promotion": "much"}, "promotion", "is not a number"),
        ({"promotion": None}, "promotion", "or a price or an event is needed"),
        ({"start": "08/09/24"}, "start", "is not a date"),
        ({"start": None}, "date", "needs a date, or a start and an end"),
        ({"end": "2024-08-01"}, "end", "must not lie before start"),
        ({"price": -1}, "price", "must be at least 0"),
        ({"quantity": 5}, "quantity", "cannot be tried out"),
    ],
)
def test_a_row_that_breaks_its_contract_is_named(row: dict[str, Any], column: str, rule: str) -> None:
    with pytest.raises(RejectedError) as told:
        given_plans([PLAN, {**PLAN, **row}, PLAN], "plans")
    (fault,) = told.value.faults.to_dict("records")
    assert (fault["row"], fault["column"], fault["rule"]) == (2, column, rule)
    assert fault["remedy"]


def test_what_is_no_table_of_plans_is_refused(tmp_path: Path) -> None:
    for text in ("{", '{"sku": "s1"}', "[1]"):
        (tmp_path / "any.json").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="list of objects"):
            read_plans(tmp_path / "any.json")
    with pytest.raises(Problem, match="there is no file"):
        read_plans(tmp_path / "none.csv")
    with pytest.raises(DataError, match="must have rows"):
        given_plans([], "plans")
    assert "promotoin" in given_plans([{**PLAN, "promotoin": 1}], "plans").notes[0]


def test_the_command_says_before_and_after_and_changes_nothing(
    forestock: Run, workspace: Path, tmp_path: Path
) -> None:
    kept = contents(workspace)
    plans = write(
        tmp_path / "plans.csv",
        PLAN,
        {"sku": "s0", "start": "2019-01-01", "end": "2019-01-02", "promotion": 1},
    )
    asked = ("--workspace", workspace, "--cumulative", "--levels", "0.5,0.95")
    outs = [tmp_path / name for name in ("plain.csv", "tried.csv", "days.csv")]
    assert forestock("forecast", *asked, "--out", outs[0])[0] == 0
    code, _, words = forestock("forecast", *asked, "--plans", plans, "--out", outs[1])
    assert code == 0, words
    assert "1 rows lie outside" in words.replace("\n", " ")
    assert forestock("forecast", "--workspace", workspace, "--plans", plans, "--out", outs[2])[0] == 0
    assert contents(workspace) == kept
    plain, tried, days = (pd.read_csv(out) for out in outs)
    assert list(tried) == [
        *("sku", "location", "horizon", "mean", "q0.5", "q0.95", "method"),
        *("mean_before", "q0.5_before", "q0.95_before"),
        *("mean_difference", "q0.5_difference", "q0.95_difference"),
    ]
    for name in ("mean", "q0.5", "q0.95"):
        assert tried[f"{name}_before"].tolist() == plain[name].tolist()
    own = tried["sku"] == "s3"
    assert (tried.loc[own, "mean"] > 1.1 * tried.loc[own, "mean_before"]).all()
    assert (tried.loc[own, "q0.95"] > tried.loc[own, "q0.95_before"]).all()
    total = days[days["sku"] == "s3"].groupby("sku")[["mean", "mean_before"]].sum()
    last = tried[own & (tried["horizon"] == 28)].iloc[0]
    assert total["mean"].iloc[0] == pytest.approx(last["mean"], rel=1e-4)
    assert total["mean_before"].iloc[0] == pytest.approx(last["mean_before"], rel=1e-4)


def test_depth_nothing_takes_a_promotion_out_and_replace_all_of_them(
    forestock: Run, workspace: Path, tmp_path: Path
) -> None:
    asked = ("forecast", "--workspace", workspace, "--cumulative", "--horizons", "28", "--levels", "0.5")
    tried = {}
    for name, end, more in (("none", "2024-09-30", ()), ("instead", FIRST, ("--replace",))):
        plans = write(tmp_path / f"{name}.json", {"start": FIRST, "end": end, "promotion": 0})
        code, _, words = forestock(*asked, "--plans", plans, *more, "--out", tmp_path / "out.csv")
        assert code == 0, words
        tried[name] = pd.read_csv(tmp_path / "out.csv").set_index("sku")
    # All that is planned is promotions: to take each out, or all at once, is the same.
    pd.testing.assert_frame_equal(tried["none"], tried["instead"])
    assert tried["none"]["mean"].sum() < 0.95 * tried["none"]["mean_before"].sum()


def test_the_command_refuses_bad_plans_before_it_computes(
    forestock: Run, workspace: Path, tmp_path: Path
) -> None:
    plans = write(tmp_path / "plans.csv", PLAN, {**PLAN, "promotion": 30})
    code, out, words = forestock("forecast", "--workspace", workspace, "--plans", plans)
    assert (code, out) == (4, "")
    for word in ("plans.csv", "promotion", "must lie in 0–1", "30"):
        assert word in words
    assert "forecasting" not in words
    plans = write(tmp_path / "plans.csv", {**PLAN, "sku": "nope"})
    code, _, words = forestock("forecast", "--workspace", workspace, "--plans", plans)
    assert code == 4
    assert "must name what is forecast, got 'nope'" in words.replace("\n", " ")
    assert forestock("forecast", "--workspace", workspace, "--replace")[0] == 2


def test_without_a_model_none_is_trained(forestock: Run, workspace: Path, tmp_path: Path) -> None:
    here = tmp_path / "untrained"
    shutil.copytree(workspace / "warehouse", here / "warehouse")
    plans = write(tmp_path / "plans.csv", PLAN)
    code, _, words = forestock("forecast", "--workspace", here, "--plans", plans)
    assert code == 1
    assert "run: forestock train" in words
    assert not (here / "mlflow.db").exists()
    code, _, words = forestock("forecast", "--workspace", workspace, "--plans", plans, "--horizon", 50)
    assert code == 1
    assert "forestock forecast --horizon 50" in words.replace("\n", " ")


@pytest.fixture
def here(workspace: Path) -> Iterator[tuple[Store, Standby]]:
    settings = Settings(workspace=workspace)
    store = Store.open(settings.database_url.get_secret_value())
    yield store, Standby(settings)
    store.close()


def test_what_answers_is_read_once_for_a_run(here: tuple[Store, Standby], monkeypatch: Any) -> None:
    store, standby = here
    reads = []
    monkeypatch.setattr(standing, "hold", lambda *asked: reads.append(asked) or HOLD(*asked))
    tried, snapshot = given_plans([PLAN], "plans"), store.snapshot()
    first = standby.compare(snapshot, tried, Place())
    again = standby.compare(snapshot, tried, Place(category="odd"), longest=14)
    assert first.after.keys["sku"].tolist() == ["s3"]
    assert again.after.keys["sku"].tolist() == ["s1", "s3", "s5"]
    assert (again.after.mean[1] == first.after.mean[0]).all()
    assert len(reads) == 1
    with pytest.raises(DataError, match=r"must lie in 1–28, got 29"):
        standby.compare(snapshot, tried, Place(), longest=29)
    monkeypatch.setattr(standing, "MOST_SERIES", 2)
    with pytest.raises(DataError, match="at most 2 series, got 3"):
        standby.compare(snapshot, tried, Place(category="odd"))


HOLD = standing.hold


def test_one_question_at_a_time_and_few_waiting(here: tuple[Store, Standby], monkeypatch: Any) -> None:
    store, standby = here
    tried, snapshot = given_plans([PLAN], "plans"), store.snapshot()
    inside, finish = threading.Event(), threading.Event()

    def slow(*asked: Any) -> Any:
        inside.set()
        finish.wait(30)
        return HOLD(*asked)

    monkeypatch.setattr(standing, "hold", slow)
    monkeypatch.setattr(standing, "PATIENCE", 0.05)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(standby.compare(snapshot, tried, Place())))
    thread.start()
    inside.wait(30)
    with pytest.raises(Busy, match="one at a time"):
        standby.compare(snapshot, tried, Place())
    finish.set()
    thread.join(60)
    assert answers[0].after.keys["sku"].tolist() == ["s3"]
    assert standby.compare(snapshot, tried, Place()).after.mean.shape == (1, 28)


def test_a_workspace_that_moved_on_is_not_answered_for(workspace: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(workspace, moved)
    store = Store.open(f"sqlite:///{moved / 'store.db'}")
    snapshot, tried = store.snapshot(), given_plans([PLAN], "plans")
    store.close()
    stock = pd.read_csv(moved / "tables" / "stock.csv")
    stock.assign(on_hand=5).to_csv(moved / "tables" / "stock.csv", index=False)
    from serving import pipeline

    pipeline.load(Settings(workspace=moved), moved / "tables", lambda _: None)
    with pytest.raises(Outdated, match="other tables were loaded since; run: forestock run"):
        Standby(Settings(workspace=moved)).compare(snapshot, tried, Place())
    with pytest.raises(Outdated, match="cannot be read"):
        Standby(Settings(workspace=tmp_path / "elsewhere")).compare(snapshot, tried, Place())


@pytest.fixture(scope="module")
def api(workspace: Path) -> Iterator[TestClient]:
    settings = Settings(workspace=workspace)
    store = Store.open(settings.database_url.get_secret_value())
    app = create_app(settings, store, Results(workspace / "results"), today=lambda: date(2024, 8, 8))
    with TestClient(app, base_url="http://127.0.0.1:8000", headers={"Accept-Language": "en"}) as client:
        yield client
    store.close()


def test_over_http(api: TestClient) -> None:
    answer = api.post(URL, json={"plans": [PLAN], "horizons": [7, 14], "levels": [0.5, 0.95]})
    assert answer.status_code == 200, answer.text[:300]
    body = answer.json()
    WhatIfOut.model_validate(body)
    assert (body["as_of"], body["notes"]) == ("2024-08-07", [])
    assert [(row["sku"], row["horizon"]) for row in body["data"]] == [("s3", 7), ("s3", 14)]
    stored = api.get("/v1/forecasts?cumulative=true&sku=s3").json()["data"]
    for row, before in zip(body["data"], stored, strict=False):
        for name in ("mean", "q0.5", "q0.95"):
            assert row[f"{name}_before"] == pytest.approx(before[name], rel=1e-5)
            assert row[name] > row[f"{name}_before"]
            assert row[f"{name}_difference"] == pytest.approx(row[name] - row[f"{name}_before"], abs=1e-4)
    many = api.post(URL, json={"plans": [PLAN], "category": "odd"}).json()["data"]
    assert [row["sku"] for row in many] == ["s1"] * 3 + ["s3"] * 3 + ["s5"] * 3
    none = api.post(URL, json={"plans": [{**PLAN, "promotion": 0}], "replace": True, "sku": "s3"}).json()
    assert none["data"][2]["mean"] < none["data"][2]["mean_before"]


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"plans": [PLAN, {**PLAN, "promotion": 3}]}, 422, "plans, row 2: promotion must lie in 0–1"),
        ({"plans": [{**PLAN, "sku": "nope"}]}, 422, "row 1: sku must name what is forecast"),
        ({"plans": [{**PLAN, "start": "2020-01-01", "end": "2020-01-02"}]}, 422, "must lie in 2024-08-08"),
        ({"plans": []}, 422, "plans"),
        ({"plans": [PLAN] * 501}, 422, "plans"),
        ({"plans": [{**PLAN, "colour": "red"}]}, 422, "plans.0.colour"),
        ({"horizons": [0]}, 422, "horizons.0"),
        ({"horizons": [29]}, 422, "must lie in 1–28"),
        ({"levels": [1.0]}, 422, "levels.0"),
        ({"sku": "nope"}, 404, "'nope' is not watched"),
        ({"category": "nope"}, 404, "'nope' is not forecast"),
        ({"plans": [{**PLAN, "event": "x" * 300_000}]}, 413, "256 KiB"),
    ],
)
def test_refusals_over_http(api: TestClient, change: dict[str, Any], status: int, words: str) -> None:
    answer = api.post(URL, json={"plans": [PLAN], **change})
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert words in body["detail"]
    assert body["remedy"]
    if "row" in words:
        wrong = body["errors"][0]
        assert {"row", "column", "rule", "value", "remedy"} <= set(wrong)


def test_the_page_answers_too(api: TestClient) -> None:
    page = "/items/s3/Old%20Town"
    form = api.get(page)
    assert f'name="start" value="{FIRST}"' in form.text
    assert "what-if-data" not in form.text
    asked = {"promotion": "80", "start": FIRST, "end": WEEK, "price": ""}
    part = api.get(page, params=asked, headers={"HX-Request": "true"})
    whole = api.get(page, params=asked)
    assert part.text.strip() in whole.text.replace("\r", "")
    assert "<html" not in part.text
    told = api.post(URL, json={"plans": [PLAN], "horizons": [7], "levels": [0.95]}).json()["data"][0]
    change = told["mean"] / told["mean_before"] - 1
    assert f"+{change:.0%}" in part.text
    assert Words("en").units(told["mean"]) in part.text
    bad = api.get(page, params={**asked, "promotion": "a lot"}, headers={"HX-Request": "true"})
    assert "is not a number" in bad.text
    assert "What helps: correct the number" in bad.text
    assert "假设分析" in api.get(page, params={"lang": "zh"}).text


def test_to_try_out_what_is_stored_changes_nothing(workspace: Path) -> None:
    held = HOLD(Settings(workspace=workspace), snapshot_of(workspace))
    tried = fit_to(held.panel, read_plans(workspace / "tables" / "plans.csv"))
    for instead in (False, True):
        found = compare(held.model, held.panel, tried, instead=instead)
        assert (found.after.quantiles == found.before.quantiles).all()
        assert (found.after.mean == found.before.mean).all()


def test_rows_outside_the_known_future_are_told(workspace: Path) -> None:
    panel: Panel = HOLD(Settings(workspace=workspace), snapshot_of(workspace)).panel
    late = {**PLAN, "start": "2025-01-01", "end": "2025-01-02"}
    tried = fit_to(panel, given_plans([PLAN, late], "plans"))
    assert len(tried.rows) == 1
    assert "1 rows lie outside 2024-08-08 … 2024-09-04" in tried.notes[0]


def test_what_no_model_can_have_learned_of_is_told(workspace: Path) -> None:
    held = HOLD(Settings(workspace=workspace), snapshot_of(workspace))
    tried = given_plans([{"sku": "s3", "date": FIRST, "event": "moon landing", "price": 3.0}], "plans")
    bare = replace(held.panel, prices_planned=False, price=np.full_like(held.panel.price, np.nan))
    notes = compare(held.model, bare, tried).notes
    assert notes[0] == "events that no stored plan names change nothing: moon landing"
    assert notes[1].startswith("prices change nothing: no stored plan states any ahead")
    planned = replace(bare, prices_planned=True)
    known = int(tried.rows["price"].notna().sum())
    assert compare(held.model, planned, tried).notes[1] == (
        f"prices change nothing for {known} series of which no price is known so far"
    )


def test_a_model_that_reads_no_plans_says_so(api: TestClient, workspace: Path, monkeypatch: Any) -> None:
    held = HOLD(Settings(workspace=workspace), snapshot_of(workspace))
    assert compare(held.model, held.panel, given_plans([PLAN], "plans")).notes == ()
    weight = np.ones(len(SEGMENTS))
    plain, learned = (
        Member(fitted, held.model.calibration, weight, weight)
        for fitted in (Baseline("long_run_mean"), FittedGbm("gbm", (), np.empty(0)))
    )
    assert Ensemble((plain, learned)).reads_plans
    assert not Ensemble((plain,)).reads_plans
    mean = replace(held.model, fitted=plain.fitted)
    found = compare(mean, held.panel, given_plans([PLAN], "plans"))
    assert (found.after.mean == found.before.mean).all()
    assert [note[:43] for note in found.notes] == ["the model in force (long_run_mean) reads no"]
    monkeypatch.setattr(DemandModel, "reads_plans", False)
    assert "a changed plan changes nothing" in api.post(URL, json={"plans": [PLAN]}).json()["notes"][0]
    for language, words in (("en", "a changed plan changes nothing"), ("zh", "改变计划不会改变预测")):
        asked = {"promotion": "80", "start": FIRST, "end": WEEK, "lang": language}
        assert words in api.get("/items/s3/Old%20Town", params=asked).text


def snapshot_of(workspace: Path) -> Any:
    store = Store.open(f"sqlite:///{workspace / 'store.db'}")
    found = store.snapshot()
    store.close()
    return found
