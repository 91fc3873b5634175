"""Hidden words that are to be guessed: masked language modelling of sentences that other tasks have labels for."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from ...errors import InputError
from ...files import read_lines, text_hash
from ..encoding import INPUT_FEATURES, LabelPiece, WordPieces, encoded_dataset
from ..positions import PositionsCollator
from ..scores import flat
from ..trees import Tree
from ..wikiann import without_prefix
from .base import Answers, Kind
from .examples import pipeline_example
from .shown import LabelledWord, Picture
from .tags import Tags, at_labels, words_and_places


if TYPE_CHECKING:
    from ...modeling_dlfa import DLFAForMaskedLM
    from ..task import Task


SHARE = 0.15  # of a sentence's words (Devlin et al. 2019, arXiv 1810.04805)


class Masked(Tags):
    """A few words of every sentence are hidden, and guessed; a word is right if all its pieces are.

    Hidden are whole words, chosen once for all by a hash, so that scores can be repeated and the answers stand in the
    rows. In place of every piece of a hidden word stands the mask token: none is left as it is or replaced by another,
    as BERT's are one time in five, because what is scored is what cannot be seen (all this is our choice).
    References are the hidden words.
    """

    name = "masked"
    file_columns = ("tokens",)
    label_column = "masked"
    metrics = ("accuracy",)
    beside: Mapping[str, tuple[str, ...]] = {}
    fewest_labels = 0
    control = True
    auto_class = "AutoModelForMaskedLM"
    pipeline_tag = "fill-mask"
    sample_folder = "uddep"
    probe = None

    @property
    def model_class(self) -> "type[DLFAForMaskedLM]":  # pyright: ignore[reportIncompatibleMethodOverride]
        from ...modeling_dlfa import DLFAForMaskedLM

        return DLFAForMaskedLM

    def outputs(self, task: "Task") -> tuple[str, ...]:
        return ("word",)

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    def features(self, task: "Task") -> Features:
        return Features({"tokens": List(Value("string")), "masked": List(Value("int64"))})

    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        """The words of a file; what else it has is not looked at."""
        return masked_rows(super().read(task, path, language, labelled=False)["tokens"])

    def label_names_in(self, task: "Task", path: Path) -> list[str]:
        return []

    def raw_columns(self, task: "Task") -> tuple[str, ...]:
        return super().raw_columns(task) if task.rung is not None else self.file_columns

    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        tokens = [tokens for tokens in columns["tokens"] if tokens]
        return masked_rows(without_prefix(tokens, language, lambda sentence, _: f"{where}: sentence {sentence + 1}"))

    def from_trees(self, task: "Task", trees: Sequence[Tree]) -> dict[str, list]:
        return masked_rows([tree.tokens for tree in trees])

    def labels_of(self, columns: Mapping[str, list]) -> list:
        return flat(hidden_words(columns["tokens"], columns["masked"]))

    # What is asked for are no labels of a list.
    shuffled = Kind.shuffled
    check_layer_logits = Kind.check_layer_logits
    known = Kind.known

    # -----------------------------------------------------------------------------------------------------------------
    # From rows to the model, and back
    # -----------------------------------------------------------------------------------------------------------------

    def encode(
        self,
        task: "Task",
        rows: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        label_piece: LabelPiece = "character",
    ) -> Dataset:
        if tokenizer.mask_token_id is None:
            raise InputError(
                f"{task.name}: the encoder's tokenizer has no mask token to hide words behind: expected an encoder "
                "that has learnt to guess words, such as BERT or XLM-R"
            )
        return encode_masked(rows, tokenizer, max_length)

    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
        return PositionsCollator(tokenizer, "masked_positions")

    def in_order(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> list:
        """Of every hidden word itself, where it was guessed, else the pieces that were; none of one that has none."""
        pieces = _of_words(rows, features, at_labels(predictions, label_ids))
        golden = _of_words(rows, features, features["labels"][:])
        return [
            [word if gold and ours == gold else ours for word, ours, gold in zip(*of_row, strict=True)]
            for of_row in zip(self.references(rows), pieces, golden, strict=True)
        ]

    def in_words(self, task: "Task", rows: Dataset, found: list, tokenizer: PreTrainedTokenizerBase) -> list:
        """Pieces as text; those that make the hidden word, but are others than its own, stay apart."""
        both = zip(found, self.references(rows), strict=True)
        return [
            [
                one if isinstance(one, str) else _written(one, word, tokenizer)
                for one, word in zip(*of_row, strict=True)
            ]
            for of_row in both
        ]

    def references(self, rows: Dataset) -> list:
        return hidden_words(rows["tokens"][:], rows["masked"][:])

    def label_names(self, task: "Task", labels: Sequence) -> list:
        return [list(words) for words in labels]

    # -----------------------------------------------------------------------------------------------------------------
    # Predictions and card
    # -----------------------------------------------------------------------------------------------------------------

    def read_predictions(self, task: "Task", path: Path) -> list:
        found: list[list[str]] = [[]]
        for line in read_lines(path):
            if line:
                found[-1].append(line)
            else:
                found.append([])
        return [words for words in found if words]

    formats = ("jsonl",)

    def from_texts(
        self, task: "Task", texts: Sequence[str | Sequence[str]], tokenizer: PreTrainedTokenizerBase
    ) -> tuple[dict[str, list], list[dict[str, Any]]]:
        """The words that are hidden are chosen as in data.

        Raises:
            InputError: as `words_and_places`, or a text hides a word itself.
        """
        mask: Any = tokenizer.mask_token
        for number, text in enumerate(texts, start=1):
            if mask is not None and mask in text:
                raise InputError(
                    f"text {number}: it holds the mask token {mask}, but the words to guess are chosen here: give "
                    "whole sentences, or ask Transformers' fill-mask pipeline"
                )
        tokens, known = words_and_places(texts, tokenizer)
        return masked_rows(tokens), known

    def answers(
        self,
        task: "Task",
        rows: Dataset,
        features: Dataset,
        predicted: np.ndarray,
        probabilities: np.ndarray,
        labels: np.ndarray,
    ) -> Answers:
        """The probability of a word is the product of its pieces'; 0 of one that the vocabulary lacks."""
        shares = _of_words(rows, features, at_labels(probabilities, labels))
        return Answers(
            self.in_order(task, rows, features, predicted, labels),
            [[math.prod(of_word) if of_word else 0.0 for of_word in of_row] for of_row in shares],
        )

    def described(self, task: "Task", rows: Dataset, answers: Answers) -> list[dict[str, Any]]:
        both = zip(rows.to_list(), answers.names, answers.probabilities, strict=True)
        return [
            {**row, "guesses": words, "probabilities": [round(p, 4) for p in probabilities]}
            for row, words, probabilities in both
        ]

    def picture(self, task: "Task", typed: Sequence[str], answer: Mapping[str, Any]) -> Picture:
        """The hidden words alone, each with what was guessed."""
        hidden = [answer["tokens"][place] for place in answer["masked"]]
        return Picture(words=tuple(map(LabelledWord, hidden, answer["guesses"], answer["probabilities"])))

    def example(self, task: "Task", repository: str, prefix: str = "") -> str:
        return pipeline_example(self, repository, 'f"Angela Merkel was born in {classify.tokenizer.mask_token}."')


