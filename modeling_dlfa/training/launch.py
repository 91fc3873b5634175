"""What `dlfa train` does: one run, or several side by side, and the table of what came out."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from transformers import TrainingArguments

from ..cli import PLAIN, make_console, on_main
from ..data.sources import open_source
from ..errors import InputError
from ..files import check_writable
from ..tasks.languages import LANGUAGES
from ..tasks.registry import XTREME_TASKS, get_task
from ..tasks.task import Task
from .arguments import RunArguments
from .benchmark import benchmark_table, write_benchmark
from .checks import check_training
from .command_line import CommandLine
from .data import RunData, asked_languages, load_rows, open_tokenizer, prepare, scored_data, tuning_data
from .derived import deciding
from .fingerprints import global_batch, used
from .folder import (
    TRAINED_FILE,
    alone_in,
    check_apart,
    check_optimizer,
    check_same_settings,
    checkpoint_to_resume,
    last_checkpoint,
    write_settings,
)
from .model import check_model, check_outputs
from .overlap import repeated
from .regimes import check_regime
from .results import RESULTS_FILE, RunResults, results_table
from .run import finished_run
from .stages import Stage, check_stages, plan_stages, run_chain, stages_folder
from .untrained import check_untrained


@dataclass(frozen=True)
class PlannedRun:
    """One of the runs of a command.

    Attributes:
        command: what it is part of.
        arguments, training_arguments: of the run.
        stages: before it.
        finished: the results of an earlier try.
    """

    command: CommandLine
    arguments: RunArguments
    training_arguments: TrainingArguments
    stages: list[Stage]
    finished: RunResults | None = None

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Everything that decides the run, by name: what was given, defaults, what they come to here, what is read.

        Raises:
            InputError: data or encoder are not there.
        """
        arguments = self.arguments
        found = self.command.settings(arguments.task, arguments.fusion, whole=True) | used(arguments)
        if self.stages:  # the last of them is what it starts from
            found |= {"encoder": self.stages[-1].fingerprint, "tokenizer": None}
        return found | {
            "processes": self.training_arguments.world_size,
            "batch_size": global_batch(self.training_arguments),
            "development_samples": arguments.development_limit,
        }

    def carry_out(self, stages: Path, data: RunData | None = None) -> RunResults:
        """Write down what decides the run, then do it.

        Args:
            stages: folder of the stages.
            data: as for `run`.
        """
        output = Path(self.training_arguments.output_dir or "")
        with alone_in(output) if on_main() else nullcontext():
            if self.training_arguments.do_train and on_main():
                write_settings(output, self.settings)
            return run_chain(self.stages, stages, self.arguments, self.training_arguments, data)


def launch(command: CommandLine) -> dict[str, list[RunResults]]:
    """Carry out every run of a command and return the results by task, the baseline before DLFA.

    Raises:
        InputError: as `run`; before anything is trained where it can be known.
    """
    console = make_console()
    root = output_root(command)
    planned = plan(command, root)
    warn_of_left_out(command, planned, console)
    finished: dict[str, list[RunResults]] = {}
    for task, runs in planned.items():
        data: RunData | None = None
        for one in runs:
            results = one.finished
            if results is None:
                name, fusion = get_task(one.arguments.task).name, one.arguments.fusion
                new = data is None
                data = data or prepare(one.arguments, training=one.training_arguments.do_train)
                console.rule(escape(f"{name} · {'baseline' if fusion == 'none' else fusion}"), align="left")
                console.print(f"into {one.training_arguments.output_dir}", style="dim", **PLAIN)
                if new:
                    show_labels(data, console)
                    warn_of_missing(one.arguments, data, console)
                    tell_of_rows(one.arguments, data, console)
                folder = stages_folder(one.arguments, root)
                for place, stage in enumerate(one.stages, start=1):
                    console.print(f"stage {place} of {len(one.stages)}: {stage.task}, {folder / stage.name}", **PLAIN)
                results = one.carry_out(folder, data)
            finished.setdefault(task, []).append(results)
        show(finished[task], console)
    if set(map(str, command.tasks)) >= set(XTREME_TASKS):
        console.print(benchmark_table(finished))
        if on_main():
            write_benchmark(finished, root / BENCHMARK_FILE)
    return finished


