"""A model folder that was touched is refused."""

import hashlib
import json
import os
import pickle

import pandas as pd
import pytest

from forecasting import persisted
from forecasting.persisted import digest_of, seal, sign, verify
from ingestion.errors import Problem


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.json").write_text('{"a": 1}')
    (tmp_path / "mean.lightgbm.txt").write_text("tree")
    pd.DataFrame({"x": [1.0, 2.0]}).to_parquet(tmp_path / "pooled.parquet")
    seal(tmp_path)
    return tmp_path


def write_manifest(folder, extra=None):
    """Seal by hand, as one would who wants a folder to pass that `seal` refuses."""
    names = [path.name for path in folder.iterdir() if path.name != "manifest.json" and path.is_file()]
    files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    text = json.dumps({"files": files | (extra or {})}, indent=1, sort_keys=True)
    (folder / "manifest.json").write_text(text)


def test_an_untouched_folder_keeps_its_version(folder):
    assert verify(folder) == seal(folder) == digest_of(folder)[:12]
    write_manifest(folder)
    assert verify(folder) == seal(folder)


def test_any_flipped_byte_is_noticed(folder):
    for name in ("model.json", "mean.lightgbm.txt", "pooled.parquet", "manifest.json"):
        whole = (folder / name).read_bytes()
        for k in range(0, len(whole), 7):
            (folder / name).write_bytes(whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :])
            with pytest.raises(Problem):
                verify(folder)
        (folder / name).write_bytes(whole)
    verify(folder)


def test_swapped_files_are_noticed(folder):
    (folder / "q0.5.lightgbm.txt").write_text("tree of another")
    seal(folder)
    (folder / "q0.5.lightgbm.txt").rename(folder / "third")
    (folder / "mean.lightgbm.txt").rename(folder / "q0.5.lightgbm.txt")
    (folder / "third").rename(folder / "mean.lightgbm.txt")
    with pytest.raises(Problem, match=r"lightgbm\.txt' in .* was changed after training"):
        verify(folder)


def test_foreign_files_and_folders_are_refused(folder):
    (folder / "extra.json").write_text("{}")
    with pytest.raises(Problem, match=r"extra\.json"):
        verify(folder)
    (folder / "extra.json").unlink()
    (folder / "more.json").mkdir()
    with pytest.raises(Problem, match="plain file"):
        verify(folder)


def test_a_pickle_is_refused_by_name_even_when_sealed(folder):
    (folder / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    for attempt in (seal, verify):
        write_manifest(folder)
        with pytest.raises(Problem, match=r"model\.pkl"):
            attempt(folder)


@pytest.mark.parametrize("name", ["model.json", "mean.lightgbm.txt", "pooled.parquet"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_under_another_name_is_refused_even_when_sealed(folder, name, protocol):
    for content in ({"a": 1}, [1, 2], "tree", b"PAR1"):
        (folder / name).write_bytes(pickle.dumps(content, protocol))
        for attempt in (seal, verify):
            write_manifest(folder)
            with pytest.raises(Problem, match="may be a pickle"):
                attempt(folder)


def test_missing_files_and_links_are_refused(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "model.json"
    elsewhere.write_bytes((folder / "model.json").read_bytes())
    (folder / "model.json").unlink()
    with pytest.raises(Problem, match="plain file"):
        verify(folder)
    (folder / "model.json").symlink_to(elsewhere)  # the same content, but who knows for how long
    with pytest.raises(Problem, match="plain file"):
        verify(folder)
    (folder / "model.json").unlink()
    os.mkfifo(folder / "model.json")  # reading it would wait for ever
    with pytest.raises(Problem, match="plain file"):
        verify(folder)


def test_a_linked_manifest_is_refused(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "manifest.json"
    (folder / "manifest.json").rename(elsewhere)
    (folder / "manifest.json").symlink_to(elsewhere)
    with pytest.raises(Problem, match=r"readable manifest\.json"):
        verify(folder)


@pytest.mark.parametrize(
    "name", ["../model.json", "/etc/model.json", "sub/model.json", "..\\model.json", ".json", "a\n.json", ""]
)
def test_a_manifest_cannot_name_a_path_outside_its_folder(folder, name):
    write_manifest(folder, {name: "0" * 64})
    with pytest.raises(Problem, match="one folder"):
        verify(folder)


def test_oversized_models_are_refused_before_they_are_read(folder):
    with (folder / "mean.lightgbm.txt").open("r+b") as file:
        file.truncate(persisted.MOST_BYTES + 1)  # a hole: takes no room
    with pytest.raises(Problem, match="at most 268435456 bytes"):
        verify(folder)
    (folder / "mean.lightgbm.txt").unlink()
    for k in range(persisted.MOST_FILES):
        (folder / f"{k}.json").write_text("{}")
    write_manifest(folder)
    with pytest.raises(Problem, match="at most 200 files"):
        verify(folder)
    (folder / "manifest.json").write_text(" " * (persisted.MOST_MANIFEST + 1))
    with pytest.raises(Problem, match="readable"):
        verify(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 3}', "[" * 60_000, "\xff"])
def test_a_folder_without_a_sound_manifest_says_train_again(folder, text):
    (folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(Problem, match="train again"):
        verify(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(Problem, match="train again"):
        verify(folder)


def test_a_signature_holds_for_one_key_and_one_claim():
    claims = {"manifest": "ab" * 32, "as_of": "2024-03-01"}
    signed = sign(claims, "key")
    assert signed == sign(dict(reversed(claims.items())), "key")
    assert signed != sign(claims, "other")
    assert signed != sign(claims | {"as_of": "2025-03-01"}, "key")
