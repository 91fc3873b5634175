"""What of a model is trained: `--train all`, `top:N`, `lora:R` (in `lora`) or `fusion`.

One class is one regime. `REGIMES` names them; a regime says which arguments go with it, makes a model ready for the
Trainer, and makes of what was trained the model that is saved.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

import torch
from accelerate import PartialState
from transformers import TrainingArguments

from ..cli import PLAIN, make_console
from ..configuration_dlfa import DLFAConfig
from ..errors import InputError
from ..known_states import RowsOfStates, reading_states
from ..modeling_dlfa import DLFAPreTrainedModel, states_read
from ..states import GB, StatesCache
from .arguments import RunArguments
from .data import EvalSet, RunData
from .declared import told
from .encoder_check import shape_of
from .layers import behind, encoder_of, layers_of
from .lora import Lora
from .model import new_parts
from .regime import REGIMES, All, Regime, get_regime, register_regime


__all__ = ["REGIMES", "All", "FusionOnly", "Lora", "Regime", "Top", "check_regime", "get_regime", "register_regime"]

ALL_LAYERS = "all"  # what --states_layers takes for every layer


@register_regime("top", ":N")
class Top(Regime):
    """Fusion, head and the encoder's upper N layers; no gradients are computed for those below."""

    recipe: ClassVar[Mapping[str, Any]] = {"freeze_embeddings": False}  # they are not trained anyway

    def trained(self, parts: str) -> str:
        layers = "the last layer" if self.size == 1 else f"the last {self.size} layers"
        return f"{parts}, and {layers} of the encoder"

    def check(self, arguments: RunArguments, config: DLFAConfig) -> None:
        super().check(arguments, config)
        if (self.size or 0) >= config.num_hidden_layers:
            raise InputError(
                f"--train top:{self.size}: this {config.encoder_config.model_type} encoder has "
                f"{config.num_hidden_layers} layers, expected fewer; --train all trains all of them"
            )
        layers_of(shape_of(config.encoder_config))

    def begin(
        self, model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
    ) -> tuple[DLFAPreTrainedModel, RunData]:
        encoder = encoder_of(model)
        layers = layers_of(encoder)
        encoder.requires_grad_(False)
        for module in [*layers[-cast(int, self.size) :], *behind(encoder, layers)]:
            module.requires_grad_(True)
        return model, data


@register_regime("fusion")
class FusionOnly(Regime):
    """Fusion and head, on the states of an encoder that is left as it is; they are computed once and kept."""

    # The learning rates of fine-tunings are made for the encoder. This one was the better of two for nearly all models
    # of `results/frozen`, on English development data.
    recipe: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 5e-3,
        "head_learning_rate": None,
        "freeze_embeddings": False,
    }
    scouting: ClassVar[str] = "frozen"
    on_states: ClassVar[bool] = True

    def trained(self, parts: str) -> str:
        return f"{parts} alone; the encoder is as it was"

    def check(self, arguments: RunArguments, config: DLFAConfig) -> None:
        if arguments.warm_start:
            raise InputError("--warm_start --train fusion: nothing more would be trained after it")
        layers_to_keep(arguments, config)

    def begin(
        self, model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
    ) -> tuple[DLFAPreTrainedModel, RunData]:
        encoder = encoder_of(model)
        encoder.requires_grad_(False).eval()
        trained, data = self.scored(model, data, arguments, training_arguments)
        if model.config.input_norm == "standard":
            cast(Any, trained).dlfa.input_norm.fit(*cast(RowsOfStates, data.states).moments(0))
        return trained, data

    def scored(
        self, model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
    ) -> tuple[DLFAPreTrainedModel, RunData]:
        return without_encoder(model), with_states(model, data, arguments, training_arguments)


