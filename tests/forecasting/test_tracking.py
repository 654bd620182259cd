"""Runs kept in a real MLflow, found again as of a date, and loaded by MLflow alone."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecasting.baselines import Baseline
from forecasting.comparison import compare
from forecasting.evidence import fold_table
from forecasting.frames import Reading, answer
from forecasting.gate import judge
from forecasting.gbm import Gbm
from forecasting.models import load_model
from forecasting.persisted import seal
from forecasting.significance import paired_difference
from forecasting.tracking import listing, recording, registry, store
from forecasting.tracking.recording import Source
from forecasting.training import train
from ingestion.errors import Problem
from ingestion.periods import Period

CANDIDATES = (Baseline("tsb"), Gbm(trees=10))
SOURCE = Source("d" * 64, code_version="1.2.3", workspace="w")


@pytest.fixture(scope="module")
def report(panel):
    return train(panel, threads=1, candidates=CANDIDATES)


@pytest.fixture(scope="module")
def kept(report, panel, tmp_path_factory):
    """One recorded training: (uri, folder)."""
    place = tmp_path_factory.mktemp("kept")
    uri, folder = f"sqlite:///{place}/mlflow.db", place / "models"
    recording.record(report, panel, uri, folder, SOURCE)
    return uri, folder


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A database without runs: making its tables takes seconds."""
    path = tmp_path_factory.mktemp("blank") / "mlflow.db"
    store.open_store(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def empty(blank, tmp_path):
    """A store without runs: (uri, folder)."""
    shutil.copy(blank, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "models"


def aged(report, as_of: str, earned: bool = True):
    """The training as of another day, with one candidate: drawing many takes its time."""
    model = replace(report.model, as_of=as_of)
    return replace(report, model=model, earned=earned, trials=report.trials[:1])


def champion_of(uri):
    return store.open_store(uri).get_model_version_by_alias(store.MODEL, "champion")


def native_files(uri, folder) -> Path:
    return folder / "models" / champion_of(uri).tags["model_id"] / "artifacts" / store.NATIVE


def test_models_are_found_as_of_their_date_and_the_alias_is_earned(report, panel, empty):
    uri, folder = empty
    assert registry.in_force(uri, folder, pd.Timestamp("2030-01-01")) is None
    history = (("2024-03-01", False), ("2024-05-01", True), ("2024-04-01", True), ("2024-06-01", False))
    kept, aliases = [], []
    for as_of, earned in history:
        kept.append(recording.record(aged(report, as_of, earned), panel, uri, folder, SOURCE))
        aliases.append(champion_of(uri).tags["as_of"])
    # The first gets it in any case; then it moves to what was earned, and never back in time.
    assert aliases == ["2024-03-01", "2024-05-01", "2024-05-01", "2024-05-01"]

    def found(as_of, **asked):
        return registry.in_force(uri, folder, pd.Timestamp(as_of), workspace="w", **asked)

    assert found("2024-02-29") is None
    for as_of, expected in (("2024-03-01", 0), ("2024-04-30", 2), ("2024-05-20", 1), ("2025-01-01", 3)):
        model = found(as_of)
        assert (model.version, model.as_of) == (kept[expected].version, kept[expected].as_of)
    expected = report.model.predict(panel, 14).quantiles
    np.testing.assert_array_equal(model.predict(panel, 14).quantiles, expected)
    assert found("2025-01-01", horizon=29) is None
    assert registry.in_force(uri, folder, pd.Timestamp("2025-01-01"), workspace="other") is None
    assert registry.recipe_in_force(uri, pd.Timestamp("2025-01-01"), "w") == report.champion
    assert registry.recipe_in_force(uri, pd.Timestamp("2024-02-29"), "w") is None


def test_asking_makes_no_store(tmp_path):
    uri, late = f"sqlite:///{tmp_path}/mlflow.db", pd.Timestamp("2030-01-01")
    assert registry.in_force(uri, tmp_path / "models", late) is None
    assert registry.recipe_in_force(uri, late) is None
    assert listing.runs(uri).empty
    assert not list(tmp_path.iterdir())


def test_a_longer_look_ahead_is_found_only_by_who_looks_ahead(report, panel, empty):
    uri, folder = empty
    short = recording.record(aged(report, "2024-03-01"), panel, uri, folder, SOURCE)
    longer = replace(SOURCE, look_ahead=True)
    long = recording.record(aged(report, "2024-04-01"), panel, uri, folder, longer)
    at = pd.Timestamp("2024-05-01")
    assert registry.in_force(uri, folder, at, workspace="w").version == short.version
    assert registry.in_force(uri, folder, at, workspace="w", look_ahead=True).version == long.version
    assert champion_of(uri).tags["as_of"] == "2024-03-01"


def test_each_candidate_is_a_run_nested_in_the_training(report, kept):
    uri, _ = kept
    client = store.open_store(uri)
    training = client.get_run(champion_of(uri).run_id)
    assert training.info.status == "FINISHED"
    assert training.data.params["champion"] == report.champion
    tags = training.data.tags
    assert (tags["data_digest"], tags["code_version"], tags["why"]) == ("d" * 64, "1.2.3", report.why)
    nested = client.search_runs(
        [training.info.experiment_id], f"tags.mlflow.parentRunId = '{training.info.run_id}'"
    )
    assert {run.data.tags["candidate"] for run in nested} == {trial.name for trial in report.trials}
    for run in nested:
        trial = next(trial for trial in report.trials if trial.name == run.data.tags["candidate"])
        assert run.inputs.dataset_inputs[0].dataset.digest == "d" * 36
        assert run.data.params["seed"] == "0"
        assert set(map(str, trial.parameters)) <= set(run.data.params)
        scores = trial.scores.set_index("segment")
        for segment, prefix in (
            ("all", ""),
            ("volume high", "volume high/"),
            ("horizon 1-7", "horizon 1-7/"),
        ):
            for measure in ("pinball", "bias", "below_0.9", "within_0.95"):
                assert run.data.metrics[prefix + measure] == pytest.approx(scores.loc[segment, measure])
        assert run.data.metrics["seconds"] == pytest.approx(trial.seconds)
        files = {item.path for item in client.list_artifacts(run.info.run_id)}
        expected = {"scores.csv", "folds.parquet", "calibration.json", "calibration.png", "residuals.png"}
        assert files == expected | ({"importance.csv", "importance.png"} if len(trial.importance) else set())


def test_the_verdict_of_the_gate_is_kept(report, panel, empty):
    uri, folder = empty
    verdict = judge(panel, report.folds, report.trials[1], report.trials[0], seed=0)
    judged = replace(aged(report, "2024-03-01"), verdict=verdict)
    recording.record(judged, panel, uri, folder, SOURCE)
    client = store.open_store(uri)
    run = champion_of(uri).run_id
    tags = client.get_run(run).data.tags
    assert tags["gate"] == ("promoted" if verdict.promoted else "kept")
    assert tags["gate_reasons"] == "; ".join(verdict.reasons)
    read = pd.read_csv(client.download_artifacts(run, "gate.csv"))
    pd.testing.assert_frame_equal(read, verdict.measures, check_dtype=False)


def test_the_fold_table_gives_back_the_measures(report, panel):
    trial, folds = report.trials[0], report.folds
    table = fold_table(panel, folds, trial)
    assert len(table) == folds.actual.size
    assert table["loss"].mean() == pytest.approx(np.nanmean(trial.loss), rel=1e-5)
    row = table.iloc[[len(folds.horizons) + 2]].squeeze()  # the second pair, the third horizon
    keys = panel.keys.iloc[folds.series[1]]
    assert (row["sku"], row["location"], row["horizon"]) == (keys["sku"], keys["location"], folds.horizons[2])
    after = (panel.dates > row["origin"]) & (panel.dates <= row["origin"] + pd.Timedelta(days=row["horizon"]))
    sold = panel.quantity[folds.series[1], after[: panel.length]].sum()
    assert row["actual"] == pytest.approx(sold)
    assert row["q0.5"] <= row["q0.9"] <= row["q0.99"]


def test_a_large_fold_table_is_thinned_to_the_same_pairs_for_all(report, panel):
    tables = [fold_table(panel, report.folds, trial, most=95) for trial in report.trials[:2]]
    keys = ["sku", "location", "origin", "horizon"]
    assert all(0 < len(table) <= 95 for table in tables)
    assert len(tables[0]) % len(report.folds.horizons) == 0
    pd.testing.assert_frame_equal(tables[0][keys], tables[1][keys])


def test_calibration_data_add_up(report, kept):
    uri, _ = kept
    client = store.open_store(uri)
    run = champion_of(uri).run_id
    data = json.loads(Path(client.download_artifacts(run, "calibration.json")).read_text())
    whole = next(row for row in data["coverage"] if row["segment"] == "all" and row["level"] == 0.9)
    assert sum(data["pit"]["windows"]) == whole["windows"] == int(np.isfinite(report.trials[0].loss).sum())
    beyond = sum(data["pit"]["windows"][18:]) / whole["windows"]
    assert 1 - whole["within"] - 0.02 <= beyond <= 1 - whole["below"] + 0.02


def test_recorded_runs_are_listed_and_compared(report, kept):
    uri, _ = kept
    table = compare(listing.runs(uri, workspace="w"))
    assert set(table["candidate"]) == {trial.name for trial in report.trials}
    assert table["pinball"].is_monotonic_increasing
    by_name = table.set_index("candidate")
    champion, *others = report.trials
    assert by_name.loc[champion.name, "significance"] == "champion"
    for trial in others:
        folds = report.folds
        found = paired_difference(trial.loss, champion.loss, folds.origin, folds.series, 0)
        row = by_name.loc[trial.name]
        assert row[["difference", "low", "high", "p"]].tolist() == pytest.approx(
            [found.mean, found.low, found.high, found.p]
        )
        assert row["significance"] == (
            "better" if found.high < 0 else "worse" if found.low > 0 else "unclear"
        )
    assert listing.runs(uri, workspace="other").empty
    assert listing.runs(uri, pd.Timestamp("2024-01-01"), workspace="w").empty
    assert compare(listing.runs(uri, workspace="other")).empty


def test_the_newest_trainings_come_first_and_only_so_many(report, panel, empty):
    uri, folder = empty
    for as_of in ("2024-03-01", "2024-05-01", "2024-04-01"):
        recording.record(aged(report, as_of), panel, uri, folder, SOURCE)
    table = compare(listing.runs(uri, workspace="w"))
    assert table["as_of"].drop_duplicates().tolist() == ["2024-04-01", "2024-05-01", "2024-03-01"]
    assert set(compare(listing.runs(uri, workspace="w", limit=1))["as_of"]) == {"2024-04-01"}
    early = listing.runs(uri, pd.Timestamp("2024-04-15"), workspace="w")
    assert set(early["as_of"]) == {"2024-03-01", "2024-04-01"}


def test_a_recording_that_fails_leaves_no_version(report, panel, empty, monkeypatch):
    uri, folder = empty

    def broken(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(recording, "write_evidence", broken)
    with pytest.raises(OSError, match="disk is full"):
        recording.record(report, panel, uri, folder, SOURCE)
    client = store.open_store(uri)
    places = [place.experiment_id for place in client.search_experiments()]
    assert {run.info.status for run in client.search_runs(places)} == {"FAILED"}
    assert registry.in_force(uri, folder, pd.Timestamp("2030-01-01"), workspace="w") is None
    assert listing.runs(uri, workspace="w").empty


def test_a_fresh_process_loads_the_champion_and_answers(report, panel, shop, kept, tmp_path):
    tables = shop()
    dates = pd.date_range(panel.as_of + pd.Timedelta(days=1), periods=28)
    future = panel.keys.merge(pd.DataFrame({"date": dates}), how="cross")
    future = future.merge(tables["plans"], how="left", on=["sku", "location", "date"])
    frame = pd.concat([tables["demand"], future], ignore_index=True).merge(tables["items"], on="sku")
    frame.to_parquet(tmp_path / "frame.parquet")
    program = (
        "import mlflow, pandas as pd\n"
        f"model = mlflow.pyfunc.load_model('models:/{store.MODEL}@champion')\n"
        "frame = pd.read_parquet('frame.parquet')\n"
        "assert {'sku', 'date', 'quantity'} <= set(model.metadata.signature.inputs.input_names())\n"
        "model.predict(frame).to_parquet('default.parquet')\n"
        "asked = {'horizons': [3, 14], 'levels': [0.5, 0.95], 'as_of': '2024-06-30', 'period': 'day'}\n"
        "model.predict(frame, params=asked).to_parquet('asked.parquet')\n"
    )
    environment = {"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": kept[0], "HOME": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program],
        check=False,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    reading = Reading(Period("day"))
    expected = answer(report.model, frame, reading, [3, 14], [0.5, 0.95], "2024-06-30")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "asked.parquet"), expected)
    default = pd.read_parquet(tmp_path / "default.parquet")
    pd.testing.assert_frame_equal(default, answer(report.model, frame, reading))


def test_the_logged_model_holds_no_pickle(kept):
    uri, folder = kept
    packed = native_files(uri, folder).parents[1]
    # Python keeps what it compiles beside a model that was loaded.
    files = [path for path in packed.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    assert {path.suffix for path in files} <= {".json", ".parquet", ".txt", ".py", ".yaml", ""}
    plain = {path.name for path in files if path.suffix == ""}
    assert plain <= {"MLmodel", "registered_model_meta"}  # the second is MLflow's note of having loaded it
    assert not any(path.read_bytes().startswith(b"\x80") for path in files)
    assert "cloudpickle" not in (packed / "requirements.txt").read_text()


@pytest.fixture
def touched(kept, tmp_path):
    """A recorded model whose registry and native files may be touched: (uri, folder, files)."""
    uri, folder = kept
    shutil.copy(uri.removeprefix("sqlite:///"), tmp_path / "mlflow.db")
    shutil.copytree(folder, tmp_path / "models")
    uri, folder = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "models"
    return uri, folder, native_files(uri, folder)


def test_serving_refuses_files_that_are_not_the_registered_ones(touched):
    uri, folder, files = touched

    def asked():
        return registry.in_force(uri, folder, pd.Timestamp("2030-01-01"), workspace="w")

    sound = (files / "model.json").read_bytes()
    (files / "model.json").write_bytes(sound.replace(b"0", b"1", 1))
    with pytest.raises(Problem, match="changed after training"):
        asked()
    seal(files)  # sealed anew, as one would who can write the files but not the registry
    with pytest.raises(Problem, match="files that were registered"):
        asked()
    (files / "model.json").write_bytes(sound)
    seal(files)
    model = asked()
    replace(model, about={"other": 1}).save(files)  # a sound model, but another
    assert load_model(files).about == {"other": 1}
    with pytest.raises(Problem, match="files that were registered"):
        asked()


def test_a_signed_workspace_serves_only_what_its_key_signed(report, panel, empty):
    uri, folder = empty
    recording.record(aged(report, "2024-03-01"), panel, uri, folder, SOURCE, signing_key="key")
    client = store.open_store(uri)

    def asked(key, as_of="2024-03-01"):
        return registry.in_force(uri, folder, pd.Timestamp(as_of), workspace="w", signing_key=key)

    assert asked("key").version == asked("").version
    with pytest.raises(Problem, match="signed with this workspace's key"):
        asked("other")
    recording.record(aged(report, "2024-04-01"), panel, uri, folder, SOURCE)
    with pytest.raises(Problem, match="its signature is missing"):
        asked("key", "2024-04-01")
    # Nor may a signed version be passed off as one of another day.
    client.set_model_version_tag(store.MODEL, "1", "as_of", "2024-05-01")
    with pytest.raises(Problem, match="signed with this workspace's key"):
        asked("key", "2024-05-01")


def test_a_version_cannot_name_a_folder_elsewhere(touched):
    uri, folder, _ = touched
    client = store.open_store(uri)
    for name in ("../../other", "/etc", ""):
        client.set_model_version_tag(store.MODEL, "1", "model_id", name)
        with pytest.raises(Problem, match="must name a logged model"):
            registry.in_force(uri, folder, pd.Timestamp("2030-01-01"), workspace="w")


def test_a_model_kept_elsewhere_is_fetched_once(report, panel, empty, tmp_path):
    uri, folder = empty
    recording.record(aged(report, "2024-03-01"), panel, uri, folder, SOURCE)
    cache, late = tmp_path / "cache", pd.Timestamp("2030-01-01")
    first = registry.in_force(uri, cache, late, workspace="w")
    assert not list(cache.rglob("MLmodel"))  # only what serving reads
    files = native_files(uri, folder)
    files.rename(files.with_name("elsewhere"))
    assert registry.in_force(uri, cache, late, workspace="w").version == first.version
    with pytest.raises(Problem, match="restore them or train again"):
        registry.in_force(uri, tmp_path / "other", late, workspace="w")
