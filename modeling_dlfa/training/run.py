"""One run: fine-tune in one language, score every language, leave a checkpoint with its results and card."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import EvalPrediction, ProgressCallback, TrainingArguments, set_seed
from transformers.trainer_utils import PredictionOutput

from ..configuration_dlfa import DLFAConfig
from ..errors import InputError
from ..xtreme.encoding import data_collator
from ..xtreme.predictions import write_predictions
from ..xtreme.trees import decode
from .arguments import AUTO_LAYER, RunArguments
from .card import model_card
from .data import EvalSet, RunData, prepare
from .folder import check_same_model, checkpoint_to_resume, remove_checkpoints
from .model import build_model
from .results import RESULTS_FILE, RunResults, averages, stage_summary, versions
from .scout import scout
from .trainer import DLFATrainer, LanguageProgress


def run(arguments: RunArguments, training_arguments: TrainingArguments, data: RunData | None = None) -> RunResults:
    """Fine-tune, score, and leave everything in `training_arguments.output_dir`.

    `all_results.json` is written last: a folder that has it is complete.

    Args:
        arguments: what to run; a single task.
        training_arguments: how to train.
        data: what `prepare(arguments)` returned, to share it between runs. The fusion layer "auto" is found without
            it, from data of the training language alone.

    Raises:
        InputError: something asked for cannot be had, or the output folder holds another run.
    """
    output = Path(training_arguments.output_dir or "")
    checkpoint = checkpoint_to_resume(output, training_arguments.resume_from_checkpoint)
    scouting = None
    if arguments.fusion_layer == AUTO_LAYER:
        scouting = scout(arguments, training_arguments)
        arguments = replace(arguments, fusion_layer=scouting.layer)
    data = data or prepare(arguments)
    task = data.task
    set_seed(training_arguments.seed)
    model = build_model(arguments, task)
    if checkpoint is not None:
        check_same_model(checkpoint, model.config)
    _fit_intervals(training_arguments, len(data.train))

    trainer = DLFATrainer(
        model=model,
        args=training_arguments,
        train_dataset=data.train,
        eval_dataset=data.development.features,
        processing_class=data.tokenizer,
        data_collator=data_collator(task, data.tokenizer),
        compute_metrics=lambda output: data.development.score(_ordered(data.development, output)),
        preprocess_logits_for_metrics=_decode,
        head_learning_rate=arguments.head_learning_rate,
        fusion_learning_rate=arguments.fusion_learning_rate,
    )
    progress = LanguageProgress()
    if not training_arguments.disable_tqdm:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(progress)

    training = trainer.train(resume_from_checkpoint=checkpoint)
    if not all(parameter.isfinite().all() for parameter in model.parameters()):
        raise InputError(
            "training has diverged, weights are not finite: lower the learning rates (--learning_rate "
            f"{training_arguments.learning_rate:g}, --head_learning_rate {arguments.head_learning_rate})"
        )

    trainer.compute_metrics = None  # from here on every set has references of its own

    def predict(eval_set: EvalSet, label: str) -> list:
        progress.label = label
        return _ordered(eval_set, trainer.predict(eval_set.features))  # pyright: ignore[reportArgumentType]

    development = data.development.score(predict(data.development, "dev"))
    encoder, intermediate = _origin(arguments)
    predictions = {language: predict(eval_set, language) for language, eval_set in data.evaluation.items()}
    metrics = {language: data.evaluation[language].score(predictions[language]) for language in predictions}
    scores = {language: metrics[language][task.metric] for language in metrics}
    config: DLFAConfig = model.config
    results = RunResults(
        task=task.name,
        eval_split=arguments.eval_split,
        metric=task.metric,
        scores=scores,
        **averages(scores, arguments.train_language),  # pyright: ignore
        all_metrics=metrics,
        support={language: len(eval_set.rows) for language, eval_set in data.evaluation.items()},
        chance_level=[language for language in metrics if data.evaluation[language].at_chance(metrics[language])],
        development_score=development[task.metric],
        encoder=encoder,
        fusion=config.fusion,
        fusion_layer=config.fusion_layer,
        model_config=_model_config(config),
        seed=training_arguments.seed,
        train_language=arguments.train_language,
        train_samples=data.train_samples,
        train_runtime=round(training.metrics["train_runtime"], 1),
        training=_recipe(arguments, training_arguments, trainer),
        data=data.source.description,
        versions=versions(),
        scouting=None if scouting is None else scouting.as_dict(),
        development_majority=data.development.majority_scores()[task.metric],
        intermediate=intermediate,
    )

    trainer.save_model()  # every process takes part in gathering sharded weights
    if trainer.is_world_process_zero():
        (output / "training_args.bin").unlink(missing_ok=True)  # a pickle: nothing to share
        for language, predicted in predictions.items():
            tokens = data.evaluation[language].tokens
            write_predictions(output / "predictions", task, language, predicted, arguments.eval_split, tokens)
        model_card(results).save(output / "README.md")
        results.save(output)
        if not arguments.keep_checkpoints:
            remove_checkpoints(output)
    trainer.accelerator.wait_for_everyone()
    return results


def _fit_intervals(training_arguments: TrainingArguments, examples: int) -> None:
    """Shorten an evaluation interval longer than the run to one epoch, so that there is something to select."""
    batch = training_arguments.train_batch_size * training_arguments.gradient_accumulation_steps
    per_epoch = -(-examples // (batch * training_arguments.world_size))
    steps = training_arguments.max_steps
    if steps <= 0:
        steps = math.ceil(per_epoch * training_arguments.num_train_epochs)
    if training_arguments.eval_strategy == "steps" and (training_arguments.eval_steps or 0) > steps:
        training_arguments.eval_steps = min(per_epoch, steps)
        if training_arguments.save_strategy == "steps" and training_arguments.load_best_model_at_end:
            training_arguments.save_steps = training_arguments.eval_steps  # the best must be among the saved


def _decode(logits: Any, _: torch.Tensor) -> torch.Tensor:
    """What is kept of a batch's outputs: label ids, or the trees of a parser's two kinds of logits."""
    return decode(*logits) if isinstance(logits, tuple) else logits.argmax(dim=-1)


def _origin(arguments: RunArguments) -> tuple[str, list[dict[str, Any]]]:
    """The pretrained encoder that a run goes back to, and the runs in between."""
    name = arguments.model_name_or_path
    if not (Path(name) / RESULTS_FILE).is_file():
        return name, []
    before = RunResults.load(name)
    return before.encoder, [*before.intermediate, stage_summary(before, arguments.carry_fusion)]


def _ordered(eval_set: EvalSet, output: EvalPrediction | PredictionOutput) -> list:
    assert isinstance(output.predictions, np.ndarray) and isinstance(output.label_ids, np.ndarray)
    return eval_set.in_order(output.predictions, output.label_ids)


def _model_config(config: DLFAConfig) -> dict[str, Any]:
    names = set(DLFAConfig.__annotations__) - {"encoder_config", "fusion", "fusion_layer"}
    return {name: getattr(config, name) for name in sorted(names)}


def _recipe(arguments: RunArguments, training_arguments: TrainingArguments, trainer: DLFATrainer) -> dict[str, Any]:
    names = ("num_train_epochs", "learning_rate", "weight_decay", "warmup_steps", "max_grad_norm")
    recipe = {name: getattr(training_arguments, name) for name in names}
    batch = training_arguments.train_batch_size * training_arguments.gradient_accumulation_steps
    selected = training_arguments.load_best_model_at_end and trainer.state.best_model_checkpoint is not None
    return recipe | {
        "lr_scheduler_type": str(getattr(training_arguments.lr_scheduler_type, "value", "linear")),
        "optim": str(getattr(training_arguments.optim, "value", training_arguments.optim)),
        "batch_size": batch * training_arguments.world_size,
        "steps": trainer.state.global_step,
        "head_learning_rate": arguments.head_learning_rate,
        "fusion_learning_rate": arguments.fusion_learning_rate,
        "freeze_embeddings": arguments.freeze_embeddings,
        "max_length": arguments.max_length,
        "label_piece": arguments.label_piece,
        "max_eval_samples": arguments.max_eval_samples,
        "max_dev_samples": arguments.max_dev_samples or arguments.max_eval_samples,
        "selection": "best on development data" if selected else "last step",
        **({"train_half": f"{arguments.train_half} by {arguments.half_by}"} if arguments.train_half else {}),
        **({"shuffle_labels": True} if arguments.shuffle_labels else {}),
    }
