"""Every way in which a mapping turns files into tables, and what it refuses."""

import gzip
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ingestion.errors import DataError, Problem
from ingestion.loading import LoadReport, load
from ingestion.periods import Period
from ingestion.warehouse import Warehouse

PLAIN = "sku,location,date,quantity\na,x,2024-01-01,3\n"


class Shop:
    """A folder and its warehouse."""

    def __init__(self, root: Path) -> None:
        self.folder, self.warehouse = root / "in", Warehouse(root / "workspace")
        self.folder.mkdir()

    def write(self, name: str, text: str | bytes) -> None:
        (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    def load(self, **sources: Any) -> LoadReport:
        return load(self.folder, {"sources": sources}, self.warehouse)

    def demand(self, **source: Any) -> pd.DataFrame:
        report = self.load(sales={"table": "demand", **source})
        assert report.quarantined.empty, report.quarantined
        return self.warehouse.read("demand")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_one_mapping_with_everything(shop: Shop) -> None:
    shop.write(
        "sales.csv",
        "Brand,Art,Day,Cases,Out,Open,Kind,Note\nB,1,31.12.2023,2,4,Y,sale,x\nB,2,01.01.2024,1,16,N,sale,y\n"
        "B,2,02.01.2024,9,0,N,refund,z\n",
    )
    frame = shop.demand(
        path="sales.csv",
        columns={"Day": "date", "Cases": "quantity", "Open": "promotion"},
        constants={"location": "all"},
        templates={"sku": "{Brand}-{Art}"},
        expressions={"in_stock": "1 - Out / 16"},
        words={"promotion": {"Y": 1, "N": 0}},
        units={"quantity": 12},
        date_format={"date": "%d.%m.%Y"},
        drop={"Kind": ["refund"]},
        covariates=[],
    )
    assert frame["sku"].tolist() == ["B-1", "B-2"]
    assert frame["location"].tolist() == ["all", "all"]
    assert frame["date"].dt.strftime("%F").tolist() == ["2023-12-31", "2024-01-01"]
    assert frame["quantity"].tolist() == [24.0, 12.0]
    assert frame["in_stock"].tolist() == [0.75, 0.0]
    assert frame["promotion"].tolist() == [1.0, 0.0]


def test_rows_left_out_and_columns_left_aside_are_counted(shop: Shop) -> None:
    shop.write(
        "sales.csv", "sku,location,date,quantity,kind,note\na,x,2024-01-01,1,s,p\na,x,2024-01-02,1,r,q\n"
    )
    source = {"table": "demand", "path": "sales.csv", "keep": {"kind": ["s"]}}
    report = shop.load(sales=source)
    assert report.left_out == {"sales": 1}
    assert report.ignored_columns == {"sales": ("note",)}
    assert report.accepted == {"demand": 1}


@pytest.mark.parametrize(
    "encoded",
    [
        "商品编码,门店,日期,销量\n苹果,北京,2024年1月5日,3\n".encode("gb18030"),
        "商品编码,门店,日期,销量\n苹果,北京,2024/1/5,3\n".encode("utf-8-sig"),
        "商品编码\t门店\t日期\t销量\n苹果\t北京\t2024-01-05\t3\n".encode("utf-16"),
    ],
)
def test_chinese_files_load_in_their_encodings(shop: Shop, encoded: bytes) -> None:
    shop.write("sales.csv", encoded)
    columns = {"商品编码": "sku", "门店": "location", "日期": "date", "销量": "quantity"}
    frame = shop.demand(path="sales.csv", columns=columns)
    assert frame.iloc[0, :4].tolist() == ["苹果", "北京", pd.Timestamp("2024-01-05"), 3.0]


def test_western_files_load_in_their_encoding(shop: Shop) -> None:
    rows = "".join(f"Crème brûlée {i};Köln;2024-01-01;1,5\n" for i in range(30))
    shop.write("demand.csv", ("sku;location;date;quantity\n" + rows).encode("cp1252"))
    shop.load()
    frame = shop.warehouse.read("demand")
    assert frame["sku"].iloc[0] == "Crème brûlée 0"
    assert (frame["quantity"] == 1.5).all()


def test_one_undecodable_line_costs_one_line(shop: Shop) -> None:
    rows = b"".join(b"a,x,2024-01-%02d,1\n" % day for day in range(1, 29))
    shop.write(
        "demand.csv", b"sku,location,date,quantity\n" + rows + b"\xe4,x,2024-02-01,1\nb,x,2024-02-01,1\n"
    )
    report = shop.load()
    assert report.accepted == {"demand": 29}
    assert report.quarantined[["row", "column"]].to_numpy().tolist() == [[30, "sku"]]


def test_dates_as_serials_months_and_two_digit_years(shop: Shop) -> None:
    shop.write("demand.csv", "sku,location,date,quantity\na,x,45292,1\na,x,2024-02,2\na,x,20240301,3\n")
    shop.load()
    dates = shop.warehouse.read("demand")["date"].dt.strftime("%F").tolist()
    assert dates == ["2024-01-01", "2024-02-01", "2024-03-01"]
    shop.write("short.csv", "sku,location,date,quantity\na,x,3/1/24,1\na,x,1-Apr-24,2\n")
    report = shop.load(
        short={"table": "demand", "path": "short.csv", "date_format": ["%m/%d/%y", "%d-%b-%y"]}
    )
    assert report.accepted == {"demand": 2}


def test_single_sales_are_added_up_where_asked(shop: Shop) -> None:
    rows = [
        "sku,location,date,quantity,price,promotion",
        "a,x,2024-01-01 09:12,1,2,0",
        "a,x,2024-01-01 17:40,4,4,1",
    ]
    shop.write("sales.csv", "\n".join([*rows, "a,x,2024-01-02 08:00,-2,2,0", ""]))
    report = shop.load(sales={"table": "demand", "path": "sales.csv", "add_up": True})
    assert report.quarantined["row"].tolist() == [4]
    row = shop.warehouse.read("demand").iloc[0]
    assert (row["quantity"], row["price"], row["promotion"]) == (5.0, 3.0, 1.0)
    report = shop.load(sales={"table": "demand", "path": "sales.csv"})
    assert "add_up" in report.quarantined["remedy"].iloc[0]


def test_a_price_of_zero_is_no_price(shop: Shop) -> None:
    shop.write("demand.csv", "sku,location,date,quantity,price\na,x,2024-01-01,1,0\na,x,2024-01-02,1,2\n")
    shop.load()
    assert shop.warehouse.read("demand")["price"].isna().tolist() == [True, False]


def test_identifiers_keep_their_zeros_and_lose_no_digits(shop: Shop) -> None:
    shop.write("items.csv", "sku,name\n007,A\n7,B\n")
    shop.load()
    assert shop.warehouse.read("items")["sku"].tolist() == ["007", "7"]
    pd.DataFrame({"sku": [1001.0, 12345678901.0]}).to_parquet(shop.folder / "items.parquet")
    (shop.folder / "items.csv").unlink()
    shop.load()
    assert shop.warehouse.read("items")["sku"].tolist() == ["1001", "12345678901"]


def test_compressed_files_sheets_and_globs(shop: Shop) -> None:
    for month in (1, 2):
        text = PLAIN.replace("2024-01", f"2024-0{month}").encode()
        (shop.folder / f"sales-{month}.csv.gz").write_bytes(gzip.compress(text))
    assert len(shop.demand(path="sales-*.csv.gz")) == 2
    with pd.ExcelWriter(shop.folder / "book.xlsx") as book:
        pd.DataFrame({"about": ["nothing"]}).to_excel(book, sheet_name="cover", index=False)
        stock = pd.DataFrame(
            {"sku": [17], "location": "x", "as_of": [pd.Timestamp("2024-01-31")], "on_hand": 2}
        )
        stock.to_excel(book, sheet_name="stock", index=False)
    report = shop.load(count={"table": "stock", "path": "book.xlsx", "sheet": "stock"})
    assert report.accepted == {"stock": 1}
    assert shop.warehouse.read("stock")["sku"].tolist() == ["17"]


def test_rows_written_into_the_configuration(shop: Shop) -> None:
    shop.write("demand.csv", PLAIN)
    policy = {"selector": "*", "measure": "fill_rate", "target": 95, "unmet": "lost"}
    report = load(
        shop.folder, {"policies": [policy, policy | {"selector": "a", "target": 0.9}]}, shop.warehouse
    )
    assert report.accepted == {"demand": 1, "policies": 1}
    assert report.quarantined[["file", "row", "remedy"]].to_numpy().tolist() == [
        ["forestock.toml", 1, "write 95% as 0.95"]
    ]


def test_a_database_is_read_and_never_told_its_password(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with sqlite3.connect(shop.folder / "erp.db") as erp:
        erp.execute("create table sales (item text, shop text, day text, sold real)")
        erp.executemany("insert into sales values (?, 'x', ?, 2)", [("a", "2024-01-01"), ("a", "2024-01-02")])
    source = {
        "table": "demand",
        "url": f"sqlite:///{shop.folder / 'erp.db'}",
        "query": "select item as sku, shop as location, day as date, sold as quantity from sales",
    }
    caplog.set_level(logging.DEBUG)
    report = load(None, {"sources": {"erp": source}}, shop.warehouse)
    assert report.accepted == {"demand": 2}
    assert load(None, {"sources": {"erp": source}}, shop.warehouse).unchanged
    for url in (
        "postgresql+nosuch://bob:hunter2@host/db",
        "sqlite:////nowhere/at/all.db",
        "://hunter2",
    ):
        with pytest.raises(Problem) as refused:
            load(None, {"sources": {"erp": source | {"url": url}}}, shop.warehouse)
        assert "bob:hunter2" not in str(refused.value)
        assert refused.value.__cause__ is None
    kept = "".join(p.read_text(errors="replace") for p in shop.warehouse.root.rglob("*") if p.is_file())
    assert "hunter2" not in kept + caplog.text
    assert len(shop.warehouse.read("demand")) == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"path": "sales.csv", "colums": {}}, "did you mean columns"),
        ({"table": "sales", "path": "sales.csv"}, "needs table = one of"),
        ({}, "needs one of path"),
        ({"url": "sqlite://"}, "needs one of path, or url and query"),
        ({"path": "sales.csv", "absent": "never"}, "absent must be one of"),
        ({"path": "sales.csv", "attributes": ["x"]}, "takes no attributes"),
        ({"path": "sales.csv", "units": {"quantity": "12"}}, "must be a number"),
        ({"path": "sales.csv", "drop": {"sku": "a"}}, "must list values"),
        ({"path": "sales.csv", "expressions": {"price": "__import__('os')"}}, "may not contain"),
        ({"path": "sales.csv", "expressions": {"price": "nobody * 2"}}, "reads a column 'nobody'"),
        ({"path": "sales.csv", "columns": {"Menge": "quantity"}}, "needs the column Menge"),
        ({"path": "other*.csv"}, "no file fits"),
        ({"path": "sales.csv", "encoding": "klingon"}, "no encoding"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_with_a_remedy(
    shop: Shop, source: dict[str, Any], said: str
) -> None:
    shop.write("sales.csv", PLAIN)
    with pytest.raises(Problem, match=said.replace("(", r"\(")):
        shop.load(x={"table": "demand", **source})
    assert shop.warehouse.tables() == []


def test_a_column_that_the_table_does_not_have_is_refused(shop: Shop) -> None:
    with pytest.raises(Problem, match="'onhand' that stock does not have"):
        shop.load(stock={"path": "stock.csv", "columns": {"x": "onhand"}})


@pytest.mark.parametrize("name", ["demand.parquet", "demand.xlsx", "demand.csv.gz"])
def test_a_damaged_file_is_named(shop: Shop, name: str) -> None:
    shop.write(name, b"\x1f\x8b not what it says")
    with pytest.raises(DataError, match=name):
        shop.load()


def test_the_period_is_guessed_or_said(shop: Shop) -> None:
    rows = "".join(f"a,x,{d:%Y-%m-%d},1\n" for d in pd.date_range("2024-01-07", periods=9, freq="7D"))
    shop.write("demand.csv", "sku,location,date,quantity\n" + rows)
    shop.load()
    assert shop.warehouse.period == Period("week", 6)
    load(shop.folder, {"workspace": {"period": "month"}}, shop.warehouse)
    assert shop.warehouse.period == Period("month")
    with pytest.raises(Problem, match="day, week or month"):
        load(shop.folder, {"workspace": {"period": "year"}}, shop.warehouse)


def test_a_file_that_is_gone_keeps_what_it_gave(shop: Shop) -> None:
    shop.write("sales.csv", PLAIN)
    shop.write("items.csv", "sku\na\n")
    shop.demand(path="sales.csv", absent="closed")
    (shop.folder / "sales.csv").unlink()
    report = shop.load(sales={"table": "demand", "path": "sales.csv"})
    assert any("stays" in note for note in report.notes)
    assert len(shop.warehouse.read("demand")) == 1
    assert shop.warehouse.absent == "closed"


def test_each_source_keeps_its_own_meaning_of_absence(shop: Shop) -> None:
    shop.write("sales.csv", PLAIN + "b,x,2024-01-01,1\n")
    shop.write("web.csv", "sku,location,date,quantity\na,web,2024-01-02,3\nb,x,2024-01-05,1\n")
    shop.load(
        a={"table": "demand", "path": "sales.csv", "absent": "closed"},
        b={"table": "demand", "path": "web.csv", "absent": "missing"},
    )
    told = shop.warehouse.absence()
    assert told.to_numpy().tolist() == [["a", "web", "missing"], ["a", "x", "closed"], ["b", "x", "missing"]]
    early = shop.warehouse.absence(pd.Timestamp("2024-01-03"))
    assert early.to_numpy().tolist() == [["a", "web", "missing"], ["a", "x", "closed"], ["b", "x", "closed"]]
    assert shop.warehouse.absence(pd.Timestamp("2024-01-01")) == "closed"
    before = shop.warehouse.digest()
    shop.load(
        a={"table": "demand", "path": "sales.csv", "absent": "missing"},
        b={"table": "demand", "path": "web.csv", "absent": "closed"},
    )
    assert shop.warehouse.digest() != before


def test_plans_give_covariates_ahead(shop: Shop) -> None:
    shop.write("demand.csv", "sku,location,date,quantity,warmth\na,x,2024-01-01,3,10\n")
    shop.write("plans.csv", "date,location,warmth,remark\n2024-01-02,x,12.5,sunny\n2024-01-03,,14,mild\n")
    report = shop.load()
    assert report.quarantined.empty
    plans = shop.warehouse.read("plans")
    assert plans["warmth"].tolist() == [12.5, 14.0]
    assert "remark" not in plans


def test_only_one_load_runs_at_a_time(shop: Shop) -> None:
    import fcntl

    shop.write("demand.csv", PLAIN)
    shop.load()
    with (shop.warehouse.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Problem, match="another load"):
            shop.load()
