"""The engine as its own process, against a real service on loopback that is stopped and started again."""

import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
import uvicorn

from ingestion.errors import Problem
from serving.api.app import create_app
from serving.results import Results
from serving.settings import Settings
from serving.store.store import Store
from serving.upstream import UnreachableError, Upstream
from serving.watching import keep_watch

SOURCES = pd.DataFrame(
    {"source": ["pos"], "table": "demand", "behind_days": 0, "stale": False, "positions": 60.0}
)
SUPPLIERS = pd.DataFrame({"supplier": ["Northern Dairy"], "open_orders": 9.0, "overdue": 5.0, "late": 70.0})


def publish(shop: Any, folder: Path, as_of: pd.Timestamp, **change: Any) -> None:
    """What a run would leave, a few days ago at most, so that the service calls it fresh."""
    until = as_of + pd.Timedelta(days=1)
    facts = shop.facts.assign(data_as_of=as_of, data_digest="d", **change)
    levels = shop.thresholds.assign(valid_from=until, valid_until=until)
    tables = {"thresholds": levels, "positions": facts, "orders": shop.orders}
    larger = {"suppliers": SUPPLIERS, "sources": SOURCES, "thresholds": levels}
    written = Results(folder / "results").write(as_of, larger)
    store = Store.open(f"sqlite:///{folder}/store.db")
    store.publish(as_of, "d", "m", tables, results_digest=written, at=datetime.now(UTC))
    store.close()


