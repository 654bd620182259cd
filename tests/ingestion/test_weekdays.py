"""How days of the week may be written, and what is refused instead of guessed."""

import pandas as pd
import pytest

from ingestion.errors import DataError
from ingestion.weekdays import names_weekdays, read_weekdays


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("Mon, Thu", [0, 3]),
        ("mon;thursday", [0, 3]),
        ("Mon/Thu", [0, 3]),
        ("Mon. + Thu.", [0, 3]),
        ("1,4", [0, 3]),
        ("Mon-Fri", [0, 1, 2, 3, 4]),
        ("Mon – Wed, Sat", [0, 1, 2, 5]),
        ("1-5", [0, 1, 2, 3, 4]),
        ("Sat-Mon", [0, 5, 6]),
        ("7", [6]),
        ("Mondays, Tues, Weds & Thurs", [0, 1, 2, 3]),
    ],
)
def test_what_can_be_read(text: str, days: list[int]):
    assert read_weekdays(text) == days


@pytest.mark.parametrize("text", ["", "0", "8", "Mo, Do", "monsoon", "Mon to Fri", "Mon--Fri", "Mon-Wed-Fri"])
def test_what_is_refused(text: str):
    with pytest.raises(DataError, match="must name weekdays, got"):
        read_weekdays(text)


def test_a_column_of_them():
    told = pd.Series(["Mon", None, "Mo", "1, 4"], dtype="str")
    assert names_weekdays(told).tolist() == [True, True, False, True]
