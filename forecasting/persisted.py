"""A folder of model files that can be trusted: every file named and hashed, nothing else beside them.

It owns the manifest. Files are LightGBM text, JSON and Parquet; none can run code when read, and none is
read before its SHA-256 agrees.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from ingestion.errors import Problem

MANIFEST = "manifest.json"
SUFFIXES = (".json", ".parquet", ".txt")


def seal(folder: Path) -> str:
    """Write the manifest of all files in `folder`; its content hash, the model's version."""
    files = {path.name: _digest(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    (folder / MANIFEST).write_text(_canonical(files), encoding="utf-8")
    return version_of(files)


def verify(folder: Path) -> str:
    """The version of a sealed folder; Problem where a file is missing, changed, foreign or not allowed."""
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        manifest: Any = json.loads(text)
        files = {str(name): str(digest) for name, digest in manifest["files"].items()}
        if text != _canonical(files):
            raise ValueError("the manifest is not as it was written")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem(
            f"a model folder must hold a readable {MANIFEST}, {folder} does not; train again"
        ) from error
    present = {path.name: path for path in folder.iterdir() if path.name != MANIFEST}
    for name in sorted(set(present) | set(files)):
        if not name.endswith(SUFFIXES) or Path(name).name != name:
            raise Problem(
                f"model files are {', '.join(SUFFIXES)} in one folder, found {name!r} in {folder}; remove it"
            )
        if name not in files:
            raise Problem(f"every model file must be in the manifest, {name!r} in {folder} is not; remove it")
        path = present.get(name)
        if path is None or path.is_symlink() or not path.is_file():
            raise Problem(
                f"model file {name!r} must be a plain file in {folder}, it is not there; train again"
            )
        if _digest(path) != files[name]:
            raise Problem(
                f"model file {name!r} in {folder} was changed after training; restore it or train again"
            )
    return version_of(files)


def version_of(files: dict[str, str]) -> str:
    """Twelve hexadecimal digits that name a set of files by content."""
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]


def _canonical(files: dict[str, str]) -> str:
    return json.dumps({"files": files}, indent=1, sort_keys=True)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
