"""What of a model is trained: `--train all`, `top:N`, `lora:R` or `fusion`.

One class is one regime. `REGIMES` names them; a regime says which arguments go with it, makes a model ready for the
Trainer, and makes of what was trained the model that is saved.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

import torch
from accelerate import PartialState
from torch import nn
from transformers import PreTrainedModel, TrainingArguments

from ..cli import PLAIN, make_console
from ..configuration_dlfa import DLFAConfig
from ..errors import InputError
from ..modeling_dlfa import DLFAPreTrainedModel, states_read
from ..states import GB, KnownStates, RowsOfStates, StatesCache
from .arguments import RunArguments
from .data import EvalSet, RunData
from .declared import told
from .model import new_parts


@dataclass(frozen=True)
class Regime:
    """What is trained; everything, unless a subclass says otherwise.

    Attributes:
        size: the number behind the name, such as 4 in "top:4"; None without.
    """

    size: int | None = None

    recipe: ClassVar[Mapping[str, Any]] = {}
    """Defaults of arguments, over those of the task."""

    def check(self, arguments: RunArguments, config: DLFAConfig) -> None:
        """Refuse a model that cannot be trained so, before anything is read.

        Raises:
            InputError: naming what does not fit.
        """
        if config.input_norm == "standard":
            raise InputError(
                f"--input_norm standard --train {arguments.train}: what is standardised are the states of an encoder "
                "that is left as it is, with --train fusion; there is --input_norm layer"
            )

    def begin(
        self, model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
    ) -> tuple[DLFAPreTrainedModel, RunData]:
        """What the Trainer is given in place of a model and its rows; both may come back as they are.

        Args:
            model: with pretrained encoder, and new fusion and head.
        """
        return model, data

    def scored(
        self, model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
    ) -> tuple[DLFAPreTrainedModel, RunData]:
        """As `begin`, for a model that was trained before."""
        return model, data

    def end(self, model: DLFAPreTrainedModel, trained: DLFAPreTrainedModel, output: Path) -> None:
        """Put what was trained into the whole model, which is saved and opened; one process writes.

        Args:
            model, trained: what `begin` was given, and what it returned.
            output: folder of the run, for what else is left there.
        """


ALL_LAYERS = "all"  # what --states_layers takes for every layer
REGIMES: dict[str, type[Regime]] = {}
RegimeClass = TypeVar("RegimeClass", bound=type[Regime])
_NUMBERS: dict[str, str] = {}  # name -> whether a number stands behind it: "", "[:R]" or ":N"


def register_regime(name: str, number: str = "") -> Callable[[RegimeClass], RegimeClass]:
    """Name a regime. `number`: how the number behind the name is written, as ":N" or, where it may miss, "[:R]"."""

    def register(regime: RegimeClass) -> RegimeClass:
        REGIMES[name], _NUMBERS[name] = regime, number
        return regime

    return register


def get_regime(text: str) -> Regime:
    """The regime that `--train` names.

    Raises:
        InputError: there is none, or its number is missing, superfluous or not above 0.
    """
    name, colon, number = text.partition(":")
    form = _NUMBERS.get(name)
    takes = form is not None and (not colon if form == "" else bool(colon) or form.startswith("["))
    if not takes or (colon and not (number.isdecimal() and 0 < int(number) < 2**31)):
        forms = ", ".join(f"{known}{form}" for known, form in _NUMBERS.items())
        raise InputError(f"--train {told(text)}: expected one of {forms}, with whole numbers above 0")
    return REGIMES[name](int(number) if colon else None)


@register_regime("all")
class All(Regime):
    """Every weight."""


@register_regime("top", ":N")
class Top(Regime):
    """Fusion, head and the encoder's upper N layers; no gradients are computed for those below."""

    def check(self, arguments: RunArguments, config: DLFAConfig) -> None:
        super().check(arguments, config)
        if (self.size or 0) >= config.num_hidden_layers:
            raise InputError(
                f"--train top:{self.size}: this {config.encoder_config.model_type} encoder has "
                f"{config.num_hidden_layers} layers, expected fewer; --train all trains all of them"
            )

    def begin(
        self, model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
    ) -> tuple[DLFAPreTrainedModel, RunData]:
        encoder = encoder_of(model)
        layers = layers_of(encoder)
        encoder.requires_grad_(False)
        for module in [*layers[-cast(int, self.size) :], *_behind(encoder, layers)]:
            module.requires_grad_(True)
        return model, data


def encoder_of(model: DLFAPreTrainedModel) -> PreTrainedModel:
    """The pretrained encoder inside a model with a head."""
    return cast(Any, model).dlfa.encoder


def layers_of(encoder: PreTrainedModel) -> nn.ModuleList:
    """The encoder's layers, from the lowest.

    Raises:
        InputError: it keeps them in another way, such as ALBERT, whose layers share their weights.
    """
    count = encoder.config.num_hidden_layers
    found = [part for part in encoder.modules() if isinstance(part, nn.ModuleList) and len(part) == count]
    if not found:
        family = encoder.config.model_type
        raise InputError(f"--train: this {family} encoder does not keep its {count} layers in a list of their own")
    return found[0]


def _behind(encoder: PreTrainedModel, layers: nn.ModuleList) -> list[nn.Module]:
    """What the last layer's output goes through: the final norm of encoders that have one."""
    parent = next(part for part in encoder.modules() if any(child is layers for child in part.children()))
    return [child for name, child in parent.named_children() if name in ("final_norm", "final_layer_norm", "ln_f")]


@register_regime("fusion")
class FusionOnly(Regime):
    """Fusion and head, on the states of an encoder that is left as it is; they are computed once and kept."""

    recipe: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 1e-3,
        "head_learning_rate": None,
        "freeze_embeddings": False,
    }

    def check(self, arguments: RunArguments, config: DLFAConfig) -> None:
        if arguments.stage_tasks and not arguments.carry_fusion:
            raise InputError(
                "--train fusion --intermediate_tasks: such a stage leaves the encoder as it is, nothing would go on; "
                'give --carry_fusion, or --intermediate_arguments \'{"train": "all"}\''
            )
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


def without_encoder(model: DLFAPreTrainedModel) -> DLFAPreTrainedModel:
    """The same fusion and head where the encoder's states are given: `forward(states=..., ...)`."""
    config = copy.deepcopy(model.config)  # a model sets how its encoder attends, and this one has none
    stand_in: Any = KnownStates(config.encoder_config)
    with torch.random.fork_rng(devices=[]):
        twin: Any = type(model)(config, encoder=stand_in)
    of_model = cast(Any, model).dlfa
    twin.dlfa.fusion, twin.dlfa.input_norm = of_model.fusion, of_model.input_norm
    for part in new_parts(model):
        setattr(twin, part, getattr(model, part))
    return twin.train(model.training)


def with_states(
    model: DLFAPreTrainedModel, data: RunData, arguments: RunArguments, training_arguments: TrainingArguments
) -> RunData:
    """The rows of a run with the states that its model reads, from the cache."""
    sets = {"train": data.train, "development": data.development.features}
    split = arguments.eval_split
    sets |= {f"{split} {language}": one.features for language, one in data.evaluation.items()}
    show = not training_arguments.disable_tqdm and PartialState().is_main_process
    console = make_console()
    states = StatesCache(arguments.states_dir, arguments.states_limit * GB).states(
        encoder_of(model),
        {f"{data.task.name} {name}": rows for name, rows in sets.items()},
        data.tokenizer,
        states_read(model.config),
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
        return features.add_column("states", list(numbers)) if len(features) else features

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
