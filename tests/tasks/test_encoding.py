import random
from functools import cache

import numpy as np
import pytest
from datasets import Dataset
from transformers import AutoTokenizer

from modeling_dlfa.data.folder import FolderSource
from modeling_dlfa.errors import InputError
from modeling_dlfa.tasks.encoding import IGNORED
from modeling_dlfa.tasks.kinds.pairs import encode_pairs
from modeling_dlfa.tasks.kinds.tags import at_labels, encode_tags, join_tags
from modeling_dlfa.tasks.kinds.trees import complete_trees, encode_trees
from modeling_dlfa.tasks.registry import TASKS
from modeling_dlfa.tasks.task import SPLITS
from tests.of_kinds import data_collator, encode


def tagged(*sentences):
    """Sentences of words with the tags 0, 1, 2 …"""
    words = [sentence.split(" ") for sentence in sentences]
    return Dataset.from_dict({"tokens": words, "tags": [list(range(len(sentence))) for sentence in words]})


def rows_of(encoded, tokenizer):
    """(piece, label) pairs of each row, without the special tokens at its ends."""
    rows = []
    for row in encoded.to_list():
        pieces = tokenizer.convert_ids_to_tokens(row["input_ids"])
        assert row["labels"][0] == row["labels"][-1] == IGNORED
        rows.append(list(zip(pieces, row["labels"], strict=True))[1:-1])
    return rows


def labelled(encoded):
    return [[label for label in labels if label != IGNORED] for labels in encoded["labels"]]


# ---------------------------------------------------------------- pairs


def pairs(first, second):
    return Dataset.from_dict({"sentence1": [first], "sentence2": [second], "label": [1]})


def test_pairs_are_encoded_as_the_tokenizer_does(tokenizer):
    encoded = encode_pairs(pairs("the dog runs", "one two"), tokenizer, 128)
    expected = dict(tokenizer("the dog runs", "one two"))
    assert encoded.to_list() == [expected | {"labels": 1, "length": len(expected["input_ids"])}]


def test_pairs_have_token_types_where_the_tokenizer_makes_them(bert_tokenizer, xlmr_tokenizer):
    encoded = encode_pairs(pairs("the dog", "one two"), bert_tokenizer, 128)
    assert encoded["token_type_ids"][0] == [0, 0, 0, 0, 1, 1, 1]
    assert "token_type_ids" not in encode_pairs(pairs("the dog", "one two"), xlmr_tokenizer, 128).column_names


@pytest.mark.parametrize(
    ("first", "second", "max_length", "text"),
    [
        ("the dog", "one two", 7, "[CLS] the dog [SEP] one two [SEP]"),
        ("the dog one two", "one", 6, "[CLS] the dog [SEP] one [SEP]"),
        ("one", "the dog one two", 6, "[CLS] one [SEP] the dog [SEP]"),
        ("the dog one two", "the dog one two", 7, "[CLS] the dog [SEP] the dog [SEP]"),
    ],
)
def test_the_longer_sentence_of_a_pair_is_cut(bert_tokenizer, first, second, max_length, text):
    encoded = encode_pairs(pairs(first, second), bert_tokenizer, max_length)
    assert " ".join(bert_tokenizer.convert_ids_to_tokens(encoded[0]["input_ids"])) == text
    assert encoded[0]["length"] == max_length


# ---------------------------------------------------------------- label pieces


@pytest.mark.parametrize(
    ("name", "words", "character", "first"),
    [
        (
            "wordpiece",
            "the dogs 我们",
            [("the", 0), ("dog", 1), ("##s", -100), ("我", 2), ("们", -100)],
            [("the", 0), ("dog", 1), ("##s", -100), ("我", 2), ("们", -100)],
        ),
        (
            "unigram",
            "the dogs 我们 我",
            [("▁the", 0), ("▁dog", 1), ("s", -100), ("▁", -100), ("我", 2), ("们", -100), ("▁", -100), ("我", 3)],
            [("▁the", 0), ("▁dog", 1), ("s", -100), ("▁", 2), ("我", -100), ("们", -100), ("▁", 3), ("我", -100)],
        ),
        (
            "unigram",
            "Ġxb ▁ the",
            [("▁", -100), ("Ġ", 0), ("x", -100), ("b", -100), ("▁", 1), ("▁the", 2)],
            [("▁", 0), ("Ġ", -100), ("x", -100), ("b", -100), ("▁", 1), ("▁the", 2)],
        ),
        (
            "byte_level",
            "one two é x",
            [("one", 0), ("Ġtwo", 1), ("Ġ", -100), ("Ã", 2), ("©", -100), ("Ġ", -100), ("x", 3)],
            [("one", 0), ("Ġtwo", 1), ("Ġ", 2), ("Ã", -100), ("©", -100), ("Ġ", 3), ("x", -100)],
        ),
        ("wordpiece", "Ġ dog", [("Ġ", 0), ("dog", 1)], [("Ġ", 0), ("dog", 1)]),
    ],
    ids=["BERT", "XLM-R", "XLM-R, letter Ġ and lone ▁", "ModernBERT", "BERT, letter Ġ"],
)
def test_a_words_label_is_on_its_first_piece_with_characters(request, name, words, character, first):
    fixture = {"wordpiece": "bert_tokenizer", "unigram": "xlmr_tokenizer", "byte_level": "modernbert_tokenizer"}[name]
    tokenizer = request.getfixturevalue(fixture)
    assert rows_of(encode_tags(tagged(words), tokenizer, 128), tokenizer) == [character]
    assert rows_of(encode_tags(tagged(words), tokenizer, 128, "first"), tokenizer) == [first]


