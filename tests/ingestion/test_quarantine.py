"""A thousand good rows and twenty bad ones: the good are stored, each bad one is named with a remedy."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ingestion.errors import DataError
from ingestion.loading import LoadReport, load
from ingestion.warehouse import Warehouse

HEADER = "sku,location,date,quantity,price,promotion"
BAD = [
    b"a,north,2024-01-05,ten,1.5,0",  # wrong type
    b"a,north,2024-01-06,3,cheap,0",
    b"a,north,2024-01-07,3,1.5,half",
    b"a,north,2024-01-08,-4,1.5,0",  # negative
    b"b,south,2024-01-08,-0.5,1.5,0",
    b"a,north,2024-01-09,3,-1,0",
    b"zz,north,2024-01-01,3,1.5,0",  # unknown
    b"a,mars,2024-01-01,3,1.5,0",
    b"a,north,2023-01-02,9,1.5,0",  # repeated keys
    b"b,south,2023-01-02,9,1.5,0",
    b"a,north,2024-13-01,3,1.5,0",  # bad dates
    b"a,north,2024-02-30,3,1.5,0",
    b"a,north,yesterday,3,1.5,0",
    b"a,north,,3,1.5,0",
    b",north,2024-01-10,3,1.5,0",  # keys that are NaN
    b"NaN,north,2024-01-11,3,1.5,0",
    b"a,,2024-01-12,3,1.5,0",
    b"a,north,2024-01-13,,1.5,0",
    b"\xff\xfea,north,2024-01-14,3,1.5,0",  # wrong encodings
    "商".encode("gb18030") + b"\xe9,north,2024-01-15,3,1.5,0",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Tables with 1,000 good and 20 bad rows of demand, shuffled together."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "items.csv").write_text("sku,name\na,Äpfel\nb,梨\n", encoding="utf-8")
    (folder / "locations.csv").write_text("location\nnorth\nsouth\n")
    dates = pd.date_range("2023-01-01", periods=500).strftime("%Y-%m-%d")
    good = [
        f"{sku},{place},{date},{i % 7},1.5,0".encode()
        for sku, place in (("a", "north"), ("b", "south"))
        for i, date in enumerate(dates)
    ]
    # The bad rows repeat no good key but where they are meant to.
    free = {line.split(b",")[2] for line in BAD} - {b"2023-01-02"}
    good = [line for line in good if line.split(b",")[2] not in free]
    more = pd.date_range("2025-01-01", periods=1000 - len(good)).strftime("%Y-%m-%d")
    good += [f"a,north,{date},1,1.5,0".encode() for date in more]
    assert len(good) == 1000
    order = np.random.default_rng(1).permutation(1018)
    # Repeats stand at the end: the first row of a key is the one that counts.
    rows = good + [line for line in BAD if b"2023-01-02" not in line]
    lines = [rows[i] for i in order] + [line for line in BAD if b"2023-01-02" in line]
    (folder / "demand.csv").write_bytes(b"\n".join([HEADER.encode(), *lines]) + b"\n")
    return folder


def tree(root: Path) -> dict[str, str]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_good_rows_are_stored_and_bad_ones_named(folder: Path, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "workspace")
    report = load(folder, {}, warehouse)
    assert report.accepted == {"items": 2, "locations": 2, "demand": 1000}
    assert len(warehouse.read("demand")) == 1000
    aside = report.quarantined
    assert len(aside) == 20
    assert list(aside.columns[:6]) == ["file", "row", "column", "rule", "value", "remedy"]
    assert (aside["remedy"].str.len() > 10).all()
    assert (aside["file"] == "demand.csv").all()


def test_each_quarantined_row_is_the_planted_one(folder: Path, tmp_path: Path) -> None:
    aside = load(folder, {}, Warehouse(tmp_path / "workspace")).quarantined
    lines = (folder / "demand.csv").read_bytes().split(b"\n")
    assert sorted(lines[row - 1] for row in aside["row"]) == sorted(BAD)
    rules = aside.set_index("row")["rule"]
    by_line = {lines[row - 1]: rule for row, rule in rules.items()}
    assert by_line[BAD[0]] == "is not a number"
    assert by_line[BAD[3]] == "must be at least 0"
    assert by_line[BAD[6]] == "is not in items"
    assert by_line[BAD[7]] == "is not in locations"
    assert by_line[BAD[8]].startswith("repeats the keys of row")
    assert by_line[BAD[10]] == "is not a date"
    assert by_line[BAD[14]] == "is missing"
    assert by_line[BAD[18]] == "holds bytes that are not text"


def test_loading_again_changes_no_byte_and_says_the_same(folder: Path, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "workspace")
    first = load(folder, {}, warehouse)
    before = tree(warehouse.root)
    second = load(folder, {}, warehouse)
    assert not first.unchanged
    assert second.unchanged
    assert tree(warehouse.root) == before
    assert second.accepted == first.accepted
    pd.testing.assert_frame_equal(second.quarantined, first.quarantined)


def test_a_corrected_file_replaces_what_it_gave_before(folder: Path, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "workspace")
    load(folder, {}, warehouse)
    (folder / "demand.csv").write_text(f"{HEADER}\na,north,2024-01-05,10,1.5,0\n")
    report = load(folder, {}, warehouse)
    assert report.quarantined.empty
    assert warehouse.read("demand")["quantity"].tolist() == [10.0]
    fresh = Warehouse(tmp_path / "fresh")
    load(folder, {}, fresh)
    assert tree(fresh.root) == tree(warehouse.root)


def test_one_table_alone_leaves_the_others(folder: Path, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "workspace")
    load(folder, {}, warehouse)
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "stock.csv").write_text(
        "sku,location,as_of,on_hand\na,north,2024-01-01,5\nq,north,2024-01-01,5\n"
    )
    report = load(alone, {}, warehouse)
    assert warehouse.tables() == ["items", "locations", "demand", "stock"]
    assert len(warehouse.read("demand")) == 1000
    # What was loaded before is known to the new table.
    assert report.quarantined["value"].tolist() == ["q"]


def test_a_row_is_released_when_its_item_becomes_known(folder: Path, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "workspace")
    load(folder, {}, warehouse)
    (folder / "items.csv").write_text("sku\na\nb\nzz\n", encoding="utf-8")
    report = load(folder, {}, warehouse)
    assert len(report.quarantined) == 19
    assert "zz" in set(warehouse.read("demand")["sku"])


def test_the_raw_record_of_a_quarantined_row_is_kept(folder: Path, tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path / "workspace")
    load(folder, {}, warehouse)
    kept = warehouse.quarantine()
    assert '"quantity":"ten"' in " ".join(kept["record"])


def loaded(tmp_path: Path, **files: str) -> LoadReport:
    folder = tmp_path / "tables"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return load(folder, {}, Warehouse(tmp_path / "workspace"))


def test_a_missing_column_is_named_and_nothing_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"demand.csv.*quantity.*has sku, location, date, qty.*columns = "):
        loaded(tmp_path, items="sku\na\n", demand="sku,location,date,qty\na,x,2024-01-01,3\n")
    assert Warehouse(tmp_path / "workspace").tables() == []


def test_a_missing_location_suggests_a_constant(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'constants = { location = "all" }'):
        loaded(tmp_path, demand="sku,date,quantity\na,2024-01-01,3\n")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no table"),
        ({"demand": ""}, "demand.csv is empty"),
        ({"demand": "sku,location,date,quantity\n"}, "headers only"),
        ({"unknown": "a,b\n1,2\n"}, "holds no table"),
    ],
)
def test_nothing_to_load_is_said(tmp_path: Path, files: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        loaded(tmp_path, **files)


def test_one_row_is_enough(tmp_path: Path) -> None:
    report = loaded(tmp_path, demand="sku,location,date,quantity\na,x,2024-01-01,3\n")
    assert report.accepted == {"demand": 1}
    assert report.health.history_days == 1


def test_identical_master_rows_count_once_and_contradictions_are_quarantined(tmp_path: Path) -> None:
    report = loaded(tmp_path, items="sku,name\na,A\na,A\nb,B\nb,C\n")
    assert report.accepted == {"items": 2}
    assert report.repeats == {"items": 1}
    assert report.quarantined[["row", "rule"]].to_numpy().tolist() == [
        [5, "repeats the keys of row 4 of items.csv"]
    ]


def test_lines_with_too_many_values_and_blank_lines_keep_the_row_numbers(tmp_path: Path) -> None:
    rows = ["sku,location,date,quantity", "a,x,2024-01-01,1", "", "a,x,2024-01-02,1,9", "a,x,2024-01-03,-1"]
    aside = loaded(tmp_path, demand="\n".join(rows) + "\n").quarantined
    assert aside["row"].tolist() == [4, 5]
    assert aside["record"].iloc[0] == "a,x,2024-01-02,1,9"


def test_later_sources_win_on_keys_with_a_note(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    header = "sku,location,date,quantity\n"
    (folder / "old.csv").write_text(header + "a,x,2024-01-01,1\na,x,2024-01-02,1\n")
    (folder / "new.csv").write_text(header + "a,x,2024-01-02,5\na,x,2024-01-03,5\n")
    sources = {name: {"table": "demand", "path": f"{name}.csv"} for name in ("old", "new")}
    warehouse = Warehouse(tmp_path / "workspace")
    report = load(folder, {"sources": sources}, warehouse)
    assert warehouse.read("demand")["quantity"].tolist() == [1.0, 5.0, 5.0]
    assert any("1 keys" in note and "later" in note for note in report.notes)
    load(folder, {"sources": dict(reversed(sources.items()))}, warehouse)
    assert warehouse.read("demand")["quantity"].tolist() == [1.0, 1.0, 5.0]
