"""What a run reads: limits, languages, and predictions brought back to the order of the rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modeling_dlfa.errors import InputError
from modeling_dlfa.training.arguments import CommandLine, RunArguments
from modeling_dlfa.training.data import EvalSet, load_rows, open_tokenizer, prepare
from modeling_dlfa.xtreme.encoding import IGNORED


@pytest.fixture
def arguments(argv, tmp_path: Path) -> Callable[..., RunArguments]:
    def build(task: str, flags: str = "") -> RunArguments:
        return CommandLine(argv(task, tmp_path / "out", flags)).arguments(task, "aif", tmp_path / "out")[0]

    return build


def gold(eval_set: EvalSet) -> tuple[np.ndarray, np.ndarray]:
    """Right predictions and the labels, in the order and shape in which the Trainer returns them."""
    labels = eval_set.features["labels"][:]
    if eval_set.task.kind == "classification":
        return np.array(labels), np.array(labels)
    width = max(map(len, labels))
    padded = np.array([row + [IGNORED] * (width - len(row)) for row in labels])
    return np.where(padded == IGNORED, 3, padded), padded


@pytest.mark.parametrize("task", ["xnli", "pawsx", "panx", "udpos"])
def test_predictions_come_back_in_the_order_of_the_rows(arguments, task: str):
    eval_set = prepare(arguments(task)).evaluation["de"]
    lengths = eval_set.features["length"][:]
    assert lengths == sorted(lengths, reverse=True)
    if eval_set.task.kind == "tagging":
        assert len(eval_set.features) > len(eval_set.rows)  # the long sentences are split
        assert max(lengths) <= 16
    else:
        assert lengths != [lengths[0]] * len(lengths)
    restored = eval_set.in_order(*gold(eval_set))
    assert restored == eval_set.references
    assert set(eval_set.score(restored).values()) == {100.0}
    assert not eval_set.at_chance(eval_set.score(restored))


@pytest.mark.parametrize("task", ["xnli", "udpos", "panx"])
def test_always_the_same_label_is_chance_level(arguments, task: str):
    eval_set = prepare(arguments(task)).evaluation["de"]
    references = eval_set.references
    tagging = eval_set.task.kind == "tagging"
    labels = [tag for tags in references for tag in tags] if tagging else references
    common = max(set(labels), key=labels.count)
    constant = [[common] * len(tags) for tags in references] if tagging else [common] * len(references)
    assert eval_set.at_chance(eval_set.score(constant))


def test_limits(arguments):
    data = prepare(arguments("xnli", "--max_train_samples 10 --max_eval_samples 5 --languages ru,de"))
    assert (len(data.train), data.train_samples) == (10, 10)
    assert len(data.development.rows) == 5
    assert {code: len(eval_set.rows) for code, eval_set in data.evaluation.items()} == {"ru": 5, "de": 5}
    rows = load_rows(arguments("xnli"))
    assert data.train["labels"][:] == rows.train["label"][:10]


def test_limits_beyond_the_data(arguments):
    data = prepare(arguments("pawsx", "--max_train_samples 1000000 --max_eval_samples 1000000"))
    assert data.train_samples == 60
    assert {len(eval_set.rows) for eval_set in data.evaluation.values()} == {20}


def test_train_samples_are_sentences_not_rows(arguments):
    data = prepare(arguments("udpos"))
    assert data.train_samples == 60 < len(data.train)


@pytest.mark.parametrize("asked", ["de,ru", "de, ru", "de ru", "de,ru,de", ",de,,ru"])
def test_languages(arguments, asked: str):
    given = arguments("pawsx", "--max_train_samples 2")
    given.languages = asked
    assert list(load_rows(given).evaluation) == ["de", "ru"]


@pytest.mark.parametrize(
    ("task", "flags", "message"),
    [
        ("xnli", "--languages de,xx", "no test data for xx"),
        ("xnli", "--languages ,", "expected codes such as 'de,ru,zh'"),
        ("xnli", "--train_language de", "xnli has no train data for 'de'"),
        ("udpos", "--max_length 2", "--max_length 2: expected 3 (special tokens and one more) to 64 for udpos"),
        ("xnli", "--max_length 3", "--max_length 3: expected 4 (special tokens and one more) to 64 for xnli"),
        ("xnli", "--max_length 65", "--max_length 65: expected 4"),
        ("xnli", "--data nowhere", "no data folder 'nowhere'"),
        ("xnli", "--model_name_or_path no/such-encoder", "cannot open the tokenizer of no/such-encoder"),
    ],
)
def test_mistakes(arguments, task: str, flags: str, message: str):
    with pytest.raises(InputError) as caught:
        prepare(arguments(task, flags))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_smallest_max_length(arguments):
    assert open_tokenizer(arguments("udpos", "--max_length 3")).is_fast
    data = prepare(arguments("udpos", "--max_length 3 --max_train_samples 2 --max_eval_samples 2"))
    assert set(data.train["length"][:]) == {3}


def test_a_folder_without_tokenizer(arguments, tmp_path: Path, tiny_encoder: str):
    folder = tmp_path / "encoder"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_bytes((Path(tiny_encoder) / name).read_bytes())
    with pytest.raises(InputError, match="cannot open the tokenizer of") as caught:
        prepare(arguments("udpos", f"--model_name_or_path {folder}"))
    assert "\n" not in str(caught.value)
