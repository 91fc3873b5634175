# ruff: noqa: E501
"""Tasks of a user's own: YAML files, the forms of data they name, and what is said of mistakes in both."""

import dataclasses
import importlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from datasets import Dataset

from modeling_dlfa.data.rows import normalise
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.kinds import KINDS
from modeling_dlfa.tasks.registry import TASKS, get_task, saved_task
from modeling_dlfa.tasks.task import HubDataset, Recipe, Task, task_of_definition


PAIRS = "sentence1,sentence2,label\nIs it a cat?,It says meow.,yes\nIs it a cat?,It says woof.,no\n"
WORDS = "Maria\tB-PER\nsings\tO\n\nBonn\tB-LOC\n"


@pytest.fixture
def task_file(tmp_path: Path) -> Callable[..., Path]:
    """task_file(entries, files): hotel.yaml with these entries over good ones, beside these files over good ones."""

    def write(entries: dict | str | None = None, files: dict[str, str | bytes] | None = None) -> Path:
        good = {"train.csv": PAIRS, "dev.csv": PAIRS, "test-de.csv": PAIRS, "test-sw.csv": PAIRS}
        for name, content in {**good, **(files or {})}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        values = {
            "kind": "pairs",
            "labels": ["yes", "no"],
            "files": {"train": "train.csv", "validation": "dev.csv", "test": "test-{language}.csv"},
        }
        path = tmp_path / "hotel.yaml"
        if isinstance(entries, str):
            path.write_text(entries, encoding="utf-8")
        else:
            merged = {name: value for name, value in {**values, **(entries or {})}.items() if value is not ...}
            path.write_text(yaml.safe_dump(merged), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"train": "train.csv", "validation": "dev.csv", "test": "{language}.csv"}, "'dev'"),
        ({"train": "test-de.csv", "validation": "dev.csv", "test": "test-{language}.csv"}, "'de'"),
        ({"train": "train.csv", "validation": "test-sw.csv", "test": "test-{language}.csv"}, "'sw'"),
    ],
)
def test_a_pattern_does_not_take_files_of_other_splits(task_file, files: dict, code: str):
    """They would be scored as languages, training data too."""
    with pytest.raises(InputError, match=f"files: test: .* is like the pattern and would be scored as {code}: give"):
        get_task(str(task_file({"files": files})))


def test_development_data_may_be_scored_in_their_language(task_file):
    files = {"train": "train.csv", "validation": "dev-en.csv", "test": "dev-{language}.csv"}
    task = get_task(str(task_file({"files": files}, {"dev-en.csv": PAIRS, "dev-de.csv": PAIRS})))
    assert open_source("files").languages(task, "test") == ["en", "de"]


def test_spellings_are_those_of_labels(task_file):
    """Composed or not, with one space or two."""
    labels = ["caf\u00e9", "no good"]
    aliases = {"cafe\u0301s": "cafe\u0301", "not  good": "no  good"}
    task = get_task(str(task_file({"labels": labels, "label_aliases": aliases})))
    assert task.label_aliases == {"caf\u00e9s": "caf\u00e9", "not good": "no good"}


@pytest.mark.parametrize("label", ["--5", "-", "5-", "\u0663"])
def test_labels_like_numbers(task_file, label: str):
    rows = f"sentence1,sentence2,label\na,b,yes\na,b,{label}\n"
    task = get_task(str(task_file({"labels": "from the training file"}, {"train.csv": rows})))
    assert set(task.labels) == {"yes", label}


@pytest.mark.parametrize(
    ("labels", "metric"),
    [(["O", "B-X", "I-X"], "f1"), (["O", "B-X", "E-X", "S-Y"], "f1"), (["NOUN", "B-X"], "accuracy")],
)
def test_entities_have_f1_whatever_their_scheme(labels: list[str], metric: str):
    assert Task("mine", KINDS["tags"], tuple(labels)).metric == metric


def test_a_field_over_several_lines(task_file):
    rows = 'sentence1,sentence2,label\n"Good, really.\nI liked it, a lot.",b,yes\nc,d,no\n'
    task = get_task(str(task_file(None, {"train.csv": rows})))
    (first, _) = open_source("files").load(task, "train", "en").to_list()
    assert first["sentence1"] == "Good, really.\nI liked it, a lot."


def test_a_mark_that_was_lost_is_no_long_field(task_file):
    rows = 'sentence1,sentence2,label\n"TV,b,yes\n5",d,no\n'
    task = get_task(str(task_file(None, {"train.csv": rows})))
    with pytest.raises(InputError, match="train.csv:2: .*"):
        open_source("files").load(task, "train", "en")


def test_a_task_file_is_a_task(task_file):
    task = get_task(str(task_file({"recipe": {"num_train_epochs": 3}, "license": "mit", "train_language": "fr"})))
    assert (task.name, task.kind.name, task.labels, task.metric) == ("hotel", "pairs", ("yes", "no"), "accuracy")
    assert task.recipe == Recipe(num_train_epochs=3) and task.license == "mit" and task.default_data == "files"
    source = open_source("files")
    assert source.languages(task, "train") == source.languages(task, "validation") == ["fr"]
    assert source.languages(task, "test") == ["de", "sw"]
    assert source.load(task, "test", "sw").to_list() == [
        {"sentence1": "Is it a cat?", "sentence2": "It says meow.", "label": 0},
        {"sentence1": "Is it a cat?", "sentence2": "It says woof.", "label": 1},
    ]
    with pytest.raises(InputError, match="no test data for 'zh' in the files of .*hotel.yaml: there is de, sw"):
        source.load(task, "test", "zh")


@pytest.mark.parametrize("what", [*TASKS, "file"])
def test_a_definition_comes_back(task_file, what: str):
    task = get_task(
        str(task_file({"columns": {"sentence1": "sentence1", "label": "label"}})) if what == "file" else what
    )
    again = task_of_definition(yaml.safe_load(yaml.safe_dump(task.definition())))
    assert again.definition() == task.definition()
    assert (again.kind, again.labels, again.metrics, again.recipe) == (
        task.kind,
        task.labels,
        task.metrics,
        task.recipe,
    )
    assert dict(again.own_columns) == dict(task.own_columns)
    assert saved_task(task.name, task.definition()).labels == task.labels


def test_no_path_is_in_a_definition_but_where_the_task_is_from(task_file, tmp_path: Path):
    """Which `dlfa score` needs; publishing shortens it."""
    path = task_file({"labels": "from the training file"})
    values = get_task(str(path)).definition()
    assert values.pop("reference") == str(path.resolve())
    assert str(tmp_path) not in str(values)


@pytest.mark.parametrize(
    ("changes", "same"),
    [({}, True), ({"labels": ["no", "yes"]}, False), ({"recipe": {"max_length": 99}}, False)],
)
def test_what_a_task_is_goes_by_what_it_says(task_file, changes, same: bool):
    before = get_task(str(task_file())).identity
    assert before.startswith("hotel ")
    assert (get_task(str(task_file(changes))).identity == before) is same


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("x.csv", "\ufeffb,a,c\r\nIt says meow.,Is it a cat?,yes\r\n", {"sentence1": "a", "sentence2": "b", "label": "c"}),
        ("x.csv", '"a ","b",c\n"Is it a cat?"," It says meow.", yes \n\n', {"sentence1": "a", "sentence2": "b", "label": "c"}),
        ("x.csv", "Is it a cat?,It says meow.,yes\n", {"sentence1": 0, "sentence2": 1, "label": 2}),
        ("x.tsv", "Is it a cat?\tIt says meow.\tyes\n", {}),
        ("x.tsv", "q\tid\ta\tl\nIs it a cat?\t1\tIt says meow.\tyes\n", {"sentence1": "q", "sentence2": "a", "label": "l"}),
        ("x.tsv", "1\tyes\tIs it a cat?\tIt says meow.\n", {"sentence1": 2, "sentence2": 3, "label": 1}),
        ("x.jsonl", '{"q": "Is it a cat?", "a": "It says meow.", "l": "yes", "n": 1}\n\n', {"sentence1": "q", "sentence2": "a", "label": "l"}),
    ],
    ids=["bom, crlf, order", "quotes and spaces", "no header", "XTREME", "tsv with header", "places", "jsonl"],
)  # fmt: skip
def test_forms_of_pairs(task_file, name: str, content: str, columns: dict):
    files = {"train": name, "validation": name, "test": {"de": name}}
    task = get_task(str(task_file({"files": files, "columns": columns}, {name: content})))
    assert open_source("files").load(task, "test", "de").to_list() == [
        {"sentence1": "Is it a cat?", "sentence2": "It says meow.", "label": 0}
    ]


def test_single_sentences(task_file, bert_tokenizer):
    columns = {"sentence1": "text", "label": "stars"}
    content = "text,stars\nthe dog runs,5\nthe dogs,1\nrunning,10\n"
    files = dict.fromkeys(("train.csv", "dev.csv", "test-de.csv", "test-sw.csv"), content)
    task = get_task(str(task_file({"columns": columns, "labels": "from the training file"}, files)))
    assert task.labels == ("1", "5", "10")  # by value
    rows = open_source("files").load(task, "test", "de")
    assert rows.to_list()[0] == {"sentence1": "the dog runs", "label": 1}
    encoded = task.kind.encode(task, rows, bert_tokenizer, 8)
    assert encoded["input_ids"][0][-1] == 3 and encoded["input_ids"][0].count(3) == 1  # one separator: one sentence
    assert task.kind.special_tokens(task, bert_tokenizer) == 2


@pytest.mark.parametrize(
    ("name", "content", "entries"),
    [
        ("x.conll", WORDS, {}),
        ("x.conll", f"-DOCSTART-\tO\n\n{WORDS}\n\n", {}),
        ("x.txt", "Maria NNP B-PER\nsings VB O\n\nBonn NNP B-LOC\n", {"columns": {"tokens": 0, "tags": 2}, "separator": "space"}),
        ("x.tsv", "1\tMaria\tB-PER\t-\t-\n2\tsings\tO\t-\t-\n\n1\tBonn\tB-LOC\t-\t-\n", {"columns": {"tokens": 1, "tags": 2}}),
        (
            "x.conllu",
            "# text\n1-2\tMariasings\t_\t_\t_\t_\t_\t_\t_\t_\n1\tMaria\t_\t_\tB-PER\t_\t_\t_\t_\t_\n2\tsings\t_\t_\tO\t_\t_\t_\t_\t_\n\n"
            "1\tBonn\t_\t_\tB-LOC\t_\t_\t_\t_\t_\n",
            {"columns": {"tags": "xpos"}},
        ),
        ("x.jsonl", '{"tokens": ["Maria", "sings"], "tags": ["B-PER", "O"]}\n{"id": 3, "tokens": ["Bonn"], "tags": ["B-LOC"]}\n', {}),
        ("x.jsonl", '{"words": ["Maria", " sings"], "ner": ["B-PER", "O "]}\n{"words": ["Bonn"], "ner": ["B-LOC"]}\n', {"columns": {"tokens": "words", "tags": "ner"}}),
    ],
    ids=["conll", "docstart", "CoNLL-2003", "Universal NER", "conllu", "jsonl", "jsonl, other keys"],
)  # fmt: skip
def test_forms_of_tags(task_file, name: str, content: str, entries: dict):
    files = {"train": name, "validation": name, "test": {"de": name}}
    values = {"kind": "tags", "labels": "from the training file", "files": files, **entries}
    task = get_task(str(task_file(values, {name: content})))
    assert task.labels == ("O", "B-LOC", "B-PER") and task.metric == "f1"
    assert open_source("files").load(task, "test", "de").to_list() == [
        {"tokens": ["Maria", "sings"], "tags": [2, 0]},
        {"tokens": ["Bonn"], "tags": [1]},
    ]


def test_a_rate_may_be_written_as_people_write_it(task_file, tmp_path: Path):
    path = task_file()
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}\nrecipe: {{learning_rate: 1e-4}}\n", encoding="utf-8")  # text, in YAML 1.1
    assert get_task(str(path)).recipe.learning_rate == 1e-4


def test_labels_of_the_training_file_are_read_again_when_it_changes(task_file, tmp_path: Path):
    path = task_file({"labels": "from the training file"})
    assert get_task(str(path)).labels == ("no", "yes")
    (tmp_path / "train.csv").write_text(PAIRS + "a,b,perhaps\n", encoding="utf-8")
    assert get_task(str(path)).labels == ("no", "perhaps", "yes")


def test_languages_by_folder(task_file):
    files = {"de/test.csv": PAIRS, "th/test.csv": PAIRS}
    wanted = {"train": "train.csv", "validation": "dev.csv", "test": "{language}/test.csv"}
    assert open_source("files").languages(get_task(str(task_file({"files": wanted}, files))), "test") == ["de", "th"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"lables": ["a"]}, "unknown entry 'lables': expected name, kind, labels"),
        ({"labels": ...}, "labels: missing, expected a list of names, or 'from the training file'"),
        ({"labels": ["yes"] * 2}, "labels yes, yes: expected 2 or more different names"),
        ({"labels": ["yes"]}, "labels yes: expected 2 or more different names"),
        ({"label_aliases": {"ja": "yess"}}, "label_aliases: 'yess' is not one of yes, no"),
        ({"together": "label"}, "together: 'label': expected a column with text of pairs: sentence1, sentence2"),
        ({"labels": [True, False]}, "labels: expected text, found True: put yes, no, on and off in quotation marks"),
        ({"labels": []}, "labels: expected a list of names, found []"),
        (
            {"kind": ...},
            "kind: missing, expected one of pairs, tags, trees, answers, choices, masked, retrieval, mining",
        ),
        ({"kind": "pair"}, "kind: unknown kind 'pair': expected one of pairs, tags, trees"),
        ({"files": ...}, "files: missing, expected files of train, validation and test, or hub"),
        ({"files": {"train": "train.csv", "test": "dev.csv"}}, "files: validation: missing"),
        (
            {"files": {"train": "train.csv", "dev": "dev.csv"}},
            "files: expected train, validation and test, found 'dev'",
        ),
        ({"files": {"train": "a.csv", "validation": "dev.csv", "test": "dev.csv"}}, "files: train: no file "),
        ({"files": {"train": ".", "validation": "dev.csv", "test": "dev.csv"}}, " is a folder, expected a file"),
        (
            {"files": {"train": "train.csv", "validation": "dev.csv", "test": "x-{language}.csv"}},
            "files: test: no file is like ",
        ),
        (
            {"files": {"train": "train.csv", "validation": "dev.csv", "test": {False: "dev.csv"}}},
            "files: test: expected codes of languages, found False: put it in quotation marks",
        ),
        (
            {"files": {"train": "train.csv", "validation": "dev.csv", "test": "test-de.csv"}},
            "files: test: expected a pattern with {language} or a table of languages, because a file does not say",
        ),
        ({"columns": {"text": "a"}}, "files: columns: 'text': expected sentence1, sentence2, label"),
        ({"separator": ";"}, "files: separator: ';': expected tab or space"),
        ({"metric": "f1"}, "hotel: metric 'f1': expected one of accuracy for pairs"),
        ({"recipe": {"learning_rate": "fast"}}, "recipe: learning_rate: expected a number of 0 or more, found 'fast'"),
        ({"recipe": {"epochs": 3}}, "recipe: unknown entry 'epochs': expected some of num_train_epochs"),
        ({"recipe": {"num_train_epochs": 0}}, "recipe: num_train_epochs: expected a number of more than 0, found 0"),
        (
            {"recipe": {"learning_rate": float("nan")}},
            "recipe: learning_rate: expected a number of 0 or more, found nan",
        ),
        (
            {"recipe": {"per_device_train_batch_size": 0}},
            "per_device_train_batch_size: expected a whole number of 1 or",
        ),
        ({"recipe": {"seed": 10**14}}, "recipe: seed: expected a whole number of 0 or more, found 100000000000000"),
        ({"kind": "tags", "labels": ["O", "U-LOC"], "metric": "f1"}, "metric: f1 counts entities labelled O, B-X"),
        ({"recipe": {"seed": "one"}}, "recipe: seed: expected a whole number of 0 or more, found 'one'"),
        ({"name": "../out"}, "name: '../out': expected letters, digits, and . _ - between them"),
        ({"name": "xnli"}, "name: 'xnli' is a built-in task, give another name"),
        ({"hub": {"path": "user/data"}}, "hub: columns: missing"),
        ({"hub": {"paht": "user/data"}}, "hub: expected some of path, config"),
        ("- a\n- b\n", "expected entries such as 'kind: pairs'"),
        ("kind: pairs\nkind: tags\n", "line 2: 'kind' stands there twice"),
        ("files:\n  test: {de: dev.csv, de: train.csv}\n", "line 2: 'de' stands there twice"),
        ("kind: [\n", "while parsing"),
        ("kind: " + "[" * 10**4 + "\n", "cannot read the task"),
        ("labels: [2026-13-01]\n", "month must be in 1..12"),
        ("recipe: {seed: " + "9" * 5000 + "}\n", "Exceeds the limit (4300 digits)"),
    ],
)
def test_mistakes_in_a_task_file_are_one_line(task_file, entries, message: str):
    path = task_file(entries)
    with pytest.raises(InputError) as error:
        get_task(str(path))
    text = str(error.value)
    assert message in text and str(path) in text and "\n" not in text


HUB = {"path": "user/data", "columns": {"sentence1": "a", "sentence2": "{b} {c}", "label": "d"}}
ANSWERS = {"kind": "answers", "labels": ..., "files": ...}
QUESTIONS = {"path": "a/b", "columns": {name: name for name in ("id", "context", "question", "answers")}}


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"hub": {**HUB, "columns": "a"}}, "hub: columns: expected our names with those of the data set, found 'a'"),
        ({"hub": {**HUB, "columns": {**HUB["columns"], "label": "{d"}}}, "hub: columns: expected our names"),
        ({"hub": {**HUB, "columns": {**HUB["columns"], "label": True}}}, "hub: columns: expected our names"),
        ({"hub": {**HUB, "columns": {**HUB["columns"], "x": "d"}}}, "hub: columns: 'x': expected sentence1, "),
        ({"hub": {**HUB, "columns": {"sentence1": "a"}}}, "hub: columns: 'label': missing, expected sentence1, label"),
        ({"hub": {**HUB, "path": 3}}, "hub: path: expected text, found 3"),
        ({"hub": {**HUB, "config": "{cod}"}}, "hub: config: expected no other places than {code}, {name}"),
        ({"hub": {**HUB, "configs": {"test": "{"}}}, "hub: configs: expected no other places than {code}, {name}"),
        ({"hub": {**HUB, "splits": {"dev": "x"}}}, "hub: splits: expected text for some of train, validation, test"),
        ({"hub": {**HUB, "missing": {"test": "en"}}}, "hub: missing: expected a list of codes for some of train"),
        ({"hub": {**HUB, "words": {"a": "b"}}}, "hub: words: expected for columns a table of values"),
        ({"hub": {**HUB, "drops_unlabelled": "no"}}, "hub: drops_unlabelled: expected true or false, found 'no'"),
        ({"hub": {**HUB, "ids": "{code}-"}}, "hub: columns: 'id': missing, expected sentence1, sentence2, label, id"),
        ({"hub": {**HUB, "more": 3}}, "hub: more: expected a list of data sets, found 3"),
        ({"hub": {**HUB, "more": ["a/b"]}}, "hub: more: 1: expected some of path, config"),
        ({"hub": {**HUB, "more": [HUB, {"path": "a/b"}]}}, "hub: more: 2: columns: missing"),
        (
            {"hub": {**HUB, "more": [{"path": "a/b", "columns": {"sentence1": "a"}}]}},
            "hub: more: a/b: columns: 'sentence2': missing",
        ),
        ({**ANSWERS, "hub": {**QUESTIONS, "drops_unlabelled": True}}, "hub: drops_unlabelled: expected a task whose"),
    ],
)  # fmt: skip
def test_mistakes_in_what_is_said_of_the_hub_are_one_line(task_file, entries, message: str):
    path = task_file({"files": ..., **entries})
    with pytest.raises(InputError) as error:
        get_task(str(path))
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value) and "\n" not in str(error.value)


def test_the_page_names_every_entry_and_metric():
    page = (Path(__file__).resolve().parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("|")}
    assert all(f"`{entry.name}" in rows["`hub`"] for entry in dataclasses.fields(HubDataset))
    for kind in ("pairs", "tags", "trees", "answers", "choices"):
        shown = set(KINDS[kind].metrics) - {"precision", "recall"}
        assert all(f"`{metric}`" in rows["`metric`"] for metric in shown), kind


def test_the_hub_of_a_task_file(task_file):
    more = {"path": "a/b", "config": "x", "columns": HUB["columns"], "drops_unlabelled": True}
    hub = get_task(str(task_file({"files": ..., "hub": {**HUB, "more": [more]}}))).hub
    assert hub is not None and hub.config == "{code}" and hub.more == (HubDataset(**more),)
    assert get_task(str(task_file({**ANSWERS, "hub": QUESTIONS}))).hub == HubDataset(**QUESTIONS, config="{code}")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("test-de.csv", "sentence1,sentence2,label\na,b,yes\na,b,maybe\n", "test-de.csv:3: expected one of yes, no in 'label', found 'maybe': "),
        ("test-de.csv", "sentence1,sentence2,label\na,b\n", "test-de.csv:2: expected 3 fields, found 2: 'a,b'"),
        ("test-de.csv", "sentence1,sentence2,label\na,b,c,yes\n", "test-de.csv:2: expected 3 fields, found 4"),
        ("test-de.csv", "sentence1,label\na,yes\n", "test-de.csv:1: expected a header with sentence1, sentence2, label, found"),
        ("test-de.csv", 'sentence1,sentence2,label\na,"b said,no\nc,"d",no\ne,f,no\n', r"test-de.csv:2: expected fields between"),
        ("test-de.csv", b"sentence1,sentence2,label\na,b,yes\n" + b"K\xf6ln,b,no\n", "test-de.csv:3: byte 0xf6 is not UTF-8"),
        ("test-de.csv", "sentence1,sentence2,label\n", "test-de.csv: no data"),
        ("test-de.csv", "sentence1,sentence2,label\na,b,no\na, ,no\n", "test-de.csv:3: expected text in 'sentence2', found nothing: 'a, ,no'"),
    ],
)  # fmt: skip
def test_mistakes_in_tables_are_named_by_line(task_file, file: str, content: str | bytes, message: str):
    task = get_task(str(task_file({}, {file: content})))
    with pytest.raises(InputError, match=message) as error:
        open_source("files").load(task, "test", "de")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Maria B-PER\nsings O\n", "x.conll:1: expected token<tab>tag, found no tab: fields are separated by tabs"),
        ("Maria\tB-PER\t-\t-\n", "x.conll:1: expected token<tab>tag, found 4 fields"),
        ("Maria\tB-PER\nsings\tQ\n", "x.conll:2: .* the tag 'Q', which is not one of O, B-PER"),
        ("de:Maria\tB-PER\nde:sings\tO\nBonn\tO\n", "x.conll:3: expected 'de:' before every token, .* found 'Bonn'"),
        ('{"tokens": ["a", "b"], "tags": ["O"]}\n', "x.jsonl:1: .* for every word, found 2 tokens and 1 tags"),
        ('\n{"tokens": ["a"], "tags": ["Q"]}\n', "x.jsonl:2: expected one of O, B-PER in 'tags', found 'Q'"),
        ('{"tokens": "a b", "tags": ["O"]}\n', "x.jsonl:1: expected a list of texts under 'tokens', found .*a b"),
        ('{"tokens": ["a"], "tags": [3]}\n', r"x.jsonl:1: expected a list of texts under 'tags', found '\[3\]'"),
        ('{"tokens": ["a"], "ner_tags": ["O"]}\n', "under 'tags', found 'null'; there is tokens, ner_tags"),
        ('{"tokens": ["a", " "], "tags": ["O", "O"]}\n', "x.jsonl:1: expected words, found an empty one"),
        ('{"tokens": [], "tags": []}\n', "x.jsonl:1: expected words, found none"),
        ('{"tokens": ["a\\tb"], "tags": ["O"]}\n', "x.jsonl:1: expected words without tabs and line breaks"),
    ],
)
def test_mistakes_in_words_are_named_by_line(task_file, content: str, message: str):
    name = "x.jsonl" if "{" in content else "x.conll"
    files = {"train": "train.conll", "validation": "train.conll", "test": {"de": name}}
    entries = {"kind": "tags", "labels": ["O", "B-PER"], "files": files}
    task = get_task(str(task_file(entries, {name: content, "train.conll": WORDS})))
    with pytest.raises(InputError, match=message):
        open_source("files").load(task, "test", "de")


