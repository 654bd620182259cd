"""Pitfalls of working with alerts: each is found at its limit, and well-kept work is left alone."""

from typing import Any

import pandas as pd
import pytest

from ingestion.retailer import simulate
from serving import pipeline
from serving.checkup import findings
from serving.pitfalls import Working, pitfalls
from serving.settings import Settings

TODAY = pd.Timestamp("2024-05-31")


def ago(days: int) -> pd.Timestamp:
    return TODAY - pd.Timedelta(days=days)


def alerts(owner: object = "mei", deadline: object = TODAY) -> pd.DataFrame:
    return pd.DataFrame({"owner": [owner, "tom"], "deadline": [deadline, TODAY]})


WELL_KEPT: dict[str, Any] = {
    "known": {"stock": 0.9, "sourcing": 1.0},
    "alerts": alerts(),
    "first_alert": ago(300),
    "last_review": ago(45),
    "warned": 20,
    "over": 4,
}


def whats(**change: object) -> list[str]:
    return [finding.what for finding in pitfalls(Working(TODAY, **(WELL_KEPT | change)))]


def test_well_kept_work_has_no_findings():
    assert whats() == []
    assert pitfalls(Working(TODAY)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"known": {"stock": 0.89}}, "the table stock does not know what is sold"),
        ({"alerts": alerts(owner=None)}, "alerts have no owner"),
        ({"alerts": alerts(owner="")}, "alerts have no owner"),
        ({"alerts": alerts(deadline=pd.NaT)}, "alerts have no deadline"),
        ({"last_review": ago(46)}, "alerts were not reviewed for long"),
        ({"last_review": None}, "alerts were never reviewed"),
        ({"over": 5}, "shelves that were warned of as short hold too much by now"),
    ],
)
def test_each_is_found(change, words):
    assert whats(**change) == [words]


def test_what_cannot_be_judged_yet_is_left_alone():
    assert whats(last_review=None, first_alert=ago(45)) == []
    assert whats(last_review=None, first_alert=None) == []
    assert whats(warned=9, over=9) == []


def test_a_nameless_planner_is_noted_where_no_owner_is_configured():
    everything = pd.DataFrame({"owner": ["planner", "planner"], "deadline": TODAY})
    assert whats(alerts=everything, owners=False) == ["all alerts go to one nameless planner"]
    assert whats(alerts=everything, owners=True) == []


def test_a_stock_system_with_its_own_names_is_found_in_a_workspace(tmp_path):
    retailer = simulate(items=3, stores=1, days=100)
    stock, items = retailer.tables["stock"], retailer.tables["items"]
    theirs = items.assign(sku="WMS-" + items["sku"].astype(str), replaces=None)
    retailer.tables["items"] = pd.concat([items, theirs], ignore_index=True)
    retailer.tables["stock"] = stock.assign(sku="WMS-" + stock["sku"].astype(str))
    retailer.write(tmp_path / "tables")
    settings = Settings(workspace=tmp_path / "workspace")
    pipeline.load(settings, tmp_path / "tables", lambda _stage: None)
    said = [finding.what for finding in findings(settings, None, retailer.last_day)]
    assert "the table stock does not know what is sold" in said
    assert "the table sourcing does not know what is sold" not in said
