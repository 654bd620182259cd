"""What is recorded after the as-of date changes no byte of a forecast, a threshold or a risk."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

from ingestion.retailer import simulate

pytestmark = pytest.mark.walk


def poison(folder: Path, as_of: pd.Timestamp) -> None:
    """Rows of every dated table after the as-of date, as wild as their contracts allow."""
    after = as_of + pd.Timedelta(days=3)

    def change(name: str, edit) -> None:
        path = folder / f"{name}.parquet"
        edit(pd.read_parquet(path)).to_parquet(path, index=False)

    def later(frame: pd.DataFrame, column: str, **values: object) -> pd.DataFrame:
        rows = frame[pd.to_datetime(frame[column]) > as_of]
        assert len(rows), f"no row of {column} to poison"
        return frame.assign(
            **{name: frame[name].mask(frame.index.isin(rows.index), value) for name, value in values.items()}
        )

    change("demand", lambda f: later(f, "date", quantity=9999.0, price=0.01, promotion=1.0))
    change(
        "stock",
        lambda f: pd.concat([f, f.drop_duplicates(["sku", "location"]).assign(as_of=after, on_hand=0.0)]),
    )
    late = pd.Timedelta(days=200)
    change(
        "supply_orders",
        lambda f: f.assign(
            received_on=f["received_on"].mask(f["received_on"] > as_of, f["received_on"] + late)
        ),
    )
    change(
        "supply_orders",
        lambda f: pd.concat(
            [
                f,
                f.head(50)
                .drop_duplicates(["order_id", "line"])
                .assign(order_id=lambda g: "poison " + g["order_id"], ordered_on=after, received_on=pd.NaT),
            ]
        ),
    )
    change("plans", lambda f: pd.concat([f, f.tail(200).assign(promotion=0.9, known_from=after)]))
    sold = pd.read_parquet(folder / "demand.parquet").query("date <= @as_of").tail(30)
    corrections = [
        {
            "kind": "demand_correction",
            "subject": f"{row.sku}@{row.location}@{row.date.date()}",
            "value": "777",
        }
        for row in sold.itertuples()
    ]
    tag = {"kind": "event_tag", "subject": f"*@*@{as_of.date()}..{late_day(as_of)}", "value": "poison"}
    pd.DataFrame([*corrections, tag]).assign(author="a", at=after).to_parquet(folder / "feedback.parquet")


def late_day(as_of: pd.Timestamp) -> str:
    return (as_of + pd.Timedelta(days=30)).date().isoformat()


def test_poison_after_the_date_changes_no_output_byte(forestock, tmp_path: Path) -> None:
    retailer = simulate(seed=5, items=8, stores=2, days=430)
    clean, dirty = tmp_path / "clean", tmp_path / "dirty"
    retailer.write(clean)
    shutil.copytree(clean, dirty)
    as_of = retailer.last_day - pd.Timedelta(days=40)
    poison(dirty, as_of)

    outputs = {}
    for folder in (clean, dirty):
        there = ["--workspace", tmp_path / f"{folder.name}-workspace", "--as-of", as_of.date()]
        forestock("load", folder, *there, expect=0)
        forestock("train", *there)
        outputs[folder.name] = {}
        for command in (
            ["forecast", "--horizon", 21],
            ["forecast", "--cumulative", "--horizons", "7,14,28", "--levels", "0.5,0.9,0.99"],
            ["thresholds"],
            ["risk", "--horizon", 28],
            ["plan"],
        ):
            out = tmp_path / f"{folder.name}-{len(outputs[folder.name])}.csv"
            forestock(*command, *there, "--out", out)
            outputs[folder.name][" ".join(map(str, command))] = out.read_bytes()
    for command, body in outputs["clean"].items():
        assert len(body.splitlines()) > 10 or command == "plan", f"{command} gave nothing to compare"
        assert body == outputs["dirty"][command], f"{command} saw what was recorded after {as_of.date()}"


@pytest.mark.usefixtures("few_candidates")
def test_the_poison_is_seen_once_its_date_has_come(forestock, tmp_path: Path) -> None:
    """The proof that the poison above is strong enough to be noticed."""
    retailer = simulate(seed=5, items=4, stores=1, days=200)
    clean, dirty = tmp_path / "clean", tmp_path / "dirty"
    retailer.write(clean)
    shutil.copytree(clean, dirty)
    poison(dirty, retailer.last_day - pd.Timedelta(days=40))
    bodies = []
    for folder in (clean, dirty):
        there = ["--workspace", tmp_path / f"{folder.name}-workspace"]
        forestock("load", folder, *there)
        forestock("thresholds", *there, "--out", tmp_path / f"{folder.name}.csv")
        bodies.append((tmp_path / f"{folder.name}.csv").read_bytes())
    assert bodies[0] != bodies[1]
