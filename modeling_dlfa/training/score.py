"""Score a finished run on other data, in other languages or on another split; nothing is trained.

    dlfa score runs/udpos --languages de,ru --eval_split validation --output_dir runs/udpos_dev

The model is encoded for as it was trained: task, lengths, label pieces and what stands before sentences are
those of the run's results file. Results, predictions and counts go to the output folder; the run stays as it is.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cli import CommandParser, guarded, quiet_libraries
from ..errors import InputError
from ..files import expanded


if TYPE_CHECKING:
    from ..tasks.task import Task
    from .command_line import CommandLine
    from .results import RunResults


# Of the run's recipe: what decides how examples are encoded.
OF_ENCODING = ("max_length", "label_piece", "prefix")


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for something the user gave, 1 for anything else."""
    return guarded(_main, argv)


def _main(argv: list[str], debug: bool) -> None:
    given = vars(parser().parse_args(argv))
    del given["debug"]
    if not debug:
        quiet_libraries()
    from .launch import launch  # not before the arguments are known, so that help is quick

    launch(score_command(given.pop("run"), **given))


def score_command(folder: str, task: str | None = None, **given: Any) -> "CommandLine":
    """The command that scores a finished run.

    Args:
        folder: of the run.
        task: instead of the run's own; it has the same labels.
        given: other arguments of a run; None where they were not given.

    Raises:
        InputError: there is no finished run, or what it was trained on cannot be had.
    """
    from ..tasks.registry import get_task
    from .command_line import CommandLine, checked_argv
    from .run import finished_run

    folder = expanded(folder)
    before = finished_run(Path(folder))
    own = before.of_task if task is None else get_task(task)
    if task is None and (":" in own.reference or Path(own.reference).is_file()):
        own = replace(get_task(own.reference), settled=before.settled)  # which knows its files
    values = {"data": _data(folder, before, own) if task is None and given.get("data") is None else None}
    values |= {name: before.training[name] for name in OF_ENCODING if name in before.training}
    values |= {"train_language": before.train_language, "model_name_or_path": folder, "do_train": False}
    values |= {name: value for name, value in given.items() if value is not None}
    return CommandLine(checked_argv(values, folder), own)


def _data(folder: str, before: "RunResults", task: "Task") -> str:
    """What the run was trained on, for its own task."""
    if before.data == "files" and (task.files is None or not task.files.paths):
        where = f"the files of {task.name} are named in {task.reference}, which is not there"
        raise InputError(f"{folder}: {where}: give it as --task, or a folder in XTREME's layout as --data")
    return before.data


def parser() -> CommandParser:
    made = CommandParser("dlfa score", __doc__ or "", usage="dlfa score RUN [--ARGUMENT VALUE ...]")
    made.add_argument("run", metavar="RUN", help="output folder of a finished run")
    made.add_argument("--task", metavar="TEXT", help="instead of the run's, with the same labels, as for dlfa train")
    add_scoring(made, "all that have data", "test")
    made.add_common()
    return made


def add_scoring(made: CommandParser, languages: str, split: str = "") -> None:
    """Add what says how a model is scored.

    Args:
        languages, split: what is scored by default, in words; no split: as languages.
    """
    made.add_argument(
        "--data", metavar="TEXT", help="'hub', 'sample', 'files' or a folder; default: what the run was trained on"
    )
    made.add_argument("--languages", metavar="TEXT", help=f"such as 'de,ru,zh'; default: {languages}")
    default = f"split to score; default: {split or languages}"
    made.add_argument("--eval_split", choices=["test", "validation"], help=default)
    made.add_argument("--max_eval_samples", type=int, metavar="INT", help="score only the first N of each language")
    made.add_argument(
        "--no_answer_threshold", metavar="FLOAT", help="questions that may lack an answer; default: the run's own"
    )
    made.add_argument("--output_dir", metavar="TEXT", help="folder for what is found; default: runs/ and the time")
    made.add_argument("--per_device_eval_batch_size", type=int, metavar="INT", help="default: 32")
    made.add_argument("--use_cpu", action="store_true", default=None, help="use no GPU")
