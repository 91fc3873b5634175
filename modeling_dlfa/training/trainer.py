"""The Trainer of a run: a learning rate of its own for fusion and head, reproducible length groups, labelled bars."""

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from transformers import EvalPrediction, PrinterCallback, ProgressCallback, Trainer, TrainingArguments
from transformers.trainer_pt_utils import (
    BatchRebalanceSampler,
    LengthGroupedSampler,
    get_length_grouped_indices,
    nested_truncate,
)
from transformers.trainer_utils import EvalLoopOutput

from ..modeling_dlfa import DLFAPreTrainedModel
from ..tasks.encoding import IGNORED
from .arguments import RunArguments
from .data import RunData
from .objectives import OBJECTIVES
from .scoring import TokenBatches
from .selection import NO_SELECTION, follows_the_metric


class EpochLengthGroupedSampler(LengthGroupedSampler):
    """Length groups that depend on seed and epoch alone.

    So every process of a distributed run sees the same order, and a resumed run goes on with the order it was in.

    Args:
        batch_size: examples per update, over all processes.
        lengths: sub-words of each example.
        seed: of the order.
        epoch: says which epoch it is. It is asked rather than told, because not every wrapper that Accelerate puts
            around a sampler passes `set_epoch` on.
    """

    def __init__(self, batch_size: int, lengths: list[int], seed: int, epoch: Callable[[], int]):
        super().__init__(batch_size, lengths=lengths)
        self.seed = seed
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed + self.epoch())
        return iter(get_length_grouped_indices(self.lengths, self.batch_size, generator=generator))


class ProcessBatches(BatchRebalanceSampler):
    """One process's share of every batch that a single process with the same global batch would see.

    Accelerate's own sharding fills the last batch of an epoch with examples from its beginning; here it is divided as
    it is. Only where it has fewer examples than there are processes are they repeated.

    The base class is how the Trainer recognises batches that are divided by process already; nothing of it is used.

    Args:
        order: examples in the order of an epoch, the same in every process.
        batch_size: examples per step over all processes.
        processes, rank: how many processes there are, and which this is.
        drop_last: leave out an incomplete last batch.
    """

    def __init__(self, order: Sampler, batch_size: int, processes: int, rank: int, drop_last: bool = False):
        self.order = order
        self.global_batch_size = batch_size
        self.processes = processes
        self.rank = rank
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = list(self.order)
        for start in range(0, len(self) * self.global_batch_size, self.global_batch_size):
            batch = indices[start : start + self.global_batch_size]
            if len(batch) < self.processes:
                batch = (batch * self.processes)[: self.processes]
            yield batch[self.rank :: self.processes]

    def __len__(self) -> int:
        whole, rest = divmod(len(self.order), self.global_batch_size)  # pyright: ignore
        return whole + (rest > 0 and not self.drop_last)


class LanguageProgress(ProgressCallback):
    """Progress bars of training, and of scoring with the name of what is being scored."""

    label = "dev"

    def call(self, label: str) -> None:
        """Say what is scored next."""
        self.label = label

    def on_train_begin(self, args, state, control, **kwargs):
        super().on_train_begin(args, state, control, **kwargs)
        if self.training_bar is not None:
            self.training_bar.set_description("training")

    def on_prediction_step(self, args, state, control, eval_dataloader=None, **kwargs):
        super().on_prediction_step(args, state, control, eval_dataloader=eval_dataloader, **kwargs)
        if self.prediction_bar is not None and self.prediction_bar.n == 1:
            self.prediction_bar.set_description(f"scoring {self.label}")

    def on_log(self, args, state, control, logs=None, **kwargs):
        # `evaluate` logs a dozen timings beside the score; the bar needs the score.
        hidden = ("_runtime", "_per_second", "total_flos")
        shown = {name: value for name, value in (logs or {}).items() if not name.endswith(hidden)}
        super().on_log(args, state, control, logs=shown, **kwargs)


