"""Which layer to fuse, at the cost of about one run: `--fusion_layer auto`.

All layers are tried together on one encoder: its states are computed once for a batch, and every layer k has a fusion
and a head of its own that read `hidden_states[k]` of them. Development data of the training language decide; data of
other languages are never opened.

`METHODS` says how the encoder comes by its weights meanwhile; `results/scout/` compares them.
"""

import copy
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import TrainingArguments, set_seed

from ..configuration_dlfa import DLFAConfig
from ..errors import InputError
from ..known_states import RowsOfStates, reading_states
from ..modeling_dlfa import DLFAModel, DLFAPreTrainedModel, states_read
from ..tasks.encoding import IGNORED
from ..tasks.registry import get_task
from .arguments import RunArguments
from .data import EvalSet, RunData, prepare
from .model import build_model, model_arguments, new_parts, plain_baseline
from .regimes import FusionOnly, get_regime, with_states, without_encoder
from .trainer import DLFATrainer, quiet_trainer


METHODS: dict[str, str] = {
    "shared": "one fine-tuning of what --train says, the loss is the mean over all layers",
    "random": "one fine-tuning of what --train says, every batch trains one layer, drawn at random",
    "frozen": "the pretrained encoder is left as it is, only fusions and heads are trained; with --train fusion on "
    "states of all layers that are kept on disk",
}


@dataclass(frozen=True)
class Scouting:
    """What scouting found.

    Attributes:
        layer: the chosen one: best score, of several with the same score the one with the lowest loss.
        method: one of `METHODS`.
        scores: layer -> reported metric on the development data of the training language, in percent.
        losses: layer -> mean cross entropy per label on the same data.
        seconds: it took, reading the data included.
    """

    layer: int
    method: str
    scores: dict[int, float]
    losses: dict[int, float]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """As it comes back from a JSON file: layers are strings."""
        return json.loads(json.dumps(asdict(self)))


def scout(
    arguments: RunArguments,
    training_arguments: TrainingArguments,
    method: str | None = None,
    layers: Sequence[int] | None = None,
) -> Scouting:
    """Rank the layers by development data of the training language.

    Recipe, seed and limits are those of the run; it is the model of the last step that is scored. Nothing is written.

    Args:
        arguments: of the run that wants to know; its `fusion_layer` and its target languages are not looked at.
        training_arguments: how to train.
        method: one of `METHODS`. Default: "frozen" for `--train fusion`, else "shared". There is no warm start.
        layers: to choose among; default: all, 0 to L - 1.

    Raises:
        InputError: as `training.run.run`; a method that trains the encoder, with `--train fusion`.
    """
    regime = get_regime(arguments.train)
    method = method or regime.scouting
    frozen, without = method == "frozen", regime.scouting == "frozen"
    if without and not frozen:
        raise InputError(f"scouting by {method!r} trains the encoder, which --train {arguments.train} does not")
    start = time.perf_counter()
    task = get_task(arguments.task)
    task.kind.check_layer_logits(task)
    data = training_language_data(arguments)
    set_seed(training_arguments.seed)
    base = build_model(plain_baseline(arguments), data.task)
    models = layer_models(base, arguments, data, layers)
    if without:
        all_states = range(base.config.num_hidden_layers + 1)
        trained, data = without_encoder(base), with_states(base, data, arguments, training_arguments, all_states)
        _standardise(models.values(), data)
    else:
        trained, data = regime.begin(base, data, arguments, training_arguments)
    model = LayerModels(
        trained.dlfa,  # pyright: ignore[reportArgumentType]
        models,
        frozen=frozen,
        draw=np.random.default_rng(training_arguments.seed) if method == "random" else None,
    )
    if frozen and not without:  # the learning rates are those of a fine-tuning
        rate = arguments.head_learning_rate or FusionOnly.recipe["learning_rate"]
        arguments = replace(arguments, head_learning_rate=rate)
    trainer = quiet_trainer(model, arguments, training_arguments, data, predictions_and_losses)
    trainer.train()
    scores, losses = development_scores(trainer, list(model.layers), data.development)
    if not all(map(math.isfinite, losses.values())):
        raise InputError(
            "scouting for the fusion layer has diverged: lower the learning rates (--learning_rate "
            f"{training_arguments.learning_rate:g}, --head_learning_rate {arguments.head_learning_rate})"
        )
    return Scouting(best_layer(scores, losses), method, scores, losses, round(time.perf_counter() - start, 1))


def _standardise(models: Iterable[DLFAPreTrainedModel], data: RunData) -> None:
    """Give models with `input_norm` "standard" the statistics, over the training rows, of the states they read."""
    states = cast(RowsOfStates, data.states)
    for model in models:
        if model.config.input_norm == "standard":
            rows = [states.layers.index(layer) for layer in states_read(model.config)]
            cast(Any, model).dlfa.input_norm.fit(*(moment[rows] for moment in states.moments(0)))


