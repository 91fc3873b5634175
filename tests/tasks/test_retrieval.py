"""Sentences found by their vectors: what is read, what is compared, what is written."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.kinds import retrieval
from modeling_dlfa.tasks.kinds.retrieval import layers_table, reported_layer
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.task import TaskFiles
from tests.parallel import translation, write_bucc, write_tatoeba


TATOEBA, BUCC = get_task("tatoeba"), get_task("bucc2018")


class Reader:
    """In place of a model: layer 1 knows which words a sentence has, layer 2 nothing."""

    depth, scored, layers = 2, 1, [1, 2]

    def __init__(self, sentences: list[list[str]]) -> None:
        self.sentences = iter(sentences)

    def vectors(self, features: Any, layers: list[int]) -> dict[int, np.ndarray]:
        sentences = next(self.sentences)
        known = {word: place for place, word in enumerate(sorted({w for s in sentences for w in s.split()}))}
        bags = np.zeros((len(sentences), len(known)), np.float32)
        for row, sentence in enumerate(sentences):
            bags[row, [known[word] for word in sentence.split()]] = 1
        return {layer: bags if layer == 1 else np.ones_like(bags) for layer in layers}


class Set:
    def __init__(self, rows: Dataset) -> None:
        self.rows = self.features = rows


def put(folder: Path, files: dict[str, str]) -> FolderSource:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return FolderSource(folder)


GOOD = {
    "tatoeba/de-en.de": "Hund\nKatze\nMaus\n",
    "tatoeba/de-en.en": "cat\ndog\nmouse\n",
    "tatoeba/test-de.tsv": "1\n0\n2\n",
}
GOOD_BUCC = {
    "bucc2018/de-en.test.de": "de-1\tHund\nde-2\tKatze\n",
    "bucc2018/de-en.test.en": "en-1\tcat\nen-2\tmouse\n",
    "bucc2018/de-en.test.gold": "de-2\ten-1\n",
}


@pytest.mark.parametrize(("depth", "layer"), [(12, 8), (24, 14), (3, 2), (2, 1), (1, 0), (6, 4), (22, 15), (28, 19)])
def test_the_layer_is_settled_beforehand(depth: int, layer: int):
    assert reported_layer(depth) == layer < depth


# ---------------------------------------------------------------- Tatoeba


def test_xtremes_three_files_become_pairs(tmp_path: Path):
    source = put(tmp_path, GOOD)
    assert source.languages(TATOEBA, "test") == ["de"] and source.languages(TATOEBA, "train") == []
    assert source.load(TATOEBA, "test", "de").to_list() == [
        {"sentence1": "Katze", "sentence2": "cat", "place": 1},
        {"sentence1": "Hund", "sentence2": "dog", "place": 0},
        {"sentence1": "Maus", "sentence2": "mouse", "place": 2},
    ]


@pytest.mark.parametrize("changed", GOOD)
def test_the_fingerprint_is_that_of_all_three(tmp_path: Path, changed: str):
    prints = [
        put(tmp_path / str(number), files).fingerprint(TATOEBA, "test", "de")
        for number, files in enumerate((GOOD, GOOD, {**GOOD, changed: GOOD[changed] + "3\n"}))
    ]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"tatoeba/de-en.de": "Hund\nKatze\n"},
            ("de-en.de: 2 lines", "de-en.en: 3", "test-de.tsv: 3: expected as many"),
        ),
        ({"tatoeba/de-en.en": "cat\n\nmouse\n"}, ("de-en.en:2: expected a sentence, found an empty line",)),
        ({"tatoeba/test-de.tsv": "1\n0\n3\n"}, ("test-de.tsv:3: expected the number of a line, 0 to 2, found '3'",)),
        ({"tatoeba/test-de.tsv": "1\n0\nx\n"}, ("test-de.tsv:3: expected the number of a line", "'x'")),
        ({"tatoeba/test-de.tsv": "1\n0\n1\n"}, ("test-de.tsv:3: expected every line once, found 1 again",)),
    ],
)
def test_wrong_files_are_one_line(tmp_path: Path, changes: dict[str, str], says: tuple[str, ...]):
    with pytest.raises(InputError) as error:
        put(tmp_path, {**GOOD, **changes}).load(TATOEBA, "test", "de")
    assert all(part in str(error.value) for part in says) and "\n" not in str(error.value)


@pytest.mark.parametrize("what", ["load", "fingerprint"])
def test_without_gold_there_is_nothing_to_score(tmp_path: Path, what: str):
    source = put(tmp_path, {name: text for name, text in GOOD.items() if "test-" not in name})
    with pytest.raises(InputError, match=r"no file .*test-de\.tsv, expected in it .*leaves these labels out$"):
        getattr(source, what)(TATOEBA, "test", "de")


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("test-de.tsv", "Katze\tcat\nHund\tdog\n", {}),
        ("own.csv", "german,english\nKatze,cat\nHund,dog\n", {"sentence1": "german", "sentence2": "english"}),
        ("own.jsonl", '{"sentence1": "Katze", "sentence2": "cat"}\n{"sentence1": "Hund", "sentence2": "dog"}\n', {}),
    ],
)
def test_a_table_has_a_pair_in_every_row(tmp_path: Path, name: str, text: str, columns: dict[str, str]):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    task = replace(TATOEBA, files=TaskFiles({}, columns)) if columns else TATOEBA
    assert task.kind.read(task, path, "de") == {
        "sentence1": ["Katze", "Hund"],
        "sentence2": ["cat", "dog"],
        "place": [0, 1],
    }
    path.write_text(text.replace("dog", " "), encoding="utf-8")
    with pytest.raises(InputError, match="sentence"):
        task.kind.read(task, path, "de")


def test_the_answer_is_the_line_of_the_foreign_sentence(tmp_path: Path):
    write_tatoeba(tmp_path, ("de",))
    rows = FolderSource(tmp_path).load(TATOEBA, "test", "de")
    assert [translation(one) for one in rows["sentence1"]] == rows["sentence2"][:]
    sentences = rows["sentence1"][:] + rows["sentence2"][:]
    found = TATOEBA.kind.search(TATOEBA, Reader([sentences]), {"de": Set(rows)}, {})  # pyright: ignore
    gold = [int(line) for line in (tmp_path / "tatoeba" / "test-de.tsv").read_text().split()]
    assert found.predictions["de"] == TATOEBA.kind.references(rows) == gold
    assert found.beside["layers"] == {"1": {"de": 100.0}, "2": {"de": 5.0}}
    assert (found.beside["scored"], found.beside["published"]) == ("1", "")
    text = TATOEBA.kind.prediction_text(TATOEBA, found.predictions["de"], None)
    assert text == (tmp_path / "tatoeba" / "test-de.tsv").read_text()  # as evaluate.py compares them
    (tmp_path / "p.tsv").write_text(text)
    assert TATOEBA.kind.read_predictions(TATOEBA, tmp_path / "p.tsv") == gold
    (tmp_path / "p.tsv").write_text("1\nx\n")
    with pytest.raises(InputError, match=r"p.tsv:2: expected the number of a line, found 'x'"):
        TATOEBA.kind.read_predictions(TATOEBA, tmp_path / "p.tsv")


def test_fewer_rows_are_looked_for_among_themselves(tmp_path: Path):
    write_tatoeba(tmp_path, ("de",))
    rows = TATOEBA.kind.first(FolderSource(tmp_path).load(TATOEBA, "test", "de"), 7)
    sentences = rows["sentence1"][:] + rows["sentence2"][:]
    found = TATOEBA.kind.search(TATOEBA, Reader([sentences]), {"de": Set(rows)}, {})  # pyright: ignore
    assert found.predictions["de"] == rows["place"][:] and len(rows) == 7


def test_scores_counts_and_chance():
    kind = TATOEBA.kind
    assert kind.score(TATOEBA, [3, 1, 1], [3, 1, 2]) == {"accuracy": pytest.approx(200 / 3)}
    assert kind.counts(TATOEBA, [3, 1, 1], [3, 1, 2]).tolist() == [[1, 1, 1], [1, 1, 1], [0, 1, 1]]
    assert kind.score(TATOEBA, kind.majority(TATOEBA, [3, 1, 2]), [3, 1, 2])["accuracy"] == pytest.approx(100 / 3)
    with pytest.raises(ValueError, match="2 predictions for 1"):
        kind.score(TATOEBA, [1, 2], [1])


def test_the_table_of_layers():
    beside = {
        "layers": {"0": {"de": 10.0, "zh": 20.0}, "8": {"de": 50.0, "zh": 70.25}, "fused": {"de": 1.0, "zh": 2.0}},
        "scored": "fused",
        "published": "8",
    }
    rows = list(csv.reader(layers_table(beside).splitlines()))
    assert rows == [
        ["layer", "mark", "de", "zh", "average"],
        ["0", "", "10.00", "20.00", "15.00"],
        ["8", "XTREME's", "50.00", "70.25", "60.12"],
        ["fused", "scored", "1.00", "2.00", "1.50"],
    ]
    assert "| 8 (XTREME's) | 60.1 |" in TATOEBA.kind.card_section(beside)


def test_real_tatoeba(xtreme_data: Path):
    source = FolderSource(xtreme_data)
    languages = source.languages(TATOEBA, "test")
    assert set(TATOEBA.languages) <= set(languages) and "en" not in languages
    rows = source.load(TATOEBA, "test", "de")
    assert rows[0] == {
        "sentence1": "„Eine Katze?“ fragte der alte Mann.",
        "sentence2": '"A cat?" asked the old man.',
        "place": 367,
    }


def test_what_it_cannot_do(tmp_path: Path):
    for task in (TATOEBA, BUCC):
        with pytest.raises(InputError, match=f"^{task.name}: labelling texts is not there"):
            task.kind.from_texts(task, ["a"], None)  # pyright: ignore
        with pytest.raises(InputError, match=f"^{task.name}: labelling texts is not there"):
            task.kind.read(task, tmp_path / "x.tsv", "", labelled=False)
    with pytest.raises(InputError, match="^--prefix 'x': xnli does not compare"):
        get_task("xnli").kind.prefixed(get_task("xnli"), Dataset.from_dict({}), "x")


# ---------------------------------------------------------------- BUCC


def test_two_corpora_and_their_pairs(tmp_path: Path):
    source = put(tmp_path, GOOD_BUCC)
    assert source.languages(BUCC, "test") == ["de"] and source.languages(BUCC, "validation") == []
    assert source.load(BUCC, "test", "de").to_list() == [
        {"id": "de-1", "sentence": "Hund", "foreign": True, "partners": []},
        {"id": "de-2", "sentence": "Katze", "foreign": True, "partners": ["en-1"]},
        {"id": "en-1", "sentence": "cat", "foreign": False, "partners": []},
        {"id": "en-2", "sentence": "mouse", "foreign": False, "partners": []},
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bucc2018/de-en.test.gold": "de-2\ten-9\n"}, "test.gold:1: expected ids of de-en.test.en, found 'en-9'"),
        ({"bucc2018/de-en.test.gold": "de-2 en-1\n"}, "test.gold:1: expected id<tab>id, found 'de-2 en-1'"),
        ({"bucc2018/de-en.test.en": "en-1\tcat\nen-1\tmouse\n"}, "test.en:2: expected every id once, found 'en-1'"),
        (
            {"bucc2018/de-en.test.en": "", "bucc2018/de-en.test.gold": ""},
            "de-en.test.en: expected sentences, found none",
        ),
        (
            {"bucc2018/de-en.test.de": "", "bucc2018/de-en.test.gold": ""},
            "de-en.test.de: expected sentences, found none",
        ),
        ({"bucc2018/de-en.test.de": "de-1\tHund\nde-2\t\n"}, "test.de:2: expected id<tab>sentence"),
    ],
)
def test_wrong_corpora_are_one_line(tmp_path: Path, changes: dict[str, str], says: str):
    with pytest.raises(InputError) as error:
        put(tmp_path, {**GOOD_BUCC, **changes}).load(BUCC, "test", "de")
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_corpus_is_not_there(tmp_path: Path):
    files = {name: text for name, text in GOOD_BUCC.items() if not name.endswith("gold")}
    with pytest.raises(InputError, match=r"de-en\.test\.gold cannot be read"):
        put(tmp_path, files).load(BUCC, "test", "de")


def mined(folder: Path, tuned: bool, language: str = "de"):
    source = FolderSource(folder)
    test, dev = (source.load(BUCC, split, language) for split in ("test", "validation"))
    read = [dev["sentence"][:], test["sentence"][:]] if tuned else [test["sentence"][:]]
    tuning = {language: Set(dev)} if tuned else {}
    return test, BUCC.kind.search(BUCC, Reader(read), {language: Set(test)}, tuning)  # pyright: ignore


@pytest.mark.parametrize("tuned", [True, False])
def test_the_threshold_is_set_on_development_data_or_on_nothing(tmp_path: Path, tuned: bool):
    write_bucc(tmp_path, ("de",))
    rows, found = mined(tmp_path, tuned)
    said = found.beside["thresholds"]["de"]
    assert said["set_on"] == ("development data" if tuned else "nothing")
    assert tuned or said["threshold"] == 1.04
    assert found.beside["layers"].keys() == {"1", "2"}
    scores = BUCC.kind.score(BUCC, found.predictions["de"], BUCC.kind.references(rows))
    assert scores.keys() == {"f1", "precision", "recall"}
    assert scores["f1"] == found.beside["layers"]["1"]["de"] <= said["oracle_f1"] + 1e-9
    assert scores["recall"] >= 75 and said["oracle_f1"] >= 80
    text = BUCC.kind.prediction_text(BUCC, found.predictions["de"], BUCC.kind.tokens(rows))
    gold = set((tmp_path / "bucc2018" / "de-en.test.gold").read_text().splitlines())
    found_pairs = text.splitlines()
    assert 100 * len(gold.intersection(found_pairs)) / len(gold) == scores["recall"]
    (tmp_path / "p.tsv").write_text(text)
    assert BUCC.kind.read_predictions(BUCC, tmp_path / "p.tsv") == [tuple(pair.split("\t")) for pair in found_pairs]
    section = BUCC.kind.card_section(found.beside)
    assert ("no development data for de: the threshold is 1.04" in section) != tuned and "Oracle" in section


def test_a_sentence_that_is_there_twice_is_never_found(tmp_path: Path):
    write_bucc(tmp_path, ("de",))
    foreign = tmp_path / "bucc2018" / "de-en.test.de"
    gold = (tmp_path / "bucc2018" / "de-en.test.gold").read_text().splitlines()[0].split("\t")[0]
    (line,) = [line for line in foreign.read_text().splitlines() if line.startswith(gold)]
    foreign.write_text(foreign.read_text() + "de-9999\t" + line.split("\t")[1] + "\n")
    rows, found = mined(tmp_path, True)
    answers = dict(zip(rows["id"], found.predictions["de"], strict=True))
    assert answers[gold] == answers["de-9999"] == ""
    assert BUCC.kind.score(BUCC, found.predictions["de"], BUCC.kind.references(rows))["recall"] <= 87.5


def test_f1_is_that_of_the_set_of_pairs():
    gold = [["a"], ["b", "c"], [], []]
    predicted = ["a", "x", "y", ""]
    assert BUCC.kind.counts(BUCC, predicted, gold).tolist() == [[1, 1, 1], [0, 1, 2], [0, 1, 0], [0, 0, 0]]
    scores = BUCC.kind.score(BUCC, predicted, gold)
    assert scores == pytest.approx({"f1": 100 / 3, "precision": 100 / 3, "recall": 100 / 3})
    assert BUCC.kind.score(BUCC, BUCC.kind.majority(BUCC, gold), gold)["f1"] == 0.0


def test_the_first_of_each_side(tmp_path: Path):
    rows = BUCC.kind.first(put(tmp_path, GOOD_BUCC).load(BUCC, "test", "de"), 1)
    assert rows["id"][:] == ["de-1", "en-1"] and rows["partners"][:] == [[], []]


def test_the_hubs_one_row():
    columns = {"sentence1": [["Hund ", "Katze"]], "sentence2": [["cat", "mouse"]], "gold": [[[2, 1]]]}
    found = BUCC.kind.normalise(BUCC, columns, {}, "de", "the Hub")
    assert found["id"] == ["de-000000001", "de-000000002", "en-000000001", "en-000000002"]
    assert found["partners"] == [[], ["en-000000001"], [], []] and found["sentence"][0] == "Hund"
    for gold, says in (([[0, 1]], "from 1 on, found [0, 1]"), ([[1, 3]], "from 1 on, found [1, 3]")):
        with pytest.raises(InputError) as error:
            BUCC.kind.normalise(BUCC, {**columns, "gold": [gold]}, {}, "de", "the Hub")
        assert says in str(error.value)


@pytest.mark.parametrize("count", [1, 3, 4, 7])
def test_sentences_are_encoded_slice_by_slice(monkeypatch: pytest.MonkeyPatch, tiny_encoder: str, count: int):
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    texts = [f"a{n} " * n + "b" for n in range(count)]
    whole = retrieval.encode_sentences(texts, tokenizer, 16)
    monkeypatch.setattr(retrieval, "SLICE", 3)
    calls = []
    monkeypatch.setattr(type(tokenizer), "__call__", _noting(type(tokenizer).__call__, calls))
    assert retrieval.encode_sentences(texts, tokenizer, 16).to_list() == whole.to_list()
    assert sum(calls) == count and max(calls) <= 3


def _noting(call: Any, sizes: list[int]) -> Any:
    def noted(self: Any, texts: list[str], **how: Any) -> Any:
        sizes.append(len(texts))
        return call(self, texts, **how)

    return noted
