"""Runs that guess hidden words: as a task, under every regime, and as a control before another task."""

import contextlib
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import pipeline

from modeling_dlfa.predict import Predictor, predict
from modeling_dlfa.tasks.predictions import prediction_file, read_predictions
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.training.__main__ import main as train
from modeling_dlfa.training.results import RunResults
from tests.conftest import write_tiny_encoder
from tests.finished import finished_runs


FLAGS = (
    "--max_length 16 --learning_rate 5e-3 --per_device_train_batch_size 8 --num_train_epochs 6 "
    "--eval_strategy no --use_cpu --disable_tqdm true --fusion_layer 1"
)
RUNS = {
    "all": '--train all --objectives {"r_drop":0.1}',
    "fusion": "--train fusion",
    "lora": "--train lora",
    "top": "--train top:1 --warm_start true --average_checkpoints 2",
}


def sentence(draw: random.Random) -> str:
    """One word again and again: a hidden one can be told from its neighbours."""
    word = f"{draw.choice('abc')}{draw.randrange(2)}"
    words = [word] * draw.choice((3, 4, 12))  # the last is longer than a row
    return "".join(f"{one}\n" for one in words) + "\n"


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny", dropout=0.0, masks=True)


@pytest.fixture(scope="module")
def task_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, draw = tmp_path_factory.mktemp("words"), random.Random(0)
    for name, size in {"train": 120, "dev": 20, "test-en": 20, "test-de": 20}.items():
        (folder / f"{name}.conll").write_text("".join(sentence(draw) for _ in range(size)))
    files = "{train: train.conll, validation: dev.conll, test: 'test-{language}.conll'}"
    (folder / "mine.yaml").write_text(f"kind: masked\nfiles: {files}\n")
    return folder / "mine.yaml"


@pytest.fixture(scope="module")
def run_of(encoder: str, task_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """run_of(name): the folder of a finished run, made once."""
    made = finished_runs(task_file, encoder, FLAGS, tmp_path_factory)
    return lambda name: made(RUNS[name])


@pytest.mark.parametrize("name", RUNS)
def test_a_run_learns_and_leaves_what_the_model_says(run_of, task_file: Path, name: str):
    run, task = run_of(name), get_task(str(task_file))
    results = RunResults.load(run)
    if name == "all":
        assert min(results.scores.values()) > 60  # chance: about 17
    file = task_file.parent / "test-de.conll"
    opened = Predictor(run, batch_tokens=200)
    assert opened.model.decoder.weight is opened.model.get_input_embeddings().weight
    answers = opened.answers(*opened.read(file))
    expected = read_predictions(prediction_file(run / "predictions", task, "de"), task)
    assert [answer["guesses"] for answer in answers] == expected
    for answer in answers:
        assert len(answer["guesses"]) == len(answer["probabilities"]) == len(answer["masked"]) > 0
        assert all(0 < one <= 1 for one in answer["probabilities"])
    words = [answer["tokens"][place] for answer in answers for place in answer["masked"]]
    right = sum(one == word for one, word in zip((one for row in expected for one in row), words, strict=True))
    assert results.scores["de"] == pytest.approx(100 * right / len(words))


def test_texts_and_the_card(run_of):
    run = run_of("all")
    (answer,) = predict(run, ["a1 a1 a1 a1"])
    assert answer["text"] == "a1 a1 a1 a1" and len(answer["guesses"]) == 1
    card = (run / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: fill-mask" in card and "classify.tokenizer.mask_token" in card
    classify: Any = pipeline("fill-mask", model=str(run), trust_remote_code=True, device="cpu")
    guesses = classify(f"a1 {classify.tokenizer.mask_token} a1", top_k=3)
    assert len(guesses) == 3 and 1 > guesses[0]["score"] >= guesses[2]["score"] > 0


def test_before_another_task_it_is_a_control(encoder: str, xtreme_folder: Path, tmp_path: Path):
    argv = ["--task", "xnli", "--output_dir", str(tmp_path / "run"), "--model_name_or_path", encoder]
    argv += ["--data", str(xtreme_folder), "--intermediate_tasks", "uddep-masked,uddep-upos", "--max_steps", "3"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert train([*argv, *FLAGS.split()]) == 0
    words, tags = RunResults.load(tmp_path / "run").intermediate
    assert (words["task"], words["metric"], words["control"]) == ("uddep-masked", "accuracy", True)
    assert tags["task"] == "uddep-upos" and "control" not in tags
    (stage,) = (path for path in (tmp_path / "stages").glob("uddep-masked-*") if path.is_dir())
    assert json.loads((stage / "config.json").read_text())["architectures"] == ["DLFAForMaskedLM"]


def test_an_encoder_without_a_mask_token_is_one_line(tiny_encoder: str, xtreme_folder: Path, tmp_path: Path, capsys):
    argv = ["--task", "uddep-masked", "--output_dir", str(tmp_path / "run"), "--model_name_or_path", tiny_encoder]
    assert train([*argv, "--data", str(xtreme_folder), *FLAGS.split()]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "uddep-masked: the encoder's tokenizer has no mask token to hide words behind" in error
