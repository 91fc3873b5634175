"""What a user can ask of a run: command line or YAML/JSON file, over the task's recipe."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import yaml
from transformers import HfArgumentParser, TrainingArguments

from ..backbones import EMBEDDED
from ..configuration_dlfa import CHOICES, DLFAConfig
from ..errors import InputError, one_line
from ..xtreme.tasks import TASKS, XTREME_TASKS, Task, get_task


ALL_TASKS = "all"
AUTO_LAYER = "auto"  # what --fusion_layer takes for the layer that scouting finds
LAST_CHECKPOINT = ("last", "true")  # what --resume_from_checkpoint takes for the newest of the output folder

# What does not decide the weights and scores of a run.
WITHOUT_EFFECT = (
    *("output_dir", "stages_dir", "intermediate_tasks", "intermediate_arguments", "compare_baseline"),
    *("keep_checkpoints", "resume_from_checkpoint", "per_device_eval_batch_size", "save_total_limit"),
    *("disable_tqdm", "logging_steps", "logging_strategy", "log_level", "report_to", "run_name"),
)

# Fields of DLFAConfig that `--config_overrides` may set: those without an argument of their own.
OVERRIDABLE = sorted(set(DLFAConfig.__annotations__) - {"encoder_config", "fusion", "fusion_layer", "pooling"})


@dataclass
class RunArguments:
    """What to fine-tune, on which data, and what to score. `TrainingArguments` says how."""

    task: str = field(default="udpos", metadata={"choices": [*TASKS, ALL_TASKS], "help": "Task, or all of XTREME."})
    data: str = field(
        default="sample",
        metadata={"help": "'sample' (embedded), 'hub' (the Hub's data sets), or a folder in XTREME's layout."},
    )
    model_name_or_path: str = field(
        default=EMBEDDED,
        metadata={
            "help": "Pretrained encoder: a Hub id, a folder, 'embedded' (multilingual-e5-small), or the folder of a "
            "finished run, whose encoder goes on."
        },
    )
    model_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of a Hub encoder."})
    fusion: str = field(
        default="aif", metadata={"choices": list(CHOICES["fusion"]), "help": "'aif' is DLFA, 'none' the baseline."}
    )
    # In this order: HfArgumentParser takes the second type, and `__post_init__` makes a number of it.
    fusion_layer: int | str | None = field(
        default=None,
        metadata={
            "help": "k, the lower layer, from 0 (embeddings), or 'auto': the best on the training language's "
            "development data, found at the cost of about one more run. Default: two thirds of the depth."
        },
    )
    pooling: str | None = field(
        default=None,
        metadata={
            "choices": list(CHOICES["pooling"]),
            "help": "How a pair becomes one vector. Default: 'cls', as XTREME; 'mean' for the embedded encoder.",
        },
    )
    config_overrides: str | None = field(
        default=None, metadata={"help": 'More arguments of DLFAConfig as JSON, such as \'{"aif_output": "scale"}\'.'}
    )
    train_language: str = field(default="en", metadata={"help": "Language of the training and development data."})
    languages: str | None = field(
        default=None,
        metadata={"help": "Languages to score, such as 'de,ru,zh', as far as they have data. Default: all."},
    )
    eval_split: str = field(
        default="test",
        metadata={"choices": ["test", "validation"], "help": "Split to score the languages on."},
    )
    max_train_samples: int | None = field(default=None, metadata={"help": "Train on the first so many examples."})
    max_eval_samples: int | None = field(
        default=None, metadata={"help": "Score the first so many examples of each language."}
    )
    max_dev_samples: int | None = field(
        default=None,
        metadata={"help": "Select on the first so many development examples. Default: as --max_eval_samples."},
    )
    max_length: int = field(default=128, metadata={"help": "Sub-words per example, special tokens included."})
    label_piece: str = field(
        default="character",
        metadata={
            "choices": ["character", "first"],
            "help": "Piece that bears a word's label: its first that holds characters, or its first ('▁', XTREME).",
        },
    )
    intermediate_tasks: str | None = field(
        default=None,
        metadata={
            "help": "Tasks to fine-tune on before, such as 'uddep' or 'uddep-upos,uddep', each in a stage of its own "
            "in the training language. The encoder goes on, the head is dropped."
        },
    )
    intermediate_arguments: str | None = field(
        default=None,
        metadata={
            "help": "Arguments of the stages as JSON, over those of this command: '{\"max_steps\": 200}' for all, "
            '\'{"uddep": {"max_steps": 200}}\' for those of one task.'
        },
    )
    carry_fusion: bool = field(
        default=False,
        metadata={"help": "Also take the fusion over from the stage before, or the run in --model_name_or_path."},
    )
    stages_dir: str | None = field(
        default=None,
        metadata={"help": "Where stages are kept, and found again. Default: 'stages' beside the output folder."},
    )
    train_half: str | None = field(
        default=None,
        metadata={
            "choices": ["easy", "hard"],
            "help": "Tasks from trees: train on the easier or the harder sentences by --half_by, half of the words.",
        },
    )
    half_by: str = field(
        default="dependency_length",
        metadata={
            "choices": ["dependency_length", "depth"],
            "help": "What makes a sentence hard: the mean length of its dependencies, or the depth of its tree.",
        },
    )
    shuffle_labels: bool = field(
        default=False,
        metadata={"help": "A control: deal the training labels out at random, so that there is nothing to learn."},
    )
    freeze_embeddings: bool = field(default=False, metadata={"help": "Do not train the word embeddings."})
    head_learning_rate: float | None = field(
        default=None, metadata={"help": "Learning rate of fusion and head. Default: that of the encoder."}
    )
    fusion_learning_rate: float | None = field(
        default=None, metadata={"help": "Learning rate of the fusion. Default: that of the head."}
    )
    compare_baseline: bool = field(
        default=False, metadata={"help": "Also run the baseline (fusion 'none'), and show both and the difference."}
    )
    keep_checkpoints: bool = field(
        default=False, metadata={"help": "Keep the Trainer's checkpoint folders after a run has succeeded."}
    )

    _argument_group_name: ClassVar[str] = "the run"

    def __post_init__(self):
        for name in ("max_train_samples", "max_eval_samples", "max_dev_samples"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name} {value}: expected a positive number")
        if self.fusion == "none":
            self.fusion_layer = None
        elif isinstance(self.fusion_layer, str) and self.fusion_layer != AUTO_LAYER:
            try:
                self.fusion_layer = int(self.fusion_layer)
            except ValueError:
                raise InputError(
                    f"--fusion_layer {self.fusion_layer}: expected the number of a layer, or {AUTO_LAYER!r}"
                ) from None
        self.overrides()
        for task in self.stage_tasks:
            get_task(task)
        if self.stage_tasks and self.fusion_layer == AUTO_LAYER:
            raise InputError(f"--fusion_layer {AUTO_LAYER} --intermediate_tasks: give the layer that the stages fuse")
        if self.carry_fusion and self.fusion_layer == AUTO_LAYER:
            raise InputError(f"--fusion_layer {AUTO_LAYER} --carry_fusion: give the layer of the model before")

    @property
    def stage_tasks(self) -> list[str]:
        """Names of the intermediate tasks in their order."""
        return [name.strip() for name in (self.intermediate_tasks or "").split(",") if name.strip()]

    def overrides(self) -> dict[str, Any]:
        """`config_overrides` as a dictionary.

        Raises:
            InputError: it is not a JSON object of such fields.
        """
        overrides = json_object("config_overrides", self.config_overrides)
        if unknown := [name for name in overrides if name not in OVERRIDABLE]:
            raise InputError(f"--config_overrides: {unknown[0]!r} is not one of {', '.join(OVERRIDABLE)}")
        return overrides


def json_object(name: str, value: str | None) -> dict[str, Any]:
    """The value of an argument that takes a JSON object; nothing stands for an empty one.

    Raises:
        InputError: it is something else.
    """
    try:
        values = json.loads(value or "{}")
    except json.JSONDecodeError as error:
        raise InputError(f"--{name} {value!r} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"--{name} {value!r}: expected a JSON object")
    return values


# Nothing is saved before the end, and the model of the last step is the result.
NO_SELECTION = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}


def recipe_defaults(task: Task, data: str) -> dict[str, Any]:
    """Defaults of a task: XTREME's recipe, selection on the development data of the training language.

    The sample has its own (our choice): enough to see transfer within minutes on two CPU cores, from the last step.
    """
    recipe = task.recipe
    defaults = {
        "num_train_epochs": recipe.num_train_epochs,
        "learning_rate": recipe.learning_rate,
        "per_device_train_batch_size": recipe.per_device_train_batch_size,
        "per_device_eval_batch_size": 32,
        "max_length": recipe.max_length,
        "seed": recipe.seed,
        "train_sampling_strategy": "group_by_length",
        "eval_strategy": "steps",
        "eval_steps": recipe.eval_steps,
        "save_strategy": "best",
        "load_best_model_at_end": True,
        "metric_for_best_model": task.metric,
        "greater_is_better": True,
        "save_total_limit": 1,
        "logging_steps": 50,
        "dataloader_pin_memory": False,
    }
    if data == "sample":
        defaults |= NO_SELECTION | {
            "num_train_epochs": 3 if task.kind == "tagging" else 4,
            "learning_rate": 1e-4,
            "head_learning_rate": 1e-3,
            "freeze_embeddings": True,
        }
    return defaults


class CommandLine:
    """A command line, that can be asked for the arguments of each of its runs.

    Args:
        argv: the arguments; the first may be a YAML or JSON file of arguments, which those after it override.
            Nothing at all stands for `--compare_baseline`: embedded encoder, sample data, baseline and DLFA.

    Attributes:
        tasks, fusions: what is to be run; every task with every fusion, the baseline first.
        output_dir: the given folder.
        resumes: whether an earlier try of the same command is to be continued.

    Raises:
        InputError: an unreadable file, an unknown argument, a value of the wrong kind.
    """

    def __init__(self, argv: list[str]):
        argv = argv or ["--compare_baseline"]
        parser = _parser()
        if argv[0].endswith((".yaml", ".yml", ".json")):
            argv = [*_file_arguments(Path(argv[0]), parser), *argv[1:]]
        self._argv = argv
        given = parser.parse_args(argv)
        if given.compare_baseline and given.fusion == "none":
            raise InputError("--compare_baseline --fusion none: the baseline would be compared with itself")
        if given.fusion_layer == AUTO_LAYER and given.fusion == "none":
            raise InputError(f"--fusion_layer {AUTO_LAYER} --fusion none: the baseline fuses no layer")
        self._data: str = given.data
        self.tasks: list[str] = list(XTREME_TASKS) if given.task == ALL_TASKS else [given.task]
        self.fusions: list[str] = ["none", given.fusion] if given.compare_baseline else [given.fusion]
        self.output_dir: str | None = given.output_dir
        self.resumes: bool = given.resume_from_checkpoint is not None
        several = len(self.tasks) * len(self.fusions) > 1
        if self.resumes and several and given.resume_from_checkpoint.lower() not in LAST_CHECKPOINT:
            raise InputError(
                f"--resume_from_checkpoint {given.resume_from_checkpoint}: a command of several runs takes 'last' only"
            )
        if given.push_to_hub:
            raise InputError("--push_to_hub: a run is not uploaded; use `hf upload REPOSITORY FOLDER` when it is done")

    def arguments(
        self, task: str, fusion: str, output_dir: str | Path, **changes: Any
    ) -> tuple[RunArguments, TrainingArguments]:
        """The arguments of one run: what was given, over the task's recipe.

        Args:
            changes: arguments that count more than those given.

        Raises:
            InputError: values that contradict each other.
        """
        parser, argv = self._parser_of(task, {**changes, "task": task, "fusion": fusion, "output_dir": output_dir})
        try:
            run, training = parser.parse_args_into_dataclasses(args=argv)
        except ValueError as error:  # TrainingArguments' own checks
            raise InputError(one_line(error)) from error
        return run, training

    def settings(self, task: str, fusion: str, **changes: Any) -> dict[str, Any]:
        """What sets the same run apart from one of all defaults, by argument, as far as it decides the result."""
        parser, argv = self._parser_of(task, {**changes, "task": task, "fusion": fusion})
        plain = vars(_parser().parse_args([]))
        values = vars(parser.parse_args(argv)).items()
        return {name: value for name, value in values if value != plain[name] and name not in WITHOUT_EFFECT}

    def _parser_of(self, task: str, changes: Mapping[str, Any]) -> tuple["_Parser", list[str]]:
        """A parser with the defaults of a task, and a command line for it."""
        argv = [*self._argv, *as_argv(changes)]
        defaults = recipe_defaults(TASKS[task], self._data)
        if _parser(defaults).parse_args(argv).eval_strategy == "no":
            defaults |= NO_SELECTION
        return _parser(defaults), argv


class RaisesInputError(argparse.ArgumentParser):
    """A parser that raises where argparse would print its usage and end the process."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (--help lists all arguments)")


