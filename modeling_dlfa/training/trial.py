"""A training that leaves nothing but its score on development data of the training language: for tuning."""

from pathlib import Path
from tempfile import TemporaryDirectory

from transformers import TrainingArguments, set_seed

from .arguments import RunArguments
from .averaging import Snapshots
from .data import RunData
from .model import build_model
from .regimes import get_regime
from .scoring import predictions
from .scout import training_language_data
from .trainer import quiet_trainer
from .warm_start import warm_start


def development_score(
    arguments: RunArguments, training_arguments: TrainingArguments, data: RunData | None = None
) -> float:
    """The reported metric, in percent, of the model of the last step (whatever a run would choose), or of the mean of
    several. Other languages have no say.

    Args:
        data: what `scout.training_language_data(arguments)` returned, to share it.

    Raises:
        InputError: as `training.run.run`.
    """
    data = data or training_language_data(arguments)
    set_seed(training_arguments.seed)
    model = build_model(arguments, data.task)
    if arguments.warm_start:
        warm_start(model, data, arguments, training_arguments)
    trained, data = get_regime(arguments.train).begin(model, data, arguments, training_arguments)
    objectives = arguments.weighted_objectives()
    trainer = quiet_trainer(trained, arguments, training_arguments, data, data.task.kind.keep, objectives=objectives)
    with TemporaryDirectory() as folder:
        snapshots = Snapshots(arguments.average_checkpoints, Path(folder)) if arguments.average_checkpoints else None
        if snapshots is not None:
            trainer.add_callback(snapshots)
        trainer.train()
        if snapshots is not None:
            snapshots.average(trained)
    answers = predictions(trainer, {"dev": data.development})["dev"]
    return data.development.score(answers)[data.task.metric]
