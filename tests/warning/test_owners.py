"""Who answers for what, and who is told next."""

import pandas as pd
import pytest

from ingestion.errors import Problem
from warning.owners import PLANNER, check_columns, configured_owners, next_owner, owners_of

THREE = {
    "dairy": {"selector": {"category": "Dairy", "location": ["north", "south"]}, "escalate_to": "head"},
    "shelf": {"selector": {"floor": 2}, "escalate_to": "head", "channels": ["mail"], "capacity": 5},
    "head": {},
}


def test_the_first_owner_whose_selector_is_met_answers_and_the_last_for_the_rest() -> None:
    owners = configured_owners(THREE, ["mail"])
    facts = pd.DataFrame(
        {
            "category": ["Dairy", "Dairy", "Bakery", None],
            "location": ["north", "east", "north", "north"],
            "floor": ["2", "2", "1", None],
        }
    )
    assert owners_of(facts, owners).tolist() == ["dairy", "shelf", "head", "head"]
    # A supplier has no category: nobody who asks for one claims it.
    assert owners_of(pd.DataFrame({"supplier": ["acme"]}), owners).tolist() == ["head"]


def test_a_workspace_without_owners_has_a_planner() -> None:
    owners = configured_owners({}, [])
    assert owners_of(pd.DataFrame({"sku": ["a", "b"]}), owners).tolist() == [PLANNER, PLANNER]


def test_a_breach_goes_up_until_there_is_nobody_above() -> None:
    owners = configured_owners(THREE, ["mail"])
    assert next_owner(owners, {"owner": "dairy", "escalated_to": None}) == "head"
    assert next_owner(owners, {"owner": "dairy", "escalated_to": "head"}) == ""
    assert next_owner(owners, {"owner": "left the company"}) == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a": {"chanels": []}}, r"owners\.a has no 'chanels'; did you mean 'channels'\?"),
        ({"a": {"channels": ["male"]}}, r"owners\.a\.channels names 'male'; did you mean 'mail'\?"),
        ({"a": {"escalate_to": "b"}}, r"names 'b', who is no owner; known are a"),
        ({"a": {"escalate_to": "b"}, "b": {"escalate_to": "a"}}, "in a circle: a → b → a"),
        ({"a": {"capacity": 0}}, r"owners\.a\.capacity must be alerts a day, such as 40, got 0"),
        ({"a b": {}}, "letters, digits, _ and -, got 'a b'"),
        ({"a": 3}, r"owners\.a must be a table, got 3"),
        ([], "owners must be a table of tables"),
    ],
)
def test_what_cannot_be_meant_is_refused(content: object, said: str) -> None:
    with pytest.raises(Problem, match=said):
        configured_owners(content, ["mail"])


def test_a_selector_by_a_column_that_nobody_has_is_refused() -> None:
    owners = configured_owners({"a": {"selector": {"categry": "Dairy"}}}, [])
    with pytest.raises(Problem, match=r"owners\.a selects by 'categry'; did you mean 'category'\?"):
        check_columns(owners, ["sku", "category"])