def test_words_have_the_pieces_of_running_text(tokenizer):
    (row,) = encode_tags(tagged("one two one"), tokenizer, 128).to_list()
    expected = tokenizer("one two one")
    assert {name: row[name] for name in expected} == dict(expected)
    assert (row["length"], row["sentence"], row["first_word"]) == (len(expected["input_ids"]), 0, 0)


@pytest.mark.parametrize("word", ["\x00", "\u200b", ""])
def test_a_word_without_pieces_becomes_the_unknown_token(bert_tokenizer, word):
    encoded = encode_tags(tagged(f"the {word} dog"), bert_tokenizer, 128)
    assert rows_of(encoded, bert_tokenizer) == [[("the", 0), ("[UNK]", 1), ("dog", 2)]]


def test_a_word_without_pieces_needs_an_unknown_token(bert_tokenizer):
    bert_tokenizer.unk_token = None
    with pytest.raises(InputError, match=r"neither pieces for the word '\\x00' nor an unknown token"):
        encode_tags(tagged("the \x00"), bert_tokenizer, 128)


# ---------------------------------------------------------------- splitting


@pytest.mark.parametrize(
    ("max_length", "rows"),
    [
        (8, ["the dogs running one"]),
        (7, ["the dogs running", "one"]),
        (6, ["the dogs", "running one"]),
        (5, ["the dogs", "running one"]),
        (4, ["the", "dogs", "running", "one"]),
    ],
)
def test_rows_are_filled_with_whole_words(bert_tokenizer, max_length, rows):
    encoded = encode_tags(tagged("one", "the dogs running one"), bert_tokenizer, max_length)
    assert bert_tokenizer.batch_decode(encoded["input_ids"][:], skip_special_tokens=True)[1:] == rows
    assert encoded["sentence"][:] == [0] + [1] * len(rows)
    starts = np.cumsum([0] + [len(row.split()) for row in rows[:-1]]).tolist()
    assert encoded["first_word"][:] == [0, *starts]
    assert labelled(encoded)[1:] == [list(range(s, s + len(r.split()))) for s, r in zip(starts, rows, strict=True)]


@pytest.mark.parametrize("label_piece", ["character", "first"])
@pytest.mark.parametrize("max_length", [3, 4, 5])
def test_a_word_longer_than_a_row_is_cut_and_keeps_its_label(xlmr_tokenizer, max_length, label_piece):
    encoded = encode_tags(tagged("the 我们我们我们 dog"), xlmr_tokenizer, max_length, label_piece)
    word = ["▁", "我", "们", "我", "们", "我", "们"][: max_length - 2]
    rows = rows_of(encoded, xlmr_tokenizer)
    assert [[piece for piece, _ in row] for row in rows] == [["▁the"], word, ["▁dog"]]
    assert labelled(encoded) == [[0], [1], [2]]
    assert rows[1][1 if label_piece == "character" and max_length > 3 else 0][1] == 1


