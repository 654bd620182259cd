"""A real MLflow server as compose.yaml starts it: sign-in, runs in PostgreSQL, files through the server."""

import configparser
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sqlalchemy import create_engine, make_url, text

from forecasting.baselines import Baseline
from forecasting.panel import build_panel
from forecasting.tracking import recording, registry
from forecasting.training import train
from ingestion.periods import Period

FOLDER = Path(__file__).resolve().parents[1] / "mlflow"
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=1"


@dataclass(frozen=True)
class Server:
    """A running server: its address, and the first user's name and password."""

    address: str
    user: tuple[str, str]

    def get(self, path: str, user: tuple[str, str] | None = None, host: str | None = None) -> int:
        """Status of a call."""
        request = urllib.request.Request(self.address + path)
        if user is not None:
            request.add_header("Authorization", "Basic " + b64encode(":".join(user).encode()).decode())
        if host is not None:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """URL of a database of the test's own."""
    address = os.environ.get("FORESTOCK_TEST_POSTGRES")
    if not address:
        pytest.skip("FORESTOCK_TEST_POSTGRES names no PostgreSQL server to test with")
    name = f"mlflow_{secrets.token_hex(6)}"
    engine = create_engine(address, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(address).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="module")
def server(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server as compose.yaml starts it, with folders and a port of its own."""
    place = tmp_path_factory.mktemp("server")
    config = configparser.ConfigParser(interpolation=None)
    config.read(FOLDER / "basic_auth.ini", encoding="utf-8")
    config["mlflow"]["database_uri"] = f"sqlite:///{place}/users.db"
    with (place / "basic_auth.ini").open("w", encoding="utf-8") as file:
        config.write(file)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = ("admin", secrets.token_hex(12))
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": str(place / "basic_auth.ini"),
        "MLFLOW_AUTH_ADMIN_USERNAME": user[0],
        "MLFLOW_AUTH_ADMIN_PASSWORD": user[1],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    changed = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
        "--artifacts-destination": str(place / "artifacts"),
        "--allowed-hosts": "localhost:*,127.0.0.1:*",
    }
    words = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    command = [replaced(word, changed) for word in words["services"]["mlflow"]["command"]]
    with (place / "log").open("w") as log:
        running = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=place, env=environment, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    made = Server(f"http://127.0.0.1:{port}", user)
    try:
        wait_for(made, running, place / "log")
        yield made
    finally:
        os.killpg(running.pid, signal.SIGTERM)
        running.wait(30)


def replaced(word: str, changed: dict[str, str]) -> str:
    """An option of the command with the value that the test gives it."""
    name = word.partition("=")[0]
    return f"{name}={changed[name]}" if name in changed else word


def wait_for(server: Server, running: subprocess.Popen, log: Path, seconds: float = 150.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if running.poll() is not None:
            break
        try:
            if server.get("/health") == 200:
                return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server did not come up: {log.read_text(encoding='utf-8')[-2000:]}")


def test_who_does_not_sign_in_is_refused(server: Server):
    assert server.get(SEARCH) == 401
    assert server.get(SEARCH, ("admin", "wrong")) == 401
    assert server.get(SEARCH, server.user) == 200


def test_a_foreign_host_name_is_refused(server: Server):
    assert server.get(SEARCH, server.user, host="elsewhere.example") == 403


def test_a_training_is_recorded_there_and_its_model_found_again(server: Server, tmp_path, monkeypatch):
    """Another machine, which has no file in common with the one that trained, reads the same model."""
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", server.user[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", server.user[1])
    dates = pd.date_range("2024-01-01", periods=120)
    sold = np.random.default_rng(1).poisson(np.repeat([0.5, 2.0, 9.0], len(dates))).astype(float)
    demand = pd.DataFrame({"sku": np.repeat(list("abc"), len(dates)), "location": "here",
                           "date": np.tile(dates, 3), "quantity": sold})  # fmt: skip
    panel = build_panel({"demand": demand}, Period("day"), dates[-1], 7)
    report = train(panel, threads=1, candidates=(Baseline("tsb"),))
    kept = recording.record(report, panel, server.address, tmp_path / "here", recording.Source("d" * 64))
    found = registry.in_force(server.address, tmp_path / "elsewhere", dates[-1], 7)
    assert found is not None
    assert found.version == kept.version
    np.testing.assert_array_equal(found.predict(panel, 7).quantiles, kept.predict(panel, 7).quantiles)
