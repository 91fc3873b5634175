# ruff: noqa: E501
"""Labels for new texts, from finished runs of every kind."""

import csv
import io
import json
import math
import random
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from modeling_dlfa.errors import InputError
from modeling_dlfa.predict import DESCRIPTION, Predictor, main, predict
from modeling_dlfa.publishing import read_checkpoint
from modeling_dlfa.tasks.predictions import prediction_file, read_predictions
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.words import words_of
from modeling_dlfa.training.score import main as score
from tests.of_kinds import label_names
from tests.test_fuzz import HARMLESS, MANGLINGS, original


SUFFIXES = {
    "xnli": ".tsv",
    "panx": ".tsv",
    "udpos": ".tsv",
    "uddep": ".conllu",
    "uddep-upos": ".conllu",
    "xquad": ".json",
}


@pytest.mark.crossed("batch_tokens", "task")
@pytest.mark.parametrize("batch_tokens", [1, 64, 4096])
@pytest.mark.parametrize("task", SUFFIXES)
def test_answers_are_the_predictions_of_the_run(run_of, xtreme_folder: Path, task: str, batch_tokens: int):
    """Of the labelled test file, whose labels are not looked at, whatever the batches."""
    one, run = get_task(task), run_of(task)
    file = xtreme_folder / one.folder / f"test-de{SUFFIXES[task]}"
    opened = Predictor(run, batch_tokens=batch_tokens)
    answers = opened.answers(*opened.read(file))
    expected = read_predictions(prediction_file(run / "predictions", one, "de"), one)
    if one.kind.name == "pairs":
        assert [answer["label"] for answer in answers] == expected
        probabilities = [answer["probability"] for answer in answers]
    elif one.kind.name == "tags":
        assert [answer["tags"] for answer in answers] == expected
        probabilities = [p for answer in answers for p in answer["probabilities"]]
    elif one.kind.name == "answers":
        assert [answer["answer"] for answer in answers] == expected
        probabilities = [answer["probability"] for answer in answers]
    else:
        assert [list(zip(answer["heads"], answer["relations"])) for answer in answers] == expected
        probabilities = [p for answer in answers for p in answer["probabilities"] if p is not None]
    assert label_names(one, expected) == expected
    assert all(0 < p <= 1 for p in probabilities) and len(set(probabilities)) > 1


@pytest.mark.parametrize("form", ["tsv", "csv", "jsonl"])
def test_pairs_from_standard_input(run_of, monkeypatch: pytest.MonkeyPatch, capsys, form: str):
    monkeypatch.setattr("sys.stdin", io.StringIO('a b\tyes c\n\na, "b"\tno c\n'))
    assert main([str(run_of("xnli")), "-", "--format", form]) == 0
    out = capsys.readouterr().out
    if form == "jsonl":
        rows = [json.loads(line) for line in out.splitlines()]
    elif form == "csv":
        rows = list(csv.DictReader(io.StringIO(out)))
    else:
        names, *lines = (line.split("\t") for line in out.splitlines())
        rows = [dict(zip(names, fields, strict=True)) for fields in lines]
    assert [(row["sentence1"], row["sentence2"]) for row in rows] == [("a b", "yes c"), ('a, "b"', "no c")]
    assert all(row["label"] in get_task("xnli").labels and 0 < float(row["probability"]) <= 1 for row in rows)


def test_a_question_has_answers_with_their_places_in_a_text_of_any_length(run_of, tmp_path: Path, capsys):
    contexts = ["b c p d e", " ".join(["b", "c", "d", "e"] * 60) + " v " + " ".join(["h"] * 80)]
    answers = predict(run_of("xquad"), [("well", context) for context in contexts])
    for context, answer, right in zip(contexts, answers, ("p", "v"), strict=True):
        assert answer["question"] == "well" and answer["answer"] == right
        for one in (answer, *answer["others"]):
            assert context[one["start"] : one["end"]] == one["answer"] != ""
        probabilities = [one["probability"] for one in (answer, *answer["others"])]
        assert probabilities == sorted(probabilities, reverse=True) and 0 < sum(probabilities) <= 1.001
    rows = [{"id": f"q{n}", "question": "well", "context": context} for n, context in enumerate(contexts)]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert main([str(run_of("xquad")), str(tmp_path / "new.jsonl")]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["id"] for line in lines] == ["q0", "q1"]
    assert [(line["answer"], line["start"]) for line in lines] == [(one["answer"], one["start"]) for one in answers]


