import json
import random
import string
import subprocess
import sys
import textwrap
import unicodedata
import warnings
from pathlib import Path

import datasets
import evaluate
import numpy as np
import pytest
import seqeval.metrics
import sklearn.metrics

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks import metrics
from modeling_dlfa.tasks.metrics import XtremeMetric
from modeling_dlfa.tasks.predictions import prediction_file, read_predictions, write_predictions
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.scores import score_of_counts
from modeling_dlfa.tasks.trees import fault
from tests.of_kinds import TRAINED, example_counts, label_names, majority_predictions, score


def random_heads(rng, words):
    """Heads of a random tree with one root."""
    order = rng.sample(range(1, words + 1), words)
    heads = {word: rng.choice(order[:place]) if place else 0 for place, word in enumerate(order)}
    return [heads[word] for word in range(1, words + 1)]


def noisy(task, *, rows=300, seed=0, right=0.7) -> tuple[list, list]:
    """Gold label ids and predictions of which about 70 % are right; those of parsing are trees."""
    rng = random.Random(seed)

    def guess(label):
        return label if rng.random() < right else rng.randrange(len(task.labels))

    if task.kind.name == "trees":
        heads = [random_heads(rng, rng.randrange(1, 25)) for _ in range(rows)]
        gold = [[(head, rng.randrange(len(task.labels))) for head in row] for row in heads]
        others = [row if rng.random() < 0.5 else random_heads(rng, len(row)) for row in heads]
        return gold, [
            [(head, guess(relation)) for head, (_, relation) in zip(row, arcs, strict=True)]
            for row, arcs in zip(others, gold, strict=True)
        ]

    if task.kind.name == "answers":
        words = ["The", "a", "rote", "das", "Haus.", "“Rom”", "黑豹队", "308", "in", "los", "के"]
        texts = [[" ".join(rng.choices(words, k=rng.randrange(1, 5))) for _ in range(2)] for _ in range(rows)]
        gold = [{"texts": two, "language": rng.choice(["en", "de", "es", "zh", "hi"])} for two in texts]
        return gold, [rng.choice(two) if rng.random() < right else rng.choice(words) for two in texts]

    if task.kind.name == "choices":
        gold = [rng.randrange(len(task.labels) or 4) for _ in range(rows)]
        return gold, [label if rng.random() < right else rng.randrange(len(task.labels) or 4) for label in gold]

    if task.kind.name == "pairs":
        gold = [rng.randrange(len(task.labels)) for _ in range(rows)]
        return gold, [guess(label) for label in gold]
    if task.kind.name == "masked":
        words = ["The", "a b", "“Rom”", "黑豹队", "308", "\u3000", "के", "▁d+og"]
        gold = [rng.choices(words, k=rng.randrange(1, 6)) for _ in range(rows)]
        return gold, [[one if rng.random() < right else rng.choice(words) for one in row] for row in gold]
    gold = [[rng.randrange(len(task.labels)) for _ in range(rng.randrange(1, 25))] for _ in range(rows)]
    return gold, [[guess(tag) for tag in tags] for tags in gold]


def read_as_evaluate_py_does(path, task):
    """XTREME's reading of a file, written anew: stripped lines, for tags grouped by blank lines."""
    content = [line.strip() for line in path.open(encoding="utf-8")]
    if task.kind.name == "pairs":
        return content
    groups = [[]]
    for line in content:
        if line:
            groups[-1].append(line)
        else:
            groups.append([])
    return groups if groups[-1] else groups[:-1]


@pytest.mark.filterwarnings("ignore:.*seems not to be NE tag")
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["xnli", "pawsx", "panx", "udpos"])
def test_scores_equal_those_of_evaluate_py_on_the_written_files(tmp_path, name, seed):
    task = TASKS[name]
    gold, predicted = noisy(task, seed=seed)
    files = [
        write_predictions(tmp_path / folder, task, "de", labels)
        for folder, labels in (("gold", gold), ("predictions", predicted))
    ]
    read = [read_as_evaluate_py_does(path, task) for path in files]
    assert len(read[0]) == len(read[1]) == len(gold)
    if task.kind.name == "pairs":
        expected = {"accuracy": sklearn.metrics.accuracy_score(*read) * 100}
    else:
        functions = {"precision": "precision_score", "recall": "recall_score", "f1": "f1_score"}
        expected = {key: getattr(seqeval.metrics, function)(*read) * 100 for key, function in functions.items()}
    scores = score(task, predicted, gold)
    assert {key: scores[key] for key in expected} == pytest.approx(expected, abs=1e-9)
    assert 0 < scores[task.metric] < 100