def test_random_sentences_are_split_whole_and_joined_again(tokenizer):
    rng = random.Random(0)
    vocabulary = ["the", "dogs", "running", "one", "two", "我们", "我", "Ġ", "\x00", "we我们run", "dogsdogsdogs"]
    sentences = [" ".join(rng.choices(vocabulary, k=rng.randrange(1, 30))) for _ in range(60)]
    dataset = tagged(*sentences)
    whole = encode_tags(dataset, tokenizer, 10_000)
    assert whole["sentence"][:] == list(range(len(sentences)))
    for max_length in (3, 4, 7, 12, 31):
        encoded = encode_tags(dataset, tokenizer, max_length)
        assert max(encoded["length"]) <= max_length
        assert encoded["length"][:] == [len(ids) for ids in encoded["input_ids"]]
        assert join_tags(encoded, labelled(encoded), len(dataset)) == dataset["tags"][:]
        words = sum(len(tags) for tags in dataset["tags"])
        assert sum(label != IGNORED for labels in encoded["labels"] for label in labels) == words
        if max_length == 31:  # no word is as long as a row, so nothing is cut
            joined = [[] for _ in sentences]
            for row in encoded.to_list():
                joined[row["sentence"]] += row["input_ids"][1:-1]
            assert joined == [ids[1:-1] for ids in whole["input_ids"]]


def test_every_row_of_a_split_sentence_is_full(bert_tokenizer):
    encoded = encode_tags(tagged(" ".join(["dogs", "the"] * 40)), bert_tokenizer, 12)
    lengths = encoded["length"][:]
    first_pieces = [row["input_ids"][1] for row in encoded.to_list()]
    for length, following in zip(lengths, first_pieces[1:], strict=False):
        next_word = 2 if following == bert_tokenizer.convert_tokens_to_ids("dog") else 1
        assert length + next_word > 12


@pytest.mark.parametrize("max_length", [0, 2])
def test_a_limit_without_room_for_words_is_refused(tokenizer, max_length):
    with pytest.raises(InputError, match=f"^max_length {max_length} is too small: expected more than 2$"):
        encode_tags(tagged("the dog"), tokenizer, max_length)


@pytest.mark.parametrize("function", [encode_pairs, encode_tags, encode_trees])
def test_slow_tokenizers_are_refused(bert_tokenizer, monkeypatch, function):
    monkeypatch.setattr(type(bert_tokenizer), "is_fast", False)
    with pytest.raises(InputError, match="is a slow tokenizer"):
        function(tagged("the"), bert_tokenizer, 128)


# ---------------------------------------------------------------- trees


def treed(*sentences):
    """Sentences of words, each the head of the word before it, with the relations 0, 1, 2 …"""
    words = [sentence.split(" ") for sentence in sentences]
    return Dataset.from_dict(
        {
            "tokens": words,
            "heads": [[*range(2, len(sentence) + 1), 0] for sentence in words],
            "relations": [list(range(len(sentence))) for sentence in words],
        }
    )


@pytest.mark.parametrize(
    ("name", "words", "label_piece", "positions"),
    [
        ("wordpiece", "the dogs 我们 \x00", "character", [1, 2, 4, 6]),
        ("unigram", "the dogs 我们 我", "character", [1, 2, 5, 8]),
        ("unigram", "the dogs 我们 我", "first", [1, 2, 4, 7]),
        ("byte_level", "one two é x", "character", [1, 2, 4, 7]),
    ],
)
def test_word_positions_are_those_of_the_label_pieces(request, name, words, label_piece, positions):
    fixture = {"wordpiece": "bert_tokenizer", "unigram": "xlmr_tokenizer", "byte_level": "modernbert_tokenizer"}[name]
    tokenizer = request.getfixturevalue(fixture)
    (row,) = encode_trees(treed(words), tokenizer, 128, label_piece).to_list()
    (tags,) = encode_tags(tagged(words), tokenizer, 128, label_piece).to_list()
    assert row["word_positions"] == positions
    assert positions == [place for place, label in enumerate(tags["labels"]) if label != IGNORED]
    assert row["labels"] == [[2, 0], [3, 1], [4, 2], [0, 3]]
    inputs = [*tokenizer.model_input_names, "length", "sentence"]
    assert {key: row[key] for key in inputs} == {key: tags[key] for key in inputs}
    assert set(row) == {*inputs, "word_positions", "labels"}


@pytest.mark.parametrize(
    ("max_length", "kept", "labels"),
    [
        (8, 4, [[2, 0], [3, 1], [4, 2], [0, 3]]),
        (7, 3, [[2, 0], [3, 1], [-100, -100]]),
        (6, 2, [[2, 0], [-100, -100]]),
        (5, 2, [[2, 0], [-100, -100]]),
        (4, 1, [[-100, -100]]),
    ],
)
def test_a_tree_is_cut_behind_the_last_whole_word(bert_tokenizer, max_length, kept, labels):
    encoded = encode_trees(treed("one", "the dogs running one"), bert_tokenizer, max_length)
    assert encoded["sentence"][:] == [0, 1]
    assert encoded["labels"][:] == [[[0, 0]], labels]
    assert len(encoded["word_positions"][1]) == kept
    assert encoded["length"][1] == len(encoded["input_ids"][1]) == {8: 8, 7: 7, 6: 5, 5: 5, 4: 3}[max_length]


