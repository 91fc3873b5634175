"""Multiple choice: files, columns made of others, encoding, batches, scores, predictions."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value

from modeling_dlfa.data.rows import normalise
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.columns import columns_read, is_column, made_of
from modeling_dlfa.tasks.predictions import prediction_file, read_predictions, write_predictions
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.task import HubDataset, Task, TaskFiles, task_of_definition
from tests.tiny_tokenizers import TOKENIZERS


ROW = {"prompt": "It rains.", "choices": ["I get wet.", "I get rich.", "I win."], "label": 0}
NAMED = ("A", "B", "C")
KIND: Any = "choices"


def task(**arguments: Any) -> Task:
    return Task("mine", KIND, **{"labels": (), **arguments})


def written(folder: Path, *rows: Any, name: str = "a.jsonl") -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return folder / name


def rows_of(*rows: dict[str, Any]) -> Dataset:
    columns = {name: [row.get(name, "") for row in rows] for name in ("id", "prompt", "choices", "label")}
    return Dataset.from_dict(columns, features=task().kind.features(task()))


# ---------------------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------------------


def test_rows_may_have_any_number_of_choices(tmp_path: Path):
    path = written(tmp_path, {**ROW, "id": "q"}, "", {**ROW, "choices": [" a ", "b"], "label": "1"})
    columns = task().kind.read(task(), path, "en")
    assert columns == {
        "id": ["q", ""],
        "prompt": ["It rains."] * 2,
        "choices": [ROW["choices"], ["a", "b"]],
        "label": [0, 1],
    }


def test_labels_may_be_names_of_places(tmp_path: Path):
    named = task(labels=NAMED, label_aliases={"second": "B"})
    path = written(tmp_path, {**ROW, "label": "C"}, {**ROW, "label": "second"})
    assert named.kind.read(named, path, "en")["label"] == [2, 1]


def test_without_labels_they_are_not_looked_at(tmp_path: Path):
    path = written(tmp_path, {**ROW, "label": "whatever"}, {"prompt": "a", "choices": ["b", "c"]})
    assert task().kind.read(task(), path, "", labelled=False)["label"] == [0, 0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("nonsense", "expected a JSON object, found: Expecting value"),
        ("[]", "expected a JSON object, found '[]'"),
        ({"choices": ["a", "b"], "label": 0}, "expected what 'prompt' names, found 'choices, label"),
        ({**ROW, "prompt": " "}, "expected a text under 'prompt', found '\" \"'"),
        ({**ROW, "prompt": None}, "expected a text under 'prompt', found 'null'"),
        ({**ROW, "choices": "abc"}, "expected a list under 'choices', found '\"abc\"'"),
        ({**ROW, "choices": ["a"]}, "expected 2 or more choices, found 1"),
        ({**ROW, "choices": ["a", ""]}, "expected a text in each of 'choices', found '\"\"'"),
        ({**ROW, "choices": ["a", 3]}, "expected a text in each of 'choices', found '3'"),
        ({**ROW, "choices": ["a", "\ud800"]}, "expected a text in each of 'choices', found"),
        ({**ROW, "label": 3}, "expected the label of one of 3 choices, a number from 0 to 2, found '3'"),
        ({**ROW, "label": -1}, "expected the label of one of 3 choices, a number from 0 to 2, found '-1'"),
        ({**ROW, "label": True}, "expected the label of one of 3 choices, a number from 0 to 2, found 'true'"),
        ({**ROW, "label": "A"}, "expected the label of one of 3 choices, a number from 0 to 2, found '\"A\"'"),
        ({"prompt": "a", "choices": ["b", "c"]}, "expected what 'label' names, found 'prompt, choices"),
        ({**ROW, "id": "q1"}, "expected another id for every row, found 'q1' twice"),
    ],
)
def test_what_is_wrong_with_a_line(row, message, tmp_path: Path):
    path = written(tmp_path, {**ROW, "id": "q1"}, row)
    with pytest.raises(InputError) as error:
        task().kind.read(task(), path, "en")
    assert str(error.value).startswith(f"{path}:2: ") and message in str(error.value)


def test_a_name_that_is_none_of_the_choices(tmp_path: Path):
    named = task(labels=(*NAMED, "D"))
    with pytest.raises(
        InputError, match="a.jsonl:1: expected the label of one of 3 choices, one of A, B, C, D, found"
    ):
        named.kind.read(named, written(tmp_path, {**ROW, "label": "D"}), "en")


def test_more_choices_than_labels(tmp_path: Path):
    """Whose names there would be no word for."""
    named = task(labels=NAMED, label_aliases={"D": "A"})
    row = {**ROW, "choices": list("wxyz"), "label": "A"}
    for labelled in (True, False):
        with pytest.raises(InputError, match="a.jsonl:1: expected 3 choices at most, one for each label, found 4"):
            named.kind.read(named, written(tmp_path, row), "en", labelled)
    with pytest.raises(InputError, match="text 2: expected 3 choices at most, one for each label, found 4"):
        named.kind.from_texts(named, ["p\ta\tb\tc", "p\ta\tb\tc\td"], Any)  # pyright: ignore[reportArgumentType]


def test_other_forms_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="a.csv: expected a file that ends in .jsonl"):
        task().kind.read(task(), written(tmp_path, name="a.csv"), "en")


def test_a_file_may_have_other_columns(tmp_path: Path):
    """Whether they are a user's own or those of the data set on the Hub."""
    row = {"context": "It rains.", "ask": "effect", "a": "I get wet.", "b": "I win.", "answer": 1}
    columns = {"prompt": "{context} {ask}", "choices": ["a", "b"], "label": "answer"}
    path = written(tmp_path, row)
    own = task(files=TaskFiles({}, columns))
    assert own.kind.read(own, path, "en")["prompt"] == ["It rains. effect"]
    hub = task(hub=HubDataset("a/b", "default", columns, words={"ask": {"effect": "So?"}}))
    read = hub.kind.read(hub, path, "en")
    assert (read["prompt"], read["choices"], read["label"]) == (["It rains. So?"], [["I get wet.", "I win."]], [1])
    assert hub.kind.read(hub, written(tmp_path, ROW), "en")["prompt"] == ["It rains."]


