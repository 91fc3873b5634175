"""What results say of how a model was made: where it comes from, and the settings of its training."""

from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments

from ..configuration_dlfa import DLFAConfig
from ..tasks.registry import get_task
from .arguments import RunArguments
from .averaging import Snapshots
from .derived import recorded_arguments
from .fingerprints import global_batch
from .regimes import autocast_type
from .results import RESULTS_FILE, RunResults, stage_summary
from .selection import LOSS, described
from .trainer import DLFATrainer
from .warm_start import WarmStarted


def origin(arguments: RunArguments) -> tuple[str, list[dict[str, Any]]]:
    """The pretrained encoder that a run goes back to, and the runs in between that have trained something."""
    name = arguments.model_name_or_path
    if not (Path(name) / RESULTS_FILE).is_file():
        return name, []
    before = RunResults.load(name)
    if not before.of_task.kind.trains:
        return before.encoder, before.intermediate
    return before.encoder, [*before.intermediate, stage_summary(before, arguments.carry_fusion)]


def model_config(config: DLFAConfig) -> dict[str, Any]:
    """The fields of a configuration that results have no place of their own for."""
    names = set(DLFAConfig.__annotations__) - {"encoder_config", "fusion", "fusion_layer"}
    return {name: getattr(config, name) for name in sorted(names)}


def _head_start(model: Any) -> dict[str, str]:
    """That the head did not start at random, where it did not."""
    start = getattr(getattr(model, "head", None), "started_from", "random")
    return {} if start == "random" else {"head_start": start}


def recipe(
    arguments: RunArguments,
    training_arguments: TrainingArguments,
    trainer: DLFATrainer,
    warm: WarmStarted | None,
    snapshots: Snapshots | None,
) -> dict[str, Any]:
    """What results say of the training: what was asked for, and what it came to."""
    selected = training_arguments.load_best_model_at_end and trainer.state.best_model_checkpoint is not None
    metric, greater = training_arguments.metric_for_best_model, training_arguments.greater_is_better
    chosen = described(get_task(arguments.task), metric or LOSS, bool(greater))
    epochs = {"num_train_epochs": round(trainer.state.epoch or 0, 2)} if training_arguments.max_steps > 0 else {}
    return {
        **recorded_arguments(training_arguments),
        **epochs,
        "batch_size": global_batch(training_arguments),
        "steps": trainer.state.global_step,
        **({} if warm is None else {"warm_start_steps": warm.steps}),
        **recorded_arguments(arguments),
        **_numbers(training_arguments, trainer.model),
        **_head_start(trainer.model),
        "selection": str(snapshots) if snapshots is not None else chosen if selected else "last step",
        **recorded_arguments(arguments, given=True),
    }


def recorded_untrained(arguments: RunArguments, training_arguments: TrainingArguments, model: Any) -> dict[str, Any]:
    """What results say in place of a training's settings."""
    names = ("max_length", "prefix", "max_eval_samples")
    given = {name: getattr(arguments, name) for name in names}
    if get_task(arguments.task).kind.tunes:
        given["max_dev_samples"] = arguments.development_limit
    return {
        **{name: value for name, value in given.items() if value is not None},
        "pooling": model.config.pooling,
        **_numbers(training_arguments, model),
    }


def _numbers(training_arguments: TrainingArguments, model: Any) -> dict[str, str]:
    """What is computed in, and what weights are kept in."""
    kept = {"precision": autocast_type(training_arguments) or torch.float32, "dtype": model.dtype}
    return {name: str(dtype).removeprefix("torch.") for name, dtype in kept.items()}
