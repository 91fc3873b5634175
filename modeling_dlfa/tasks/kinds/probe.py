"""How a code length is measured with the head of a task."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Probe:
    """How the probe of a code length is trained: AdamW with a constant learning rate, and the head's own dropout.

    Attributes:
        stops: after how many epochs it may be stopped; an epoch is a pass over everything before the portion.
        learning_rate: of all weights of the head.
        batch_size: rows of an update.
    """

    stops: tuple[int, ...]
    learning_rate: float
    batch_size: int = 8
