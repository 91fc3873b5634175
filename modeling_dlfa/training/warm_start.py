"""Fusion and head first, on the encoder as it is: `--warm_start`.

Linear probing, then fine-tuning (LP-FT, Kumar et al. 2022, arXiv 2202.10054): the first gradients of a new head do not
reach the pretrained features. That the fusion belongs to what is trained first is our choice.
"""

import copy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from transformers import TrainingArguments, set_seed

from ..modeling_dlfa import DLFAPreTrainedModel
from .arguments import RunArguments
from .data import RunData
from .regimes import FusionOnly
from .spent import Remembered
from .trainer import quiet_trainer


def warm_start(
    model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
) -> int:
    """Train fusion and head of a model as `--train fusion` does, by its recipe, to the last step.

    What is drawn after it does not depend on it: the seed is set anew.

    Args:
        model: changed in place; what of it requires gradients stays so.
        data, arguments, training_arguments: of the run. Epochs, batches and objectives are the run's.

    Returns:
        how many updates it took.
    """
    needed = [parameter for parameter in model.parameters() if parameter.requires_grad]
    regime = FusionOnly()
    arguments, training_arguments = _as_frozen(arguments, training_arguments)
    nothing = replace(data.development, features=data.development.features.select([]))
    twin, rows = regime.begin(model, replace(data, development=nothing, evaluation={}), arguments, training_arguments)
    objectives = arguments.weighted_objectives()
    trainer = quiet_trainer(twin, arguments, training_arguments, rows, rows.task.kind.keep, objectives=objectives)
    trainer.train()
    regime.end(model, twin, arguments, Path(training_arguments.output_dir or ""))
    for parameter in needed:
        parameter.requires_grad_(True)
    set_seed(training_arguments.seed)
    return trainer.state.global_step


def _as_frozen(
    arguments: RunArguments, training_arguments: TrainingArguments
) -> tuple[RunArguments, TrainingArguments]:
    """The arguments of a run, with the recipe of a frozen encoder."""
    recipe = FusionOnly.recipe
    own = {entry.name for entry in fields(RunArguments)}
    changes: dict[str, Any] = {"fusion_learning_rate": None, **{name: recipe[name] for name in recipe if name in own}}
    of_trainer = copy.copy(training_arguments)
    for name in recipe.keys() - own:
        setattr(of_trainer, name, recipe[name])
    return replace(arguments, train="fusion", warm_start=False, average_checkpoints=0, **changes), of_trainer


class WarmStarted(Remembered):
    """Has every checkpoint say how many updates came before the first of the main training."""

    def __init__(self, steps: int):
        self.steps = steps

    def state(self) -> dict[str, Any]:
        return {"args": {"steps": self.steps}, "attributes": {}}
