"""Runs of a task whose questions may lack an answer: the threshold that is set on development data."""

import contextlib
import io
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from modeling_dlfa.errors import InputError
from modeling_dlfa.predict import Predictor, predict
from modeling_dlfa.predict import main as label
from modeling_dlfa.tasks.predictions import prediction_file, read_predictions
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.__main__ import main as train
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import EvalSet
from modeling_dlfa.training.results import RunResults
from modeling_dlfa.training.score import main as score
from modeling_dlfa.training.stages import plan_stages
from tests.finished import finished_runs


FLAGS = (
    "--max_length 24 --learning_rate 5e-3 --per_device_train_batch_size 8 --num_train_epochs 3 --eval_steps 20 "
    "--fusion_layer 1 --use_cpu --disable_tqdm true"
)


def question(draw: random.Random, number: int) -> dict[str, Any]:
    """One of "lnopv" answers wherever it stands; half of the texts have none."""
    words = draw.choices("bcdefgh", k=draw.choice((3, 4, 6)))
    answers: dict[str, list] = {"text": [], "answer_start": []}
    if draw.random() < 0.5:
        words.insert(draw.randrange(len(words) + 1), draw.choice("lnopv"))
        start = next(place for place, letter in enumerate(" ".join(words)) if letter in "lnopv")
        answers = {"text": [" ".join(words)[start]], "answer_start": [start]}
    return {"id": f"q{number}", "context": " ".join(words), "question": "well", "answers": answers}


