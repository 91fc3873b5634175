"""Terms of the loss: by hand, under accumulation, on every kind, and what is said of mistakes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modeling_dlfa.errors import InputError
from modeling_dlfa.training import objectives
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import prepare
from modeling_dlfa.training.model import build_model
from modeling_dlfa.training.objectives import OBJECTIVES, check_objectives, r_drop, register_objective
from modeling_dlfa.training.run import run
from modeling_dlfa.training.trainer import make_trainer


class TwoPasses(nn.Module):
    """Gives other logits at every call."""

    def __init__(self, *logits: torch.Tensor, name: str = "logits"):
        super().__init__()
        self.left, self.name = list(logits), name

    def forward(self, **_):
        return {self.name: self.left.pop(0)}


def kl(p: torch.Tensor, q: torch.Tensor) -> float:
    return float((p * (p.log() - q.log())).sum())


@pytest.mark.parametrize(
    ("labels", "shape", "name"),
    [
        (torch.tensor([0, 2]), (2, 3), "logits"),
        (torch.tensor([[0, -100, 2], [1, 1, -100]]), (2, 3, 3), "logits"),
        (torch.tensor([[[0, 1], [1, 2]], [[0, 1], [-100, -100]]]), (2, 2, 3), "arc_logits"),
    ],
    ids=["pairs", "tags", "trees"],
)
def test_r_drop_by_hand(labels: torch.Tensor, shape: tuple, name: str):
    draw = torch.Generator().manual_seed(0)
    first, second = torch.randn(shape, generator=draw), torch.randn(shape, generator=draw)
    first[..., -1], second[..., -1] = (torch.finfo(torch.float32).min,) * 2 if name == "arc_logits" else (0.3, 0.7)
    model = TwoPasses(first, second, name=name)
    found = r_drop(model, {"labels": labels}, model())
    heads = labels[..., 0] if labels.dim() == 3 else labels
    rows = [
        (a.softmax(-1)[: 2 if name == "arc_logits" else None], b.softmax(-1)[: 2 if name == "arc_logits" else None])
        for a, b, gold in zip(first.flatten(0, -2), second.flatten(0, -2), heads.flatten())
        if gold != -100
    ]
    expected = sum(0.5 * (kl(p, q) + kl(q, p)) for p, q in rows) / len(rows)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    same = TwoPasses(first, first, name=name)
    assert r_drop(same, {"labels": labels}, same()).item() == 0


def test_r_drop_of_answers_is_over_both_ends():
    draw = torch.Generator().manual_seed(0)
    lowest = torch.finfo(torch.float32).min
    passes = [
        {
            name: torch.tensor([*torch.randn(3, generator=draw), lowest])[None]
            for name in ("start_logits", "end_logits")
        }
        for _ in range(2)
    ]
    model: Any = lambda **_: passes[1]  # noqa: E731
    for labels, names in ((torch.tensor([[0, 2]]), list(passes[0])), (torch.tensor([[1, -100]]), ["start_logits"])):
        pairs = [[one[name][0, :3].softmax(-1) for one in passes] for name in names]
        expected = sum(0.5 * (kl(p, q) + kl(q, p)) for p, q in pairs) / len(pairs)
        assert r_drop(model, {"labels": labels}, passes[0]).item() == pytest.approx(expected, rel=1e-5)


@pytest.fixture
def trainer_of(argv, tmp_path: Path, tiny_dropout_encoder: str) -> Callable:
    """trainer_of(task, flags): a trainer, its model without dropout."""

    def make(task: str, flags: str = "", **kwargs):
        line = CommandLine([*argv(task, tmp_path / "out", flags), "--model_name_or_path", tiny_dropout_encoder])
        arguments, training_arguments = line.arguments(task, "aif", tmp_path / "out")
        data = prepare(arguments)
        torch.manual_seed(0)
        model = build_model(arguments, data.task)
        keep = data.task.kind.keep
        return make_trainer(model, arguments, training_arguments, data, keep=keep, **kwargs), data

    return make


@pytest.mark.parametrize("task", ["xnli", "udpos", "uddep"])
def test_accumulated_batches_give_the_gradient_of_a_large_one(trainer_of, task: str, monkeypatch: pytest.MonkeyPatch):
    """The term is a mean over labelled items, not over batches of different size."""

    def size(model, inputs, outputs):
        items = objectives.labelled_items(inputs["labels"])
        return objectives.item_logits(outputs)[items].clamp(min=-50).square().mean(-1).sum() / items.sum()

    monkeypatch.setitem(OBJECTIVES, "size", size)
    trainer, data = trainer_of(task, "--eval_strategy no", objectives={"size": 3.0})
    columns = [name for name in data.train.column_names if name not in ("length", "sentence", "first_word")]
    rows = data.train.select(range(8)).select_columns(columns).to_list()
    gradients = []
    for parts in ([rows], [rows[:2], rows[2:]]):
        trainer.model.zero_grad()
        trainer.model.train()
        for module in trainer.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        batches = [trainer.data_collator(part) for part in parts]
        items = sum((batch["labels"] != -100).sum() for batch in batches)
        for batch in batches:
            trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=items).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in trainer.model.parameters() if p.grad is not None]))
    assert gradients[0].abs().sum() > 0
    assert torch.allclose(*gradients, atol=2e-5, rtol=1e-3)


def test_terms_are_logged_by_name_and_only_in_training(trainer_of):
    trainer, data = trainer_of(
        "udpos", "--logging_steps 4 --max_steps 8 --eval_strategy no", objectives={"r_drop": 1.0}
    )
    trainer.train()
    logged = [entry for entry in trainer.state.log_history if "loss" in entry]
    assert len(logged) == 2 and all(entry["r_drop"] > 0 for entry in logged)
    trainer.model.eval()
    before = trainer.compute_loss(trainer.model, trainer.data_collator([_row(data)]))
    trainer.objectives = {}
    assert torch.equal(before, trainer.compute_loss(trainer.model, trainer.data_collator([_row(data)])))


def _row(data) -> dict:
    return {name: data.train[0][name] for name in ("input_ids", "attention_mask", "labels")}


def test_a_run_without_objectives_is_what_it_was(argv, tmp_path: Path):
    """And one with an objective trains other weights and says so."""
    done = {}
    for name, flags in (("none", []), ("r_drop", ["--objectives", json.dumps({"r_drop": 2})])):
        line = CommandLine([*argv("pawsx", tmp_path / name, "--max_steps 4 --eval_strategy no"), *flags])
        done[name] = run(*line.arguments("pawsx", "aif", tmp_path / name))
    assert "objectives" not in done["none"].training
    assert done["r_drop"].training["objectives"] == {"r_drop": 2.0}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('{"r_dorp": 1}', "--objectives: 'r_dorp' is not one of r_drop"),
        ('{"r_drop": 0}', "--objectives: r_drop: expected a weight above 0, found 0"),
        ('{"r_drop": "1"}', "expected a weight above 0, found '1'"),
        ('{"r_drop": true}', "expected a weight above 0, found True"),
        ('{"r_drop": NaN}', "expected a weight above 0, found nan"),
        ("r_drop", "--objectives 'r_drop' is not JSON"),
        ('{"r_drop": ' + "9" * 5000 + "}", "is not JSON: Exceeds the limit (4300 digits)"),
        ("[1]", "expected a JSON object"),
    ],
)
def test_mistakes_are_one_line(argv, tmp_path: Path, value: str, message: str):
    line = CommandLine([*argv("xnli", tmp_path / "out"), "--objectives", value])
    with pytest.raises(InputError) as error:
        line.arguments("xnli", "aif", tmp_path / "out")
    assert message in str(error.value) and "\n" not in str(error.value)


def test_the_decorator_keeps_the_function():
    def mine(model, inputs, outputs):
        return torch.zeros(())

    try:
        assert register_objective("mine")(mine) is mine
        assert check_objectives({"mine": 2}) == {"mine": 2.0}
    finally:
        OBJECTIVES.pop("mine", None)
