"""Numbers over the layers: a value for every layer and seed, with what it is to be compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from ..vectors import Layer
from .opened import layer_title
from .uncertainty import Estimate, estimate


OfLanguages = dict[Layer, list[dict[str, float]]]
"""layer -> for each seed language -> value."""


@dataclass(frozen=True)
class Measure:
    """One curve.

    Attributes:
        name: in files.
        label: in the legend.
        panel: the title of the axes that it is drawn on.
        unit: of its values; measures of a panel share it.
        values: layer -> one value for each seed.
        level: what the same is without any state, such as chance; None where there is no such thing.
        level_label: what that is.
        note: what it rests on, where that is not all that was asked for.
    """

    name: str
    label: str
    panel: str
    unit: str
    values: Mapping[Layer, Sequence[float]]
    level: float | None = None
    level_label: str = "chance"
    note: str = ""

    @property
    def estimates(self) -> dict[Layer, Estimate]:
        return {layer: estimate(values) for layer, values in self.values.items()}

    @property
    def numbered(self) -> dict[int, Estimate]:
        """Those of the encoder's layers."""
        return {layer: found for layer, found in self.estimates.items() if isinstance(layer, int)}

    def extreme(self, best: bool = True) -> int:
        """The encoder's layer with the highest mean, or the lowest."""
        found = self.numbered
        return (max if best else min)(found, key=lambda layer: found[layer].mean)

    def rows(self) -> list[dict]:
        """A row for every layer and seed, as written to a CSV file."""
        return [
            {"measure": self.name, "layer": layer_title(layer), "seed": seed, "value": float(value)}
            for layer, values in self.values.items()
            for seed, value in enumerate(values)
        ]


@dataclass(frozen=True)
class Found:
    """What is measured of one model.

    Attributes:
        measures: in the order in which pages show them.
        rows: the means over seeds by measure, layer and language, as `by_language` makes them.
        sentences: layer -> language -> (N, E), vectors that are compared with those of another model, the pivot's
            among them; empty where that is not asked for.
        pivot: that language.
        few: task -> what there is too little of in its data for something that is asked for, such as "no language has
            4 pairs".
    """

    measures: list[Measure] = field(default_factory=list)
    rows: list[dict] = field(default_factory=list)
    sentences: Mapping[Layer, Mapping[str, np.ndarray]] = field(default_factory=dict)
    pivot: str = ""
    few: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_name(self) -> dict[str, Measure]:
        return {measure.name: measure for measure in self.measures}


def means(found: OfLanguages) -> dict[Layer, list[float]]:
    """layer -> for each seed the mean over languages, each of which counts the same."""
    return {layer: [fmean(one.values()) for one in seeds if one] for layer, seeds in found.items()}


def by_language(found: Mapping[str, OfLanguages]) -> list[dict]:
    """Rows with the mean over seeds of every measure, layer and language."""
    return [
        {
            "measure": name,
            "layer": layer_title(layer),
            "language": language,
            "value": fmean(one[language] for one in seeds),
        }
        for name, by_layer in found.items()
        for layer, seeds in by_layer.items()
        for language in seeds[0]
    ]
