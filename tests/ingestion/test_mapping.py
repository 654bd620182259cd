"""A proposed configuration is TOML, loads, and says what it could not tell."""

import tomllib
from pathlib import Path

import pandas as pd
import pytest

from ingestion.errors import DataError, Problem
from ingestion.loading import load
from ingestion.mapping import propose
from ingestion.warehouse import Warehouse


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def test_chinese_exports(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "in",
        商品资料="商品编码,商品名称,品类,成本价,供应商备注\nP1,苹果,水果,2.5,好\nP2,梨,水果,1.5,好\n",
        销售流水="日期,门店,商品编码,销量,售价,是否促销\n2024-01-01,S1,P1,3,5,是\n2024-01-02,S1,P2,4,3,否\n",
        库存="盘点日期,门店,商品编码,库存数量\n2024-01-02,S1,P1,7\n",
        采购订单=(
            "采购单号,商品编码,仓库,供应商,采购数量,下单日期,预计到货日期,到货日期\n"
            "A1,P1,S1,甲,10,2024-01-01,2024-01-05,2024-01-06\n"
        ),
    )
    proposed = propose(folder)
    warehouse = Warehouse(tmp_path / "workspace")
    report = load(folder, tomllib.loads(proposed), warehouse)
    assert report.quarantined.empty
    assert report.accepted == {"items": 2, "demand": 2, "stock": 1, "supply_orders": 1}
    assert warehouse.read("demand")["promotion"].tolist() == [1.0, 0.0]
    order = warehouse.read("supply_orders").iloc[0]
    assert (order["quantity"], order["received_on"]) == (10.0, pd.Timestamp("2024-01-06"))


def test_english_exports_with_dates_of_two_kinds(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "in",
        pos="Item No,Store,Sale Date,Qty,Unit Price\n1,S,13/02/2024,3,1.5\n2,S,14/02/2024,4,1.5\n",
        inventory="ItemNo,Warehouse,Snapshot Date,On Hand\n1,S,2024-02-14,4\n",
        vendors="Item,Store,Vendor,Lead Time,MOQ\n1,S,V,5,10\n",
    )
    proposed = propose(folder)
    assert 'date_format = { date = "%d/%m/%Y" }' in proposed
    warehouse = Warehouse(tmp_path / "workspace")
    report = load(folder, tomllib.loads(proposed), warehouse)
    assert report.accepted == {"demand": 2, "stock": 1, "sourcing": 1}
    assert warehouse.last_date() == pd.Timestamp("2024-02-14")


def test_doubtful_dates_are_said_to_be_doubtful(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", sales="sku,store,date,qty\n1,S,03/02/2024,3\n1,S,04/02/2024,3\n")
    assert "day or month first? both fit" in propose(folder)


def test_what_is_incomplete_is_left_as_a_comment(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", sales="sku,store,date,qty\n1,S,2024-01-01,3\n", stock="sku,note\n1,x\n")
    proposed = propose(folder)
    assert "looks most like stock, but in it was not found: as_of, on_hand" in proposed
    assert list(tomllib.loads(proposed)["sources"]) == ["sales"]


def test_awkward_names_stay_toml(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "in", **{"sa \"les' 1": 'sku,store,date,qty,"a ""b"" \\ c"\n1,S,2024-01-01,3,4\n'}
    )
    assert tomllib.loads(propose(folder))["sources"]


def test_unreadable_files_are_passed_over_and_said(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", sales="sku,store,date,qty\n1,S,2024-01-01,3\n", empty="")
    assert "# empty.csv was passed over" in propose(folder)


def test_nothing_to_look_at_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no CSV"):
        propose(tmp_path)
    with pytest.raises(Problem, match="there is no folder"):
        propose(tmp_path / "nowhere")
