"""What a command line or a file of arguments means."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import TrainingArguments

from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import TASKS, XTREME_TASKS
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.help import HEADINGS, OF_THE_TRAINER
from modeling_dlfa.training.selection import NO_SELECTION
from tests.of_kinds import TRAINED


def parse(argv: str | list[str], task: str | None = None) -> dict[str, Any]:
    """All values of the (first, or last) run of a command."""
    command = CommandLine(argv.split() if isinstance(argv, str) else argv)
    run, training = command.arguments(task or command.tasks[0], command.fusions[-1], "out")
    return {**vars(training), **vars(run)}


@pytest.mark.parametrize("task", TRAINED)
def test_defaults_are_the_recipe(task: str):
    values = parse(f"--task {task} --data hub")
    recipe = TASKS[task].recipe
    for name in (
        "num_train_epochs",
        "learning_rate",
        "per_device_train_batch_size",
        "max_length",
        "eval_steps",
        "seed",
        "warmup_steps",
        "weight_decay",
    ):
        assert values[name] == getattr(recipe, name), name
    assert values["metric_for_best_model"] == TASKS[task].metric
    chosen = {"eval_strategy": "steps", "save_strategy": "best", "load_best_model_at_end": True}
    expected = chosen if TASKS[task].selects else NO_SELECTION
    assert {name: values[name] for name in chosen} == expected
    assert values["lr_scheduler_type"] == "linear"
    assert values["head_learning_rate"] is None and not values["freeze_embeddings"]
    assert (values["model_name_or_path"], values["fusion"], values["fusion_layer"]) == ("embedded", "aif", None)
    assert (values["train_language"], values["eval_split"], values["label_piece"]) == ("en", "test", "character")


def test_the_sample_has_a_recipe_of_its_own():
    values = parse("--task xnli")
    assert values["data"] == "sample"
    assert values["freeze_embeddings"] and values["head_learning_rate"] is not None
    assert values["eval_strategy"] == values["save_strategy"] == "no" and not values["load_best_model_at_end"]


def test_no_arguments_are_baseline_and_dlfa_on_the_sample():
    command = CommandLine([])
    assert (command.tasks, command.fusions, command.output_dir) == (["udpos"], ["none", "aif"], None)
    run, _ = command.arguments("udpos", "none", "out")
    assert (run.data, run.model_name_or_path, run.fusion) == ("sample", "embedded", "none")


def test_all_tasks():
    command = CommandLine(["--task", "all", "--fusion", "concat", "--compare_baseline"])
    assert command.tasks == list(XTREME_TASKS)
    assert command.fusions == ["none", "concat"]
    for task in command.tasks:
        run, training = command.arguments(task, "none", f"out/{task}")
        assert (run.task, run.fusion, training.output_dir) == (task, "none", f"out/{task}")


@pytest.mark.parametrize(
    ("argv", "name", "value"),
    [
        ("--learning_rate 3e-5", "learning_rate", 3e-5),
        ("--learning_rate=3e-5", "learning_rate", 3e-5),
        ("--seed 7", "seed", 7),
        ("--max_length 64", "max_length", 64),
        ("--num_train_epochs 0.5", "num_train_epochs", 0.5),
        ("--freeze_embeddings false", "freeze_embeddings", False),
        ("--freeze_embeddings", "freeze_embeddings", True),
        ("--head_learning_rate 0.01", "head_learning_rate", 0.01),
        ("--eval_strategy epoch", "eval_strategy", "epoch"),
        ("--weight_decay 0.1", "weight_decay", 0.1),  # TrainingArguments' own flags pass through
        ("--warmup_steps 0.1", "warmup_steps", 0.1),
        ("--lr_scheduler_type constant", "lr_scheduler_type", "constant"),
        ("--gradient_accumulation_steps 4", "gradient_accumulation_steps", 4),
        ("--fusion_layer 0", "fusion_layer", 0),
        ("--languages de,ru", "languages", "de,ru"),
        ("--debug underflow_overflow", "debug", ["underflow_overflow"]),
    ],
)
def test_what_is_given_wins(argv: str, name: str, value: Any):
    assert parse(argv)[name] == value


@pytest.mark.parametrize(
    ("given", "layers"), [("8", 8), ("4,8", [4, 8]), ("8, 4", [4, 8]), ("8,", None), ("four", None), ("auto", "auto")]
)
def test_fused_layers(given: str, layers: Any):
    if layers is None:
        with pytest.raises(InputError, match=f"--fusion_layer {given}: expected the number of a layer, several as "):
            RunArguments(fusion_layer=given)
    else:
        arguments = RunArguments(fusion_layer=given)
        assert arguments.fusion_layer == layers
        assert RunArguments(fusion_layer=arguments.fusion_layer).fusion_layer == layers
    for fusion in ("none", "aif_last", "mix_all", "dwatt"):
        assert RunArguments(fusion=fusion, fusion_layer=8).fusion_layer is None


@pytest.mark.parametrize("given", ["--fusion_layer 8,4", "--fusion_layer=4,8", ["a file"]])
def test_several_layers_are_one_setting_however_they_are_written(given, tmp_path: Path):
    if isinstance(given, list):
        (tmp_path / "run.yaml").write_text("fusion_layer: [8, 4]\n", encoding="utf-8")
        given = str(tmp_path / "run.yaml")
    command = CommandLine(given.split())
    assert command.settings("udpos", "aif")["fusion_layer"] == [4, 8]
    assert command.run_arguments("udpos", "aif").fusion_layer == [4, 8]


def test_a_run_without_evaluation_saves_nothing():
    values = parse("--data hub --eval_strategy no")
    assert values["save_strategy"] == "no" and not values["load_best_model_at_end"]
    values = parse("--data hub --eval_strategy no --save_strategy steps --save_steps 5")
    assert (values["save_strategy"], values["save_steps"]) == ("steps", 5)


VALUES = {
    "task": "panx",
    "data": "hub",
    "learning_rate": "2e-5",  # YAML reads 2e-5 as text
    "head_learning_rate": 1.0e-3,
    "languages": ["de", "ru"],
    "freeze_embeddings": True,
    "compare_baseline": False,
    "fusion_layer": 4,
    "max_train_samples": None,
    "config_overrides": {"aif_output": "scale"},
    "label_names": ["labels"],
    "lr_scheduler_kwargs": {},
}


@pytest.mark.parametrize("suffix", ["yaml", "yml", "json"])
def test_file(tmp_path: Path, suffix: str):
    path = tmp_path / f"run.{suffix}"
    text = json.dumps(VALUES) if suffix == "json" else yaml.safe_dump(VALUES).replace("'2e-5'", "2e-5")
    path.write_text(text, encoding="utf-8")
    values = parse([str(path)])
    assert values["task"] == "panx" and values["data"] == "hub"
    assert values["learning_rate"] == 2e-5 and values["head_learning_rate"] == 1e-3
    assert values["languages"] == "de,ru"
    assert values["freeze_embeddings"] is True and values["compare_baseline"] is False
    assert values["fusion_layer"] == 4 and values["max_train_samples"] is None
    assert json.loads(values["config_overrides"]) == {"aif_output": "scale"}
    assert values["label_names"] == ["labels"]
    assert values["num_train_epochs"] == 10  # the recipe's, where the file says nothing
    values = parse([str(path), "--seed", "5", "--fusion_layer", "2", "--languages", "zh"])
    assert (values["seed"], values["fusion_layer"], values["languages"]) == (5, 2, "zh")
    assert values["head_learning_rate"] == 1e-3


def test_file_and_command_line_override_in_this_order(tmp_path: Path):
    path = tmp_path / "run.yaml"
    path.write_text("task: xnli\nseed: 3\nlearning_rate: 1e-5\n", encoding="utf-8")
    values = parse([str(path), "--seed", "4"])
    assert (values["seed"], values["learning_rate"], values["num_train_epochs"]) == (4, 1e-5, 4)  # the sample's recipe
    values = parse([str(path), "--seed", "4", "--data", "hub"])
    assert (values["seed"], values["learning_rate"], values["num_train_epochs"]) == (4, 1e-5, 5)  # XTREME's


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--taks xnli", "--taks"),
        ("--task quad", "quad"),
        ("--fusion dlfa", "dlfa"),
        ("--pooling max", "max"),
        ("--learning_rate fast", "learning_rate"),
        ("--seed", "seed"),
        ("stray", "stray"),
        ("--max_train_samples 0", "--max_train_samples 0: expected a positive number"),
        ("--max_eval_samples -3", "--max_eval_samples -3"),
        ("--config_overrides {", "not JSON"),
        ("--config_overrides 3", "JSON object"),
        ('--config_overrides {"aif_outptu":1}', "'aif_outptu' is not one of aif_activation"),
        ('--config_overrides {"fusion":"sum"}', "'fusion' is not one of"),
        ("--fusion none --compare_baseline", "compared with itself"),
        ("--push_to_hub true", "dlfa publish"),
        ("--hub_token mine", "--hub_token: a run is not uploaded; when it is done, `dlfa publish FOLDER USER/NAME`"),
        ("--run_name hf_aB3aB3aB3aB3aB3aB3", "--run_name: is secret"),
        ("--data postgresql://me:mine@host/db", "--data: is secret"),
        ("--compare_baseline --resume_from_checkpoint out/checkpoint-5", "'last' only"),
        ("--task all --resume_from_checkpoint out/checkpoint-5", "'last' only"),
        ("--data hub --save_strategy steps --save_steps 7 --eval_steps 5", "--load_best_model_at_end"),
        ("--lr_scheduler_type zigzag", "zigzag"),
        ("nowhere/run.yaml", "cannot read arguments from nowhere/run.yaml"),
    ],
)
def test_mistakes_are_one_line(argv: str, message: str):
    with pytest.raises(InputError) as caught:
        parse(argv)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"taks: udpos\n", "unknown argument 'taks'; did you mean 'task'?"),
        (b"5: udpos\n", "unknown argument 5"),
        (b"- udpos\n", "expected names of arguments"),
        (b"", "expected names of arguments"),
        (b"task: [udpos\n", "cannot read arguments"),
        (b"task: caf\xe9\n", "cannot read arguments"),
        (b"task: quad\n", "quad"),
        (b"seed: one\n", "one"),
    ],
)
def test_mistakes_in_files_are_one_line(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "run.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        parse([str(path)])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_path_for_resuming_is_fine_for_a_single_run():
    assert CommandLine(["--resume_from_checkpoint", "out/checkpoint-5"]).resumes


KEEPING_BOOKS = ("stages_dir", "states_dir", "states_limit", "states_layers", "compare_baseline", "keep_checkpoints")


def test_help_lists_our_arguments_and_theirs(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        CommandLine(["--help-all"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for name in (*(field.name for field in fields(RunArguments)), "learning_rate", "bf16"):
        assert f"--{name}" in text
    assert "run.yaml" in text and "--debug without a value" in " ".join(text.split())


def test_help_lists_our_arguments_by_what_they_decide(capsys: pytest.CaptureFixture[str], monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as caught:
        CommandLine(["--task", "xnli", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= 125 and max(map(len, text.splitlines())) <= 100
    assert text.splitlines()[0] == "usage: dlfa train [FILE.yaml] [--ARGUMENT VALUE ...]"
    for entry in fields(RunArguments):
        assert re.search(rf"^  --{entry.name}\b", text, re.MULTILINE), entry.name
    parts = re.split(r"^([a-z ]+):$", text, flags=re.MULTILINE)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    assert tuple(sections) == HEADINGS
    for heading, names in {
        "task and data": ("task", "data", "max_length", "train_language"),
        "model": ("model_name_or_path", "fusion", "fusion_layer"),
        "training": ("learning_rate", "head_learning_rate", "bf16"),
        "what is scored": ("languages", "eval_split"),
        "intermediate tasks": ("intermediate_tasks", "carry_fusion", "stages_dir"),
        "bookkeeping": ("output_dir", "compare_baseline", "resume_from_checkpoint"),
    }.items():
        assert all(f"\n  --{name} " in sections[heading] for name in names), heading
    assert "TrainingArguments" in text and "--help-all" in text
    assert "--max_length INT              Sub-words per example, special tokens included. Default: the task's" in text
    assert "Default: 128" not in text
    assert "--pooling {cls,mean}" in text


def test_help_names_every_task_and_every_length():
    """It is written by hand, since help imports nothing of the tasks."""
    helps = {entry.name: entry.metadata["help"] for entry in fields(RunArguments)}
    for name, task in TASKS.items():
        assert re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", helps["task"]), name
        assert re.search(rf"\b{task.recipe.max_length}\b", helps["max_length"]), name


def test_help_names_arguments_that_the_trainer_has():
    assert {entry.name for entry in fields(TrainingArguments)} >= OF_THE_TRAINER.keys()


OWN_MODULE = """
from torch import nn
from modeling_dlfa import Task, register_fusion, register_kind, register_objective
from modeling_dlfa.tasks.kinds.pairs import Pairs

