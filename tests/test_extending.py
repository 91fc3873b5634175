"""Kind, task, fusion, objective and regime from outside the package: one module beside the data, no line here."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from modeling_dlfa.training.counts import read_counts
from tests import forks


ROOT = Path(__file__).resolve().parents[1]
TOY = '''
"""Stars for a review: a wrong answer is the better, the nearer it is."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from modeling_dlfa.modeling_dlfa import register_fusion
from modeling_dlfa.tasks.kinds import register_kind
from modeling_dlfa.tasks.kinds.pairs import Pairs
from modeling_dlfa.tasks.task import Recipe, Task, TaskFiles
from modeling_dlfa.training.objectives import register_objective
from modeling_dlfa.training.regime import Regime, register_regime


HERE = Path(__file__).parent


class Stars(Pairs):
    name = "stars"
    metrics = ("closeness",)
    metric_names = {"closeness": "Closeness"}

    def closeness(self, task, predicted, gold):
        places = [[task.labels.index(name) for name in self.label_names(task, one)] for one in (predicted, gold)]
        return 1 - np.abs(np.subtract(*places)) / (len(task.labels) - 1)

    def score(self, task, predicted, gold):
        return {"closeness": 100 * float(self.closeness(task, predicted, gold).mean())}

    def counts(self, task, predicted, gold):
        close = self.closeness(task, predicted, gold)
        return np.stack([close, np.ones_like(close), np.ones_like(close)], axis=1)


register_kind(Stars())

TASK = Task(
    "reviews",
    "stars",
    labels=("1", "2", "3"),
    recipe=Recipe(num_train_epochs=6, learning_rate=5e-3, per_device_train_batch_size=8, max_length=16, seed=1),
    files=TaskFiles(
        {
            "train": {"en": HERE / "train.csv"},
            "validation": {"en": HERE / "train.csv"},
            "test": {code: HERE / f"{code}.csv" for code in ("en", "de")},
        },
        {"sentence1": "text", "label": "stars"},
    ),
)


@register_fusion("mean")
class Mean(nn.Module):
    """z = (x + y) / 2."""

    def __init__(self, config):
        super().__init__()

    def forward(self, x, y, mask):
        return (x + y) / 2


@register_regime("biases", "[:N]")
class Biases(Regime):
    """Fusion, head, and the biases of the N lowest layers (after BitFit)."""

    default_size = 1
    recipe = {"learning_rate": 1e-2}

    def trained(self, parts):
        return f"{parts}, and biases of {self.size} layers"

    def begin(self, model, data, arguments, training_arguments):
        encoder = model.dlfa.encoder.requires_grad_(False)
        for layer in encoder.encoder.layer[: self.size]:
            for name, parameter in layer.named_parameters():
                parameter.requires_grad_(name.endswith("bias"))
        return model, data


@register_objective("small_logits")
def small_logits(model, inputs, outputs):
    return outputs.logits.square().mean()
