"""One run: `fit` a model and save it, `score` every language, `leave` results, predictions and card.

Each step can be taken alone: what `fit` has saved, nothing that happens later can lose, and a finished run can be
scored on other data without training.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import PartialState
from transformers import PrinterCallback, ProgressCallback, TrainingArguments, set_seed

from ..configuration_dlfa import DLFAConfig
from ..errors import InputError
from ..files import read_json, write_text
from ..modeling_dlfa import DLFAPreTrainedModel
from ..tasks.kinds.untrained import Found
from ..tasks.predictions import write_predictions
from ..tasks.registry import get_task
from .arguments import AUTO_LAYER, RunArguments
from .averaging import Snapshots, remove_snapshots
from .card import model_card
from .counts import counts_file, write_counts
from .data import RunData, prepare
from .fingerprints import used
from .folder import (
    TRAINED_FILE,
    check_optimizer,
    check_same_model,
    checkpoint_to_resume,
    find_best_again,
    remove_checkpoints,
)
from .made import model_config, origin, recorded_untrained
from .made import recipe as trained_by
from .model import build_model, open_finished
from .results import RESULTS_FILE, RunResults, averages, versions
from .scoring import outputs, predictions
from .scout import scout
from .selection import fit_intervals
from .spent import TimeSpent
from .trainer import DLFATrainer, LanguageProgress, make_trainer
from .untrained import regime_of, search
from .warm_start import WarmStarted, warm_start


def run(arguments: RunArguments, training_arguments: TrainingArguments, data: RunData | None = None) -> RunResults:
    """Fine-tune, score, and leave everything in `training_arguments.output_dir`.

    `all_results.json` is written last: a folder that has it is complete.

    Args:
        arguments: what to run; a single task.
        training_arguments: how to train. With `do_train=False`, `model_name_or_path` is a finished run, which is
            scored as it is.
        data: what `prepare(arguments)` returned, to share it between runs. The fusion layer "auto" is found without
            it, from data of the training language alone.

    Raises:
        InputError: something asked for cannot be had, or the output folder holds another run.
    """
    if not training_arguments.do_train:
        return score_finished(arguments, training_arguments, data)
    fitted = fit(arguments, training_arguments, data)
    scored = score(fitted.trainer, fitted.data)
    results = RunResults(
        **fitted.summary,  # pyright: ignore[reportArgumentType]
        **scored.summary(fitted.data, fitted.arguments),  # pyright: ignore[reportArgumentType]
    )
    output = Path(training_arguments.output_dir or "")
    if fitted.trainer.is_world_process_zero():  # before the results, which say that nothing is left to do
        remove_snapshots(output)
        if not arguments.keep_checkpoints:
            remove_checkpoints(output)
    leave(output, results, scored, fitted.data)
    if fitted.trainer.is_world_process_zero():
        (output / TRAINED_FILE).unlink(missing_ok=True)
    fitted.trainer.accelerator.wait_for_everyone()
    return results


# ---------------------------------------------------------------------------------------------------------------------
# Fit
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fitted:
    """A trained model, saved in its folder.

    Attributes:
        arguments: those of the run, with the layer that was found where it was to be.
        data: what the run reads.
        trainer: holds the model.
        summary: what results say of model and training.
    """

    arguments: RunArguments
    data: RunData
    trainer: DLFATrainer
    summary: dict[str, Any]


def fit(arguments: RunArguments, training_arguments: TrainingArguments, data: RunData | None = None) -> Fitted:
    """Train a model and save it in the output folder, with its code, tokenizer, and a note that it is trained.

    A folder that has the note is not trained again: with `resume_from_checkpoint` "last" its model is opened.

    Raises:
        InputError: as `run`; training has diverged.
    """
    output = Path(training_arguments.output_dir or "")
    regime = regime_of(get_task(arguments.task), arguments)
    checkpoint = checkpoint_to_resume(output, training_arguments.resume_from_checkpoint)
    note = output / TRAINED_FILE
    if checkpoint == str(output):
        summary = read_json(note)
        arguments = replace(arguments, fusion_layer=summary["fusion_layer"])
        data = data or prepare(arguments)
        summary["used"] = data.used_now(summary["used"])
        model, data = regime.scored(open_finished(output, data.task), data, arguments, training_arguments)
        return Fitted(arguments, data, _new_trainer(model, arguments, training_arguments, data), summary)
    if checkpoint is None and PartialState().is_main_process:
        remove_checkpoints(output)  # there are only those that were not written to their end
    scouting = None
    if arguments.fusion_layer == AUTO_LAYER:
        scouting = scout(arguments, training_arguments)
        arguments = replace(arguments, fusion_layer=scouting.layer)
    data = data or prepare(arguments)
    set_seed(training_arguments.seed)
    model = build_model(arguments, data.task)
    if checkpoint is not None:
        check_same_model(checkpoint, model.config)
        check_optimizer(Path(checkpoint))
        if PartialState().is_main_process:
            find_best_again(Path(checkpoint))
        PartialState().wait_for_everyone()
    if not data.task.kind.trains:
        trained, trainer = model, _new_trainer(model, arguments, training_arguments, data)
        seconds, recipe = 0.0, recorded_untrained(arguments, training_arguments, model)
    else:
        fit_intervals(training_arguments, len(data.train), arguments.train_language)
        warm = _warm_start(checkpoint, model, data, arguments, training_arguments)
        trained, data = regime.begin(model, data, arguments, training_arguments)
        trainer = _new_trainer(trained, arguments, training_arguments, data)
        snapshots = Snapshots(arguments.average_checkpoints, output) if arguments.average_checkpoints else None
        spent = TimeSpent() if checkpoint is None else TimeSpent.of(checkpoint)
        for callback in filter(None, (warm, snapshots, spent)):
            trainer.add_callback(callback)
        training = trainer.train(resume_from_checkpoint=checkpoint)
        if snapshots is not None:
            trainer.accelerator.wait_for_everyone()  # one process writes them
            snapshots.average(trained)
        _check_converged(trained, arguments, training_arguments)
        seconds = spent.before + training.metrics["train_runtime"]
        recipe = trained_by(arguments, training_arguments, trainer, warm, snapshots)
    encoder, intermediate = origin(arguments)
    config: DLFAConfig = model.config
    summary = {
        "encoder": encoder,
        "fusion": config.fusion,
        "fusion_layer": config.fusion_layer,
        "model_config": model_config(config),
        "seed": training_arguments.seed,
        "train_language": arguments.train_language,
        "train_samples": data.train_samples,
        "train_runtime": round(seconds, 1),
        "training": recipe,
        "data": data.source.description,
        "versions": versions(),
        "scouting": None if scouting is None else scouting.as_dict(),
        "intermediate": intermediate,
        "task_definition": data.task.definition(),
        "used": used(arguments, data.fingerprints, training_arguments),
    }
    scored = regime.end(model, trained, arguments, output)
    with trainer.holding(model):
        trainer.save_model()  # every process takes part in gathering sharded weights
    if scored is not trained:
        trainer.model = trainer.model_wrapped = scored
        trainer.accelerator.free_memory()  # it prepares no other model while it holds one
    if trainer.is_world_process_zero():
        (output / "training_args.bin").unlink(missing_ok=True)  # a pickle: nothing to share
        write_text(note, json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    trainer.accelerator.wait_for_everyone()
    return Fitted(arguments, data, trainer, summary)


def _check_converged(
    model: DLFAPreTrainedModel, arguments: RunArguments, training_arguments: TrainingArguments
) -> None:
    """Refuse a model that training has spoilt.

    Raises:
        InputError: weights are not finite.
    """
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise InputError(
            "training has diverged, weights are not finite: lower the learning rates (--learning_rate "
            f"{training_arguments.learning_rate:g}, --head_learning_rate {arguments.head_learning_rate})"
        )


def _warm_start(
    checkpoint: str | None,
    model: DLFAPreTrainedModel,
    data: RunData,
    arguments: RunArguments,
    training_arguments: TrainingArguments,
) -> WarmStarted | None:
    """Train fusion and head of a new model first, where that is asked for and no checkpoint holds more than that."""
    if not arguments.warm_start:
        return None
    if checkpoint is not None:
        return WarmStarted.of(checkpoint)
    return WarmStarted(warm_start(model, data, arguments, training_arguments))


def _new_trainer(
    model: DLFAPreTrainedModel, arguments: RunArguments, training_arguments: TrainingArguments, data: RunData
) -> DLFATrainer:
    """The trainer of a run: development data choose the checkpoint, bars say what is scored."""
    development = data.development
    trainer = make_trainer(
        model,
        arguments,
        training_arguments,
        data,
        keep=data.task.kind.keep,
        objectives=arguments.weighted_objectives(),
        eval_dataset=development.features,
        compute_metrics=lambda output: development.score(development.in_order(output.predictions, output.label_ids)),
    )
    if not training_arguments.disable_tqdm:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(LanguageProgress())
    elif training_arguments.logging_strategy == "no":
        trainer.remove_callback(PrinterCallback)  # it would print every evaluation all the same
    return trainer


# ---------------------------------------------------------------------------------------------------------------------
# Score
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    """What a model answers, and how much of it is right.

    Attributes:
        development: metric -> score on the development data of the training language; empty where none were read.
        predictions: language -> answers in the shape of `Kind.references`.
        metrics: language -> metric -> score.
        counts: language -> (N, 3), what every row adds to the reported score.
        found: what was found beside; None where the model was trained for the task.
        settled: what was set on the development data before, as `Kind.settle`; empty where nothing is.
    """

    development: dict[str, float]
    predictions: dict[str, list]
    metrics: dict[str, dict[str, float]]
    counts: dict[str, np.ndarray]
    found: Found | None = None
    settled: Mapping[str, Any] = field(default_factory=dict)

    def summary(self, data: RunData, arguments: RunArguments) -> dict[str, Any]:
        """What results say of the scores."""
        task = data.task
        scores = {language: self.metrics[language][task.metric] for language in self.metrics}
        return {
            "task": task.name,
            "eval_split": arguments.eval_split,
            "metric": task.metric,
            "scores": scores,
            **averages(scores, arguments.train_language),
            "all_metrics": self.metrics,
            "support": {language: len(eval_set.rows) for language, eval_set in data.evaluation.items()},
            "chance_level": [code for code in self.metrics if data.evaluation[code].at_chance(self.metrics[code])],
            "found": None if self.found is None else self.found.beside,
            "settled": dict(self.settled),
        } | self._of_development(data)

    def _of_development(self, data: RunData) -> dict[str, float | None]:
        if not data.task.kind.trains:
            return {"development_score": None}
        if not self.development:
            return {}
        metric = data.task.metric
        majority = data.development.majority_scores()[metric]
        return {"development_score": self.development[metric], "development_majority": majority}


def score(trainer: DLFATrainer, data: RunData) -> Scored:
    """Score the trainer's model on the development data and in every language of the evaluation.

    What a kind sets for a model is set on the development data first, unless it was given, or with the model.
    """
    progress = next((one for one in trainer.callback_handler.callbacks if isinstance(one, LanguageProgress)), None)
    trainer.compute_metrics = None  # every set has references of its own
    if not data.task.kind.trains:
        found = search(trainer, data)
        return _scored({}, found.predictions, data, found)
    announce = None if progress is None else progress.call
    development = {}
    if len(data.development.rows):
        kept = outputs(trainer, {"dev": data.development}, announce)["dev"]
        if data.task.kind.settles(data.task) and not data.task.settled:
            data = data.settled(data.development.settle(*kept))
        development = data.development.score(data.development.in_order(*kept))
    predicted = predictions(trainer, data.evaluation, announce)
    return _scored(development, predicted, data)


def _scored(
    development: dict[str, float], predicted: dict[str, list], data: RunData, found: Found | None = None
) -> Scored:
    """Answers, and how good they are."""
    return Scored(
        development=development,
        predictions=predicted,
        metrics={language: data.evaluation[language].score(predicted[language]) for language in predicted},
        counts={language: data.evaluation[language].counts(predicted[language]) for language in predicted},
        found=found,
        settled=data.task.settled,
    )


def score_finished(
    arguments: RunArguments, training_arguments: TrainingArguments, data: RunData | None = None
) -> RunResults:
    """Score a finished run, perhaps on other data or in other languages; nothing is trained.

    Results, predictions and counts go to the output folder, the checkpoint stays where it is.

    Raises:
        InputError: `model_name_or_path` holds no finished run, or one of other labels.
    """
    output = Path(training_arguments.output_dir or "")
    checkpoint_to_resume(output, None)
    folder = Path(arguments.model_name_or_path)
    before = finished_run(folder)
    data = data or prepare(arguments, training=False)
    if data.task.kind.settles(data.task) and not data.task.settled:
        data = data.settled(before.settled)
    model = open_finished(folder, data.task)
    scored = score(_new_trainer(model, arguments, training_arguments, data), data)
    elsewhere = data.source.description if data.source.description != before.data else None
    # The development score chose this checkpoint, on the data that it was trained with.
    kept = ("development_score", "development_majority")
    changes = {name: value for name, value in scored.summary(data, arguments).items() if name not in kept}
    changes["used"] = data.used_now(before.used)
    results = replace(before, **changes, eval_data=elsewhere, task_definition=data.task.definition())
    leave(output, results, scored, data, card=False)
    return results


def finished_run(folder: Path) -> RunResults:
    """The results of the finished run in a folder.

    Raises:
        InputError: there is none.
    """
    if not (folder / RESULTS_FILE).is_file():
        raise InputError(f"{folder} holds no finished run ({RESULTS_FILE}), expected the folder of one to score")
    return RunResults.load(folder)


# ---------------------------------------------------------------------------------------------------------------------
# Leave
# ---------------------------------------------------------------------------------------------------------------------


def leave(output: Path, results: RunResults, scored: Scored, data: RunData, card: bool = True) -> None:
    """Write predictions, counts, the model card, and last the results into a folder; one process does.

    Args:
        card: whether the folder holds the model, so that it gets a card.
    """
    state = PartialState()
    if state.is_main_process:
        folder = output / "predictions"
        for language, predicted in scored.predictions.items():
            tokens = data.evaluation[language].tokens
            write_predictions(folder, data.task, language, predicted, results.eval_split, tokens)
        write_counts(counts_file(folder, data.task, results.eval_split), scored.counts)
        for name, text in ({} if scored.found is None else scored.found.files).items():
            write_text(output / name, text)
        if card:
            model_card(results).save(output / "README.md")
        results.save(output)
    state.wait_for_everyone()
