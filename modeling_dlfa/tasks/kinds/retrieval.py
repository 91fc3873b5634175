"""Translations of sentences found by their vectors: Tatoeba, as XTREME scores it. Nothing is trained."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from datasets import Dataset, Features, Value, concatenate_datasets
from transformers import DataCollatorWithPadding, PreTrainedTokenizerBase

from ...errors import InputError
from ...files import read_lines, table_text
from ...vectors import FUSED, Layer
from ..encoding import LabelPiece, check_fast
from ..neighbours import nearest
from ..readers import table
from ..scores import accuracy, check_same_length, in_percent
from .base import Kind
from .shown import Field
from .untrained import EncodedRows, Found


if TYPE_CHECKING:
    from ...modeling_dlfa import DLFAModel
    from ..reading import Reader
    from ..task import Task


PUBLISHED_LAYERS = {12: 8, 24: 14}
"""Layers of an encoder -> the one that XTREME's published Tatoeba scores are of (mBERT, XLM-R Large)."""

LAYERS_FILE = "layers.csv"

SLICE = 10_000
"""Sentences that are encoded in one call (our choice)."""


def reported_layer(depth: int) -> int:
    """The layer whose vectors are scored, by a rule made before any score was seen.

    XTREME's, 8 of 12 and 14 of 24; in encoders of other depths two thirds of the depth, rounded (our choice), but
    never the last.
    """
    return PUBLISHED_LAYERS.get(depth, min(round(2 * depth / 3), depth - 1))