def test_a_task_file(tmp_path: Path):
    for split in ("train", "dev", "test-de"):
        written(tmp_path, {"q": "Why?", "a": "x", "b": "y", "right": "b"}, name=f"{split}.jsonl")
    text = "kind: choices\nfiles: {train: train.jsonl, validation: dev.jsonl, test: 'test-{language}.jsonl'}\n"
    (tmp_path / "plain.yaml").write_text(text)
    assert get_task(str(tmp_path / "plain.yaml")).labels == ()
    columns = "columns: {prompt: '{q}', choices: [a, b], label: right}\nlabels: [a, b]\n"
    (tmp_path / "mine.yaml").write_text(text + columns)
    mine = get_task(str(tmp_path / "mine.yaml"))
    assert mine.files is not None
    assert mine.kind.read(mine, mine.files.paths["train"]["en"], "en")["label"] == [1]
    again = task_of_definition(mine.definition())
    assert again.own_columns == mine.own_columns
    for wrong in ("columns: {prompt: '{q'}\n", "columns: {choices: [a, 1]}\n", "labels: from the training file\n"):
        (tmp_path / "wrong.yaml").write_text(text + wrong)
        with pytest.raises(InputError, match="columns: expected our names|labels: expected names of the places"):
            get_task(str(tmp_path / "wrong.yaml"))


# ---------------------------------------------------------------------------------------------------------------------
# Columns made of others
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("n", 3),
        ("{a}", "one"),
        ("{a}: {b} {empty}", "one: two"),
        (["a", "{b}!"], ["one", "two!"]),
        ("{a} {many}", ["one x", "one y"]),
        ("{more[text]}", ["x", "y"]),
    ],
)
def test_columns_are_made_of_others(column, expected):
    row = {"n": 3, "a": "one", "b": "two", "empty": None, "many": ["x", "y"], "more": {"text": ["x", "y"]}}
    assert is_column(column) and set(columns_read(column)) <= set(row)
    assert made_of(column, row, "here") == expected


@pytest.mark.parametrize(
    ("column", "message"),
    [("c", "expected what 'c' names, found 'a, b"), ("{a[text]}", "expected what"), ("{a}{b}", "found 1 and 2")],
)
def test_what_columns_cannot_be_made_of(column, message):
    with pytest.raises(InputError, match=f"^here: .*{message}"):
        made_of(column, {"a": ["x"], "b": ["x", "y"]}, "here")


