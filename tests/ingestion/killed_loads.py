"""Loads that are killed: run as a program, it kills many and prints what state each left behind.

Every load runs in a fork of this process, which has imported everything and started nothing.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ingestion.loading import load
from ingestion.warehouse import Warehouse

WRITES = [
    (os, "fsync"),
    (Path, "replace"),
    (Path, "mkdir"),
    (Path, "unlink"),
    (Path, "rmdir"),
    (shutil, "rmtree"),
]


def tree(root: Path) -> dict[str, str]:
    """Every file below a folder and the hash of its bytes."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def whole(root: Path) -> str:
    """The state of a warehouse, all of whose files are there."""
    manifest = Warehouse(root).manifest
    missing = [file for file in manifest.files() if not (root / file).exists()]
    return f"lacks {missing}" if missing else manifest.digest


def forked(work: Callable[[], Any], kill_after: float | None = None) -> tuple[int, Any]:
    """Exit status and result of `work` in a fork, killed after some seconds if asked."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        code = 1
        try:
            os.write(write, json.dumps(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(pid, signal.SIGKILL)
    said = b""
    while block := os.read(read, 65536):
        said += block
    os.close(read)
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status), json.loads(said) if said else None


def load_whole(folder: Path, root: Path) -> bool:
    """An undisturbed load."""
    return load(folder, {}, Warehouse(root)).unchanged


def load_and_die(folder: Path, root: Path, at: int) -> int:
    """Load, dying at the call number `at` of those that change the disk; gives how many there were."""
    calls = 0

    def deadly(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)

        return call

    for owner, name in WRITES:
        setattr(owner, name, deadly(getattr(owner, name)))
    load(folder, {}, Warehouse(root))
    return calls


def main(before: Path, after: Path, scratch: Path) -> None:
    """Kill loads of `after` on top of `before`; print the states seen."""
    base, clean = scratch / "base", scratch / "clean"
    forked(partial(load_whole, before, base))
    old = Warehouse(base).manifest.digest
    shutil.copytree(base, clean)
    started = time.monotonic()
    calls = forked(partial(load_and_die, after, clean, -1))[1]
    seconds = time.monotonic() - started
    new = Warehouse(clean).manifest.digest
    wanted = tree(clean)
    rng = random.Random(7)
    points = sorted(rng.sample(range(1, calls + 1), min(calls, 18)))
    plans = [("call", at) for at in points] + [("time", rng.uniform(0, 0.8 * seconds)) for _ in range(6)]
    kills, states, ends = 0, [], []
    for kind, point in plans:
        root = scratch / "killed"
        shutil.copytree(base, root)
        dies = partial(load_and_die, after, root, int(point) if kind == "call" else -1)
        code = forked(dies, kill_after=None if kind == "call" else point)[0]
        kills += code == -signal.SIGKILL
        states.append(whole(root))
        forked(partial(load_whole, after, root))
        ends.append(tree(root) == wanted)
        shutil.rmtree(root)
    told = {"calls": calls, "kills": kills, "old": old, "new": new, "states": states, "ends": ends}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