@pytest.mark.parametrize(
    ("kind", "name", "content", "message"),
    [
        ("pairs", "x.csv", PAIRS + "a,b,\n", "x.csv:4: expected one of no, yes in 'label', found nothing: 'a,b,'"),
        ("tags", "x.conll", f"{WORDS}in\t_\n", "x.conll:5: .* the tag '_', which is not one of O, B-LOC, B-PER: 'in.t_'"),
        ("tags", "x.conll", f"{WORDS}in\t\n", "x.conll:5: .* found no tag: 'in.t'"),
        ("pairs", "x.csv", f"{PAIRS.splitlines()[0]}\na,b,\n", "x.csv: expected a label in every row"),
    ],
)  # fmt: skip
def test_a_row_without_the_label_that_labels_are_taken_from_is_named(task_file, kind, name, content, message):
    files = {"train": name, "validation": name, "test": {"de": name}}
    path = task_file({"kind": kind, "labels": "from the training file", "files": files}, {name: content})
    with pytest.raises(InputError, match=message):
        get_task(str(path))


def test_what_is_to_be_answered_may_be_empty(task_file, tmp_path: Path):
    task, path = get_task(str(task_file())), tmp_path / "new.csv"
    path.write_text("sentence1,sentence2\na,\n", encoding="utf-8")
    assert task.kind.read(task, path, "", labelled=False) == {"sentence1": ["a"], "sentence2": [""], "label": [0]}


def test_a_field_may_be_as_long_as_a_book(task_file):
    book = " ".join(["word"] * 100_000)
    task = get_task(str(task_file({}, {"test-de.csv": f"sentence1,sentence2,label\n{book},b,no\n"})))
    assert open_source("files").load(task, "test", "de")["sentence1"][:] == [book]


def test_a_header_is_no_row(task_file):
    content = "text\tlabel\n" + "a\tyes\nb\tno\n" * 2
    files = {"train": "x.tsv", "validation": "x.tsv", "test": {"de": "x.tsv"}}
    entries = {"labels": "from the training file", "files": files, "columns": {"sentence1": 0, "label": 1}}
    with pytest.raises(
        InputError, match=r"x\.tsv:1: expected a row, found the label 'label', which stands nowhere else"
    ):
        get_task(str(task_file(entries, {"x.tsv": content})))


@pytest.mark.parametrize("spelling", ["cafe\u0301", "caf\u00e9", " caf\u00e9 "])
def test_a_label_is_the_same_in_every_composition(task_file, spelling: str):
    content = PAIRS.replace(",yes", f",{spelling}")
    task = get_task(str(task_file({"labels": ["caf\u00e9", "no"]}, {"test-de.csv": content})))
    assert open_source("files").load(task, "test", "de")["label"][:] == [0, 1]


