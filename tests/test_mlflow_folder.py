"""The files for an MLflow server: what they promise, and that the project's entry points are commands."""

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from mlflow.projects._project_spec import load_project

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "mlflow"
SECRETS = ("POSTGRES_PASSWORD", "MLFLOW_ADMIN_PASSWORD", "MLFLOW_SECRET_KEY")


def compose() -> dict:
    return yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))


def options(command: list[str]) -> dict[str, str]:
    """Options of an `mlflow server` command as the files write them."""
    pairs = [word.partition("=") for word in command if word.startswith("--")]
    return {name: value for name, _, value in pairs}


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(FOLDER / "forestock-mlflow.service", encoding="utf-8")
    return parser


def test_every_service_has_a_pinned_image_and_a_healthcheck():
    services = compose()["services"]
    assert set(services) == {"postgres", "mlflow"}
    for name, service in services.items():
        assert re.fullmatch(r"[a-z-]+:\d+\.\d+(\.\d+)?(-\w+)?", service["image"]), name
        assert service["healthcheck"]["test"]
    assert services["mlflow"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_nothing_listens_beyond_this_machine():
    services = compose()["services"]
    assert "ports" not in services["postgres"]
    assert all(port.startswith("127.0.0.1:") for port in services["mlflow"]["ports"])
    assert "--host=127.0.0.1" in unit()["Service"]["ExecStart"].split()


def test_the_server_asks_who_calls_and_serves_artifacts():
    for command in (compose()["services"]["mlflow"]["command"], unit()["Service"]["ExecStart"].split()):
        given = options(command)
        assert given["--app-name"] == "basic-auth"
        assert "--serve-artifacts" in given
        assert (
            given["--allowed-hosts"].removeprefix("${MLFLOW_ALLOWED_HOSTS:-").startswith("localhost:*,127.")
        )


def test_secrets_come_from_a_file_that_is_not_kept():
    text_of = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
    template = dict(
        line.split("=", 1)
        for line in (FOLDER / "env.template").read_text(encoding="utf-8").splitlines()
        if "=" in line and not line.startswith("#")
    )
    for name in SECRETS:
        assert f"${{{name}:?" in text_of, f"{name} must be asked for, never have a default"
        assert template[name] == ""
    assert set(re.findall(r"\$\{(\w+)", text_of)) <= set(template)
    ignored = subprocess.run(["git", "check-ignore", "-q", "mlflow/.env"], cwd=ROOT, check=False)
    assert ignored.returncode in (0, 128), "mlflow/.env must not be kept"  # 128: not a clone
    assert "admin_password" not in sign_in()["mlflow"]


def test_users_are_not_kept_where_artifacts_are_served():
    kept = sign_in()["mlflow"]["database_uri"].removeprefix("sqlite:///")
    service = compose()["services"]["mlflow"]
    served = options(service["command"])["--artifacts-destination"]
    assert not Path(kept).is_relative_to(served)
    mounted = [volume.split(":")[1] for volume in service["volumes"]]
    assert any(Path(kept).is_relative_to(place) for place in mounted), "users must outlive the container"


def test_the_image_has_the_versions_of_the_pins():
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    recipe = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    for name, version in re.findall(r'"([a-z]+)\[\w+\]==([\d.]+)"', recipe):
        assert re.search(rf"^{name}=={re.escape(version)} ", pins, re.MULTILINE), f"{name} {version}"
    assert compose()["services"]["mlflow"]["image"].endswith(re.search(r"^mlflow==([\d.]+)", pins, re.M)[1])


def sign_in() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(FOLDER / "basic_auth.ini", encoding="utf-8")
    return parser


def test_entry_points_are_commands_of_forestock():
    project = load_project(str(FOLDER))
    assert set(project._entry_points) == {"train", "retrain", "runs"}
    for name in project._entry_points:
        entry = project.get_entry_point(name)
        command = entry.compute_command({"workspace": "a shop"}, None)
        assert f"forestock {name} --json --workspace 'a shop'" in command
    dated = project.get_entry_point("train").compute_command({"workspace": "w", "as_of": "2024-03-31"}, None)
    echoed = dated.replace("forestock", "printf '%s '", 1)
    said = subprocess.run(["bash", "-c", echoed], check=True, capture_output=True, text=True).stdout
    assert said.split() == ["train", "--json", "--workspace", "w", "--as-of", "2024-03-31"]


def test_an_entry_point_runs(tmp_path):
    """`mlflow run`, in the environment at hand, on a workspace without a training."""
    command = [sys.executable, "-m", "mlflow", "run", str(FOLDER), "-e", "runs", "--env-manager=local"]
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    run = subprocess.run(
        [*command, "-P", f"workspace={tmp_path}/shop"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    start = run.stdout.index("{")
    assert json.loads(run.stdout[start:]) == {"trainings": []}
