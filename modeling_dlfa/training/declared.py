"""How an argument is declared: what depends on it, and which numbers it may have. Imports nothing heavy."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import InputError, shortened


AUTO = "auto"  # what some arguments take for what the run finds

# Whole numbers beyond it fit no step, length or row number of the libraries.
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Numbers:
    """Which numbers an argument may have; infinity and nan never, whole numbers up to `LARGEST`.

    Attributes:
        least, most: the bounds.
        above: whether `least` itself is left out.
        also: a number outside that means something too, such as -1 for none.
    """

    least: float = 0
    most: float | None = None
    above: bool = False
    also: int | None = None

    def problem(self, value: int | float) -> str | None:
        """What was expected instead of a number; None where it may be given."""
        if isinstance(value, float) and not math.isfinite(value):
            return "expected a finite number"
        if value == self.also:
            return None
        most = self.most or (LARGEST if isinstance(value, int) else math.inf)
        if value > most:
            return f"expected a number of at most {most}"
        if value > self.least or (value == self.least and not self.above):
            return None
        positive = self.least == 1 or (self.least == 0 and self.above)
        expected = "a positive number" if positive else f"a number of at least {self.least:g}"
        return f"expected {expected}" + ("" if self.also is None else f", or {self.also}")


COUNT = Numbers(least=1)
POSITIVE = Numbers(above=True)
NOT_NEGATIVE = Numbers()
FRACTION = Numbers(most=1)
SEVERAL = Numbers(least=2, also=0)
SEED = Numbers(most=2**32 - 1)  # NumPy's


Decides = Literal["data", "evaluation", "model", "training"]


def argument(
    default: Any,
    help: str,
    decides: Iterable[Decides] = (),
    *,
    stage: bool = True,
    cell: bool = True,
    chain: bool = False,
    recorded: Literal["always", "given"] | None = None,
    choices: list[str] | None = None,
    numbers: Numbers | None = None,
    path: bool = False,
) -> Any:
    """A field of `RunArguments`.

    Args:
        decides: what depends on it: "data" (rows of training and their encoding), "evaluation" (what is scored and
            selected on), "model", "training"; nothing for bookkeeping.
        stage: whether a stage of an intermediate task may have a value of its own.
        cell: whether a study's file may give it; the study sets the others.
        chain: whether it says what is run before, so that it is nothing to those stages themselves.
        recorded: whether results repeat it among the settings of the training, always or only where it was given.
        choices: the values that it may have.
        numbers: those that it may have.
        path: whether it may name a file or folder.
    """
    metadata = {"help": help, "decides": tuple(decides), "stage": stage, "cell": cell, "chain": chain}
    metadata |= {"recorded": recorded, "numbers": numbers, "path": path} | ({"choices": choices} if choices else {})
    return field(default=default, metadata=metadata)


def check_numbers(given: Mapping[str, Any], numbers: Mapping[str, Numbers]) -> None:
    """Refuse numbers that an argument cannot have.

    Args:
        numbers: name -> which it can.

    Raises:
        InputError: naming the argument, its value, and what was expected.
    """
    for name, value in given.items():
        number = name in numbers and isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and (problem := numbers[name].problem(value)):
            raise InputError(f"--{name} {told(value)}: {problem}")


def number_or_auto(name: str, value: float | str | None) -> float | str:
    """What an argument means that takes a finite number or `AUTO`, which nothing stands for too.

    Raises:
        InputError: it is neither.
    """
    return AUTO if value in (None, AUTO) else finite(name, value, f", or {AUTO!r}")


def finite(name: str, value: Any, otherwise: str = "") -> float:
    """The number that an argument is.

    Args:
        otherwise: what else it may be, for the message.

    Raises:
        InputError: it is no number, or not a finite one.
    """
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"--{name} {told(value)}: expected a finite number{otherwise}")
    return number


def told(value: Any) -> str:
    """A value as a message shows it: short, and as it was given on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 256:  # Python writes out no more than 4,300 digits
        return "(a number of more than 70 digits)"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else shortened(text, 60)
