"""A command line of a run, or of several: flags and YAML files over the task's recipe."""

import argparse
import copy
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache, lru_cache
from numbers import Number
from pathlib import Path
from typing import Any

import torch
from transformers import HfArgumentParser, TrainingArguments
from transformers.hf_argparser import string_to_bool

from ..cli import RaisesInputError
from ..configuration_dlfa import CHOICES
from ..errors import OWN, InputError, did_you_mean, one_line
from ..files import expanded, read_yaml
from ..machine import native_bf16
from ..privacy import secret_place
from ..tasks.registry import XTREME_TASKS, get_task
from ..tasks.task import Task
from .arguments import (
    ALL_TASKS,
    AUTO_LAYER,
    LAST_CHECKPOINT,
    RunArguments,
    reads_layer,
    stage_tasks,
)
from .declared import told
from .derived import bookkeeping, check_given, of_the_chain, paths
from .help import USAGE, run_help
from .parsed import parsed
from .recipes import recipe_defaults
from .selection import check_selection, following
from .untrained import carried, check_given_untrained, default_fusion, idle_here, meant_for_others


AUTO_PRECISION = "auto"  # what --bf16 takes for bfloat16 where the machine has it


class CommandLine:
    """A command line, that can be asked for the arguments of each of its runs.

    Args:
        argv: the arguments; the first may be a YAML or JSON file of arguments, which those after it override.
            Nothing at all stands for `--compare_baseline`: embedded encoder, sample data, baseline and DLFA.
        task: the task itself, in place of one that can be named.

    Attributes:
        tasks, fusions: what is to be run; every task with every fusion, the baseline first. `fusions_of` a task may be
            others.
        output_dir: the given folder.
        resumes: whether an earlier try of the same command is to be continued.

    Raises:
        InputError: an unreadable file, an unknown argument, a value of the wrong kind.
    """

    def __init__(self, argv: list[str], task: Task | None = None):
        argv = argv or ["--compare_baseline"]
        parser = _parser()
        if argv[0].endswith((".yaml", ".yml", ".json")):
            argv = [*_file_arguments(Path(expanded(argv[0])), parser), *argv[1:]]
        self._argv = argv
        given = parser.parse_args(argv)
        check_given(_given(argv))
        if given.compare_baseline and given.fusion == "none":
            raise InputError("--compare_baseline --fusion none: the baseline would be compared with itself")
        self._data: str | None = given.data
        self.tasks: list[str | Task] = [given.task] if task is None else [task]
        if self.tasks == [ALL_TASKS]:
            self.tasks = list(XTREME_TASKS)
        # Before anything else is looked at: what a task's module registers can be asked for.
        for asked in (*self.tasks, *stage_tasks(given.intermediate_tasks)):
            get_task(asked)
        for stage in map(get_task, stage_tasks(given.intermediate_tasks)):
            if not stage.kind.trains:
                raise InputError(f"--intermediate_tasks {stage.name}: it trains nothing that could go on")
        if given.fusion not in CHOICES["fusion"]:
            known = ", ".join(CHOICES["fusion"])
            raise InputError(f"--fusion {given.fusion}: expected one of {known}; {OWN}")
        if given.fusion_layer == AUTO_LAYER and not reads_layer(given.fusion):
            reason = "the baseline fuses no layer" if given.fusion == "none" else "it has no layer to choose"
            raise InputError(f"--fusion_layer {AUTO_LAYER} --fusion {given.fusion}: {reason}")
        self.fusions: list[str] = ["none", given.fusion] if given.compare_baseline else [given.fusion]
        self._given = given
        named = _given(argv).keys()
        self._names_fusion = "fusion" in named
        if len(self.tasks) == 1:
            check_given_untrained(get_task(self.tasks[0]), named, bool(stage_tasks(given.intermediate_tasks)))
        self.output_dir: str | None = given.output_dir
        self.resumes: bool = given.resume_from_checkpoint is not None
        several = len(self.tasks) * len(self.fusions) > 1
        if self.resumes and several and given.resume_from_checkpoint.lower() not in LAST_CHECKPOINT:
            raise InputError(
                f"--resume_from_checkpoint {given.resume_from_checkpoint}: a command of several runs takes 'last' only"
            )
        if not given.do_train and "do_train" in _given(argv):
            _check_scoring(given, several)
        if place := secret_place(vars(given)):
            raise InputError(
                f"--{place}: is secret, and arguments are written down: give it by the environment, as HF_TOKEN or "
                "with `hf auth login`"
            )

    def fusions_of(self, task: str | Task) -> list[str]:
        """The fusions of one task, the baseline first.

        A task that trains nothing has one of its own where none is named, and always beside others: what is named is
        then meant for those. A fusion that is carried over from a stage is that of the stage.
        """
        of_task = get_task(task)
        carries = bool(self._given.intermediate_tasks) and self._given.carry_fusion
        if of_task.kind.trains or ((self._names_fusion or carries) and len(self.tasks) == 1):
            return self.fusions
        own = default_fusion(of_task, vars(self._given))
        return list(dict.fromkeys((*self.fusions[:-1], own)))

    def fusion_of_stages(self, task: str | Task, fusion: str) -> str:
        """The fusion of the stages before a run: its own, or before one that trains nothing that of trained models.

        With the fusion of such a run, which may read a lower layer alone, those above it would get no gradient.
        """
        return fusion if get_task(task).kind.trains or fusion == "none" else self.fusions[-1]

    def arguments(
        self, task: str | Task, fusion: str, output_dir: str | Path, **changes: Any
    ) -> tuple[RunArguments, TrainingArguments]:
        """The arguments of one run: what was given, over the task's recipe.

        Args:
            changes: arguments that count more than those given.

        Raises:
            InputError: values that contradict each other.
        """
        parser, argv = self._parser_of(task, {**changes, "task": task, "fusion": fusion, "output_dir": output_dir})
        values = vars(parser.parse_args(argv)) | {"task": task}
        check_selection(get_task(task), values, _given(argv))
        if values["bf16"] == AUTO_PRECISION:
            values["bf16"] = _computes_in_bf16(values)
            # The Trainer takes bfloat16 on a CPU only where it is told to use one.
            values["use_cpu"] = values["use_cpu"] or (values["bf16"] and not torch.accelerator.is_available())
        try:
            run, training = parser.parse_dict(values)
        except InputError:
            raise
        except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:  # TrainingArguments' own checks
            raise InputError(one_line(error)) from error
        return run, training

    def run_arguments(self, task: str | Task, fusion: str, **changes: Any) -> RunArguments:
        """What one run is, without how it is trained: `TrainingArguments` ask for the machine that they are made on.

        Raises:
            InputError: as `arguments`.
        """
        parser, argv = self._parser_of(task, {**changes, "task": task, "fusion": fusion})
        values: dict[str, Any] = vars(parser.parse_args(argv)) | {"task": task}
        return RunArguments(**{entry.name: values[entry.name] for entry in dataclasses.fields(RunArguments)})

    def settings(
        self, task: str | Task, fusion: str, *, of_stage: bool = False, whole: bool = False, **changes: Any
    ) -> dict[str, Any]:
        """What sets the same run apart from one of all defaults, by argument, as far as it decides the result.

        Values are parsed: `1e-4` and `"1e-4"`, a JSON object with and without spaces, are the same. Equal settings are
        the same run, by whatever name, on whatever machine; `--bf16 auto` is another run where it comes to another
        precision.

        Args:
            of_stage: leave out what says which stages come before: that is not said of a stage by its arguments.
            whole: also those that are as by default, for whoever compares two runs name by name.
            changes: as for `arguments`.
        """
        parser, argv = self._parser_of(task, {**changes, "task": task, "fusion": fusion})
        values = vars(parser.parse_args(argv))
        of_task = get_task(task)
        values["data"] = values["data"] or of_task.default_data
        values["task"] = of_task.identity
        if not reads_layer(fusion):  # as `RunArguments` have it
            values["fusion_layer"] = None
        if values["bf16"] == AUTO_PRECISION:  # what was asked, and what it comes to here
            values["bf16"] = f"{AUTO_PRECISION} ({'bfloat16' if _computes_in_bf16(values) else 'float32'})"
        plain, left_out = _plain(), bookkeeping() | (of_the_chain() if of_stage else frozenset())
        left_out = left_out.union(idle_here(of_task))
        return {
            name: parsed(name, value)
            for name, value in values.items()
            if (whole or value != plain[name]) and name not in left_out
        }

    def _parser_of(self, task: str | Task, changes: Mapping[str, Any]) -> tuple["_Parser", list[str]]:
        """A parser with the defaults of a task, and a command line for it."""
        of_task = get_task(task)
        argv = [*_without(self._argv, meant_for_others(of_task, self.tasks)), *as_argv(changes)]
        given = _given(argv)
        defaults = recipe_defaults(of_task, self._data or of_task.default_data, given.get("train", "all"))
        check_given(given)
        defaults |= following(given, defaults)
        return _parser(defaults | carried(of_task, {**_plain(), **defaults, **given}, given)), argv


