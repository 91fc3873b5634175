"""What is measured of an encoder and of runs that started from it, layer by layer, and by how much it differs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data.sources import Source
from ..tasks.languages import language_name
from ..vectors import Layer
from .lineage import FIRST, NamedRun
from .measures import Found, Measure, OfLanguages, by_language, means
from .measuring import measured
from .opened import layer_title, open_model
from .sentences import Settings
from .similarity import alignment
from .uncertainty import Estimate, difference
from .wanted import CKA, CKA_OTHERS


LIKENESS_PANEL = "CKA of a layer with the same layer before"


@dataclass(frozen=True)
class Change:
    """One measure of a run.

    Attributes:
        run: its name.
        before: the same of the encoder; None where it compares the two already.
        after: that of the run.
    """

    run: str
    before: Measure | None
    after: Measure

    @property
    def layers(self) -> list[Layer]:
        """Those that both have."""
        there = self.after if self.before is None else self.before
        return [layer for layer in self.after.values if layer in there.values]

    def at(self, layer: Layer) -> Estimate:
        """After less before, seed by seed; nothing is known of layers that the encoder does not have."""
        if self.before is None or layer not in self.layers:
            return Estimate(np.nan, np.nan, np.nan)
        return difference(self.after.values[layer], self.before.values[layer])

    @property
    def most(self) -> Layer:
        """The layer that has changed most, the lowest of those that have changed as much."""
        return max(self.layers, key=lambda layer: abs(self.at(layer).mean))

    @property
    def differences(self) -> Measure:
        """After less before, as a curve."""
        before = self.after if self.before is None else self.before
        values = {
            layer: (np.array(self.after.values[layer]) - np.array(before.values[layer])).tolist()
            for layer in self.layers
        }
        unit = "points" if self.after.unit == "%" else self.after.unit
        return Measure(self.after.name, self.run, self.after.panel, unit, values, 0.0, "no change")


@dataclass(frozen=True)
class Looked:
    """Everything that was measured.

    Attributes:
        first: of the encoder.
        runs: name -> of a run, what compares it with the encoder among it.
    """

    first: Found
    runs: dict[str, Found]

    @property
    def names(self) -> list[str]:
        """Of the measures, in their order."""
        return list(dict.fromkeys(name for found in (self.first, *self.runs.values()) for name in found.by_name))

    def changes(self, name: str) -> list[Change]:
        """Of a measure, run by run."""
        before = self.first.by_name.get(name)
        return [Change(run, before, found.by_name[name]) for run, found in self.runs.items() if name in found.by_name]

    def of_run(self, run: str) -> list[Change]:
        """Of a run, measure by measure."""
        return [change for name in self.names for change in self.changes(name) if change.run == run]

    def curves(self, name: str) -> dict[str, Measure]:
        """Of a measure: those of the encoder and the runs."""
        before = {FIRST: self.first.by_name[name]} if name in self.first.by_name else {}
        return before | {change.run: change.after for change in self.changes(name)}


def look(encoder: str, runs: Sequence[NamedRun], source: Source, settings: Settings) -> Looked:
    """Measure the encoder and then every run, one model in memory at a time; of each the states are computed once.

    Raises:
        InputError: a model cannot be opened, or something cannot be measured.
    """
    first, found = _looked_at(encoder, source, settings), {}
    for run in runs:
        of_run = _looked_at(str(run.folder), source, settings)
        compared = likeness(first, of_run, settings.seeds)
        found[run.name] = Found([*of_run.measures, *compared.measures], [*of_run.rows, *compared.rows])
    return Looked(Found(first.measures, first.rows, few=first.few), found)


def _looked_at(name: str, source: Source, settings: Settings) -> Found:
    return measured(open_model(name, settings.max_length), source, settings)


def likeness(before: Found, after: Found, seeds: int) -> Found:
    """Linear CKA of every layer of two models with each other, by the sentences of one language at a time.

    A seed takes half of the sentences, the same ones in all layers.

    Returns:
        `CKA`, of the pivot, and `CKA_OTHERS`, the mean over the other languages; nothing where no sentences were kept.
    """
    found: OfLanguages = {}
    for layer in (layer for layer in after.sentences if layer in before.sentences):
        for seed in range(seeds):
            of_seed = {}
            for language, vectors in after.sentences[layer].items():
                half = np.random.default_rng(seed).permutation(len(vectors))[: len(vectors) // 2]
                of_seed[language] = float(alignment([before.sentences[layer][language][half], vectors[half]])[0, 1])
            found.setdefault(layer, []).append(of_seed)
    own = {layer: [one[after.pivot] for one in of if after.pivot in one] for layer, of in found.items()}
    others: OfLanguages = {
        layer: [{language: value for language, value in one.items() if language != after.pivot} for one in of]
        for layer, of in found.items()
    }
    measures = []
    if any(own.values()):
        measures.append(_likeness(CKA, language_name(after.pivot), own))
    if count := max((len(of[0]) for of in others.values()), default=0):
        measures.append(_likeness(CKA_OTHERS, f"{count} other languages", means(others)))
    return Found(measures, by_language({CKA: found}))


def _likeness(name: str, label: str, values: dict[Layer, list[float]]) -> Measure:
    return Measure(name, label, LIKENESS_PANEL, "", values, 1.0, "as before")


# ---------------------------------------------------------------------------------------------------------------------
# Tables
# ---------------------------------------------------------------------------------------------------------------------


def change_rows(looked: Looked) -> list[dict]:
    """A row for each measure, run and layer."""
    rows = []
    for name in looked.names:
        for change in looked.changes(name):
            first = {} if change.before is None else change.before.estimates
            for layer, after in change.after.estimates.items():
                before, apart = first[layer].mean if layer in first else None, change.at(layer)
                row = {"measure": name, "run": change.run, "layer": layer_title(layer), "before": before}
                rows.append(row | {"after": after.mean, "change": apart.mean, "low": apart.low, "high": apart.high})
    return rows


def seed_rows(looked: Looked) -> list[dict]:
    """A row for each model, measure, layer and seed."""
    models = {FIRST: looked.first, **looked.runs}
    return [{"model": model, **row} for model, found in models.items() for one in found.measures for row in one.rows()]


def language_rows(looked: Looked) -> list[dict]:
    """A row for each model, measure, layer and language, with the mean over seeds."""
    models = {FIRST: looked.first, **looked.runs}
    return [{"model": model, **row} for model, found in models.items() for row in found.rows]
