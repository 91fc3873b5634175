"""Killed with SIGKILL at any moment and started again, a run leaves what it would have left undisturbed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("log") / "run.log")
    yield started
    started.process.kill()
    started.process.wait()


def left(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves, but for the time it took."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in ("all_results.json", "README.md"):
            found[name] = path.read_bytes()
    results = json.loads((folder / "all_results.json").read_text(encoding="utf-8"))
    return {**found, "results": {name: value for name, value in results.items() if name != "train_runtime"}}


@pytest.fixture(scope="module")
def command(argv) -> Callable[[Path], list[str]]:
    """command(output): twelve steps, a checkpoint after every third, the best of them, two languages."""
    flags = (
        "--max_steps 12 --eval_strategy steps --eval_steps 3 --save_strategy steps --save_steps 3 --languages de,zh"
    )
    return lambda output: argv("pawsx", output, flags)


@pytest.fixture(scope="module")
def undisturbed(server: Server, command, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], float]:
    """What a run leaves that nobody disturbs, and how many seconds it takes."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    began = time.monotonic()
    assert server.run(command(output)) == 0, server.log.read_text()
    took = time.monotonic() - began
    assert not list(output.glob("checkpoint-*"))
    return left(output), took


def seen(output: Path, pattern: str) -> Callable[[], bool]:
    """Wait for a file of the run."""

    def wait() -> bool:
        deadline = time.monotonic() + 60
        while not any(output.glob(pattern)):
            if (output / "all_results.json").exists() or time.monotonic() > deadline:
                return False
        return True

    return wait


def after(seconds: float) -> Callable[[], bool]:
    def wait() -> bool:
        time.sleep(seconds)
        return True

    return wait


MOMENTS = {  # what is being done when a file like this appears
    "begun": "settings.json",
    "saving a checkpoint": "checkpoint-3",
    "saving the state of a checkpoint": "checkpoint-6/optimizer.pt",
    "saving the model": "config.json",
    "scoring": "trained.json",
    "leaving": "predictions/*",
    "the card": "README.md",
    "the results": "all_results.json",
}
RANDOM = [random.Random(place).uniform(0.05, 0.95) for place in range(5)]  # of the time that a run takes


@pytest.mark.parametrize("moment", [*MOMENTS, *RANDOM], ids=str)
def test_a_killed_run_leaves_what_it_would_have_left(server: Server, command, undisturbed, moment, tmp_path: Path):
    expected, took = undisturbed
    output = tmp_path / "out"
    wait = after(moment * took) if isinstance(moment, float) else seen(output, MOMENTS[moment])
    code = server.run(command(output), wait)
    assert code in (-signal.SIGKILL, 0), server.log.read_text()
    if code != 0:
        last = ["--resume_from_checkpoint", "last"] if output.is_dir() else []
        assert server.run([*command(output), *last]) == 0, server.log.read_text()
    found = left(output)
    assert found.keys() == expected.keys()
    for name, content in expected.items():
        assert found[name] == content, name


def test_killed_again_and_again(server: Server, command, undisturbed, tmp_path: Path):
    """Each time a little later."""
    expected, took = undisturbed
    output = tmp_path / "out"
    for part in (0.3, 0.5, 0.6, 0.7):
        if not (output / "all_results.json").exists():
            last = ["--resume_from_checkpoint", "last"] if output.is_dir() else []
            server.run([*command(output), *last], after(part * took))
    if not (output / "all_results.json").exists():
        assert server.run([*command(output), "--resume_from_checkpoint", "last"]) == 0, server.log.read_text()
    found = left(output)
    assert {name for name in expected if found.get(name) != expected[name]} == set()
