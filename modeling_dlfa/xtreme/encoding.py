"""From the sources' rows to what an encoder reads: sub-word ids, with a word's label on one of its pieces.

Tagged sentences that are longer than the limit become several rows, as in XTREME, so that every word is scored;
`join_tags` puts the predictions together again. A tree cannot be split: what does not fit is left out, and
`complete_trees` gives it a head.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from datasets import Dataset, Features, List, Value
from transformers import DataCollatorForTokenClassification, DataCollatorWithPadding, PreTrainedTokenizerBase

from ..errors import InputError
from .tasks import Task
from .trees import UNKNOWN_RELATION


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
    """`encode_pairs`, `encode_tags` or `encode_trees`, by the kind of the task."""
    if task.kind == "classification":
        return encode_pairs(dataset, tokenizer, max_length)
    if task.kind == "parsing":
        return encode_trees(dataset, tokenizer, max_length, label_piece)
    return encode_tags(dataset, tokenizer, max_length, label_piece)


def data_collator(task: Task, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
    """The collator that pads a task's encoded rows to the longest of the batch."""
    if task.kind == "classification":
        return DataCollatorWithPadding(tokenizer)
    if task.kind == "parsing":
        return DataCollatorForParsing(tokenizer)
    return DataCollatorForTokenClassification(tokenizer, label_pad_token_id=IGNORED)


@dataclass
class DataCollatorForParsing:
    """Pads rows of `encode_trees`: the inputs as the tokenizer does, words to the most of the batch.

    Returns `word_positions` (B, W) padded with -1 and `labels` (B, W, 2) padded with -100 beside the inputs.
    """

    tokenizer: PreTrainedTokenizerBase

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        inputs = [{name: value for name, value in row.items() if name not in _OF_WORDS} for row in rows]
        batch = dict(DataCollatorWithPadding(self.tokenizer)(inputs))
        words = max(len(row["word_positions"]) for row in rows)
        batch["word_positions"] = torch.full((len(rows), words), -1)
        if "labels" in rows[0]:
            batch["labels"] = torch.full((len(rows), words, 2), IGNORED)
        for place, row in enumerate(rows):
            for name in _OF_WORDS & row.keys():
                batch[name][place, : len(row[name])] = torch.tensor(row[name])
        return batch


_OF_WORDS = {"word_positions", "labels"}


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
    pieces = _Pieces(tokenizer, dataset["tokens"][:], max_length, label_piece)
    rows: list[dict[str, Any]] = []

    def add_row(ids: list[int], labels: list[int], sentence: int, first_word: int) -> None:
        labels = [IGNORED] * len(pieces.before) + labels + [IGNORED] * len(pieces.after)
        rows.append(pieces.row(ids) | {"labels": labels, "sentence": sentence, "first_word": first_word})

    for sentence, tags in enumerate(dataset["tags"][:]):
        ids: list[int] = []
        labels: list[int] = []
        first_word = 0
        for place, ((word, labelled), tag) in enumerate(zip(pieces.words(sentence), tags, strict=True)):
            if ids and len(ids) + len(word) > pieces.room:
                add_row(ids, labels, sentence, first_word)
                ids, labels, first_word = [], [], place
            ids = ids + word
            labels = labels + [tag if index == labelled else IGNORED for index in range(len(word))]
        if ids:
            add_row(ids, labels, sentence, first_word)
    return _dataset(rows, [*pieces.columns, "labels", "sentence", "first_word"], _TAG_FEATURES)


def encode_trees(
    dataset: Dataset,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    label_piece: LabelPiece = "character",
) -> Dataset:
    """Encode sentences with their trees, one row each, cut behind the last word that fits whole.

    Words have the pieces that `encode_tags` gives them.

    Args:
        dataset: columns `tokens` (words), `heads` (0 for the root, words from 1 on) and `relations` (ids).
        max_length, label_piece: as for `encode_tags`.

    Returns:
        The inputs as from `encode_tags`, `word_positions` (the place of each kept word's label piece in the row),
        `labels` ([head, relation] of each kept word; both -100 where the head was cut off), `length` (sub-words) and
        `sentence` (row in `dataset`).

    Raises:
        InputError: as `encode_tags`.
    """
    pieces = _Pieces(tokenizer, dataset["tokens"][:], max_length, label_piece)
    rows: list[dict[str, Any]] = []
    for sentence, arcs in enumerate(zip(dataset["heads"][:], dataset["relations"][:], strict=True)):
        ids: list[int] = []
        positions: list[int] = []
        for word, labelled in pieces.words(sentence):
            if ids and len(ids) + len(word) > pieces.room:
                break
            positions.append(len(pieces.before) + len(ids) + labelled)
            ids = ids + word
        kept = len(positions)
        labels = [
            [head, relation] if head <= kept else [IGNORED, IGNORED]
            for head, relation in list(zip(*arcs, strict=True))[:kept]
        ]
        rows.append(pieces.row(ids) | {"word_positions": positions, "labels": labels, "sentence": sentence})
    return _dataset(rows, [*pieces.columns, "word_positions", "labels", "sentence"], _TREE_FEATURES)


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


