"""What is measured of words in every layer: parts of speech and arcs, learnt in one language, asked for in all.

Sentences of a language are read once; only those of the training language are kept while others are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from datasets import Dataset

from ..data.sources import Source
from ..errors import InputError
from ..tasks.encoding import IGNORED
from ..tasks.languages import language_name
from ..tasks.registry import get_task
from ..tasks.task import Task
from ..vectors import Layer
from .difficulty import portion_ends
from .known import KnownSentence, known_layers
from .measures import Found, Measure, OfLanguages, by_language, means
from .opened import Opened
from .probes import accuracy, code_length, control_labels, fitted
from .sentences import Settings, evenly, languages_of
from .structural import Arcs, StructuralProbe, neighbours_attachment


UDPOS, UDDEP = "udpos", "uddep"
POOL, DRAWN = 3, 2
"""Training sentences that are read, and that a seed draws of them, in `Settings.samples` (our choice)."""

OF_WORDS, OF_ARCS = "Parts of speech, linear probe", "Arcs, structural probe"
OF_CODE = "Code length of the parts of speech"

Known = dict[Layer, list[KnownSentence]]


@dataclass(frozen=True)
class Reading:
    """How the sentences of a task of words are read.

    Attributes:
        opened: the model.
        source: where the rows are from.
    """

    opened: Opened
    source: Source
    task: Task
    settings: Settings

    @property
    def training(self) -> str:
        return self.task.train_language

    def rows(self, split: str, language: str, limit: int) -> Dataset:
        rows = self.source.load(self.task, split, language)
        return rows.select(evenly(len(rows), limit))

    def known(self, rows: Dataset) -> Known:
        """layer -> the sentences, on the processor."""
        opened, length = self.opened, self.settings.max_length
        piece = self.settings.label_piece or opened.label_piece
        encoded = self.task.kind.encode(self.task, rows, opened.tokenizer, length, piece)
        found = known_layers(opened.model, self.task, encoded, opened.tokenizer, opened.layers)
        return {
            layer: [KnownSentence(one.states.cpu(), one.labels.cpu()) for one in sentences]
            for layer, sentences in found.items()
        }

    def others(self) -> Iterator[tuple[str, Known]]:
        """The other languages, one after the other: test data, which nothing is chosen by."""
        for language in languages_of(self.source, self.task.name, "test", self.settings.languages):
            if language != self.training:
                yield language, self.known(self.rows("test", language, self.settings.samples))

    def draws(self, pool: int) -> list[list[int]]:
        """For every seed the places of the training sentences that it learns from, in the order of the draw."""
        count = max(1, DRAWN * pool // POOL)
        return [np.random.default_rng(seed).permutation(pool)[:count].tolist() for seed in range(self.settings.seeds)]


def _reading(opened: Opened, source: Source, settings: Settings, name: str) -> Reading | None:
    """None where the data lack the task, or its training language."""
    task = get_task(name)
    there = all(languages_of(source, name, split, [task.train_language]) for split in ("train", "validation"))
    return Reading(opened, source, task, settings) if there else None


# ---------------------------------------------------------------------------------------------------------------------
# Parts of speech
# ---------------------------------------------------------------------------------------------------------------------


def of_words(opened: Opened, source: Source, settings: Settings) -> Found:
    """Parts of speech in the training language and in others, the control task, selectivity, and code length.

    Returns:
        nothing where none of that is asked for, or the data have no UD-POS.
    """
    reading = _reading(opened, source, settings, UDPOS) if settings.wants("pos", "control", "code") else None
    if reading is None:
        return Found()
    pool = reading.rows("train", reading.training, POOL * settings.samples)
    asked = reading.rows("validation", reading.training, settings.samples)
    train, development = reading.known(pool), reading.known(asked)
    words, asked_words = reading.task.kind.tokens(pool) or [], reading.task.kind.tokens(asked) or []
    types = [word for sentence in (*words, *asked_words) for word in sentence]
    gold = _labels(development[opened.layers[0]])
    draws = reading.draws(len(pool))
    classes = len(reading.task.labels)
    own, control, bits = ({layer: [] for layer in opened.layers} for _ in range(3))
    probes: dict[Layer, list] = {layer: [] for layer in opened.layers}
    for layer in opened.layers:
        at_development = _states(development[layer])
        for seed, drawn in enumerate(draws):
            sentences = [train[layer][place] for place in drawn]
            states, labels = _states(sentences), _labels(sentences)
            if settings.wants("pos", "control"):
                probes[layer].append(fitted(states, labels))
                own[layer].append(accuracy(probes[layer][-1], at_development, gold))
            if settings.wants("control"):
                by_heart = control_labels(types, labels, seed)
                learnt = fitted(states, np.array([by_heart[word] for place in drawn for word in words[place]]))
                false = np.array([by_heart[word] for sentence in asked_words for word in sentence])
                control[layer].append(accuracy(learnt, at_development, false))
            if settings.wants("code"):
                lengths = np.cumsum([len(sentence.labels) for sentence in sentences])
                ends = [int(lengths[end - 1]) for end in portion_ends(len(sentences))]
                bits[layer].append(code_length(states, labels, classes, ends))
    name = language_name(reading.training)
    measures, rows = [], []
    if settings.wants("pos"):
        frequent = 100 * float(np.bincount(gold).max() / len(gold))
        measures.append(Measure("pos", name, OF_WORDS, "%", own, frequent, f"most frequent, {name}"))
        found = _of_others(reading, probes)
        if count := len(found[opened.layers[0]][0]):
            measures.append(Measure("pos_others", f"{count} other languages", OF_WORDS, "%", means(found)))
        rows = by_language({"pos_others": found})
    if settings.wants("control"):
        selective = {layer: (np.array(own[layer]) - np.array(control[layer])).tolist() for layer in opened.layers}
        measures += [
            Measure("control", "control, labels at random", OF_WORDS, "%", control),
            Measure("selectivity", f"{name} less control", OF_WORDS, "%", selective),
        ]
    if settings.wants("code"):
        level = float(np.log2(classes)), "all tags equally likely"
        measures.append(Measure("code", name, OF_CODE, "bits per word", bits, *level))
    return Found(measures, rows)


def _of_others(reading: Reading, probes: Mapping[Layer, Sequence]) -> OfLanguages:
    """What every seed's probe gets right in the other languages."""
    found: OfLanguages = {layer: [{} for _ in of_layer] for layer, of_layer in probes.items()}
    for language, known in reading.others():
        for layer, sentences in known.items():
            states, labels = _states(sentences), _labels(sentences)
            for of_seed, probe in zip(found[layer], probes[layer], strict=True):
                of_seed[language] = accuracy(probe, states, labels)
    return found


