"""Translations mined from two corpora: BUCC 2018, as XTREME scores it. Nothing is trained."""

from collections.abc import Mapping, Sequence, Sized
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from ...errors import InputError, shortened
from ...files import read_lines
from ...vectors import Layer
from ..encoding import LabelPiece
from ..neighbours import FIXED_THRESHOLD, best_threshold, mine, repeated
from ..scores import check_same_length, in_percent, score_of_counts
from .retrieval import Compares, encode_sentences
from .untrained import EncodedRows, Found


if TYPE_CHECKING:
    from ..reading import Reader
    from ..task import Task


FEW = 20_000
"""Sentences of a language up to which all layers are scored, not only the reported one: each is mined for itself."""


class Mining(Compares):
    """Two corpora, and the pairs of sentences in them that translate each other.

    A row is a sentence of either side, with its id; its answer is the id of the sentence of the training language that
    is found for it, "" for none, and always for the sentences of the training language themselves. Pairs are mined as
    `neighbours.mine` says, and those count whose margin reaches the threshold with the best F1 on the development data
    of the same pair of languages. Where there are none it is `FIXED_THRESHOLD`, and what the best threshold for the
    scored data themselves would give is told beside it, under another name. A sentence that a side has twice is
    never found (XTREME).
    """

    name = "mining"
    tunes = True
    label_column = "id"
    metrics = ("f1",)
    beside = {"f1": ("precision", "recall")}

    def features(self, task: "Task") -> Features:
        texts = {name: Value("string") for name in ("id", "sentence")}
        return Features({**texts, "foreign": Value("bool"), "partners": List(Value("string"))})

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    def files_of(self, task: "Task", path: Path, language: str) -> tuple[Path, ...]:
        """Foreign sentences `<name>.<code>`, those of the training language `<name>.en`, and pairs `<name>.gold`."""
        if path.suffix != f".{language}":
            raise InputError(f"{path}: expected a file that ends in .{language}, as de-en.test.de")
        return path, path.with_suffix(f".{task.train_language}"), path.with_suffix(".gold")

    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        """Two files of id<tab>sentence, and one of foreign id<tab>id."""
        if not labelled:
            raise self.cannot(task, "labelling texts")
        files = self.files_of(task, path, language)
        foreign, pivot = ({fields[0]: fields[1] for fields in _two_fields(file)} for file in files[:2])
        _check_there({str(files[0]): foreign, str(files[1]): pivot})
        partners: dict[str, list[str]] = {name: [] for name in foreign}
        for number, (name, partner) in enumerate(_two_fields(files[2], once=False), start=1):
            for one, known, file in ((name, foreign, files[0]), (partner, pivot, files[1])):
                if one not in known:
                    raise InputError(f"{files[2]}:{number}: expected ids of {file.name}, found {one!r}")
            partners[name].append(partner)
        return _columns(foreign, pivot, partners)

    def raw_columns(self, task: "Task") -> tuple[str, ...]:
        return ("sentence1", "sentence2", "gold")

    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        """One row of the Hub: both corpora, and pairs of places in them, counted from 1."""
        if len(columns["gold"]) != 1:
            raise InputError(f"{where}: expected one row with both corpora, found {len(columns['gold'])}")
        texts = {name: [str(text).strip() for text in columns[name][0]] for name in ("sentence1", "sentence2")}
        _check_there({f"{where}: {name}": side for name, side in texts.items()})
        pivot_code = task.train_language
        ids = {
            code: [f"{code}-{place:09d}" for place in range(1, len(texts[name]) + 1)]
            for code, name in ((language, "sentence1"), (pivot_code, "sentence2"))
        }
        partners: dict[str, list[str]] = {name: [] for name in ids[language]}
        for pair in columns["gold"][0]:
            first, second = (int(place) for place in pair)
            if not (1 <= first <= len(texts["sentence1"]) and 1 <= second <= len(texts["sentence2"])):
                raise InputError(f"{where}: gold: expected places in both corpora, from 1 on, found {list(pair)}")
            partners[ids[language][first - 1]].append(ids[pivot_code][second - 1])
        foreign, pivot = (dict(zip(*both)) for both in zip(ids.values(), texts.values()))
        return _columns(foreign, pivot, partners)

    def first(self, rows: Dataset, count: int) -> Dataset:
        """The first so many of each side; gold pairs with a sentence behind them are left out."""
        foreign = np.array(rows["foreign"][:])
        sides = [np.flatnonzero(side)[:count] for side in (foreign, ~foreign)]
        kept = rows.select(np.concatenate(sides))
        there = set(kept["id"][:])
        partners = [[name for name in names if name in there] for names in kept["partners"]]
        columns = {name: kept[name][:] for name in kept.column_names}
        return Dataset.from_dict({**columns, "partners": partners}, features=rows.features)

    def prefixed(self, task: "Task", rows: Dataset, prefix: str) -> Dataset:
        columns = {name: rows[name][:] for name in rows.column_names}
        sentences = [f"{prefix}{text}" for text in columns["sentence"]]
        return Dataset.from_dict({**columns, "sentence": sentences}, features=rows.features)

    def tokens(self, rows: Dataset) -> list[list[str]] | None:
        """Their ids, under which pairs are written."""
        return [[name] for name in rows["id"][:]]

    def encode(
        self,
        task: "Task",
        rows: Dataset,
        tokenizer: PreTrainedTokenizerBase,
        max_length: int,
        label_piece: LabelPiece = "character",
    ) -> Dataset:
        return encode_sentences(rows["sentence"][:], tokenizer, max_length)

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
        whole = all(len(one.rows) <= FEW for one in sets.values())
        layers = reader.layers if whole else [reader.scored]
        predictions: dict[str, list] = {}
        scores: dict[Layer, dict[str, float]] = {layer: {} for layer in layers}
        thresholds: dict[str, Any] = {}
        for language, one in sets.items():
            set_on: dict[Layer, float] = dict.fromkeys(layers, FIXED_THRESHOLD)
            if language in tuning:
                development = _mined(tuning[language], reader, layers)
                set_on = {layer: mined.best()[0] for layer, mined in development.items()}
            for layer, mined in _mined(one, reader, layers).items():
                predicted = mined.above(set_on[layer])
                found = self.score(task, predicted, self.references(one.rows))
                scores[layer][language] = found[task.metric]
                if layer == reader.scored:
                    predictions[language] = predicted
                    thresholds[language] = {
                        "threshold": _finite(set_on[layer]),
                        "set_on": "development data" if language in tuning else "nothing",
                        "oracle_threshold": _finite(mined.best()[0]),
                        "oracle_f1": 100 * mined.best()[1],
                    }
        found = self.found(reader, predictions, scores)
        return Found(found.predictions, {**found.beside, "thresholds": thresholds}, found.files)

    def card_section(self, beside: Mapping[str, Any]) -> str:
        thresholds = beside["thresholds"]
        fixed = [code for code, one in thresholds.items() if one["set_on"] == "nothing"]
        tuned = [code for code in thresholds if code not in fixed]
        said = []
        if tuned:
            said.append(f"Thresholds on margins are those with the best F1 on development data ({', '.join(tuned)}).")
        if fixed:
            said.append(
                f"There are no development data for {', '.join(fixed)}: the threshold is {FIXED_THRESHOLD}, "
                "WikiMatrix's, set on nothing here."
            )
        oracle = fmean(one["oracle_f1"] for one in thresholds.values())
        said.append(
            "Oracle, which no one can reach without the answers: with the threshold that is best for the scored data "
            f"themselves the mean F1 would be {oracle:.1f}."
        )
        return " ".join(said) + "\n\n" + super().card_section(beside)

    def references(self, rows: Dataset) -> list:
        """Of each row the ids of its translations."""
        return rows["partners"][:]

    def score(self, task: "Task", predicted: Sequence, gold: Sequence) -> dict[str, float]:
        check_same_length(predicted, gold)
        right, found, there = self.counts(task, predicted, gold).sum(axis=0).tolist()
        shares = {"precision": right / found if found else 0.0, "recall": right / there if there else 0.0}
        return {"f1": float(score_of_counts(np.array([right, found, there])))} | in_percent(shares)

    def counts(self, task: "Task", predicted: Sequence, gold: Sequence) -> np.ndarray:
        """What is right, found and there, at the foreign sentence of each pair."""
        rows = [(p in partners, p != "", len(partners)) for p, partners in zip(predicted, gold, strict=True)]
        return np.array(rows, dtype=np.int64)

    def majority(self, task: "Task", seen: Sequence, asked: Sequence | None = None) -> list:
        """Nothing: any pair of thousands of sentences is almost surely wrong."""
        return [""] * len(seen if asked is None else asked)

    def metric_features(self) -> Any:
        return Value("string")

    def reference_features(self) -> Any:
        return List(Value("string"))

    def prediction_text(self, task: "Task", names: list, tokens: Sequence[Sequence[str]] | None) -> str:
        if tokens is None:
            raise ValueError("pairs are written with the sentences' ids")
        return "".join(f"{own}\t{partner}\n" for (own,), partner in zip(tokens, names, strict=True) if partner)

    def read_predictions(self, task: "Task", path: Path) -> list:
        """The pairs in a file, (foreign id, id): which sentences have none is not written there."""
        return [(first, second) for first, second in _two_fields(path, once=False)]