def _without(argv: Sequence[str], names: Sequence[str]) -> list[str]:
    """A command line without these arguments, however they are written."""
    kept: list[str] = []
    dropping = False
    for word in argv:
        if word.startswith("--"):
            dropping = word[2:].partition("=")[0].replace("-", "_") in names
        if not dropping:
            kept.append(word)
    return kept


def _check_scoring(given: argparse.Namespace, several: bool) -> None:
    """Refuse what would train beside `--do_train false`."""
    beside = {
        "--intermediate_tasks": given.intermediate_tasks,
        "--resume_from_checkpoint": given.resume_from_checkpoint,
        "a command of several runs": several,
    }
    if wrong := next((name for name, value in beside.items() if value), None):
        raise InputError(f"--do_train false: one finished run is scored as it is, nothing goes with {wrong}")


@cache
def _plain() -> dict[str, Any]:
    """The value of every argument where nothing is given, no task's recipe counted."""
    return vars(_parser().parse_args([]))


class _Parser(RaisesInputError, HfArgumentParser):
    """Of the arguments of a run."""

    @staticmethod
    def _parse_dataclass_field(parser: argparse.ArgumentParser, field: dataclasses.Field) -> None:
        """The base class hands all metadata of a field to argparse; `RunArguments` says more there."""
        plain = copy.copy(field)
        plain.metadata = {  # pyright: ignore[reportAttributeAccessIssue]
            name: value for name, value in field.metadata.items() if name in ("aliases", "choices", "help")
        }
        HfArgumentParser._parse_dataclass_field(parser, plain)