@pytest.fixture(scope="module")
def task_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("questions"), random.Random(0)
    for name, size in {"train": 80, "dev": 40, "test-en": 20, "test-de": 20}.items():
        rows = [question(draw, number) for number in range(size)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    files = "{train: train.jsonl, validation: dev.jsonl, test: 'test-{language}.jsonl'}"
    (folder / "mine.yaml").write_text(f"kind: answers\nlabels: [no answer]\nfiles: {files}\n")
    return folder / "mine.yaml"


@pytest.fixture(scope="module")
def run_of(tiny_encoder: str, task_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """run_of(flags): the folder of a finished run, made once."""
    return finished_runs(task_file, tiny_encoder, FLAGS, tmp_path_factory)


def said(run: Path, task_file: Path, language: str = "de") -> list[str]:
    task = get_task(str(task_file))
    return read_predictions(prediction_file(run / "predictions", task, language), task)


def test_the_threshold_is_the_best_of_all_for_development_data(run_of, task_file: Path):
    results = RunResults.load(run_of())
    assert results.settled.keys() == {"no_answer_threshold", "set_on"}
    assert results.settled["set_on"] == "development data"
    opened, file = Predictor(run_of()), task_file.parent / "dev.jsonl"
    kind, task = opened.task.kind, opened.task
    assert task.settled == results.settled
    rows = Dataset.from_dict(kind.read(task, file, "en"), features=kind.features(task))
    features = EvalSet.encode(task, rows, opened.tokenizer, 24, "character").features
    kept, _, labels = opened._forward(features)

    def scored(threshold: float) -> float:
        other = replace(task, settled={"no_answer_threshold": threshold})
        answers = kind.in_order(other, rows, features, kept, labels)
        return kind.score(other, answers, kind.references(rows))[task.metric]

    chosen = results.settled["no_answer_threshold"]
    assert results.development_score == pytest.approx(scored(chosen))
    tried = {threshold: scored(threshold) for threshold in (-1e6, 0.0, 1e6, *np.linspace(-20, 20, 201).tolist())}
    assert max(tried.values()) <= scored(chosen) + 1e-9
    assert tried[0.0] < scored(chosen) - 5, "it matters here"


def test_predicting_uses_it(run_of, task_file: Path, tmp_path: Path):
    run, file = run_of(), task_file.parent / "test-de.jsonl"
    opened = Predictor(run, batch_tokens=100)
    answers = opened.answers(*opened.read(file))
    assert [answer["answer"] for answer in answers] == said(run, task_file)
    for answer in answers:
        others = [one["probability"] for one in answer["others"]]
        assert answer["probability"] >= max(others) and [answer["probability"], *others] == sorted(
            [answer["probability"], *others], reverse=True
        )
    asked = [(row["question"], row["context"]) for row in map(json.loads, file.read_text().splitlines())]
    by_text = {threshold: predict(run, asked, no_answer_threshold=threshold) for threshold in (None, -99.0, 99)}
    assert [one["answer"] for one in by_text[None]] == said(run, task_file)
    assert not any(one["answer"] for one in by_text[-99.0]) and all(one["answer"] for one in by_text[99])
    output = tmp_path / "answers.jsonl"
    assert label([str(run), str(file), "--output", str(output), "--no_answer_threshold", "-99"]) == 0
    assert not any(json.loads(line)["answer"] for line in output.read_text().splitlines())


@pytest.mark.parametrize(("given", "empty"), [("99", 0), ("-99", 20)])
def test_a_given_threshold_counts_before_it(run_of, task_file: Path, tmp_path: Path, given: str, empty: int):
    flags = ["--no_answer_threshold", given, "--use_cpu", "--output_dir", str(tmp_path / "out")]
    assert score([str(run_of()), *flags]) == 0
    results = RunResults.load(tmp_path / "out")
    assert results.settled == {"no_answer_threshold": float(given), "set_on": "nothing, it was given"}
    assert said(tmp_path / "out", task_file).count("") == empty
    trained = run_of(f"--no_answer_threshold {given} --max_steps 2 --eval_strategy no")
    assert RunResults.load(trained).settled == results.settled and said(trained, task_file).count("") == empty
    assert "which was given" in (trained / "README.md").read_text(encoding="utf-8")
    assert json.loads((trained / "settings.json").read_text())["no_answer_threshold"] == float(given)


@pytest.mark.parametrize("flags", ["", "--no_answer_threshold auto"])
def test_scoring_again_takes_that_of_the_run(run_of, tmp_path: Path, flags: str):
    argv = [str(run_of()), "--languages", "de", "--use_cpu", "--output_dir", str(tmp_path / "out"), *flags.split()]
    assert score(argv) == 0
    before, again = RunResults.load(run_of()), RunResults.load(tmp_path / "out")
    assert again.settled == before.settled and again.scores == {"de": pytest.approx(before.scores["de"])}
    assert again.development_score == before.development_score


def test_the_card_says_it(run_of):
    threshold = RunResults.load(run_of()).settled["no_answer_threshold"]
    card = (run_of() / "README.md").read_text(encoding="utf-8")
    assert f"more than {threshold:.4g} above the best answer's" in card
    assert "the best one for development data of the training language alone" in card


def test_nothing_of_it_where_every_question_has_an_answer(argv, tmp_path: Path):
    """Files, keys and results are as without it."""
    with contextlib.redirect_stdout(io.StringIO()):
        assert train(argv("xquad", tmp_path / "out", "--max_steps 2 --languages de --eval_strategy no")) == 0
    for path in (path for path in (tmp_path / "out").rglob("*") if path.suffix in (".json", ".md")):
        text = path.read_text(encoding="utf-8")
        assert "no_answer" not in text and "settled" not in text, path


def test_it_is_no_part_of_what_a_task_is(task_file: Path):
    task = get_task(str(task_file))
    settled = replace(task, settled={"no_answer_threshold": 2.0, "set_on": "nothing, it was given"})
    assert settled.definition() == task.definition() and settled.identity == task.identity
    assert "settled" not in task.definition()


@pytest.mark.parametrize(
    ("task", "flags", "known"),
    [
        ("squad2", "", {}),
        ("squad2", "--no_answer_threshold auto", {}),
        ("squad2", "--no_answer_threshold 1", {"no_answer_threshold": 1.0}),
        ("squad2", "--no_answer_threshold 1.0", {"no_answer_threshold": 1.0}),
        ("xquad", "", {}),
    ],
)
def test_settings_that_are_the_same_run(tiny_encoder: str, task: str, flags: str, known: dict):
    command = CommandLine(["--task", task, "--model_name_or_path", tiny_encoder, *flags.split()])
    plain = CommandLine(["--task", task, "--model_name_or_path", tiny_encoder]).settings(task, "aif")
    assert command.settings(task, "aif") == plain | known
    whole = command.settings(task, "aif", whole=True)
    assert whole.get("no_answer_threshold") == (None if task == "xquad" else known.get("no_answer_threshold", "auto"))


def test_stages_are_not_given_it(tiny_encoder: str):
    argv = ["--task", "squad2", "--model_name_or_path", tiny_encoder, "--no_answer_threshold", "2"]
    command = CommandLine([*argv, "--intermediate_tasks", "mnli"])
    assert command.run_arguments("mnli", "aif").no_answer_threshold == "auto"
    assert command.run_arguments("squad2", "aif").no_answer_threshold == 2.0
    # Nor is a stage that settles one of its own, and would be another one with each.
    asked = [
        CommandLine([*argv, "--intermediate_tasks", "squad2"]),
        CommandLine([*argv[:4], "--intermediate_tasks", "squad2"]),
    ]
    (first,), (second,) = (plan_stages(one, "squad2", "aif") for one in asked)
    assert first.settings == second.settings
    assert first.arguments(None, "unused")[0].no_answer_threshold == "auto"


@pytest.mark.parametrize(
    ("task", "value", "says"),
    [
        ("squad2", "much", "--no_answer_threshold much: expected a finite number, or 'auto'"),
        ("squad2", "nan", "--no_answer_threshold nan: expected a finite number, or 'auto'"),
        ("squad2", "inf", "--no_answer_threshold inf: expected a finite number, or 'auto'"),
        ("xquad", "1", "--no_answer_threshold 1: xquad has no questions that may lack an answer"),
        ("udpos", "-0.5", "--no_answer_threshold -0.5: udpos has no questions that may lack an answer"),
        ("tatoeba", "1", "--no_answer_threshold 1: tatoeba has no questions that may lack an answer"),
    ],
)
def test_what_is_refused(task: str, value: str, says: str):
    with pytest.raises(InputError) as error:
        RunArguments(task=task, no_answer_threshold=value)
    assert str(error.value) == says


def test_predicting_refuses_it_where_it_means_nothing(finished_run, run_of):
    with pytest.raises(InputError, match="^--no_answer_threshold 1: udpos has no questions that may lack an answer$"):
        predict(finished_run("udpos"), ["v1 d1"], no_answer_threshold=1)
    with pytest.raises(InputError, match="^--no_answer_threshold x: expected a finite number$"):
        predict(run_of(), [("well", "b c")], no_answer_threshold="x")  # pyright: ignore[reportArgumentType]
