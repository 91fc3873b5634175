"""Which checkpoint of a run is kept: the defaults that belong together, and what results say of it.

Development data, evaluation, saving and the metric are several arguments of the Trainer; a default of one follows what
was given of the others.
"""

import math
from collections.abc import Mapping
from typing import Any

from transformers import TrainingArguments

from ..errors import InputError
from ..tasks.task import Task


# Nothing is saved before the end, and the model of the last step is the result.
NO_SELECTION = {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}

LOSS = "loss"
AVERAGE = "average_checkpoints"
PREFIX = "eval_"  # of metrics in the Trainer's logs
_OF_SELECTION = ("metric_for_best_model", "greater_is_better")
_FOLLOW_THE_METRIC = ("reduce_lr_on_plateau", "greedy")  # schedules


def following(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults in place of those that do not fit what was given.

    Args:
        given: arguments by name, as far as they were given.
        defaults: of the task.
    """
    follow: dict[str, Any] = {}
    for interval in ("eval", "save"):
        if f"{interval}_steps" in given:
            follow[f"{interval}_strategy"] = "steps"
    if "save_strategy" in given and "save_steps" not in given:
        follow["save_steps"] = given.get("eval_steps", defaults["eval_steps"])
    if given.get(AVERAGE):
        follow |= {name: value for name, value in NO_SELECTION.items() if name not in follow}
    asked = {**defaults, **follow, **given}
    if asked["eval_strategy"] == "no":
        follow |= {name: value for name, value in NO_SELECTION.items() if name not in follow}
    elif asked["save_strategy"] == "no":
        follow["load_best_model_at_end"] = False
    elif "save_steps" in given and "eval_steps" not in given:
        follow["eval_steps"] = given["save_steps"]  # what is saved is scored, to choose from
    if "metric_for_best_model" in given:
        follow["greater_is_better"] = _plain(given["metric_for_best_model"]) != LOSS
    return follow


def check_selection(task: Task, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse a selection that could not be made; where nothing is trained, what is given is for the stages before.

    Args:
        values: of all arguments.
        given: those that were given.

    Raises:
        InputError: naming the argument, and what it needs.
    """
    if not task.kind.trains:
        return
    if values[AVERAGE] and values["load_best_model_at_end"]:
        raise InputError(
            f"--{AVERAGE} {values[AVERAGE]} --load_best_model_at_end: one checkpoint is the result, or the mean of "
            "several: leave out one of the two"
        )
    if values["load_best_model_at_end"] or values["save_strategy"] == "best":
        asked = "--load_best_model_at_end" if values["load_best_model_at_end"] else "--save_strategy best"
        for strategy in ("eval_strategy", "save_strategy"):
            if values[strategy] == "no":
                raise InputError(f"{asked} --{strategy} no: there is nothing to choose from, give another {strategy}")
    metric = given.get("metric_for_best_model")
    allowed = (*task.kind.score_names(task), LOSS)
    if metric is not None and _plain(metric) not in allowed:
        raise InputError(f"--metric_for_best_model {metric}: {task.name} has {', '.join(allowed)}")
    used = values["load_best_model_at_end"] or values["save_strategy"] == "best"
    used = used or values["lr_scheduler_type"] in _FOLLOW_THE_METRIC
    if not used and (idle := next((name for name in _OF_SELECTION if name in given), None)):
        raise InputError(
            f"--{idle}: no checkpoint is chosen by development data here; add --load_best_model_at_end true "
            "--eval_strategy steps --save_strategy best"
        )


def fit_intervals(training_arguments: TrainingArguments, examples: int, language: str) -> None:
    """Shorten an evaluation interval longer than the run to one epoch, so that there is something to select.

    Raises:
        InputError: incomplete batches are left out, and there is no other.
    """
    step = training_arguments.train_batch_size * training_arguments.world_size
    if training_arguments.dataloader_drop_last and examples < step:
        raise InputError(
            f"--dataloader_drop_last: {examples} training examples in {language!r} are less than a batch of {step}, "
            "nothing would be trained"
        )
    batch = training_arguments.train_batch_size * training_arguments.gradient_accumulation_steps
    per_epoch = -(-examples // (batch * training_arguments.world_size))
    steps = training_arguments.max_steps
    if steps <= 0:
        steps = math.ceil(per_epoch * training_arguments.num_train_epochs)
    if training_arguments.eval_strategy == "steps" and (training_arguments.eval_steps or 0) > steps:
        training_arguments.eval_steps = min(per_epoch, steps)
        if training_arguments.save_strategy == "steps" and training_arguments.load_best_model_at_end:
            training_arguments.save_steps = training_arguments.eval_steps  # the best must be among the saved


def follows_the_metric(schedule: str) -> bool:
    """Whether a schedule of learning rates looks at the metric, and has to know which way is better."""
    return schedule in _FOLLOW_THE_METRIC


def described(task: Task, metric: str, greater_is_better: bool) -> str:
    """How results call the checkpoint that development data chose."""
    if _plain(metric) == task.metric and greater_is_better:
        return "best on development data"
    which = "best" if greater_is_better == (_plain(metric) != LOSS) else "highest" if greater_is_better else "lowest"
    return f"{which} {PREFIX}{_plain(metric)} on development data"


def _plain(metric: str) -> str:
    return metric.removeprefix(PREFIX)
