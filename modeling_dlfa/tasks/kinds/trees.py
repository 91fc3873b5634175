"""Dependency trees: a head and a relation for every word."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from datasets import ClassLabel, Dataset, Features, List, Value
from transformers import PreTrainedTokenizerBase

from ...files import read_lines
from ..conllu import format_trees, parse_trees
from ..decoding import decode
from ..encoding import IGNORED, INPUT_FEATURES, LabelPiece, WordPieces, encoded_dataset
from ..positions import PositionsCollator
from ..readers import sentences
from ..scores import accuracy, check_same_words, flat, in_percent, most_frequent
from ..trees import TREE_COLUMNS, UNKNOWN_RELATION, Tree, universal
from ..words import running_text
from .base import Answers, Kind, label_name
from .normalise import raw_trees
from .probe import Probe
from .shown import LabelledWord, Picture
from .tags import rung_labels, word_counts, words_and_places


if TYPE_CHECKING:
    from ...modeling_dlfa import DLFAForDependencyParsing
    from ..task import Task


class Trees(Kind):
    """A head and a relation for every word of a sentence, which make a tree. References are (head, relation id)."""

    name = "trees"
    label_column = "relations"
    metrics = ("las", "uas")
    beside = {"las": ("uas",)}
    fewest_labels = 1  # heads are learnt too
    suffix = ".conllu"
    cuts = True
    sample_folder = "uddep"
    auto_class = "AutoModel"
    # There is no pipeline for parsing; the tag is what the Hub's search offers for annotations of words.
    pipeline_tag = "token-classification"
    probe: ClassVar[Probe | None] = Probe((1, 2, 4, 8), 1e-3)  # a parser needs fewer epochs, and more time for each

    @property
    def model_class(self) -> "type[DLFAForDependencyParsing]":
        from ...modeling_dlfa import DLFAForDependencyParsing

        return DLFAForDependencyParsing

    # -----------------------------------------------------------------------------------------------------------------
    # Rows
    # -----------------------------------------------------------------------------------------------------------------

    def features(self, task: "Task") -> Features:
        label = List(ClassLabel(names=list(task.labels)))
        return Features({"tokens": List(Value("string")), "heads": List(Value("int64")), "relations": label})

    def read(self, task: "Task", path: Path, language: str, labelled: bool = True) -> dict[str, list]:
        """Trees of a task that lists relations of its own; those of the ladder come through `from_trees`."""
        if not labelled:
            return _unlabelled([[word.values["token"] for word in found] for found in sentences(path, ("token",), {})])
        return self.from_trees(task, parse_trees(read_lines(path), str(path), relations=task.labels))

    def label_names_in(self, task: "Task", path: Path) -> list[str]:
        return [relation for tree in parse_trees(read_lines(path), str(path)) for relation in tree.relations]

    def normalise(
        self, task: "Task", columns: dict[str, list], features: Mapping[str, Any], language: str, where: str
    ) -> dict[str, list]:
        return self.from_trees(task, raw_trees(columns, features["upos"], where, task.labels))

    def raw_columns(self, task: "Task") -> tuple[str, ...]:
        return TREE_COLUMNS

    def from_trees(self, task: "Task", trees: Sequence[Tree]) -> dict[str, list]:
        """The rows of trees; of a task without a rung the labels are the relations themselves."""
        tokens, heads = [tree.tokens for tree in trees], [tree.heads for tree in trees]
        return {"tokens": tokens, "heads": heads, "relations": rung_labels(task, trees)}

    def labels_of(self, columns: Mapping[str, list]) -> list:
        return flat(columns["relations"])

    def tokens(self, rows: Dataset) -> list[list[str]] | None:
        return rows["tokens"][:]

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
        return encode_trees(rows, tokenizer, max_length, label_piece)

    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Callable[[list[dict[str, Any]]], Any]:
        return PositionsCollator(tokenizer, "word_positions")

    def keep(self, logits: Any, labels: torch.Tensor) -> torch.Tensor:
        """The trees (B, W, 2) of a parser's two kinds of logits."""
        return decode(*logits)

    def in_order(
        self, task: "Task", rows: Dataset, features: Dataset, predictions: np.ndarray, label_ids: np.ndarray
    ) -> list:
        return complete_trees(task, features, predictions.tolist(), list(map(len, rows["heads"])))

    def references(self, rows: Dataset) -> list:
        return [list(zip(*arcs, strict=True)) for arcs in zip(rows["heads"][:], rows["relations"][:], strict=True)]

    def score(self, task: "Task", predicted: Sequence, gold: Sequence) -> dict[str, float]:
        """UAS: the share of words with the right head; LAS: with the right head and relation.

        As the CoNLL 2018 shared task counts them where words are given: subtypes of relations do not count,
        punctuation does.
        """
        check_same_words(predicted, gold)
        arcs = flat(self.label_names(task, predicted)), flat(self.label_names(task, gold))
        scores = {"uas": accuracy([head for head, _ in arcs[0]], [head for head, _ in arcs[1]])}
        return in_percent(scores | ({"las": accuracy(*arcs)} if "las" in task.metrics else {}))

    def counts(self, task: "Task", predicted: Sequence, gold: Sequence) -> np.ndarray:
        names = list(zip(self.label_names(task, predicted), self.label_names(task, gold), strict=True))
        if task.metric == "uas":
            names = [([head for head, _ in p], [head for head, _ in g]) for p, g in names]
        return word_counts(names)

    def majority(self, task: "Task", seen: Sequence, asked: Sequence | None = None) -> list:
        """Every word is attached at the most frequent signed distance, by the relation most frequent there.

        Or to the root where that falls outside the sentence (our choice). At a distance of 1 either way, which is the
        usual one, that is a tree.
        """
        arcs = [
            (head - word, relation) for words in seen for word, (head, relation) in enumerate(words, start=1) if head
        ]
        if not arcs:  # sentences of one word only
            arcs = [(-1, relation) for words in seen for _, relation in words]
        distance = most_frequent([distance for distance, _ in arcs])
        relation = most_frequent([relation for at, relation in arcs if at == distance])
        return [
            [
                (word + distance if 1 <= word + distance <= len(words) else 0, relation)
                for word in range(1, len(words) + 1)
            ]
            for words in (seen if asked is None else asked)
        ]

    def label_names(self, task: "Task", labels: Sequence) -> list:
        """Relations are universal: without subtypes."""
        return [[(int(head), universal(label_name(task, relation))) for head, relation in words] for words in labels]

    def metric_features(self) -> Any:
        return List({"head": Value("int64"), "relation": Value("string")})

    def from_metric(self, values: list) -> list:
        return [[(word["head"], word["relation"]) for word in words] for words in values]

    # -----------------------------------------------------------------------------------------------------------------
    # Predictions and card
    # -----------------------------------------------------------------------------------------------------------------

    def prediction_text(self, task: "Task", names: list, tokens: Sequence[Sequence[str]] | None) -> str:
        if tokens is None:
            raise ValueError(f"predictions of {task.name} are written with the words of the sentences: give tokens")
        return format_trees(tokens, names)

    def read_predictions(self, task: "Task", path: Path) -> list:
        trees = parse_trees(read_lines(path), str(path), relations=task.labels, upos=("_",))
        return [list(zip(tree.heads, tree.relations, strict=True)) for tree in trees]

    formats = ("conllu", "jsonl")

    def from_texts(
        self, task: "Task", texts: Sequence[str | Sequence[str]], tokenizer: PreTrainedTokenizerBase
    ) -> tuple[dict[str, list], list[dict[str, Any]]]:
        tokens, known = words_and_places(texts, tokenizer)
        return _unlabelled(tokens), known

    def confident(self, outputs: Any, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Trees (B, W, 2), and the probability of each word's head (B, W)."""
        arcs = decode(outputs.arc_logits, outputs.relation_logits)
        probabilities = outputs.arc_logits.float().softmax(dim=-1)
        return arcs, probabilities.gather(2, arcs[..., :1].clamp(min=0)).squeeze(2)

    def answers(
        self,
        task: "Task",
        rows: Dataset,
        features: Dataset,
        predicted: np.ndarray,
        probabilities: np.ndarray,
        labels: np.ndarray,
    ) -> Answers:
        """A word that did not fit into its row has no probability."""
        names = self.label_names(task, self.in_order(task, rows, features, predicted, labels))
        found: list[list[float]] = [[] for _ in names]
        for sentence, positions, row in zip(features["sentence"][:], features["word_positions"][:], probabilities):
            beyond = len(names[sentence]) - len(positions)
            found[sentence] = [*row[: len(positions)].tolist(), *[math.nan] * beyond]
        return Answers(names, found)

    def described(self, task: "Task", rows: Dataset, answers: Answers) -> list[dict[str, Any]]:
        return [
            {
                "tokens": tokens,
                "heads": [head for head, _ in arcs],
                "relations": [relation for _, relation in arcs],
                "probabilities": [None if math.isnan(p) else round(p, 4) for p in probabilities],
            }
            for tokens, arcs, probabilities in zip(
                rows["tokens"][:], answers.names, answers.probabilities, strict=True
            )
        ]

    def format_answers(self, task: "Task", described: Sequence[Mapping[str, Any]], form: str) -> str:
        if form == "jsonl":
            return super().format_answers(task, described, form)
        arcs = [list(zip(one["heads"], one["relations"], strict=True)) for one in described]
        return format_trees([one["tokens"] for one in described], arcs)

    def typed(self, task: "Task", row: Mapping[str, Any]) -> tuple[str, ...]:
        return (running_text(row["tokens"]),)

    def picture(self, task: "Task", typed: Sequence[str], answer: Mapping[str, Any]) -> Picture:
        names = "tokens", "relations", "probabilities", "heads"
        return Picture(words=tuple(map(LabelledWord, *(answer[name] for name in names))))

    opens_with = "`AutoModel` opens the parser, there is no Auto class of its own."

    def example(self, task: "Task", repository: str, prefix: str = "") -> str:
        return EXAMPLE.format(repository=repository)

    # -----------------------------------------------------------------------------------------------------------------
    # What is in the layers
    # -----------------------------------------------------------------------------------------------------------------

    def encoder_inputs(self, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {name: values for name, values in batch.items() if name not in ("word_positions", "labels")}

    def known(
        self, task: "Task", model: Any, states: torch.Tensor, batch: Mapping[str, torch.Tensor]
    ) -> Iterable[tuple[Any, Any]]:
        """The states of the words' label pieces."""
        positions = batch["word_positions"]
        counts = (positions >= 0).sum(dim=1).tolist()
        return [
            (row[at[:count]], gold[:count])
            for row, gold, at, count in zip(states, batch["labels"], positions, counts, strict=True)
        ]

    def of_known(self, labels: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        places = torch.arange(mask.shape[1], device=mask.device)
        return {"labels": labels, "word_positions": torch.where(mask, places, -1)}

    def possible_answers(self, task: "Task", words: int) -> int:
        """A relation for each of the other words and the root: the parser chooses among them and the word itself."""
        return (words + 1) * len(task.labels)


def _unlabelled(sentences: list[list[str]]) -> dict[str, list]:
    """Rows of words whose trees are not known."""
    nothing = [[0] * len(words) for words in sentences]
    return {"tokens": sentences, "heads": nothing, "relations": nothing}


EXAMPLE = """\
import torch
from transformers import AutoModel, AutoTokenizer

source = {{"pretrained_model_name_or_path": "{repository}", "revision": "<commit>", "trust_remote_code": True}}
parser, tokenizer = AutoModel.from_pretrained(**source), AutoTokenizer.from_pretrained(**source)
words = "She saw the old house .".split()
inputs = tokenizer(words, is_split_into_words=True, return_tensors="pt")
first_pieces = [inputs.word_to_tokens(word).start for word in range(len(words))]
output = parser(**inputs, word_positions=torch.tensor([first_pieces]))
heads = output.arc_logits.argmax(-1)  # (1, words), 0 is the root; modeling_dlfa.tasks.decoding.decode makes a tree"""


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
    pieces = WordPieces(tokenizer, dataset["tokens"][:], max_length, label_piece)
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
    return encoded_dataset(rows, [*pieces.columns, "word_positions", "labels", "sentence"], _FEATURES)


_FEATURES = INPUT_FEATURES | {"labels": List(List(Value("int64"))), "word_positions": List(Value("int64"))}


def complete_trees(
    task: "Task", encoded: Dataset, predictions: Sequence[Sequence[Sequence[int]]], words: Sequence[int]
) -> list[list[tuple[int, int]]]:
    """Predictions in the order of the sentences, with the words that did not fit into the row.

    Such a word is attached to the word before it with the relation "dep", or the first of a task without it (our
    choice): the tree stays one, and every word is scored.

    Args:
        encoded: what `encode_trees` returned; its rows may have been reordered together with `predictions`.
        predictions: for each of its rows (head, relation id) of each kept word, padding behind them allowed.
        words: number of words of each sentence that was encoded.

    Returns:
        For each sentence (head, relation id) of each word.
    """
    unknown = task.labels.index(UNKNOWN_RELATION) if UNKNOWN_RELATION in task.labels else 0
    completed: list[list[tuple[int, int]]] = [[] for _ in words]
    for sentence, positions, arcs in zip(encoded["sentence"], encoded["word_positions"], predictions, strict=True):
        kept = len(positions)
        predicted = [(int(head), int(relation)) for head, relation in arcs[:kept]]
        if len(predicted) < kept or any(head < 0 for head, _ in predicted):
            raise ValueError(f"sentence {sentence}: fewer predictions than the {kept} words of its row")
        completed[sentence] = predicted + [(before, unknown) for before in range(kept, words[sentence])]
    return completed
