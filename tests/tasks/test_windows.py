"""Windows over contexts, and the way back from places to text, in every way to write white space."""

import pickle
import random
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.kinds import KINDS
from modeling_dlfa.tasks.spans import CANDIDATES, LONGEST, Span, best_spans, candidates
from modeling_dlfa.tasks.windows import NOT_HERE, WindowsCollator, encode_questions


WORDS = ["one", "two", "dog", "dogs", "running", "我们", "x", "é", "e\u0301", "🐕", "ภาษา", "本"]


def question(context: str, answer: str = "", asked: str = "one two", at: int | None = None) -> dict[str, Any]:
    start = context.index(answer) if at is None else at
    texts, starts = ([answer], [start]) if answer else ([], [])
    return {"context": context, "question": asked, "texts": texts, "starts": starts}


def rows(*questions: dict[str, Any]) -> Dataset:
    return Dataset.from_list(list(questions))


def test_a_short_context_is_one_window(tokenizer: PreTrainedTokenizerBase):
    (row,) = encode_questions(rows(question("one dog two", "dog")), tokenizer, 64).to_list()
    whole = tokenizer("one two", "one dog two", return_offsets_mapping=True)
    assert row["input_ids"] == whole["input_ids"] and row["length"] == len(row["input_ids"])
    assert row["sentence"] == 0 and NOT_HERE not in row["starts"]
    first, last = (place - row["context_at"] for place in row["labels"])
    assert "one dog two"[row["starts"][first] : row["ends"][last]].strip() == "dog"
    assert ("token_type_ids" in row) == ("token_type_ids" in tokenizer.model_input_names)


@pytest.mark.crossed("tokenizer", "max_length")
@pytest.mark.parametrize("max_length", [12, 17, 40])
def test_windows_cover_the_context_once_and_mark_the_whole_answer(tokenizer: PreTrainedTokenizerBase, max_length: int):
    draw = random.Random(max_length)
    for _ in range(20):
        words = [draw.choice(WORDS) for _ in range(30)]
        context = " ".join(words)
        place = draw.randrange(28)
        at = len(" ".join(words[:place])) + (place > 0)
        answer = " ".join(words[place : place + 2])
        encoded = encode_questions(rows(question(context, answer, at=at)), tokenizer, max_length).to_list()
        assert all(row["length"] <= max_length and row["length"] == len(row["input_ids"]) for row in encoded)
        # Every token is looked for in one window, and the windows go from the first character to the last.
        looked = [
            (start, end)
            for row in encoded
            for start, end in zip(row["starts"], row["ends"], strict=True)
            if start != NOT_HERE
        ]
        whole = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        assert sorted(looked) == sorted(map(tuple, whole))
        marked = [row for row in encoded if row["labels"] != [0, 0]]
        for row in marked:
            last = row["labels"][1] - row["context_at"]
            assert row["ends"][last] == at + len(answer) or tokenizer.unk_token_id in row["input_ids"]
        if max_length == 40:
            assert marked


def test_a_window_without_the_whole_answer_points_at_its_first_token(bert_tokenizer: PreTrainedTokenizerBase):
    context = " ".join(["one"] * 20 + ["dog"] + ["two"] * 20)
    encoded = encode_questions(rows(question(context, "dog"), question(context)), bert_tokenizer, 16).to_list()
    with_it = [row for row in encoded if bert_tokenizer.convert_tokens_to_ids("dog") in row["input_ids"]]
    assert {row["sentence"] for row in with_it} == {0, 1}
    for row in encoded:
        has = row in with_it and row["sentence"] == 0
        assert (row["labels"] != [0, 0]) == has
        if has:
            assert row["input_ids"][row["labels"][0]] == bert_tokenizer.convert_tokens_to_ids("dog")


def test_a_long_question_is_cut(bert_tokenizer: PreTrainedTokenizerBase):
    (row,) = encode_questions(rows(question("dog", "dog", asked="one " * 40)), bert_tokenizer, 30).to_list()
    assert row["input_ids"].count(bert_tokenizer.convert_tokens_to_ids("one")) == 10
    assert row["input_ids"][row["labels"][0]] == bert_tokenizer.convert_tokens_to_ids("dog")


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_tokenizers_own_sides_do_not_matter(tokenizer: PreTrainedTokenizerBase, side: str):
    """And a collator goes to other processes."""
    given = rows(question(" ".join(WORDS * 5), "dog"), question("dog", "dog", asked="one " * 40))
    expected = encode_questions(given, tokenizer, 24)
    batch = WindowsCollator(tokenizer)(expected.select_columns(["input_ids", "labels"]).to_list())
    tokenizer.padding_side = tokenizer.truncation_side = side
    assert encode_questions(given, tokenizer, 24).to_list() == expected.to_list()
    collate = pickle.loads(pickle.dumps(KINDS["answers"].collator(tokenizer)))
    again = collate(expected.select_columns(["input_ids", "labels"]).to_list())
    assert torch.equal(again["input_ids"], batch["input_ids"]) and torch.equal(again["labels"], batch["labels"])
    assert tokenizer.padding_side == tokenizer.truncation_side == side