@pytest.mark.parametrize(("value", "found"), [("NaN", "NaN"), ("1e999", "Infinity"), ('"\\ud800"', "ud800")])
def test_values_of_json_that_are_none(task_file, value: str, found: str):
    content = f'{{"sentence1": "a", "sentence2": "b", "label": {value}}}\n'
    files = {"train": "train.csv", "validation": "train.csv", "test": {"de": "x.jsonl"}}
    task = get_task(str(task_file({"files": files}, {"x.jsonl": content})))
    with pytest.raises(InputError, match=rf"x\.jsonl:1: expected text under 'label', found .*{found}"):
        open_source("files").load(task, "test", "de")


def test_a_number_may_be_larger_than_any_float(task_file):
    content = f'{{"sentence1": "a", "sentence2": {"9" * 400}, "label": "yes"}}\n'
    files = {"train": "train.csv", "validation": "train.csv", "test": {"de": "x.jsonl"}}
    task = get_task(str(task_file({"files": files}, {"x.jsonl": content})))
    assert open_source("files").load(task, "test", "de")["sentence2"][:] == ["9" * 400]


def test_an_object_in_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my_tasks.py").write_text(
        "from modeling_dlfa.tasks.task import Task\nNAMES = Task('names', 'tags', ('O', 'B-PER'))\nother = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    task = get_task("my_tasks:NAMES")
    assert isinstance(task, Task) and (task.name, task.metric) == ("names", "f1") and get_task(task) is task
    for what, message in (
        ("my_tasks:other", "expected a Task, found int"),
        ("my_tasks:missing", "has no attribute 'missing'"),
        ("no_such_module:TASK", "No module named 'no_such_module'"),
    ):
        with pytest.raises(InputError, match=message):
            get_task(what)


def test_a_missing_task_file():
    for what, message in (
        ("nowhere.yaml", r"^no task file nowhere\.yaml in /"),
        ("tests/hotel.json", "expected a .yaml file, package.module:TASK, or a built-in name"),
    ):
        with pytest.raises(InputError, match=message):
            get_task(what)


def test_a_file_whose_language_is_no_code_is_not_passed_over(task_file):
    path = task_file(files={"test-de copy.csv": PAIRS})
    with pytest.raises(InputError, match=r"test-de copy\.csv is like test-\{language\}\.csv, but"):
        get_task(str(path))


def test_the_language_may_stand_there_twice(task_file):
    files = {"de/test-de.csv": PAIRS, "th/test-th.csv": PAIRS}
    wanted = {"train": "train.csv", "validation": "dev.csv", "test": "{language}/test-{language}.csv"}
    assert open_source("files").languages(get_task(str(task_file({"files": wanted}, files))), "test") == ["de", "th"]


def test_a_folder_in_xtremes_layout_is_read_in_its_order(task_file, tmp_path: Path):
    """Whatever the columns of the task's own files are called."""
    task = get_task(str(task_file({"columns": {"sentence1": "sentence1", "label": "label"}})))
    (tmp_path / "data" / "hotel").mkdir(parents=True)
    (tmp_path / "data" / "hotel" / "test-de.tsv").write_text("It says meow.\tyes\n", encoding="utf-8")
    assert open_source(str(tmp_path / "data")).load(task, "test", "de").to_list() == [
        {"sentence1": "It says meow.", "label": 0}
    ]


def test_trees_of_ones_own_in_a_data_set():
    """Its columns are those of any treebank; a relation that the task does not list is named."""
    row = {"tokens": ["a", "b"], "upos": ["NOUN", "VERB"], "heads": ["2", "0"], "relations": ["nsubj", "root"]}
    task = Task("mine", "trees", ("nsubj", "root"))  # pyright: ignore[reportArgumentType]
    rows = normalise(task, Dataset.from_list([row]), "de", "the data set")
    assert rows.to_list() == [{"tokens": ["a", "b"], "heads": [2, 0], "relations": [0, 1]}]
    with pytest.raises(InputError, match="sentence 1: unknown relation 'nsubj'; expected one of obj, root"):
        normalise(replace(task, labels=("obj", "root")), Dataset.from_list([row]), "de", "the data set")
