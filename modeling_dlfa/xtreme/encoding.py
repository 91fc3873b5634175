"""From the sources' rows to what an encoder reads: sub-word ids, with a word's label on one of its pieces.

Tagged sentences that are longer than the limit become several rows, as in XTREME, so that every word is scored;
`join_tags` puts the predictions together again.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from datasets import Dataset, Features, List, Value
from transformers import DataCollatorForTokenClassification, DataCollatorWithPadding, PreTrainedTokenizerBase

from ..errors import InputError
from .tasks import Task


LabelPiece = Literal["character", "first"]

IGNORED = -100  # the label id that PyTorch's cross entropy leaves out

# How vocabularies write white space: SentencePiece's ▁, byte-level Ġ (space) and Ċ (newline).
_SPACE_MARKS = "▁ĠĊ \t\n"


def encode(
    task: Task,
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    label_piece: LabelPiece = "character",
) -> Dataset:
    """`encode_pairs` or `encode_tags`, by the kind of the task."""
    if task.kind == "classification":
        return encode_pairs(dataset, tokenizer, max_length)
    return encode_tags(dataset, tokenizer, max_length, label_piece)


def data_collator(
    task: Task, tokenizer: PreTrainedTokenizerBase
) -> DataCollatorWithPadding | DataCollatorForTokenClassification:
    """The collator that pads a task's encoded rows to the longest of the batch."""
    if task.kind == "classification":
        return DataCollatorWithPadding(tokenizer)
    return DataCollatorForTokenClassification(tokenizer, label_pad_token_id=IGNORED)


