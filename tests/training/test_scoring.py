"""Batches of scoring by a budget of tokens, and all languages in one pass."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modeling_dlfa.tasks.encoding import BESIDE_THE_INPUTS, IGNORED
from modeling_dlfa.training import scoring
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import prepare
from modeling_dlfa.training.model import build_model
from modeling_dlfa.training.run import _new_trainer
from modeling_dlfa.training.scoring import TokenBatches, merged, predictions
from tests import forks


ROOT = Path(__file__).resolve().parents[2]
SORTED = [40, *(23 - row // 5 for row in range(100))]
TASKS = ["xnli", "panx", "udpos", "uddep"]


@pytest.mark.parametrize("processes", [1, 2, 3, 4])
@pytest.mark.parametrize("tokens", [1, 30, 64, 1000])
@pytest.mark.parametrize("lengths", [SORTED, SORTED[::-1], SORTED[:1], SORTED[:5], []], ids=len)
def test_processes_share_batches_that_fit(lengths: list[int], tokens: int, processes: int):
    shares = [list(TokenBatches(lengths, tokens, processes, rank)) for rank in range(processes)]
    assert {len(share) for share in shares} == {len(TokenBatches(lengths, tokens, processes))}
    gathered = []
    for parts in zip(*shares):
        assert len({len(part) for part in parts}) == 1, "outputs are gathered as they are"
        for part in parts:
            assert len(part) == 1 or len(part) * max(lengths[row] for row in part) <= tokens
            gathered += part
    rows = len(lengths)
    assert gathered[:rows] == list(range(rows))
    assert set(gathered[rows:]) <= {rows - 1} and len(gathered) - rows < processes


@pytest.mark.parametrize("lengths", [SORTED, SORTED[:30]], ids=len)
def test_batches_are_as_full_as_they_can_be(lengths: list[int]):
    batches = list(TokenBatches(lengths, 64))
    for batch, following in zip(batches, batches[1:]):
        assert (len(batch) + 1) * lengths[batch[0]] > 64 and following[0] == batch[-1] + 1


def made(argv, task: str, folder: Path, flags: str = "") -> tuple[Any, Any]:
    """The trainer of a run that has not begun, and its data."""
    command = CommandLine(argv(task, folder, f"--eval_strategy no {flags}"))
    arguments, training_arguments = command.arguments(task, "aif", folder)
    data = prepare(arguments)
    torch.manual_seed(0)
    return _new_trainer(build_model(arguments, data.task), arguments, training_arguments, data), data


def in_fixed_batches(trainer: Any, eval_set: Any) -> list:
    """Answers set by set, as many rows in every batch: what a budget of tokens must not change."""
    trainer.eval_tokens, asked = None, trainer.eval_tokens
    trainer.compute_metrics = None
    output = trainer.predict(eval_set.features)
    trainer.eval_tokens = asked
    return eval_set.in_order(output.predictions, output.label_ids)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("pass_tokens", [scoring.PASS_TOKENS, 100])
def test_answers_are_those_of_fixed_batches(argv, tmp_path: Path, monkeypatch, task: str, pass_tokens: int):
    monkeypatch.setattr(scoring, "PASS_TOKENS", pass_tokens)
    trainer, data = made(argv, task, tmp_path, "--per_device_eval_batch_size 3")
    expected = {code: in_fixed_batches(trainer, eval_set) for code, eval_set in data.evaluation.items()}
    said: list[str] = []
    found = predictions(trainer, data.evaluation, said.append)
    assert found == expected and list(found) == list(data.evaluation)
    languages = f"{len(expected)} languages"
    assert (said == [languages]) if pass_tokens > 100 else (len(said) > 1 and said[0] == f"{languages}, 1/{len(said)}")
    development = {"dev": data.development}
    assert predictions(trainer, development, said.append) == {"dev": in_fixed_batches(trainer, data.development)}
    assert said[-1].startswith("dev")


@pytest.mark.parametrize("task", ["xnli", "panx", "udpos"])
def test_logits_are_those_of_fixed_batches_to_rounding(argv, tmp_path: Path, task: str):
    """Rows of several languages share a batch, which is padded to another length."""
    trainer, data = made(argv, task, tmp_path)
    assert len(data.evaluation) > 1
    trainer.compute_metrics, trainer.keep = None, None
    features, owners = merged(data.evaluation)
    assert features["length"][:] == sorted(features["length"][:], reverse=True)
    together = trainer.predict(features)
    trainer.eval_tokens = None
    for place, eval_set in enumerate(data.evaluation.values()):
        alone = trainer.predict(eval_set.features)
        own, labelled = owners == place, alone.label_ids != IGNORED
        found = together.predictions[own][together.label_ids[own] != IGNORED]
        assert len(found) == labelled.sum() > 0
        np.testing.assert_allclose(found, alone.predictions[labelled], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("task", ["xnli", "panx"])
@pytest.mark.parametrize("batch", [1, 3, 50])
def test_the_loss_does_not_depend_on_the_batches(argv, tmp_path: Path, task: str, batch: int):
    trainer, data = made(argv, task, tmp_path, f"--per_device_eval_batch_size {batch}")
    features, collate = data.development.features, trainer.data_collator
    names = [name for name in features.column_names if name not in BESIDE_THE_INPUTS]
    whole = collate(features.select_columns(names).to_list())
    with torch.inference_mode():
        expected = trainer.model.eval()(**whole).loss.item()
    found = trainer.evaluate()
    assert found["eval_loss"] == pytest.approx(expected, rel=1e-4)
    assert f"eval_{data.task.metric}" in found


PROCESS = """
import json, sys
from pathlib import Path
from tests.training.test_scoring import answers
found = answers(*sys.argv[1:])
import torch.distributed
if torch.distributed.get_rank() == 0:
    Path(sys.argv[-1]).write_text(json.dumps(found))
torch.distributed.destroy_process_group()
"""


def answers(task: str, encoder: str, data_folder: str, output: str) -> Any:
    """Answers in every language, and the development loss."""
    from tests.training.conftest import SHORT

    start = ["--task", task, "--model_name_or_path", encoder, "--data", data_folder]
    trainer, data = made(lambda *_: [*start, *SHORT.split(), "--eval_strategy", "no"], task, Path(output + "-out"))
    loss = trainer.evaluate()["eval_loss"]
    trainer.compute_metrics = None
    return json.loads(json.dumps([predictions(trainer, data.evaluation), loss]))


@pytest.mark.slow
@pytest.mark.parametrize("task", ["xnli", "panx", "uddep"])
def test_two_processes_answer_as_one(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, task: str):
    script, output = tmp_path / "process.py", tmp_path / "answers.json"
    script.write_text(PROCESS, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = forks.run_two([script, task, tiny_encoder, xtreme_folder, output], environment=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    found, loss = json.loads(output.read_text(encoding="utf-8"))
    expected, alone = answers(task, tiny_encoder, str(xtreme_folder), str(tmp_path / "one"))
    assert found == expected
    assert loss == pytest.approx(alone, rel=1e-4)
