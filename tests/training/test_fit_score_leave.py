"""The three steps of a run, each alone: what is fitted cannot be lost, what is finished can be scored again."""

import json
import shutil
from pathlib import Path

import pytest

from modeling_dlfa.training import run as run_module
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.trainer import DLFATrainer


FEW = "--max_steps 6 --eval_strategy no --seed 5"


def numbers(folder: Path) -> dict:
    """All results but times."""
    values = json.loads((folder / "all_results.json").read_text(encoding="utf-8"))
    return {name: value for name, value in values.items() if name != "train_runtime"}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.crossed("step", "task")
@pytest.mark.parametrize("step", ["score", "leave"])
@pytest.mark.parametrize("task", ["xnli", "panx", "uddep"])
def test_what_fails_after_training_loses_nothing(argv, tmp_path: Path, monkeypatch, capsys, task: str, step: str):
    undisturbed, output = tmp_path / "undisturbed", tmp_path / "out"
    assert main(argv(task, undisturbed, FEW)) == 0

    def full(*_, **__):
        raise OSError("No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(run_module, step, full)
        assert main(argv(task, output, FEW)) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert {"model.safetensors", "tokenizer.json", "trained.json"} <= files(output)
    assert not (output / "all_results.json").exists()

    assert main(argv(task, output, FEW)) == 2  # a second run by mistake
    assert "a trained model that is not scored yet" in capsys.readouterr().err

    monkeypatch.setattr(DLFATrainer, "train", full)
    assert main(argv(task, output, f"{FEW} --resume_from_checkpoint last")) == 0
    assert numbers(output) == numbers(undisturbed) and files(output) == files(undisturbed)


def test_a_layer_that_was_found_is_not_looked_for_again(argv, tmp_path: Path, monkeypatch):
    output, flags = tmp_path / "out", f"{FEW} --fusion_layer auto"

    def fail(*_, **__):
        raise OSError("not again")

    with monkeypatch.context() as broken:
        broken.setattr(run_module, "score", fail)
        assert main(argv("xnli", output, flags)) == 1
    monkeypatch.setattr(run_module, "scout", fail)
    assert main(argv("xnli", output, f"{flags} --resume_from_checkpoint last")) == 0
    results = RunResults.load(output)
    assert results.scouting is not None and results.fusion_layer == results.scouting["layer"]


@pytest.mark.parametrize("task", ["xnli", "panx", "uddep", "uddep-upos"])
def test_a_finished_run_is_scored_again_without_training(
    argv, finished_run, tmp_path: Path, monkeypatch, capsys, task
):
    run, output = finished_run(task), tmp_path / "again"
    before = RunResults.load(run)
    monkeypatch.setattr(DLFATrainer, "train", lambda *_, **__: pytest.fail("trained"))
    flags = f"--do_train false --languages de,zh --model_name_or_path {run}"
    assert main(argv(task, output, flags)) == 0
    after = RunResults.load(output)
    assert after.scores == {code: before.scores[code] for code in ("de", "zh")}
    assert (after.development_score, after.train_samples, after.training) == (
        before.development_score,
        before.train_samples,
        before.training,
    )
    assert after.eval_data is None and after.fusion_layer == before.fusion_layer
    assert {path.rpartition("/")[2].partition(".")[0] for path in files(output)} == {
        *("all_results", "test-de", "test-zh", "test-counts")
    }
    assert "zero-shot average" in capsys.readouterr().out


def test_other_data_are_named(argv, finished_run, xtreme_folder: Path, tmp_path: Path):
    other = shutil.copytree(xtreme_folder, tmp_path / "other")
    flags = f"--do_train false --model_name_or_path {finished_run('xnli')} --data {other}"
    assert main(argv("xnli", tmp_path / "again", flags)) == 0
    assert RunResults.load(tmp_path / "again").eval_data == str(other)
    assert RunResults.load(tmp_path / "again").data == str(xtreme_folder)


@pytest.mark.parametrize(
    ("task", "model", "message"),
    [
        ("xnli", "encoder", "holds no finished run (all_results.json), expected the folder of one"),
        ("xnli", "run of pawsx", "answers with 0, 1, expected those of xnli: entailment, neutral, contradiction"),
    ],
)
def test_what_cannot_be_scored(
    argv, finished_run, tiny_encoder, tmp_path, capsys, task: str, model: str, message: str
):
    folder = tiny_encoder if model == "encoder" else finished_run(model.rpartition(" ")[2])
    assert main(argv(task, tmp_path / "out", f"--do_train false --model_name_or_path {folder}")) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