@contextmanager
def service(folder: Path, port: int = 0) -> Iterator[tuple[str, list[str]]]:
    """A real service over a workspace: its address, and the lines it writes."""
    command = [sys.executable, "-m", "serving.cli", "serve", "--workspace", str(folder), "--every", "0"]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    lines: list[str] = []
    url = ""
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            url = found[0]
            break
    assert url, lines
    reader = Thread(target=lambda: lines.extend(process.stderr or []), daemon=True)
    reader.start()
    try:
        yield url, lines
    finally:
        process.kill()
        process.wait()
        reader.join(timeout=10)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The same service in a thread: it starts at once."""
    store = Store.open(f"sqlite:///{folder}/store.db")
    app = create_app(Settings(workspace=folder), store, Results(folder / "results"))
    place = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    thread = Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        store.close()


def answers(lines: list[str]) -> list[int]:
    """Status of every request that the access log tells of."""
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):
            found.append(json.loads(line)["status"])
    return found


@pytest.fixture
def yesterday() -> pd.Timestamp:
    return pd.Timestamp(datetime.now().date()) - pd.Timedelta(days=1)


def test_it_fetches_what_has_changed_and_goes_on_without_the_service(
    shop: Any, tmp_path: Path, yesterday: pd.Timestamp
) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    publish(shop, there, yesterday)
    settings = Settings(workspace=here)
    store = Store.open(f"sqlite:///{here}/store.db")
    now = datetime.now(UTC)
    with service(there) as (url, lines):
        upstream = Upstream(url, here / "upstream")
        first = keep_watch(store, upstream.see(now), settings, now)
        assert first.degraded == ""
        assert first.opened > 10
        assert first.series == len(shop.facts)
        assert "supplier_late" in set(first.open["rule"])
        again = keep_watch(store, upstream.see(now), settings, now)
        assert (again.opened, again.resolved) == (0, 0)
    assert answers(lines) == [200] * 4 + [304] * 4

    cut_off = keep_watch(
        store, upstream.see(now + timedelta(minutes=5)), settings, now + timedelta(minutes=5)
    )
    assert re.match(r"http://127\.0\.0\.1:\d+ cannot be reached \(\w+\); going on with", cut_off.degraded)
    assert (cut_off.opened, cut_off.resolved, len(cut_off.open)) == (0, 0, len(first.open))

    # A process that starts anew finds the last good answer on disk.
    assert Upstream(url, here / "upstream").see(now).degraded
    with pytest.raises(UnreachableError):
        Upstream(url, tmp_path / "elsewhere").see(now)

    publish(shop, there, yesterday, on_hand=0.0)
    port = int(url.rpartition(":")[2])
    with service(there, port) as (_, lines):
        back = keep_watch(store, upstream.see(now + timedelta(hours=1)), settings, now + timedelta(hours=1))
    assert back.degraded == ""
    wanted = (
        shop.facts if "lifecycle" not in shop.facts else shop.facts[shop.facts["lifecycle"] != "discontinued"]
    )
    wanted = wanted[~(wanted["order_up_to"] <= 0)]
    assert int((back.open["rule"] == "out_of_stock").sum()) == len(wanted)
    # Levels and suppliers had not changed; the positions had.
    assert sorted(answers(lines)) == [200, 304, 304, 304]
    store.close()


def test_figures_of_days_ago_raise_a_data_alert_and_no_stock_alert(
    shop: Any, tmp_path: Path, yesterday: pd.Timestamp
) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    publish(shop, there, yesterday, on_hand=0.0)
    store, settings = Store.open(f"sqlite:///{here}/store.db"), Settings(workspace=here)
    now = datetime.now(UTC)
    with served(there) as url:
        upstream = Upstream(url, here / "upstream")
        upstream.see(now)
    late = now + timedelta(days=2)
    soon = keep_watch(store, upstream.see(late), settings, late)
    assert "out_of_stock" in set(soon.open["rule"])
    later = now + timedelta(days=4)
    found = keep_watch(store, upstream.see(later), settings, later)
    assert found.opened == 1
    data = found.open[found.open["rule"] == "stale_data"].iloc[0]
    assert data["about"] == url
    assert data["title"].startswith(f"{url}: no new data for 5 days")
    about = found.open[found.open["subject"] != "source"]
    assert set(about["subject"]) == {"item", "supplier"}
    assert set(about["data_state"]) == {"stale"}
    store.close()
    # An engine that begins only now knows no better.
    fresh = Store.open(f"sqlite:///{tmp_path}/fresh.db")
    assert keep_watch(fresh, upstream.see(later), settings, later).open["rule"].tolist() == ["stale_data"]
    fresh.close()


def test_levels_are_those_of_the_day(shop: Any, tmp_path: Path, yesterday: pd.Timestamp) -> None:
    """Thresholds that are published ahead hold from their date on, even while the service is away."""
    there = tmp_path / "there"
    today, tomorrow = (yesterday + pd.Timedelta(days=days) for days in (1, 2))
    levels = pd.concat(
        [
            shop.thresholds.assign(valid_from=today, valid_until=today, reorder_point=10.0),
            shop.thresholds.assign(valid_from=tomorrow, valid_until=tomorrow, reorder_point=99.0),
        ]
    )
    in_force = levels[levels["valid_from"] == today]
    tables = {"thresholds": in_force, "positions": shop.facts.assign(data_digest="d"), "orders": shop.orders}
    larger = {"suppliers": SUPPLIERS, "sources": SOURCES, "thresholds": levels}
    written = Results(there / "results").write(yesterday, larger)
    store = Store.open(f"sqlite:///{there}/store.db")
    store.publish(yesterday, "d", "m", tables, results_digest=written, at=datetime.now(UTC))
    store.close()
    now = datetime.now(UTC)
    with served(there) as url:
        upstream = Upstream(url, tmp_path / "upstream")
        assert set(upstream.see(now).facts["reorder_point"]) == {10.0}
    assert set(upstream.see(now + timedelta(days=1)).facts["reorder_point"]) == {99.0}


def test_the_command_says_that_it_is_degraded(shop: Any, tmp_path: Path, yesterday: pd.Timestamp) -> None:
    there = tmp_path / "there"
    publish(shop, there, yesterday)

    def watch(url: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "serving.cli", "watch", "--api", url, "--json"]
        return subprocess.run(
            [*command, "--workspace", str(tmp_path / "here")],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    with service(there) as (url, _):
        well = watch(url)
    assert well.returncode == 3, well.stderr
    assert "degraded" not in json.loads(well.stdout)
    cut_off = watch(url)
    assert cut_off.returncode == 3, cut_off.stderr
    told = json.loads(cut_off.stdout)
    assert "cannot be reached" in told["degraded"]
    assert told["alerts_open"] == json.loads(well.stdout)["alerts_open"]
    nowhere = watch("http://127.0.0.1:9")
    assert nowhere.returncode == 1
    assert "cannot be reached" in nowhere.stderr


class _Foreign(BaseHTTPRequestHandler):
    """Something that answers, but is no forestock service."""

    def do_GET(self) -> None:
        if self.path.startswith("/v1/thresholds"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/secret")
        else:
            self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_what_is_no_forestock_service_is_told_apart_and_not_followed(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Foreign)
    Thread(target=server.serve_forever, daemon=True).start()
    with pytest.raises(UnreachableError, match="answered 302 for thresholds"):
        Upstream(f"http://127.0.0.1:{server.server_port}", tmp_path).see(datetime.now(UTC))
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("url", ["ftp://a", "127.0.0.1:8000", "http://", "http://ann:hunter2@a:1"])
def test_an_address_that_is_none_is_refused_without_its_secret(url: str, tmp_path: Path) -> None:
    with pytest.raises(
        Problem, match=r"--api must be an address .* write http://127\.0\.0\.1:8000"
    ) as caught:
        Upstream(url, tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_torn_answer_on_disk_is_fetched_again(shop: Any, tmp_path: Path, yesterday: pd.Timestamp) -> None:
    there, kept = tmp_path / "there", tmp_path / "upstream"
    publish(shop, there, yesterday)
    now = datetime.now(UTC)
    with served(there) as url:
        upstream = Upstream(url, kept)
        whole = upstream.see(now)
        next(kept.glob("positions-*")).unlink()
        again = upstream.see(now)
        (kept / "state.json").write_text("{", encoding="utf-8")
        third = upstream.see(now)
    for seen in (again, third):
        pd.testing.assert_frame_equal(seen.facts, whole.facts)
    assert np.isfinite(whole.facts["reorder_point"]).any()
