"""What all tests share: where the real data and the browser are."""

import os
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data sets; absent, the test skips, or fails where they are required."""
    if DATA.is_dir():
        return DATA
    reason = f"the real data sets are not part of the repository and {DATA} does not exist"
    if os.environ.get("FORESTOCK_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the browser; absent, the test skips, or fails where everything is required."""
    path = os.environ.get("FORESTOCK_TEST_BROWSER", "/usr/bin/chromium")
    if Path(path).exists():
        return path
    reason = f"the page tests need chromium and {path} does not exist; set FORESTOCK_TEST_BROWSER"
    if os.environ.get("FORESTOCK_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
