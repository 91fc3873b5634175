"""What a run reads: limits, languages, and predictions brought back to the order of the rows."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from modeling_dlfa.data.sources import open_source
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.encoding import IGNORED
from modeling_dlfa.tasks.scores import score_of_counts
from modeling_dlfa.training.arguments import RunArguments
from modeling_dlfa.training.command_line import CommandLine
from modeling_dlfa.training.data import EvalSet, evaluated_languages, load_rows, open_tokenizer, prepare
from tests.of_kinds import data_collator, majority_predictions


@pytest.fixture
def arguments(argv, tmp_path: Path) -> Callable[..., RunArguments]:
    def build(task: str, flags: str = "") -> RunArguments:
        return CommandLine(argv(task, tmp_path / "out", flags)).arguments(task, "aif", tmp_path / "out")[0]

    return build


def gold(eval_set: EvalSet) -> tuple[np.ndarray, np.ndarray]:
    """Right predictions and the labels, in the order and shape in which the Trainer returns them."""
    labels = eval_set.features["labels"][:]
    if eval_set.task.kind.name == "pairs":
        return np.array(labels), np.array(labels)
    width = max(map(len, labels))
    padded = np.array([row + [IGNORED] * (width - len(row)) for row in labels])
    return np.where(padded == IGNORED, 3, padded), padded


@pytest.mark.parametrize("task", ["xnli", "pawsx", "panx", "udpos"])
def test_predictions_come_back_in_the_order_of_the_rows(arguments, task: str):
    eval_set = prepare(arguments(task)).evaluation["de"]
    lengths = eval_set.features["length"][:]
    assert lengths == sorted(lengths, reverse=True)
    if eval_set.task.kind.name == "tags":
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
    tagging = eval_set.task.kind.name == "tags"
    labels = [tag for tags in references for tag in tags] if tagging else references
    common = max(set(labels), key=labels.count)
    constant = [[common] * len(tags) for tags in references] if tagging else [common] * len(references)
    assert eval_set.at_chance(eval_set.score(constant))


TREES = ("a0 b1 c2 d3", "a e5 b c4 d3 g", "h", "a0 b1 c2 d3 e4 f5 g0 h1 a2", "a2 b1 a c3 d4 e5")


def trees_folder(root: Path) -> Path:
    """A few trees in English and German. Most words hang on the word behind them."""
    (root / "uddep").mkdir(parents=True)
    text = ""
    for words in map(str.split, TREES):
        for number, word in enumerate(words, start=1):
            head, relation = (0, "root") if number == len(words) else (number + 1, "amod")
            if number == 2 and len(words) > 5:
                head, relation = len(words), "nsubj"
            text += f"{number}\t{word}\t_\tNOUN\t_\t_\t{head}\t{relation}\t_\t_\n"
        text += "\n"
    for split, language in [("train", "en"), ("dev", "en"), ("test", "en"), ("test", "de")]:
        (root / "uddep" / f"{split}-{language}.conllu").write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def trees_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trees_folder(tmp_path_factory.mktemp("trees"))


@pytest.mark.parametrize("task", ["uddep", "uddep-arcs"])
@pytest.mark.parametrize(("max_length", "missing"), [(40, 0), (10, 14)])
def test_trees_come_back_in_the_order_of_the_rows(arguments, trees_data: Path, task, max_length, missing):
    data = prepare(arguments(task, f"--data {trees_data} --max_length {max_length}"))
    eval_set = data.evaluation["de"]
    lengths = eval_set.features["length"][:]
    assert lengths == sorted(lengths, reverse=True) and max(lengths) <= max_length
    assert eval_set.features["sentence"][:] != list(range(5))
    columns = [name for name in eval_set.features.column_names if name not in ("length", "sentence")]
    batch = data_collator(data.task, data.tokenizer)(eval_set.features.select_columns(columns).to_list())
    labels = batch["labels"].numpy()
    # Gold heads, as far as they are in the row; the root where they are not. Wrong in rows of 8 pieces are 8 words
    # that were cut off and 6 whose head was.
    kept = (batch["word_positions"] >= 0).numpy()[..., None]
    predictions = np.where(kept & (labels == IGNORED), 0, labels)
    restored = eval_set.in_order(predictions, labels)
    assert [len(words) for words in restored] == [len(words) for words in eval_set.references]
    wrong = [
        (found, gold)
        for sentence in zip(restored, eval_set.references, strict=True)
        for found, gold in zip(*sentence, strict=True)
        if found != gold
    ]
    assert len(wrong) == missing
    if not missing:
        assert restored == eval_set.references
        assert set(eval_set.score(restored).values()) == {100.0}
        assert not eval_set.at_chance(eval_set.score(restored))
    assert data.train_samples == len(data.train) == 5


@pytest.mark.parametrize("task", ["uddep", "uddep-arcs", "uddep-distance", "uddep-direction"])
def test_always_the_same_arc_is_chance_level(arguments, trees_data: Path, task: str):
    eval_set = prepare(arguments(task, f"--data {trees_data}")).evaluation["de"]
    constant = majority_predictions(eval_set.task, eval_set.references)
    scores = eval_set.score(constant)
    assert 50 < scores[eval_set.task.metric] < 100
    assert eval_set.at_chance(scores)
    assert not eval_set.at_chance({name: value + 0.1 for name, value in scores.items()})


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


def test_one_language_has_one_spelling(tmp_path: Path):
    """Their files of predictions would be one on some systems."""
    for name in ("train.csv", "dev.csv", "test-zh-TW.csv", "test-zh-tw.csv"):
        (tmp_path / name).write_text("text,label\na,yes\nb,no\n", encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(
        "kind: pairs\nlabels: ['yes', 'no']\ncolumns: {sentence1: text, label: label}\n"
        "files: {train: train.csv, validation: dev.csv, test: 'test-{language}.csv'}\n"
    )
    line = CommandLine(["--task", str(tmp_path / "mine.yaml")])
    found, _ = line.arguments(str(tmp_path / "mine.yaml"), "aif", tmp_path / "out")
    with pytest.raises(InputError, match="test data in 'zh-TW' and 'zh-tw': expected one spelling"):
        evaluated_languages(found, open_source("files"))


def test_questions_about_one_text_add_up_to_one_row_of_counts(arguments):
    """They were drawn together, and the bootstrap draws them so; the score is that of all questions."""
    one_each = prepare(arguments("xquad")).evaluation["de"]
    places = [0, 1, 2, 3, 2, 1, 2]  # some texts are asked about again
    eval_set = replace(one_each, rows=one_each.rows.select(places))
    contexts = eval_set.rows["context"][:]
    assert len(set(contexts)) == 4 and contexts[:4] != sorted(contexts[:4])
    right = [answer["texts"][0] for answer in eval_set.references]
    predictions = [text if number % 3 else "" for number, text in enumerate(right)]
    counts = eval_set.counts(predictions)
    # In the order of the file, as in the languages that the texts were translated into.
    assert list(counts[:, 2]) == list(Counter(contexts).values())
    score = eval_set.score(predictions)[eval_set.task.metric]
    assert 0 < score < 100 and score_of_counts(counts.sum(axis=0)) == pytest.approx(score)


def test_rows_in_a_row_with_one_premise_add_up_to_one_row_of_counts(arguments):
    """A text that comes back later is another one: its translation may be too, and numbers must be those of all."""
    eval_set = prepare(arguments("xnli")).evaluation["de"]
    premises = ["a", "a", "a", "b", "b", "a", "c"]
    columns = {"sentence1": premises, "sentence2": premises, "label": [0, 1, 2, 0, 1, 0, 2]}
    eval_set = replace(eval_set, rows=Dataset.from_dict(columns, eval_set.rows.features))
    counts = eval_set.counts([0, 1, 0, 1, 1, 0, 2])
    assert counts.tolist() == [[2, 3, 3], [1, 2, 2], [1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("task", ["pawsx", "panx", "udpos"])
def test_other_rows_count_each_for_itself(task, arguments):
    eval_set = prepare(arguments(task)).evaluation["de"]
    assert len(eval_set.counts(eval_set.references)) == len(eval_set.rows)