class DLFATrainer(Trainer):
    """A `Trainer` for DLFA models.

    Args:
        head_learning_rate: learning rate of everything outside the encoder; default: the encoder's.
        fusion_learning_rate: of the fusion, and of the norms before it; default: that of the head.
        objectives: name of a term in `objectives.OBJECTIVES` -> its weight in the loss of training.
        keep: what is kept of a batch's logits and labels; default: the logits.
        eval_tokens: padded tokens of a process's batch of evaluation, for rows with a `length`, sorted by it; default:
            `per_device_eval_batch_size` rows, however long.
    """

    def __init__(
        self,
        *args,
        head_learning_rate: float | None = None,
        fusion_learning_rate: float | None = None,
        objectives: Mapping[str, float] | None = None,
        keep: Callable[[Any, Any], Any] | None = None,
        eval_tokens: int | None = None,
        **kwargs,
    ):
        super().__init__(*args, **kwargs)
        self.label_names = ["labels"]  # of every kind; by a model's name the Trainer would guess others
        self.keep = keep
        self.eval_tokens = eval_tokens
        self._eval_lengths: list[int] | None = None  # of the rows that a loader is made for
        of_scheduler: Any = self.args.lr_scheduler_kwargs or {}
        if follows_the_metric(self.args.lr_scheduler_type) and "mode" not in of_scheduler:
            # PyTorch takes a smaller value for the better one, whatever the metric.
            mode = "max" if self.args.greater_is_better else "min"
            self.args.lr_scheduler_kwargs = {**of_scheduler, "mode": mode}
        self.objectives = dict(objectives or {})
        self._terms: dict[str, list[torch.Tensor]] = {name: [] for name in self.objectives}
        self.head_learning_rate = head_learning_rate
        self.fusion_learning_rate = head_learning_rate if fusion_learning_rate is None else fusion_learning_rate

    def _set_signature_columns_if_needed(self):
        fresh = self._signature_columns is None
        super()._set_signature_columns_if_needed()
        if fresh:
            self._signature_columns = [*(self._signature_columns or []), "states"]  # heads hand it on

    @contextmanager
    def holding(self, model: torch.nn.Module) -> Iterator[None]:
        """Hold another model for a while, as to save the whole of it."""
        held = self.model, self.model_wrapped
        self.model = self.model_wrapped = model  # pyright: ignore[reportAttributeAccessIssue]
        try:
            yield
        finally:
            self.model, self.model_wrapped = held

    def _run_epoch(self, *args, **kwargs):
        # A run that goes on from its last step would be given one step more.
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
            return None
        return super()._run_epoch(*args, **kwargs)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        fresh = self.optimizer is None
        optimizer = super().create_optimizer(model)
        if fresh:
            rates = {
                id(parameter): self._learning_rate(name)
                for name, parameter in (model or self.model).named_parameters()  # pyright: ignore
            }
            for group in list(optimizer.param_groups):
                for rate in sorted({rates[id(parameter)] for parameter in group["params"]} - {None}):  # pyright: ignore
                    own = [parameter for parameter in group["params"] if rates[id(parameter)] == rate]
                    group["params"] = [parameter for parameter in group["params"] if rates[id(parameter)] != rate]
                    optimizer.add_param_group({**group, "params": own, "lr": rate})
        return optimizer

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, Any]:
        """The model's loss, in training with the weighted terms of the objectives."""
        if not model.training:
            num_items_in_batch = None  # the mean of this process's batch, which `evaluation_loop` reckons with
        if not self.objectives or not model.training:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        # A copy, because smoothing takes the labels out of it.
        loss, outputs = super().compute_loss(model, {**inputs}, True, num_items_in_batch)
        for name, weight in self.objectives.items():
            term = OBJECTIVES[name](model, inputs, outputs)
            self._terms[name].append(term.detach())
            if num_items_in_batch is not None:  # as the model's loss: this batch's share of all accumulated ones
                term = term * inputs["labels"].ne(IGNORED).sum() / num_items_in_batch
                if self.args.average_tokens_across_devices:
                    term = term * self.args.world_size
            loss = loss + weight * term
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Beside the loss, the mean of each objective since the last time."""
        if "loss" in logs:
            means = {name: torch.stack(terms).mean().item() for name, terms in self._terms.items() if terms}
            logs = {**logs, **means}
            self._terms = {name: [] for name in self.objectives}
        super().log(logs, start_time)

    def _learning_rate(self, name: str) -> float | None:
        """The learning rate of a parameter; None is that of the encoder."""
        if "dlfa.encoder." in name:
            return None
        of_fusion = "dlfa.fusion." in name or "dlfa.input_norm." in name
        return self.fusion_learning_rate if of_fusion else self.head_learning_rate

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        args = self.args
        if args.train_sampling_strategy != "group_by_length":
            return super()._get_train_sampler(train_dataset)  # pyright: ignore
        seed = args.seed if args.data_seed is None else args.data_seed
        # Groups of the global batch: the same batches for any number of processes. `train_dataset`, where given, has
        # lost its column of lengths.
        step = args.train_batch_size * args.world_size
        order = EpochLengthGroupedSampler(
            step * args.gradient_accumulation_steps,
            self.train_dataset["length"][:],  # pyright: ignore
            seed,
            # At the start of an epoch a whole number, at that of a resumed one between two.
            epoch=lambda: int(self.state.epoch or 0),
        )
        if args.world_size == 1:
            return order
        return ProcessBatches(order, step, args.world_size, args.process_index, drop_last=args.dataloader_drop_last)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        with self._whole_set(self.eval_dataset if eval_dataset is None else eval_dataset):
            return super().get_eval_dataloader(eval_dataset)

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader:
        with self._whole_set(test_dataset):
            return super().get_test_dataloader(test_dataset)

    @contextmanager
    def _whole_set(self, rows: Any) -> Iterator[None]:
        """Incomplete batches are left out in training alone; the Trainer would leave rows out of scores too.

        It also takes the column of lengths away before it asks for a sampler.
        """
        asked, self.args.dataloader_drop_last = self.args.dataloader_drop_last, False
        sized = self.eval_tokens is not None and "length" in getattr(rows, "column_names", ())
        self._eval_lengths = rows["length"][:] if sized else None
        try:
            yield
        finally:
            self.args.dataloader_drop_last, self._eval_lengths = asked, None

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sampler | None:
        # Evaluation sets come sorted by length; the Trainer would shuffle them, and the predictions with them.
        if self._eval_lengths is not None and self.eval_tokens is not None:
            return TokenBatches(self._eval_lengths, self.eval_tokens, self.args.world_size, self.args.process_index)
        return SequentialSampler(eval_dataset) if self.args.world_size <= 1 else None

    def prediction_step(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        loss, logits, labels = super().prediction_step(*args, **kwargs)
        if loss is not None and labels is not None:  # for `evaluation_loop`
            loss = loss * labels.ne(IGNORED).sum()
        # Here, before outputs are padded to those of other processes: a parser's logits differ in more than one size.
        if self.keep is not None and logits is not None:
            logits = self.keep(logits, labels)
        return loss, logits, labels

    def evaluation_loop(
        self,
        dataloader: DataLoader,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> EvalLoopOutput:
        """As the Trainer's, for batches that differ in size.

        The loss is the mean over all labelled items, whatever the batches; the Trainer's is that of batches' means.
        Rows that were repeated to fill the last batch are left out.
        """
        compute, self.compute_metrics = self.compute_metrics, None
        try:
            output = super().evaluation_loop(
                dataloader, description, prediction_loss_only, ignore_keys, metric_key_prefix
            )
        finally:
            self.compute_metrics = compute
        metrics = output.metrics or {}
        loss = f"{metric_key_prefix}_loss"
        if loss in metrics and output.label_ids is not None:
            batches = len(dataloader) * self.args.world_size
            metrics[loss] *= batches / max(1, int((np.asarray(output.label_ids) != IGNORED).sum()))
        predictions, labels = nested_truncate((output.predictions, output.label_ids), output.num_samples)
        if compute is not None:
            found = compute(EvalPrediction(predictions, labels))
            metrics |= {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        return EvalLoopOutput(predictions, labels, metrics, output.num_samples)


def make_trainer(
    model: DLFAPreTrainedModel,
    arguments: RunArguments,
    training_arguments: TrainingArguments,
    data: RunData,
    keep: Callable[[Any, torch.Tensor], Any],
    **kwargs: Any,
) -> DLFATrainer:
    """The trainer of a run, of scouting, of whoever trains on what a run reads.

    Args:
        keep: what is kept of a batch's logits and labels.
        kwargs: of `DLFATrainer`.
    """
    return DLFATrainer(
        model=model,
        args=training_arguments,
        train_dataset=data.train,
        processing_class=data.tokenizer,
        data_collator=data.collator,
        keep=keep,
        head_learning_rate=arguments.head_learning_rate,
        fusion_learning_rate=arguments.fusion_learning_rate,
        eval_tokens=training_arguments.eval_batch_size * arguments.max_length,
        **kwargs,
    )


def quiet_trainer(
    model: DLFAPreTrainedModel,
    arguments: RunArguments,
    training_arguments: TrainingArguments,
    data: RunData,
    keep: Callable[[Any, torch.Tensor], Any],
    **kwargs: Any,
) -> DLFATrainer:
    """As that of a run, but nothing is evaluated, saved or reported on the way.

    Args:
        keep, kwargs: as for `make_trainer`.
    """
    training_arguments = copy.copy(training_arguments)
    for name, value in {**NO_SELECTION, "report_to": []}.items():
        setattr(training_arguments, name, value)
    trainer = make_trainer(model, arguments, training_arguments, data, keep, **kwargs)
    trainer.remove_callback(PrinterCallback)
    return trainer