class Compares(Kind):
    """What kinds have in common that compare vectors of sentences."""

    trains = False
    compares = True
    fewest_labels = 0
    cuts = True
    auto_class = "AutoModel"
    pipeline_tag = "sentence-similarity"
    fusion = "layer"
    pooling = "mean"
    chance: ClassVar[str] = "a sentence at random"
    opens_with: ClassVar[str] = "`AutoModel` opens the checkpoint; `pool` makes one vector of a sentence's states."

    @property
    def model_class(self) -> "type[DLFAModel]":
        from ...modeling_dlfa import DLFAModel

        return DLFAModel

    def fused_layer(self, depth: int) -> int | None:
        return reported_layer(depth)

    def label_names_in(self, task: "Task", path: Path) -> list[str]:
        return []

    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
        return DataCollatorWithPadding(tokenizer)

    def keep(self, logits: Any, labels: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError(f"{self!r} compares vectors of all rows")

    def in_order(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> list:
        raise NotImplementedError(f"{self!r} compares vectors of all rows")

    def label_names(self, task: "Task", labels: Sequence) -> list:
        return list(labels)

    def fields(self, task: "Task") -> tuple[Field, ...]:
        raise self.cannot(task, "labelling texts")

    def example(self, task: "Task", repository: str, prefix: str = "") -> str:
        texts = [f"{prefix}{text}" for text in ("A man sleeps.", "Ein Mann schläft.")]
        return EXAMPLE.format(repository=repository, texts=json.dumps(texts, ensure_ascii=False))

    # -----------------------------------------------------------------------------------------------------------------
    # The table of layers
    # -----------------------------------------------------------------------------------------------------------------

    @staticmethod
    def found(reader: "Reader", predictions: dict[str, list], scores: Mapping[Layer, Mapping[str, float]]) -> Found:
        """Answers, and the scores of all layers.

        Args:
            scores: layer -> language -> score.
        """
        beside = {
            "layers": {str(layer): dict(by_language) for layer, by_language in scores.items()},
            "scored": str(reader.scored),
            "published": str(PUBLISHED_LAYERS.get(reader.depth, "")),
        }
        return Found(predictions, beside, {LAYERS_FILE: layers_table(beside)})

    def card_section(self, beside: Mapping[str, Any]) -> str:
        marks = _marks(beside)
        rows = [
            f"| {layer}{f' ({marks[layer]})' if marks[layer] else ''} | {fmean(of_language.values()):.1f} |"
            for layer, of_language in beside["layers"].items()
        ]
        return "\n".join(
            [
                "All layers, mean over the languages: which one is scored above was said before, by its place alone.",
                "Those of each language are in `all_results.json`, under `found`.",
                "",
                "| layer | average |",
                "| --- | ---: |",
                *rows,
            ]
        )


def _marks(beside: Mapping[str, Any]) -> dict[str, str]:
    """layer -> what is to be said of it."""
    said = {"scored": beside["scored"], "XTREME's": beside["published"]}
    return {layer: ", ".join(mark for mark, place in said.items() if place == layer) for layer in beside["layers"]}


def layers_table(beside: Mapping[str, Any]) -> str:
    """Scores of every layer in every language as CSV: `layer,mark,<language>...,average`."""
    marks, languages = _marks(beside), list(next(iter(beside["layers"].values())))
    rows = []
    for layer, scores in beside["layers"].items():
        values = {**scores, "average": fmean(scores.values())}
        rows.append({"layer": layer, "mark": marks[layer], **{name: f"{value:.2f}" for name, value in values.items()}})
    return table_text(["layer", "mark", *languages, "average"], rows)


class Retrieval(Compares):
    """Pairs of a foreign sentence and its translation in the training language, each found among all.

    Every sentence of the training language asks for the nearest foreign one by cosine. A row's answer is the place of
    a foreign sentence in the file of foreign sentences, which is what XTREME's evaluate.py reads.
    """

    name = "retrieval"
    file_columns = ("sentence1", "sentence2")
    label_column = "place"
    metrics = ("accuracy",)

    def features(self, task: "Task") -> Features:
        texts = {name: Value("string") for name in self.file_columns}
        return Features({**texts, "place": Value("int64")})

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        """XTREME's three files, or a table with a pair of sentences in every row.

        XTREME keeps foreign sentences in `<code>-en.<code>`, English ones in `<code>-en.en` in another order, and in
        `test-<code>.tsv` for each English line the foreign line that translates it, counted from 0.
        """
        if not labelled:
            raise self.cannot(task, "labelling texts")
        if self._of_xtreme(task, path):
            return _matched(*self.files_of(task, path, language))
        columns: dict[str, list] = {name: [] for name in self.file_columns}
        own = task.files.columns if task.files is not None else {}
        for record in table(path, self.file_columns, own):
            for name in self.file_columns:
                if not record.values[name].strip():
                    raise record.fault("a sentence and its translation", f"an empty {name}")
                columns[name].append(record.values[name].strip())
        return {**columns, "place": list(range(len(columns["sentence1"])))}

    def _of_xtreme(self, task: "Task", path: Path) -> bool:
        """Whether a file is one of XTREME's three, rather than a table."""
        if task.files is not None and task.files.columns:
            return False
        if path.suffix != ".tsv":
            return path.suffix not in (".csv", ".jsonl")
        first = next(iter(read_lines(path)), "")
        return first.strip().isdecimal()

    def files_of(self, task: "Task", path: Path, language: str) -> tuple[Path, ...]:
        """Of XTREME's, foreign sentences, their translations, and which belong together."""
        if not self._of_xtreme(task, path):
            return (path,)
        pivot = task.train_language
        stem, gold = path.parent / f"{language}-{pivot}", path.parent / f"test-{language}.tsv"
        if not gold.is_file():
            raise InputError(
                f"{path}: no file {gold}, expected in it for each line of {stem.name}.{pivot} the line, from 0 on, of "
                f"{stem.name}.{language} that translates it; XTREME's download leaves these labels out"
            )
        return Path(f"{stem}.{language}"), Path(f"{stem}.{pivot}"), gold

    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        """Rows of the Hub, in XTREME's order: by the sentence of the training language."""
        texts = {name: [str(text or "").strip() for text in columns[name]] for name in self.file_columns}
        for name, column in texts.items():
            if "" in column:
                raise InputError(f"{where}: row {column.index('')}: expected a sentence as {name}, found none")
        order = sorted(range(len(texts["sentence2"])), key=lambda row: texts["sentence2"][row])
        return {**{name: [column[row] for row in order] for name, column in texts.items()}, "place": order}

    def raw_columns(self, task: "Task") -> tuple[str, ...]:
        return self.file_columns

    def prefixed(self, task: "Task", rows: Dataset, prefix: str) -> Dataset:
        texts = {name: [f"{prefix}{text}" for text in rows[name][:]] for name in self.file_columns}
        return Dataset.from_dict({**texts, "place": rows["place"][:]}, features=rows.features)

    def encode(
        self,
        task: "Task",
        rows: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        label_piece: LabelPiece = "character",
    ) -> Dataset:
        """All foreign sentences, then their translations: `sentence` numbers them so."""
        texts = [text for name in self.file_columns for text in rows[name][:]]
        return encode_sentences(texts, tokenizer, max_length)

    # -----------------------------------------------------------------------------------------------------------------
    # Scores
    # -----------------------------------------------------------------------------------------------------------------

    def search(
        self,
        task: "Task",
        reader: "Reader",
        sets: Mapping[str, EncodedRows],
        tuning: Mapping[str, EncodedRows],
    ) -> Found:
        predictions: dict[str, list] = {}
        scores: dict[Layer, dict[str, float]] = {layer: {} for layer in reader.layers}
        for language, one in sets.items():
            places, count = np.array(one.rows["place"][:]), len(one.rows)
            order = np.argsort(places)  # the index is in the order of the foreign file, whatever that of the rows
            for layer, vectors in reader.vectors(one.features, reader.layers).items():
                found = nearest(vectors[count:], vectors[:count][order])[1][:, 0]
                predicted = places[order][found].tolist()
                scores[layer][language] = self.score(task, predicted, places.tolist())[task.metric]
                if layer == reader.scored:
                    predictions[language] = predicted
        return self.found(reader, predictions, scores)

    def references(self, rows: Dataset) -> list:
        return rows["place"][:]

    def sentences(self, rows: Dataset) -> list[str]:
        """The foreign ones."""
        return rows["sentence1"][:]

    def score(self, task: "Task", predicted: Sequence, gold: Sequence) -> dict[str, float]:
        check_same_length(predicted, gold)
        return in_percent({"accuracy": accuracy(predicted, gold)})

    def counts(self, task: "Task", predicted: Sequence, gold: Sequence) -> np.ndarray:
        return np.array([(p == g, 1, 1) for p, g in zip(predicted, gold, strict=True)], dtype=np.int64)

    def majority(self, task: "Task", seen: Sequence, asked: Sequence | None = None) -> list:
        """Always the same sentence, which is right once: 1/N."""
        return [seen[0]] * len(seen if asked is None else asked)

    def metric_features(self) -> Any:
        return Value("int64")

    def prediction_text(self, task: "Task", names: list, tokens: Sequence[Sequence[str]] | None) -> str:
        return "".join(f"{place}\n" for place in names)

    def read_predictions(self, task: "Task", path: Path) -> list:
        return [_place(path, number, line, None) for number, line in enumerate(read_lines(path), start=1)]


def encode_sentences(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_length: int) -> Dataset:
    """Sentences one by one: model inputs, `length` (sub-words), and `sentence`, their number.

    Slice by slice: a fast tokenizer keeps several KB of every sentence of a call until all are done.
    """
    check_fast(tokenizer)
    slices = []
    for start in range(0, max(len(texts), 1), SLICE):
        part = list(texts[start : start + SLICE])
        encoded = tokenizer(part, truncation=True, max_length=max_length, padding=False)
        columns: dict[str, Any] = {name: encoded[name] for name in tokenizer.model_input_names if name in encoded}
        columns["length"] = [len(ids) for ids in columns["input_ids"]]
        slices.append(Dataset.from_dict({**columns, "sentence": list(range(start, start + len(part)))}))
    return concatenate_datasets(slices)


def sentences_in(path: Path) -> list[str]:
    """The sentences of a file, one a line.

    Raises:
        InputError: it cannot be read, or a line is empty.
    """
    sentences = [line.strip() for line in read_lines(path)]
    if "" in sentences:
        raise InputError(f"{path}:{sentences.index('') + 1}: expected a sentence, found an empty line")
    return sentences


def _matched(foreign: Path, pivot: Path, gold: Path) -> dict[str, list]:
    """Rows of XTREME's three files, in the order of the second."""
    sentences, others = sentences_in(foreign), sentences_in(pivot)
    lines = read_lines(gold)
    if not len(sentences) == len(others) == len(lines):
        raise InputError(
            f"{foreign}: {len(sentences)} lines, {pivot}: {len(others)}, {gold}: {len(lines)}: expected as many each"
        )
    places = [_place(gold, number, line, len(lines)) for number, line in enumerate(lines, start=1)]
    seen: set[int] = set()
    for number, place in enumerate(places, start=1):
        if place in seen:
            raise InputError(f"{gold}:{number}: expected every line once, found {place} again")
        seen.add(place)
    return {"sentence1": [sentences[place] for place in places], "sentence2": others, "place": places}


def _place(path: Path, number: int, line: str, count: int | None) -> int:
    text = line.strip()
    if not (text.isascii() and text.isdecimal()) or (count is not None and int(text) >= count):
        upto = "" if count is None else f", 0 to {count - 1}"
        raise InputError(f"{path}:{number}: expected the number of a line{upto}, found {text!r}")
    return int(text)


EXAMPLE = """from transformers import AutoModel, AutoTokenizer

source = {{"revision": "<commit>", "trust_remote_code": True}}
name = "{repository}"
tokenizer = AutoTokenizer.from_pretrained(name, **source)
model = AutoModel.from_pretrained(name, **source)
batch = tokenizer({texts}, padding=True, return_tensors="pt")
vectors = model.pool(model(**batch).last_hidden_state, batch["attention_mask"])"""


__all__ = ["FUSED", "Compares", "Retrieval", "encode_sentences", "reported_layer", "sentences_in"]
