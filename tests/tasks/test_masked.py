"""Hidden words: which they are, what an encoder reads of them, and guesses brought back to words."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.encoding import BESIDE_THE_INPUTS, IGNORED
from modeling_dlfa.tasks.kinds.masked import masked_places, masked_rows
from modeling_dlfa.tasks.registry import get_task
from modeling_dlfa.tasks.task import Task, TaskFiles
from tests.tiny_tokenizers import TOKENIZERS, with_mask


MINE = Task("mine", "masked", labels=())  # pyright: ignore[reportArgumentType]
KIND = MINE.kind
SENTENCES = [
    ["one", "dogs", "two", "running", "the", "我们", "a"],
    ["dogs"],
    ["the", "running", "dogs", "one", "two"] * 8,
]


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request) -> Any:
    return with_mask(TOKENIZERS[request.param]())


def rows_of(sentences=SENTENCES) -> Dataset:
    return Dataset.from_dict(masked_rows(sentences), features=KIND.features(MINE))


# ---------------------------------------------------------------------------------------------------------------------
# Which words
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "hidden"), [(1, 1), (3, 1), (9, 1), (10, 2), (20, 3), (40, 6)])
def test_a_seventh_of_the_words_is_hidden_and_one_at_least(words: int, hidden: int):
    places = masked_places([str(number) for number in range(words)])
    assert len(places) == hidden and places == sorted(set(places)) and places[-1] < words


def test_a_sentence_has_the_same_words_hidden_wherever_it_stands():
    assert masked_places(["She", "saw", "the", "old", "house", "by", "the", "river", "."]) == [2]
    assert masked_rows(SENTENCES[::-1])["masked"] == masked_rows(SENTENCES)["masked"][::-1]


def test_every_place_has_its_turn():
    found = [masked_places([f"a{number}", "b", "c", "d"]) for number in range(400)]
    counts = np.bincount([place for places in found for place in places], minlength=4)
    assert counts.sum() == 400 and counts.min() > 70


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.conllu", "1\tRome\t_\tX\t_\t_\t0\troot\t_\t_\n2\tis\t_\tX\t_\t_\t1\tdep\t_\t_\n", {}),
        ("a.conll", "Rome\tB-LOC\nis\tO\n", {}),
        ("a.conll", "Rome\nis\n", {}),
        ("a.conll", "1\tRome\n2\tis\n", {"tokens": 1}),
    ],
)
def test_words_are_read_from_files_with_labels_and_without(tmp_path: Path, name: str, content: str, columns: dict):
    (tmp_path / name).write_text(content)
    task = Task("mine", "masked", labels=(), files=TaskFiles({}, columns))  # pyright: ignore[reportArgumentType]
    rows = KIND.read(task, tmp_path / name, "en")
    assert rows["tokens"] == [["Rome", "is"]]
    assert KIND.labels_of(rows) == [["Rome", "is"][rows["masked"][0][0]]]


# ---------------------------------------------------------------------------------------------------------------------
# Encoding and batches
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_length", [64, 12])
def test_every_piece_of_a_hidden_word_is_masked_and_nothing_else(tokenizer, max_length: int):
    """Filled in again, rows are those of sentences without hidden words; each hidden word is in one row."""
    rows = rows_of()
    encoded: Any = KIND.encode(MINE, rows, tokenizer, max_length)
    tags = {"tokens": rows["tokens"][:], "tags": [[0] * len(words) for words in rows["tokens"]]}
    udpos = get_task("udpos")
    plain = udpos.kind.encode(udpos, Dataset.from_dict(tags), tokenizer, max_length).to_list()
    seen = []
    for row in encoded.to_list():
        masks = [place for place, piece in enumerate(row["input_ids"]) if piece == tokenizer.mask_token_id]
        assert masks == row["masked_positions"] and row["length"] == len(row["input_ids"]) <= max_length
        for place, piece in zip(masks, row["labels"], strict=True):
            row["input_ids"][place] = piece
        assert row["input_ids"] in [one["input_ids"] for one in plain if one["sentence"] == row["sentence"]]
        seen += [(row["sentence"], place) for place in dict.fromkeys(row["places"])]
    assert sorted(seen) == [(number, place) for number, places in enumerate(rows["masked"]) for place in places]


def test_an_encoder_without_a_mask_token_is_one_line():
    with pytest.raises(InputError, match="^mine: the encoder's tokenizer has no mask token .*BERT or XLM-R$"):
        KIND.encode(MINE, rows_of(), TOKENIZERS["unigram"](), 64)


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_are_padded_with_positions(tokenizer, side: str):
    tokenizer.padding_side = side
    encoded: Any = KIND.encode(MINE, rows_of(), tokenizer, 64)
    beside = [name for name in BESIDE_THE_INPUTS if name in encoded.column_names]
    batch: Any = KIND.collator(tokenizer)(encoded.remove_columns(beside).to_list())
    assert batch["masked_positions"].shape == batch["labels"].shape
    for ids, places, labels, row in zip(
        batch["input_ids"], batch["masked_positions"], batch["labels"], encoded.to_list(), strict=True
    ):
        real = places >= 0
        assert (ids[places[real]] == tokenizer.mask_token_id).all() and real.sum() == len(row["labels"])
        assert labels[real].tolist() == row["labels"] and (labels[~real] == IGNORED).all()


# ---------------------------------------------------------------------------------------------------------------------
# Back to words
# ---------------------------------------------------------------------------------------------------------------------


def answered(encoded: Any, change: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels padded as a batch has them, and guesses: the labels, but for a change of the last piece of each row."""
    labels = encoded["labels"][:]
    ids = np.full((len(labels), max(map(len, labels))), IGNORED)
    for row, of_row in enumerate(labels):
        ids[row, : len(of_row)] = of_row
    guesses = ids.copy()
    for row, of_row in enumerate(labels):
        guesses[row, len(of_row) - 1] += change
    return guesses, ids


