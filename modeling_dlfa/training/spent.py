"""What checkpoints say of a run beside the Trainer's own state: here, how long it has been trained."""

import time
from pathlib import Path
from typing import Any, Self

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from ..files import read_json


class Remembered(TrainerCallback, ExportableState):
    """A callback whose state every checkpoint holds, as the arguments that it is made again with."""

    @classmethod
    def of(cls, checkpoint: str) -> Self:
        """As a checkpoint says; one of an earlier version may say nothing, and gives the defaults."""
        saved = read_json(Path(checkpoint) / "trainer_state.json").get("stateful_callbacks", {})
        return cls(**saved.get(cls.__name__, {}).get("args", {}))


class TimeSpent(Remembered):
    """Has every checkpoint say how many seconds of training led to it; the Trainer counts those since it was resumed.

    Args:
        seconds: of training before this process began.
    """

    def __init__(self, seconds: float = 0.0):
        self.before = seconds
        self._begun = time.monotonic()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self._begun = time.monotonic()

    def state(self) -> dict[str, Any]:
        return {"args": {"seconds": self.before + time.monotonic() - self._begun}, "attributes": {}}