def test_the_first_word_is_kept_however_long(xlmr_tokenizer):
    (row,) = encode_trees(treed("我们我们我们 dog"), xlmr_tokenizer, 4).to_list()
    assert (row["length"], row["word_positions"], row["labels"]) == (4, [2], [[IGNORED, IGNORED]])
    with pytest.raises(InputError, match="^max_length 2 is too small: expected more than 2$"):
        encode_trees(treed("dog"), xlmr_tokenizer, 2)


@pytest.mark.parametrize(("name", "unknown"), [("uddep", 14), ("uddep-arcs", 0)])
def test_words_that_were_cut_off_hang_on_the_word_before(bert_tokenizer, name, unknown):
    dataset = treed("one", "the dogs running one two", "a the")
    encoded = encode_trees(dataset, bert_tokenizer, 7).select([2, 1, 0])
    predictions = [
        [(0, 1), (1, 2), (IGNORED, IGNORED)],
        [(2, 5), (0, 6), (1, 7)],
        np.array([[0, 9], [IGNORED, IGNORED]]),
    ]
    assert complete_trees(TASKS[name], encoded, predictions, [1, 5, 2]) == [
        [(0, 9)],
        [(2, 5), (0, 6), (1, 7), (3, unknown), (4, unknown)],
        [(0, 1), (1, 2)],
    ]
    for short in (predictions[1][:2], [(2, 5), (0, 6), (IGNORED, IGNORED)]):
        with pytest.raises(ValueError, match="sentence 1: fewer predictions than the 3 words of its row"):
            complete_trees(TASKS[name], encoded, [predictions[0], short, predictions[2]], [1, 5, 2])


def test_a_batch_of_trees_is_padded_by_words(tokenizer):
    task = TASKS["uddep"]
    encoded = encode(task, treed("one", "one two one"), tokenizer, 128)
    columns = (*tokenizer.model_input_names, "word_positions", "labels")
    batch = data_collator(task, tokenizer)([{name: row[name] for name in columns} for row in encoded.to_list()])
    assert batch.keys() == set(columns)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, 5)
    assert batch["word_positions"].tolist() == [[1, -1, -1], [1, 2, 3]]
    assert batch["labels"].tolist() == [[[0, 0], [-100, -100], [-100, -100]], [[2, 0], [3, 1], [0, 2]]]
    unlabelled = data_collator(task, tokenizer)(
        [{name: row[name] for name in columns[:-1]} for row in encoded.to_list()]
    )
    assert unlabelled.keys() == set(columns[:-1])


@pytest.mark.slow
def test_real_trees_fit_into_a_row(xtreme_data, request):
    tokenizer = request.getfixturevalue("embedded_tokenizer")
    task, source = TASKS["uddep"], FolderSource(xtreme_data)
    for language in source.languages(task, "test"):
        rows = source.load(task, "test", language)
        encoded = encode(task, rows, tokenizer, task.recipe.max_length)
        arcs = [list(map(list, zip(*arc, strict=True))) for arc in zip(rows["heads"], rows["relations"], strict=True)]
        assert encoded["labels"][:] == arcs, language
        assert all(max(places) < length - 1 for places, length in zip(encoded["word_positions"], encoded["length"]))


def test_a_data_set_without_sentences_gives_no_rows(tokenizer):
    empty = tagged("the").select([])
    encoded = encode_tags(empty, tokenizer, 128)
    assert len(encoded) == 0 and "input_ids" in encoded.column_names
    assert join_tags(encoded, [], 0) == []


# ---------------------------------------------------------------- join


def test_rows_may_come_back_in_another_order(bert_tokenizer):
    dataset = tagged("the dogs running one", "two", "the dog the dog")
    encoded = encode_tags(dataset, bert_tokenizer, 4).shuffle(seed=1)
    assert encoded["sentence"][:] != sorted(encoded["sentence"])
    assert join_tags(encoded, labelled(encoded), 3) == dataset["tags"][:]


