"""The project as it is shipped: what the wheel holds, what the pins name, what must not shadow what."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {"ingestion", "forecasting", "optimization", "warning", "serving"}


def test_the_wheel_holds_exactly_the_rooms(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    folders = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert folders == ROOMS
    shipped = {name for name in names if name.startswith("serving/web/static/vendor/")}
    assert any(name.endswith(".js") for name in shipped), "the page's scripts must travel with it"
    assert any(name.endswith("migrations/env.py") for name in names)


def test_the_folder_mlflow_does_not_shadow_the_library() -> None:
    assert not list((ROOT / "mlflow").rglob("*.py"))
    code = "import mlflow; print(mlflow.__version__)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert int(run.stdout.split(".")[0]) >= 3


def test_the_pins_name_packages_versions_and_hashes_only() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        assert "://" not in line, line
        assert line.startswith("    --hash=sha256:") or "==" in line, line