BENCHMARK_FILE = "xtreme.csv"
"""In the folder of a command that runs all of XTREME: each model's scores by task."""


def plan(command: CommandLine, root: Path) -> dict[str, list[PlannedRun]]:
    """The runs of a command by task, after a look at everything that could stop one of them later.

    Of several tasks, one without data in any of the languages asked for is left out, as long as another has some.

    Raises:
        InputError: arguments that contradict each other, an output folder that is in use, an encoder that cannot be
            opened or does not fit; with several tasks also data that are missing or malformed.
    """
    planned: dict[str, list[PlannedRun]] = {}
    for task in [task for task in command.tasks if _speaks(command, task)] or command.tasks:
        for fusion in command.fusions_of(task):
            folder = root
            if len(command.tasks) > 1:
                folder = folder / get_task(task).name
            if len(command.fusions) > 1:
                folder = folder / ("baseline" if fusion == "none" else fusion)
            planned.setdefault(str(task), []).append(plan_run(command, task, fusion, folder, root))
    for runs in planned.values():
        if first := next((one for one in runs if one.finished is None), None):  # the others read the same
            for stage in first.stages:
                stage_arguments = stage.run_arguments()
                open_tokenizer(stage_arguments)
                load_rows(stage_arguments)
            if len(planned) > 1:  # a single task's data are read next anyway
                open_tokenizer(first.arguments)
                load_rows(first.arguments)
    return planned


def _speaks(command: CommandLine, task: str | Task) -> bool:
    """Whether a task has data in a language that is asked for; what is wrong with either, its run says."""
    if len(command.tasks) == 1:
        return True
    arguments = command.run_arguments(task, command.fusions_of(task)[-1])
    asked = asked_languages(arguments)
    if asked is None or not LANGUAGES.keys() >= set(asked):
        return True
    there = open_source(arguments.data).languages(get_task(task), arguments.eval_split)
    return not there or not set(asked).isdisjoint(there)


def plan_run(command: CommandLine, task: str | Task, fusion: str, folder: Path, root: Path) -> PlannedRun:
    """One run of a command, after a look at its folder and its encoder.

    Args:
        folder: of the run; where it is `root`, that of the command, there is no other run, and there must be something
            to resume if it is to be.

    Raises:
        InputError: as `plan`.
    """
    check_writable(folder)
    arguments, training_arguments = command.arguments(task, fusion, folder)
    stages = plan_stages(command, task, fusion)
    planned = PlannedRun(command, arguments, training_arguments, stages)
    if command.resumes and (folder / RESULTS_FILE).exists():
        check_same_settings(folder, planned.settings)
        if on_main():
            with alone_in(folder):  # it may have been killed after its results, with its lock
                (folder / TRAINED_FILE).unlink(missing_ok=True)
        return replace(planned, finished=RunResults.load(folder))
    begun = last_checkpoint(folder) is not None or (folder / TRAINED_FILE).is_file()
    if command.resumes and (folder != root or stages) and not begun:
        training_arguments.resume_from_checkpoint = None  # this one had not begun, or had saved nothing
    if checkpoint := checkpoint_to_resume(folder, training_arguments.resume_from_checkpoint):
        trained = checkpoint == str(folder)
        if not trained:
            check_optimizer(Path(checkpoint))
        of_run = folder if trained else Path(checkpoint).parent
        scored = [name for name in planned.settings if name.startswith((scored_data(""), tuning_data("")))]
        check_same_settings(of_run, planned.settings, may_differ=[*deciding("evaluation"), *scored])
    _check_places(arguments, folder, stages_folder(arguments, root) if stages else None)
    check_training(get_task(task), training_arguments)
    if not training_arguments.do_train:
        finished_run(Path(arguments.model_name_or_path))
        check_outputs(Path(arguments.model_name_or_path), get_task(task))
    config = check_model(arguments)
    if get_task(task).kind.trains:
        check_regime(arguments, config, training_arguments)
    else:
        check_untrained(get_task(task), arguments, config)
    check_stages(stages)
    return planned