def read_answers_as_evaluate_py_does(language):
    """SQuAD's comparison, or for a language MLQA's, written anew: (exact match, F1) of two texts."""
    articles = {
        None: "a an the",
        "en": "a an the",
        "de": "ein eine einen einem eines einer der die das den dem des",
        "es": "un una unos unas el la los las",
    }.get(language, "")

    def words(text):
        kept = ""
        for character in text.lower():
            marks = character in string.punctuation
            if not marks and (language is None or unicodedata.category(character)[0] != "P"):
                chinese = language == "zh" and "\u4e00" <= character <= "\u9fa5"
                kept += f" {character} " if chinese else character
        return [word for word in kept.split() if word not in articles.split()]

    def compare(ours, theirs):
        ours, theirs = words(ours), words(theirs)
        same = sum(min(ours.count(word), theirs.count(word)) for word in set(ours))
        if not same:
            return float(ours == theirs), 0.0
        precision, recall = same / len(ours), same / len(theirs)
        return float(ours == theirs), 2 * precision * recall / (precision + recall)

    return compare


@pytest.mark.parametrize("name", ["xquad", "mlqa", "tydiqa"])
def test_scores_of_answers_equal_those_of_evaluate_py_on_the_written_file(tmp_path, name):
    task = TASKS[name]
    gold, predicted = noisy(task)
    ids = [[f"id {number}"] for number in range(len(gold))]
    answers = json.loads(write_predictions(tmp_path, task, "de", predicted, tokens=ids).read_text("utf-8"))
    found = []
    for (number,), one in zip(ids, gold, strict=True):
        compare = read_answers_as_evaluate_py_does(one["language"] if name == "mlqa" else None)
        found.append([max(part) for part in zip(*(compare(answers[number], text) for text in one["texts"]))])
    exact, f1 = (100 * sum(part) / len(found) for part in zip(*found))
    expected = {task.metric: (exact + f1) / 2, "exact_match": exact, "f1": f1}
    assert score(task, predicted, gold) == pytest.approx(expected, abs=1e-9)
    assert 10 < exact < 95 and 10 < f1 < 95 and exact != f1


PANX = [
    # A hand count: gold and predicted tags of one sentence, then true positives, predicted and gold entities.
    ("B-PER I-PER O", "B-PER I-PER O", 1, 1, 1),
    ("B-PER I-PER O", "B-PER O O", 0, 1, 1),
    ("B-PER I-PER O", "I-PER I-PER O", 1, 1, 1),  # the default mode starts an entity at a stray I-
    ("B-PER B-PER O", "B-PER I-PER O", 0, 1, 2),
    ("B-PER O B-LOC", "B-ORG O B-LOC", 1, 2, 2),
    ("O O O", "O O O", 0, 0, 0),
    ("O O B-LOC", "O O O", 0, 0, 1),
]


@pytest.mark.parametrize(("gold", "predicted", "right", "found", "there"), PANX)
def test_entity_scores_equal_a_hand_count(gold, predicted, right, found, there):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score(TASKS["panx"], [predicted.split()], [gold.split()])
    precision, recall = (right / found if found else 0), (right / there if there else 0)
    f1 = 2 * precision * recall / (precision + recall) if right else 0
    assert scores == pytest.approx({"precision": 100 * precision, "recall": 100 * recall, "f1": 100 * f1})


@pytest.mark.parametrize(
    ("gold", "predicted", "accuracy", "f1"),
    [
        ("DET NOUN VERB", "DET NOUN VERB", 100, 100),
        ("DET NOUN VERB", "DET NOUN NOUN", 200 / 3, 40),  # spans DET, NOUN, VERB and DET, NOUN NOUN
        ("NOUN NOUN VERB VERB", "NOUN NOUN VERB ADJ", 75, 40),
        ("NOUN NOUN VERB VERB", "NOUN NOUN VERB X", 75, 50),  # an X at the end of a sentence is no span to seqeval
        ("CCONJ NOUN", "SCONJ NOUN", 50, 100),  # one type to seqeval, which drops the first letter
    ],
)
def test_pos_has_token_accuracy_and_xtremes_f1_under_separate_names(gold, predicted, accuracy, f1):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score(TASKS["udpos"], [predicted.split()], [gold.split()])
    assert scores["accuracy"] == pytest.approx(accuracy)
    assert scores["f1"] == pytest.approx(f1)
    assert list(scores) == ["accuracy", "precision", "recall", "f1"]


