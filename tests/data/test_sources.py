import csv
import json
from dataclasses import replace

import datasets
import pytest
from datasets import ClassLabel, Dataset, Features, List, Value
from datasets.exceptions import DatasetNotFoundError

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.data.hub import HubSource
from modeling_dlfa.data.rows import PLACEHOLDER_ROWS
from modeling_dlfa.data.sample import SIZES
from modeling_dlfa.data.sample.source import SampleSource
from modeling_dlfa.data.sources import open_source
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.registry import TASKS, get_task
from modeling_dlfa.tasks.task import FILE_PREFIXES, SPLITS
from tests.marks import rest_is_slow
from tests.of_kinds import TRAINED, hub_of, task_features


GOOD_LINE = {
    "xnli": "A man.\tA person.\tentailment\n",
    "pawsx": "A man.\tA person.\t1\n",
    "panx": "Rome\tB-LOC\n\n",
    "udpos": "Rome\tPROPN\n\n",
}
LADDER = [name for name, task in TASKS.items() if task.rung is not None]
GOOD_LINE |= dict.fromkeys(LADDER, "1\tRome\t_\tPROPN\t_\t_\t0\troot\t_\t_\n\n")
ANSWERS, CHOICES = (
    [name for name, task in TASKS.items() if task.kind.name == kind] for kind in ("answers", "choices")
)
PAIRED = {name: f"A man.\tA person.\t{task.labels[0]}\n" for name, task in TASKS.items() if task.kind.name == "pairs"}
GOOD_LINE = PAIRED | GOOD_LINE


def content(name, rows=1):
    """A file of a task with so many rows, all of them alike."""
    if name in ANSWERS:
        answers = [{"text": "Rome", "answer_start": 5}]
        qas = [{"id": str(row), "question": "Where?", "answers": answers} for row in range(rows)]
        return json.dumps({"data": [{"paragraphs": [{"context": "It's Rome.", "qas": qas}]}]})
    if name in CHOICES:
        row = {"prompt": "It rains.", "choices": ["Wet.", "Dry."], "label": next(iter(TASKS[name].labels), 0)}
        return "".join(json.dumps({"id": str(number), **row}) + "\n" for number in range(rows))
    return GOOD_LINE[name] * rows


def file_name(name, split, language):
    """Where a folder keeps a task."""
    if name in LADDER:
        return f"uddep/{FILE_PREFIXES[split]}-{language}.conllu"
    return f"{name}/{FILE_PREFIXES[split]}-{language}{TASKS[name].kind.suffix}"


def folder(tmp_path, files):
    """A data folder with these files: path below the folder -> text or bytes."""
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return FolderSource(tmp_path)


# ---------------------------------------------------------------- folder


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("split", SPLITS)
def test_a_folder_gives_every_split_in_the_common_shape(tmp_path, name, split):
    task = get_task(name)
    rows = folder(tmp_path, {file_name(name, split, "de"): content(name)}).load(task, split, "de")
    assert rows.features == task_features(task)
    expected = {
        "xnli": {"sentence1": "A man.", "sentence2": "A person.", "label": 0},
        "pawsx": {"sentence1": "A man.", "sentence2": "A person.", "label": 1},
        "panx": {"tokens": ["Rome"], "tags": [5]},
        "udpos": {"tokens": ["Rome"], "tags": [11]},
        "uddep-upos": {"tokens": ["Rome"], "tags": [11]},
        "uddep-direction": {"tokens": ["Rome"], "tags": [0]},
        "uddep-depth": {"tokens": ["Rome"], "tags": [0]},
        "uddep-distance": {"tokens": ["Rome"], "tags": [0]},
        "uddep-arcs": {"tokens": ["Rome"], "heads": [0], "relations": [0]},
        "uddep": {"tokens": ["Rome"], "heads": [0], "relations": [34]},
        "uddep-masked": {"tokens": ["Rome"], "masked": [0]},
    }
    asked = {"id": "0", "language": "de", "context": "It's Rome.", "question": "Where?"}
    pair = {"sentence1": "A man.", "sentence2": "A person.", "label": 0}
    expected = dict.fromkeys(PAIRED, pair) | expected
    choice = {"id": "0", "prompt": "It rains.", "choices": ["Wet.", "Dry."], "label": 0}
    expected |= dict.fromkeys(CHOICES, choice)
    expected |= dict.fromkeys(ANSWERS, {**asked, "texts": ["Rome"], "starts": [5]})
    assert rows.to_list() == [expected[name]]