'''
FLAGS = "--pooling mean --use_cpu --disable_tqdm true --eval_strategy no --logging_steps 5"


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the module and its data: the first word says how many stars."""
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.py").write_text(TOY, encoding="utf-8")
    for name, rows in (("train", 60), ("en", 20), ("de", 20)):
        stars = [1 + number % 3 for number in range(rows)]
        lines = [f"{('no', 'well', 'yes')[star - 1]} a{number % 5} b,{star}\n" for number, star in enumerate(stars)]
        (folder / f"{name}.csv").write_text("text,stars\n" + "".join(lines), encoding="utf-8")
    return folder


def call(toy: Path, *arguments: object, text: str = "") -> str:
    """Run a module of the package in the toy's folder, in a process that knows nothing of it yet."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = forks.run(["-m", *arguments], cwd=toy, environment=environment, text=text)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def finished(toy: Path, tiny_encoder: str) -> Path:
    weights = json.dumps({"small_logits": 0.01, "r_drop": 0.5})
    argv = ["--task", "toy:TASK", "--fusion", "mean", "--objectives", weights, "--compare_baseline"]
    argv += ["--model_name_or_path", tiny_encoder, "--output_dir", toy / "runs" / "out", *FLAGS.split()]
    printed = call(toy, "modeling_dlfa", "train", *argv)
    assert "reviews · mean" in printed and "closeness on test data" in printed
    return toy / "runs" / "out"


def test_a_run(finished: Path):
    results = json.loads((finished / "mean" / "all_results.json").read_text(encoding="utf-8"))
    assert (results["task"], results["metric"], results["fusion"]) == ("reviews", "closeness", "mean")
    assert results["training"]["objectives"] == {"small_logits": 0.01, "r_drop": 0.5}
    assert results["scores"]["de"] > 80  # the task can be learnt
    counts = read_counts(finished / "mean" / "predictions" / "reviews" / "test-counts.npz")
    assert counts["de"].dtype == np.float64 and 100 * counts["de"][:, 0].mean() == pytest.approx(
        results["scores"]["de"]
    )
    card = (finished / "mean" / "README.md").read_text(encoding="utf-8")
    assert "Closeness on test data" in card and 'fused by "mean",' in card and "ablation" not in card


def test_it_can_be_used_scored_and_published(toy: Path, finished: Path):
    answer = call(toy, "modeling_dlfa", "predict", finished / "mean", "-", "--format", "jsonl", text="yes a1 b\n")
    assert json.loads(answer)["stars"] == "3"  # by the name of the task's column
    call(toy, "modeling_dlfa", "score", finished / "mean", "--languages", "de", "--output_dir", toy / "again")
    again = json.loads((toy / "again" / "all_results.json").read_text(encoding="utf-8"))
    before = json.loads((finished / "mean" / "all_results.json").read_text(encoding="utf-8"))
    assert again["scores"] == {"de": before["scores"]["de"]}
    shown = call(toy, "modeling_dlfa", "publish", finished / "mean", "user/reviews", "--dry_run")
    assert "would publish" in shown and "model.safetensors" in shown


def test_a_study(toy: Path, tiny_encoder: str):
    study = {
        "tasks": ["toy:TASK"],
        "models": {"mine": {"fusion": "mean", "fusion_layer": 1}},
        "encoders": [tiny_encoder],
        "seeds": [1],
        "arguments": {"pooling": "mean", "use_cpu": True, "eval_strategy": "no", "max_steps": 12},
    }
    (toy / "study.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    printed = call(toy, "modeling_dlfa", "study", "run", "study.yaml")
    assert "reviews/tiny-encoder/mine-seed1" in printed and "report of 2 of 2 runs" in printed
    assert "closeness" in (toy / "runs" / "study" / "report" / "report.md").read_text(encoding="utf-8")


def test_a_regime(toy: Path, tiny_encoder: str):
    argv = ["--task", "toy:TASK", "--fusion", "mean", "--train", "biases", "--model_name_or_path", tiny_encoder]
    printed = call(toy, "modeling_dlfa", "train", *argv, "--output_dir", toy / "runs" / "biases", *FLAGS.split())
    assert "trained: biases:1" in " ".join(printed.split())
    results = json.loads((toy / "runs" / "biases" / "all_results.json").read_text(encoding="utf-8"))
    assert (results["training"]["train"], results["training"]["learning_rate"]) == ("biases:1", 1e-2)
    card = (toy / "runs" / "biases" / "README.md").read_text(encoding="utf-8")
    assert "- Trained: fusion and head, and biases of 1 layers." in card
    before, after = (
        load_file(Path(tiny_encoder) / "model.safetensors"),
        load_file(toy / "runs" / "biases" / "model.safetensors"),
    )
    moved = {name for name, one in before.items() if not torch.equal(one, after[f"dlfa.encoder.{name}"])}
    assert moved and all(".layer.0." in name and name.endswith("bias") for name in moved)


def test_the_same_name_twice_is_refused():
    from torch import nn

    from modeling_dlfa.modeling_dlfa import register_fusion
    from modeling_dlfa.tasks.kinds import register_kind
    from modeling_dlfa.tasks.kinds.pairs import Pairs
    from modeling_dlfa.training.objectives import register_objective

    class Other(Pairs):
        name = "tags"

    with pytest.raises(ValueError, match="there is a kind 'tags' already: Tags"):
        register_kind(Other())
    with pytest.raises(ValueError, match="aif"):
        register_fusion("aif")(nn.Module)
    with pytest.raises(ValueError, match="there is an objective 'r_drop' already"):
        register_objective("r_drop")(lambda model, inputs, outputs: outputs.loss)