class _Parser(RaisesInputError, HfArgumentParser):
    """Of the arguments of a run."""


def _parser(defaults: dict[str, Any] | None = None) -> _Parser:
    parser = _Parser(
        [RunArguments, TrainingArguments],  # pyright: ignore
        prog="run_xtreme.py",
        description="Fine-tune DLFA in one language, score it zero-shot in the others.",
        epilog="The arguments may stand in a YAML or JSON file given first: run_xtreme.py run.yaml --seed 2. "
        "--debug without a value shows tracebacks, and the log messages of the libraries.",
        allow_abbrev=False,
    )
    parser.set_defaults(**(defaults or {}))
    return parser


def _file_arguments(path: Path, parser: _Parser) -> list[str]:
    """The arguments in a file, as a command line (JSON is YAML too)."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"cannot read arguments from {path}: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected names of arguments with their values, such as 'task: udpos'")
    actions = {action.dest: action for action in parser._actions}
    for name in values:
        if name not in actions:
            close = get_close_matches(str(name), actions, n=1)
            advice = f"; did you mean {close[0]!r}?" if close else " (--help lists all arguments)"
            raise InputError(f"{path}: unknown argument {name!r}{advice}")
    return as_argv(values, [name for name in values if actions[name].nargs in ("*", "+")])


def as_argv(values: Mapping[str, Any], lists: Sequence[str] = ()) -> list[str]:
    """Arguments by name, as a command line; those set to None are left out.

    Args:
        lists: names of arguments that take several values; a list of any other is joined by commas.
    """
    argv: list[str] = []
    for name, value in values.items():
        if isinstance(value, list) and name in lists:
            argv += [f"--{name}", *map(str, value)]
        elif value is not None:
            if isinstance(value, list):
                value = ",".join(map(str, value))
            # With "=", so that a value may begin with a dash.
            argv.append(f"--{name}={json.dumps(value) if isinstance(value, dict) else value}")
    return argv
