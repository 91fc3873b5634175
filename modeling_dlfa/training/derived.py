"""What follows from how the arguments are declared: which decide what, which may stand where, which results repeat."""

import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

from .arguments import RunArguments
from .declared import Decides, Numbers, check_numbers
from .trainer_arguments import TRAINER, check_flags, trainer_fields


def check_given(given: Mapping[str, Any]) -> None:
    """Refuse flags of the Trainer that a run cannot honour, and numbers that an argument cannot have.

    Raises:
        InputError: naming the argument, its value, and what was expected.
    """
    check_flags(given)
    check_numbers(given, _numbers())


@cache
def _numbers() -> dict[str, Numbers]:
    numbers = {name: flag.numbers for name, flag in TRAINER.items()}
    numbers |= {entry.name: entry.metadata["numbers"] for entry in fields(RunArguments)}
    return {name: those for name, those in numbers.items() if those is not None}


@cache
def _that(says: str, what: bool) -> frozenset[str]:
    """Names of arguments, the Trainer's among them, whose declaration says so."""
    own = (entry.name for entry in fields(RunArguments) if entry.metadata[says] == what)
    return trainer_fields(**{says: what}).union(own)


def paths() -> frozenset[str]:
    """Names of arguments that may name a file or folder."""
    return _that("path", True)


@cache
def deciding(*what: Decides) -> tuple[str, ...]:
    """Names of the fields of `RunArguments` that decide any of this."""
    return tuple(entry.name for entry in fields(RunArguments) if set(entry.metadata["decides"]) & set(what))


def data_key(arguments: RunArguments) -> str:
    """Equal for runs that read the same rows, encoded alike, so that what `prepare` returns can be shared."""
    return json.dumps([getattr(arguments, name) for name in deciding("data", "evaluation")])


@cache
def bookkeeping() -> frozenset[str]:
    """Names of arguments, the Trainer's among them, that decide no result."""
    own = (entry.name for entry in fields(RunArguments) if not entry.metadata["decides"])
    return trainer_fields(decides=False).union(own)


@cache
def of_the_chain() -> frozenset[str]:
    """Names of arguments that say what is run before."""
    return frozenset(entry.name for entry in fields(RunArguments) if entry.metadata["chain"])


def not_of_a_stage() -> frozenset[str]:
    """What makes the chain itself, or would let a stage see more than the training language."""
    return _that("stage", False)


def not_of_a_cell() -> frozenset[str]:
    """What a study sets itself, and what would make a cell more than one run."""
    return _that("cell", False)


def recorded_arguments(arguments: Any, given: bool = False) -> dict[str, Any]:
    """What results say of the settings of a run.

    Args:
        arguments: `RunArguments`, or `TrainingArguments`.
        given: those that are only told where they were given, instead of those that always are.
    """
    if not isinstance(arguments, RunArguments):
        values = {name: getattr(arguments, name) for name, flag in TRAINER.items() if flag.recorded}
        return {name: getattr(value, "value", value) for name, value in values.items()}  # of enumerations
    wanted = "given" if given else "always"
    names = [entry.name for entry in fields(arguments) if entry.metadata["recorded"] == wanted]
    values = {name: getattr(arguments, name) for name in names}
    if not given:
        return values | {"max_dev_samples": arguments.development_limit}
    values["train_half"] = f"{arguments.train_half} by {arguments.half_by}" if arguments.train_half else None
    values["objectives"] = arguments.weighted_objectives() or None
    return {name: value for name, value in values.items() if value}