def test_what_is_said_of_a_question_does_not_depend_on_its_batch(run_of, monkeypatch: pytest.MonkeyPatch):
    """Padding is no candidate: it would take the places and the shares of others."""
    monkeypatch.setattr("modeling_dlfa.tasks.spans.CANDIDATES", 4)
    asked = [("well", context) for context in ("b", "b c", "c d e", "b c d e h p b c d")]
    found = []
    for batch_tokens in (1, 4096):
        opened = Predictor(run_of("xquad"), batch_tokens=batch_tokens)
        found.append(opened.answers(*opened.task.kind.from_texts(opened.task, asked, opened.tokenizer)))
    for alone, beside in zip(*found, strict=True):
        for one, other in zip([alone, *alone["others"]], [beside, *beside["others"]], strict=True):
            assert (one["start"], one["end"]) == (other["start"], other["end"])
            assert one["probability"] == pytest.approx(other["probability"], abs=2e-3)


def test_words_of_a_text_have_their_places(run_of, tmp_path: Path):
    text = "p1 o2, l3  g4."
    (answer,) = predict(run_of("panx"), [text])
    assert answer["tokens"] == ["p1", "o2", ",", "l3", "g4", "."]
    assert [text[start:end] for start, end in answer["spans"]] == answer["tokens"]
    assert len(answer["tags"]) == len(answer["probabilities"]) == 6
    (same,) = predict(run_of("panx"), [answer["tokens"]])
    assert same["tags"] == answer["tags"] and "spans" not in same
    output = tmp_path / "out" / "labelled.jsonl"
    (tmp_path / "texts.txt").write_text(text + "\n\n", encoding="utf-8")
    assert main([str(run_of("panx")), str(tmp_path / "texts.txt"), "--output", str(output)]) == 0
    (line,) = output.read_text(encoding="utf-8").splitlines()
    values = json.loads(line)
    for entity in values["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"] and entity["label"] in ("PER", "ORG", "LOC")
    assert not list(output.parent.glob("*.tmp"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Maria trinkt Kaffee.", ["Maria", "trinkt", "Kaffee", "."]),
        ("मैं घर जा रहा हूँ।", ["मैं", "घर", "जा", "रहा", "हूँ", "।"]),
    ],
)
def test_words_are_parted_at_spaces_and_punctuation(xlmr_tokenizer_for_words, text: str, words: list[str]):
    assert [text[start:end] for start, end in words_of(text, xlmr_tokenizer_for_words)] == words


@pytest.fixture
def xlmr_tokenizer_for_words():
    from tests.tiny_tokenizers import unigram

    return unigram()


@pytest.mark.parametrize("name", ["wordpiece", "unigram", "byte_level"])
@pytest.mark.parametrize(
    "text", ["昨日ルイージでピザを食べました。", "ฉันกินข้าว", "Sony は 東京 の会社です", "𠮷野家で"]
)
def test_a_script_without_spaces_is_parted_into_characters_places(name: str, text: str):
    """Nothing is lost, nothing overlaps, whatever the vocabulary knows."""
    from tests.tiny_tokenizers import TOKENIZERS

    places = words_of(text, TOKENIZERS[name]())
    assert "".join(text[start:end] for start, end in places) == text.replace(" ", "")
    assert all(first[1] <= second[0] for first, second in zip(places, places[1:])) and all(s < e for s, e in places)


def test_a_japanese_line_has_an_answer(run_of):
    text = "昨日ルイージでピザを食べました。"
    (answer,) = predict(run_of("panx"), [text])
    assert "".join(answer["tokens"]) == text and len(answer["tags"]) == len(answer["tokens"])


def test_trees_come_as_conllu(run_of, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("n1 v2 d3\nn4\n"))
    assert main([str(run_of("uddep")), "-"]) == 0
    blocks = capsys.readouterr().out.strip().split("\n\n")
    rows = [[line.split("\t") for line in block.splitlines()] for block in blocks]
    assert [[row[1] for row in block] for block in rows] == [["n1", "v2", "d3"], ["n4"]]
    assert all(sum(row[6] == "0" for row in block) == 1 for block in rows)


def test_a_long_sentence_of_a_parser_has_words_without_probability(run_of):
    (answer,) = predict(run_of("uddep"), [["a1"] * 30])
    assert len(answer["heads"]) == 30 and None in answer["probabilities"] and not math.isnan(answer["heads"][0])


