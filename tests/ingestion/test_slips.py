"""What people mistype: told with its remedy, and nothing else is touched by it."""

import io
from pathlib import Path

import pandas as pd
import pytest

from ingestion.errors import DataError
from ingestion.loading import LoadReport, load
from ingestion.warehouse import Warehouse

HEADER = "sku,location,date,quantity\n"
DAYS = pd.date_range("2024-01-01", periods=150).strftime("%Y-%m-%d")
SALES = "".join(f"A,x,{day},3\n" for day in DAYS)


def loaded(tmp_path: Path, config: dict[str, object] | None = None, **files: str | bytes) -> LoadReport:
    folder = tmp_path / "tables"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        body = text if isinstance(text, bytes) else text.encode()
        (folder / (name if "." in name else f"{name}.csv")).write_bytes(body)
    return load(folder, config or {}, Warehouse(tmp_path / "workspace"))


def findings(report: LoadReport) -> dict[str, str]:
    found = report.health.findings
    return dict(zip(found["kind"], found["message"] + " → " + found["remedy"], strict=True))


def test_names_of_columns_may_differ_in_case_and_signs(tmp_path: Path) -> None:
    demand = "SKU,Location,Date ,Quantity,Promotion,Weather\nA,x,2024-01-01,3,0.2,7\n"
    stock = "Sku,LOCATION,As Of,On Hand\nA,x,2024-01-01,9\n"
    orders = pd.DataFrame(
        {
            "Order ID": ["1"],
            "SKU": "A",
            "Location": "x",
            "Supplier": "s",
            "Quantity": 4,
            "Ordered On": "2024-01-01",
        }
    )
    parquet = io.BytesIO()
    orders.to_parquet(parquet)
    report = loaded(tmp_path, demand=demand, stock=stock, **{"supply_orders.parquet": parquet.getvalue()})
    assert report.accepted == {"demand": 1, "stock": 1, "supply_orders": 1}
    assert report.quarantined.empty
    kept = Warehouse(tmp_path / "workspace").read("demand")
    assert kept["promotion"].tolist() == [0.2]  # the promotion itself, no covariate of that name
    assert kept.columns.tolist()[-1] == "Weather"


def test_a_name_that_two_columns_could_bear_is_left_to_its_owner(tmp_path: Path) -> None:
    text = "sku,location,date,quantity,Price,PRICE,Wind,WIND\nA,x,2024-01-01,3,1,2,7,8\n"
    report = loaded(tmp_path, demand=text)
    kept = Warehouse(tmp_path / "workspace").read("demand")
    assert kept["price"].isna().all()
    assert kept["Wind"].tolist() == [7.0]
    assert report.ignored_columns == {"demand": ("Price", "PRICE", "WIND")}


def test_sources_may_spell_a_covariate_each_in_its_way(tmp_path: Path) -> None:
    config = {"sources": {name: {"table": "demand", "path": f"{name}.csv"} for name in ("till", "web")}}
    head = "sku,location,date,quantity,"
    till, web = f"{head}Wind\nA,x,2024-01-01,3,7\n", f"{head}wind\nA,web,2024-01-01,3,8\n"
    loaded(tmp_path, config, **{"till.csv": till, "web.csv": web})
    kept = Warehouse(tmp_path / "workspace").read("demand")
    assert kept[["location", "Wind"]].to_numpy().tolist() == [["web", 8.0], ["x", 7.0]]


def test_columns_of_a_mapping_keep_the_names_it_gives(tmp_path: Path) -> None:
    config = {"sources": {"sales": {"table": "demand", "path": "s.csv", "columns": {"Quantity": "price"}}}}
    report = loaded(
        tmp_path, config, **{"s.csv": "sku,location,date,Quantity,quantity\nA,x,2024-01-01,5,3\n"}
    )
    kept = Warehouse(tmp_path / "workspace").read("demand")
    assert report.quarantined.empty
    assert kept[["quantity", "price"]].to_numpy().tolist() == [[3.0, 5.0]]


def test_a_mistyped_year_is_told(tmp_path: Path) -> None:
    report = loaded(tmp_path, demand=f"{HEADER}{SALES}A,x,2042-01-03,3\n")
    assert "1 rows lie long after all others, from 2042-01-03" in findings(report)["stray_dates"]
    assert "others end on 2024-05-29" in findings(report)["stray_dates"]