def _parser(defaults: Mapping[str, Any] | None = None) -> _Parser:
    return _parser_with(tuple((defaults or {}).items()))


@lru_cache(maxsize=64)
def _parser_with(defaults: tuple[tuple[str, Any], ...]) -> _Parser:
    """A study asks for the same few parsers over and over, and one takes a while to make."""
    parser = _Parser(
        [RunArguments, TrainingArguments],  # pyright: ignore
        prog="dlfa train",
        usage=USAGE,
        description="Fine-tune DLFA in one language, score it zero-shot in the others.",
        epilog="The arguments may stand in a YAML or JSON file given first: dlfa train run.yaml --seed 2. "
        "--debug without a value shows tracebacks, and the log messages of the libraries.",
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("-h", "--help", action=_Help, help="show this project's arguments, by what they decide")
    parser.add_argument("--help-all", action="help", help="show all arguments")
    for action in parser._actions:
        if action.dest in paths():
            action.type = _path
        if action.dest == "bf16":  # a bool of the Trainer's
            action.type = _precision
    parser.set_defaults(**dict(defaults))
    return parser


def _precision(value: str) -> bool | str:
    return AUTO_PRECISION if value.lower() == AUTO_PRECISION else string_to_bool(value)


def _computes_in_bf16(values: Mapping[str, Any]) -> bool:
    """What `--bf16 auto` comes to on this machine, beside the other arguments."""
    return not values["fp16"] and native_bf16(values["use_cpu"])


def _path(value: str) -> str:
    try:
        return expanded(value)
    except InputError as error:  # argparse would not repeat another class's message
        raise argparse.ArgumentTypeError(str(error)) from error


def _given(argv: Sequence[str]) -> dict[str, Any]:
    """The arguments on a command line, without defaults."""
    return vars(_without_defaults().parse_args(argv))


@cache
def _without_defaults() -> _Parser:
    parser = _parser_with.__wrapped__(())  # one of its own
    for action in parser._actions:
        action.default = argparse.SUPPRESS
    return parser


class _Help(argparse.Action):
    """Shows the help of `training.help`."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None):
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(run_help(), end="")
        parser.exit()


def _file_arguments(path: Path, parser: _Parser) -> list[str]:
    """The arguments in a file, as a command line (JSON is YAML too)."""
    values = read_yaml(path, "arguments from")
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected names of arguments with their values, such as 'task: udpos'")
    return _checked(values, str(path), parser)


def checked_argv(values: Mapping[str, Any], where: str) -> list[str]:
    """Arguments by name, as a command line.

    Args:
        where: where they stand, for messages.

    Raises:
        InputError: there is no such argument.
    """
    return _checked(values, where, _parser())


def _checked(values: Mapping[str, Any], where: str, parser: _Parser) -> list[str]:
    actions = {action.dest: action for action in parser._actions if action.dest != argparse.SUPPRESS}
    for name in values:
        if name not in actions:
            advice = did_you_mean(str(name), actions, "--help-all lists all arguments")
            raise InputError(f"{where}: unknown argument {name!r}; {advice}")
    return as_argv(values, [name for name in values if actions[name].nargs in ("*", "+")], where)


def as_argv(values: Mapping[str, Any], lists: Sequence[str] = (), where: str = "") -> list[str]:
    """Arguments by name, as a command line; those set to None are left out.

    Args:
        lists: names of arguments that take several values; a list of any other is joined by commas.
        where: they stand, for messages.

    Raises:
        InputError: a value that no command line could have.
    """
    argv: list[str] = []
    for name, value in values.items():
        if isinstance(value, (list, tuple)) and name in lists:
            argv += [f"--{name}", *(_text(name, one, where) for one in value)]
        elif isinstance(value, (list, tuple)):
            argv.append(f"--{name}={','.join(_text(name, one, where) for one in value)}")
        elif value is not None:
            # With "=", so that a value may begin with a dash.
            argv.append(f"--{name}={_text(name, value, where)}")
    return argv


def _text(name: str, value: Any, where: str) -> str:
    """A value as a command line has it."""
    place = f"{where}: {name}" if where else f"--{name}"
    try:
        if isinstance(value, Mapping):
            return json.dumps(dict(value))
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, (str, os.PathLike, Task)) or (isinstance(value, Number) and name not in paths()):
            return str(value)
    except (TypeError, ValueError) as error:  # no JSON, or a number of more digits than Python writes out
        shown = told(value) if isinstance(value, int) else one_line(error, 80)
        raise InputError(f"{place}: {shown}: expected a value that can be written down") from error
    expected = "a name or path" if name in paths() else "text, a number, or a list or dictionary of such"
    raise InputError(f"{place}: expected {expected}, found {type(value).__name__}")
