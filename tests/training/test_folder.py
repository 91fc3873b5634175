"""Which output folders may be written to, and which checkpoints a run goes on from."""

import json
from pathlib import Path

import pytest
from transformers import BertConfig

from modeling_dlfa import DLFAConfig
from modeling_dlfa.errors import InputError
from modeling_dlfa.training.folder import (
    check_same_model,
    checkpoint_to_resume,
    find_best_again,
    is_complete,
    last_checkpoint,
    remove_checkpoints,
)


def checkpoint(output: Path, step: int, state: str = '{"global_step": 1}') -> Path:
    folder = output / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "trainer_state.json").write_text(state, encoding="utf-8")
    return folder


def test_new_and_empty_folders(tmp_path: Path):
    assert checkpoint_to_resume(tmp_path / "new", None) is None
    assert checkpoint_to_resume(tmp_path, None) is None
    assert checkpoint_to_resume(tmp_path, "last") is None  # of a run that was killed before it wrote anything
    with pytest.raises(InputError, match="new has no checkpoint to go on from"):
        checkpoint_to_resume(tmp_path / "new", "last")


def test_the_newest_checkpoint_by_number(tmp_path: Path):
    for step in (9, 100, 20):
        checkpoint(tmp_path, step)
    (tmp_path / "checkpoint-best").mkdir()
    (tmp_path / "checkpoint-200").write_text("no folder", encoding="utf-8")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-100"
    assert checkpoint_to_resume(tmp_path, "last") == str(tmp_path / "checkpoint-100")
    assert checkpoint_to_resume(tmp_path, "True") == str(tmp_path / "checkpoint-100")


@pytest.mark.parametrize("state", [None, "", '{"global_st', "[]"])
def test_half_written_checkpoints_are_passed_over(tmp_path: Path, state: str | None):
    checkpoint(tmp_path, 5)
    if state is None:
        (tmp_path / "checkpoint-10").mkdir()
    else:
        checkpoint(tmp_path, 10, state)
    assert not is_complete(tmp_path / "checkpoint-10")
    assert checkpoint_to_resume(tmp_path, "last") == str(tmp_path / "checkpoint-5")


def test_a_given_checkpoint(tmp_path: Path):
    folder = checkpoint(tmp_path / "elsewhere", 5)
    assert checkpoint_to_resume(tmp_path / "new", str(folder)) == str(folder)
    own = checkpoint(tmp_path / "own", 5)
    assert checkpoint_to_resume(tmp_path / "own", str(own)) == str(own)


@pytest.mark.parametrize("content", ["trained.json", "checkpoint-7/trainer_state.json", "notes.txt"])
def test_a_checkpoint_of_another_run_does_not_go_on_over_this_one(tmp_path: Path, content: str):
    folder, output = checkpoint(tmp_path / "elsewhere", 5), tmp_path / "this"
    (output / content).parent.mkdir(parents=True)
    (output / content).write_text('{"global_step": 7}', encoding="utf-8")
    with pytest.raises(InputError, match="is in another folder than .*, which is not empty") as caught:
        checkpoint_to_resume(output, str(folder))
    assert "\n" not in str(caught.value)


def test_the_best_checkpoint_of_a_moved_folder_is_found_again(tmp_path: Path):
    best = checkpoint(tmp_path, 5)
    last = checkpoint(tmp_path, 10, '{"global_step": 10, "best_model_checkpoint": "before/checkpoint-5"}')
    find_best_again(last)
    assert json.loads((last / "trainer_state.json").read_text()) == {
        "global_step": 10,
        "best_model_checkpoint": str(best),
    }
    find_best_again(last)  # it is there now
    find_best_again(best)  # and here nothing was chosen
    remove_checkpoints(tmp_path)
    last = checkpoint(tmp_path, 10, '{"global_step": 10, "best_model_checkpoint": "before/checkpoint-5"}')
    with pytest.raises(InputError, match="says that before/checkpoint-5 was the best checkpoint so far, and there is"):
        find_best_again(last)


@pytest.mark.parametrize(
    ("content", "asked", "message"),
    [
        ("all_results.json", None, "holds a finished run"),
        ("all_results.json", "last", "holds a finished run"),
        ("checkpoint-5/trainer_state.json", None, "unfinished run (checkpoint-5): add --resume_from_checkpoint last"),
        ("notes.txt", None, "is not empty"),
        ("checkpoint-5/model.safetensors", None, "is not empty"),
        ("notes.txt", "last", "has no checkpoint to go on from"),
        (None, "nowhere/checkpoint-5", "nowhere/checkpoint-5"),
    ],
)
def test_folders_in_use(tmp_path: Path, content: str | None, asked: str | None, message: str):
    if content is not None:
        (tmp_path / content).parent.mkdir(exist_ok=True)
        (tmp_path / content).write_text('{"global_step": 5}', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        checkpoint_to_resume(tmp_path, asked)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_in_place_of_the_folder(tmp_path: Path):
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="out is a file"):
        checkpoint_to_resume(tmp_path / "out", None)


def config(**changes) -> DLFAConfig:
    encoder = BertConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=2)
    return DLFAConfig(encoder_config=encoder, **({"fusion_layer": 1, "num_labels": 3} | changes))  # pyright: ignore


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"fusion_layer": 2}, "fusion_layer 1, not 2"),
        ({"fusion": "none"}, "fusion 'aif', not 'none'"),
        ({"pooling": "mean"}, "pooling 'cls', not 'mean'"),
        ({"aif_reduction": 2}, "aif_reduction 4, not 2"),
        ({"num_labels": 4}, "id2label"),
    ],
)
def test_checkpoints_of_other_models(tmp_path: Path, changes: dict, message: str | None):
    config().save_pretrained(tmp_path)
    if message is None:
        check_same_model(str(tmp_path), config(**changes))
        return
    with pytest.raises(InputError) as caught:
        check_same_model(str(tmp_path), config(**changes))
    assert message in str(caught.value)


def test_checkpoint_without_config(tmp_path: Path):
    with pytest.raises(InputError, match="config.json cannot be read"):
        check_same_model(str(tmp_path), config())


def test_remove_checkpoints(tmp_path: Path):
    checkpoint(tmp_path, 5)
    checkpoint(tmp_path, 10)
    (tmp_path / "all_results.json").write_text(json.dumps({}), encoding="utf-8")
    remove_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["all_results.json"]