def _states(sentences: list[KnownSentence]) -> np.ndarray:
    """(N, E), of all words."""
    return torch.cat([sentence.states for sentence in sentences]).numpy()


def _labels(sentences: list[KnownSentence]) -> np.ndarray:
    return torch.cat([sentence.labels for sentence in sentences]).numpy()


# ---------------------------------------------------------------------------------------------------------------------
# Arcs
# ---------------------------------------------------------------------------------------------------------------------


def of_arcs(opened: Opened, source: Source, settings: Settings) -> Found:
    """Arcs of dependency trees in the training language and in others, by a structural probe; as `of_words`.

    Languages without a sentence that is read whole are left out.

    Raises:
        InputError: no sentence of the training or the development data is read whole.
    """
    reading = _reading(opened, source, settings, UDDEP) if settings.wants("arcs") else None
    if reading is None:
        return Found()
    train, _ = _arcs_of_training(reading, "train", POOL * settings.samples)
    development, own_count = _arcs_of_training(reading, "validation", settings.samples)
    first = opened.layers[0]
    draws = reading.draws(len(train[first]))
    probes = {
        layer: [StructuralProbe([sentences[place] for place in drawn], seed) for seed, drawn in enumerate(draws)]
        for layer, sentences in train.items()
    }
    own = {layer: [probe.attachment(development[layer]) for probe in of_layer] for layer, of_layer in probes.items()}
    found: OfLanguages = {layer: [{} for _ in draws] for layer in opened.layers}
    chains, counts, left_out = [], np.zeros(2, dtype=int), []
    for language, known in reading.others():
        arcs = _arcs(known)
        if not arcs[first]:
            left_out.append(language)
            continue
        counts += len(arcs[first]), len(known[first])
        chains.append(neighbours_attachment(arcs[first]))
        for layer, sentences in arcs.items():
            for of_seed, probe in zip(found[layer], probes[layer], strict=True):
                of_seed[language] = probe.attachment(sentences)
    name = language_name(reading.training)
    chain, rest = neighbours_attachment(development[first]), _rest_on(len(development[first]), own_count)
    measures = [Measure("arcs", name, OF_ARCS, "%", own, chain, f"neighbours joined, {name}", rest)]
    if chains:
        label, level = f"{len(chains)} other languages", "neighbours joined, others"
        rest = _rest_on(*counts) + (f"; none in {', '.join(left_out)}, left out" if left_out else "")
        measures.append(Measure("arcs_others", label, OF_ARCS, "%", means(found), fmean(chains), level, rest))
    return Found(measures, by_language({"arcs_others": found}))


def _arcs_of_training(reading: Reading, split: str, limit: int) -> tuple[dict[Layer, list[Arcs]], int]:
    """Of the training language, and how many sentences they were looked for in.

    Raises:
        InputError: there are none.
    """
    known = reading.known(reading.rows(split, reading.training, limit))
    arcs, first = _arcs(known), reading.opened.layers[0]
    if not arcs[first]:
        raise InputError(
            f"--max_length {reading.settings.max_length}: none of {len(known[first])} sentences of "
            f"{reading.task.name} in {reading.training} ({split}) has two words or more and is read whole"
        )
    return arcs, len(known[first])


def _rest_on(count: int, of: int) -> str:
    return f"on {count:,} of {of:,} sentences, those of two words and more that are read whole"


def _arcs(known: Known) -> dict[Layer, list[Arcs]]:
    """Sentences of two words and more that were read whole."""
    return {
        layer: [
            Arcs(sentence.states, sentence.labels[:, 0].numpy())
            for sentence in sentences
            if len(sentence.labels) > 1 and IGNORED not in sentence.labels[:, 0]
        ]
        for layer, sentences in known.items()
    }
