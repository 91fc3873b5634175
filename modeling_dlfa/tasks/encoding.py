"""From words to what an encoder reads: sub-word ids, and which piece of a word bears its label."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from ..errors import InputError


LabelPiece = Literal["character", "first"]

IGNORED = -100  # the label id that PyTorch's cross entropy leaves out

# How vocabularies write white space: SentencePiece's ▁, byte-level Ġ (space) and Ċ (newline).
_SPACE_MARKS = "▁ĠĊ \t\n"

BESIDE_THE_INPUTS = ("length", "sentence", "first_word", "context_at", "starts", "ends", "cut", "places")
"""Columns of encoded rows that no model reads."""

_CONSTANT_INPUTS = {"attention_mask": 1, "token_type_ids": 0}
INPUT_FEATURES = {
    "input_ids": List(Value("int32")),
    "attention_mask": List(Value("int8")),
    "token_type_ids": List(Value("int8")),
    "length": Value("int64"),
    "sentence": Value("int64"),
}


class WordPieces:
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
        check_fast(tokenizer)
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

    def filled(self, sentence: int) -> Iterator[list[tuple[int, list[int], int]]]:
        """The words of a sentence, in one row or, where it is too long, in several: as many as fit whole.

        Each with its place in the sentence, its pieces, and which of them has the word's label.
        """
        row: list[tuple[int, list[int], int]] = []
        taken = 0
        for place, (word, labelled) in enumerate(self.words(sentence)):
            if row and taken + len(word) > self.room:
                yield row
                row, taken = [], 0
            row.append((place, word, labelled))
            taken += len(word)
        if row:
            yield row

    def row(self, ids: list[int]) -> dict[str, Any]:
        row = [*self.before, *ids, *self.after]
        constants = {name: [_CONSTANT_INPUTS[name]] * len(row) for name in self._inputs}
        return {"input_ids": row, **constants, "length": len(row)}


def encoded_dataset(rows: list[dict[str, Any]], names: list[str], features: dict[str, Any]) -> Dataset:
    columns = {name: [row[name] for row in rows] for name in names}
    return Dataset.from_dict(columns, features=Features({name: features[name] for name in names}))


@contextmanager
def on_the_right(
    tokenizer: PreTrainedTokenizerBase, side: Literal["padding_side", "truncation_side"]
) -> Iterator[None]:
    """Pad or cut there for a while, whatever the tokenizer's files say."""
    asked = getattr(tokenizer, side)
    setattr(tokenizer, side, "right")
    try:
        yield
    finally:
        setattr(tokenizer, side, asked)


def check_fast(tokenizer: PreTrainedTokenizerBase) -> None:
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