def complete_trees(
    task: Task, encoded: Dataset, predictions: Sequence[Sequence[Sequence[int]]], words: Sequence[int]
) -> list[list[tuple[int, int]]]:
    """Predictions in the order of the sentences, with the words that did not fit into the row.

    Such a word is attached to the word before it with the relation "dep" (our choice): the tree stays one, and every
    word is scored.

    Args:
        encoded: what `encode_trees` returned; its rows may have been reordered together with `predictions`.
        predictions: for each of its rows (head, relation id) of each kept word, padding behind them allowed.
        words: number of words of each sentence that was encoded.

    Returns:
        For each sentence (head, relation id) of each word.
    """
    unknown = task.labels.index(UNKNOWN_RELATION)
    completed: list[list[tuple[int, int]]] = [[] for _ in words]
    for sentence, positions, arcs in zip(encoded["sentence"], encoded["word_positions"], predictions, strict=True):
        kept = len(positions)
        predicted = [(int(head), int(relation)) for head, relation in arcs[:kept]]
        if len(predicted) < kept or any(head < 0 for head, _ in predicted):
            raise ValueError(f"sentence {sentence}: fewer predictions than the {kept} words of its row")
        completed[sentence] = predicted + [(before, unknown) for before in range(kept, words[sentence])]
    return completed


_CONSTANT_INPUTS = {"attention_mask": 1, "token_type_ids": 0}
_INPUT_FEATURES = {
    "input_ids": List(Value("int32")),
    "attention_mask": List(Value("int8")),
    "token_type_ids": List(Value("int8")),
    "length": Value("int64"),
    "sentence": Value("int64"),
}
_TAG_FEATURES = _INPUT_FEATURES | {"labels": List(Value("int64")), "first_word": Value("int64")}
_TREE_FEATURES = _INPUT_FEATURES | {"labels": List(List(Value("int64"))), "word_positions": List(Value("int64"))}


class _Pieces:
    """The pieces of sentences of words, and the rows that hold them.

    Attributes:
        before, after: ids of the special tokens around a row.
        room: pieces that fit between them.
        columns: names of what `row` makes.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        sentences: list[list[str]],
        max_length: int,
        label_piece: LabelPiece,
    ) -> None:
        _check_fast(tokenizer)
        self.before, self.after = _special_tokens(tokenizer)
        special = len(self.before) + len(self.after)
        self.room = max_length - special
        if self.room < 1:
            raise InputError(f"max_length {max_length} is too small: expected more than {special}")
        if _wants_spaces(tokenizer):
            sentences = [words[:1] + [f" {word}" for word in words[1:]] for words in sentences]
        self._sentences = sentences
        self._pieces_of = _tokenize_words(tokenizer, (word for words in sentences for word in words))
        self._blank = _blank_pieces(tokenizer, self._pieces_of.values()) if label_piece == "character" else frozenset()
        self._inputs = [name for name in tokenizer.model_input_names if name in _CONSTANT_INPUTS]
        self.columns = ["input_ids", *self._inputs, "length"]

    def words(self, sentence: int) -> Iterable[tuple[list[int], int]]:
        """The pieces of each word, cut where they exceed a row, and which of them has the word's label."""
        for word in self._sentences[sentence]:
            pieces = self._pieces_of[word][: self.room]
            yield pieces, next((index for index, piece in enumerate(pieces) if piece not in self._blank), 0)

    def row(self, ids: list[int]) -> dict[str, Any]:
        row = [*self.before, *ids, *self.after]
        constants = {name: [_CONSTANT_INPUTS[name]] * len(row) for name in self._inputs}
        return {"input_ids": row, **constants, "length": len(row)}


def _dataset(rows: list[dict[str, Any]], names: list[str], features: dict[str, Any]) -> Dataset:
    columns = {name: [row[name] for row in rows] for name in names}
    return Dataset.from_dict(columns, features=Features({name: features[name] for name in names}))


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
