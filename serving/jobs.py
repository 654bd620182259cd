"""Jobs: the daily run beside the service, in a process of its own.

A run trains models and holds whole tables; kept apart, it can neither slow an answer down nor take the
service with it when it fails.
"""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.settings import Settings

log = logging.getLogger(__name__)
FINE = (0, 3)  # nothing to say, alerts found


@contextmanager
def scheduler(
    settings: Settings, every: float | None, first: float, *, config: Path | None, as_of: str | None
) -> Iterator[None]:
    """Run the daily job while the block lasts.

    every: seconds from one run to the next; None never runs it
    first: seconds until the first run: what is left of `every` since the last one
    """
    if every is None:
        yield
        return
    stop = threading.Event()
    command, words = _command(settings, config, as_of), settings.workspace / "daily.log"
    thread = threading.Thread(target=_repeat, args=(stop, every, first, command, words), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=5)


def _command(settings: Settings, config: Path | None, as_of: str | None) -> list[str]:
    command = [sys.executable, "-m", "serving.cli", "run", "--workspace", str(settings.workspace)]
    command += ["--config", str(config)] if config else []
    return command + (["--as-of", as_of] if as_of else [])


def _repeat(stop: threading.Event, every: float, first: float, command: list[str], words: Path) -> None:
    pause = first
    while not stop.wait(pause):
        pause = every
        try:
            _once(stop, command, words)
        except OSError:
            # A full disk today must not end the job for all days to come.
            log.exception("the daily job could not be started")


def _once(stop: threading.Event, command: list[str], words: Path) -> None:
    words.parent.mkdir(parents=True, exist_ok=True)
    with words.open("wb") as file:
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)  # noqa: S603
        while job.poll() is None and not stop.wait(1):
            pass
    if job.poll() is None:
        job.terminate()
        job.wait()
    elif job.returncode not in FINE:
        log.warning("the daily job ended with %s; what it said is in %s", job.returncode, words)
