"""The notebooks as they are kept: stripped of what a run leaves in them. `make notebooks` runs them."""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MACHINE = re.compile(r"/(home|root|Users|work|tmp|mnt|opt|srv)/|[A-Z]:\\\\")


def test_the_four_are_there_in_order() -> None:
    names = ["01_the_walk", "02_compare_runs", "03_add_a_model", "04_why_this_threshold"]
    assert [path.stem for path in NOTEBOOKS] == names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_a_run_leaves(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], f"{cell['id']} has outputs; clear them before you commit"
            assert cell["execution_count"] is None
        assert not cell["metadata"], f"{cell['id']} keeps {cell['metadata']}"
    assert not MACHINE.search(text), "a path of one machine means nothing on another"
    # Any version of Python will do: what a kernel writes of itself changes with every machine.
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    assert set(notebook["metadata"]["language_info"]) == {"name"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_explains_itself(path: Path) -> None:
    """A title first, and no more than a few cells of code in a row without a word."""
    kinds = [cell["cell_type"] for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    assert kinds[0] == "markdown"
    assert "code code code code" not in " ".join(kinds)
