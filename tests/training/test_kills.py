"""Killed with SIGKILL at any moment and started again, a run leaves what it would have left undisturbed."""

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.killed import Runs, left, seen


@pytest.fixture(scope="module")
def command(argv) -> Callable[[Path], list[str]]:
    """command(output): twelve steps, a checkpoint after every third, the best of them, two languages."""
    flags = (
        "--max_steps 12 --eval_strategy steps --eval_steps 3 --save_strategy steps --save_steps 3 --languages de,zh"
    )
    return lambda output: argv("pawsx", output, flags)


@pytest.fixture(scope="module")
def undisturbed(runs: Runs, command, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], float]:
    """What a run leaves that nobody disturbs, and how many seconds it takes."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    began = time.monotonic()
    assert runs.run(command(output)) == 0, runs.said
    took = time.monotonic() - began
    assert not list(output.glob("checkpoint-*"))
    return left(output), took


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
AT_RANDOM = [pytest.param(part, marks=pytest.mark.slow) for part in RANDOM]


@pytest.mark.parametrize("moment", [*MOMENTS, *AT_RANDOM], ids=str)
def test_a_killed_run_leaves_what_it_would_have_left(runs: Runs, command, undisturbed, moment, tmp_path: Path):
    expected, took = undisturbed
    output = tmp_path / "out"
    wait = after(moment * took) if isinstance(moment, float) else seen(output, MOMENTS[moment])
    code = runs.run(command(output), wait)
    assert code in (-signal.SIGKILL, 0), runs.said
    if code != 0:
        last = ["--resume_from_checkpoint", "last"] if output.is_dir() else []
        assert runs.run([*command(output), *last]) == 0, runs.said
    found = left(output)
    assert found.keys() == expected.keys()
    for name, content in expected.items():
        assert found[name] == content, name


@pytest.mark.slow
def test_killed_again_and_again(runs: Runs, command, undisturbed, tmp_path: Path):
    """Each time a little later."""
    expected, took = undisturbed
    output = tmp_path / "out"
    for part in (0.3, 0.5, 0.6, 0.7):
        if not (output / "all_results.json").exists():
            last = ["--resume_from_checkpoint", "last"] if output.is_dir() else []
            runs.run([*command(output), *last], after(part * took))
    if not (output / "all_results.json").exists():
        assert runs.run([*command(output), "--resume_from_checkpoint", "last"]) == 0, runs.said
    found = left(output)
    assert {name for name in expected if found.get(name) != expected[name]} == set()
