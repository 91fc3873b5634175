"""One run from start to end: what it leaves behind, which model it keeps, and how it goes on after a break."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.tasks.predictions import prediction_file, read_predictions
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.training import run as run_module
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.results import RunResults
from tests.marks import rest_is_slow
from tests.of_kinds import IN_FOLDER, LABEL_COLUMNS, majority_predictions, score


LANGUAGES = ["en", "de", "ru", "zh"]
CHECKPOINT = {
    "config.json",
    "configuration_dlfa.py",
    "model.safetensors",
    "modeling_dlfa.py",
    "tokenizer.json",
    "tokenizer_config.json",
}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same_weights(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def scores(folder: Path) -> dict:
    """All results but the time they took."""
    values = json.loads((folder / "all_results.json").read_text(encoding="utf-8"))
    return {name: value for name, value in values.items() if name != "train_runtime"}


@pytest.mark.parametrize("task", IN_FOLDER)
def test_a_run_leaves_exactly_this(finished_run: Callable[[str], Path], task: str):
    predictions = {f"predictions/{task}/test-{code}{TASKS[task].kind.suffix}" for code in LANGUAGES}
    predictions |= {f"predictions/{task}/test-counts.npz"}
    assert files(finished_run(task)) == CHECKPOINT | {"README.md", "all_results.json", "settings.json"} | predictions


@pytest.mark.parametrize("task", IN_FOLDER)
def test_scores_are_those_of_the_predictions(finished_run: Callable[[str], Path], xtreme_folder: Path, task: str):
    folder, one = finished_run(task), TASKS[task]
    results = RunResults.load(folder)
    source = FolderSource(xtreme_folder)
    for code in LANGUAGES:
        rows = source.load(one, "test", code)
        references: list = rows[LABEL_COLUMNS[one.kind]][:]
        if one.kind.name == "trees":
            references = [list(zip(*arcs)) for arcs in zip(rows["heads"][:], references)]
        if one.kind.name == "answers":
            references = [{"texts": texts, "language": code} for texts in references]
        predicted = read_predictions(prediction_file(folder / "predictions", one, code), one)
        assert score(one, predicted, references) == results.all_metrics[code]
        assert results.scores[code] == results.all_metrics[code][one.metric]
        assert results.support[code] == len(rows)
        labels = references if one.kind.name == "pairs" else [tag for tags in references for tag in tags]
        nothing = task == "panx" or one.kind.name == "answers"
        most_frequent = 0.0 if nothing else 100 * max(map(labels.count, labels)) / len(labels)
        if one.kind.name == "trees":
            most_frequent = score(one, majority_predictions(one, references), references)[one.metric]
        reached = results.all_metrics[code].get("accuracy", results.scores[code])
        assert (code in results.chance_level) == (reached <= most_frequent)
    others = [results.scores[code] for code in LANGUAGES[1:]]
    assert results.average == pytest.approx(fmean(results.scores.values()))
    assert results.zero_shot_average == pytest.approx(fmean(others))
    assert results.transfer_gap == pytest.approx(results.scores["en"] - fmean(others))
    # The tasks can be learnt in English, and the words mean the same everywhere.
    constant = 50.0 if one.kind.name == "pairs" else 30.0
    assert (results.zero_shot_average or 0) > constant


@pytest.mark.parametrize("task", IN_FOLDER)
def test_results_tell_how_they_were_made(finished_run: Callable[[str], Path], tiny_encoder: str, task: str):
    results = RunResults.load(finished_run(task))
    assert (results.task, results.metric, results.eval_split) == (task, TASKS[task].metric, "test")
    assert (results.fusion, results.fusion_layer, results.encoder) == ("aif", 2, tiny_encoder)
    assert (results.train_language, results.train_samples, results.seed) == ("en", 60, TASKS[task].recipe.seed)
    selection = "best on development data" if TASKS[task].selects else "last step"
    assert results.training["batch_size"] == 8 and results.training["selection"] == selection
    assert results.model_config["pooling"] == "mean"
    assert results.versions.keys() >= {"python", "torch", "transformers"}


def test_no_local_path_but_in_the_results(finished_run: Callable[[str], Path], tiny_encoder: str, xtreme_folder: Path):
    folder = finished_run("udpos")
    for name in files(folder) - {"all_results.json", "settings.json"}:  # the latter is never published
        content = (folder / name).read_bytes()
        for path in (tiny_encoder, str(xtreme_folder), str(folder)):
            assert path.encode() not in content, f"{name} tells {path}"


@pytest.fixture
def poisoned(xtreme_folder: Path, tmp_path: Path) -> Path:
    """Training data whose second half teaches the wrong labels; target-language development data nobody can read."""
    folder = tmp_path / "poisoned"
    shutil.copytree(xtreme_folder, folder)
    path = folder / "pawsx" / "train-en.tsv"
    lines = path.read_text(encoding="utf-8").splitlines()
    wrong = [f"{line[:-1]}{1 - int(line[-1])}" for line in lines]
    path.write_text("\n".join(lines * 4 + wrong * 4) + "\n", encoding="utf-8")
    for code in LANGUAGES[1:]:
        (folder / "pawsx" / f"dev-{code}.tsv").write_text("nonsense\n", encoding="utf-8")
    return folder


def test_the_best_model_on_development_data_is_kept(argv, poisoned: Path, tmp_path: Path):
    flags = f"--data {poisoned} --num_train_epochs 1 --train_sampling_strategy sequential --keep_checkpoints"
    flags += " --save_total_limit 9 --save_strategy steps --save_steps 10"
    output = tmp_path / "out"
    assert main(argv("pawsx", output, flags)) == 0
    state = json.loads((output / "checkpoint-60" / "trainer_state.json").read_text(encoding="utf-8"))
    history = {entry["step"]: entry["eval_accuracy"] for entry in state["log_history"] if "eval_accuracy" in entry}
    best = state["best_global_step"]
    assert list(history) == [10, 20, 30, 40, 50, 60]
    assert history[best] == max(history.values()) > history[60] + 20
    results = RunResults.load(output)
    assert results.development_score == history[best]
    assert same_weights(output, output / f"checkpoint-{best}")
    assert not same_weights(output, output / "checkpoint-60")
    assert results.training["selection"] == "best on development data"

    # The default strategy, which saves the best only, keeps the same model.
    only_best = tmp_path / "best"
    assert main(argv("pawsx", only_best, flags.split(" --save_total_limit")[0])) == 0
    assert [path.name for path in only_best.glob("checkpoint-*")] == [f"checkpoint-{best}"]
    assert same_weights(output, only_best)

    # And without selection it is the last step's.
    last = tmp_path / "last"
    assert main(argv("pawsx", last, flags + " --load_best_model_at_end false")) == 0
    assert same_weights(last, output / "checkpoint-60")
    assert RunResults.load(last).training["selection"] == "last step"
    assert RunResults.load(last).development_score == history[60]


def test_test_data_have_no_say(argv, finished_run: Callable[[str], Path], xtreme_folder: Path, tmp_path: Path):
    folder = tmp_path / "xtreme"
    shutil.copytree(xtreme_folder, folder)
    for code in LANGUAGES:
        path = folder / "pawsx" / f"test-{code}.tsv"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("".join(f"{line[:-1]}{1 - int(line[-1])}\n" for line in lines), encoding="utf-8")
    assert main(argv("pawsx", tmp_path / "out", f"--data {folder}")) == 0
    assert same_weights(tmp_path / "out", finished_run("pawsx"))
    assert RunResults.load(tmp_path / "out").scores != RunResults.load(finished_run("pawsx")).scores


def test_scoring_development_data_of_other_languages(argv, xtreme_folder: Path, tmp_path: Path):
    output = tmp_path / "out"
    assert main(argv("pawsx", output, "--eval_split validation --languages de,en")) == 0
    results = RunResults.load(output)
    assert list(results.scores) == ["de", "en"]
    assert results.eval_split == "validation"
    assert results.scores["en"] == results.development_score
    assert {name for name in files(output) if name.startswith("pred")} == {
        "predictions/pawsx/dev-de.tsv",
        "predictions/pawsx/dev-counts.npz",
        "predictions/pawsx/dev-en.tsv",
    }
    assert "on validation data" in (output / "README.md").read_text(encoding="utf-8")


def test_frozen_embeddings_and_fusion_without_lower_layer(argv, tiny_encoder: str, tmp_path: Path):
    flags = "--freeze_embeddings --fusion none --head_learning_rate 1e-2 --num_train_epochs 1"
    assert main(argv("udpos", tmp_path / "out", flags)) == 0
    encoder, trained = weights(Path(tiny_encoder)), weights(tmp_path / "out")
    for name, before in encoder.items():
        after = trained[f"dlfa.encoder.{name}"]
        assert torch.equal(before, after) == (name == "embeddings.word_embeddings.weight"), name
    results = RunResults.load(tmp_path / "out")
    assert (results.fusion, results.fusion_layer, results.model_name) == ("none", None, "baseline")
    assert results.training["head_learning_rate"] == 1e-2 and results.training["freeze_embeddings"] is True


def test_short_runs_are_evaluated_once_an_epoch(argv, tmp_path: Path):
    flags = "--eval_steps 500 --save_strategy steps --save_steps 500 --num_train_epochs 2 --keep_checkpoints"
    assert main(argv("pawsx", tmp_path / "out", flags + " --save_total_limit 5")) == 0
    assert {path.name for path in (tmp_path / "out").glob("checkpoint-*")} == {"checkpoint-8", "checkpoint-16"}
    state = json.loads((tmp_path / "out" / "checkpoint-16" / "trainer_state.json").read_text(encoding="utf-8"))
    assert [entry["step"] for entry in state["log_history"] if "eval_accuracy" in entry] == [8, 16]


STOPPED = [
    ("pawsx", "--save_strategy steps --save_steps 4 --eval_steps 4", 15, 12),  # within the second epoch of 8 steps
    ("pawsx", "--save_strategy epoch --eval_strategy epoch", 11, 8),  # between two
    ("udpos", "--eval_strategy no --save_strategy steps --save_steps 5 --train_sampling_strategy random", 19, 15),
    ("udpos", "--eval_steps 6 --gradient_accumulation_steps 2", 11, 6),  # the recipe's strategy: the best is saved
]


@pytest.mark.parametrize(
    ("task", "flags", "stop", "resumed"),
    rest_is_slow(STOPPED),
)
def test_resuming_comes_to_the_same_result(
    argv,
    tiny_dropout_encoder: str,
    tmp_path: Path,
    interrupt_at,
    task: str,
    flags: str,
    stop: int,
    resumed: int,
    capsys,
):
    flags = f"--model_name_or_path {tiny_dropout_encoder} --num_train_epochs 3 --head_learning_rate 1e-2 {flags}"
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main(argv(task, whole, flags)) == 0
    interrupt_at(stop)
    assert main(argv(task, broken, flags)) == 130
    assert capsys.readouterr().err.strip() == "interrupted"
    assert (broken / f"checkpoint-{resumed}").is_dir() and not (broken / "all_results.json").exists()
    assert main(argv(task, broken, flags)) == 2
    assert "add --resume_from_checkpoint last" in capsys.readouterr().err
    assert main(argv(task, broken, f"{flags} --resume_from_checkpoint last")) == 0
    assert scores(broken) == scores(whole)
    assert same_weights(broken, whole)
    assert files(broken) == files(whole)


def test_resuming_another_model_is_refused(argv, tmp_path: Path, interrupt_at, capsys):
    flags = "--save_strategy steps --save_steps 4 --eval_steps 4"
    interrupt_at(5)
    assert main(argv("pawsx", tmp_path / "out", flags)) == 130
    assert main(argv("pawsx", tmp_path / "out", f"{flags} --fusion none --resume_from_checkpoint last")) == 2
    assert "is of a run with fusion 'aif', not 'none'" in capsys.readouterr().err


def test_divergence_is_told(argv, tmp_path: Path, capsys):
    flags = "--learning_rate 1e30 --max_grad_norm 0 --eval_strategy no --num_train_epochs 1"
    assert main(argv("udpos", tmp_path / "out", flags)) == 2
    error = capsys.readouterr().err
    assert "training has diverged" in error and "--learning_rate 1e+30" in error and error.count("\n") == 1
    assert not (tmp_path / "out" / "all_results.json").exists()


@pytest.mark.parametrize("broken", ["write_predictions", "model_card"])
def test_a_failure_while_writing_leaves_no_results(
    argv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, broken: str
):
    def fail(*args, **kwargs):
        raise OSError("No space left on device")

    monkeypatch.setattr(run_module, broken, fail)
    assert main(argv("pawsx", tmp_path / "out", "--num_train_epochs 1")) == 1
    assert capsys.readouterr().err == "error: OSError: No space left on device (--debug shows where)\n"
    assert not (tmp_path / "out" / "all_results.json").exists()
    assert not list((tmp_path / "out").rglob("*.tmp"))


def test_the_saved_model_is_the_one_that_was_scored(finished_run: Callable[[str], Path]):
    model = AutoModelForTokenClassification.from_pretrained(finished_run("udpos"))
    assert type(model).__module__ == "modeling_dlfa.modeling_dlfa"
    assert model.config.id2label == dict(enumerate(TASKS["udpos"].labels))
    assert not model.training
