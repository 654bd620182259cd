"""Results: whole or not at all, found by item, the same bytes every time."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ingestion.errors import Problem
from serving import results as module
from serving.results import Results, to_arrow, to_csv, to_ndjson, write_table
from serving.store.paging import BadCursor

MIXED = pd.DataFrame(
    {
        "sku": pd.Series(["a", '纯,牛"奶', "c"], dtype="str"),
        "date": pd.to_datetime(["2026-03-09", None, "2026-03-11"]),
        "units": np.array([0.1, np.nan, np.inf], dtype="float32"),
        "exact": [1 / 3, 2.0, -0.0],
        "plan": [{"type": "order", "then": None}, None, {"type": "watch"}],
    }
)


def test_an_item_is_read_back_as_it_was_written(shop: Any) -> None:
    row = shop.facts.iloc[4]
    for name in module.TABLES:
        everything = shop.results.read(name, shop.as_of)
        mine = everything[(everything["sku"] == row["sku"]) & (everything["location"] == row["location"])]
        found = shop.results.read(name, shop.as_of, sku=row["sku"], location=row["location"])
        pd.testing.assert_frame_equal(found, mine.reset_index(drop=True))
        assert name == "inbound" or len(found) > 0


def test_pages_are_the_whole_in_order(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = shop.results.read("risk", shop.as_of, location="Old Town")
    parts, cursor = [], None
    while True:
        page = shop.results.page("risk", shop.as_of, location="Old Town", limit=97, cursor=cursor)
        assert page.total == len(everything)
        parts.append(page.rows)
        cursor = page.next_cursor
        if cursor is None:
            break
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), everything)
    streamed = pd.concat(shop.results.stream("risk", shop.as_of, location="Old Town"), ignore_index=True)
    pd.testing.assert_frame_equal(streamed, everything)


def test_pages_across_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP", 10)
    days = pd.DataFrame({"sku": "a", "location": "s", "date": pd.date_range("2026-01-01", periods=95)})
    results, as_of = Results(tmp_path), pd.Timestamp("2025-12-31")
    results.write(as_of, {"forecast": days.assign(mean=np.arange(95.0))})
    parts, cursor = [], None
    while parts == [] or cursor:
        page = results.page("forecast", as_of, limit=13, cursor=cursor)
        parts, cursor = [*parts, page.rows], page.next_cursor
    assert pd.concat(parts)["mean"].tolist() == list(range(95))


def test_a_cursor_ends_with_its_table(new_shop: Any) -> None:
    page = new_shop.results.page("forecast", new_shop.as_of, limit=3)
    changed = new_shop.results.read("forecast", new_shop.as_of).assign(mean=0.0)
    new_shop.results.write(new_shop.as_of, {"forecast": changed})
    with pytest.raises(BadCursor, match="start without a cursor"):
        new_shop.results.page("forecast", new_shop.as_of, limit=3, cursor=page.next_cursor)


def test_a_writer_that_dies_leaves_the_run_before(new_shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: new_shop.results.read(name, new_shop.as_of) for name in module.TABLES}
    write, calls = module.write_bytes, []

    def die(path: Path, body: bytes) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write(path, body)

    monkeypatch.setattr(module, "write_bytes", die)
    other = {name: frame.iloc[: len(frame) // 2] for name, frame in before.items()}
    with pytest.raises(KeyboardInterrupt):
        new_shop.results.write(new_shop.as_of, other)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(new_shop.results.read(name, new_shop.as_of), frame)
    monkeypatch.undo()
    new_shop.results.write(new_shop.as_of, other)
    files = list((new_shop.folder / "results" / "2026-03-08").iterdir())
    assert (
        len(files) == len(module.TABLES) + 1
    )  # the interrupted run's files are gone, as is every temporary one


def test_writing_the_same_again_writes_no_table(new_shop: Any) -> None:
    folder = new_shop.folder / "results" / "2026-03-08"
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    new_shop.results.write(
        new_shop.as_of, {name: new_shop.results.read(name, new_shop.as_of) for name in module.TABLES}
    )
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("*.parquet")} == before


def test_what_no_run_wrote_is_empty(tmp_path: Path) -> None:
    results, as_of = Results(tmp_path), pd.Timestamp("2026-03-08")
    assert results.read("risk", as_of, sku="a").empty
    assert results.page("risk", as_of, limit=5).total == 0
    assert list(results.stream("risk", as_of)) == []
    results.write(as_of, {"inbound": pd.DataFrame(columns=["sku", "location", "date", "quantity"])})
    assert results.read("inbound", as_of, sku="a", location="b").empty
    with pytest.raises(Problem, match="no table 'nope'; use one of forecast"):
        results.read("nope", as_of)


@pytest.mark.parametrize("suffix", ["parquet", "csv", "json", "ndjson"])
def test_the_same_table_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    first, second = tmp_path / f"a.{suffix}", tmp_path / "deep" / f"b.{suffix}"
    write_table(MIXED, first)
    write_table(MIXED.copy(), second)
    assert first.read_bytes() == second.read_bytes()
    assert list(tmp_path.glob(".*")) == []


def test_formats_agree(tmp_path: Path) -> None:
    write_table(MIXED, tmp_path / "a.json")
    rows = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert rows[0] == {
        "sku": "a",
        "date": "2026-03-09",
        "units": 0.1,
        "exact": 1 / 3,
        "plan": {"type": "order", "then": None},
    }
    assert rows[1] == {"sku": '纯,牛"奶', "date": None, "units": None, "exact": 2.0, "plan": None}
    assert rows[2]["units"] is None  # JSON has no infinity
    assert [json.loads(line) for line in to_ndjson(MIXED).decode().splitlines()] == rows
    write_table(MIXED, tmp_path / "a.csv")
    table = pd.read_csv(tmp_path / "a.csv")
    assert table["sku"].tolist() == MIXED["sku"].tolist()
    assert table["exact"].tolist() == MIXED["exact"].tolist()
    assert json.loads(table["plan"][0])["type"] == "order"
    write_table(MIXED, tmp_path / "a.parquet")
    pd.testing.assert_series_equal(pd.read_parquet(tmp_path / "a.parquet")["date"], MIXED["date"])
    assert to_arrow(MIXED).startswith(b"\xff\xff\xff\xff")
    assert to_csv(MIXED.iloc[:0]) == b"sku,date,units,exact,plan\n"


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"got 'a.xlsx'; end it with .parquet, .csv, .json, .ndjson"):
        write_table(MIXED, tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []
