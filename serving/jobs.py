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
    settings: Settings, every: float | None, config: Path | None, as_of: str | None
) -> Iterator[None]:
    """Run the daily job every so many seconds while the block lasts; None never runs it."""
    if every is None:
        yield
        return
    stop = threading.Event()
    arguments = (stop, every, _command(settings, config, as_of), settings.workspace / "daily.log")
    thread = threading.Thread(target=_repeat, args=arguments, daemon=True)
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


def _repeat(stop: threading.Event, every: float, command: list[str], words: Path) -> None:
    while not stop.wait(every):
        with words.open("wb") as file:
            job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)  # noqa: S603
            while job.poll() is None and not stop.wait(1):
                pass
        if stop.is_set():
            job.terminate()
            return
        if job.returncode not in FINE:
            log.warning("the daily job ended with %s; what it said is in %s", job.returncode, words)
