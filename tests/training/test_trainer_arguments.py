"""What becomes of every field of Transformers' `TrainingArguments`."""

import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainingArguments

from modeling_dlfa.errors import InputError
from modeling_dlfa.training import command_line, launch
from modeling_dlfa.training.__main__ import main
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.declared import LARGEST
from modeling_dlfa.training.derived import bookkeeping, not_of_a_cell, not_of_a_stage, paths
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.trainer_arguments import TRAINER, trainer_fields
from tests.marks import rest_is_slow


THEIRS = {entry.name: entry for entry in fields(TrainingArguments)}
FEW = "--max_train_samples 24 --max_eval_samples 9 --languages de --max_steps 2"
DIGITS = "9" * 5000


@pytest.fixture
def nothing_is_read(monkeypatch: pytest.MonkeyPatch):
    def fail(*args, **kwargs):
        raise AssertionError("something was read first")

    monkeypatch.setattr(command_line, "get_task", fail)
    monkeypatch.setattr(launch, "prepare", fail)


def refusal(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of a command that is refused."""
    assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and len(error) < 500, error
    return error


def test_the_table_has_every_field():
    """A field of a newer Transformers is honoured as it comes; here somebody has to look at it."""
    assert THEIRS.keys() <= TRAINER.keys(), "say in trainer_arguments.TRAINER what becomes of these"


def test_what_follows_from_the_table():
    assert {"learning_rate", "seed", "max_steps", "bf16"} <= trainer_fields(fate="decides")
    assert {"learning_rate", "seed"} & bookkeeping() == set()
    assert {"logging_steps", "per_device_eval_batch_size", "report_to", "output_dir"} <= bookkeeping()
    assert not_of_a_cell() >= {"seed", "output_dir", "resume_from_checkpoint", "task", "stages_dir"}
    assert not_of_a_stage() >= {"output_dir", "do_train", "resume_from_checkpoint", "task", "languages"}
    assert {"output_dir", "data", "stages_dir", "model_name_or_path", "resume_from_checkpoint"} <= paths()
    assert all(bool(flag.why) == (flag.fate == "refused") for flag in TRAINER.values())


# Of every field that is refused: a value that is.
REFUSED = {
    "optim_target_modules": "all-linear",
    "auto_find_batch_size": "true",
    "deepspeed": "zero3.json",
    "parallelism_config": "x",
    "accelerator_config": '{"split_batches": true}',
    "use_liger_kernel": "true",
    "liger_kernel_config": "{}",
    "use_cache": "true",
    "prediction_loss_only": "true",
    "batch_eval_metrics": "true",
    "eval_do_concat_batches": "false",
    "eval_use_gather_object": "true",
    "include_for_metrics": "inputs",
    "do_eval": "false",
    "do_predict": "false",
    "remove_unused_columns": "false",
    "label_names": "start_positions",
    "length_column_name": "words",
    "dataloader_in_order": "false",
    "ignore_data_skip": "true",
    "enable_jit_checkpoint": "true",
    "push_to_hub": "true",
    "hub_private_repo": "true",
    "hub_always_push": "true",
    "hub_token": "hf_secret",
    "hub_model_id": "user/name",
    "hub_strategy": "end",
    "hub_revision": "main",
}


def test_every_refusal_is_tested():
    assert REFUSED.keys() == trainer_fields(fate="refused")


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_honoured_is_refused_in_one_line(argv, tmp_path: Path, capsys, nothing_is_read, name: str):
    error = refusal(argv("pawsx", tmp_path / "out") + [f"--{name}", REFUSED[name]], capsys)
    assert f"--{name}" in error and "secret" not in error
    assert TRAINER[name].why in error or "invalid" in error  # some have a type that no command line can give
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [name for name in REFUSED if TRAINER[name].only not in ((), ([],))])
def test_what_is_done_anyway_may_be_said(name: str):
    value = (TRAINER[name].only or ("",))[0]
    words = [str(word) for word in value] if isinstance(value, list) else [str(value)]
    CommandLine([f"--{name}", *words]).arguments("udpos", "none", "out")


def test_stages_and_files_are_refused_alike(tmp_path: Path):
    (tmp_path / "run.yaml").write_text("hub_token: hf_secret\n", encoding="utf-8")
    with pytest.raises(InputError, match="--hub_token: a run is not uploaded"):
        CommandLine([str(tmp_path / "run.yaml")])
    asked = CommandLine(["--intermediate_tasks", "uddep", "--intermediate_arguments", '{"batch_eval_metrics": true}'])
    with pytest.raises(InputError, match="--batch_eval_metrics: scores are made from all predictions"):
        launch.plan_stages(asked, "udpos", "none")


NUMBERS = {**{name: flag.numbers for name, flag in TRAINER.items() if flag.numbers}} | {
    entry.name: entry.metadata["numbers"] for entry in fields(RunArguments) if entry.metadata["numbers"]
}


def test_every_number_has_bounds():
    theirs = {name for name, entry in THEIRS.items() if "int" in str(entry.type) or "float" in str(entry.type)}
    no_numbers = {"local_rank"}  # set by launchers
    assert theirs - no_numbers - trainer_fields(fate="refused") <= NUMBERS.keys() | {"include_num_input_tokens_seen"}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["nan", "-7", DIGITS])
def test_numbers_that_are_none(argv, tmp_path: Path, capsys, nothing_is_read, name: str, value: str):
    error = refusal(argv("pawsx", tmp_path / "out") + [f"--{name}={value}"], capsys)
    assert name in error and ("expected a" in error or "invalid" in error)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--per_device_train_batch_size 0", "--per_device_train_batch_size 0: expected a positive number"),
        ("--num_train_epochs 0", "--num_train_epochs 0: expected a positive number"),
        ("--max_steps 0", "--max_steps 0: expected a positive number, or -1"),
        ("--max_length 0", "--max_length 0: expected a positive number"),
        (f"--max_length {LARGEST + 1}", f"expected a number of at most {LARGEST}"),
        ("--seed -1", "--seed -1: expected a number of at least 0"),
        ("--seed 4294967296", "--seed 4294967296: expected a number of at most 4294967295"),
        ("--label_smoothing_factor 1.5", "--label_smoothing_factor 1.5: expected a number of at most 1"),
        ("--eval_steps 0", "--eval_steps 0: expected a positive number"),
        ("--head_learning_rate nan", "--head_learning_rate nan: expected a finite number"),
    ],
)
def test_numbers_and_what_was_expected(argv, tmp_path: Path, capsys, nothing_is_read, argument: str, message: str):
    assert message in refusal(argv("pawsx", tmp_path / "out", argument), capsys)


@pytest.mark.parametrize(
    ("task", "flags", "message"),
    [
        ("pawsx", "--fp16", "--fp16: it needs a GPU"),
        ("pawsx", "--fsdp full_shard", "--fsdp: it divides a model between several processes"),
        ("pawsx", "--debug underflow_overflow", "--debug underflow_overflow: Transformers' detector"),
        ("pawsx", "--report_to nobody", "--report_to: ValueError: nobody is not supported"),
        ("pawsx", "--optim galore_adamw", "--optim galore_adamw: head and fusion have learning rates of their own"),
        ("pawsx", "--optim sgd --optim_args momentum", "--optim: "),
        ("pawsx", "--adam_beta1 1", "--optim: ValueError: Invalid beta parameter"),
        ("pawsx", "--lr_scheduler_type cosine_with_min_lr", "--lr_scheduler_type: ValueError"),
        ("pawsx", "--lr_scheduler_type cosine --lr_scheduler_kwargs {\"x\":1}", "--lr_scheduler_type: TypeError"),
        ("pawsx", "--lr_scheduler_kwargs x", "--lr_scheduler_kwargs x: expected a JSON object"),
        ("pawsx", "--activation_checkpointing_kwargs x", "_kwargs x: expected a JSON object"),
        ("pawsx", "--dataloader_persistent_workers", "it needs --dataloader_num_workers of at least 1"),
        ("uddep", "--label_smoothing_factor 0.1", "uddep has no single distribution over labels to smooth"),
        ("pawsx", "--do_train false", "holds no finished run"),
        ("pawsx", "--do_train false --intermediate_tasks uddep", "nothing goes with --intermediate_tasks"),
        ("pawsx", "--do_train false --compare_baseline", "nothing goes with a command of several runs"),
        ("pawsx", "--do_train false --resume_from_checkpoint last", "nothing goes with --resume_from_checkpoint"),
        ("pawsx", "--intermediate_tasks uddep --intermediate_arguments {\"optim\":\"lomo\"}", "--optim lomo"),
    ],
)  # fmt: skip
def test_what_needs_something_else(
    argv, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch, task: str, flags: str, message: str
):
    monkeypatch.setattr(launch, "prepare", lambda *_: pytest.fail("read first"))
    assert message in refusal(argv(task, tmp_path / "out", flags), capsys)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def short(argv, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """short(task, flags): the folder of a run of two updates; the same one for the same flags."""
    folders: dict[tuple[str, str], Path] = {}

    def run(task: str = "pawsx", flags: str = "") -> Path:
        if (task, flags) not in folders:
            folder = tmp_path_factory.mktemp("short") / "out"
            assert main(argv(task, folder, f"{FEW} --eval_strategy no {flags}")) == 0
            folders[task, flags] = folder
        return folders[task, flags]

    return run


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "flags",
    rest_is_slow([
        "--learning_rate 1e-3",
        "--lr_scheduler_type constant",
        "--lr_scheduler_type cosine_with_min_lr --lr_scheduler_kwargs {\"min_lr\":1e-3}",
        "--warmup_steps 1",
        "--optim sgd",
        "--optim rmsprop --optim_args alpha=0.5",
        "--weight_decay 0.5",
        "--adam_beta1 0.5",
        "--adam_beta2 0.5",
        "--adam_epsilon 0.1",
        "--max_grad_norm 1e-3",
        "--label_smoothing_factor 0.3",
        "--label_smoothing_factor 0.3 --objectives {\"r_drop\":1.0}",
        "--neftune_noise_alpha 5",
        "--seed 3",
        "--data_seed 3",
        "--train_sampling_strategy sequential",
        "--train_sampling_strategy batch_rebalance",
        "--gradient_accumulation_steps 2",
        "--bf16",
    ]),
)  # fmt: skip
def test_what_decides_decides(short, flags: str):
    assert not same(short(flags=flags), short())


@pytest.mark.parametrize(
    "flags",
    rest_is_slow([
        "--full_determinism",
        "--gradient_checkpointing true",
        "--activation_checkpointing true --activation_checkpointing_kwargs {\"use_reentrant\":false}",
        "--torch_compile_backend eager",
        "--dataloader_num_workers 1 --dataloader_prefetch_factor 1 --dataloader_persistent_workers",
        "--dataloader_num_workers 1 --dataloader_multiprocessing_context fork",
        "--per_device_eval_batch_size 2 --eval_accumulation_steps 1",
        "--logging_steps 1 --logging_first_step --include_num_input_tokens_seen true --skip_memory_metrics true",
        "--save_strategy steps --save_steps 1 --save_total_limit 1 --save_only_model",
        "--bf16_full_eval",
        "--torch_empty_cache_steps 1",
        "--average_tokens_across_devices false",
        "--eval_on_start",
    ]),
)  # fmt: skip
def test_what_keeps_the_books_does_not(short, flags: str):
    folder, plain = short(flags=flags), short()
    close = weights(folder)
    assert all(torch.allclose(value, close[name], atol=1e-5) for name, value in weights(plain).items())
    assert RunResults.load(folder).scores == RunResults.load(plain).scores


@pytest.mark.parametrize("task", rest_is_slow(["pawsx", "panx", "udpos", "uddep"]))
def test_incomplete_batches_are_left_out_in_training_alone(short, task: str):
    """9 rows of evaluation in batches of 8; 24 examples are whole batches."""
    flags = "--per_device_eval_batch_size 8"
    folder, plain = short(task, f"{flags} --dataloader_drop_last"), short(task, flags)
    assert same(folder, plain)
    results, expected = RunResults.load(folder), RunResults.load(plain)
    assert results.support == {"de": 9} and results.all_metrics == expected.all_metrics
    assert results.development_score == expected.development_score


def test_incomplete_batches_are_left_out_in_training(argv, tmp_path: Path, capsys):
    flags = "--eval_strategy no --num_train_epochs 1 --languages de --dataloader_drop_last --max_train_samples"
    assert main(argv("pawsx", tmp_path / "out", f"{flags} 20")) == 0
    assert RunResults.load(tmp_path / "out").training["steps"] == 2
    assert "7 training examples in 'en' are less than a batch of 8" in refusal(
        argv("pawsx", tmp_path / "few", f"{flags} 7"), capsys
    )


def test_checkpoints_without_the_optimizer_are_not_gone_on_from(argv, tmp_path: Path, capsys, monkeypatch):
    flags = f"{FEW} --eval_strategy no --save_strategy steps --save_steps 1 --save_only_model"

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("modeling_dlfa.training.run.trained_by", stop)
        assert main(argv("pawsx", tmp_path / "out", flags)) == 130
    capsys.readouterr()
    error = refusal(argv("pawsx", tmp_path / "out", f"{flags} --resume_from_checkpoint last"), capsys)
    assert "checkpoint-2 holds no state of the optimizer (--save_only_model)" in error


@pytest.mark.parametrize(("metric", "mode"), [("accuracy", "max"), ("eval_loss", "min")])
def test_a_plateau_is_one_of_the_metric(argv, tmp_path: Path, monkeypatch, metric: str, mode: str):
    seen: list[str | None] = []
    original = torch.optim.lr_scheduler.ReduceLROnPlateau.__init__

    def note(self, *args, **kwargs):
        seen.append(kwargs.get("mode"))
        original(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.lr_scheduler.ReduceLROnPlateau, "__init__", note)
    flags = f"{FEW} --eval_steps 1 --lr_scheduler_type reduce_lr_on_plateau --metric_for_best_model {metric}"
    assert main(argv("pawsx", tmp_path / "out", flags)) == 0
    assert seen[-1] == mode


def test_results_say_how_many_epochs_it_came_to(short):
    """Steps count more than epochs: 2 of the 3 that 24 examples make."""
    training = RunResults.load(short()).training
    assert (training["steps"], training["num_train_epochs"]) == (2, 0.67)


def test_numbers_by_themselves():
    numbers = TRAINER["max_steps"].numbers
    assert numbers is not None
    assert numbers.problem(-1) is None and numbers.problem(1) is None and numbers.problem(0)
    assert numbers.problem(10**5000) == f"expected a number of at most {LARGEST}"
    assert numbers.problem(math.nan) == "expected a finite number"
