"""Rows of a prompt and choices, of which one is right: read from JSON lines, and as an encoder reads them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, Features, List, Value
from transformers import BatchEncoding, PreTrainedTokenizerBase

from ..errors import InputError, shortened
from .columns import Column, made_of, translated
from .encoding import INPUT_FEATURES, check_fast
from .readers import as_label, is_text, json_objects


COLUMNS = ("prompt", "choices", "label")
FEWEST = 2
FEATURES = {
    **{name: List(feature) for name, feature in INPUT_FEATURES.items() if isinstance(feature, List)},
    **{name: feature for name, feature in INPUT_FEATURES.items() if not isinstance(feature, List)},
    "labels": Value("int64"),
}


@dataclass(frozen=True)
class ChoiceRow:
    """One row.

    Attributes:
        id: what the file calls it; empty where it has no name.
        label: place of the right choice, from 0 on.
    """

    id: str
    prompt: str
    choices: list[str]
    label: int


def read_choices(
    path: Path,
    columns: Mapping[str, Column],
    words: Mapping[str, Mapping[str, str]],
    known: Mapping[str, int],
    labelled: bool,
) -> list[ChoiceRow]:
    """The rows of a file with a JSON object a line.

    Args:
        columns: ours -> what the objects have for it; default: our own names.
        words: as in `HubDataset`.
        known, labelled: as for `choice_row`.

    Raises:
        InputError: `FILE:LINE: expected ..., found ...`.
    """
    if path.suffix != ".jsonl":
        raise InputError(f"{path}: expected a file that ends in .jsonl, with an object of {', '.join(COLUMNS)} a line")
    rows, ids = [], set()
    for where, _, values in json_objects(path):
        wanted = COLUMNS if labelled else COLUMNS[:2]
        there = translated(values, words)
        given = {name: made_of(columns.get(name, name), there, where) for name in wanted}
        for name in ("prompt", "choices"):
            _check_texts(given[name], name, where)
        row = choice_row({**given, "id": values.get("id")}, where, known, labelled)
        if row.id and row.id in ids:
            raise InputError(f"{where}: expected another id for every row, found {row.id!r} twice")
        ids.add(row.id)
        rows.append(row)
    return rows


def _check_texts(value: Any, name: str, where: str) -> None:
    """Refuse what is no text, or nothing but white space; of choices each."""
    for text in value if isinstance(value, list) else [value]:
        if not isinstance(text, str) or not text.strip() or not is_text(text):
            what = "a text in each of 'choices'" if name == "choices" else f"a text under {name!r}"
            raise InputError(f"{where}: expected {what}, found {shortened(json.dumps(text))}")


def choice_row(values: Mapping[str, Any], where: str, known: Mapping[str, int], labelled: bool = True) -> ChoiceRow:
    """A row that is checked; what data sets leave empty is an empty text.

    Args:
        values: under `prompt`, `choices`, `label`, and perhaps `id`.
        known: what labels are called -> place of the choice; empty: labels are the places, from 0 on.
        labelled: whether there is a label; else the first choice stands for it.

    Raises:
        InputError: no list of choices, fewer than two, more than there are labels, or a label that is none of them.
    """
    given, places = values["choices"], len(set(known.values()))
    if not isinstance(given, list):
        raise InputError(
            f"{where}: expected a list under 'choices', found {shortened(json.dumps(given, default=str))}"
        )
    choices = ["" if choice is None else str(choice).strip() for choice in given]
    if len(choices) < FEWEST:
        raise InputError(f"{where}: expected {FEWEST} or more choices, found {len(choices)}")
    if known and len(choices) > places:
        raise InputError(f"{where}: expected {places} choices at most, one for each label, found {len(choices)}")
    label = _place(values["label"], known) if labelled else 0
    if label is None or not 0 <= label < len(choices):
        expected = f"one of {', '.join(known)}" if known else f"a number from 0 to {len(choices) - 1}"
        found = shortened(json.dumps(values["label"], default=str))
        raise InputError(f"{where}: expected the label of one of {len(choices)} choices, {expected}, found {found}")
    name, prompt = values.get("id"), values["prompt"]
    return ChoiceRow("" if name is None else str(name), "" if prompt is None else str(prompt).strip(), choices, label)


def _place(label: Any, known: Mapping[str, int]) -> int | None:
    """The place of the choice that a label says, if it says one."""
    if isinstance(label, bool) or not isinstance(label, (int, str)):
        return None
    if known:
        return known.get(as_label(str(label)))
    text = str(label).strip()
    return int(text) if text.isdecimal() else None


def encode_choices(rows: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Encode each choice as the second text after the prompt.

    Args:
        rows: columns `prompt`, `choices` and `label`.
        max_length: sub-words of a choice with its prompt and special tokens. The prompt is cut first, down to nothing;
            only then what is left of a choice that does not fit alone.

    Returns:
        `input_ids`, `attention_mask` and `token_type_ids` as far as the tokenizer makes them, each a list for every
        choice; `labels` (places) and `length`, the sub-words of all choices when they are padded to the longest.
    """
    check_fast(tokenizer)
    inputs = [name for name in tokenizer.model_input_names if name in FEATURES]

    def encode_batch(batch: dict[str, list]) -> dict[str, list]:
        pairs = [
            (prompt, choice)
            for prompt, choices in zip(batch["prompt"], batch["choices"], strict=True)
            for choice in choices
        ]
        prompts, choices = map(list, zip(*pairs, strict=True))
        encoded: BatchEncoding = tokenizer(prompts, choices, verbose=False)
        kept = [list(_kept(encoded, number, max_length, tokenizer.truncation_side)) for number in range(len(pairs))]
        starts = [0, *accumulate(map(len, batch["choices"]))]
        columns: dict[str, list] = {}
        for name in inputs:
            values: Any = encoded[name]
            cut = [[values[number][place] for place in places] for number, places in enumerate(kept)]
            columns[name] = [cut[start:end] for start, end in pairwise(starts)]
        lengths = [len(of_row) * max(map(len, of_row)) for of_row in columns["input_ids"]]
        return {**columns, "labels": batch["label"], "length": lengths}

    features = Features({name: FEATURES[name] for name in (*inputs, "labels", "length")})
    names = rows.column_names
    return rows.map(encode_batch, batched=True, remove_columns=names, features=features, desc="Encoding choices")


def _kept(encoded: BatchEncoding, number: int, max_length: int, side: str) -> Iterator[int]:
    """The places of a pair's tokens that fit."""
    texts = encoded.sequence_ids(number)  # 0 and 1, None for special tokens
    dropped: set[int] = set()
    for text in (0, 1):
        places = [place for place, of_text in enumerate(texts) if of_text == text]
        places = places if side == "left" else places[::-1]
        dropped.update(places[: max(0, len(texts) - len(dropped) - max_length)])
    yield from (place for place in range(len(texts)) if place not in dropped)


class ChoicesCollator:
    """Pads the choices of rows to (B, C, T); a row with fewer gets more of them, masked throughout."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self.tokenizer = tokenizer

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> BatchEncoding:
        inputs = [name for name in self.tokenizer.model_input_names if name in rows[0]]
        most = max(len(row["input_ids"]) for row in rows)
        filled = {
            name: [one for row in rows for one in [*row[name], *[[]] * (most - len(row[name]))]] for name in inputs
        }
        padded = self.tokenizer.pad(filled, return_tensors="pt", return_attention_mask=True)
        batch = {name: values.unflatten(0, (len(rows), most)) for name, values in padded.items()}
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows])
        return BatchEncoding(batch)