def test_a_word_is_right_if_all_its_pieces_are(tokenizer):
    rows = rows_of()
    encoded = KIND.encode(MINE, rows, tokenizer, 12).shuffle(seed=1)
    gold = KIND.references(rows)
    for change in (0, 1):
        found = KIND.in_order(MINE, rows, encoded, *answered(encoded, change))
        words = KIND.in_words(MINE, rows, found, tokenizer)
        assert [len(of_row) for of_row in words] == [len(of_row) for of_row in gold]
        wrong = sum(one != word for ours, theirs in zip(words, gold, strict=True) for one, word in zip(ours, theirs))
        assert wrong == change * len(encoded)
        assert all(word and "\n" not in word for of_row in words for word in of_row)


def test_guesses_that_read_like_the_word_but_are_others_stay_apart():
    tokenizer = with_mask(TOKENIZERS["unigram"]())
    rows = rows_of([["dogs"]])
    guesses = [tokenizer.convert_tokens_to_ids(pieces) for pieces in (["▁", "▁dog", "s"], ["▁run", "ning"])]
    assert [KIND.in_words(MINE, rows, [[one]], tokenizer) for one in guesses] == [[["▁+▁dog+s"]], [["running"]]]


@pytest.mark.parametrize(("word", "piece"), [("dog", "dog"), ("+", "+")])
def test_a_single_piece_that_reads_like_the_word_is_another_one(word: str, piece: str, monkeypatch):
    """A mark of punctuation is a piece with and without the space before it."""
    tokenizer = with_mask(TOKENIZERS["unigram"]())
    monkeypatch.setattr(tokenizer, "convert_ids_to_tokens", lambda ids: [piece for _ in ids])
    monkeypatch.setattr(tokenizer, "convert_tokens_to_string", "".join)
    (((written,),),) = [KIND.in_words(MINE, rows_of([[word]]), [[[7]]], tokenizer)]
    assert written == f"+{word}"


def test_a_word_that_the_vocabulary_lacks_cannot_be_guessed():
    tokenizer = with_mask(TOKENIZERS["wordpiece"]())
    rows = rows_of([["☃"], ["dogs"]])
    assert tokenizer.unk_token_id in tokenizer("☃")["input_ids"]
    encoded = KIND.encode(MINE, rows, tokenizer, 64)
    assert encoded["sentence"][:] == [1]
    guesses, ids = answered(encoded)
    words = KIND.in_words(MINE, rows, KIND.in_order(MINE, rows, encoded, guesses, ids), tokenizer)
    assert words == [["+"], ["dogs"]] and KIND.score(MINE, words, KIND.references(rows))["accuracy"] == 50
    probabilities = np.where(ids == IGNORED, np.nan, 0.5)
    told = KIND.answers(MINE, rows, encoded, guesses, probabilities, ids).probabilities
    assert told[0] == [0.0] and 0 < told[1][0] < 1


def test_a_text_that_hides_a_word_itself_is_refused(tokenizer):
    with pytest.raises(InputError, match=r"^text 2: it holds the mask token .*fill-mask pipeline$"):
        KIND.from_texts(MINE, ["the dog", f"the {tokenizer.mask_token} runs"], tokenizer)


def test_guesses_may_be_no_pieces_at_all(tokenizer):
    """Where the encoder's embeddings have more rows than the tokenizer has pieces, as e5's."""
    (words,) = KIND.in_words(MINE, rows_of([["dogs"]]), [[[9999, 10000]]], tokenizer)
    assert "[9999]" in words[0] and "[10000]" in words[0]


def test_the_most_frequent_word_is_the_majority():
    gold = [["a", "b"], ["b"]]
    assert KIND.majority(MINE, gold) == [["b", "b"], ["b"]]
    assert KIND.score(MINE, KIND.majority(MINE, gold), gold)["accuracy"] == pytest.approx(200 / 3)
    assert KIND.counts(MINE, [["b", "b"], ["b"]], gold).tolist() == [[1, 2, 2], [1, 1, 1]]


def test_what_has_no_list_of_labels_cannot():
    with pytest.raises(InputError, match="shuffle_labels: mine has masked"):
        KIND.shuffled(MINE, rows_of(), np.random.default_rng(0))
    with pytest.raises(InputError, match="not for masked: give the layer"):
        KIND.check_layer_logits(MINE)
    with pytest.raises(InputError, match="code length is not there for tasks of the kind masked"):
        KIND.known(MINE, None, None, {})  # pyright: ignore[reportArgumentType]