def _two_fields(path: Path, once: bool = True) -> list[tuple[str, str]]:
    """The lines of a file of two fields; `once`: the first of them is an id, and stands there once."""
    rows: list[tuple[str, str]] = []
    seen: set[str] = set()
    for number, line in enumerate(read_lines(path), start=1):
        first, tab, second = line.partition("\t")
        first, second = first.strip(), second.strip()
        expected = "id<tab>sentence" if once else "id<tab>id"
        if not (first and tab and second):
            raise InputError(f"{path}:{number}: expected {expected}, found {shortened(line)}")
        if once and first in seen:
            raise InputError(f"{path}:{number}: expected every id once, found {first!r} again")
        seen.add(first)
        rows.append((first, second))
    return rows


def _check_there(sides: Mapping[str, Sized]) -> None:
    """Refuse a corpus without sentences; where it stands -> corpus."""
    for where, side in sides.items():
        if not len(side):
            raise InputError(f"{where}: expected sentences, found none")


def _columns(
    foreign: Mapping[str, str], pivot: Mapping[str, str], partners: Mapping[str, list[str]]
) -> dict[str, list]:
    """Rows: all foreign sentences by id, then all of the training language."""
    return {
        "id": [*foreign, *pivot],
        "sentence": [*foreign.values(), *pivot.values()],
        "foreign": [True] * len(foreign) + [False] * len(pivot),
        "partners": [*partners.values(), *([] for _ in pivot)],
    }


