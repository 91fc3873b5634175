"""What `dlfa train` does: one run, or several side by side, and the table of what came out."""

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console
from transformers import TrainingArguments

from ..cli import PLAIN, make_console
from ..errors import InputError
from ..tasks.registry import get_task
from ..tasks.task import Task
from .arguments import RunArguments
from .command_line import CommandLine
from .data import RunData, asked_languages, load_rows, open_tokenizer, prepare
from .folder import TRAINED_FILE, checkpoint_to_resume, last_checkpoint
from .model import check_model
from .results import RESULTS_FILE, RunResults, results_table
from .stages import Stage, check_stages, plan_stages, run_chain, stages_folder


@dataclass(frozen=True)
class PlannedRun:
    """One of the runs of a command; `finished` are the results of an earlier try."""

    arguments: RunArguments
    training_arguments: TrainingArguments
    stages: list[Stage]
    finished: RunResults | None


def launch(command: CommandLine) -> dict[str, list[RunResults]]:
    """Carry out every run of a command and return the results by task, the baseline before DLFA.

    Raises:
        InputError: as `run`; before anything is trained where it can be known.
    """
    console = make_console()
    root = output_root(command)
    planned = plan(command, root)
    finished: dict[str, list[RunResults]] = {}
    for task, runs in planned.items():
        data: RunData | None = None
        for one in runs:
            results = one.finished
            if results is None:
                name, fusion = get_task(one.arguments.task).name, one.arguments.fusion
                console.rule(f"{name} · {'baseline' if fusion == 'none' else fusion}", align="left")
                console.print(f"into {one.training_arguments.output_dir}", style="dim", **PLAIN)
                if data is None:
                    data = prepare(one.arguments, training=one.training_arguments.do_train)
                    show_labels(data.task, console)
                    warn_of_missing(one.arguments, data, console)
                folder = stages_folder(one.arguments, root)
                for place, stage in enumerate(one.stages, start=1):
                    console.print(f"stage {place} of {len(one.stages)}: {stage.task}, {folder / stage.name}", **PLAIN)
                results = run_chain(one.stages, folder, one.arguments, one.training_arguments, data)
            finished.setdefault(task, []).append(results)
        show(finished[task], console)
    return finished


def plan(command: CommandLine, root: Path) -> dict[str, list[PlannedRun]]:
    """The runs of a command by task, after a look at everything that could stop one of them later.

    Raises:
        InputError: arguments that contradict each other, an output folder that is in use, an encoder that cannot be
            opened or does not fit; with several tasks also data that are missing or malformed.
    """
    planned: dict[str, list[PlannedRun]] = {}
    for task in command.tasks:
        for fusion in command.fusions:
            folder = root
            if len(command.tasks) > 1:
                folder = folder / get_task(task).name
            if len(command.fusions) > 1:
                folder = folder / ("baseline" if fusion == "none" else fusion)
            planned.setdefault(str(task), []).append(plan_run(command, task, fusion, folder, alone=folder == root))
    for runs in planned.values():
        if first := next((one for one in runs if one.finished is None), None):  # the others read the same
            for stage in first.stages:
                stage_arguments, _ = stage.arguments(None, "unused")
                open_tokenizer(stage_arguments)
                load_rows(stage_arguments)
            if len(planned) > 1:  # a single task's data are read next anyway
                open_tokenizer(first.arguments)
                load_rows(first.arguments)
    return planned


def plan_run(command: CommandLine, task: str | Task, fusion: str, folder: Path, alone: bool = True) -> PlannedRun:
    """One run of a command, after a look at its folder and its encoder.

    Args:
        alone: whether the command has no other, so that there must be something to resume if it is to be.

    Raises:
        InputError: as `plan`.
    """
    arguments, training_arguments = command.arguments(task, fusion, folder)
    stages = plan_stages(command, task, fusion)
    if command.resumes and (folder / RESULTS_FILE).exists():
        return PlannedRun(arguments, training_arguments, stages, RunResults.load(folder))
    begun = last_checkpoint(folder) is not None or (folder / TRAINED_FILE).is_file()
    if command.resumes and (not alone or stages) and not begun:
        training_arguments.resume_from_checkpoint = None  # this one had not begun, or had saved nothing
    checkpoint_to_resume(folder, training_arguments.resume_from_checkpoint)
    check_model(arguments)
    check_stages(stages)
    return PlannedRun(arguments, training_arguments, stages, finished=None)


def show_labels(task: Task, console: Console) -> None:
    """Say which labels were found, where the task does not list them: a misspelt one is a label too."""
    if task.labels_from:
        console.print(f"labels found in {task.labels_from}: {', '.join(task.labels)}", **PLAIN)


def warn_of_missing(arguments: RunArguments, data: RunData, console: Console) -> None:
    """Say which of the languages asked for cannot be scored; the others are."""
    if missing := [code for code in asked_languages(arguments) or [] if code not in data.evaluation]:
        console.print(
            f"warning: no {arguments.eval_split} data for {', '.join(missing)} in {arguments.data}: scoring "
            f"{', '.join(data.evaluation)}",
            style="yellow",
            **PLAIN,
        )


def show(runs: list[RunResults], console: Console) -> None:
    """Print the table of a task, how a layer was chosen, and a warning for scores that mean nothing."""
    console.print(results_table(runs))
    for results in runs:
        if results.scouting:
            scores = ", ".join(f"{layer}: {score:.1f}" for layer, score in results.scouting["scores"].items())
            console.print(
                f"{results.model_name}, chosen on {results.train_language} development data in "
                f"{results.scouting['seconds']:.0f} s (layer: {results.metric}) {scores}",
                **PLAIN,
            )
        if results.chance_level:
            console.print(
                f"warning: {results.model_name}: no better than always answering the most frequent label in "
                f"{', '.join(results.chance_level)}; train longer, try another learning rate or look at those labels",
                style="yellow",
                **PLAIN,
            )


def output_root(command: CommandLine) -> Path:
    """The folder of a command: the given one, or a new one with the date and time under `runs/`."""
    if command.output_dir is not None:
        return Path(command.output_dir)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("several processes need one folder: give --output_dir")
    return Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
