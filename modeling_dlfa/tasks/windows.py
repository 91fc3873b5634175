"""Questions with their contexts as an encoder reads them: where a context is too long, window by window."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, groupby
from typing import Any

import numpy as np
from datasets import Dataset, Features, List, Value
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from ..errors import InputError
from .encoding import INPUT_FEATURES, check_fast, on_the_right


QUESTION_PIECES = 64
"""What is read of a question (XTREME), or a third of the row if that is less (our choice)."""

FEATURES = {
    **INPUT_FEATURES,
    "labels": List(Value("int64"), 2),
    "context_at": Value("int64"),
    "starts": List(Value("int64")),
    "ends": List(Value("int64")),
    "cut": Value("bool"),
}

_OF_TOKENIZERS = ("input_ids", "attention_mask", "token_type_ids")
_MADE = tuple(name for name in FEATURES if name not in _OF_TOKENIZERS)

NOT_HERE = -1
"""In `starts`: an answer from this token on is looked for in another window, with more of the context around it."""


def question_pieces(max_length: int) -> int:
    """The most that is read of a question, in rows of so many pieces."""
    return min(QUESTION_PIECES, max_length // 3)


def encode_questions(rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Encode questions with their contexts, one row for each window.

    A window has the question and a part of the context; the next one begins before this one ends, with a third of a
    row in common (as transformers' examples for rows of 384).

    Args:
        rows: columns `context`, `question`, `texts` and `starts`.
        max_length: sub-words of a window, question and special tokens included.

    Returns:
        what the tokenizer makes; `labels`, places of the first and the last token of the first answer, or twice that
        of the first token where the window does not have the whole of it; `length` (sub-words) and `sentence` (which
        row it is of); `context_at`, the place of the context's first token; of each token of the context `starts` and
        `ends`, where it stands in the text, or `NOT_HERE`; `cut`, whether the question is not read to its end.
    """
    check_fast(tokenizer)
    limit = question_pieces(max_length)
    most = max_length - limit - tokenizer.num_special_tokens_to_add(pair=True)
    if most < 2:
        raise InputError(f"--max_length {max_length}: expected room for a question and its context")
    overlap = min(max_length // 3, most - 1)
    inputs = [name for name in tokenizer.model_input_names if name in INPUT_FEATURES]

    def encode_batch(batch: dict[str, list], numbers: list[int]) -> dict[str, list]:
        questions = _cut(tokenizer, batch["question"], limit)
        # The next window is behind this one, so that what is cut is on the right.
        with on_the_right(tokenizer, "truncation_side"):
            encoded: Any = tokenizer(
                questions,
                batch["context"],
                truncation="only_second",
                max_length=max_length,
                stride=overlap,
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
            )
        columns: dict[str, list] = {name: encoded[name] for name in inputs}
        columns |= {name: [] for name in _MADE}
        contexts = [_context(encoded, window) for window in range(len(encoded["input_ids"]))]
        for row, windows in groupby(range(len(contexts)), key=encoded["overflow_to_sample_mapping"].__getitem__):
            own = list(windows)
            texts, starts = batch["texts"][row], batch["starts"][row]
            here = _owners([contexts[window][1] - contexts[window][0] for window in own], overlap)
            for number, window in enumerate(own):
                first, last = contexts[window]
                places = encoded["offset_mapping"][window][first:last]
                label = None
                if texts:
                    cut = (number > 0, number < len(own) - 1)
                    label = _label(places, starts[0], starts[0] + len(texts[0]), cut)
                columns["labels"].append([first + label[0], first + label[1]] if label else [0, 0])
                columns["length"].append(len(encoded["input_ids"][window]))
                columns["sentence"].append(numbers[row])
                columns["context_at"].append(first)
                begins = np.where(here[number], [start for start, _ in places], NOT_HERE)
                columns["starts"].append(begins.tolist())
                columns["ends"].append([end for _, end in places])
                columns["cut"].append(questions[row] != batch["question"][row])
        return columns

    features = Features({name: FEATURES[name] for name in (*inputs, *_MADE)})
    return rows.map(
        encode_batch,
        batched=True,
        with_indices=True,
        remove_columns=rows.column_names,
        features=features,
        desc="Encoding questions",
    )


def _cut(tokenizer: PreTrainedTokenizerBase, questions: Sequence[str], limit: int) -> list[str]:
    """Questions of at most so many pieces; what is left of one may be read as more pieces than before."""

    def places_of(texts: list[str]) -> list[list[tuple[int, int]]]:
        encoded: Any = tokenizer(texts, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return encoded["offset_mapping"]

    def cut(question: str, places: Sequence[tuple[int, int]]) -> str:
        ends = (places[kept - 1][1] for kept in range(limit, 0, -1))
        shorter = (question[:end] for end in ends)
        return next((text for text in shorter if len(places_of([text])[0]) <= limit), "")

    return [
        cut(question, places) if len(places) > limit else question
        for question, places in zip(questions, places_of(list(questions)), strict=True)
    ]


def _context(encoded: Any, window: int) -> tuple[int, int]:
    """Places of the first token of the context and of that behind its last one."""
    which = encoded.sequence_ids(window)
    if 1 not in which:
        return len(which), len(which)
    return which.index(1), len(which) - which[::-1].index(1)


def _label(places: Sequence[tuple[int, int]], start: int, end: int, cut: tuple[bool, bool]) -> tuple[int, int] | None:
    """Numbers of the first and last token of a text in the context; None where the window has not the whole of it.

    Args:
        cut: whether the context goes on before the window, and behind it.
    """
    tokens = [token for token, place in enumerate(places) if place[0] < end and place[1] > start]
    outside = (cut[0] and places[0][0] > start) or (cut[1] and places[-1][1] < end)
    return (tokens[0], tokens[-1]) if tokens and not outside else None


def _owners(lengths: Sequence[int], overlap: int) -> list[np.ndarray]:
    """Of each window of a row, which of its tokens have nowhere more of the context around them.

    That is how much there is on the side with less, and of equal ones what is the longer window, as SQuAD's scripts
    count it.

    Args:
        lengths: tokens of the context in each window.
        overlap: how many two neighbours have in common.
    """
    begins = [0, *accumulate(length - overlap for length in lengths[:-1])]
    around = np.full((len(lengths), begins[-1] + lengths[-1]), -1.0)
    for window, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        places = np.arange(length)
        around[window, begin : begin + length] = np.minimum(places, length - 1 - places) + 0.01 * length
    best = around.argmax(axis=0)
    return [
        best[begin : begin + length] == window
        for window, (begin, length) in enumerate(zip(begins, lengths, strict=True))
    ]


class WindowsCollator:
    """Pads windows behind, whatever the tokenizer says: places are counted from a row's first token."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer, self.padding = tokenizer, DataCollatorWithPadding(tokenizer)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Any:
        with on_the_right(self.tokenizer, "padding_side"):
            return self.padding(list(rows))  # pyright: ignore[reportArgumentType]
