"""What all tests share: where the real data lie."""

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
