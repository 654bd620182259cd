"""A model folder that was touched is refused."""

import pickle

import pytest

from forecasting.persisted import seal, verify
from ingestion.errors import Problem


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.json").write_text('{"a": 1}')
    (tmp_path / "mean.lightgbm.txt").write_text("tree")
    seal(tmp_path)
    return tmp_path


def test_an_untouched_folder_keeps_its_version(folder):
    assert verify(folder) == seal(folder)


def test_any_flipped_byte_is_noticed(folder):
    for name in ("model.json", "mean.lightgbm.txt", "manifest.json"):
        whole = (folder / name).read_bytes()
        for k in range(0, len(whole), 7):
            (folder / name).write_bytes(whole[:k] + bytes([whole[k] ^ 1]) + whole[k + 1 :])
            with pytest.raises(Problem):
                verify(folder)
        (folder / name).write_bytes(whole)
    verify(folder)


def test_foreign_files_are_refused(folder):
    (folder / "extra.json").write_text("{}")
    with pytest.raises(Problem, match=r"extra\.json"):
        verify(folder)


def test_a_pickle_is_refused_even_when_sealed(folder):
    (folder / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    seal(folder)
    with pytest.raises(Problem, match=r"model\.pkl"):
        verify(folder)


def test_missing_files_links_and_paths_outside_are_refused(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "model.json"
    elsewhere.write_bytes((folder / "model.json").read_bytes())
    (folder / "model.json").unlink()
    with pytest.raises(Problem, match="plain file"):
        verify(folder)
    (folder / "model.json").symlink_to(elsewhere)
    with pytest.raises(Problem, match="plain file"):
        verify(folder)
    (folder / "manifest.json").write_text('{\n "files": {\n  "../model.json": "00"\n }\n}')
    with pytest.raises(Problem, match="one folder"):
        verify(folder)


def test_a_folder_without_manifest_says_train_again(tmp_path):
    with pytest.raises(Problem, match="train again"):
        verify(tmp_path)
