"""A training that leaves nothing but its score on development data of the training language: for tuning."""

from typing import Any

from transformers import TrainingArguments, set_seed

from .arguments import RunArguments
from .data import RunData
from .model import build_model
from .regimes import get_regime
from .scout import quiet_trainer, training_language_data


def development_score(
    arguments: RunArguments, training_arguments: TrainingArguments, data: RunData | None = None
) -> float:
    """The reported metric, in percent, of the model of the last step; data of other languages are never opened.

    Args:
        data: what `scout.training_language_data(arguments)` returned, to share it.

    Raises:
        InputError: as `training.run.run`.
    """
    data = data or training_language_data(arguments)
    set_seed(training_arguments.seed)
    model = build_model(arguments, data.task)
    trained, data = get_regime(arguments.train).begin(model, data, arguments, training_arguments)
    trainer = quiet_trainer(trained, arguments, training_arguments, data, data.task.kind.keep)
    trainer.train()
    development = data.development
    output: Any = trainer.predict(development.features)  # pyright: ignore[reportArgumentType]
    return development.score(development.in_order(output.predictions, output.label_ids))[data.task.metric]
