"""Which checkpoint is kept: defaults that follow one another, what is refused, what results say."""

import json
from pathlib import Path

import pytest

from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.selection import described


NAMES = ("eval_strategy", "save_strategy", "load_best_model_at_end", "metric_for_best_model", "greater_is_better")


def parsed(flags: str, task: str = "xnli") -> dict:
    _, training = CommandLine(["--task", task, *flags.split()]).arguments(task, "none", "out")
    return vars(training)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--data hub", ("steps", "best", True, "accuracy", True)),
        ("--data hub --metric_for_best_model eval_loss", ("steps", "best", True, "eval_loss", False)),
        ("--data hub --metric_for_best_model loss", ("steps", "best", True, "loss", False)),
        ("--data hub --metric_for_best_model eval_accuracy", ("steps", "best", True, "eval_accuracy", True)),
        ("--data hub --greater_is_better false", ("steps", "best", True, "accuracy", False)),
        ("--data hub --eval_strategy epoch", ("epoch", "best", True, "accuracy", True)),
        ("--data hub --eval_strategy no", ("no", "no", False, "accuracy", True)),
        ("--data hub --save_strategy no", ("steps", "no", False, "accuracy", True)),
        ("--data hub --load_best_model_at_end false", ("steps", "best", False, "accuracy", True)),
        ("--data hub --eval_strategy no --save_steps 5", ("no", "steps", False, "accuracy", True)),
        ("--data sample", ("no", "no", False, "accuracy", True)),
        ("--data sample --eval_steps 5", ("steps", "no", False, "accuracy", True)),
        ("--data sample --save_steps 5", ("no", "steps", False, "accuracy", True)),
    ],
)
def test_defaults_follow_what_was_given(flags: str, expected: tuple):
    values = parsed(flags)
    assert tuple(values[name] for name in NAMES) == expected


def test_steps_follow_each_other():
    assert parsed("--data hub --save_strategy steps")["save_steps"] == get_task("xnli").recipe.eval_steps
    assert parsed("--data hub --save_strategy steps --eval_steps 7")["save_steps"] == 7
    assert parsed("--data hub --save_steps 14 --eval_steps 7")["save_steps"] == 14
    assert parsed("--data hub --save_steps 5")["eval_steps"] == 5
    assert parsed("--data hub --save_steps 14 --eval_steps 7")["eval_steps"] == 7


@pytest.mark.parametrize(
    ("task", "flags", "message"),
    [
        ("xnli", "--metric_for_best_model f1", "--metric_for_best_model f1: xnli has accuracy, loss"),
        ("panx", "--metric_for_best_model accuracy", "panx has f1, precision, recall, loss"),
        ("udpos", "--metric_for_best_model runtime", "udpos has accuracy, f1, precision, recall, loss"),
        ("uddep", "--metric_for_best_model accuracy", "uddep has uas, las, loss"),
        ("xnli", "--eval_strategy no --load_best_model_at_end true", "--load_best_model_at_end --eval_strategy no"),
        ("xnli", "--eval_strategy no --save_strategy best", "--save_strategy best --eval_strategy no"),
        ("xnli", "--save_strategy no --load_best_model_at_end true", "--save_strategy no: there is nothing to choose"),
        ("xnli", "--data sample --metric_for_best_model loss", "no checkpoint is chosen by development data here"),
        ("xnli", "--eval_strategy no --greater_is_better true", "--greater_is_better: no checkpoint is chosen"),
    ],
)
def test_what_cannot_be_selected(task: str, flags: str, message: str):
    with pytest.raises(InputError) as caught:
        parsed(f"--data hub {flags}", task)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["xnli", "panx", "udpos", "uddep", "uddep-arcs", "uddep-upos"])
def test_metrics_are_those_that_are_scored(name: str):
    task = get_task(name)
    gold = [0] if task.kind.name == "pairs" else [[(0, 0)]] if task.kind.name == "trees" else [[0]]
    assert set(task.kind.score_names(task)) == set(task.kind.score(task, gold, gold))


@pytest.mark.parametrize(
    ("metric", "greater", "text"),
    [
        ("accuracy", True, "best on development data"),
        ("eval_accuracy", True, "best on development data"),
        ("accuracy", False, "lowest eval_accuracy on development data"),
        ("loss", False, "best eval_loss on development data"),
        ("eval_loss", True, "highest eval_loss on development data"),
    ],
)
def test_what_results_say(metric: str, greater: bool, text: str):
    assert described(get_task("xnli"), metric, greater) == text


def test_the_lowest_loss_is_kept(argv, tmp_path: Path):
    """With labels dealt out at random the loss on development data goes up in the end, and is lowest before."""
    flags = (
        "--metric_for_best_model eval_loss --shuffle_labels --keep_checkpoints --save_strategy steps --eval_steps 4"
    )
    output = tmp_path / "out"
    assert main(argv("pawsx", output, f"{flags} --num_train_epochs 6 --save_total_limit 99 --languages de")) == 0
    last = max(output.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    state = json.loads((last / "trainer_state.json").read_text(encoding="utf-8"))
    losses = {entry["step"]: entry["eval_loss"] for entry in state["log_history"] if "eval_loss" in entry}
    assert losses[state["best_global_step"]] == min(losses.values()) < max(losses.values())
    assert RunResults.load(output).training["selection"] == "best eval_loss on development data"