def test_own_columns_are_read_as_in_training(run_of, tmp_path: Path):
    rows = "".join(f"{i},{label} a b,{label}\n" for i in range(12) for label in ("yes", "no"))
    for name in ("train.csv", "dev.csv", "test-de.csv"):
        (tmp_path / name).write_text("id,text,verdict\n" + rows, encoding="utf-8")
    task = {
        "kind": "pairs",
        "labels": "from the training file",
        "files": {"train": "train.csv", "validation": "dev.csv", "test": "test-{language}.csv"},
        "columns": {"sentence1": "text", "label": "verdict"},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    run = run_of(str(tmp_path / "mine.yaml"))
    new = tmp_path / "new.csv"
    new.write_text("text\nyes a b\nno a b\n", encoding="utf-8")
    opened = Predictor(run)
    answers = opened.answers(*opened.read(new))
    assert [answer["text"] for answer in answers] == ["yes a b", "no a b"]
    assert answers[0]["verdict"] in ("yes", "no") and answers == predict(run, ["yes a b", "no a b"])
    output = tmp_path / "answers.csv"
    assert main([str(run), str(new), "--output", str(output)]) == 0
    assert opened.answers(*opened.read(output)) == answers  # in the form of the task
    assert main([str(run), str(new), "--output", str(new)]) == 2
    assert new.read_text(encoding="utf-8") == "text\nyes a b\nno a b\n"
    assert score([str(run), "--languages", "de", "--output_dir", str(tmp_path / "again")]) == 0  # no --task
    published = read_checkpoint(run, "user/mine").files["all_results.json"]
    assert isinstance(published, bytes) and str(tmp_path).encode() not in published and b'"mine.yaml"' in published


def test_a_column_that_is_called_as_a_part_of_the_answer_is_kept(run_of, tmp_path: Path):
    rows = "probability,label\n" + "".join(f"{label} a b,{label}\n" for _ in range(9) for label in ("yes", "no"))
    for name in ("train.csv", "dev.csv", "test-de.csv"):
        (tmp_path / name).write_text(rows, encoding="utf-8")
    task = {
        "kind": "pairs",
        "labels": ["yes", "no"],
        "files": {"train": "train.csv", "validation": "dev.csv", "test": "test-{language}.csv"},
        "columns": {"sentence1": "probability", "label": "label"},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    (answer,) = predict(run_of(str(tmp_path / "mine.yaml")), ["yes a b"])
    assert answer["sentence1"] == "yes a b" and 0 < answer["probability"] <= 1


def test_a_parser_of_ones_own(run_of, tmp_path: Path):
    """Relations without "dep", and a sentence that does not fit into a row."""
    tree = "1\ta1\t_\t{0}\t_\t_\t0\troot\t_\t_\n" + "".join(
        f"{i}\tb{i % 6}\t_\t{{0}}\t_\t_\t1\tnsubj\t_\t_\n" for i in range(2, 31)
    )
    for name in ("train.conllu", "dev.conllu", "test-de.conllu"):
        (tmp_path / name).write_text("\n".join([tree.format("NOUN")] * 4), encoding="utf-8")
    task = {
        "kind": "trees",
        "labels": "from the training file",
        "files": {"train": "train.conllu", "validation": "dev.conllu", "test": "test-{language}.conllu"},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    (answer,) = predict(run_of(str(tmp_path / "mine.yaml")), [["a1", "b2"]])
    assert set(answer["relations"]) <= {"root", "nsubj"}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere", "-"], "nowhere holds no finished run: expected all_results.json"),
        (["{run}", "missing.txt"], "no file missing.txt"),
        (["{run}", "."], ". is a folder, expected a file"),
        (["{run}", "-", "--format", "conll"], "--format conll: expected one of tsv, csv, jsonl for xnli"),
        (["{run}", "-", "--output", "x.parquet"], "--format parquet: expected one of"),
        (["{run}", "-", "--batch_tokens", "0"], "--batch_tokens 0: expected a positive number"),
        (["{run}", "-"], "text 1: expected sentence1<tab>sentence2, found 1 fields: 'one field'"),
    ],
)
def test_mistakes_are_one_line(run_of, monkeypatch: pytest.MonkeyPatch, capsys, argv: list[str], message: str):
    monkeypatch.setattr("sys.stdin", io.StringIO("one field\n"))
    assert main([argument.format(run=run_of("xnli")) for argument in argv]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and message in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a b c", "expected a list of texts, found str: 'a b c'"),
        ((text for text in ["a"]), "expected a list of texts, found generator"),
        ([{"sentence1": "a"}], "text 1: expected a string, or a list of strings, found {'sentence1': 'a'}"),
        (["a\tb", None], "text 2: expected a string, or a list of strings, found None"),
        ([["a", 3]], "text 1: expected a string, or a list of strings, found ['a', 3]"),
    ],
)
def test_mistakes_in_python_are_one_line(run_of, texts, message: str):
    with pytest.raises(InputError) as error:
        predict(run_of("xnli"), texts)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_standard_input_is_utf8(run_of, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"a\tb\nSch\xf6n\tb\n")))
    assert main([str(run_of("xnli")), "-"]) == 2
    assert "standard input:2: byte 0xf6 is not UTF-8" in capsys.readouterr().err


def test_no_text_is_no_answer(run_of):
    assert predict(run_of("xnli"), []) == []
    with pytest.raises(InputError, match="text 1: expected words, found ''"):
        predict(run_of("panx"), [""])