def _check_places(arguments: RunArguments, output: Path, stages: Path | None) -> None:
    """Look at where a run writes, and what else is there.

    Args:
        stages: folder of its stages; None without any.

    Raises:
        InputError: what would be in the way later.
    """
    task = get_task(arguments.task)
    others = {"the encoder's folder": Path(arguments.model_name_or_path)}
    others["the folder of the data"] = Path(arguments.data) / task.folder
    check_apart(output, {what: folder for what, folder in others.items() if folder.is_dir()})
    if stages is not None:
        check_writable(stages, "--stages_dir")
        check_apart(output, {"the folder of the stages": stages})
        if output.resolve() in stages.resolve().parents:
            raise InputError(f"--stages_dir {stages} lies in the output folder {output}: give another --stages_dir")


def show_labels(data: RunData, console: Console) -> None:
    """Say which labels were found, and how often, where the task does not list them: a misspelt one is a label too."""
    task, train = data.task, data.train
    if task.labels_from:
        rows = train["labels"][:] if "labels" in train.column_names else []
        each = (label for row in rows for label in (row if isinstance(row, list) else [row]))
        counts = Counter(label for label in each if isinstance(label, int))  # of an arc it is the head and the label
        found = [f"{label} ({counts[place]:,})" if counts else label for place, label in enumerate(task.labels)]
        read = f", counted in the {len(rows):,} rows that are trained on" if counts else ""
        console.print(f"labels found in {task.labels_from}{read}: {', '.join(found)}", **PLAIN)


def warn_of_missing(arguments: RunArguments, data: RunData, console: Console) -> None:
    """Say which of the languages asked for cannot be scored; the others are."""
    if missing := [code for code in asked_languages(arguments) or [] if code not in data.evaluation]:
        console.print(
            f"warning: no {arguments.eval_split} data for {', '.join(missing)} in {arguments.data}: scoring "
            f"{', '.join(data.evaluation)}",
            style="yellow",
            **PLAIN,
        )


def tell_of_rows(arguments: RunArguments, data: RunData, console: Console) -> None:
    """Say how much of the data does not fit into the rows that the encoder reads, and which rows stand there twice."""
    kind, length = data.task.kind, arguments.max_length
    full = {"training data": kind.full(data.train, length) if len(data.train) else 0}
    full["scored data"] = sum(kind.full(one.features, length) for one in data.evaluation.values())
    for what, rows in full.items():
        if rows:
            console.print(f"note, {what}: {kind.note_of_full(rows, length)}", style="dim", **PLAIN)
    for note in repeated(data, length):
        console.print(f"note, {note}", style="dim", **PLAIN)


def warn_of_left_out(command: CommandLine, planned: Mapping[str, list[PlannedRun]], console: Console) -> None:
    """Say which of several tasks have no data in the languages asked for."""
    if left_out := [name for name in map(str, command.tasks) if name not in planned]:
        languages = command.run_arguments(left_out[0], command.fusions_of(left_out[0])[-1]).languages
        console.print(f"warning: no data in {languages} for {', '.join(left_out)}: left out", style="yellow", **PLAIN)


def show(runs: list[RunResults], console: Console) -> None:
    """Print the table of a task, how a layer was chosen, and a warning for scores that mean nothing."""
    console.print(results_table(runs))
    kind = runs[0].of_task.kind
    advice = "; train longer, try another learning rate or look at those labels" if kind.trains else ""
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
                f"warning: {results.model_name}: no better than always answering {kind.chance} in "
                f"{', '.join(results.chance_level)}{advice}",
                style="yellow",
                **PLAIN,
            )


def output_root(command: CommandLine) -> Path:
    """The folder of a command: the given one, or a new one with the date and time under `runs/`."""
    if command.output_dir is not None:
        return Path(command.output_dir)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("several processes need one folder: give --output_dir")
    folder = Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    return folder.with_name(f"{folder.name}-{os.getpid()}") if folder.exists() else folder