def test_labels_of_a_data_set_go_by_their_names():
    """Where the task has names; else they are places, whatever the data set calls them."""
    features = Features(
        {"prompt": Value("string"), "choices": List(Value("string")), "label": ClassLabel(names=["B", "A"])}
    )
    raw = Dataset.from_dict({"prompt": ["p"] * 2, "choices": [["x", "y"]] * 2, "label": [0, 1]}, features)
    assert normalise(task(labels=NAMED), raw, "en", "here")["label"][:] == [1, 0]
    assert normalise(task(), raw, "en", "here")["label"][:] == [0, 1]
    with pytest.raises(
        InputError, match="here: row 0: expected the label of one of 2 choices, one of X, Y, found '\"B\"'"
    ):
        normalise(task(labels=("X", "Y")), raw, "en", "here")


@pytest.mark.parametrize("choices", ["xy", None, 3])
def test_choices_of_a_data_set_are_lists(choices):
    raw = Dataset.from_dict({"prompt": ["p"], "choices": [choices], "label": [0]})
    with pytest.raises(InputError, match="here: row 0: expected a list under 'choices', found"):
        normalise(task(), raw, "en", "here")


@pytest.mark.parametrize(("rows", "labels", "refused"), [(20, [0], True), (20, [0, 1], False), (19, [0], False)])
def test_one_place_for_all_rows_is_taken_for_a_placeholder(rows: int, labels: list[int], refused: bool):
    label = [labels[number % len(labels)] for number in range(rows)]
    raw = Dataset.from_dict({"prompt": ["p"] * rows, "choices": [["x", "y"]] * rows, "label": label})
    for mine, name in ((task(), "0"), (task(labels=("0", "1")), "'0'")):
        if refused:
            with pytest.raises(InputError, match=f"here: every label is {name}, which looks like a placeholder"):
                normalise(mine, raw, "en", "here")
        else:
            assert len(normalise(mine, raw, "en", "here")) == rows


def test_rows_without_labels_are_dropped_if_the_task_says_so():
    raw = Dataset.from_dict({"q": ["a", "b", "c"], "o": [["x", "y"]] * 3, "label": ["1", "", "0"]})
    hub = HubDataset("a/b", "c", {"prompt": "q", "choices": "o", "label": "label"})
    with pytest.raises(InputError, match="here: row 1: expected the label of one of 2 choices"):
        normalise(task(), raw, "en", "here", hub)
    rows = normalise(task(), raw, "en", "here", replace(hub, drops_unlabelled=True))
    assert (rows["prompt"][:], rows["label"][:]) == (["a", "c"], [1, 0])
    with pytest.raises(InputError, match="here: no row has a label"):
        normalise(task(), raw.select([1]), "en", "here", replace(hub, drops_unlabelled=True))


# ---------------------------------------------------------------------------------------------------------------------
# Encoding and batches
# ---------------------------------------------------------------------------------------------------------------------

LONG = " ".join(["dog"] * 30)
PAIR = {"prompt": "the dog", "choices": ["one", "two dog", "a"], "label": 0}


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request) -> Any:
    return TOKENIZERS[request.param]()


def test_choices_are_encoded_as_pairs(tokenizer):
    rows = rows_of(PAIR, {**PAIR, "choices": ["one", "two dog"], "label": 1})
    encoded: Any = task().kind.encode(task(), rows, tokenizer, 64)
    assert [len(choices) for choices in encoded["input_ids"]] == [3, 2]
    for row, ids, mask in zip(rows.to_list(), encoded["input_ids"], encoded["attention_mask"], strict=True):
        for choice, one, ones in zip(row["choices"], ids, mask, strict=True):
            assert one == tokenizer(row["prompt"], choice)["input_ids"] and ones == [1] * len(one)
    assert encoded["labels"][:] == [0, 1]
    assert encoded["length"][:] == [len(ids) * max(map(len, ids)) for ids in encoded["input_ids"]]


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_prompt_is_cut_first(tokenizer, side):
    tokenizer.truncation_side = side
    row = {"prompt": f"the {LONG} one", "choices": ["two", "one dog"], "label": 0}
    encoded: Any = task().kind.encode(task(), rows_of(row), tokenizer, 20)[0]
    for choice, ids in zip(row["choices"], encoded["input_ids"], strict=True):
        expected = tokenizer(row["prompt"], choice, truncation="only_first", max_length=20)["input_ids"]
        assert ids == expected and len(ids) == 20