PAIRS = [["A", "B", "0"], ["C", "D", "1"]]
WORDS = [["a", "DET"], ["dog", "NOUN"], [], ["runs", "VERB"]]


def lines(rows, end="\n", last="\n"):
    return end.join("\t".join(row) for row in rows) + last


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (lines(PAIRS), PAIRS),
        (lines(PAIRS, last=""), PAIRS),
        (lines(PAIRS, last="\n\n\n"), PAIRS),
        (lines(PAIRS, end="\r\n", last="\r\n"), PAIRS),
        ("\ufeff" + lines(PAIRS), PAIRS),
        (lines([['"A', 'B" "', "0"], ["C", '"', "1"]]), [['"A', 'B" "', "0"], ["C", '"', "1"]]),
        (lines([["A\u2028A\x85", "\x1dB", "0"]]), [["A\u2028A\x85", "\x1dB", "0"]]),
        (lines([[" A", "", "0 "]]), [[" A", "", "0"]]),
    ],
    ids=["plain", "no last newline", "blank lines at the end", "crlf", "bom", "quotes", "odd separators", "spaces"],
)
def test_pair_files_are_split_at_tabs_and_newlines_only(tmp_path, text, rows):
    task = get_task("pawsx")
    loaded = folder(tmp_path, {"pawsx/test-en.tsv": text}).load(task, "test", "en")
    assert [[r["sentence1"], r["sentence2"], task.labels[r["label"]]] for r in loaded.to_list()] == rows


@pytest.mark.parametrize(
    "text",
    [
        lines(WORDS, last="\n\n"),
        lines(WORDS),
        lines(WORDS, last=""),
        lines(WORDS, end="\r\n", last="\r\n\r\n"),
        "\ufeff\n" + lines(WORDS[:2], last="\n\n\n \n") + lines(WORDS[3:], last="\n\n\n"),
    ],
    ids=["plain", "no last blank line", "no last newline", "crlf", "bom and more blank lines"],
)
def test_blank_lines_end_sentences(tmp_path, text):
    task = get_task("udpos")
    loaded = folder(tmp_path, {"udpos/test-en.tsv": text}).load(task, "test", "en")
    assert loaded["tokens"][:] == [["a", "dog"], ["runs"]]
    assert [[task.labels[tag] for tag in tags] for tags in loaded["tags"]] == [["DET", "NOUN"], ["VERB"]]


def test_tokens_may_be_white_space_of_another_kind(tmp_path):
    loaded = folder(tmp_path, {"udpos/test-ja.tsv": "\u3000\tPUNCT\n\u200b\tX\n"}).load(TASKS["udpos"], "test", "ja")
    assert loaded[0]["tokens"] == ["\u3000", "\u200b"]


@pytest.mark.parametrize("labels", [("contradiction", "contradictory")])
def test_xnlis_other_spelling_is_understood(tmp_path, labels):
    text = "".join(f"A\tB\t{label}\n" for label in labels)
    loaded = folder(tmp_path, {"xnli/train-en.tsv": text}).load(TASKS["xnli"], "train", "en")
    assert loaded["label"][:] == [2, 2]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("de:Rom\tB-LOC\nde:ist\tO\n", ["Rom", "ist"]),
        ("de:Rom\tB-LOC\nist\tO\n", ["de:Rom", "ist"]),
        ("en:Rom\tB-LOC\n", ["en:Rom"]),
        ("de:\tO\nde::\tO\n", ["de:", ":"]),
    ],
    ids=["every token", "one token", "another language", "nothing behind it"],
)
def test_language_prefixes_go_when_every_token_has_one(tmp_path, text, tokens):
    loaded = folder(tmp_path, {"panx/test-de.tsv": text}).load(TASKS["panx"], "test", "de")
    assert loaded[0]["tokens"] == tokens


PAIR = "expected sentence1<tab>sentence2<tab>label, found"
TOKEN = "expected token<tab>tag, found"


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("xnli", "A\tB\tneutral\nA\tB\n", 2, f"{PAIR} no label; XTREME's public test files leave them out"),
        ("xnli", "A\tB\t\n", 1, f"{PAIR} no label"),
        (
            "xnli",
            "A\tB\tmaybe\n",
            1,
            f"{PAIR} the label 'maybe', which is not one of entailment, neutral, contradiction",
        ),
        ("xnli", "A\tB\tC\tneutral\n", 1, f"{PAIR} 4 fields: 'A\\tB\\tC\\tneutral'"),
        ("xnli", "A B neutral\n", 1, f"{PAIR} 1 fields"),
        ("pawsx", "A\tB\t1\n\nA\tB\t0\n", 2, f"{PAIR} a blank line"),
        ("pawsx", "A\tB\t2\n", 1, f"{PAIR} the label '2', which is not one of 0, 1"),
        ("panx", "Rome\tB-LOC\n\nis\n", 3, f"{TOKEN} no tag; XTREME's public test files leave them out"),
        ("panx", "Rome\tLOC\n", 1, f"{TOKEN} the tag 'LOC', which is not one of O, B-PER"),
        ("udpos", "Rome PROPN\n", 1, f"{TOKEN} no tab: fields are separated by tabs"),
        ("udpos", "Rome\n", 1, f"{TOKEN} no tag"),
        ("udpos", "1\tRome\tPROPN\n", 1, f"{TOKEN} 3 fields"),
        ("udpos", "a\tDET\n\tNOUN\n", 2, f"{TOKEN} an empty token"),
        ("udpos", "del\t_\n", 1, f"{TOKEN} the tag '_', which is not one of ADJ"),
        ("udpos", b"a\tDET\nK\xf6ln\tPROPN\n", 2, "byte 0xf6 is not UTF-8"),
    ],
)
def test_a_malformed_line_is_named_with_what_was_expected(tmp_path, name, text, line, message):
    source = folder(tmp_path, {f"{name}/test-en.tsv": text})
    with pytest.raises(InputError) as error:
        source.load(TASKS[name], "test", "en")
    assert str(error.value).startswith(f"{tmp_path / name / 'test-en.tsv'}:{line}: {message}")
    assert "\n" not in str(error.value)


def test_a_training_file_without_a_label_hears_nothing_of_test_files(tmp_path):
    source = folder(tmp_path, {"xnli/train-en.tsv": "A\tB\tneutral\nA\tB\n"})
    with pytest.raises(InputError) as error:
        source.load(TASKS["xnli"], "train", "en")
    assert str(error.value) == f"{tmp_path / 'xnli' / 'train-en.tsv'}:2: {PAIR} no label: 'A\\tB'"


def test_long_lines_are_shown_in_part(tmp_path):
    source = folder(tmp_path, {"xnli/test-en.tsv": "x" * 5000})
    with pytest.raises(InputError) as error:
        source.load(TASKS["xnli"], "test", "en")
    assert len(str(error.value)) < len(str(tmp_path)) + 250


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_an_error(tmp_path, name, text):
    source = folder(tmp_path, {file_name(name, "test", "en"): text})
    expected = "test-en.json cannot be read: Expecting value" if name in ANSWERS else "no data"
    with pytest.raises(InputError, match=expected) as error:
        source.load(TASKS[name], "test", "en")
    assert str(error.value).startswith(str(tmp_path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("name", ANSWERS)
def test_a_file_without_a_question_is_an_error(tmp_path, name):
    source = folder(tmp_path, {file_name(name, "test", "en"): '{"data": [{"paragraphs": []}]}'})
    with pytest.raises(InputError, match=r"test-en\.json: no data$"):
        source.load(TASKS[name], "test", "en")


@pytest.mark.parametrize("name", [name for name in ANSWERS if TASKS[name].layout])
def test_xtremes_own_paths_are_read(tmp_path, name):
    task = TASKS[name]
    files = {task.layout[split].format(code="en"): content(name, rows) for rows, split in enumerate(SPLITS, start=1)}
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    source = FolderSource(tmp_path)
    alike = {"validation"} if task.layout["validation"] == task.layout["test"] else set()  # which are one file
    for rows, split in enumerate(SPLITS, start=1):
        assert source.languages(task, split) == ["en"]
        assert len(source.load(task, split, "en")) == (3 if split in alike else rows)


def test_both_versions_of_squad_lie_side_by_side(tmp_path):
    files = {
        f"squad/{split}-v{version}.json": content("squad", 3)
        for split in ("train", "dev")
        for version in ("1.1", "2.0")
    }
    source = folder(tmp_path, files)
    for name, version in (("squad", "1.1"), ("squad2", "2.0"), ("xquad", "1.1")):
        assert source.languages(TASKS[name], "train") == ["en"], name
        assert source._path(TASKS[name], "train", "en").name == f"train-v{version}.json"


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize(("rows", "refused"), [(PLACEHOLDER_ROWS, True), (PLACEHOLDER_ROWS - 1, False)])
def test_one_label_for_all_rows_is_taken_for_a_placeholder(tmp_path, name, rows, refused):
    source = folder(tmp_path, {file_name(name, "test", "en"): content(name, rows)})
    if refused and (len(TASKS[name].labels) > 1 or TASKS[name].kind.name == "choices"):
        with pytest.raises(InputError, match="placeholder for hidden labels; labelled data are needed"):
            source.load(TASKS[name], "test", "en")
    else:
        assert len(source.load(TASKS[name], "test", "en")) == rows


def test_languages_are_those_whose_files_are_there_in_the_tasks_order(tmp_path):
    names = ["test-zh", "test-xx", "test-aa", "test-en", "test-ar", "dev-de", "train-en"]
    source = folder(tmp_path, {f"xnli/{name}.tsv": GOOD_LINE["xnli"] for name in names} | {"xnli/test-fr.txt": "x"})
    task = TASKS["xnli"]
    assert source.languages(task, "test") == ["en", "ar", "zh", "aa", "xx"]
    assert source.languages(task, "validation") == ["de"]
    assert source.languages(task, "train") == ["en"]
    assert source.description == str(tmp_path)


@pytest.mark.parametrize("code", ["<img src=x>|x", "de copy", "de.orig", "", "-de", "d\ne", "x" * 40, "dé"])
def test_a_file_of_no_language_is_refused(tmp_path, code):
    source = folder(tmp_path, {"udpos/train-en.tsv": "a\tDET\n", "udpos/test-en.tsv": "a\tDET\n"})
    (tmp_path / "udpos" / f"test-{code}.tsv").write_text("a\tDET\n")
    assert source.languages(TASKS["udpos"], "train") == ["en"]
    with pytest.raises(InputError, match="is no code of a language: expected letters, digits, - and _") as error:
        source.load(TASKS["udpos"], "test", "en")
    assert "udpos/test-" in str(error.value).replace(chr(92), "/")


@pytest.mark.parametrize("code", ["zh-Hant", "en_gum", "sr-Latn-RS", "x1"])
def test_codes_of_languages(tmp_path, code):
    source = folder(tmp_path, {f"udpos/test-{code}.tsv": "a\tDET\n"})
    assert source.languages(TASKS["udpos"], "test") == [code]


def test_a_language_without_data_is_refused_with_those_that_have(tmp_path):
    source = folder(tmp_path, {"xnli/test-de.tsv": GOOD_LINE["xnli"], "xnli/test-zh.tsv": GOOD_LINE["xnli"]})
    with pytest.raises(
        InputError, match="^xnli has no test data for 'sw' in .*: there is de, zh; expected xnli/test-sw.tsv$"
    ):
        source.load(TASKS["xnli"], "test", "sw")
    with pytest.raises(
        InputError, match="^xnli has no train data for 'en' in .*: there is none; expected xnli/train-en.tsv$"
    ):
        source.load(TASKS["xnli"], "train", "en")


def test_questions_without_squad_are_told_its_file(tmp_path):
    source = folder(tmp_path, {"xquad/xquad.de.json": "{}"})
    with pytest.raises(InputError, match="^xquad has no train data for 'en' .*; expected squad/train-v1.1.json$"):
        source.load(TASKS["xquad"], "train", "en")


def test_a_task_without_a_folder_is_refused_with_what_is_there(tmp_path):
    source = folder(tmp_path, {"xnli/test-de.tsv": GOOD_LINE["xnli"]})
    with pytest.raises(InputError, match=r"has no folder 'udpos': expected .*/udpos/test-en\.tsv; found xnli$"):
        source.languages(TASKS["udpos"], "test")


def test_unknown_splits_are_refused(tmp_path):
    for source in (FolderSource(tmp_path), HubSource(), SampleSource()):
        with pytest.raises(InputError, match="unknown split 'dev'"):
            source.languages(TASKS["xnli"], "dev")


def test_the_name_of_the_data_chooses_the_source(tmp_path):
    assert isinstance(open_source("hub"), HubSource)
    assert isinstance(open_source("sample"), SampleSource)
    assert isinstance(open_source(str(tmp_path)), FolderSource)
    with pytest.raises(InputError, match="^no data folder '/no/such': expected 'hub', 'sample' or a folder"):
        open_source("/no/such")


# ---------------------------------------------------------------- trees

SENTENCE = {
    "tokens": ["the", "dogs", "run", "home"],
    "upos": ["DET", "NOUN", "VERB", "ADV"],
    "heads": [2, 3, 0, 3],
    "relations": ["det", "nsubj", "root", "advmod"],
}
OF_SENTENCE = {
    "uddep-upos": ["DET", "NOUN", "VERB", "ADV"],
    "uddep-direction": ["right", "right", "root", "left"],
    "uddep-depth": ["2", "1", "0", "1"],
    "uddep-distance": ["right 1", "right 1", "root", "left 1"],
    "uddep-arcs": ["dep"] * 4,
    "uddep": ["det", "nsubj", "root", "advmod"],
}


def assert_rung(loaded, name):
    """The rows are SENTENCE, and again, as the task of that name."""
    task = TASKS[name]
    assert loaded.features == task_features(task)
    assert loaded["tokens"][:] == [SENTENCE["tokens"]] * 2
    if task.kind.name == "masked":
        assert loaded["masked"][0] == loaded["masked"][1] and len(loaded["masked"][0]) == 1
        return
    labels = loaded["tags" if task.kind.name == "tags" else "relations"]
    assert [[task.labels[label] for label in row] for row in labels] == [OF_SENTENCE[name]] * 2
    if task.kind.name == "trees":
        assert loaded["heads"][:] == [SENTENCE["heads"]] * 2


def conllu(sentence=SENTENCE, subtype=":x"):
    words = enumerate(zip(*sentence.values(), strict=True), start=1)
    return "".join(f"{i}\t{t}\t_\t{u}\t_\t_\t{h}\t{r}{subtype}\t_\t_\n" for i, (t, u, h, r) in words) + "\n"


@pytest.mark.parametrize("name", LADDER)
@pytest.mark.parametrize(
    "text",
    [
        conllu() * 2,
        ("\ufeff# a comment\n" + conllu() * 2).replace("\n", "\r\n"),
        (conllu() + "# text\n" + conllu(subtype="")).rstrip("\n"),
    ],
    ids=["plain", "bom, comment, crlf", "no last newline"],
)
def test_every_rung_is_made_from_the_trees_of_a_folder(tmp_path, name, text):
    source = folder(tmp_path, {"uddep/test-en.conllu": text, "uddep/dev-de.conllu": text, "uddep/test-fr.tsv": text})
    assert source.languages(TASKS[name], "test") == ["en"]
    assert source.languages(TASKS[name], "validation") == ["de"]
    assert_rung(source.load(TASKS[name], "test", "en"), name)


def test_a_folder_without_trees_is_refused_with_what_is_there(tmp_path):
    source = folder(tmp_path, {"xnli/test-de.tsv": GOOD_LINE["xnli"]})
    with pytest.raises(InputError, match=r"has no folder 'uddep': expected .*/uddep/test-en\.conllu; found xnli$"):
        source.languages(TASKS["uddep-depth"], "test")


def test_trees_that_are_not_utf8_are_named_by_line(tmp_path):
    source = folder(tmp_path, {"uddep/test-en.conllu": conllu().encode() + b"1\tK\xf6ln\n"})
    with pytest.raises(InputError, match=r"test-en\.conllu:6: byte 0xf6 is not UTF-8$"):
        source.load(TASKS["uddep"], "test", "en")


@pytest.mark.parametrize("name", LADDER)
def test_every_rung_is_made_from_the_trees_of_the_sample(monkeypatch, name):
    from modeling_dlfa.data import sample

    asked = []
    monkeypatch.setattr(sample, "rows", lambda *given: asked.append(given) or [SENTENCE] * 2)
    assert_rung(SampleSource().load(TASKS[name], "test", "de"), name)
    assert asked == [("uddep", "test", "de")]


def hub_trees(upos_type, head_type=str, **changes):
    """SENTENCE twice as the Hub has it: subtypes, heads as strings, a multiword range and an empty node."""
    upos_names = ["NOUN", "DET", "_", "VERB", "ADV"]
    row = {
        "text": "the dogs run home",
        "tokens": ["the", "dogsrun", "dogs", "run", "does", "home"],
        "upos": ["DET", "_", "NOUN", "VERB", "_", "ADV"],
        "head": ["2", "None", "3", "0", "None", "3"],
        "deprel": ["det", "_", "nsubj:pass", "root", "None", "advmod"],
    } | changes
    if upos_type is ClassLabel:
        upos_type = ClassLabel(names=upos_names)
        row["upos"] = [upos_names.index(tag) for tag in row["upos"]]
    else:
        upos_type = Value("string")
        row["upos"] = [None if tag == "_" else tag for tag in row["upos"]]
    if head_type is int:
        row["head"] = [int(head) if head.isdecimal() else None for head in row["head"]]
    columns = {name: List(Value("string")) for name in ("tokens", "deprel")}
    columns |= {"text": Value("string"), "upos": List(upos_type)}
    columns["head"] = List(Value("int64" if head_type is int else "string"))
    nothing = {name: [] if isinstance(value, list) else value for name, value in row.items()}
    return Dataset.from_list([row, nothing, row], features=Features(columns))


@pytest.mark.parametrize("upos_type", [ClassLabel, str])
@pytest.mark.parametrize("head_type", [int, str])
@pytest.mark.parametrize("name", LADDER)
def test_every_rung_is_made_from_the_trees_of_the_hub(tmp_path, monkeypatch, name, upos_type, head_type):
    """A local folder stands in for the repository: Parquet files in a folder for each treebank."""
    for treebank, trees in (("de_gsd", hub_trees(upos_type, head_type)), ("en_ewt", hub_trees(str).select([0]))):
        trees.to_parquet(tmp_path / "repository" / treebank / "test" / "0000.parquet")
    task = TASKS[name]
    local = replace(task, hub=replace(hub_of(task), path=str(tmp_path / "repository"), revision=None))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    assert_rung(HubSource().load(local, "test", "de"), name)


def test_the_hubs_converted_branch_is_read_by_folder(hub):
    calls = hub(hub_trees(str))
    HubSource().load(TASKS["uddep"], "test", "de")
    name = "universal-dependencies/universal_dependencies"
    assert calls == [(name, None, "test", "refs/convert/parquet", "de_gsd")]
    assert "ar" not in HubSource().languages(TASKS["uddep"], "train")
    assert "ar" in HubSource().languages(TASKS["uddep"], "test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": ["2", "None", "3", "3", "None", "3"]}, "sentence 1: no root: expected one word with head 0"),
        (
            {"head": ["2", "None", "1", "0", "None", "3"]},
            "sentence 1: a cycle of heads, words 1 'the' -> 2 'dogs' -> 1",
        ),
        ({"head": ["2", "None", "3", "0", "None", "x"]}, "sentence 1: a head is not a number: .*'x'"),
        ({"head": ["2"]}, "sentence 1: expected as many of each, found 6 tokens, 6 upos, 1 heads, 6 relations"),
        (
            {"upos": ["DET", "_", "N", "VERB", "_", "ADV"]},
            "sentence 1: unknown part of speech 'N'; expected one of ADJ",
        ),
        ({"deprel": ["det", "_", "sbj", "root", "_", "x"]}, "sentence 1: unknown relation 'sbj'; expected one of acl"),
    ],
)
def test_trees_of_the_hub_that_are_none_are_refused(hub, changes, message):
    hub(hub_trees(str, **changes))
    with pytest.raises(InputError, match=f"^{hub_of(TASKS['uddep']).path}, de_gsd, test: {message}") as caught:
        HubSource().load(TASKS["uddep-upos"], "test", "de")
    assert "\n" not in str(caught.value)


def test_trees_without_a_column_are_refused(hub):
    hub(hub_trees(str).remove_columns("deprel"))
    with pytest.raises(InputError, match="de_gsd, test: no column 'deprel'; found text, tokens, upos, head$"):
        HubSource().load(TASKS["uddep"], "test", "de")


# ---------------------------------------------------------------- the real files


def manifest(xtreme_data):
    with (xtreme_data.parent / "MANIFEST.tsv").open(encoding="utf-8") as file:
        return {row["file"]: int(row["items"]) for row in csv.DictReader(file, delimiter="\t")}


@pytest.mark.parametrize("name", rest_is_slow(TRAINED))
def test_every_real_file_loads_with_the_rows_of_the_manifest(xtreme_data, name):
    source, task, items = FolderSource(xtreme_data), TASKS[name], manifest(xtreme_data)
    if not (xtreme_data / task.folder).is_dir():
        pytest.skip(f"the data have no {name}")
    loaded = set()
    for split in SPLITS:
        for language in source.languages(task, split):
            file = task.layout.get(split, "").format(code=language) or file_name(name, split, language)
            assert len(source.load(task, split, language)) == items[file], file
            loaded.add(file)
    assert loaded == {f"{task.folder}/{path.name}" for path in (xtreme_data / task.folder).iterdir()}
    assert name in ANSWERS or file_name(name, "train", "en") in loaded


# ---------------------------------------------------------------- hub


def tagged(names, column, prefix=""):
    """One sentence with every tag of `names`, as a `ClassLabel` column in the order of `names`."""
    features = Features({"tokens": List(Value("string")), column: List(ClassLabel(names=list(names)))})
    row = {"tokens": [f"{prefix}w{i}" for i in range(len(names))], column: list(range(len(names)))}
    return Dataset.from_list([row], features=features)


def pair_rows(label_feature, labels, first="sentence1", second="sentence2"):
    features = Features({first: Value("string"), second: Value("string"), "label": label_feature})
    count = len(labels)
    return Dataset.from_dict({first: ["A"] * count, second: [None] * count, "label": labels}, features=features)


XNLI_HUB = ClassLabel(names=["entailment", "neutral", "contradiction"])
XNLI_OTHER = ClassLabel(names=["contradiction", "entailment", "neutral"])
PANX_HUB = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
PANX_OTHER = ["B-LOC", "B-ORG", "B-PER", "I-LOC", "I-ORG", "I-PER", "O"]
UPOS_OTHER = [*reversed(TASKS["udpos"].labels)]

HUB = {
    "xnli ClassLabel": ("xnli", pair_rows(XNLI_HUB, [0, 1, 2], "premise", "hypothesis"), XNLI_HUB.names),
    "xnli ClassLabel, other order": (
        "xnli",
        pair_rows(XNLI_OTHER, [0, 1, 2], "premise", "hypothesis"),
        XNLI_OTHER.names,
    ),
    "xnli strings": (
        "xnli",
        pair_rows(Value("string"), ["neutral", "contradictory"], "premise", "hypothesis"),
        ["neutral", "contradiction"],
    ),
    "pawsx ClassLabel": ("pawsx", pair_rows(ClassLabel(names=["0", "1"]), [1, 0]), ["1", "0"]),
    "pawsx ClassLabel, other order": ("pawsx", pair_rows(ClassLabel(names=["1", "0"]), [1, 0]), ["0", "1"]),
    "pawsx strings": ("pawsx", pair_rows(Value("string"), ["0", "1"]), ["0", "1"]),
    "pawsx integers": ("pawsx", pair_rows(Value("int64"), [0, 1]), ["0", "1"]),
    "panx ClassLabel": ("panx", tagged(PANX_HUB, "ner_tags"), PANX_HUB),
    "panx ClassLabel, other order, prefixes": ("panx", tagged(PANX_OTHER, "ner_tags", prefix="de:"), PANX_OTHER),
    "panx strings": (
        "panx",
        Dataset.from_list([{"tokens": ["w0", "w1"], "ner_tags": ["B-LOC", "O"], "langs": ["de", "de"]}]),
        ["B-LOC", "O"],
    ),
    "udpos ClassLabel": ("udpos", tagged(TASKS["udpos"].labels, "pos_tags"), list(TASKS["udpos"].labels)),
    "udpos ClassLabel, other order": ("udpos", tagged(UPOS_OTHER, "pos_tags"), UPOS_OTHER),
}


@pytest.fixture
def hub(monkeypatch):
    """A Hub that answers every `load_dataset` with the given data set, and the calls it got."""
    calls = []

    def serve(answer):
        def load_dataset(path, name, *, data_dir, split, revision):
            calls.append((path, name, split, revision, data_dir))
            if isinstance(answer, Exception):
                raise answer
            return answer

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return calls

    return serve


@pytest.mark.parametrize("case", HUB)
def test_hub_labels_are_matched_by_name(hub, case):
    name, raw, names = HUB[case]
    task = TASKS[name]
    calls = hub(raw)
    loaded = HubSource().load(task, "test", "de")
    assert calls == [(hub_of(task).path, hub_of(task).config_name("de"), "test", hub_of(task).revision, None)]
    assert loaded.features == task_features(task)
    if task.kind.name == "pairs":
        assert [task.labels[label] for label in loaded["label"]] == names
        assert set(loaded["sentence1"]) == {"A"} and set(loaded["sentence2"]) == {""}
    else:
        assert [task.labels[tag] for tag in loaded[0]["tags"]] == names
        assert loaded[0]["tokens"] == [f"w{i}" for i in range(len(names))]


def test_hub_sentences_without_tokens_are_dropped(hub):
    features = Features({"tokens": List(Value("string")), "pos_tags": List(Value("string"))})
    rows = [{"tokens": tokens, "pos_tags": tags} for tokens, tags in [([], []), (["a"], ["DET"]), ([], [])]]
    hub(Dataset.from_list(rows, features=features))
    assert HubSource().load(TASKS["udpos"], "test", "de")["tokens"][:] == [["a"]]


@pytest.mark.parametrize(
    ("name", "raw", "message"),
    [
        (
            "xnli",
            pair_rows(ClassLabel(names=["yes", "no"]), [0, 1], "premise", "hypothesis"),
            "unknown label 'no'; seen no, yes; expected entailment, neutral, contradiction",
        ),
        ("pawsx", pair_rows(Value("int64"), [0, 2]), "unknown label '2'; seen 0, 2; expected 0, 1"),
        ("pawsx", pair_rows(ClassLabel(names=["0", "1"]), [0, -1]), "rows without a label; expected one of 0, 1"),
        ("pawsx", pair_rows(Value("string"), ["0", None]), "rows without a label; expected one of 0, 1"),
        ("pawsx", pair_rows(Value("string"), []), "no data"),
        ("panx", tagged(PANX_HUB, "tags"), "no column 'ner_tags'; found tokens, tags"),
        ("xnli", pair_rows(XNLI_HUB, [0]), "no column 'premise'; found sentence1, sentence2, label"),
        (
            "udpos",
            Dataset.from_list([{"tokens": ["a", "b"], "pos_tags": ["DET"]}]),
            "2 tokens have 1 tags: 'a b'",
        ),
    ],
)
def test_hub_data_that_do_not_fit_are_refused(hub, name, raw, message):
    hub(raw)
    task = TASKS[name]
    with pytest.raises(InputError) as error:
        HubSource().load(task, "test", "de")
    assert str(error.value) == f"{hub_of(task).path}, {hub_of(task).config_name('de')}, test: {message}"


@pytest.mark.parametrize("failure", [ConnectionError("no\nroute"), DatasetNotFoundError("gone"), ValueError("split")])
def test_a_hub_that_does_not_answer_is_one_line(hub, failure):
    hub(failure)
    with pytest.raises(InputError) as error:
        HubSource().load(TASKS["xnli"], "test", "de")
    message = str(error.value)
    assert message.startswith(f"cannot load facebook/xnli, de, test from the Hub ({type(failure).__name__}: ")
    assert message.endswith("check the network, or give a folder or 'sample' as data")
    assert "\n" not in message


def test_the_hub_is_asked_once_for_what_is_hashed_and_read(hub):
    rows = {"premise": ["a"] * 3, "hypothesis": ["b"] * 3, "label": [0, 1, 2]}
    names = ClassLabel(names=["entailment", "neutral", "contradiction"])
    features = Features({"premise": Value("string"), "hypothesis": Value("string"), "label": names})
    calls, source = hub(Dataset.from_dict(rows, features)), HubSource()
    found = [source.fingerprint(TASKS["xnli"], "test", "de") for _ in range(2)]
    assert len(source.load(TASKS["xnli"], "test", "de")) == 3 and len(calls) == 1 and found[0] == found[1]
    source.load(TASKS["xnli"], "test", "fr")
    assert len(calls) == 2


def test_hub_languages_leave_out_those_without_the_split():
    task, source = TASKS["udpos"], HubSource()
    assert source.languages(task, "test") == list(task.languages)
    assert set(task.languages) - set(source.languages(task, "validation")) == {"kk", "th", "tl", "yo"}
    assert set(task.languages) - set(source.languages(task, "train")) == {"th", "tl", "yo"}
    with pytest.raises(InputError, match="udpos has no train data for 'yo' in google/xtreme: there is en, af,"):
        source.load(task, "train", "yo")


# ---------------------------------------------------------------- sample


@pytest.mark.parametrize("name", [name for name in TRAINED if TASKS[name].folder in SIZES])
def test_the_sample_comes_in_the_common_shape(name):
    from modeling_dlfa.data import sample

    task, source = TASKS[name], SampleSource()
    assert source.languages(task, "train") == source.languages(task, "validation") == ["en"]
    languages = source.languages(task, "test")
    assert languages[0] == "en" and sorted(languages) == sorted(sample.LANGUAGES)
    for split, language in [("train", "en"), ("validation", "en"), ("test", languages[-1])]:
        loaded = source.load(task, split, language)
        assert loaded.features == task_features(task)
        assert len(loaded) == len(sample.rows(task.folder, split, language))
    with pytest.raises(InputError, match=f"{name} has no test data for 'xx' in the sample: there is en"):
        source.load(task, "test", "xx")