@pytest.mark.parametrize("max_length", range(7, 20))
@pytest.mark.parametrize("asked", ["🐕 🐕 🐕 🐕 🐕", "我们本" * 9, "running dogs " * 9, "é" * 30])
def test_what_is_left_of_a_long_question_leaves_room(tokenizer: PreTrainedTokenizerBase, asked: str, max_length: int):
    """One character may be several pieces, which stand at one place."""
    least = tokenizer.num_special_tokens_to_add(pair=True)
    given = rows(question(" ".join(WORDS * 2), "dog", asked=asked))
    if max_length - max_length // 3 - least < 2:
        with pytest.raises(InputError, match="expected room for a question and its context"):
            encode_questions(given, tokenizer, max_length)
    else:
        for row in encode_questions(given, tokenizer, max_length).to_list():
            pieces = row["length"] - len(row["starts"]) - least
            assert row["length"] <= max_length and pieces <= max_length // 3


def test_questions_that_are_cut_are_counted_once(bert_tokenizer: PreTrainedTokenizerBase):
    long = question(" ".join(["dog"] * 40), "dog", asked="one " * 9)
    encoded = encode_questions(rows(long, question("dog", asked="one " * 8), long), bert_tokenizer, 24)
    kind = KINDS["answers"]
    assert encoded["cut"][:].count(True) > kind.full(encoded, 24) == 2
    assert kind.note_of_full(2, 24) == "2 questions are longer than 8 sub-words; what lies behind is not read"
    assert kind.note_of_full(1, 384).startswith("1 question is longer than 64 sub-words")


def test_rows_that_hold_nothing_are_refused(bert_tokenizer: PreTrainedTokenizerBase):
    with pytest.raises(InputError, match="--max_length 6: expected room for a question and its context"):
        encode_questions(rows(question("dog", "dog")), bert_tokenizer, 6)


# ---------------------------------------------------------------------------------------------------------------------
# From scores to answers
# ---------------------------------------------------------------------------------------------------------------------


def kept(encoded: Dataset, scores: dict[tuple[int, int, int], float], nothing: float = -50.0) -> np.ndarray:
    """(window, first, last) in tokens of the context -> half the score of each; all other tokens have -10."""
    parts = []
    for window, row in enumerate(encoded.to_list()):
        first, last = torch.full((1, row["length"]), -10.0), torch.full((1, row["length"]), -10.0)
        first[0, 0] = last[0, 0] = nothing / 2
        for (where, start, end), score in scores.items():
            if where == window:
                first[0, row["context_at"] + start] = last[0, row["context_at"] + end] = score
        parts.append(candidates(first, last))
    return torch.cat(parts).numpy()


def test_the_best_span_over_all_windows(bert_tokenizer: PreTrainedTokenizerBase):
    context = "one two dog running a the one two dog running a the one"
    encoded = encode_questions(rows(question(context)), bert_tokenizer, 14)
    windows = encoded.to_list()
    assert len(windows) > 1
    first_here = [next(i for i, start in enumerate(row["starts"]) if start != NOT_HERE) for row in windows]
    scores = {(0, first_here[0], first_here[0] + 1): 2.0, (1, first_here[1], first_here[1]): 3.0}
    (spans,) = best_spans([context], encoded, kept(encoded, scores), may_lack=False)
    row = windows[1]
    assert spans[0].score == 6.0 and spans[0].start == row["starts"][first_here[1]]
    assert all(context[span.start : span.end] == span.text == span.text.strip() for span in spans)
    assert len(spans) <= CANDIDATES and [span.score for span in spans] == sorted(
        (s.score for s in spans), reverse=True
    )


def test_places_that_are_no_answer(bert_tokenizer: PreTrainedTokenizerBase):
    """The last token before the first, one in the question, too long a span."""
    context = " ".join(["one"] * 40)
    encoded = encode_questions(rows(question(context)), bert_tokenizer, 64)
    scores = {(0, 5, 3): 9.0}
    (spans,) = best_spans([context], encoded, kept(encoded, scores), may_lack=False)
    lengths = [len(span.text.split()) for span in spans]
    assert spans[0].score < 18 and max(lengths) <= LONGEST
    in_question = torch.full((1, encoded[0]["length"]), -10.0)
    in_question[0, 1] = 9.0
    (spans,) = best_spans([context], encoded, candidates(in_question, in_question).numpy(), may_lack=False)
    assert spans[0].score == -20


def test_no_answer_is_one_where_a_context_may_lack_it(bert_tokenizer: PreTrainedTokenizerBase):
    context = "one dog two"
    encoded = encode_questions(rows(question(context)), bert_tokenizer, 64)
    for nothing, best in ((5.0, ""), (-5.0, "dog")):
        numbers = kept(encoded, {(0, 1, 1): 1.0}, nothing)
        assert best_spans([context], encoded, numbers, may_lack=True)[0][0].text == best
        assert best_spans([context], encoded, numbers, may_lack=False)[0][0].text == "dog"
    assert Span(1.0) in best_spans([context], encoded, kept(encoded, {}, 1.0), may_lack=True)[0]


@pytest.mark.parametrize(("threshold", "best"), [(0.0, ""), (2.9, ""), (3.0, "dog"), (3.1, "dog"), (-50.0, "")])
def test_a_threshold_is_taken_off_no_answer(bert_tokenizer: PreTrainedTokenizerBase, threshold: float, best: str):
    context = "one dog two"
    encoded = encode_questions(rows(question(context)), bert_tokenizer, 64)
    numbers = kept(encoded, {(0, 1, 1): 1.0}, 5.0)  # 3 above the best span
    (spans,) = best_spans([context], encoded, numbers, may_lack=True, threshold=threshold)
    assert spans[0].text == best and Span(5.0 - threshold) in spans
    assert best_spans([context], encoded, numbers, may_lack=False, threshold=threshold)[0][0].text == "dog"