def training_language_data(arguments: RunArguments) -> RunData:
    """What `prepare` reads for a run, but nothing in another language, and nothing of the test data."""
    return prepare(replace(arguments, languages=arguments.train_language, eval_split="validation"))


def layer_models(
    base: DLFAPreTrainedModel, arguments: RunArguments, data: RunData, layers: Sequence[int] | None = None
) -> dict[int, DLFAPreTrainedModel]:
    """layer k -> the model that a run with it would train, without its encoder: `forward(states=..., ...)`.

    Built with the same seed they start as `build_model` starts them: all fusions alike, every head that of the
    baseline.

    Args:
        base: the baseline with encoder and head.
    """
    encoder_config = base.config.encoder_config
    models = {}
    for k in range(encoder_config.num_hidden_layers) if layers is None else layers:
        wanted = model_arguments(replace(arguments, fusion_layer=k), data.task, base.config)
        # A copy, because a new configuration resets how its encoder attends.
        config = DLFAConfig(encoder_config=copy.deepcopy(encoder_config), **wanted)
        model = reading_states(data.task.kind.model_class, config)
        for part in new_parts(base):
            setattr(model, part, copy.deepcopy(getattr(base, part)))
        models[k] = model.to(device=base.device, dtype=base.dtype)
    return models


class LayerModels(DLFAPreTrainedModel):
    """One encoder, and for every layer a model that reads its states.

    Args:
        dlfa: the encoder, without fusion, or what hands on its states.
        models: layer k -> model without encoder.
        frozen: whether the encoder is left as it is, dropout included.
        draw: in training one layer is drawn from it for every batch; default: all of them.
    """

    def __init__(
        self,
        dlfa: DLFAModel,
        models: Mapping[int, DLFAPreTrainedModel],
        frozen: bool = False,
        draw: np.random.Generator | None = None,
    ):
        super().__init__(dlfa.config)
        self.dlfa = dlfa  # `DLFATrainer` knows the encoder's parameters by this name
        self.layers = tuple(models)
        self.models = nn.ModuleList(models.values())
        self.frozen = frozen
        self.draw = draw
        if frozen:
            dlfa.requires_grad_(False)

    def train(self, mode: bool = True):
        super().train(mode)
        if self.frozen:
            self.dlfa.eval()
        return self

    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        token_type_ids: torch.LongTensor | None = None,
        labels: torch.Tensor | None = None,
        states: Sequence[torch.Tensor] | None = None,
        **kwargs: Any,
    ) -> dict[str, torch.Tensor]:
        """`loss`, the mean over the layers, and `logits` (B, layers, C), or (B, T, layers, C) for tags.

        Args:
            input_ids, attention_mask, token_type_ids: (B, T), or (B, C, T) of choices.
            states: L + 1 times (B, T, E), or (B, C, T, E), those of the encoder where they are known; default: it
                computes them.
        """
        known = {} if states is None else {"states": states}
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
        encoded = self.dlfa(
            **{name: None if values is None else values.flatten(0, -2) for name, values in inputs.items()},
            output_hidden_states=True,
            return_dict=True,
            **known,
        )
        states = (*encoded.hidden_states[:-1], encoded.last_hidden_state)
        models = list(self.models)
        if self.training and self.draw is not None:
            models = [models[self.draw.integers(len(models))]]
        outputs = [model(attention_mask=attention_mask, labels=labels, states=states, **kwargs) for model in models]
        logits = torch.stack([output.logits for output in outputs], dim=-2)
        if labels is None:
            return {"logits": logits}
        return {"loss": torch.stack([output.loss for output in outputs]).mean(), "logits": logits}


def development_scores(
    trainer: DLFATrainer, layers: Sequence[int], development: EvalSet
) -> tuple[dict[int, float], dict[int, float]]:
    """Reported metric and mean cross entropy by layer, from one pass over the development data."""
    output: Any = trainer.predict(development.features)  # pyright: ignore[reportArgumentType]
    predicted, losses = output.predictions  # (N, ..., layers) and (N, layers)
    label_ids = output.label_ids
    count = (label_ids != IGNORED).sum()
    scores = {}
    for place, k in enumerate(layers):
        in_order = development.in_order(predicted[..., place], label_ids)
        scores[k] = development.score(in_order)[development.task.metric]
    return scores, {k: float(losses[:, place].sum() / count) for place, k in enumerate(layers)}


def best_layer(scores: Mapping[int, float], losses: Mapping[int, float]) -> int:
    """The layer with the best score; of several, as few examples often have, the one with the lowest loss."""
    return max(scores, key=lambda k: (scores[k], -losses[k]))


def predictions_and_losses(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Label ids (B, ..., layers), and cross entropy summed over an example's labels (B, layers)."""
    each = labels.unsqueeze(-1).expand(logits.shape[:-1])
    losses = F.cross_entropy(logits.flatten(0, -2).float(), each.flatten(), ignore_index=IGNORED, reduction="none")
    losses = losses.view(each.shape)
    return logits.argmax(dim=-1), losses.sum(dim=1) if losses.dim() == 3 else losses