def test_missing_rows_and_wrong_lengths_are_noticed(bert_tokenizer):
    encoded = encode_tags(tagged("the dogs running one"), bert_tokenizer, 4)
    predictions = labelled(encoded)
    with pytest.raises(ValueError, match="sentence 0: 1 predictions before word 2"):
        join_tags(encoded.select([0, 2, 3]), [predictions[i] for i in (0, 2, 3)], 1)
    with pytest.raises(ValueError, match="sentence 0: 2 predictions for 1 words"):
        join_tags(encoded, [[0, 0], *predictions[1:]], 1)
    with pytest.raises(ValueError, match="sentence 0: 0 predictions for 1 words"):
        join_tags(encoded, [*predictions[:-1], []], 1)
    with pytest.raises(ValueError, match="zip"):
        join_tags(encoded, predictions[:-1], 1)


def test_predictions_are_taken_at_the_labels():
    predictions = np.array([[9, 1, 2, 9], [9, 3, 9, 9]])
    labels = np.array([[-100, 0, 0, -100], [-100, 5, -100, -100]])
    assert at_labels(predictions, labels) == [[1, 2], [3]]
    with pytest.raises(ValueError, match="differ in shape"):
        at_labels(predictions[:, :3], labels)


# ---------------------------------------------------------------- batches


def test_batches_are_padded_to_their_longest_row(tokenizer):
    task = TASKS["udpos"]
    encoded = encode(task, tagged("one", "one two one"), tokenizer, 128)
    batch = data_collator(task, tokenizer)(
        [{name: row[name] for name in (*tokenizer.model_input_names, "labels")} for row in encoded.to_list()]
    )
    assert batch["input_ids"].shape == batch["labels"].shape == (2, 5)
    assert batch["attention_mask"].sum(1).tolist() == [3, 5]
    assert batch["labels"][0].tolist() == [-100, 0, -100, -100, -100]

    task = TASKS["xnli"]
    encoded = encode(task, pairs("one", "two"), tokenizer, 128)
    batch = data_collator(task, tokenizer)(
        [{name: row[name] for name in (*tokenizer.model_input_names, "labels")} for row in encoded.to_list()]
    )
    assert batch["labels"].tolist() == [1]


# ---------------------------------------------------------------- the embedded encoder's tokenizer


@pytest.fixture(scope="module")
def embedded_tokenizer(embedded_encoder):
    return AutoTokenizer.from_pretrained(embedded_encoder)


def test_the_embedded_vocabulary_has_lone_space_pieces_that_are_passed_over(embedded_tokenizer):
    dataset = tagged("是 学校 dogs")
    pieces = rows_of(encode_tags(dataset, embedded_tokenizer, 128), embedded_tokenizer)[0]
    assert [piece for piece, label in pieces if label != IGNORED] == ["是", "学校", "▁dog"]
    pieces = rows_of(encode_tags(dataset, embedded_tokenizer, 128, "first"), embedded_tokenizer)[0]
    assert [piece for piece, label in pieces if label != IGNORED] == ["▁", "▁", "▁dog"]


@cache
def last_sentences(xtreme_data, name: str) -> dict[tuple[str, str], Dataset]:
    """The last 50 sentences of every file of a task, by split and language."""
    source, task, found = FolderSource(xtreme_data), TASKS[name], {}
    for split in SPLITS:
        for language in source.languages(task, split):
            rows = source.load(task, split, language)
            found[split, language] = rows.select(range(max(0, len(rows) - 50), len(rows)))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["panx", "udpos"])
@pytest.mark.parametrize("label_piece", ["character", "first"])
def test_every_word_at_the_end_of_every_real_file_is_labelled_once(xtreme_data, embedded_tokenizer, name, label_piece):
    split_rows = 0
    for where, dataset in last_sentences(xtreme_data, name).items():
        encoded = encode_tags(dataset, embedded_tokenizer, 24, label_piece)
        assert max(encoded["length"]) <= 24
        assert join_tags(encoded, labelled(encoded), len(dataset)) == dataset["tags"][:], where
        split_rows += len(encoded) - len(dataset)
    assert split_rows > 500


@pytest.mark.parametrize(
    ("name", "split", "language"), [("udpos", "test", "zh"), ("udpos", "test", "ja"), ("panx", "validation", "ja")]
)
def test_every_word_of_a_real_file_is_labelled_once_at_xtremes_length(
    xtreme_data, embedded_tokenizer, name, split, language
):
    dataset = FolderSource(xtreme_data).load(TASKS[name], split, language)
    encoded = encode_tags(dataset, embedded_tokenizer, TASKS[name].recipe.max_length)
    assert len(encoded) > len(dataset)
    assert join_tags(encoded, labelled(encoded), len(dataset)) == dataset["tags"][:]
