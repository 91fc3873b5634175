"""Runs in processes that can be killed, and what they leave."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests import forks


class Runs:
    """Runs commands of training, each in a process of its own that has torch and Transformers already."""

    def __init__(self) -> None:
        self.said = ""
        """What the last one printed."""

    def run(self, argv: list[str], wait: Callable[[], bool] | None = None) -> int:
        """Exit code of a command; `wait` returns when it is to be killed, and says whether it is."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        fork = forks.start(["-m", "modeling_dlfa.training", *argv], environment=environment)
        try:
            if wait is not None and wait():
                fork.kill()
            self.said = "".join(fork.communicate(forks.PATIENCE))
        finally:
            fork.kill()
        return fork.wait()


def left(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves, but for the time it took."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in ("all_results.json", "README.md"):
            found[name] = path.read_bytes()
    results = json.loads((folder / "all_results.json").read_text(encoding="utf-8"))
    return {**found, "results": {name: value for name, value in results.items() if name != "train_runtime"}}


def seen(output: Path, pattern: str) -> Callable[[], bool]:
    """Wait for a file of the run."""

    def wait() -> bool:
        deadline = time.monotonic() + 60
        while not any(output.glob(pattern)):
            if (output / "all_results.json").exists() or time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True

    return wait
