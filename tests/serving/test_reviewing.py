"""A month looked back on in a real workspace: judged, measured, reported, and its rules changed and changed
back.
"""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from ingestion.errors import UsageProblem
from ingestion.retailer import simulate
from optimization.position import on_shelf
from serving import pipeline, report
from serving.cli.app import app
from serving.histories import gather, stock_over_time
from serving.reviewing import month_of, review
from serving.settings import Settings
from serving.store.store import Store
from serving.walk import Walk
from warning.kpi_catalogue import KPIS
from warning.tuning import Proposal

LAST = pd.Timestamp("2024-04-30")
AT = pd.Timestamp("2024-05-01 07:00", tz="UTC").to_pydatetime()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A small shop watched on four days of April, with one plain model."""
    folder = tmp_path_factory.mktemp("review")
    days = 200
    retailer = simulate(
        3, items=5, stores=2, days=days, start=LAST - pd.Timedelta(days=days - 1), future_days=0
    )
    retailer.write(folder / "tables")
    made = Settings(workspace=folder / "workspace", currency="CNY")
    pipeline.load(made, folder / "tables", lambda _stage: None)
    model = Walk(made, LAST - pd.Timedelta(days=30)).model
    for back in (21, 14, 7, 0):
        walk = Walk(made, LAST - pd.Timedelta(days=back))
        walk.use(model)
        pipeline.watch(walk)
    return made


def open_store(settings: Settings) -> Store:
    return Store.open(settings.database_url.get_secret_value())


def test_stock_rolls_forward_as_the_position_does(settings):
    walk = Walk(settings, LAST)
    gathered = gather(walk, 60)
    keys = gathered.history.keys
    for back in (0, 3, 20, 45):
        date = LAST - pd.Timedelta(days=back)
        there = on_shelf(
            keys, *(walk.tables[n] for n in ("stock", "demand", "supply_orders")), walk.period, date
        )
        mine = gathered.history.available[:, -1 - back]
        np.testing.assert_allclose(mine, there["on_hand"] - there["reserved"], atol=1e-9)
    none = dict(walk.tables, stock=walk.tables["stock"].head(0))
    assert np.isnan(stock_over_time(keys, none, walk.period, gathered.history.first, 60)).all()


def test_nothing_that_was_asked_for_is_less_than_what_was_sold(settings):
    gathered = gather(Walk(settings, LAST), 90)
    known = ~np.isnan(gathered.history.wanted)
    assert (gathered.history.wanted >= gathered.sold - 1e-3)[known].all()
    assert (gathered.history.short <= ~np.isnan(gathered.history.wanted)).all()


def test_a_month_is_judged_measured_and_kept(settings):
    store, walk = open_store(settings), Walk(settings, LAST)
    found = review(walk, store, "2024-04", AT)
    again = review(walk, store, "2024-04", AT)
    assert set(found.figures) == set(KPIS)
    assert found.summary() == again.summary()
    opened = store.outcomes.alerts(pd.Timestamp("2024-04-01").date(), LAST.date())
    assert set(opened["alert_id"]) <= set(found.outcomes["alert_id"])
    for alert, outcome in zip(found.outcomes["alert_id"], found.outcomes["outcome"], strict=True):
        kept = store.outcomes.of(alert)
        assert kept is not None
        assert kept["outcome"] == outcome
    month = walk.tables["demand"]
    sold = month[month["date"] >= pd.Timestamp("2024-04-01")]
    cost = sold["sku"].map(walk.tables["items"].set_index("sku")["unit_cost"])
    yearly = (sold["quantity"] * cost).sum() / 30 * 365.25
    turnover = found.figures["inventory_turnover"] * found.figures["capital_tied_up"]
    assert turnover == pytest.approx(yearly)
    assert found.before == {}
    earlier = review(walk, store, "2024-03", AT)
    later = review(walk, store, "2024-04", AT)
    assert later.before["capital_tied_up"] == pytest.approx(earlier.figures["capital_tied_up"])
    json.dumps(later.summary())
    store.close()


def test_what_came_before_anybody_watched_was_not_missed(settings):
    store, walk = open_store(settings), Walk(settings, LAST)
    history = gather(walk, 120).history
    march = np.asarray(history.period.dates(history.first + np.arange(history.periods)).month == 3)
    assert history.short[:, march].any()
    found = review(walk, store, "2024-03", AT)
    assert store.outcomes.began() == (LAST - pd.Timedelta(days=21)).date()
    assert found.stockouts.empty
    assert found.outcomes.empty
    assert np.isnan(found.figures["missed_rate"])
    april = review(walk, store, "2024-04", AT)
    assert (april.stockouts["date"] >= pd.Timestamp(store.outcomes.began())).all()
    store.close()


def test_a_verdict_with_a_reason_changes_the_next_review(settings):
    store, walk = open_store(settings), Walk(settings, LAST)
    alert = review(walk, store, "2024-04", AT).outcomes["alert_id"].iloc[0]
    store.outcomes.say(alert, "false", author="Mei", reason="the shelf was being moved", at=AT)
    row = review(walk, store, "2024-04", AT).outcomes.set_index("alert_id").loc[alert]
    assert (row["outcome"], row["judged_by"]) == ("false", "Mei")
    store.close()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_report_needs_nothing_beside_it(settings, language):
    store = open_store(settings)
    found = review(Walk(settings, LAST), store, "2024-04", AT)
    store.close()
    page = report.write_report(found, language, "CNY")
    assert not re.search(r"(src|href)\s*=|<script|@import|url\(", page)
    for picture in re.findall(r"<svg.*?</svg>", page, re.S):
        assert ElementTree.fromstring(picture).get("aria-label")
    assert page.count("<svg") == 3
    assert "nan" not in re.findall(r"<td>(.*?)</td>", page)
    json.dumps(found.summary(), allow_nan=False)
    for kpi in KPIS.values():
        assert (kpi.en if language == "en" else kpi.zh) in page
    assert set(report.phrases()["en"]) == set(report.phrases()["zh"])


def test_what_comes_from_tables_is_escaped(settings):
    store = open_store(settings)
    said = {"en": "<b>bold</b>", "zh": "<b>bold</b>"}
    change, undo = ({"sensitivity": {"category": {"<i>": value}}} for value in (0.5, 1.0))
    store.proposals.offer(
        [Proposal("trigger", "category", "<i>", "stockout_risk", change, undo, {}, {}, said)], AT
    )
    page = report.write_report(review(Walk(settings, LAST), store, "2024-04", AT), "en", "")
    store.proposals.offer([], AT)
    store.close()
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


def test_approving_makes_a_version_and_rolling_back_another(settings):
    store = open_store(settings)
    change, undo = ({"sensitivity": {"category": {"dairy": value}}} for value in (0.75, 1.0))
    said = {"en": "fewer false alerts", "zh": "误报减少"}
    one = Proposal(
        "trigger", "category", "dairy", "stockout_risk", change, undo, {"false": 9}, {"false": 3}, said
    )
    store.proposals.offer([one], AT)
    where = ["--workspace", str(settings.workspace)]
    run = CliRunner()
    made = run.invoke(app, ["review", "approve", one.proposal_id, "--by", "Mei", "--json", *where])
    assert made.exit_code == 0, made.output
    book = store.rules(settings.rules)
    rule = next(rule for rule in book.in_force(LAST.date()) if rule.name == "stockout_risk")
    assert rule.sensitivity == {"category": {"dairy": 0.75}}
    assert book.versions("stockout_risk")[-1].author == "Mei"
    back = run.invoke(app, ["review", "rollback", one.proposal_id, "--by", "Tom", "--json", *where])
    assert back.exit_code == 0, back.output
    rule = next(rule for rule in book.in_force(LAST.date()) if rule.name == "stockout_risk")
    assert rule.sensitivity == {"category": {"dairy": 1.0}}
    assert store.proposals.get(one.proposal_id).state == "rolled_back"
    assert [version.rule.version for version in book.versions("stockout_risk")] == [2, 3]
    store.close()


def test_an_approved_target_moves_the_levels_until_it_is_rolled_back(settings):
    store = open_store(settings)
    category = str(Walk(settings).tables["items"]["category"].iloc[0])
    change, undo, said = {"target": 0.8}, {"target": 0.95}, {"en": "too much was left", "zh": "剩余过多"}
    one = Proposal("target", "category", category, "", change, undo, {"cost": 9}, {"cost": 3}, said)
    store.proposals.offer([one], AT)
    before = Walk(settings).targets
    mine = (Walk(settings).supply["category"] == category).to_numpy()
    run, where = CliRunner(), ["--by", "Mei", "--json", "--workspace", str(settings.workspace)]
    assert run.invoke(app, ["review", "approve", one.proposal_id, *where]).exit_code == 0
    after = Walk(settings).targets
    assert set(after["target"][mine]) == {0.8}
    assert after[~mine].equals(before[~mine])
    assert after[["holding_cost", "shortage_cost", "unmet"]].equals(
        before[["holding_cost", "shortage_cost", "unmet"]]
    )
    # What was decided later is not known on an earlier day, whatever day its levels are for.
    earlier = Walk(settings, LAST - pd.Timedelta(days=7))
    assert set(earlier.targets_on(LAST + pd.Timedelta(days=9))["target"]) == {0.95}
    assert run.invoke(app, ["review", "rollback", one.proposal_id, *where]).exit_code == 0
    assert Walk(settings).targets["target"].equals(before["target"])
    kept = store.targets.list()
    assert kept["target"].tolist() == [0.8, 0.95]
    assert set(kept["author"]) == {"Mei"}
    store.close()


def test_the_command_writes_the_report_and_the_figures(settings, tmp_path: Path):
    out = tmp_path / "april.html"
    where = ["--workspace", str(settings.workspace), "--as-of", str(LAST.date())]
    done = CliRunner().invoke(app, ["review", "--month", "2024-04", "--out", str(out), "--json", *where])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert told["month"] == "2024-04"
    assert set(told["kpis"]) == set(KPIS)
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_months_are_told_apart(settings):
    walk = Walk(settings, LAST)
    assert month_of(None, walk) == "2024-04"
    assert month_of(None, Walk(settings, LAST - pd.Timedelta(days=1))) == "2024-03"
    assert month_of("2024-02", walk) == "2024-02"
    for wrong in ("April", "2024-13", "2025-01"):
        with pytest.raises(UsageProblem, match="--month"):
            month_of(wrong, walk)
