"""A run from Python: `modeling_dlfa.run`."""

from pathlib import Path
from typing import Any

from ..cli import libraries_kept_quiet
from ..errors import InputError
from ..tasks.task import Task
from .arguments import ALL_TASKS
from .command_line import CommandLine, checked_argv
from .data import load_rows
from .launch import output_root, plan_run
from .results import RunResults
from .stages import stages_folder


# Overridden by what is given: nothing is printed. None of it decides a result.
QUIET = {"disable_tqdm": True, "logging_strategy": "no"}


def run(task: str | Task = "udpos", *, output_dir: str | Path | None = None, **arguments: Any) -> RunResults:
    """Fine-tune DLFA in one language and score it in the others, as `dlfa train` does; nothing is printed.

    Args:
        task: a built-in task, a YAML file, "package.module:TASK", or a `Task`.
        output_dir: folder for checkpoint, results, predictions and model card. Default: `runs/` and the time.
        arguments: any of the command line (`dlfa train --help`, `RunArguments` and `TrainingArguments`), as Python
            values: dictionaries for JSON, lists for what commas separate; None is as not given.
            `disable_tqdm=False` shows bars.

    Returns:
        The results of the run, which are also in `output_dir`; the stages of `intermediate_tasks` are run before it.

    Raises:
        InputError: as the command, in one line.

    Examples:
        >>> import modeling_dlfa
        >>> alike = dict(data="download/", model_name_or_path="FacebookAI/xlm-roberta-base", languages=["de", "ru"])
        >>> baseline = modeling_dlfa.run("udpos", fusion="none", output_dir="runs/baseline", **alike)
        >>> dlfa = modeling_dlfa.run("udpos", fusion_layer=8, output_dir="runs/dlfa", **alike)
        >>> difference = dlfa.scores["de"] - baseline.scores["de"]
    """
    if arguments.get("compare_baseline"):
        raise InputError("run(compare_baseline=True): this is one run; call it once more with fusion='none'")
    if task == ALL_TASKS:
        raise InputError(f"run({ALL_TASKS!r}): this is one run; call it once for every task")
    given = {"task": task, "output_dir": output_dir, **arguments}
    with libraries_kept_quiet():
        command = CommandLine(checked_argv(QUIET | given, "run()"), task if isinstance(task, Task) else None)
        folder = output_root(command)
        planned = plan_run(command, command.tasks[0], command.fusions_of(command.tasks[0])[0], folder, folder)
        if planned.finished is not None:  # with resume_from_checkpoint
            return planned.finished
        for stage in planned.stages:
            load_rows(stage.run_arguments())
        stages = stages_folder(planned.arguments, folder)
        return planned.carry_out(stages)