def encode_pairs(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Encode sentence pairs, one row each.

    Args:
        dataset: columns `sentence1`, `sentence2` and `label`.
        max_length: sub-words of a pair, special tokens included; the longer sentence is cut first.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids` as far as the tokenizer makes them, `labels` (ids) and
        `length` (sub-words).
    """
    _check_fast(tokenizer)

    def encode_batch(batch: dict[str, list]) -> dict[str, list]:
        encoded = tokenizer(
            batch["sentence1"], batch["sentence2"], truncation="longest_first", max_length=max_length, padding=False
        )
        columns = {name: encoded[name] for name in tokenizer.model_input_names if name in encoded}
        return columns | {"labels": batch["label"], "length": [len(ids) for ids in columns["input_ids"]]}

    return dataset.map(encode_batch, batched=True, remove_columns=dataset.column_names, desc="Encoding pairs")


def encode_tags(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    label_piece: LabelPiece = "character",
) -> Dataset:
    """Encode tagged sentences, each in one row or, where it is too long, in several.

    Rows are filled with whole words as far as `max_length` goes, as XTREME does. Every word has its label on exactly
    one piece. A word without pieces becomes the unknown token (XTREME); a word longer than a row is cut (our choice;
    XTREME makes it the unknown token).

    Args:
        dataset: columns `tokens` (words) and `tags` (label ids).
        max_length: sub-words of a row, special tokens included.
        label_piece: "character" (our choice) labels a word's first piece that holds characters; "first" (XTREME)
            labels its first piece, a lone "▁" for many words of unspaced scripts in SentencePiece vocabularies.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids` as far as the tokenizer makes them, `labels` (ids, -100 off
        the label pieces), `length` (sub-words), `sentence` (row in `dataset`) and `first_word` (place of the row's
        first word in that sentence).

    Raises:
        InputError: for a slow tokenizer, and a `max_length` that leaves no room beside the special tokens.
    """
    _check_fast(tokenizer)
    before, after = _special_tokens(tokenizer)
    room = max_length - len(before) - len(after)
    if room < 1:
        raise InputError(f"max_length {max_length} is too small: expected more than {len(before) + len(after)}")

    sentences: list[list[str]] = dataset["tokens"][:]
    if _wants_spaces(tokenizer):
        sentences = [words[:1] + [f" {word}" for word in words[1:]] for words in sentences]
    pieces_of = _tokenize_words(tokenizer, (word for words in sentences for word in words))
    blank = _blank_pieces(tokenizer, pieces_of.values()) if label_piece == "character" else frozenset()

    inputs: dict[str, list] = {name: [] for name in tokenizer.model_input_names if name in _CONSTANT_INPUTS}
    columns: dict[str, list] = {"input_ids": []} | inputs
    columns |= {"labels": [], "length": [], "sentence": [], "first_word": []}

    def add_row(ids: list[int], labels: list[int], sentence: int, first_word: int) -> None:
        row = [*before, *ids, *after]
        columns["input_ids"].append(row)
        for name in inputs:
            columns[name].append([_CONSTANT_INPUTS[name]] * len(row))
        columns["labels"].append([IGNORED] * len(before) + labels + [IGNORED] * len(after))
        columns["length"].append(len(row))
        columns["sentence"].append(sentence)
        columns["first_word"].append(first_word)

    for sentence, (words, tags) in enumerate(zip(sentences, dataset["tags"][:], strict=True)):
        ids: list[int] = []
        labels: list[int] = []
        first_word = 0
        for place, (word, tag) in enumerate(zip(words, tags, strict=True)):
            pieces = pieces_of[word][:room]
            if ids and len(ids) + len(pieces) > room:
                add_row(ids, labels, sentence, first_word)
                ids, labels, first_word = [], [], place
            labelled = next((index for index, piece in enumerate(pieces) if piece not in blank), 0)
            ids = ids + pieces
            labels = labels + [tag if index == labelled else IGNORED for index in range(len(pieces))]
        if ids:
            add_row(ids, labels, sentence, first_word)
    return Dataset.from_dict(columns, features=Features({name: _FEATURES[name] for name in columns}))


def at_labels(predictions: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """The predicted label ids of each row at its labelled positions.

    Args:
        predictions: label ids, (rows, positions).
        labels: the rows' `labels`, padded with -100 to the same shape.
    """
    if predictions.shape != labels.shape:
        raise ValueError(f"predictions {predictions.shape} and labels {labels.shape} differ in shape")
    return [row[mask].tolist() for row, mask in zip(predictions, labels != IGNORED, strict=True)]


def join_tags(encoded: Dataset, predictions: Sequence[Sequence[int]], sentences: int) -> list[list[int]]:
    """Put the predictions of split sentences together again.

    Args:
        encoded: what `encode_tags` returned; its rows may have been reordered together with `predictions`.
        predictions: for each of its rows, the predicted label ids of the row's words, as from `at_labels`.
        sentences: number of sentences that were encoded.

    Returns:
        For each sentence the predicted label ids, one per word.

    Raises:
        ValueError: where rows are missing or have more or fewer predictions than words.
    """
    joined: list[list[int]] = [[] for _ in range(sentences)]
    words = [sum(label != IGNORED for label in labels) for labels in encoded["labels"]]
    rows = zip(encoded["sentence"], encoded["first_word"], words, predictions, strict=True)
    for sentence, first_word, count, tags in sorted(rows, key=lambda row: row[:2]):
        if len(joined[sentence]) != first_word:
            raise ValueError(f"sentence {sentence}: {len(joined[sentence])} predictions before word {first_word}")
        if len(tags) != count:
            raise ValueError(f"sentence {sentence}: {len(tags)} predictions for {count} words")
        joined[sentence].extend(tags)
    return joined


_CONSTANT_INPUTS = {"attention_mask": 1, "token_type_ids": 0}
_FEATURES = {
    "input_ids": List(Value("int32")),
    "attention_mask": List(Value("int8")),
    "token_type_ids": List(Value("int8")),
    "labels": List(Value("int64")),
    "length": Value("int64"),
    "sentence": Value("int64"),
    "first_word": Value("int64"),
}


def _check_fast(tokenizer: PreTrainedTokenizerBase) -> None:
    if not tokenizer.is_fast:
        raise InputError(f"{type(tokenizer).__name__} is a slow tokenizer: expected one backed by tokenizers")


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str], special: bool = False) -> list[list[int]]:
    return tokenizer(texts, add_special_tokens=special, verbose=False)["input_ids"]  # pyright: ignore


def _special_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int]]:
    """Ids of the special tokens before and after a single sequence, read off an example."""
    (body,), (whole,) = _ids(tokenizer, ["a"]), _ids(tokenizer, ["a"], special=True)
    start = next(i for i in range(len(whole)) if whole[i : i + len(body)] == body)
    return whole[:start], whole[start + len(body) :]


def _wants_spaces(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether words must be given with the space before them to get the pieces they have in running text.

    WordPiece and XLM-R's SentencePiece do without; byte-level vocabularies (ModernBERT) and Gemma's (mmBERT) do not.
    """
    first, second, spaced, text = _ids(tokenizer, ["one", "two", " two", "one two"])
    return text != first + second and text == first + spaced


def _tokenize_words(tokenizer: PreTrainedTokenizerBase, words: Iterable[str]) -> dict[str, list[int]]:
    """Each distinct word's pieces: a corpus repeats its words, so this is much faster than word after word."""
    distinct = list(dict.fromkeys(words))
    if not distinct:
        return {}
    pieces = dict(zip(distinct, _ids(tokenizer, distinct), strict=True))
    for word in [word for word, ids in pieces.items() if not ids]:
        if tokenizer.unk_token_id is None:
            raise InputError(f"the tokenizer has neither pieces for the word {word!r} nor an unknown token")
        pieces[word] = [tokenizer.unk_token_id]  # pyright: ignore
    return pieces


def _blank_pieces(tokenizer: PreTrainedTokenizerBase, words: Iterable[list[int]]) -> frozenset[int]:
    """Those of the words' pieces that hold no characters.

    The marks alone do not decide: Ġ is white space in a byte-level vocabulary and a letter in a SentencePiece one.
    """
    used = list({piece for pieces in words for piece in pieces})
    marks = [
        (piece, token)
        for piece, token in zip(used, tokenizer.convert_ids_to_tokens(used), strict=True)
        if not token.strip(_SPACE_MARKS)
    ]
    return frozenset(piece for piece, token in marks if not tokenizer.convert_tokens_to_string([token]).strip())