class _Mined:
    """The pairs mined from rows.

    Args:
        rows: of the kind.
        vectors: (N, E), in their order.
    """

    def __init__(self, rows: Dataset, vectors: np.ndarray) -> None:
        self.size = len(rows)
        self.ids, self.gold = rows["id"][:], rows["partners"][:]
        sentences, foreign = rows["sentence"][:], np.array(rows["foreign"][:])
        sides = [_once(sentences, np.flatnonzero(side)) for side in (foreign, ~foreign)]
        pairs = mine(vectors[sides[0][0]], vectors[sides[1][0]])
        chosen = [places[at] for (places, _), at in zip(sides, (pairs.foreign, pairs.english))]
        # What stands there twice takes part, and is found under no id.
        known = ~np.isin(chosen[0], sides[0][1]) & ~np.isin(chosen[1], sides[1][1])
        self.foreign, self.pivot, self.margins = chosen[0][known], chosen[1][known], pairs.margins[known]

    def best(self) -> tuple[float, float]:
        """The best threshold for these rows themselves, and its F1 between 0 and 1."""
        pairs = zip(self.foreign, self.pivot, strict=True)
        right = [self.ids[pivot] in self.gold[foreign] for foreign, pivot in pairs]
        return best_threshold(right, self.margins, sum(map(len, self.gold)))

    def above(self, threshold: float) -> list[str]:
        """For each row the id that is found for it."""
        answers = [""] * self.size
        for foreign, pivot, margin in zip(self.foreign, self.pivot, self.margins, strict=True):
            if margin >= threshold:
                answers[foreign] = self.ids[pivot]
        return answers


def _once(sentences: list[str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of a side with each sentence once, and those of them whose sentence is there again."""
    texts = [sentences[row] for row in rows.tolist()]
    twice = repeated(texts)
    first = {text: row for row, text in zip(rows[::-1], texts[::-1])}
    kept = np.array(sorted(first.values()), dtype=np.int64)
    return kept, np.array([row for row in kept if sentences[row] in twice], dtype=np.int64)


def _mined(one: EncodedRows, reader: "Reader", layers: Sequence[Layer]) -> dict[Layer, _Mined]:
    return {layer: _Mined(one.rows, vectors) for layer, vectors in reader.vectors(one.features, layers).items()}


def _finite(threshold: float) -> float | None:
    """None for a threshold that nothing reaches: JSON has no infinity."""
    return threshold if np.isfinite(threshold) else None
