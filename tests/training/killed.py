"""Runs in processes that can be killed, and what they leave."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


# Imports once, then forks a process for each command that it reads: the kills are real, and quick.
SERVER = """
import json, os, signal, sys
import torch
from modeling_dlfa.training.__main__ import main

torch.set_num_threads(1)
for line in sys.stdin:
    command = json.loads(line)
    child = os.fork()
    if child == 0:
        log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os._exit(main(command["argv"]))
    print("begun", flush=True)
    # Its number is its own even if it has ended: it was not waited for.
    if sys.stdin.readline() == "kill\\n":
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Server:
    """Runs commands, each in a process of its own."""

    def __init__(self, log: Path):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-c", SERVER]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.log = log

    def ask(self, line: str) -> str:
        """The answer to a line."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def run(self, argv: list[str], wait: Callable[[], bool] | None = None) -> int:
        """Exit code of a command; `wait` returns when it is to be killed, and says whether it is."""
        assert self.ask(json.dumps({"argv": argv, "log": str(self.log)})) == "begun\n"
        return int(self.ask("kill" if wait is not None and wait() else "go on"))


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