@register_fusion("{name}_difference")
class Difference(nn.Module):
    def __init__(self, config):
        super().__init__()

    def forward(self, x, y, mask):
        return x - y

@register_objective("{name}_square")
def square(model, inputs, outputs):
    return outputs.logits.square().mean()

class Kind(Pairs):
    name = "{name}_kind"

TASK = Task("own", register_kind(Kind()), labels=("no", "yes"))
"""


@pytest.mark.parametrize("flag", ["--task", "--intermediate_tasks"])
def test_what_a_tasks_module_registers_can_be_asked_for(flag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    name = f"registers_for{flag.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN_MODULE.format(name=name), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    objectives = f'{{"{name}_square":1.0}}'
    argv = [flag, f"{name}:TASK", "--fusion", f"{name}_difference", "--objectives", objectives, "--fusion_layer", "2"]
    values = parse(argv)
    assert values["fusion"] == f"{name}_difference"
    with pytest.raises(InputError, match="expected one of aif"):
        parse([*argv, "--fusion", "another"])
    assert RunArguments(task=f"{name}:TASK", objectives=objectives).weighted_objectives() == {f"{name}_square": 1.0}


def test_every_argument_says_what_it_decides():
    """By `argument`: nothing is left to a default that nobody thought of."""
    said = {"decides", "stage", "cell", "chain", "recorded"}
    assert all(entry.metadata.keys() >= said for entry in fields(RunArguments))
    for entry in fields(RunArguments):
        assert set(entry.metadata["decides"]) <= {"data", "evaluation", "model", "training"}, entry.name
        # What only keeps the books is named here too: a new argument that says nothing is found.
        assert entry.metadata["decides"] or entry.name in KEEPING_BOOKS


@pytest.mark.parametrize("written", ["--name value", "--name=value"])
def test_of_several_tasks_each_takes_what_is_meant_for_it(written: str):
    given = {"fusion-layer": "auto", "pooling": "cls", "input_norm": "layer", "prefix": "query:"}
    flags = [written.replace("name", name).replace("value", value) for name, value in given.items()]
    given_json = ["--config_overrides", '{"aif_output": "scale"}']
    command = CommandLine([*" ".join(["--task all", *flags, "--intermediate_tasks uddep"]).split(), *given_json])
    names = ("fusion_layer", "pooling", "input_norm", "config_overrides", "prefix")

    def taken(task: str) -> list:
        parser, argv = command._parser_of(task, {"task": task, "fusion": command.fusions_of(task)[-1]})
        return [getattr(parser.parse_args(argv), name) for name in names]

    assert taken("tatoeba") == taken("bucc2018") == [None, None, "none", None, "query:"]
    assert taken("xnli") == taken("uddep") == ["auto", "cls", "layer", given_json[1], None]


def test_a_text_before_sentences_is_refused_where_no_task_compares_any():
    command = CommandLine(["--task", "udpos", "--prefix", "query: ", "--intermediate_tasks", "uddep"])
    assert command.run_arguments("udpos", "aif").prefix == command.run_arguments("uddep", "aif").prefix == "query: "
