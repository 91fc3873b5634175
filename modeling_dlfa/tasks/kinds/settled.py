"""What a kind sets on development data once a model is trained, where most set nothing: a part of `Kind`."""

from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset

from ...errors import InputError


if TYPE_CHECKING:
    from ..task import Task


class MaySettle:
    """Of a kind with something to be set between a model's outputs and its answers; `Task.settled` has it then."""

    def settles(self, task: "Task") -> bool:
        """Whether something is set on development data of the training language once a model is trained."""
        return False

    def settle(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> dict[str, Any]:
        """What is set, by name, as JSON; arguments as for `Kind.in_order`, of development data."""
        raise NotImplementedError(f"{self!r} sets nothing")

    def settled_as(self, task: "Task", threshold: float) -> dict[str, Any]:
        """The same where it is given, and set on nothing.

        Raises:
            InputError: there is nothing to be set.
        """
        raise InputError(f"--no_answer_threshold {threshold:g}: {task.name} has no questions that may lack an answer")

    def settled_note(self, task: "Task") -> str:
        """What a model card says of it, in Markdown; nothing where nothing is set."""
        return ""