def test_a_year_mistyped_into_the_future_does_not_move_the_day(tmp_path: Path) -> None:
    stock = "sku,location,as_of,on_hand\nA,x,2024-05-29,7\n"
    report = loaded(tmp_path, demand=f"{HEADER}{SALES}A,x,2062-01-05,3\n", stock=stock)
    assert Warehouse(tmp_path / "workspace").last_date() == pd.Timestamp("2024-05-29")
    assert {"stray_dates", "stale"} & findings(report).keys() == {"stray_dates"}


def test_a_history_that_lies_in_the_future_as_a_whole_is_taken_as_it_is(tmp_path: Path) -> None:
    report = loaded(tmp_path, demand=HEADER + SALES.replace("2024-", "2064-"))
    assert Warehouse(tmp_path / "workspace").last_date() == pd.Timestamp("2064-05-29")
    assert "stray_dates" not in findings(report)


def test_a_new_year_after_a_closed_season_is_no_slip(tmp_path: Path) -> None:
    later = SALES.replace("2024-", "2025-").replace("2025-02-29", "2025-06-30")
    assert "stray_dates" not in findings(loaded(tmp_path, demand=HEADER + SALES + later))


def test_months_counted_as_days_are_told(tmp_path: Path) -> None:
    months = "".join(f"A,x,{day:%Y-%m-%d},9\n" for day in pd.date_range("2022-01-01", periods=24, freq="MS"))
    report = loaded(tmp_path, {"workspace": {"period": "day"}}, demand=HEADER + months)
    assert 'period = "month" under [workspace]' in findings(report)["spacing"]
    assert "spacing" not in findings(loaded(tmp_path, {"workspace": {"period": "month"}}))


def test_one_item_in_two_spellings_is_told(tmp_path: Path) -> None:
    report = loaded(tmp_path, demand=f"{HEADER}{SALES}a,x,2024-05-29,3\n")
    assert "such as A = a" in findings(report)["alike"]
    assert report.quarantined.empty


def test_a_bar_code_among_quantities_and_a_damaged_name_are_set_aside(tmp_path: Path) -> None:
    report = loaded(tmp_path, demand=f"{HEADER}{SALES}A,x,2024-06-01,6901234567890\nA\0,x,2024-06-02,1\n")
    assert report.accepted == {"demand": 150}
    assert report.quarantined["rule"].tolist() == [
        "must be below 1,000,000,000,000",
        "holds bytes that are not text",
    ]


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("demand.csv", b"PK\x03\x04\r\x00rest", "name it .xlsx"),
        ("demand.csv", b"\xd0\xcf\x11\xe0rest", "save it as .xlsx"),
        ("demand.csv", b"PAR1rest", "name it .parquet"),
        ("demand.xlsx", b"sku,location,date,quantity\n", "name it .csv if it is text"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_told_so(
    tmp_path: Path, name: str, body: bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        loaded(tmp_path, **{name: body})


def test_lines_may_end_as_they_did_on_old_machines(tmp_path: Path) -> None:
    report = loaded(tmp_path, demand=(HEADER + SALES).replace("\n", "\r"))
    assert report.accepted == {"demand": 150}


def test_files_that_nobody_reads_are_named_whatever_they_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no table, but stock\.xls"):
        loaded(tmp_path, **{"stock.xls": "x"})
    report = loaded(tmp_path, demand=HEADER + SALES, **{"forestock.toml": ""})
    assert report.ignored_files == ("stock.xls",)


def test_a_spoilt_export_takes_nothing_away_and_the_next_good_one_replaces(tmp_path: Path) -> None:
    loaded(tmp_path, demand=HEADER + SALES)
    spoilt = HEADER + "".join(f"A,x,{day[8:]}/{day[5:7]}/{day[:4]},4\n" for day in DAYS)
    report = loaded(tmp_path, demand=spoilt)
    assert len(report.quarantined) == 150
    assert report.notes == (
        "demand: none of the 150 rows of demand.csv is good; the 150 rows that it gave before stay",
    )
    warehouse = Warehouse(tmp_path / "workspace")
    assert warehouse.read("demand")["quantity"].tolist() == [3.0] * 150
    assert loaded(tmp_path, demand=spoilt).unchanged
    report = loaded(tmp_path, demand=HEADER + "A,x,2024-01-01,4\n")
    assert warehouse.read("demand")["quantity"].tolist() == [4.0]
    assert report.quarantined.empty
