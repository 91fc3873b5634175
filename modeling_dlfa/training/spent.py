"""How long a run has been trained, with what came before it was interrupted."""

import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from ..files import read_json


class TimeSpent(TrainerCallback, ExportableState):
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

    @classmethod
    def of(cls, checkpoint: str | None) -> "TimeSpent":
        """What a checkpoint says, if there is one; those of earlier versions say nothing."""
        if checkpoint is None:
            return cls()
        saved = read_json(Path(checkpoint) / "trainer_state.json").get("stateful_callbacks", {})
        return cls(**saved.get(cls.__name__, {}).get("args", {}))