def masked_rows(sentences: Sequence[list[str]]) -> dict[str, list]:
    """Rows of sentences of words."""
    return {"tokens": list(sentences), "masked": [masked_places(words) for words in sentences]}


def hidden_words(sentences: Sequence[Sequence[str]], masked: Sequence[Sequence[int]]) -> list[list[str]]:
    """The words at the places that are hidden, sentence by sentence."""
    return [[words[place] for place in places] for words, places in zip(sentences, masked, strict=True)]


def masked_places(words: Sequence[str]) -> list[int]:
    """Places of the words that are hidden, ascending: 15 % of them, one at least, always the same of a sentence."""
    text = " ".join(words)
    ranks = [text_hash(f"{place} {text}") for place in range(len(words))]
    return sorted(sorted(range(len(words)), key=ranks.__getitem__)[: max(1, round(SHARE * len(words)))])


def encode_masked(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Encode sentences with hidden words, each in one row or, where it is too long, in several.

    Rows are filled as by `encode_tags`; those without a hidden word are left out. A word that the vocabulary lacks, in
    part or whole, stays as it is read, and cannot be guessed.

    Args:
        dataset: columns `tokens` (words) and `masked` (places of those that are hidden).
        max_length: sub-words of a row, special tokens included.

    Returns:
        The inputs as from `encode_tags`, `masked_positions` (places of the mask tokens in the row), `labels` (ids of
        the pieces that stood there), `places` (of each of these the place of its word in the sentence), `length`
        (sub-words) and `sentence` (row in `dataset`).

    Raises:
        InputError: as `encode_tags`.
    """
    pieces = WordPieces(tokenizer, dataset["tokens"][:], max_length, "first")
    mask: Any = tokenizer.mask_token_id
    rows: list[dict[str, Any]] = []
    for sentence, masked in enumerate(dataset["masked"][:]):
        for words in pieces.filled(sentence):
            ids: list[int] = []
            hidden: dict[str, list[int]] = {"masked_positions": [], "labels": [], "places": []}
            for place, word, _ in words:
                if place in masked and word and tokenizer.unk_token_id not in word:
                    first = len(pieces.before) + len(ids)
                    hidden["masked_positions"] += range(first, first + len(word))
                    hidden["labels"] += word
                    hidden["places"] += [place] * len(word)
                    word = [mask] * len(word)
                ids += word
            if hidden["labels"]:
                rows.append(pieces.row(ids) | hidden | {"sentence": sentence})
    return encoded_dataset(rows, [*pieces.columns, "masked_positions", "labels", "places", "sentence"], _FEATURES)


_FEATURES = INPUT_FEATURES | dict.fromkeys(("masked_positions", "labels", "places"), List(Value("int64")))


def _of_words(rows: Dataset, features: Dataset, values: Sequence[Sequence[Any]]) -> list[list[list[Any]]]:
    """Values of hidden pieces, row by row of `features`, as lists of each hidden word of each row of `rows`."""
    found: list[dict[int, list[Any]]] = [{place: [] for place in places} for places in rows["masked"][:]]
    for sentence, places, of_row in zip(features["sentence"][:], features["places"][:], values, strict=True):
        for place, value in zip(places, of_row, strict=True):
            found[sentence][place].append(value)
    return [list(of_sentence.values()) for of_sentence in found]


def _written(pieces: Sequence[int], word: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """Guessed pieces as a text of one line, which is not the hidden word."""
    known: Any = tokenizer.convert_ids_to_tokens(list(pieces))
    both = zip(pieces, known, strict=True)
    tokens = [token or f"[{piece}]" for piece, token in both]  # embeddings may have more rows than there are pieces
    text = " ".join(tokenizer.convert_tokens_to_string(tokens).split())
    if text in ("", word):
        text = "+".join("".join(token.split()) for token in tokens)
    while text in ("", word):  # "," for "▁,", and nothing at all
        text = f"+{text}"
    return text
