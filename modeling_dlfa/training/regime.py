"""What a regime is: what of a model is trained. `regimes` has those that are built in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from transformers import TrainingArguments

from ..configuration_dlfa import DLFAConfig
from ..errors import InputError
from ..modeling_dlfa import DLFAPreTrainedModel
from .arguments import RunArguments
from .data import RunData
from .declared import told


@dataclass(frozen=True)
class Regime:
    """What is trained; everything, unless a subclass says otherwise.

    Attributes:
        size: the number behind the name, such as 4 in "top:4"; None without.
    """

    size: int | None = None

    recipe: ClassVar[Mapping[str, Any]] = {}
    """Defaults of arguments, over those of the task."""

    default_size: ClassVar[int | None] = None
    """The number where none is given."""

    scouting: ClassVar[str] = "shared"
    """How all layers are tried together, one of `scout.METHODS`."""

    on_states: ClassVar[bool] = False
    """Whether what is trained reads states that are kept on disk, in place of an encoder."""

    @property
    def name(self) -> str:
        """As `--train` takes it, the number always said."""
        name = next(name for name, regime in REGIMES.items() if regime is type(self))
        return name if self.size is None else f"{name}:{self.size}"

    def trained(self, parts: str) -> str | None:
        """What cards say was trained; None where nothing needs to be said.

        Args:
            parts: what a model has beside its encoder, "fusion and head" or, of the baseline, "head".
        """
        return None

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

    def end(
        self, model: DLFAPreTrainedModel, trained: DLFAPreTrainedModel, arguments: RunArguments, output: Path
    ) -> DLFAPreTrainedModel:
        """Put what was trained into the whole model, which is saved and opened.

        Every process calls it; what else is left in the folder of the run, the main one writes.

        Args:
            model, trained: what `begin` was given, and what it returned.
            output: folder of the run.

        Returns:
            what is scored, with the rows that `begin` returned.
        """
        return trained


REGIMES: dict[str, type[Regime]] = {}
RegimeClass = TypeVar("RegimeClass", bound=type[Regime])
_NUMBERS: dict[str, str] = {}  # name -> whether a number stands behind it: "", "[:R]" or ":N"


def register_regime(name: str, number: str = "") -> Callable[[RegimeClass], RegimeClass]:
    """Name a regime. `number`: how the number behind the name is written, as ":N" or, where it may miss, "[:R]".

    Raises:
        ValueError: there is one of that name.
    """

    def register(regime: RegimeClass) -> RegimeClass:
        if name in REGIMES:
            raise ValueError(f"there is a regime {name!r} already: {REGIMES[name].__name__}")
        REGIMES[name], _NUMBERS[name] = regime, number
        return regime

    return register


@register_regime("all")
class All(Regime):
    """Every weight."""


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
    return REGIMES[name](int(number) if colon else REGIMES[name].default_size)
