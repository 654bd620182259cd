"""Results: whole or not at all, found by item, the same bytes every time."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ingestion.errors import Problem
from serving import results as module
from serving.results import Absent, Lost, Results, to_arrow, to_csv, to_ndjson, write_table
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
ABOUT_ITEMS = [name for name, keys in module.TABLES.items() if "sku" in keys]  # all that the shop has


def test_an_item_is_read_back_as_it_was_written(shop: Any) -> None:
    row = shop.facts.iloc[4]
    for name in ABOUT_ITEMS:
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
    before = {name: new_shop.results.read(name, new_shop.as_of) for name in ABOUT_ITEMS}
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
    folder = new_shop.folder / "results" / "2026-03-08"
    assert list(folder.glob(".*")) == []
    # Both runs, whole: tables and manifest each, and which of them came last.
    assert len(list(folder.iterdir())) == 2 * (len(ABOUT_ITEMS) + 1) + 1


def frame_of(value: float) -> dict[str, pd.DataFrame]:
    days = pd.DataFrame({"sku": ["a"], "location": ["s"], "date": pd.to_datetime(["2026-03-09"])})
    return {"forecast": days.assign(mean=value)}


def test_two_runs_for_one_date_leave_each_other_alone(tmp_path: Path) -> None:
    results, as_of = Results(tmp_path), pd.Timestamp("2026-03-08")
    first, second = (results.write(as_of, frame_of(value)) for value in (1.0, 2.0))
    assert [results.read("forecast", as_of, run=run)["mean"][0] for run in (first, second, "")] == [1, 2, 2]
    assert results.write(as_of, frame_of(1.0)) == first
    assert results.read("forecast", as_of)["mean"][0] == 1.0


def age(folder: Path) -> None:
    """Let two days pass, each file as much later than the one before as it was."""
    for path in folder.iterdir():
        moment = path.stat().st_mtime - 2 * module.GRACE
        os.utime(path, (moment, moment))


def test_old_files_go_when_no_recent_manifest_names_them(tmp_path: Path) -> None:
    results, as_of = Results(tmp_path), pd.Timestamp("2026-03-08")
    runs = []
    for value in range(module.KEPT + 2):
        runs.append(results.write(as_of, frame_of(float(value))))
        (tmp_path / "2026-03-08" / ".left-by-a-killed-run").touch()
        age(tmp_path / "2026-03-08")
    for run in runs[2:]:
        assert len(results.read("forecast", as_of, run=run)) == 1
    with pytest.raises(Lost, match=r"not among the results.*forestock run"):
        results.page("forecast", as_of, run=runs[0], limit=1)
    results.write(as_of, frame_of(-1.0))
    assert not list((tmp_path / "2026-03-08").glob(".left*"))
    names = sorted(path.name.partition("-")[0] for path in (tmp_path / "2026-03-08").iterdir())
    assert names == ["forecast"] * 3 + ["manifest"] * 3 + ["manifest.json"]


def test_a_reader_ends_what_it_began_after_the_file_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GROUP", 10)
    results, as_of = Results(tmp_path), pd.Timestamp("2026-03-08")
    days = pd.DataFrame({"sku": "a", "location": "s", "date": pd.date_range("2026-03-09", periods=95)})
    results.write(as_of, {"forecast": days})
    reading = results.stream("forecast", as_of)
    for path in (tmp_path / "2026-03-08").glob("*"):
        path.unlink()
    assert sum(len(part) for part in reading) == 95


def test_a_file_swept_up_under_the_reader_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, as_of = Results(tmp_path), pd.Timestamp("2026-03-08")
    results.write(as_of, frame_of(1.0))
    digest, asked = results.digest, []

    def just_before(name: str, day: pd.Timestamp, run: str = "") -> str:
        asked.append(name)
        return "forecast-gone.parquet" if len(asked) == 1 else digest(name, day, run)

    monkeypatch.setattr(results, "digest", just_before)
    assert results.read("forecast", as_of)["mean"].tolist() == [1.0]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_are_open_to_whom_the_umask_says(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        write_table(MIXED, tmp_path / "a.csv")
    finally:
        os.umask(before)
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == mode


def test_writing_the_same_again_writes_no_table(new_shop: Any) -> None:
    folder = new_shop.folder / "results" / "2026-03-08"
    before = {path.name: path.stat().st_ino for path in folder.glob("*.parquet")}
    new_shop.results.write(
        new_shop.as_of, {name: new_shop.results.read(name, new_shop.as_of) for name in ABOUT_ITEMS}
    )
    assert {path.name: path.stat().st_ino for path in folder.glob("*.parquet")} == before


def test_what_no_run_wrote_is_empty(tmp_path: Path) -> None:
    results, as_of = Results(tmp_path), pd.Timestamp("2026-03-08")
    assert results.read("risk", as_of, sku="a").empty
    for ask in (partial(results.page, limit=5), results.stream, results.digest):
        with pytest.raises(Lost, match=r"not among the results"):
            ask("risk", as_of)
    results.write(as_of, {"inbound": pd.DataFrame(columns=["sku", "location", "date", "quantity"])})
    assert results.read("inbound", as_of, sku="a", location="b").empty
    (nothing,) = results.stream("inbound", as_of)
    assert list(nothing) == ["sku", "location", "date", "quantity"]
    assert results.read("risk", as_of).empty
    for ask in (partial(results.page, limit=5), results.stream, results.digest):
        with pytest.raises(Absent, match="left no risk; it needs counted stock"):
            ask("risk", as_of)
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
