"""The command line as its users run it, judged by its exit code, output and files."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from forecasting.baselines import Baseline
from forecasting.gbm import Gbm
from forecasting.training import train
from serving.cli.app import main


@dataclass(frozen=True)
class Ran:
    """One command that ended."""

    code: int
    out: str
    words: str

    @property
    def summary(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def forestock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs one command in the test's own folder; what nobody foresaw is a failure, whatever the exit code.

    In this process, so that the libraries are imported once; `test_demo` runs the program itself.
    """
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FORESTOCK_")]:
        monkeypatch.delenv(name)

    def run(*arguments: object, expect: int | tuple[int, ...] = 0) -> Ran:
        monkeypatch.setattr(sys, "argv", ["forestock", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        ran = Ran(code, *capsys.readouterr())
        unforeseen = tmp_path / "forestock-error.log"
        assert not unforeseen.exists(), unforeseen.read_text(encoding="utf-8")
        wanted = expect if isinstance(expect, tuple) else (expect,)
        assert ran.code in wanted, f"exit {ran.code}, not {wanted}: {arguments}\n{ran.words}\n{ran.out}"
        return ran

    return run


@pytest.fixture
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training tries one plain and one small learned model: where it matters when one is made, not which."""
    few = (Baseline("moving_average"), Gbm(trees=30))
    monkeypatch.setattr("serving.walk.train", partial(train, candidates=few, origins=4))
