"""The command line as its users run it: a process of its own, judged by its exit code, output and files."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """One command that ended."""

    code: int
    out: str
    words: str
    seconds: float

    @property
    def summary(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def forestock(tmp_path: Path) -> Run:
    """Runs one command in the test's own folder; a traceback is a failure whatever the exit code."""

    def run(*arguments: object, expect: int | tuple[int, ...] = 0) -> Ran:
        command = [sys.executable, "-m", "serving.cli", *map(str, arguments)]
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        began = time.monotonic()
        ended = subprocess.run(
            command, check=False, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=600
        )
        ran = Ran(ended.returncode, ended.stdout, ended.stderr, time.monotonic() - began)
        assert "Traceback" not in ran.words, ran.words
        assert not (tmp_path / "forestock-error.log").exists(), (tmp_path / "forestock-error.log").read_text()
        wanted = expect if isinstance(expect, tuple) else (expect,)
        assert ran.code in wanted, (
            f"exit {ran.code}, not {wanted}: {' '.join(command)}\n{ran.words}\n{ran.out}"
        )
        return ran

    return run


def peak_gib() -> float:
    """The largest memory of any command run so far, GiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
