"""What probes of an encoder's states need of a kind, such as for a code length: a part of `Kind`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from ...errors import InputError


if TYPE_CHECKING:
    from ..task import Task


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


class MayBeProbed:
    """States and labels of words, or of what counts as one, and the way from them back into the head.

    Attributes:
        probe: how a code length of its labels is measured (our choice); None where it cannot be.
    """

    name: ClassVar[str]
    probe: ClassVar[Probe | None] = None

    def encoder_inputs(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What of a padded batch the encoder reads."""
        return {name: values for name, values in batch.items() if name != "labels"}

    def known(
        self, task: "Task", model: Any, states: torch.Tensor, batch: Mapping[str, torch.Tensor]
    ) -> Iterable[tuple[Any, Any]]:
        """States (W, E) and labels (W, ...) of each row of a padded batch, for a probe of them.

        Args:
            model: the encoder with its fusion.
            states: (B, T, E), those of any layer.
        """
        raise InputError(f"{task.name}: a code length is not there for tasks of the kind {self.name}")

    def of_known(self, labels: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the head takes beside known states, where each word is a token: padded labels and mask (B, W)."""
        raise NotImplementedError(f"{self!r} has no code length")

    def possible_answers(self, task: "Task", words: int) -> int:
        """Number of different answers of one word of a row with so many words."""
        return len(task.labels)