def check_regime(arguments: RunArguments, config: DLFAConfig, training_arguments: TrainingArguments) -> None:
    """Refuse what cannot be trained as a run asks for it, before anything is read.

    Args:
        config: of the run's model.

    Raises:
        InputError: as `Regime.check`, or weights are to be shared out between processes that are needed whole.
    """
    regime = get_regime(arguments.train)
    regime.check(arguments, config)
    if (regime.on_states or arguments.warm_start) and training_arguments.neftune_noise_alpha is not None:
        asked = f"--train {regime.name}" if regime.on_states else "--warm_start"
        raise InputError(f"{asked} --neftune_noise_alpha: states are computed once, without noise; leave out one")
    for name in ("bf16_full_eval", "fp16_full_eval") if regime.on_states else ():
        if getattr(training_arguments, name):
            raise InputError(
                f"--train {regime.name} --{name}: fusion and head score in 32 bits; leave out one of the two"
            )
    if training_arguments.fsdp:
        whole = {
            f"--train {arguments.train}": arguments.train != All().name,
            "--warm_start": arguments.warm_start,
            f"--average_checkpoints {arguments.average_checkpoints}": arguments.average_checkpoints > 0,
        }
        for flag in (flag for flag, given in whole.items() if given):
            raise InputError(f"--fsdp {flag}: it needs the weights whole in every process; leave out one of the two")


def without_encoder(model: DLFAPreTrainedModel) -> DLFAPreTrainedModel:
    """The same fusion and head where the encoder's states are given: `forward(states=..., ...)`."""
    twin = reading_states(type(model), model.config)
    of_model = cast(Any, model).dlfa
    twin.dlfa.fusion, twin.dlfa.input_norm = of_model.fusion, of_model.input_norm
    for part in new_parts(model):
        setattr(twin, part, getattr(model, part))
    return twin.train(model.training)


def with_states(
    model: DLFAPreTrainedModel,
    data: RunData,
    arguments: RunArguments,
    training_arguments: TrainingArguments,
    layers: Collection[int] | None = None,
) -> RunData:
    """The rows of a run with states of its encoder, from the cache.

    Args:
        layers: indices into `hidden_states`; default: those that the model reads.
    """
    sets = {"train": data.train, "development": data.development.features}
    split = arguments.eval_split
    sets |= {f"{split} {language}": one.features for language, one in data.evaluation.items()}
    show = not training_arguments.disable_tqdm and PartialState().is_main_process
    console = make_console()
    states = StatesCache(arguments.states_dir, arguments.states_limit * GB).states(
        encoder_of(model),
        {f"{data.task.name} {name}": rows for name, rows in sets.items()},
        data.tokenizer,
        states_read(model.config) if layers is None else layers,
        also=layers_to_keep(arguments, model.config),
        device=training_arguments.device,
        autocast=autocast_type(training_arguments),
        report=(lambda line: console.print(line, style="dim", **PLAIN)) if show else None,
    )
    return numbered(data, states)


def layers_to_keep(arguments: RunArguments, config: DLFAConfig) -> list[int]:
    """The layers that `--states_layers` names.

    Raises:
        InputError: it names something else, or layers that the encoder does not have.
    """
    names, layers = arguments.states_layers, range(config.num_hidden_layers + 1)
    if names is None:
        return []
    if names == ALL_LAYERS:
        return list(layers)
    numbers = [int(name) if name.strip().isdecimal() else -1 for name in names.split(",")]
    if not all(number in layers for number in numbers):
        raise InputError(
            f"--states_layers {told(names)}: expected numbers of layers from 0 to {layers[-1]}, or {ALL_LAYERS!r}"
        )
    return numbers


def numbered(data: RunData, states: RowsOfStates) -> RunData:
    """Rows that know their states by number, in a column `states`."""
    places = iter(range(len(states.sets)))

    def rows(features: Any) -> Any:
        numbers = states.numbers(next(places))
        if not len(features):
            return features
        if len(numbers) == len(features):
            return features.add_column("states", list(numbers))
        several = iter(numbers)
        return features.add_column("states", [[next(several) for _ in row] for row in features["input_ids"]])

    def of(one: EvalSet) -> EvalSet:
        return replace(one, features=rows(one.features))

    return replace(
        data,
        train=rows(data.train),
        development=of(data.development),
        evaluation={language: of(one) for language, one in data.evaluation.items()},
        states=states,
    )


def autocast_type(training_arguments: TrainingArguments) -> torch.dtype | None:
    """The precision that a run computes in beside that of its weights."""
    if training_arguments.bf16:
        return torch.bfloat16
    return torch.float16 if training_arguments.fp16 else None