@pytest.mark.parametrize(
    ("task", "form", "suffix"),
    [("xnli", "tsv", ".tsv"), ("panx", "conll", ".conll"), ("uddep", "conllu of trees", ".conllu")],
)
def test_mangled_files_leave_whole_answers_or_none(run_of, task, form, suffix, tmp_path: Path, capsys):
    """What `test_fuzz` does to readers, through a command."""
    draw = random.Random(f"predict {task}")
    file, output = tmp_path / f"file{suffix}", tmp_path / f"answers{suffix}"
    codes = set()
    for turn in range(25):
        name, mangle = draw.choice([*HARMLESS.items(), *MANGLINGS.items()])
        file.write_bytes(mangle(original(form), draw))
        output.write_text("from before")
        capsys.readouterr()
        codes.add(code := main([str(run_of(task)), str(file), "--output", str(output)]))
        error = capsys.readouterr().err
        assert {path.name for path in tmp_path.iterdir()} == {file.name, output.name}
        if code == 0:
            assert output.read_text(encoding="utf-8").endswith("\n"), f"{turn}: {name}"
        else:
            assert code == 2 and error.count("\n") == 1 and str(file) in error, f"{turn}: {name}: {error}"
            assert output.read_text() == "from before", f"{turn}: {name}"
    assert codes == {0, 2}


@pytest.mark.parametrize(
    ("task", "text", "cut"),
    [
        ("xnli", "the dog runs\tthe cat", False),
        ("xnli", "the dog runs\t" + "the cat " * 20, True),
        ("uddep", "the dog " * 20, True),
        ("panx", "the dog " * 20, False),  # goes on in another row
        ("xquad", "well\t" + "b c " * 30, False),
        ("xquad", "well " * 6 + "\t" + "b c " * 30, True),
    ],
)
def test_texts_that_are_too_long_are_told(run_of, task: str, text: str, cut: bool, tmp_path: Path, capsys):
    (tmp_path / "x.txt").write_text(text + "\n", encoding="utf-8")
    capsys.readouterr()
    assert main([str(run_of(task)), str(tmp_path / "x.txt")]) == 0
    what = {"xquad": "1 question is longer than 5 sub-words"}.get(task, "1 text fills the 16 sub-words of the run")
    note = f"note: {what}; what lies behind is not read\n"
    assert capsys.readouterr().err == note * cut
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        predict(run_of(task), [text])
    assert any("what lies behind" in str(warning.message) for warning in caught) is cut


def test_blank_lines_are_told(run_of, tmp_path: Path, capsys):
    (tmp_path / "x.txt").write_text("a b\n\n \nc\n\n", encoding="utf-8")
    capsys.readouterr()
    assert main([str(run_of("udpos")), str(tmp_path / "x.txt"), "--format", "jsonl"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2 and err == "note: 2 blank lines have no answer\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("EU NNP B-ORG\nrejects VBZ O\n", "x.conll:1: expected a word a line, found spaces in every line"),
        ("de:Maria\nde:singt\n", None),
    ],
)
def test_words_that_are_none(run_of, content: str, message: str | None, tmp_path: Path, capsys):
    (tmp_path / "x.conll").write_text(content, encoding="utf-8")
    code = main([str(run_of("panx")), str(tmp_path / "x.conll"), "--format", "conll"])
    out, error = capsys.readouterr()
    if message is not None:
        assert code == 2 and message in error
    else:
        assert code == 0 and [line.split("\t")[0] for line in out.split()] != [] and "de:" not in out


def test_words_with_labels_are_no_running_text(run_of, tmp_path: Path, capsys):
    (tmp_path / "x.txt").write_text("Maria\tB-PER\nsings\tO\n", encoding="utf-8")
    assert main([str(run_of("panx")), str(tmp_path / "x.txt")]) == 2
    assert "x.txt: expected running text, found a tab in every line" in capsys.readouterr().err


def test_answers_do_not_go_over_the_run(run_of, tmp_path: Path, capsys):
    (tmp_path / "x.tsv").write_text("a\tb\n", encoding="utf-8")
    before = (run_of("xnli") / "config.json").read_bytes()
    assert main([str(run_of("xnli")), str(tmp_path / "x.tsv"), "--output", str(run_of("xnli") / "config.json")]) == 2
    assert "this is a file of the run" in capsys.readouterr().err
    assert (run_of("xnli") / "config.json").read_bytes() == before


@pytest.mark.parametrize("what", ["pairs", "words", "questions", "choices"])
def test_the_help_says_what_is_read(what: str):
    assert what in DESCRIPTION and what.replace("words", "tags").replace("questions", "answers") in str(
        predict.__doc__
    )