@pytest.mark.parametrize("name", TRAINED)
def test_ids_and_names_score_the_same(name):
    task = TASKS[name]
    gold, predicted = noisy(task, rows=50)
    names = label_names(task, predicted)
    assert score(task, names, label_names(task, gold)) == score(task, predicted, gold)
    assert label_names(task, names) == names


@pytest.mark.parametrize(
    ("name", "predictions", "references", "message"),
    [
        ("xnli", [], [], "nothing to score"),
        ("xnli", [0, 1], [0], "2 predictions for 1 references"),
        ("panx", [[0]], [[0], [0]], "1 predictions for 2 references"),
        ("udpos", [[0, 1]], [[0]], "differ in the number of words"),
        ("udpos", [[0, 1], [0]], [[0], [0, 1]], "differ in the number of words"),
        ("uddep-depth", [[0, 1], [0]], [[0], [0, 1]], "differ in the number of words"),
        ("uddep", [[(0, 0), (1, 0)], [(0, 0)]], [[(0, 0)], [(0, 0), (1, 0)]], "differ in the number of words"),
    ],
)
def test_shapes_that_differ_are_refused(name, predictions, references, message):
    with pytest.raises(ValueError, match=message):
        score(TASKS[name], predictions, references)


# ---------------------------------------------------------------- as an `evaluate` module


class Rows(evaluate.Metric):
    """Somebody else's metric."""

    def _info(self):
        tags = datasets.List(datasets.Value("string"))
        features = datasets.Features({"predictions": tags, "references": tags})
        return evaluate.MetricInfo(description="", citation="", features=features)

    def _compute(self, predictions, references):
        return {"rows": len(predictions), "f1": -1}


def test_the_metric_combines_with_others(tmp_path):
    task = TASKS["udpos"]
    gold, predicted = noisy(task, rows=20)
    expected = {key: value / 100 for key, value in score(task, predicted, gold).items()}
    both = evaluate.combine([XtremeMetric("udpos", cache_dir=tmp_path), Rows(cache_dir=tmp_path)])
    result = both.compute(predictions=label_names(task, predicted), references=label_names(task, gold))
    f1 = expected.pop("f1")
    assert result == pytest.approx(expected | {"xtreme_metric_f1": f1, "rows": 20, "rows_f1": -1})


@pytest.mark.parametrize("name", TRAINED)
def test_the_metric_takes_batches(tmp_path, name):
    task = TASKS[name]
    gold, predicted = noisy(task, rows=20)
    metric = XtremeMetric(name, cache_dir=tmp_path)
    for start in (0, 10):
        batch = slice(start, start + 10)
        names = [label_names(task, labels[batch]) for labels in (predicted, gold)]
        if task.kind.name == "trees":
            names = [[[{"head": h, "relation": r} for h, r in words] for words in labels] for labels in names]
        metric.add_batch(predictions=names[0], references=names[1])
    expected = {key: value / 100 for key, value in score(task, predicted, gold).items()}
    assert metric.compute() == pytest.approx(expected)


def test_the_metric_names_the_tasks_when_none_is_given():
    with pytest.raises(InputError, match="unknown task 'default': expected one of xnli, pawsx, panx, udpos"):
        XtremeMetric()


def test_evaluate_loads_the_module_without_network(tmp_path):
    script = f"""
        import evaluate, json
        metric = evaluate.load({metrics.__file__!r}, "panx", cache_dir={str(tmp_path)!r})
        print(json.dumps(metric.compute(predictions=[["B-PER", "O"]], references=[["B-PER", "B-LOC"]])))
    """
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == pytest.approx({"precision": 1, "recall": 0.5, "f1": 2 / 3})


# ---------------------------------------------------------------- counts by example


@pytest.mark.parametrize("name", TRAINED)
def test_counts_of_any_examples_add_up_to_their_score(name):
    task = TASKS[name]
    references, predicted = noisy(task, rows=60)
    counts = example_counts(task, predicted, references)
    assert counts.shape == (60, 3)
    for chosen in (slice(None), slice(0, 1), slice(5, 40), slice(1, None, 3)):
        expected = score(task, predicted[chosen], references[chosen])[task.metric]
        assert score_of_counts(counts[chosen].sum(axis=0)) == pytest.approx(expected)
    if task.metric != "f1" and task.kind.name in ("tags", "trees"):
        assert counts[:, 1:].tolist() == [[len(words)] * 2 for words in references]