def test_a_choice_that_is_too_long_alone_is_cut(tokenizer):
    row = {"prompt": "the dog", "choices": [LONG, "one"], "label": 0}
    encoded = task().kind.encode(task(), rows_of(row), tokenizer, 12)
    long, short = encoded[0]["input_ids"]
    room = 12 - tokenizer.num_special_tokens_to_add(pair=True)
    of_choice = tokenizer("", LONG)
    kept = [one for one, text in zip(of_choice["input_ids"], of_choice.sequence_ids(), strict=True) if text == 1]
    assert len(long) == 12 and [one for one in long if one in kept][:room] == kept[:room]
    assert task().kind.full(encoded, 12) == 1 and task().kind.full(encoded, 13) == 0
    assert len(short) < 12


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_are_padded_with_choices_and_tokens(tokenizer, side):
    tokenizer.padding_side = side
    rows = rows_of({**PAIR, "choices": ["one", "two dog"], "label": 1}, PAIR)
    encoded = task().kind.encode(task(), rows, tokenizer, 64)
    batch = task().kind.collator(tokenizer)(encoded.remove_columns("length").to_list())
    longest = max(len(ids) for choices in encoded["input_ids"] for ids in choices)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, 3, longest)
    assert not batch["attention_mask"][0, 2].any() and (batch["input_ids"][0, 2] == tokenizer.pad_token_id).all()
    assert batch["labels"].tolist() == [1, 0]
    for row, choices in enumerate(encoded["input_ids"]):
        for place, ids in enumerate(choices):
            mask = batch["attention_mask"][row, place].bool()
            assert batch["input_ids"][row, place][mask].tolist() == ids


# ---------------------------------------------------------------------------------------------------------------------
# Scores, predictions
# ---------------------------------------------------------------------------------------------------------------------


def test_scores_and_the_majority():
    mine = task()
    gold = [0, 1, 1, 2]
    assert mine.kind.score(mine, [0, 1, 0, 2], gold) == {"accuracy": 75.0}
    assert mine.kind.majority(mine, gold, [0] * 2) == [1, 1]
    assert mine.kind.counts(mine, [0, 1, 0, 2], gold)[:, 0].tolist() == [1, 1, 0, 1]


def test_shuffled_labels_stay_within_the_choices():
    draw = np.random.default_rng(0)
    rows = rows_of(
        *({**ROW, "choices": list("abcde")[: 2 + number % 4], "label": number // 4 % 2} for number in range(80))
    )
    shuffled = task().kind.shuffled(task(), rows, draw)
    counts, before, after = ([len(row) for row in rows["choices"]], rows["label"][:], shuffled["label"][:])
    assert before != after and all(label < count for label, count in zip(after, counts, strict=True))
    for count in set(counts):
        same = [place for place, other in enumerate(counts) if other == count]
        assert sorted(before[place] for place in same) == sorted(after[place] for place in same)


def test_predictions_are_those_of_xtreme(tmp_path: Path):
    xcopa = get_task("xcopa")
    path = write_predictions(tmp_path, xcopa, "et", [0, 1, 1])
    assert path == prediction_file(tmp_path, xcopa, "et") == tmp_path / "xcopa" / "test-et.jsonl"
    assert path.read_text() == '{"label": 0}\n{"label": 1}\n{"label": 1}\n'
    assert read_predictions(path, xcopa) == [0, 1, 1]
    with pytest.raises(InputError, match="a.jsonl:1: expected a number from 0 on under 'label'"):
        read_predictions(written(tmp_path, {"label": "0"}), xcopa)


def test_answers_say_how_probable_each_choice_is():
    mine = task(labels=NAMED)
    rows = rows_of({**ROW, "id": "q7"}, {**ROW, "choices": ["a", "b"]})
    logits = torch.tensor([[0.0, 2.0, 0.0], [1.0, 1.0 - np.log(3), torch.finfo(torch.float32).min]])
    best, shares = mine.kind.confident(type("Output", (), {"logits": logits}), torch.zeros(2))
    features = Dataset.from_dict({"sentence": [1, 0]})
    answers = mine.kind.answers(mine, rows, features, best.flip(0).numpy(), shares.flip(0).numpy(), np.zeros(2))
    one, other = mine.kind.described(mine, rows, answers)
    assert one["id"] == "q7" and one["answer"] == "I get rich." and one["label"] == "B"
    assert other == {
        "prompt": ROW["prompt"],
        "choices": ["a", "b"],
        "answer": "a",
        "label": "A",
        "probabilities": [0.75, 0.25],
    }


@pytest.mark.parametrize("text", ["a\tb", "a\t\tb", ("a", "b"), "a"])
def test_texts_that_are_no_rows(text):
    with pytest.raises(InputError, match="text 1: expected prompt<tab>choice<tab>choice"):
        task().kind.from_texts(task(), [text], None)  # pyright: ignore[reportArgumentType]
