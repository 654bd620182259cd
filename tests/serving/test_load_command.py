"""What `forestock load` says to the person who typed it."""

from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from serving.cli import show
from serving.cli.app import app

HEADER = "sku,location,date,quantity,cashier\n"


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that wraps no cell, whatever COLUMNS said when the console was made."""
    monkeypatch.setattr(show.words, "width", 250)


def load(tmp_path: Path, text: str, *more: str) -> str:
    folder = tmp_path / "in"
    folder.mkdir(exist_ok=True)
    (folder / "demand.csv").write_text(HEADER + text, encoding="utf-8")
    (folder / "forestock.toml").write_text('[workspace]\nperiod = "day"\n', encoding="utf-8")
    where = ["--workspace", str(tmp_path / "workspace"), "--config", str(folder / "forestock.toml")]
    done = CliRunner().invoke(app, ["load", str(folder), *where, *more])
    assert done.exit_code in (0, 4), done.exception
    return done.output


def test_one_mistake_in_every_row_is_one_line_and_the_rows_can_be_had(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60).strftime("%d/%m/%Y")
    text = "".join(f"a,x,{day},1,bob\n" for day in days)
    said = load(tmp_path, text)
    assert said.count("is not a date") == 1
    assert "60" in next(line for line in said.splitlines() if "is not a date" in line)
    assert "--quarantine" in said
    load(tmp_path, text, "--quarantine", str(tmp_path / "bad.csv"))
    bad = pd.read_csv(tmp_path / "bad.csv")
    assert bad["value"].tolist() == list(days)
    assert bad["record"].str.contains("bob").all()


def test_a_section_in_brackets_is_shown_as_it_is_and_numbers_as_people_write_them(tmp_path: Path) -> None:
    months = pd.date_range("2022-01-01", periods=24, freq="MS")
    said = load(tmp_path, "".join(f"a,x,{day:%Y-%m-%d},1,bob\n" for day in months))
    assert 'say period = "month" under [workspace]' in said
    assert "demand cashier" in said
    assert "{'" not in said
    assert "unchanged              no" in said


def test_the_command_says_its_version() -> None:
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"forestock {version('forestock')}\n")
    assert "Inventory early warning" in CliRunner().invoke(app, ["--help"]).output
