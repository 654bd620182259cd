"""Code: which code learned a model, so that two trainings that differ can be told apart."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOMS = ("ingestion", "forecasting")  # what a model is learned by


@cache
def code_version() -> str:
    """The release, and the hash of the rooms that a model comes from: it changes when a line of them does.

    >>> release, _, digest = code_version().partition("+")
    >>> len(digest)
    12
    """
    whole, root = hashlib.sha256(), Path(__file__).resolve().parents[1]
    for path in sorted(path for room in ROOMS for path in (root / room).rglob("*.py")):
        whole.update(f"{path.relative_to(root).as_posix()}:".encode() + path.read_bytes())
    return f"{version('forestock')}+{whole.hexdigest()[:12]}"