def test_scores_of_counts_by_hand():
    counts = [[[3, 4, 6], [0, 0, 0], [0, 2, 0]], [[1, 1, 1], [0, 1, 1], [5, 10, 10]]]
    assert score_of_counts(np.array(counts)).tolist() == [[60, 0, 0], [100, 0, 50]]


# ---------------------------------------------------------------- prediction files


def test_prediction_files_have_xtremes_names_and_lines(tmp_path):
    path = write_predictions(tmp_path, TASKS["xnli"], "de", [2, 0, 1])
    assert path == tmp_path / "xnli" / "test-de.tsv"
    assert path.read_bytes() == b"contradiction\nentailment\nneutral\n"
    path = write_predictions(tmp_path, TASKS["panx"], "zh", [[1, 2], [0]])
    assert path.read_bytes() == b"B-PER\nI-PER\n\nO\n"
    assert write_predictions(tmp_path, TASKS["pawsx"], "en", ["1"], "validation").name == "dev-en.tsv"
    files = {f.relative_to(tmp_path).as_posix() for f in tmp_path.rglob("*") if f.is_file()}
    assert files == {"xnli/test-de.tsv", "panx/test-zh.tsv", "pawsx/dev-en.tsv"}  # and no temporary ones


@pytest.mark.parametrize("name", TRAINED)
def test_predictions_are_read_back(tmp_path, name):
    task = TASKS[name]
    _, predicted = noisy(task, rows=30)
    tokens = None
    if task.kind.name == "trees":
        tokens = [["a b", "\u2028", "#", "", "c\td"][: len(words)] + ["x"] * (len(words) - 5) for words in predicted]
    if task.kind.name == "answers":
        tokens = [[f"\u2028id {number}"] for number in range(len(predicted))]
    path = write_predictions(tmp_path, task, "de", predicted, tokens=tokens)
    assert path == prediction_file(tmp_path, task, "de")
    assert path.name == f"test-de{task.kind.suffix}"
    assert read_predictions(path, task) == label_names(task, predicted)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("xnli", "neutral\n\n", "2: expected one of entailment, .*, found ''"),
        ("panx", "O\n\nLOC\n", "3: .*'LOC'"),
        ("uddep-arcs", "1\ta\t_\t_\t_\t_\t0\troot\t_\t_\n", "1: expected a relation of dep, found 'root'"),
        ("uddep", "1\ta\t_\t_\t_\t_\t2\troot\t_\t_\n", "1: the head 2 of word 1 'a' is outside"),
    ],
)
def test_unknown_predictions_are_named_by_line(tmp_path, name, text, message):
    path = tmp_path / "test-de.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"test-de\.tsv:{message}"):
        read_predictions(path, TASKS[name])


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    task = TASKS["xnli"]
    path = write_predictions(tmp_path, task, "de", [0])

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_predictions(tmp_path, task, "de", [1])
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text() == "entailment\n"


def test_sentences_without_tags_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="a sentence without tags"):
        write_predictions(tmp_path, TASKS["panx"], "de", [[0], []])


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (None, "predictions of uddep are written with the words of the sentences: give tokens"),
        ([["a"]], "zip"),
        ([["a"], ["b"]], "zip"),
        ([["a", "b"], []], "a sentence without words"),
    ],
)
def test_trees_cannot_be_written_without_their_words(tmp_path, tokens, message):
    with pytest.raises(ValueError, match=message):
        write_predictions(tmp_path, TASKS["uddep"], "de", [[(0, 0), (1, 0)], []], tokens=tokens)
    assert list(tmp_path.rglob("*.conllu")) == []


# ---------------------------------------------------------------- parsing


def independent_scores(gold_file, predicted_file):
    """UAS and LAS in percent by the CoNLL 2018 shared task's evaluator, as Universal Dependencies maintains it."""
    udeval = pytest.importorskip("udtools.udeval")
    result = udeval.evaluate(*(udeval.load_conllu_file(str(path)) for path in (gold_file, predicted_file)))
    return {"uas": 100 * result["UAS"].f1, "las": 100 * result["LAS"].f1}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["uddep", "uddep-arcs"])
