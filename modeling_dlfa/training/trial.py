"""A training that leaves nothing but its score on development data of the training language: for tuning."""

from transformers import TrainingArguments, set_seed

from .arguments import RunArguments
from .data import RunData
from .model import build_model
from .regimes import get_regime
from .scoring import predictions
from .scout import training_language_data
from .trainer import quiet_trainer


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
    answers = predictions(trainer, {"dev": data.development})["dev"]
    return data.development.score(answers)[data.task.metric]
