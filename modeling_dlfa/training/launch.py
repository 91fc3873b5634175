"""The command behind `run_xtreme.py`: one run, or several side by side, and the table of what came out."""

import os
import sys
import warnings
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import datasets
import transformers
from rich.console import Console
from transformers import TrainingArguments
from transformers.debug_utils import DebugOption

from ..errors import InputError, one_line
from .arguments import CommandLine, RunArguments
from .chain import Stage, check_stages, plan_stages, run_chain, stages_folder
from .data import RunData, asked_languages, load_rows, open_tokenizer, prepare
from .folder import checkpoint_to_resume, last_checkpoint
from .model import check_model
from .results import RESULTS_FILE, RunResults, results_table


# Columns of what is printed where it does not go to a terminal, whose width rich would take.
WIDTH = 100


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for something the user gave, 1 for anything else."""
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = _takes_debug(argv)
    if not debug:
        quiet_libraries()
    try:
        launch(CommandLine(argv))
    except InputError as error:
        if debug:
            raise
        if _on_main():  # all processes find the same
            print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        print(f"error: {type(error).__name__}: {one_line(error, 500)} (--debug shows where)", file=sys.stderr)
        return 1
    return 0


def quiet_libraries() -> None:
    """Keep warnings, log messages and progress bars of the libraries off the screen."""
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.logging.set_verbosity_error()


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
                fusion, folder = one.arguments.fusion, one.training_arguments.output_dir
                console.rule(f"{task} · {'baseline' if fusion == 'none' else fusion}", align="left")
                console.print(f"into {folder}", style="dim", **_PLAIN)
                if data is None:
                    data = prepare(one.arguments)
                    warn_of_missing(one.arguments, data, console)
                folder = stages_folder(one.arguments, root)
                for place, stage in enumerate(one.stages, start=1):
                    console.print(f"stage {place} of {len(one.stages)}: {stage.task}, {folder / stage.name}", **_PLAIN)
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
                folder = folder / task
            if len(command.fusions) > 1:
                folder = folder / ("baseline" if fusion == "none" else fusion)
            arguments, training_arguments = command.arguments(task, fusion, folder)
            stages = plan_stages(command, task, fusion)
            finished = None
            if command.resumes and (folder / RESULTS_FILE).exists():
                finished = RunResults.load(folder)
            else:
                if command.resumes and (folder != root or stages) and last_checkpoint(folder) is None:
                    training_arguments.resume_from_checkpoint = None  # this one had not begun, or had saved nothing
                checkpoint_to_resume(folder, training_arguments.resume_from_checkpoint)
                check_model(arguments)
                check_stages(stages)
            planned.setdefault(task, []).append(PlannedRun(arguments, training_arguments, stages, finished))
    for runs in planned.values():
        if first := next((one for one in runs if one.finished is None), None):  # the others read the same
            for stage in first.stages:
                load_rows(stage.arguments(None, "unused")[0])
            if len(planned) > 1:  # a single task's data are read next anyway
                open_tokenizer(first.arguments)
                load_rows(first.arguments)
    return planned


def warn_of_missing(arguments: RunArguments, data: RunData, console: Console) -> None:
    """Say which of the languages asked for cannot be scored; the others are."""
    if missing := [code for code in asked_languages(arguments) or [] if code not in data.evaluation]:
        console.print(
            f"warning: no {arguments.eval_split} data for {', '.join(missing)} in {arguments.data}: scoring "
            f"{', '.join(data.evaluation)}",
            style="yellow",
            **_PLAIN,
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
                **_PLAIN,
            )
        if results.chance_level:
            console.print(
                f"warning: {results.model_name}: no better than always answering the most frequent label in "
                f"{', '.join(results.chance_level)}; train longer, try another learning rate or look at those labels",
                style="yellow",
                **_PLAIN,
            )


def output_root(command: CommandLine) -> Path:
    """The folder of a command: the given one, or a new one with the date and time under `runs/`."""
    if command.output_dir is not None:
        return Path(command.output_dir)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("several processes need one folder: give --output_dir")
    return Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


# For text that holds what a user typed: brackets are no markup, and lines are broken by the terminal only.
_PLAIN: dict[str, Any] = {"markup": False, "highlight": False, "soft_wrap": True}


def make_console() -> Console:
    """Standard output; of several processes, the first one's."""
    console = Console(quiet=not _on_main())
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    return console


def _on_main() -> bool:
    return int(os.environ.get("RANK", "0")) == 0


def _takes_debug(argv: list[str]) -> bool:
    """Take `--debug` out of the arguments; with one of its values it is the flag of TrainingArguments, and stays."""
    for place, argument in enumerate(argv):
        if argument == "--debug" and argv[place + 1 : place + 2] not in ([option.value] for option in DebugOption):
            del argv[place]
            return True
    return False
