"""Runs of a task of multiple choice, whose rows differ in how many choices they have."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modeling_dlfa.predict import Predictor, main, predict
from modeling_dlfa.tasks.predictions import prediction_file, read_predictions
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.score import main as score
from tests.finished import finished_runs


FLAGS = (
    "--max_length 16 --learning_rate 5e-3 --pooling mean --per_device_train_batch_size 8 --num_train_epochs 4 "
    "--eval_strategy no --use_cpu --disable_tqdm true"
)
RUNS = {
    "all": "--train all --fusion_layer 1",
    "fusion": "--train fusion --fusion_layer 1",
    "auto": "--train fusion --fusion_layer auto",
    "lora": "--train lora --fusion_layer 1",
}


def row(draw: random.Random) -> dict[str, Any]:
    """The right choice is the one of the words with "n"."""
    choices = [f"v{draw.randrange(6)} d{draw.randrange(6)}" for _ in range(draw.choice((2, 3, 5)))]
    label = draw.randrange(len(choices))
    choices[label] = f"n{draw.randrange(6)} n{draw.randrange(6)}"
    return {"prompt": f"a{draw.randrange(6)} p1", "choices": choices, "label": label}


@pytest.fixture(scope="module")
def task_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("choices"), random.Random(0)
    for name, size in {"train": 80, "dev": 20, "test-en": 20, "test-de": 20}.items():
        rows = [row(draw) for _ in range(size)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    files = "{train: train.jsonl, validation: dev.jsonl, test: 'test-{language}.jsonl'}"
    (folder / "mine.yaml").write_text(f"kind: choices\nfiles: {files}\n")
    return folder / "mine.yaml"


@pytest.fixture(scope="module")
def run_of(tiny_encoder: str, task_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """run_of(name): the folder of a finished run, made once."""
    made = finished_runs(task_file, tiny_encoder, FLAGS, tmp_path_factory)
    return lambda name: made(RUNS[name])


@pytest.mark.parametrize("name", RUNS)
def test_a_run_learns_and_leaves_what_the_model_says(run_of, task_file: Path, name: str):
    """What is scored with kept states, or by whatever way, is what the saved checkpoint answers."""
    run, task = run_of(name), get_task(str(task_file))
    results = RunResults.load(run)
    assert min(results.scores.values()) > 60  # chance: about 33
    file = task_file.parent / "test-de.jsonl"
    opened = Predictor(run, batch_tokens=200)
    answers = opened.answers(*opened.read(file))
    expected = read_predictions(prediction_file(run / "predictions", task, "de"), task)
    assert [answer["label"] for answer in answers] == expected
    for answer, line in zip(answers, file.read_text().splitlines(), strict=True):
        given = json.loads(line)
        assert answer["choices"] == given["choices"] and answer["answer"] == given["choices"][answer["label"]]
        assert len(answer["probabilities"]) == len(given["choices"])
        assert sum(answer["probabilities"]) == pytest.approx(1, abs=1e-3)
        assert max(answer["probabilities"]) == answer["probabilities"][answer["label"]]


def test_kept_states_give_the_scores_of_the_encoder(run_of, task_file: Path, tmp_path: Path, capsys):
    run = run_of("fusion")
    before = RunResults.load(run).scores
    assert score([str(run), "--use_cpu", "--output_dir", str(tmp_path / "again")]) == 0
    assert RunResults.load(tmp_path / "again").scores == pytest.approx(before)


def test_texts_and_commands(run_of, tmp_path: Path):
    run = run_of("all")
    (one, other) = predict(run, [("a1 p1", "v1 d2", "n1 n3"), "a1 p1\tn1 n2\tv3 d1\td2 v2"])
    assert one["label"] == 1 and one["answer"] == "n1 n3"
    assert other["label"] == 0 and len(other["probabilities"]) == 3
    output = tmp_path / "answers.jsonl"
    (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "x", "prompt": "a1", "choices": ["v1 v2", "n1 n1"]}) + "\n")
    assert main([str(run), str(tmp_path / "rows.jsonl"), "--output", str(output)]) == 0
    answer = json.loads(output.read_text())
    assert answer["id"] == "x" and answer["label"] == 1


def test_the_card_says_how_to_use_it(run_of):
    card = (run_of("all") / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: multiple-choice" in card and "AutoModelForMultipleChoice" in card
    assert "modeling_dlfa.predict(" in card