def test_attachment_scores_of_random_trees_equal_those_of_the_shared_task(tmp_path, name, seed):
    task = TASKS[name]
    gold, predicted = noisy(task, rows=100, seed=seed)
    tokens = [[f"w{place}" for place in range(len(words))] for words in gold]
    files = [
        write_predictions(tmp_path / folder, task, "de", labels, tokens=tokens)
        for folder, labels in (("gold", gold), ("predictions", predicted))
    ]
    expected, scores = independent_scores(*files), score(task, predicted, gold)
    assert scores == pytest.approx({key: expected[key] for key in scores}, abs=1e-9)
    assert 20 < scores[task.metric] < 90
    assert list(scores) == (["uas", "las"] if name == "uddep" else ["uas"])


@pytest.mark.parametrize("language", ["en", "ar", "tr"])
def test_attachment_scores_of_real_trees_equal_those_of_the_shared_task(tmp_path, xtreme_data, language):
    """The gold side is the original file, with comments, multiword ranges and subtypes as far as it has them."""
    task, rng = TASKS["uddep"], random.Random(language)
    rows = FolderSource(xtreme_data).load(task, "test", language)
    gold = [list(zip(row["heads"], row["relations"], strict=True)) for row in rows.to_list()]
    predicted = [
        [(head, relation if rng.random() < 0.8 else 0) for head, (_, relation) in zip(heads, arcs, strict=True)]
        for arcs in gold
        for heads in [[h for h, _ in arcs] if rng.random() < 0.6 else random_heads(rng, len(arcs))]
    ]
    file = write_predictions(tmp_path, task, language, predicted, tokens=rows["tokens"][:])
    expected = independent_scores(xtreme_data / "uddep" / f"test-{language}.conllu", file)
    assert score(task, predicted, gold) == pytest.approx(expected, abs=1e-9)
    assert 20 < expected["las"] < expected["uas"] < 90


def test_subtypes_do_not_count_and_punctuation_does():
    gold = [[(2, "nmod:poss"), (0, "root"), (2, "punct")]]
    assert score(TASKS["uddep"], [[(2, "nmod"), (0, "root"), (1, "punct")]], gold) == pytest.approx(
        {"uas": 200 / 3, "las": 200 / 3}
    )
    assert score(TASKS["uddep"], [[(2, "obj"), (0, "root"), (2, "punct")]], gold) == pytest.approx(
        {"uas": 100, "las": 200 / 3}
    )


# ---------------------------------------------------------------- always the same answer


@pytest.mark.parametrize(
    ("name", "seen", "asked", "expected"),
    [
        ("xnli", [2, 1, 2], None, [2, 2, 2]),
        ("xnli", [2, 1, 2], [0], [2]),
        ("udpos", [[3, 3], [5]], None, [[3, 3], [3]]),
        ("udpos", [[3, 3], [5]], [[0] * 4], [[3] * 4]),
        # Distance +1 three times, twice with relation 7; 5 is frequent elsewhere. The last word falls to the root.
        (
            "uddep",
            [[(2, 7), (3, 7), (4, 9), (0, 5), (4, 5), (4, 5), (4, 5)]],
            [[(0, 0)] * 3, [(0, 0)]],
            [[(2, 7), (3, 7), (0, 7)], [(0, 7)]],
        ),
        ("uddep", [[(0, 5), (1, 3), (2, 3), (3, 4)]], [[(0, 0)] * 3], [[(0, 3), (1, 3), (2, 3)]]),
        ("uddep-arcs", [[(0, 0)]], [[(0, 0)] * 2], [[(0, 0), (1, 0)]]),
    ],
)
def test_the_most_frequent_answer_by_hand(name, seen, asked, expected):
    assert majority_predictions(TASKS[name], seen, asked) == expected


@pytest.mark.parametrize("name", ["uddep", "uddep-arcs"])
def test_the_most_frequent_answer_on_real_english_is_a_tree(xtreme_data, name):
    task, source = TASKS[name], FolderSource(xtreme_data)
    gold = [
        list(zip(r["heads"], r["relations"], strict=True)) for r in source.load(task, "validation", "en").to_list()
    ]
    constant = majority_predictions(task, gold)
    assert all(fault(["x"] * len(words), [head for head, _ in words]) is None for words in constant)
    assert 20 < score(task, constant, gold)["uas"] < 40
