"""Defaults of a run's arguments, by its task."""

from typing import Any

from ..tasks.task import Task
from .regimes import get_regime
from .selection import NO_SELECTION


def recipe_defaults(task: Task, data: str, train: str = "all") -> dict[str, Any]:
    """Defaults of a task: XTREME's recipe; if `Task.selects`, selection on development data of the training language.

    The sample has its own (our choice): enough to see transfer within minutes on two CPU cores, from the last step.
    Regimes have theirs.
    """
    recipe = task.recipe
    defaults = {
        "num_train_epochs": recipe.num_train_epochs,
        "learning_rate": recipe.learning_rate,
        "warmup_steps": recipe.warmup_steps,
        "weight_decay": recipe.weight_decay,
        "per_device_train_batch_size": recipe.per_device_train_batch_size,
        "per_device_eval_batch_size": 32,
        "do_train": True,
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
    if not task.kind.trains:
        return defaults | NO_SELECTION
    if not task.selects:
        defaults |= NO_SELECTION
    if data == "sample":
        defaults |= NO_SELECTION | {
            "num_train_epochs": task.kind.sample_epochs,
            "learning_rate": 1e-4,
            "head_learning_rate": 1e-3,
            "freeze_embeddings": True,
        }
    return {**defaults, **get_regime(train).recipe}
