"""A folder of model files that can be trusted: every file named and hashed, nothing else beside them.

It owns the manifest. Files are LightGBM text, JSON and Parquet; none can run code when read. None is parsed
before its name, kind, size, opening bytes and SHA-256 agree with the manifest.

Trust starts outside the folder. Whoever can write the files could seal others, so the SHA-256 of the manifest
(`digest_of`) is kept with the registered version, and serving compares it first: that is enough as long as
only trainers can write the registry. Where others can too, as on an MLflow server without passwords, a secret
key held by the trainers and servers of a workspace signs what is registered (`sign`). A key that lay beside
the files would add nothing: who can change the files could read it, so there is none unless one is set.
"""

import hashlib
import hmac
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingestion.errors import Problem

MANIFEST = "manifest.json"
# By suffix, how each file must begin: a pickle under another name does not.
OPENINGS = {".json": (b"{", b"["), ".parquet": (b"PAR1",), ".txt": (b"tree",)}
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_FILES, MOST_BYTES = 200, 256 * 2**20
MOST_MANIFEST = 2**16  # bytes


def seal(folder: Path) -> str:
    """Write the manifest of all files in `folder`; the model's version. Problem for a file not allowed."""
    paths = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
    _count(len(paths), folder)
    files = {path.name: _digest(folder, path.name) for path in paths}
    (folder / MANIFEST).write_text(_canonical(files), encoding="utf-8")
    return digest_of(folder)[:12]


def verify(folder: Path) -> str:
    """The version of a sealed folder; Problem where a file is missing, changed, foreign or not allowed."""
    files = _manifest(folder)
    _count(len(files), folder)
    for name in sorted(files):
        _admit(folder, name)
    for name in sorted(path.name for path in folder.iterdir() if path.name != MANIFEST):
        _admit(folder, name)
        if name not in files:
            raise Problem(f"every model file must be in the manifest, {name!r} in {folder} is not; remove it")
    for name, digest in files.items():
        if not hmac.compare_digest(_digest(folder, name), digest):
            raise Problem(
                f"model file {name!r} in {folder} was changed after training; restore it or train again"
            )
    return digest_of(folder)[:12]


def digest_of(folder: Path) -> str:
    """SHA-256 of the manifest, which stands for all files: 64 hexadecimal digits, the version being 12."""
    return hashlib.sha256(_read_manifest(folder).encode()).hexdigest()


def sign(claims: Mapping[str, str], key: str) -> str:
    """HMAC-SHA-256 of what is claimed of a model, as hexadecimal digits.

    >>> sign({"manifest": "ab", "as_of": "2024-03-01"}, "key") == sign({"manifest": "ab"}, "key")
    False
    """
    text = json.dumps(dict(claims), sort_keys=True)
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _read_manifest(folder: Path) -> str:
    path = folder / MANIFEST
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_MANIFEST:
            raise ValueError("the manifest is no plain file of its size")
        return path.read_bytes().decode()
    except (OSError, ValueError) as error:
        raise _unreadable(folder) from error


def _manifest(folder: Path) -> dict[str, str]:
    """Names and digests as sealed."""
    text = _read_manifest(folder)
    try:
        manifest: Any = json.loads(text)
        files = {str(name): str(digest) for name, digest in manifest["files"].items()}
        if text != _canonical(files):
            raise ValueError("the manifest is not as it was written")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _unreadable(folder) from error
    return files


def _unreadable(folder: Path) -> Problem:
    return Problem(f"a model folder must hold a readable {MANIFEST}, {folder} does not; train again")


def _count(files: int, folder: Path) -> None:
    if files > MOST_FILES:
        raise Problem(f"a model has at most {MOST_FILES} files, {folder} has {files}; train again")


def _admit(folder: Path, name: str) -> None:
    """Refuse a name that leaves the folder, a kind that could run code, a link and a file too large."""
    if not NAME.fullmatch(name) or Path(name).suffix not in OPENINGS:
        raise Problem(
            f"model files are {', '.join(OPENINGS)} in one folder, found {name!r} in {folder}; remove it"
        )
    try:
        found = (folder / name).lstat()
    except OSError:
        found = None
    if found is None or not stat.S_ISREG(found.st_mode):
        raise Problem(f"model file {name!r} must be a plain file in {folder}, it is not there; train again")
    if found.st_size > MOST_BYTES:
        raise Problem(
            f"a model file has at most {MOST_BYTES} bytes, {name!r} in {folder} has {found.st_size}; "
            "train again on fewer series"
        )


def _digest(folder: Path, name: str) -> str:
    """SHA-256 of an admitted file that begins as its kind does."""
    _admit(folder, name)
    with (folder / name).open("rb") as file:
        if not file.read(8).startswith(OPENINGS[Path(name).suffix]):
            raise Problem(
                f"model file {name!r} in {folder} does not begin as {Path(name).suffix} files do, "
                "it may be a pickle or another program; remove it and train again"
            )
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _canonical(files: dict[str, str]) -> str:
    return json.dumps({"files": files}, indent=1, sort_keys=True)
