"""kill −9 while watching and delivering: nothing is lost, nothing is doubled. 200 kills: benchmarks/."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "killed_deliveries.py"
SERVER = os.environ.get("FORESTOCK_TEST_POSTGRES", "")


@pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork are POSIX")
@pytest.mark.parametrize("server", ["", "postgresql"])
def test_who_is_killed_is_started_again_and_leaves_what_an_undisturbed_one_leaves(server: str) -> None:
    if server and not SERVER:
        pytest.skip("FORESTOCK_TEST_POSTGRES names no PostgreSQL server to test with")
    asked = ["--kills", "12", *(["--server", SERVER] if server else [])]
    done = subprocess.run(
        [sys.executable, PROGRAM, *asked], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["complaints"] == []
    assert told["kills"] >= 12
    assert any(count for name, count in told["by_point"].items() if name.startswith("watch"))
    assert any(count for name, count in told["by_point"].items() if name.startswith("deliver"))
    assert told["notices_sent"] > 50
